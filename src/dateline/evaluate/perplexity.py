"""Perplexity: nats a body token under several conditions, by place and by part of the document, with intervals."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dateline.conditions import (
    Condition,
    Conditioner,
    Field,
    Metadata,
    expand_conditions,
    parse_condition,
    swaps,
)
from dateline.errors import UserError
from dateline.evaluate.documents import check_tokens, count_unknown, encode_prefixes, scored_bytes, take_documents
from dateline.evaluate.losses import score_conditions
from dateline.evaluate.parts import PARTS, TITLE_IN_URL, count_leaks, find_title, leaks, sum_parts
from dateline.evaluate.recipe import Perplexity
from dateline.manifest import require_manifest
from dateline.model.load import known_fields, load_subject, model_fingerprint, trained_fields
from dateline.scores import LOSSES_SCHEMA, Score, slices, where, write_losses, write_scores
from dateline.stage import Made, Stage
from dateline.statistics import Estimate, ratio_estimate, resampled_sums
from dateline.tokens.store import EncodedCorpus

STAGE = "perplexity"
GROUPINGS: tuple[str, ...] = ("continent", "country", "domain")
UNITS = {"nll": "nats/token", "ppl": "perplexity", "bits_per_byte": "bits/byte", TITLE_IN_URL: "share"}

Columns = dict[str, npt.NDArray[Any]]
Parts = dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]]
"""Condition -> nats and tokens of one part in each of some documents."""


class Scored(NamedTuple):
    """One condition's losses; all arrays have one entry a document."""

    shown: str
    """Fields that the prefix showed, joined by `+`."""
    nll: npt.NDArray[np.float64]
    num_tokens: npt.NDArray[np.int64]
    num_bytes: npt.NDArray[np.int64]
    """Of the scored text; 0 where the tokens do not give the text back."""
    part_nll: npt.NDArray[np.float64] | None = None
    """Nats by part, shape [documents, len(PARTS)]; None where the condition has no losses of single tokens."""
    part_tokens: npt.NDArray[np.int64] | None = None


class Origin(NamedTuple):
    """What is the same in every row of an evaluation."""

    run: str
    protocol: str
    model: str
    data: str


def perplexity_stage(model: Path, options: Perplexity, run: str) -> Stage:
    """Returns the stage that scores a model on a corpus: `scores.parquet` and `losses.parquet`.

    Args:
        model: a Hugging Face folder of a causal language model, or the output of `dateline train`.
        options: which corpus, conditions, slices and protocol.
        run: the model's name in the tables.

    Raises:
        UserError: where a folder is missing, or a name is not known.

    Example:
        >>> options = Perplexity(corpus="runs/encoded", conditions=("gold", "none"))
        >>> perplexity_stage(Path("runs/first"), options, "first").make(Path("runs/scores"))
    """
    shown = options.fields if options.fields is not None else trained_fields(model)
    names = [parse_condition(name, shown).name for name in options.conditions]
    for what, several in (("conditions", names), ("by", options.by)):
        if twice := [name for position, name in enumerate(several) if name in several[:position]]:
            raise UserError(f"{what} names '{twice[0]}' twice; keep one")
    if not names:
        raise UserError("no conditions to score under; give at least one, such as gold or none")
    if not run:
        raise UserError("the run has no name; give --run")
    if options.protocol.name == "paper" and any(name.startswith("marginal:") for name in names):
        raise UserError(
            "condition 'marginal' sums over places on the same tokens, which 'paper' does not score; use strict"
        )
    corpus = require_manifest(Path(options.corpus), "encode", "dateline encode CORPUS --out DIR")
    recipe = {**options.identity(), "run": run, "conditions": names, "fields": list(shown)}
    parents = {"model": model_fingerprint(model), "corpus": corpus.fingerprint}
    origin = Origin(run, options.protocol.fingerprint(), parents["model"], parents["corpus"])
    return Stage(STAGE, recipe, parents, lambda folder: _score(model, options, shown, origin, folder))


