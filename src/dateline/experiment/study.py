"""The findings of a study: what its runs say of each claim of arXiv 2601.15236, judged by a rule written down before.

`study` computes them from the tables of an experiment and writes them. A claim whose run is missing is a row without an
effect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dateline.config import fingerprint
from dateline.corpus import read_articles
from dateline.errors import UserError
from dateline.evaluate.parts import leaks
from dateline.experiment.claims import (
    CLAIMS,
    EXPERIMENTS,
    Plan,
    Question,
    Side,
    plan_study,
    shown_by,
    split_names,
)
from dateline.experiment.comparisons import Names, across_seed_differences, differences
from dateline.experiment.ideal import IdealLearner
from dateline.experiment.published import published_effect
from dateline.experiment.recipe import ExperimentRecipe
from dateline.experiment.verdicts import SHARE, VERDICTS, Study, judge, rule_in_words
from dateline.manifest import write_atomically
from dateline.scores import LOSSES, Finding, Run, Score, read_losses, read_runs, read_scores, where, write_findings
from dateline.statistics import cluster_sums, difference_estimate, holm_by_family, resampled_sums

Floats = npt.NDArray[np.float64]
SUMMARY = "findings.md"


class Result(NamedTuple):
    """The findings of a study."""

    findings: list[Finding]
    truths_not_found: list[Finding]
    """Of those whose ideal effect is known: where the study is not sound."""
    notes: list[str]
    """What concerns the study as a whole: claims that the recipe does not ask, too few resamples."""


def study(recipe: ExperimentRecipe, out: Path) -> Result:
    """Computes the findings of an experiment, and writes `findings.parquet` and `findings.md` into its folder.

    Args:
        recipe: of the experiment; where it has no section `study`, the rule is the default one.
        out: its folder, with `runs.parquet`, `perplexity/RUN/losses.parquet`, and `scores.parquet` where learning
            efficiency was measured.

    Returns:
        All findings, in the order of `CLAIMS`; those of them whose known truth was not found, which makes the study
        unsound; and notes.

    Raises:
        UserError: where the recipe cannot be planned, or tables are missing or do not fit together.
    """
    plan = plan_study(recipe)
    rule = recipe.study or Study()
    computed = _Computation(recipe, out, plan)
    findings = _judged([computed.finding(question) for question in plan.questions], rule)
    lost = [finding for finding in findings if finding.truth == LOST]
    result = Result(findings, lost, _notes(recipe, plan, findings, rule))
    write_findings(out, findings)
    write_atomically(out / SUMMARY, _markdown(recipe, result, rule))
    return result


def _judged(findings: list[Finding], rule: Study) -> list[Finding]:
    """Corrects all tests of a study together, and adds the verdicts."""
    corrected = holm_by_family([finding.p for finding in findings], [""] * len(findings))
    judged = []
    for finding, p_holm in zip(findings, corrected, strict=True):
        verdict, null = finding.verdict, _null(finding)
        if not verdict:
            published = None if finding.published is None else finding.published - null
            effect, low, high = (_shifted(end, null) for end in (finding.effect, finding.ci_low, finding.ci_high))
            margin = rule.margin_of(finding.unit)
            verdict = judge(effect, (low, high), p_holm, published, margin=margin, level=rule.level)
        whole = replace(finding, p_holm=p_holm, verdict=verdict, rule=fingerprint(rule))
        judged.append(replace(whole, truth=_truth(whole, rule)))
    return judged


def _null(finding: Finding) -> float:
    return 1.0 if finding.claim == "share_to_reach" else 0.0


def _shifted(value: float | None, null: float) -> float | None:
    return None if value is None else value - null


FOUND, LOST = "found", "not found"
"""What `Finding.truth` says."""
SAME_TEXT = ("in_region", "fields", "dropout_gain")
"""Claims whose two sides read the same text to the same length, so that only metadata tells them apart."""


def _truth(finding: Finding, rule: Study) -> str:
    """Says whether a study finds that ideal learners of the same text differ; empty where they do not."""
    if finding.claim not in SAME_TEXT or finding.ideal is None or abs(finding.ideal) < rule.margin:
        return ""
    if finding.effect is None or finding.p_holm is None or finding.p_holm >= rule.level:
        return LOST
    return FOUND if finding.effect / finding.ideal >= rule.truth_share else LOST


class _Computation:
    """Reads the tables of an experiment, and computes one finding after another."""

    def __init__(self, recipe: ExperimentRecipe, out: Path, plan: Plan) -> None:
        self.recipe, self.out, self.plan, self.runs = recipe, out, plan, plan.runs
        self.names = {(run.kind(), run.seed): run.run for run in read_runs(out)}
        self._losses: dict[str, pa.Table | None] = {}
        self.efficiency = self._efficiency_rows()
        found = [table for model, seed in self.names if (table := self._whole(model, seed)) is not None]
        if not found:
            raise UserError(
                f"{out}: no run has losses; run the experiment first: dateline experiment RECIPE --out {out}"
            )
        first = where(found[0], condition=found[0].column("condition")[0].as_py()).sort_by("id")
        self.documents = first.select(["id", "country", "continent", "n_tokens"])
        self.ideal = self._ideal_learner()

    def _efficiency_rows(self) -> list[Score]:
        if "efficiency" not in self.recipe.evaluate.measures:
            return []
        return [score for score in read_scores(self.out) if score.metric == "share_to_reach"]

    def _ideal_learner(self) -> IdealLearner | None:
        if self.recipe.corpus.newswire is None:
            return None
        split = self.recipe.evaluate.protocol.split
        articles = {article.id: article for article in read_articles(self.out / "corpus", split=split)}
        ids = [str(identifier) for identifier in self.documents.column("id").to_pylist()]
        if unknown := [identifier for identifier in ids if identifier not in articles]:
            raise UserError(f"{self.out}/corpus: has no document {unknown[0]}, which was scored; evaluate again")
        return IdealLearner([articles[identifier] for identifier in ids], self.recipe.corpus)

    def _whole(self, model: Run, seed: int) -> pa.Table | None:
        """Returns the losses of whole documents of a run; None where there are none."""
        name = self.names.get((model, seed), "")
        if name not in self._losses:
            folder = self.out / "perplexity" / name
            there = bool(name) and (folder / LOSSES).is_file()
            self._losses[name] = where(read_losses(folder), slice_by="all") if there else None
        return self._losses[name]

    def _table(self, side: Side, seed: int, question: Question) -> pa.Table | None:
        """Returns the losses of a side on the question's documents; None where the run is missing."""
        table = self._whole(side.model, seed)
        if table is None:
            return None
        chosen = where(table, condition=side.condition)
        if not chosen.num_rows:
            return None
        return chosen.filter(_among(chosen, question)).sort_by("id")

    def finding(self, question: Question) -> Finding:
        """Returns a finding without its verdict, unless it has no effect."""
        rows = self.documents.filter(_among(self.documents, question))
        published, no_published = published_effect(question)
        ideal, no_ideal = self._ideal(question)
        seeds, missing = self._seeds(question)
        conditioned = next((side.model for side in question.sides if side.model.fields), question.sides[0].model)
        local = next((side.model for side in question.sides if side.model.trained_on == question.region), conditioned)
        start = Finding(
            experiment=question.experiment,
            claim=question.claim,
            size=question.sides[0].model.size,
            region=question.region,
            budget=local.budget,
            fields=conditioned.fields,
            detail=question.detail,
            compared=self._compared(question, len(seeds) > 1),
            effect=None,
            unit=question.unit,
            ci_low=None,
            ci_high=None,
            p=None,
            p_holm=None,
            mde=None,
            n_documents=rows.num_rows,
            n_tokens=int(rows.column("n_tokens").to_numpy().sum()),
            n_seeds=len(seeds),
            ideal=ideal,
            truth="",
            published=published,
            verdict="",
            reason="",
            missing="+".join(missing),
            rule="",
        )
        reasons = [no_published, no_ideal]
        if leaks(conditioned.fields):
            reasons.append("LEAK: the prefix spells out words of the title that is scored")
        if not rows.num_rows:
            return replace(start, verdict="missing", n_seeds=0, reason="no test document is of this region")
        if not seeds:
            said = "no seed has all its runs" if missing else "its runs have no seed in common"
            return replace(start, verdict="missing", reason=_joined([said, *reasons]))
        if len(seeds) == 1:
            reasons.append("one seed was trained: the interval is over documents only")
        if missing:
            reasons.append("some seeds are missing")
        compute = self._reach if question.claim == "share_to_reach" else self._share if question.over else self._effect
        return compute(question, seeds, start, reasons)

    def _seeds(self, question: Question) -> tuple[list[int], list[str]]:
        """Returns the seeds for which all sides are there, and the runs that are planned and not there."""
        there, missing = [], dict[str, None]()
        for seed in self.plan.seeds(question):
            absent = [
                self.runs[side.model][seed].name for side in question.sides if self._table(side, seed, question) is None
            ]
            missing |= dict.fromkeys(absent)
            there += [] if absent else [seed]
        return there, list(missing)

    def _compared(self, question: Question, several: bool) -> str:
        def name(side: Side) -> str:
            run = next(iter(self.runs[side.model].values()))
            return f"{run.family if several else run.name}/{side.condition}"

        first, second = ([name(side) for side in sides] for sides in (question.first, question.second))
        if question.claim == "left_out_difference":
            return f"({first[0]} - {second[0]}) - ({second[1]} - {first[1]})"
        text = f"{first[0]} - {second[0]}"
        return f"({text}) / ({' - '.join(name(side) for side in question.over)})" if question.over else text

    def _effect(self, question: Question, seeds: list[int], start: Finding, reasons: list[str]) -> Finding:
        score = self._difference(question, question.first, question.second, seeds)
        if math.isnan(score.ci_low):
            reasons = [f"no interval: {start.n_documents} test document(s)", *reasons]
        return replace(
            start,
            effect=score.value,
            ci_low=_known(score.ci_low),
            ci_high=_known(score.ci_high),
            p=score.p,
            mde=score.mde,
            reason=_joined(reasons),
        )

    def _difference(
        self, question: Question, first: Sequence[Side], second: Sequence[Side], seeds: Sequence[int]
    ) -> Score:
        pairs = [tuple(self._added(sides, seed, question) for sides in (first, second)) for seed in seeds]
        conditions = [str(table.column("condition")[0].as_py()) for table in pairs[0]]
        settings: dict[str, Any] = {
            "condition": conditions[0],
            "condition_versus": conditions[1],
            "cluster": self.recipe.evaluate.cluster,
        }
        if len(pairs) > 1:
            return across_seed_differences(
                [(one, other) for one, other in pairs], Names("first", "second"), **settings
            )[0]
        one, other = pairs[0]
        return differences(one, other, resamples=self.recipe.evaluate.resamples, **settings)[0]

    def _added(self, sides: Sequence[Side], seed: int, question: Question) -> pa.Table:
        """Returns a table of losses, or the sum of two on the same documents and tokens."""
        tables = [table for side in sides if (table := self._table(side, seed, question)) is not None]
        if len(tables) == 1:
            return tables[0]
        one, other = tables
        for column in ("id", "n_tokens", "protocol", "data"):
            if one.column(column).to_pylist() != other.column(column).to_pylist():
                raise UserError(
                    f"{self.out}: runs {one.column('run')[0]} and {other.column('run')[0]} were scored with different "
                    f"{column}; evaluate them again under one protocol"
                )
        result = one.set_column(
            one.schema.get_field_index("nll"), "nll", pc.add(one.column("nll"), other.column("nll"))
        )
        for column in ("run", "condition"):
            joined = f"{one.column(column)[0]} + {other.column(column)[0]}"
            texts = pa.array([joined] * one.num_rows, type=pa.string())
            result = result.set_column(result.schema.get_field_index(column), column, texts)
        return result

    def _share(self, question: Question, seeds: list[int], start: Finding, reasons: list[str]) -> Finding:
        """Returns which share of a gap is closed, where there clearly is a gap."""
        assert question.over is not None
        upper, lower = question.over
        gap = self._difference(question, [upper], [lower], seeds)
        self._difference(question, question.first, question.second, seeds)  # checks that documents and tokens agree
        if not gap.ci_low > 0:
            ends = "no interval" if math.isnan(gap.ci_low) else f"[{gap.ci_low:+.4f}, {gap.ci_high:+.4f}]"
            said = f"the gap ({gap.value:+.4f}, {ends}) is not clearly positive"
            return replace(start, verdict="not defined", reason=_joined([said, *reasons]))

        def mean(side: Side) -> Floats:
            tables = [self._table(side, seed, question) for seed in seeds]
            losses = np.array(
                [table.column("nll").to_numpy() for table in tables if table is not None], dtype=np.float64
            )
            return np.asarray(losses.mean(axis=0), dtype=np.float64)

        table = self._table(upper, seeds[0], question)
        assert table is not None
        columns = np.column_stack([mean(question.first[0]) - mean(question.second[0]), mean(upper) - mean(lower)])
        if self.recipe.evaluate.cluster == "outlet":
            columns = cluster_sums(columns, table.column("domain").to_numpy().astype(np.str_))
        sums = resampled_sums(columns, resamples=self.recipe.evaluate.resamples)
        found = difference_estimate(columns, sums, 0, 1)
        if len(seeds) > 1:
            reasons = [*reasons, "mean over seeds; the interval is over documents only"]
        if math.isnan(found.low):
            reasons = [*reasons, "no interval: the gap is not positive in every resample"]
        return replace(
            start,
            effect=found.value,
            ci_low=_known(found.low),
            ci_high=_known(found.high),
            p=_known(found.p_value),
            reason=_joined(reasons),
        )

    def _reach(self, question: Question, seeds: list[int], start: Finding, reasons: list[str]) -> Finding:
        """Returns the share of text to reach the plain run's last loss, as the measure `efficiency` has it."""
        side = question.first[0]
        rows: list[Score] = []
        for seed in seeds:
            name = self.names[side.model, seed]
            rows += [
                row
                for row in self.efficiency
                if (row.run, row.condition, row.slice) == (name, side.condition, question.region)
            ]
        if len(rows) < len(seeds):
            without = [
                name for seed in seeds if (name := self.names[side.model, seed]) not in {row.run for row in rows}
            ]
            said = f"the measure efficiency has no row for {question.region} of {', '.join(without)}"
            return replace(
                start,
                verdict="missing",
                n_seeds=0,
                missing="+".join([*split_names(start.missing), *without]),
                reason=_joined([said, *reasons]),
            )
        ends = self._difference(question, question.first, question.second, seeds)
        reasons = [
            *reasons,
            "p is of the last losses, which differ in favour of the conditioned run if the share is below 1",
        ]
        if len(seeds) > 1:
            reasons.append("mean over seeds; the interval reaches from the lowest to the highest end of any seed's")
        lows, highs = [row.ci_low for row in rows], [row.ci_high for row in rows]
        return replace(
            start,
            effect=math.fsum(row.value for row in rows) / len(rows),
            ci_low=_known(min(lows) if not any(map(math.isnan, lows)) else math.nan),
            ci_high=_known(max(highs) if not any(map(math.isnan, highs)) else math.nan),
            p=ends.p,
            n_documents=rows[0].n_documents,
            n_tokens=rows[0].n_tokens or 0,
            reason=_joined(reasons),
        )

    def _ideal(self, question: Question) -> tuple[float | None, str]:
        """Returns the effect that ideal learners would have, or None and why not."""
        if self.ideal is None or question.claim == "share_to_reach":
            return None, ""  # nobody knows the entropy of real news; an ideal learner needs no text
        inside = np.array(_among(self.documents, question).to_pylist(), dtype=bool)
        losses: dict[Side, float] = {}
        for side in question.sides:
            fields = shown_by(side)
            mix = next(iter(self.runs[side.model].values())).recipe.mix
            losses[side] = float(self.ideal.losses(mix, fields)[inside].sum())
            if math.isnan(losses[side]):
                return None, self.ideal.undefined(fields)
        gain = math.fsum(losses[side] for side in question.first) - math.fsum(losses[side] for side in question.second)
        if question.over is None:
            tokens = self.documents.column("n_tokens").to_numpy()[inside].sum()
            return (float(gain / tokens), "") if tokens else (None, "")
        gap = losses[question.over[0]] - losses[question.over[1]]
        return (gain / gap, "") if gap > 1e-9 else (None, "ideal learners have no gap")


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _joined(reasons: Sequence[str]) -> str:
    return "; ".join(reason for reason in reasons if reason)


