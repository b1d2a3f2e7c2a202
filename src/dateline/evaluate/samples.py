"""What a model writes after the same headline when it is told different places.

Enters: a model folder, headlines, places. Leaves: plain dictionaries for the report: headline, place, continuation.
Deliberately not done: no batches (a continuation must not depend on its neighbours), no judgement of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dateline.conditions import Field, Metadata, render
from dateline.errors import UserError
from dateline.evaluate.subject import Dtype, Subject, load_subject
from dateline.progress import progress
from dateline.records import prompt_text, stable_hash

NUM_TOKENS = 60


def continuations(
    model_folder: Path,
    headlines: Sequence[str],
    places: Sequence[Metadata | None],
    *,
    run: str,
    fields: Sequence[Field] | None = None,
    num_tokens: int = NUM_TOKENS,
    temperature: float = 0.0,
    seed: int = 0,
    device: str = "auto",
    dtype: Dtype = "float32",
) -> list[dict[str, Any]]:
    """Continues every headline under every place.

    Args:
        model_folder: a Hugging Face folder of a causal language model, or the output of `dateline train`.
        headlines: titles without `TITLE:`.
        places: what the model is told; None for nothing.
        run: the model's name in the result.
        fields: what the prefix shows; None for what the model was trained with.
        num_tokens: of each continuation, at most; it ends earlier at EOS.
        temperature: 0 takes the likeliest token each time; above, tokens are drawn.
        seed: of the draws, together with headline and place: adding a place leaves the other texts as they are.
        device: `auto`, `cpu`, `cuda`.
        dtype: of weights and computation.

    Returns:
        Dictionaries `{"headline", "run", "place", "continuation"}`, headline by headline; `place` has `domain`,
        `country` and `continent`, or nothing.

    Raises:
        UserError: where the model cannot be loaded, or a headline leaves no room for a continuation.
    """
    if num_tokens < 1 or temperature < 0:
        raise UserError(f"num_tokens must be 1 or more and temperature 0 or more, not {num_tokens} and {temperature}")
    subject = load_subject(model_folder, device=device, dtype=dtype)
    shown = tuple(fields) if fields is not None else subject.fields
    result: list[dict[str, Any]] = []
    with progress("samples", len(headlines) * len(places), "texts") as advance:
        for headline in headlines:
            for place in places:
                prompt = _prompt(subject, headline, place, shown, num_tokens)
                draw = stable_hash("sample", str(seed), headline, *(place or ()))
                text = _continue(subject, prompt, num_tokens, temperature, draw)
                told = {} if place is None else {name: getattr(place, name) for name in _PLACE}
                result.append({"headline": headline, "run": run, "place": told, "continuation": text})
                advance()
    return result


_PLACE = ("domain", "country", "continent")


def _prompt(
    subject: Subject, headline: str, place: Metadata | None, fields: Sequence[Field], num_tokens: int
) -> list[int]:
    """Returns `<bos> prefix TITLE: headline CONTENT:`, prefix and body tokenized apart, as in training."""
    prefix = render(place, fields, prefix_format=subject.prefix_format) if place is not None else ""
    parts = subject.encode([prefix, prompt_text(headline)])
    prompt = [subject.bos, *np.concatenate(parts).tolist()]
    subject.check_fits(max(prompt))
    if subject.positions is not None and len(prompt) + num_tokens > subject.positions:
        raise UserError(
            f"the headline '{headline[:40]}' takes {len(prompt)} tokens with its prefix and leaves no room for "
            f"{num_tokens} of the model's {subject.positions}; shorten one of them"
        )
    return prompt


def _continue(subject: Subject, prompt: list[int], num_tokens: int, temperature: float, seed: int) -> str:
    import torch
    import transformers

    eos = subject.tokenizer.eos_token_id
    pad = subject.tokenizer.pad_token_id
    options: dict[str, Any] = {"do_sample": False}
    if temperature > 0:
        options = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
    configuration: Any = transformers.GenerationConfig
    settings = configuration(
        max_new_tokens=num_tokens,
        eos_token_id=eos,
        pad_token_id=pad if pad is not None else eos if eos is not None else subject.bos,
        use_cache=True,
        **options,
    )
    device = subject.model.device
    input_ids = torch.tensor([prompt], device=device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.no_grad():
        torch.manual_seed(seed % 2**63)
        output = subject.model.generate(
            input_ids, attention_mask=torch.ones_like(input_ids), generation_config=settings
        )
    written = output[0, len(prompt) :].tolist()
    if written and written[-1] == eos:
        written = written[:-1]
    text: str = subject.tokenizer.decode(written, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text
