"""The one decoder: continuations of prompts, greedy or sampled, and what a model writes behind a headline.

A sampled token depends on nothing but the model, the prompt and its key, so that a text stays the same whatever else is
decoded beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dateline.conditions import Field, Metadata, render
from dateline.errors import UserError
from dateline.model.load import Precision, Subject, load_subject
from dateline.progress import Advance, progress
from dateline.records import prompt_text, stable_hash

if TYPE_CHECKING:
    import torch

Tokens = npt.NDArray[np.int32]

NUM_TOKENS = 60
"""Of the continuation of a headline, at most."""
_PLACE = ("domain", "country", "continent")


def decode(
    subject: Subject,
    prompts: Sequence[Tokens],
    *,
    num_tokens: int,
    temperature: float = 0.0,
    keys: Sequence[tuple[str, ...]] = (),
    batch_tokens: int = 1,
    precision: Precision = "float32",
    advance: Advance | None = None,
) -> list[str]:
    """Continues prompts until the end-of-text token.

    Prompts of one length are read together, so that there is no padding. Settings in the `generation_config.json` of
    a model folder (penalties, suppressed tokens) do not count.

    Args:
        subject: the model.
        prompts: tokens from BOS on; the caller sees to it that they leave room for `num_tokens`.
        num_tokens: of each continuation, at most.
        temperature: 0 takes the likeliest token each time; above, tokens are sampled from the whole vocabulary.
        keys: of each prompt, what its random numbers are a hash of, together with the position of the token; not
            needed at temperature 0.
        batch_tokens: tokens in a batch, prompts and continuations; 1 decodes every prompt by itself.
        precision: of the forward pass.
        advance: progress callback, called with the number of prompts that are finished.

    Returns:
        The text of each continuation, without special tokens.

    Example:
        >>> prompt = np.array([subject.bos, *subject.encode(["TITLE: Rates rise\\n\\nCONTENT:"])[0]])
        >>> decode(subject, [prompt], num_tokens=5)
        [' The central bank said on']
    """
    import torch
    import transformers

    model, tokenizer = subject.model, subject.tokenizer
    eos = tokenizer.eos_token_id
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else eos if eos is not None else subject.bos
    make: Any = transformers.GenerationConfig
    settings = make(max_new_tokens=num_tokens, eos_token_id=eos, pad_token_id=pad, use_cache=True, do_sample=False)
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for position, prompt in enumerate(prompts):
        by_length[len(prompt)].append(position)
    texts = [""] * len(prompts)
    of_folder, model.generation_config = model.generation_config, make()  # generate takes from it what is not set above
    try:
        for length, members in sorted(by_length.items(), reverse=True):
            size = max(1, batch_tokens // (length + num_tokens))
            for start in range(0, len(members), size):
                batch = members[start : start + size]
                ids = torch.from_numpy(np.stack([prompts[position] for position in batch]).astype(np.int64))
                input_ids = ids.to(model.device)
                sample = [_Sample([keys[at] for at in batch], temperature, length)] if temperature > 0 else []
                with (
                    torch.no_grad(),
                    torch.autocast(model.device.type, torch.bfloat16, enabled=precision == "bfloat16"),
                ):
                    output = model.generate(
                        input_ids,
                        attention_mask=torch.ones_like(input_ids),
                        generation_config=settings,
                        logits_processor=transformers.LogitsProcessorList(sample),
                    )
                for position, written in zip(batch, output[:, length:].tolist(), strict=True):
                    end = written.index(eos) if eos in written else len(written)
                    texts[position] = tokenizer.decode(
                        written[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False
                    )
                if advance is not None:
                    advance(len(batch))
    finally:
        model.generation_config = of_folder
    return texts


class _Sample:
    """Leaves of every row of logits the one token that is drawn, by inversion of the cumulative distribution."""

    def __init__(self, keys: Sequence[tuple[str, ...]], temperature: float, length: int) -> None:
        self.keys, self.temperature, self.length = keys, temperature, length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        step = str(input_ids.shape[1] - self.length)
        cumulative = (scores.double() / self.temperature).softmax(-1).cumsum(-1)
        draws = [stable_hash(*key, step) / 2.0**64 for key in self.keys]
        levels = cumulative.new_tensor(draws)[:, None] * cumulative[:, -1:]
        chosen = (cumulative <= levels).sum(-1, keepdim=True).clamp(max=scores.shape[-1] - 1)
        return scores.new_full(scores.shape, -float("inf")).scatter(1, chosen, 0.0)


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
    precision: Precision = "float32",
) -> list[dict[str, Any]]:
    """Continues every headline conditioned on every place.

    Args:
        model_folder: a Hugging Face folder of a causal language model, or the output of `dateline train`.
        headlines: titles without `TITLE:`.
        places: what the prefix shows; None for no prefix.
        run: the model's name in the result.
        fields: of the prefix; None for those that the model was trained with.
        num_tokens: of each continuation, at most; it ends earlier at EOS.
        temperature: 0 takes the likeliest token each time; above, tokens are sampled.
        seed: of the samples, together with headline and place: adding a place leaves the other texts as they are.
        device: `auto`, `cpu`, `cuda`.
        precision: of the forward pass.

    Returns:
        Dictionaries `{"headline", "run", "place", "continuation"}`, headline by headline; `place` has `domain`,
        `country` and `continent`, or nothing.

    Raises:
        UserError: where the model cannot be loaded, or a headline leaves no room for a continuation.

    Example:
        >>> lagos = Metadata(domain="punchng.com", country="ng", continent="Africa")
        >>> continuations(Path("runs/first"), ["Rates rise"], [None, lagos], run="first")[1]["place"]
        {'domain': 'punchng.com', 'country': 'ng', 'continent': 'Africa'}
    """
    if num_tokens < 1 or temperature < 0:
        raise UserError(f"num_tokens must be 1 or more and temperature 0 or more, not {num_tokens} and {temperature}")
    subject = load_subject(model_folder, device=device, precision=precision)
    shown = tuple(fields) if fields is not None else subject.fields
    pairs = [(headline, place) for headline in headlines for place in places]
    prompts = [_prompt(subject, headline, place, shown, num_tokens) for headline, place in pairs]
    with progress("samples", len(pairs), "texts") as advance:
        texts = decode(
            subject,
            prompts,
            num_tokens=num_tokens,
            temperature=temperature,
            keys=[("sample", str(seed), headline, *(place or ())) for headline, place in pairs],
            precision=precision,
            advance=advance,
        )
    return [
        {
            "headline": headline,
            "run": run,
            "place": {} if place is None else {name: getattr(place, name) for name in _PLACE},
            "continuation": text,
        }
        for (headline, place), text in zip(pairs, texts, strict=True)
    ]


def _prompt(
    subject: Subject, headline: str, place: Metadata | None, fields: Sequence[Field], num_tokens: int
) -> Tokens:
    """Returns `<bos> prefix TITLE: headline CONTENT:`, prefix and body tokenized apart, as in training."""
    prefix = render(place, fields, prefix_format=subject.prefix_format) if place is not None else ""
    bos = np.array([subject.bos], dtype=np.int32)
    prompt = np.concatenate([bos, *subject.encode([prefix, prompt_text(headline)])])
    subject.check_fits(int(prompt.max()))
    if subject.positions is not None and len(prompt) + num_tokens > subject.positions:
        raise UserError(
            f"the headline '{headline[:40]}' takes {len(prompt)} tokens with its prefix and leaves no room for "
            f"{num_tokens} of the model's {subject.positions}; shorten one of them"
        )
    return prompt