def _score(model: Path, options: Perplexity, shown: Sequence[Field], origin: Origin, folder: Path) -> Made:
    """Scores every condition and writes the tables into a folder."""
    started = time.monotonic()
    protocol = options.protocol
    subject = load_subject(model, device=options.device, precision=options.precision)
    protocol.check_positions(subject.positions, str(subject.folder))
    corpus = EncodedCorpus.open(options.corpus)
    documents = take_documents(corpus, protocol, subject)
    asked = [parse_condition(name, shown) for name in options.conditions]
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
    for name, one in score_conditions(subject, documents, prefixes, options, origin.run):
        parts = (None, None) if name.startswith("swap:") else sum_parts(one.losses, titles)
        fields = "+".join(conditioners[name].shown())
        num_bytes = scored_bytes(subject, documents, one.num_tokens)
        found[name] = Scored(fields, one.nll, one.num_tokens, num_bytes, *parts)
    for condition in asked:
        if condition.transform == "marginal":
            found[condition.name] = marginal(condition, found, prior_of(condition, corpus, documents.metadata))
    tables = {condition.name: found[condition.name] for condition in asked}
    places: Columns = {"id": np.array(documents.ids, dtype=np.str_)}
    for grouping in GROUPINGS:
        places[grouping] = np.array([getattr(place, grouping) for place in documents.metadata], dtype=np.str_)
    scores = levels(tables, places, origin, options.by, options.resamples, options.seed)
    words = count_leaks([title.text for title in titles], [place.url for place in documents.metadata])
    scores += leak_scores(words, places, origin, options.by, options.resamples, options.seed)
    write_losses(folder, loss_table(tables, places, origin))
    write_scores(folder, scores)

    seconds = time.monotonic() - started
    scored = sum(int(table.num_tokens.sum()) for table in found.values())
    return Made(
        counts={
            "in": len(documents.ids) + sum(documents.drops.values()),
            "kept": len(documents.ids),
            "scored_tokens": scored,
        },
        drops=documents.drops,
        facts={
            "protocol": protocol.fingerprint(),
            "ppl": {s.condition: round(s.value, 4) for s in scores if s.slice_by == "all" and s.metric == "ppl"},
            "tokenizer": "the model's own, on the same bytes" if documents.retokenized else "the corpus's",
            "title_in_url": next((s.value for s in scores if s.metric == TITLE_IN_URL and s.slice_by == "all"), None),
            "leaks": sorted(name for name, table in tables.items() if leaks(table.shown)),
            "unseen_fields": _unseen(known_fields(model), tables),
            "swaps_without_outlet": [
                name for name, one in conditioners.items() if len(one.shown()) < len(one.condition.fields)
            ],
            "lossy_documents": without_bytes(tables),
            "unknown_tokens": count_unknown(subject, documents),
            "longest_prefix": {name: max(map(len, heads)) for name, heads in prefixes.items()},
            "parameters": int(sum(p.numel() for p in subject.model.parameters())),
            "device": str(subject.model.device),
            "batch_tokens": options.batch_tokens,
            "seconds": round(seconds, 1),
            "tokens_per_second": round(scored / max(seconds, 1e-9)),
        },
        packages=("torch", "transformers", "numpy"),
    )


def _unseen(trained: tuple[Field, ...] | None, tables: Mapping[str, Scored]) -> dict[str, list[str]]:
    """Returns, by condition, the fields that its prefix shows and the model was not trained with, if that is known."""
    if trained is None:
        return {}
    strange = {name: sorted(set(table.shown.split("+")) - {"", *trained}) for name, table in tables.items()}
    return {name: fields for name, fields in strange.items() if fields}


def with_swaps(conditions: Sequence[Condition], metadata: Sequence[Metadata]) -> list[Condition]:
    """Returns the conditions that have to be scored: those asked for, with the swaps that a marginal one sums over.

    Args:
        conditions: expanded ones.
        metadata: of the documents; their countries are the places that are summed over.

    Raises:
        UserError: where no document has a country.
    """
    result = {condition.name: condition for condition in conditions if condition.transform != "marginal"}
    for condition in conditions:
        if condition.transform == "marginal":
            codes = countries_of(metadata)
            if not codes:
                raise UserError(f"condition '{condition.name}': no document has a known country; leave it out")
            result.update({one.name: one for one in swaps(condition.fields, codes) if one.name not in result})
    return list(result.values())


def countries_of(metadata: Sequence[Metadata]) -> list[str]:
    """Returns the countries of some documents, sorted, unknown ones left out."""
    return sorted({place.country for place in metadata} - {""})


