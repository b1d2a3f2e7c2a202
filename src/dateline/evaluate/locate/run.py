"""One test of locating from its arguments to its folder.

Enters: a conditioned model and an encoded corpus. Leaves: a folder with `scores.parquet`, `posteriors.parquet`,
`confusion.parquet`, `reliability.parquet` and a manifest, for the model and for counting words, with place names and
without.
Deliberately not done: nothing is fitted to the test split; a document whose country is none of the places is dropped
and counted, because no answer about it could be right.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from dateline.conditions import Field
from dateline.config import fingerprint
from dateline.errors import UserError
from dateline.evaluate.documents import Documents, take_documents
from dateline.evaluate.locate.baseline import SETTINGS, Placed, place_by_words
from dateline.evaluate.locate.guesses import (
    Cases,
    Guesses,
    confusion_table,
    difference_scores,
    level_scores,
    posterior_table,
    reliability_table,
)
from dateline.evaluate.locate.locator import BATCH_TOKENS, NUM_TOKENS, Locator, make_prompts, open_locator
from dateline.evaluate.locate.masking import NEUTRAL, mask_names, with_domains
from dateline.evaluate.locate.posterior import log_posterior
from dateline.evaluate.locate.prior import choose_prior
from dateline.evaluate.locate.prompts import check_countries, default_countries, told_fields, training_counts
from dateline.evaluate.protocol import Tokens
from dateline.evaluate.subject import Dtype, subject_fingerprint
from dateline.evaluate.table import SCORES, write_scores
from dateline.manifest import Manifest, check_free, new_folder, require_manifest, write_manifest
from dateline.progress import progress
from dateline.statistics import RESAMPLES
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import load_tokenizer

STAGE = "locate"
BASELINE = "tfidf"
TEXT, MASKED = "text", "names masked"
POSTERIORS, CONFUSION, RELIABILITY = "posteriors.parquet", "confusion.parquet", "reliability.parquet"


def locate_plan(
    model_folder: Path,
    corpus_folder: Path,
    *,
    run: str,
    countries: Sequence[str] = (),
    fields: Sequence[Field] | None = None,
    outlets: int = 0,
    prior: str = "corpus",
    window: int | None = None,
    num_tokens: int | None = NUM_TOKENS,
    num_documents: int | None = None,
    per_country: int | None = None,
    baseline: bool = True,
    dtype: Dtype = "float32",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the recipe and parents that decide whether a result is up to date, without scoring anything.

    Arguments are those of `evaluate_locating`.

    Raises:
        UserError: where a folder is missing, the model was told no place, or a name is not known.
    """
    if not run or run == BASELINE:
        raise UserError(f"--run '{run}': the run needs a name other than '{BASELINE}'")
    manifest = require_manifest(corpus_folder, "encode", "dateline encode CORPUS --out DIR")
    corpus = EncodedCorpus.open(corpus_folder)
    codes = check_countries(countries or default_countries(corpus))
    told = tuple(fields) if fields is not None else told_fields(model_folder)
    shares = choose_prior(prior, codes, training_counts(corpus))
    recipe = {
        "run": run,
        "countries": codes,
        "fields": list(make_prompts(told, codes, outlets, corpus).fields),
        "outlets": outlets,
        "prior": dict(zip(codes, shares.tolist(), strict=True)),
        "window": window,
        "tokens": num_tokens,
        "documents": num_documents,
        "per_country": per_country,
        "baseline": {name: str(value) for name, value in SETTINGS.items()} if baseline else None,
        "dtype": dtype,
        "resamples": resamples,
        "seed": seed,
    }
    return recipe, {"model": subject_fingerprint(model_folder), "corpus": manifest.fingerprint}


