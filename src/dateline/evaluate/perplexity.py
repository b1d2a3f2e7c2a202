"""How well a model predicts each document when told the truth, nothing, or a lie about its origin.

Enters: a model folder, an encoded corpus, a protocol, names of conditions. Leaves: a folder with `documents.parquet`
(nll of every document under every condition), `scores.parquet` (averages with intervals) and a manifest.
Deliberately not done: no loss on BOS, prefix or EOS; no comparison between runs (see `table.differences`); no change of
the corpus: a model with another tokenizer gets the same bytes, decoded and encoded again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dateline.conditions import Conditioner, Field, parse_condition
from dateline.errors import UserError
from dateline.evaluate.documents import check_tokens, count_unknown, encode_prefixes, scored_bytes, take_documents
from dateline.evaluate.protocol import Protocol, Tokens
from dateline.evaluate.statistics import RESAMPLES, Estimate, ratio_estimate, resampled_sums
from dateline.evaluate.subject import Dtype, Subject, load_subject, subject_fingerprint, trained_fields
from dateline.evaluate.table import DOCUMENT_SCHEMA, DOCUMENTS, SCORES, groups, write_scores
from dateline.manifest import Manifest, check_free, new_folder, require_manifest, write_manifest
from dateline.progress import progress
from dateline.records import Score
from dateline.tokens.store import EncodedCorpus

STAGE = "perplexity"
BATCH_TOKENS = 8_192
GROUPINGS = ("continent", "country", "domain")

Columns = dict[str, npt.NDArray[Any]]


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
    if not names:
        raise UserError("no conditions to score under; give at least one of gold, none, wrong, swap:<country>")
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
        conditions: `gold`, `none`, `wrong`, `swap:<country>`.
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
    documents = take_documents(EncodedCorpus.open(corpus_folder), protocol, subject)
    prefixes: dict[str, list[Tokens]] = {}
    for name in recipe["conditions"]:
        condition = parse_condition(name, recipe["fields"])
        conditioner = Conditioner(condition, seed=protocol.seed, pool=documents.metadata)
        prefixes[name] = encode_prefixes(subject, conditioner, documents)
    check_tokens(protocol, subject, documents, prefixes)

    tables: dict[str, Columns] = {}
    for name, heads in prefixes.items():
        nll = _score(subject, protocol, heads, documents.bodies, name, batch_tokens, dtype)
        _check_finite(nll, documents.ids, run, name, dtype)
        pairs = zip(heads, documents.bodies, strict=True)
        counts = np.array([protocol.num_scored(len(head), len(body)) for head, body in pairs], dtype=np.int64)
        tables[name] = {"nll": nll, "num_tokens": counts, "num_bytes": scored_bytes(subject, documents, counts)}
    places: Columns = {"id": np.array(documents.ids, dtype=np.str_)}
    for grouping in GROUPINGS:
        places[grouping] = np.array([getattr(place, grouping) for place in documents.metadata], dtype=np.str_)
    origin = {"run": run, "protocol": protocol.fingerprint(), **parents}
    scores = _levels(tables, places, origin, by, resamples, seed)

    seconds = time.monotonic() - started
    scored = sum(int(columns["num_tokens"].sum()) for columns in tables.values())
    with new_folder(out, overwrite=overwrite) as folder:
        pq.write_table(_rows(tables, places, origin), folder / DOCUMENTS, compression="zstd")
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
) -> npt.NDArray[np.float64]:
    """Returns the summed nll of each document's scored tokens in nats, shape [documents]."""
    from dateline.model.scoring import score_segments

    owners, segments = [], []
    for position, (prefix, body) in enumerate(zip(prefixes, bodies, strict=True)):
        for segment in protocol.segments(subject.bos, prefix, body):
            owners.append(position)
            segments.append(segment)
    with progress(f"score {condition}", len(segments), "segments") as advance:
        nll = score_segments(subject.model, segments, batch_tokens=batch_tokens, dtype=dtype, advance=advance)
    totals = np.zeros(len(bodies))
    np.add.at(totals, owners, nll)
    return totals


def _check_finite(nll: npt.NDArray[np.float64], ids: Sequence[str], run: str, condition: str, dtype: str) -> None:
    bad = np.flatnonzero(~np.isfinite(nll))
    if len(bad):
        hint = "use float32" if dtype != "float32" else "the checkpoint holds broken weights"
        raise UserError(
            f"run '{run}': the nll of document {ids[int(bad[0])]} under '{condition}' is {nll[bad[0]]} "
            f"({len(bad)} of {len(nll)} documents); {hint}"
        )


def _levels(
    tables: Mapping[str, Columns],
    places: Columns,
    origin: Mapping[str, str],
    by: Sequence[str],
    resamples: int,
    seed: int,
) -> list[Score]:
    """Averages every condition over every group; all conditions of a group share their resamples."""
    scores = []
    names = ("nll", "num_tokens", "num_bytes")
    for grouping, group, members in groups(places, by):
        columns = np.column_stack([table[name][members] for table in tables.values() for name in names])
        sums = resampled_sums(columns.astype(np.float64), resamples=resamples, seed=seed)
        for position, (condition, table) in enumerate(tables.items()):
            over = position * len(names)
            nll = ratio_estimate(columns, sums, over, over + 1)
            bits = ratio_estimate(columns, sums, over, over + 2)
            metrics = {
                "nll": nll,
                "ppl": Estimate(*(_exp(part) for part in nll[:3])),
                "bits_per_byte": Estimate(*(part / math.log(2) for part in bits[:3])),
            }
            num_tokens = int(table["num_tokens"][members].sum())
            for metric, (value, low, high, _) in metrics.items():
                scores.append(
                    Score(
                        run=origin["run"],
                        condition=condition,
                        grouping=grouping,
                        group=group,
                        metric=metric,
                        value=value,
                        ci_low=low,
                        ci_high=high,
                        num_documents=len(members),
                        num_tokens=num_tokens,
                        protocol=origin["protocol"],
                        model=origin["model"],
                        corpus=origin["corpus"],
                    )
                )
    return scores


def _rows(tables: Mapping[str, Columns], places: Columns, origin: Mapping[str, str]) -> pa.Table:
    parts = []
    for condition, table in tables.items():
        fixed = {**origin, "condition": condition}
        columns = {**{name: [value] * len(places["id"]) for name, value in fixed.items()}, **places, **table}
        parts.append(pa.table({name: columns[name] for name in DOCUMENT_SCHEMA.names}, schema=DOCUMENT_SCHEMA))
    return pa.concat_tables(parts)


def _exp(value: float) -> float:
    return math.inf if value >= 700 else math.exp(value)
