"""One evaluation from its arguments to its folder: sample, prefixes, losses, averages.

Enters: a model folder, an encoded corpus, a protocol, names of conditions. Leaves: a folder with `documents.parquet`
(nll of every document under every condition), `parts.parquet` (the same by part of the document), `scores.parquet`
(averages with intervals) and a manifest.
Deliberately not done: no loss on BOS, prefix or EOS; no comparison between runs (see `comparisons.differences`); no
change of the corpus: a model with another tokenizer gets the same bytes, decoded and encoded again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from dateline.conditions import Conditioner, Field, expand_conditions, parse_condition
from dateline.errors import UserError
from dateline.evaluate.documents import check_tokens, count_unknown, encode_prefixes, scored_bytes, take_documents
from dateline.evaluate.perplexity.averages import (
    PARTS,
    Columns,
    Origin,
    Scored,
    document_table,
    leak_scores,
    levels,
    part_table,
    without_bytes,
)
from dateline.evaluate.perplexity.leak import METRIC, count_leaks, leaks
from dateline.evaluate.perplexity.marginal import marginal, prior_of, with_swaps
from dateline.evaluate.perplexity.parts import find_title, sum_parts
from dateline.evaluate.protocol import Protocol, Tokens
from dateline.evaluate.subject import (
    Dtype,
    Subject,
    known_fields,
    load_subject,
    subject_fingerprint,
    trained_fields,
)
from dateline.evaluate.table import DOCUMENTS, SCORES, write_scores
from dateline.manifest import Manifest, check_free, new_folder, require_manifest, write_manifest
from dateline.progress import progress
from dateline.statistics import RESAMPLES
from dateline.tokens.store import EncodedCorpus

STAGE = "perplexity"
BATCH_TOKENS = 8_192
GROUPINGS = ("continent", "country", "domain")


def perplexity_plan(
    model_folder: Path,
    corpus_folder: Path,
    *,
    protocol: Protocol,
    conditions: Sequence[str],
    by: Sequence[str],
    run: str,
    dtype: Dtype = "float32",
    resamples: int = RESAMPLES,
    seed: int = 0,
    fields: Sequence[Field] | None = None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the recipe and parents that decide whether an evaluation is up to date, without scoring anything.

    Raises:
        UserError: where a folder is missing, or a name is not known.
    """
    shown = tuple(fields) if fields is not None else trained_fields(model_folder)
    names = [parse_condition(name, shown).name for name in conditions]
    _check_names("conditions", names)
    _check_names("by", by)
    unknown = [name for name in by if name not in GROUPINGS]
    if unknown:
        raise UserError(f"cannot group by '{unknown[0]}'; known are {', '.join(GROUPINGS)}")
    if resamples < 2:
        raise UserError(f"resamples {resamples}: an interval needs two or more, and some thousand to be steady")
    if not names:
        raise UserError("no conditions to score under; give at least one, such as gold or none")
    if not run:
        raise UserError("the run has no name; give --run")
    recipe = {
        "run": run,
        "protocol": protocol.model_dump(mode="json"),
        "conditions": names,
        "fields": list(shown),
        "by": list(by),
        "dtype": dtype,
        "resamples": resamples,
        "seed": seed,
    }
    if protocol.name == "paper" and any(name.startswith("marginal:") for name in names):
        raise UserError(
            "condition 'marginal' sums over places on the same tokens, which 'paper' does not score; use strict"
        )
    corpus = require_manifest(corpus_folder, "encode", "dateline encode CORPUS --out DIR")
    return recipe, {"model": subject_fingerprint(model_folder), "corpus": corpus.fingerprint}