def prior_of(condition: Condition, corpus: EncodedCorpus, metadata: Sequence[Metadata]) -> dict[str, float]:
    """Returns how probable each country is before the text is read.

    `corpus` is the share of the training documents; countries without any have probability zero.

    Raises:
        UserError: where no training document is from any of the countries.
    """
    codes = countries_of(metadata)
    if condition.prior == "uniform":
        return dict.fromkeys(codes, 1 / len(codes))
    counts = Counter(str(corpus.countries[index]) for index in corpus.select("train"))
    total = sum(counts[code] for code in codes)
    if not total:
        raise UserError(
            f"condition '{condition.name}': {corpus.folder} has no training documents from {', '.join(codes)}; "
            "use marginal:uniform"
        )
    return {code: counts[code] / total for code in codes}


def marginal(condition: Condition, swapped: Mapping[str, Scored], prior: Mapping[str, float]) -> Scored:
    """Returns -log p(text) of each document under the mixture, in nats.

    Args:
        condition: the marginal one.
        swapped: losses by condition name, every `swap:<country>` of the prior among them.
        prior: country -> probability.
    """
    known = {code: share for code, share in prior.items() if share > 0}
    terms = np.array([math.log(share) - swapped[f"swap:{code}"].nll for code, share in known.items()])
    one = next(swapped[f"swap:{code}"] for code in known)
    return Scored("+".join(condition.fields), -np.logaddexp.reduce(terms, axis=0), one.num_tokens, one.num_bytes)


def levels(
    tables: Mapping[str, Scored], places: Columns, origin: Origin, by: Sequence[str], resamples: int, seed: int
) -> list[Score]:
    """Averages every condition over every slice and part; all conditions of a slice share their resamples.

    There are no bits per byte where some document's bytes were not scored (`without_bytes`).
    """
    scores = []
    has_bytes = not without_bytes(tables)
    for slice_by, name, members in slices(places, by):
        columns = np.column_stack(
            [column[members] for t in tables.values() for column in (t.nll, t.num_tokens, t.num_bytes)]
        ).astype(np.float64)
        sums = resampled_sums(columns, resamples=resamples, seed=seed)
        for position, (condition, table) in enumerate(tables.items()):
            over = position * 3
            nll = ratio_estimate(columns, sums, over, over + 1)
            metrics = _nll_and_ppl(nll)
            if has_bytes:
                bits = ratio_estimate(columns, sums, over, over + 2)
                metrics["bits_per_byte"] = Estimate(*(part / math.log(2) for part in bits[:3]))
            about = {"condition": condition, "shown": table.shown, "n_tokens": int(columns[:, over + 1].sum())}
            scores += _rows(metrics, origin, slice_by, name, places, members, about)
    for (slice_by, name), members, parts in _by_part(tables):
        columns = np.column_stack([column for pair in parts.values() for column in pair]).astype(np.float64)
        sums = resampled_sums(columns, resamples=resamples, seed=seed)
        for position, (condition, (_, tokens)) in enumerate(parts.items()):
            nll = ratio_estimate(columns, sums, 2 * position, 2 * position + 1)
            about = {"condition": condition, "shown": tables[condition].shown, "n_tokens": int(tokens.sum())}
            scores += _rows(_nll_and_ppl(nll), origin, slice_by, name, places, members, about)
    return scores


def loss_levels(losses: pa.Table, by: Sequence[str], *, resamples: int, seed: int = 0) -> list[Score]:
    """Averages the losses of one run over further slices of whole documents.

    Args:
        losses: of one run, as `read_losses` gives them, with a column for each of `by`.
        by: slices.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        The metrics of `levels` under every condition, without those over all documents.
    """
    whole = where(losses, slice_by="all")
    tables: dict[str, Scored] = {}
    columns: Columns = {}
    for condition in dict.fromkeys(map(str, whole["condition"].to_pylist())):
        one = where(whole, condition=condition)
        columns = {name: one[name].to_numpy() for name in one.column_names}
        tables[condition] = Scored(columns["shown"][0], columns["nll"], columns["n_tokens"], columns["n_bytes"])
    origin = Origin(*(str(columns[name][0]) for name in Origin._fields))
    return [score for score in levels(tables, columns, origin, by, resamples, seed) if score.slice_by != "all"]


def without_bytes(tables: Mapping[str, Scored]) -> int:
    """Counts the documents whose bytes were not scored, because their tokens do not give the text back."""
    return max(int((table.num_bytes == 0).sum()) for table in tables.values())