def evaluate_locating(
    model_folder: Path,
    corpus_folder: Path,
    *,
    run: str,
    out: Path,
    countries: Sequence[str] = (),
    fields: Sequence[Field] | None = None,
    outlets: int = 0,
    prior: str = "corpus",
    window: int | None = None,
    num_tokens: int | None = NUM_TOKENS,
    num_documents: int | None = None,
    per_country: int | None = None,
    baseline: bool = True,
    batch_tokens: int = BATCH_TOKENS,
    device: str = "auto",
    dtype: Dtype = "float32",
    resamples: int = RESAMPLES,
    seed: int = 0,
    overwrite: bool = False,
) -> Manifest:
    """Locates the test split of a corpus and writes how well that went to `out`.

    Args:
        model_folder: a conditioned model: the output of `dateline train`, or a Hugging Face folder.
        corpus_folder: the output of `dateline encode`; its training split gives places, prior and baseline.
        run: the model's name in the tables.
        out: the folder to make.
        countries: among which documents are located; empty for those of the training split.
        fields: of the prefix; None for those that the model was trained with.
        outlets: sum over at most this many training outlets of each country; 0 for one prefix a country.
        prior: `corpus`, `uniform`, or what `choose_prior` reads.
        window: tokens of a segment; None for 2,048, or what the model can read where that is less.
        num_tokens: tokens from the start of each document that model and baseline read; None for all.
        num_documents: size of the sample; None for the whole test split.
        per_country: at most this many documents of each country.
        baseline: train and test TF-IDF with logistic regression as well.
        batch_tokens: padded tokens in a batch.
        device: `auto`, `cpu`, `cuda`.
        dtype: of weights and computation.
        resamples: of the bootstrap over documents.
        seed: of sample and bootstrap.
        overwrite: replace what stands at `out`.

    Raises:
        UserError: where something is missing or does not fit together, or a loss is not finite.
    """
    started = time.monotonic()
    check_free(out, overwrite=overwrite, stage=STAGE)
    recipe, parents = locate_plan(
        model_folder, corpus_folder, run=run, countries=countries, fields=fields, outlets=outlets, prior=prior,
        window=window, num_tokens=num_tokens, num_documents=num_documents, per_country=per_country, baseline=baseline,
        dtype=dtype, resamples=resamples, seed=seed,
    )  # fmt: skip
    corpus = EncodedCorpus.open(corpus_folder)
    locator = open_locator(
        model_folder, recipe["countries"], fields=fields, outlets=outlets, corpus=corpus, window=window,
        num_tokens=num_tokens, batch_tokens=batch_tokens, device=device, dtype=dtype,
    )  # fmt: skip
    sampling = {"num_documents": num_documents, "per_group": per_country, "group": "country", "seed": seed}
    protocol = type(locator.protocol).model_validate({**locator.protocol.model_dump(), **sampling})
    documents = take_documents(corpus, protocol, locator.subject)
    cases, bodies, drops = _cases(documents, locator, corpus)
    texts = {TEXT: _decoded(corpus, cases.ids)}
    names = with_domains(sorted({str(domain) for domain in corpus.domains}))
    texts[MASKED] = [mask_names(text, names) for text in texts[TEXT]]
    read = {TEXT: bodies, MASKED: locator.subject.encode(texts[MASKED])}
    shares = np.array(list(recipe["prior"].values()))
    prompt_texts = locator.prompts.texts(locator.subject)

    several: list[Guesses] = []
    for condition, own in read.items():
        with progress(f"locate {condition}", len(own), "documents") as advance:
            nll = locator.nll(own, [f"document {name}" for name in cases.ids], advance)
        counts = np.array([len(locator.read(body)) for body in own], dtype=np.int64)
        several.append(Guesses(run, condition, log_posterior(nll, shares), counts, cases))
    facts: dict[str, Any] = {}
    if baseline:
        for condition, own in read.items():
            seen = texts[condition] if num_tokens is None else _shortened(locator, own)
            with progress(f"train TF-IDF, {condition}", 1, "models") as advance:
                placed = _place_by_words(corpus, condition, seen, cases.codes, shares, names)
                advance()
            facts[condition] = placed.facts
            several.append(Guesses(BASELINE, condition, placed.log_probabilities, np.zeros(len(own), np.int64), cases))

    sign = f"{STAGE}-{fingerprint({'protocol': protocol.fingerprint(), 'tokens': num_tokens, 'neutral': NEUTRAL})[:8]}"
    shared = {"protocol": sign, "corpus": parents["corpus"]}
    about = {
        run: {**shared, "model": parents["model"], "fields": "+".join(locator.prompts.fields)},
        BASELINE: {**shared, "model": BASELINE},
    }
    by_name = {guesses.name: guesses for guesses in several}
    pairs = [(f"{run}/{MASKED}", f"{run}/{TEXT}")]
    if baseline:
        pairs = [(f"{run}/{name}", f"{BASELINE}/{name}") for name in (TEXT, MASKED)] + pairs
    scores = [score for one in several for score in level_scores(one, about[one.run], resamples, seed)]
    scores += difference_scores([(by_name[a], by_name[b]) for a, b in pairs], about, resamples, seed)

    with new_folder(out, overwrite=overwrite, stage=STAGE) as folder:
        write_scores(folder / SCORES, scores)
        pq.write_table(posterior_table(several), folder / POSTERIORS, compression="zstd")
        pq.write_table(confusion_table(several), folder / CONFUSION, compression="zstd")
        pq.write_table(reliability_table(several), folder / RELIABILITY, compression="zstd")
        empty = [code for number, code in enumerate(cases.codes) if not (cases.truth == number).any()]
        manifest = Manifest.of(
            STAGE,
            recipe,
            parents,
            counts={"in": len(cases.ids) + sum(drops.values()), "kept": len(cases.ids)},
            drops=drops,
            facts={
                "places": cases.codes,
                "without_documents": empty,
                "protocol": sign,
                "window": protocol.window,
                "prompts": dict(zip(prompt_texts, locator.prompts.weights.tolist(), strict=True)),
                "baseline": facts,
                "device": str(locator.subject.model.device),
                "seconds": round(time.monotonic() - started, 1),
            },
            packages=("torch", "transformers", "numpy", *(("scikit-learn",) if baseline else ())),
        )
        write_manifest(folder, manifest)
    return manifest


def _cases(documents: Documents, locator: Locator, corpus: EncodedCorpus) -> tuple[Cases, list[Tokens], dict[str, int]]:
    """Returns the documents whose country is among the places, their bodies, and what was dropped."""
    codes = locator.prompts.countries
    kept = [number for number, place in enumerate(documents.metadata) if place.country in codes]
    if not kept:
        raise UserError(f"{corpus.folder}: no test document is from any of {', '.join(codes)}; name other --countries")
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


def _decoded(corpus: EncodedCorpus, ids: Sequence[str]) -> list[str]:
    position = {name: index for index, name in enumerate(corpus.ids)}
    return _texts(corpus, [position[name] for name in ids])


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
    corpus: EncodedCorpus, condition: str, texts: Sequence[str], codes: Sequence[str], prior: Any, names: Any
) -> Placed:
    train = [int(index) for index in corpus.select("train")]
    train_texts = _texts(corpus, train)
    if condition == MASKED:
        train_texts = [mask_names(text, names) for text in train_texts]
    return place_by_words(train_texts, [str(corpus.countries[index]) for index in train], texts, codes, prior)
