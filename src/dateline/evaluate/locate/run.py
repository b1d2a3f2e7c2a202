"""Country inference on a split of a corpus, compared with counting words, with the names of places and without.

Nothing is fitted to the split that is scored. A document whose country is none of the places is dropped and counted,
because no answer about it could be right.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from dateline.config import fingerprint
from dateline.errors import UserError
from dateline.evaluate.documents import Documents, take_documents
from dateline.evaluate.locate.locator import (
    Floats,
    Locator,
    check_countries,
    choose_prior,
    default_countries,
    log_posterior,
    make_prompts,
    open_locator,
    place_fields,
    training_counts,
)
from dateline.evaluate.locate.scores import (
    STAGE,
    Cases,
    Guesses,
    Origin,
    confusion_table,
    difference_scores,
    level_scores,
    posterior_table,
    reliability_table,
)
from dateline.evaluate.locate.words import (
    BASELINE_SETTINGS,
    Index,
    Placed,
    mask_names,
    masking_fingerprint,
    place_by_words,
    with_domains,
)
from dateline.evaluate.protocol import Protocol, Tokens
from dateline.evaluate.recipe import Locate
from dateline.manifest import require_manifest
from dateline.model.load import model_fingerprint
from dateline.progress import progress
from dateline.scores import write_scores
from dateline.stage import Made, Stage
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import load_tokenizer

BASELINE = "tfidf"
POSTERIORS, CONFUSION, RELIABILITY = "posteriors.parquet", "confusion.parquet", "reliability.parquet"


def locate_stage(model: Path, options: Locate, run: str) -> Stage:
    """Returns the stage that infers the country of every document of a split.

    Its folder holds `scores.parquet`, and of every document and guesser `posteriors.parquet`, `confusion.parquet` and
    `reliability.parquet`.

    Args:
        model: a conditioned model: the output of `dateline train`, or a Hugging Face folder.
        options: which corpus, places, prior and protocol. Where the protocol's window is not set, it is the default or
            what the model can read, whichever is less; the room for the prefix is that of the longest prefix.
        run: the model's name in the tables.

    Raises:
        UserError: where a folder is missing, the model was trained without any place, or a name is not known.

    Example:
        >>> options = Locate(corpus="runs/encoded", countries=("gh", "gb"), prior="uniform")
        >>> locate_stage(Path("runs/conditioned"), options, "conditioned").make(Path("runs/located"))
    """
    if not run or run == BASELINE:
        raise UserError(f"--run '{run}': the run needs a name other than '{BASELINE}'")
    if options.protocol.name != "strict":
        raise UserError(
            f"country inference scores the same tokens under every place, which protocol '{options.protocol.name}' "
            "does not; use strict"
        )
    manifest = require_manifest(Path(options.corpus), "encode", "dateline encode CORPUS --out DIR")
    corpus = EncodedCorpus.open(options.corpus)
    codes = check_countries(options.countries or default_countries(corpus))
    fields = options.fields if options.fields is not None else place_fields(model)
    shares = choose_prior(options.prior, codes, training_counts(corpus))
    unused = {"prefix_room", "truncation", *(() if _window(options) else ("window",))}
    recipe = {
        **options.identity(),
        "run": run,
        "countries": codes,
        "fields": list(make_prompts(fields, codes, options.outlets, corpus).fields),
        "prior": dict(zip(codes, shares.tolist(), strict=True)),
        "baseline": BASELINE_SETTINGS if options.baseline else None,
        "masking": masking_fingerprint(),
        "protocol": options.protocol.model_dump(mode="json", exclude=unused),
    }
    parents = {"model": model_fingerprint(model), "corpus": manifest.fingerprint}
    return Stage(STAGE, recipe, parents, lambda folder: _locate(model, options, recipe, parents, folder))


def protocol_name(protocol: Protocol, recipe: Mapping[str, Any]) -> str:
    """Returns `locate-1a2b3c4d`, which is the same for numbers that may be compared.

    Args:
        protocol: split, sample, window and room for the prefix.
        recipe: of the stage; its prior says among which countries.
    """
    decisive = {name: recipe[name] for name in ("prior", "outlets", "fields", "tokens", "masking")}
    return f"{STAGE}-{fingerprint({'protocol': protocol.fingerprint(), **decisive})[:8]}"


def _window(options: Locate) -> int | None:
    """Returns the window that the options set, or None."""
    return options.protocol.window if "window" in options.protocol.model_fields_set else None


def _locate(model: Path, options: Locate, recipe: Mapping[str, Any], parents: Mapping[str, str], folder: Path) -> Made:
    """Scores model and baseline and writes the tables into a folder."""
    started = time.monotonic()
    corpus = EncodedCorpus.open(options.corpus)
    locator = open_locator(
        model,
        recipe["countries"],
        fields=options.fields,
        outlets=options.outlets,
        corpus=corpus,
        window=_window(options),
        num_tokens=options.tokens,
        batch_tokens=options.batch_tokens,
        device=options.device,
        precision=options.precision,
    )
    fitted = {"window": locator.protocol.window, "prefix_room": locator.protocol.prefix_room}
    protocol = Protocol.model_validate({**options.protocol.model_dump(), **fitted})
    documents = take_documents(corpus, protocol, locator.subject)
    cases, bodies, drops = _cases(documents, locator, corpus)
    names = with_domains(sorted({str(domain) for domain in corpus.domains}))
    position = {name: index for index, name in enumerate(corpus.ids)}
    texts = _texts(corpus, [position[name] for name in cases.ids])
    masked_texts = [mask_names(text, names) for text in texts]
    versions = {False: (texts, bodies), True: (masked_texts, locator.subject.encode(masked_texts))}
    prior = np.array(list(recipe["prior"].values()))

    sign = protocol_name(protocol, recipe)
    shared = {"protocol": sign, "data": parents["corpus"]}
    shown = "+".join(locator.prompts.fields)
    of_model = Origin(run=recipe["run"], condition="swap:all", model=parents["model"], shown=shown, **shared)
    of_words = Origin(run=BASELINE, condition="", model=BASELINE, shown="", **shared)
    by_words: dict[bool, Guesses] = {}
    facts: dict[str, Any] = {}
    if options.baseline:  # first, because a country that it cannot learn shows at once
        for masked, (whole, own) in versions.items():
            read = whole if options.tokens is None else _shortened(locator, own)
            what = "names masked" if masked else "text"
            with progress(f"train TF-IDF, {what}", 1, "models") as advance:
                placed = _place_by_words(corpus, read, cases.codes, prior, names if masked else None)
                advance()
            facts[what] = placed.facts
            by_words[masked] = Guesses(of_words, masked, placed.log_probabilities, None, cases)
    by_model: dict[bool, Guesses] = {}
    for masked, (_, own) in versions.items():
        with progress(f"locate {'names masked' if masked else 'text'}", len(own), "documents") as advance:
            nll = locator.nll(own, cases.ids, advance)
        counts = np.array([len(locator.read(body)) for body in own], dtype=np.int64)
        by_model[masked] = Guesses(of_model, masked, log_posterior(nll, prior), counts, cases)

    several = [*by_model.values(), *by_words.values()]
    pairs = [(by_model[masked], words) for masked, words in by_words.items()] + [(by_model[True], by_model[False])]
    scores = [score for one in several for score in level_scores(one, options.resamples, options.seed)]
    scores += difference_scores(pairs, f"{STAGE} {recipe['run']}", options.resamples, options.seed)
    write_scores(folder, scores)
    pq.write_table(posterior_table(several), folder / POSTERIORS, compression="zstd")
    pq.write_table(confusion_table(several), folder / CONFUSION, compression="zstd")
    pq.write_table(reliability_table(several), folder / RELIABILITY, compression="zstd")
    prefixes = locator.prompts.texts(locator.subject)
    return Made(
        counts={"in": len(cases.ids) + sum(drops.values()), "kept": len(cases.ids)},
        drops=drops,
        facts={
            "places": cases.codes,
            "without_documents": [code for n, code in enumerate(cases.codes) if not (cases.truth == n).any()],
            "protocol": sign,
            "window": protocol.window,
            "prompts": dict(zip(prefixes, locator.prompts.weights.tolist(), strict=True)),
            "baseline": facts,
            "device": str(locator.subject.model.device),
            "seconds": round(time.monotonic() - started, 1),
        },
        packages=("torch", "transformers", "numpy", *(("scikit-learn",) if options.baseline else ())),
    )


def _cases(documents: Documents, locator: Locator, corpus: EncodedCorpus) -> tuple[Cases, list[Tokens], dict[str, int]]:
    """Returns the documents whose country is among the places, their bodies, and what was dropped."""
    codes = locator.prompts.countries
    kept = [number for number, place in enumerate(documents.metadata) if place.country in codes]
    if not kept:
        raise UserError(f"{corpus.folder}: no document is from any of {', '.join(codes)}; name other --countries")
    drops = dict(documents.drops)
    if len(kept) < len(documents.ids):
        drops["country is none of the places"] = len(documents.ids) - len(kept)
    cases = Cases(
        ids=[documents.ids[number] for number in kept],
        domains=[documents.metadata[number].domain for number in kept],
        codes=codes,
        continents=locator.prompts.continents,
        truth=np.array([codes.index(documents.metadata[number].country) for number in kept], dtype=np.int64),
    )
    return cases, [documents.bodies[number] for number in kept], drops


def _texts(corpus: EncodedCorpus, indices: Sequence[int]) -> list[str]:
    backend = load_tokenizer(corpus.tokenizer_folder).backend_tokenizer
    bodies = [corpus.tokens(index).tolist() for index in indices]
    texts: list[str] = backend.decode_batch(bodies, skip_special_tokens=False)
    return texts


def _shortened(locator: Locator, bodies: Sequence[Tokens]) -> list[str]:
    """Returns the words of what the model reads, so that the baseline reads no more."""
    tokenizer = locator.subject.tokenizer
    return [tokenizer.decode(locator.read(body).tolist(), clean_up_tokenization_spaces=False) for body in bodies]


def _place_by_words(
    corpus: EncodedCorpus, texts: Sequence[str], codes: Sequence[str], prior: Floats, masked: Index | None
) -> Placed:
    """Trains the baseline on the training split, without the names of places where they are given."""
    train = [int(index) for index in corpus.select("train")]
    train_texts = _texts(corpus, train)
    if masked is not None:
        train_texts = [mask_names(text, masked) for text in train_texts]
    return place_by_words(train_texts, [str(corpus.countries[index]) for index in train], texts, codes, prior)