def leak_scores(
    counts: npt.NDArray[np.float64], places: Columns, origin: Origin, by: Sequence[str], resamples: int, seed: int
) -> list[Score]:
    """Returns the share of title words that the URL spells out, by slice.

    Args:
        counts: words found and words of the title, shape [documents, 2].
        places: metadata columns of the documents.
        origin: of the evaluation.
        by: slices besides all.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    scores = []
    for slice_by, name, members in slices(places, by):
        columns = counts[members]
        words = int(columns[:, 1].sum())
        if words:
            share = ratio_estimate(columns, resampled_sums(columns, resamples=resamples, seed=seed), 0, 1)
            share = Estimate(share.value, *np.clip(share[1:3], 0.0, 1.0).tolist())
            about = {"condition": "", "n_tokens": None}
            scores += _rows({TITLE_IN_URL: share}, origin, slice_by, name, places, members, about)
    return scores


def loss_table(tables: Mapping[str, Scored], places: Columns, origin: Origin) -> pa.Table:
    """Returns the losses of whole documents and of their parts; see `LOSSES_SCHEMA`."""
    everyone = np.arange(len(places["id"]))
    made = [
        _losses(condition, scored, places, origin, everyone, "all", "all", scored.nll, scored.num_tokens)
        for condition, scored in tables.items()
    ]
    for (slice_by, name), members, parts in _by_part(tables):
        made += [
            _losses(condition, tables[condition], places, origin, members, slice_by, name, nll, tokens)
            for condition, (nll, tokens) in parts.items()
        ]
    return pa.concat_tables(made)


def _losses(
    condition: str,
    scored: Scored,
    places: Columns,
    origin: Origin,
    members: npt.NDArray[np.int64],
    slice_by: str,
    name: str,
    nll: npt.NDArray[np.float64],
    tokens: npt.NDArray[np.int64],
) -> pa.Table:
    fixed = {**origin._asdict(), "condition": condition, "shown": scored.shown, "slice_by": slice_by, "slice": name}
    columns: dict[str, Any] = {column: [value] * len(members) for column, value in fixed.items()}
    columns |= {column: values[members] for column, values in places.items()}
    whole = slice_by == "all"
    columns |= {"nll": nll, "n_tokens": tokens, "n_bytes": scored.num_bytes if whole else [None] * len(members)}
    return pa.table({column: columns[column] for column in LOSSES_SCHEMA.names}, schema=LOSSES_SCHEMA)


def _by_part(tables: Mapping[str, Scored]) -> Iterator[tuple[tuple[str, str], npt.NDArray[np.int64], Parts]]:
    """Yields each part, the documents that have it, and nats and tokens of these under each condition.

    Under `paper` a condition may cut a document before a part that another still reaches; a document counts where all
    reach the part.
    """
    cut = {name: table for name, table in tables.items() if table.part_nll is not None}
    for column, name in enumerate(PARTS if cut else ()):
        found = [t.part_tokens[:, column] > 0 for t in cut.values() if t.part_tokens is not None]
        members = np.flatnonzero(np.logical_and.reduce(found)).astype(np.int64)
        if len(members):
            parts = {
                condition: (table.part_nll[members, column], table.part_tokens[members, column])
                for condition, table in cut.items()
                if table.part_nll is not None and table.part_tokens is not None
            }
            yield name, members, parts


def _rows(
    metrics: Mapping[str, Estimate],
    origin: Origin,
    slice_by: str,
    name: str,
    places: Columns,
    members: npt.NDArray[np.int64],
    about: Mapping[str, Any],
) -> list[Score]:
    outlets = len(set(places["domain"][members].tolist()) - {""})
    return [
        Score(
            measure=STAGE,
            metric=metric,
            slice_by=slice_by,
            slice=name,
            unit=UNITS[metric],
            value=estimate.value,
            ci_low=estimate.low,
            ci_high=estimate.high,
            n_documents=len(members),
            n_outlets=outlets,
            **origin._asdict(),
            **about,
        )
        for metric, estimate in metrics.items()
    ]


def _nll_and_ppl(nll: Estimate) -> dict[str, Estimate]:
    return {"nll": nll, "ppl": Estimate(*(_exp(part) for part in nll[:3]))}


def _exp(value: float) -> float:
    return math.inf if value >= 700 else math.exp(value)