def evaluate_perplexity(
    model_folder: Path,
    corpus_folder: Path,
    *,
    protocol: Protocol,
    conditions: Sequence[str],
    by: Sequence[str],
    run: str,
    out: Path,
    batch_tokens: int = BATCH_TOKENS,
    device: str = "auto",
    dtype: Dtype = "float32",
    resamples: int = RESAMPLES,
    seed: int = 0,
    overwrite: bool = False,
    fields: Sequence[Field] | None = None,
) -> Manifest:
    """Scores a model on a corpus under several conditions and writes the result to `out`.

    Args:
        model_folder: a Hugging Face folder of a causal language model, or the output of `dateline train`.
        corpus_folder: the output of `dateline encode`.
        protocol: which documents and tokens count.
        conditions: names that `conditions.parse_condition` knows.
        by: groupings besides `all`: `continent`, `country`, `domain`.
        run: the model's name in the tables.
        out: the folder to make.
        batch_tokens: tokens of a batch, padding included; changes speed and memory, scores by less than 1e-4 nats.
        device: `auto`, `cpu`, `cuda`.
        dtype: of weights and computation; `float32` for numbers to publish.
        resamples: of the bootstrap over documents.
        seed: of the bootstrap; sample and counterfactual places take the protocol's.
        overwrite: replace what stands at `out`.
        fields: what the prefix shows; None for what the model was trained with.

    Raises:
        UserError: where folders, protocol, tokenizer and model do not fit together, or where a loss is not finite.
    """
    started = time.monotonic()
    check_free(out, overwrite=overwrite, stage="perplexity")
    recipe, parents = perplexity_plan(
        model_folder, corpus_folder, protocol=protocol, conditions=conditions, by=by, run=run,
        dtype=dtype, resamples=resamples, seed=seed, fields=fields,
    )  # fmt: skip
    subject = load_subject(model_folder, device=device, dtype=dtype)
    protocol.check_positions(subject.positions, str(subject.folder))
    corpus = EncodedCorpus.open(corpus_folder)
    documents = take_documents(corpus, protocol, subject)
    asked = [parse_condition(name, recipe["fields"]) for name in recipe["conditions"]]
    asked = expand_conditions(asked, [place.country for place in documents.metadata])
    conditioners = {
        condition.name: Conditioner(
            condition, seed=protocol.seed, pool=documents.metadata, prefix_format=subject.prefix_format
        )
        for condition in with_swaps(asked, documents.metadata)
    }
    prefixes = {name: encode_prefixes(subject, conditioner, documents) for name, conditioner in conditioners.items()}
    check_tokens(protocol, subject, documents, prefixes)

    titles = [find_title(subject.tokenizer, body) for body in documents.bodies]
    found: dict[str, Scored] = {}
    for name, heads in prefixes.items():
        losses = _score(subject, protocol, heads, documents.bodies, name, batch_tokens, dtype)
        nll = np.array([part.sum(dtype=np.float64) for part in losses])
        _check_finite(nll, documents.ids, run, name, dtype)
        counts = np.array([len(part) for part in losses], dtype=np.int64)
        parts = (None, None) if name.startswith("swap:") else sum_parts(losses, titles)
        shown = conditioners[name].shown()
        found[name] = Scored("+".join(shown), nll, counts, scored_bytes(subject, documents, counts), *parts)
    for condition in asked:
        if condition.transform == "marginal":
            found[condition.name] = marginal(condition, found, prior_of(condition, corpus, documents.metadata))
    tables = {condition.name: found[condition.name] for condition in asked}
    places: Columns = {"id": np.array(documents.ids, dtype=np.str_)}
    for grouping in GROUPINGS:
        places[grouping] = np.array([getattr(place, grouping) for place in documents.metadata], dtype=np.str_)
    origin = Origin(run, protocol.fingerprint(), **parents)
    scores = levels(tables, places, origin, by, resamples, seed)
    words = count_leaks([title.text for title in titles], [place.url for place in documents.metadata])
    scores += leak_scores(words, places, origin, by, resamples, seed)

    seconds = time.monotonic() - started
    scored = sum(int(table.num_tokens.sum()) for table in found.values())
    with new_folder(out, overwrite=overwrite) as folder:
        pq.write_table(document_table(tables, places, origin), folder / DOCUMENTS, compression="zstd")
        pq.write_table(part_table(tables, places, origin), folder / PARTS, compression="zstd")
        write_scores(folder / SCORES, scores)
        manifest = Manifest.of(
            STAGE,
            recipe,
            parents,
            counts={
                "in": len(documents.ids) + sum(documents.drops.values()),
                "kept": len(documents.ids),
                "scored_tokens": scored,
            },
            drops=documents.drops,
            facts={
                "protocol": protocol.fingerprint(),
                "ppl": {s.condition: round(s.value, 4) for s in scores if s.grouping == "all" and s.metric == "ppl"},
                "tokenizer": "the model's own, on the same bytes" if documents.retokenized else "the corpus's",
                "title_in_url": next((s.value for s in scores if s.metric == METRIC and s.grouping == "all"), None),
                "leaks": sorted(name for name, table in tables.items() if leaks(table.fields)),
                "unseen_fields": _unseen(known_fields(model_folder), tables),
                "swaps_without_outlet": [
                    name for name, one in conditioners.items() if len(one.shown()) < len(one.condition.fields)
                ],
                "lossy_documents": without_bytes(tables),
                "unknown_tokens": count_unknown(subject, documents),
                "longest_prefix": {name: max(map(len, heads)) for name, heads in prefixes.items()},
                "parameters": int(sum(p.numel() for p in subject.model.parameters())),
                "device": str(subject.model.device),
                "batch_tokens": batch_tokens,
                "seconds": round(seconds, 1),
                "tokens_per_second": round(scored / max(seconds, 1e-9)),
            },
            packages=("torch", "transformers", "numpy"),
        )
        write_manifest(folder, manifest)
    return manifest