def _among(table: pa.Table, question: Question) -> Any:
    """Returns which documents a question is about, as a boolean array."""
    names = pa.array(question.places, type=pa.string())
    inside = pc.or_(pc.is_in(table.column("continent"), names), pc.is_in(table.column("country"), names))
    if question.elsewhere:
        return pc.invert(inside)
    return inside if question.places else pc.is_valid(table.column("id"))


def _notes(recipe: ExperimentRecipe, plan: Plan, findings: list[Finding], rule: Study) -> list[str]:
    notes = []
    if plan.not_asked:
        notes.append(f"not asked by the runs of this recipe: {', '.join(plan.not_asked)}")
    if recipe.study is None:
        notes.append("the recipe has no section study: the rule is the default one, not one written down beforehand")
    tests = sum(finding.p is not None for finding in findings)
    resamples = recipe.evaluate.resamples
    if tests >= rule.level * (resamples + 1):
        needed = math.ceil(tests / rule.level)
        notes.append(
            f"{tests} tests and {resamples} resamples: no corrected p can be below {rule.level:g} where one seed was "
            f"trained; set evaluate.resamples to {needed} or more"
        )
    return notes


def verdict_counts(findings: Sequence[Finding]) -> dict[str, int]:
    """Returns how many findings have each verdict, in the order of `VERDICTS`; those that none has are left out."""
    counts = {verdict: sum(finding.verdict == verdict for finding in findings) for verdict in VERDICTS}
    return {verdict: count for verdict, count in counts.items() if count}


def rests_on_one_seed(finding: Finding) -> bool:
    """Says whether a finding has an effect, and it is that of one trained model on either side."""
    return finding.effect is not None and finding.n_seeds == 1


def _number(value: float | None) -> str:
    return "" if value is None else "never" if value == math.inf else f"{value:+.4f}"


def _row(finding: Finding) -> list[str]:
    interval = "" if finding.ci_low is None else f"[{_number(finding.ci_low)}, {_number(finding.ci_high)}]"
    return [
        finding.claim,
        finding.size,
        finding.region,
        finding.budget if finding.experiment == 2 else "",
        finding.fields if finding.claim == "fields" else finding.detail,
        f"{finding.verdict} (one seed)" if rests_on_one_seed(finding) else finding.verdict,
        _number(finding.effect),
        interval,
        "" if finding.p_holm is None else f"{finding.p_holm:.4f}",
        _number(finding.published),
        _number(finding.ideal),
        str(finding.n_seeds),
    ]


HEAD = ("claim", "size", "region", "budget", "detail", "verdict", "effect", "95% interval", "p (Holm)", "published",
        "ideal", "seeds")  # fmt: skip


def describe(finding: Finding) -> str:
    """Returns which claim a finding is of, in one line."""
    words = (finding.claim, finding.size, finding.region, *_row(finding)[3:5])
    return " ".join(word for word in words if word)