def _unseen(trained: tuple[Field, ...] | None, tables: dict[str, Scored]) -> dict[str, list[str]]:
    """Returns, by condition, the fields that its prefix shows and the model was not trained with, if that is known."""
    if trained is None:
        return {}
    strange = {name: sorted(set(table.fields.split("+")) - {"", *trained}) for name, table in tables.items()}
    return {name: fields for name, fields in strange.items() if fields}


def _check_names(what: str, names: Sequence[str]) -> None:
    twice = [name for position, name in enumerate(names) if name in names[:position]]
    if twice:
        raise UserError(f"{what} names '{twice[0]}' twice; keep one")


def _score(
    subject: Subject,
    protocol: Protocol,
    prefixes: Sequence[Tokens],
    bodies: Sequence[Tokens],
    condition: str,
    batch_tokens: int,
    dtype: Dtype,
) -> list[npt.NDArray[np.float32]]:
    """Returns the losses of each document's scored tokens in nats, in the order of the body."""
    from dateline.model.scoring import score_tokens

    owners, segments = [], []
    for position, (prefix, body) in enumerate(zip(prefixes, bodies, strict=True)):
        for segment in protocol.segments(subject.bos, prefix, body):
            owners.append(position)
            segments.append(segment)
    with progress(f"score {condition}", len(segments), "segments") as advance:
        losses = score_tokens(subject.model, segments, batch_tokens=batch_tokens, dtype=dtype, advance=advance)
    chunks: list[list[npt.NDArray[np.float32]]] = [[] for _ in bodies]
    for owner, chunk in zip(owners, losses, strict=True):
        chunks[owner].append(chunk)
    return [np.concatenate(several) for several in chunks]


def _check_finite(nll: npt.NDArray[np.float64], ids: Sequence[str], run: str, condition: str, dtype: str) -> None:
    bad = np.flatnonzero(~np.isfinite(nll))
    if len(bad):
        hint = "use float32" if dtype != "float32" else "the checkpoint holds broken weights"
        raise UserError(
            f"run '{run}': the nll of document {ids[int(bad[0])]} under '{condition}' is {nll[bad[0]]} "
            f"({len(bad)} of {len(nll)} documents); {hint}"
        )