def _markdown(recipe: ExperimentRecipe, result: Result, rule: Study) -> str:
    findings, lost, notes = result
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdict_counts(findings).items())
    parts = [f"# Findings: {recipe.name}", f"{len(findings)} findings: {counts}.", "## The rule"]
    parts.append(f"Fingerprint {fingerprint(rule)}.\n\n{rule_in_words(rule)}")
    parts.append(
        "Effects are in nats per token, negative where the first is better, on the same test documents and tokens. "
        "Published effects are those of arXiv 2601.15236 at own protocol, whose pairs were scored on different tokens. "
        "Ideal effects are those of learners that know their training distributions exactly."
    )
    for number, title in EXPERIMENTS.items():
        rows = [finding for finding in findings if finding.experiment == number]
        if rows:
            claims = dict.fromkeys(finding.claim for finding in rows)
            meanings = "\n".join(f"- `{claim}`: {CLAIMS[claim]}" for claim in claims)
            parts += [f"## {number}. {title}", meanings, _table_in_markdown(HEAD, [_row(finding) for finding in rows])]
    holes = [finding for finding in findings if finding.missing or finding.verdict in ("missing", "not defined")]
    parts.append("## What is missing or not defined")
    parts.append(
        "\n".join(
            f"- {describe(finding)}: {finding.reason}" + (f" (missing: {finding.missing})" if finding.missing else "")
            for finding in holes
        )
        or "Nothing."
    )
    parts.append("## Known truths that were not found")
    known = sum(f.ideal is not None and f.unit != SHARE and abs(f.ideal) >= rule.margin for f in findings)
    parts.append("\n".join(f"- {truth_in_words(finding)}" for finding in lost) or f"None, of {known} known truths.")
    if notes:
        parts += ["## Notes", "\n".join(f"- {note}" for note in notes)]
    return "\n\n".join(parts) + "\n"


def truth_in_words(finding: Finding) -> str:
    """Returns what a study should have found, and what it found instead."""
    p_holm = "no p" if finding.p_holm is None else f"p (Holm) {finding.p_holm:.4f}"
    effect = "nothing" if finding.effect is None else f"{finding.effect:+.4f} ({p_holm})"
    return f"{describe(finding)}: ideal {_number(finding.ideal)}, found {effect}"


def _table_in_markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
