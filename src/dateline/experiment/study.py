"""The findings of a study: what its runs say of each claim of arXiv 2601.15236, judged by a rule written down before.

`plan_study` lists the claims that a recipe's runs can answer; `study` computes and writes them. Runs are found by what
they are (the columns of `runs.parquet`), never by name. A claim whose run is missing is a row without an effect.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dateline.conditions import DEFAULT_FIELDS, Conditioning, parse_condition
from dateline.conditions import Field as MetadataField
from dateline.config import fingerprint
from dateline.corpus import read_articles
from dateline.errors import UserError
from dateline.evaluate.parts import leaks
from dateline.experiment.comparisons import Names, across_seed_differences, differences, where
from dateline.experiment.grid import PlannedRun, expand
from dateline.experiment.ideal import IdealLearner
from dateline.experiment.published import END as PUBLISHED_STEPS
from dateline.experiment.published import (
    REGIONS,
    Figure,
    published_fields,
    published_loss,
    published_share_to_reach,
    published_size,
)
from dateline.experiment.recipe import ExperimentRecipe
from dateline.experiment.verdicts import SHARE, VERDICTS, Study, judge, rule_in_words
from dateline.manifest import Manifest, write_atomically
from dateline.scores import (
    LOSSES,
    Finding,
    Run,
    Score,
    read_losses,
    read_runs,
    read_scores,
    write_findings,
)
from dateline.statistics import cluster_sums, difference_estimate, holm_by_family, resampled_sums
from dateline.tokens.mix import Mix

Floats = npt.NDArray[np.float64]
SUMMARY = "findings.md"
NATS = "nats/token"
EXPERIMENTS = {
    1: "In and out of region: local models with metadata - without",
    2: "Global recovers local",
    3: "Learning efficiency: share of the plain run's text",
    4: "One region left out",
    5: "Fields of the prefix, and balance of the mix",
    6: "Prefix dropout and cooldown",
}
CLAIMS = {
    "in_region": "local with - local without, on text of its region",
    "out_of_region": "local with - local without, on text of other regions",
    "global_local_with": "global with - local with",
    "global_local_without": "global without - local without",
    "global_with_local_without": "global with - local without",
    "gap_closed": "(global without - global with) / (global without - local without)",
    "share_to_reach": "share of the plain run's text at which the conditioned run has its last loss",
    "left_out_with": "without the region - with it, both with metadata, on text of the region",
    "left_out_without": "without the region - with it, both without metadata, on text of the region",
    "left_out_difference": "left_out_with - left_out_without",
    "left_out_field": "with this prefix - with none, of the model that never read the region",
    "fields": "conditioned with these fields - plain",
    "balance_with": "natural mix - equal by continent, both with metadata",
    "balance_without": "natural mix - equal by continent, both without metadata",
    "dropout_cost": "conditioned, scored without a prefix - plain",
    "dropout_gain": "conditioned, scored with its prefix - plain",
}
"""Claim -> what is subtracted from what, in the order of the table."""
PLAIN_DROPOUT = 1.0


class Model(NamedTuple):
    """What a run is, but for its seed: columns of the table of runs."""

    size: str
    trained_on: str
    left_out: str
    fields: str
    dropout: float
    cooldown: float
    mix: str
    budget: str

    @classmethod
    def of(cls, run: Run) -> Model:
        """Returns what a run is; a plain run has no prefix to cool down from."""
        values = asdict(run)
        model = cls(*(values[name] for name in cls._fields))
        return model if model.fields else model.plain()

    def plain(self) -> Model:
        """Returns the model without metadata that differs in nothing else."""
        return self._replace(fields="", dropout=PLAIN_DROPOUT, cooldown=0.0)


class Side(NamedTuple):
    """A model under a condition."""

    model: Model
    condition: str


@dataclass(frozen=True)
class Question:
    """A claim about certain models: losses of `first` less losses of `second`, on the test documents of `places`."""

    experiment: int
    claim: str
    region: str
    places: tuple[str, ...]
    """Continents and countries; empty for all documents."""
    first: tuple[Side, ...]
    second: tuple[Side, ...]
    over: tuple[Side, Side] | None = None
    """For `gap_closed`: the difference that the first one is divided by."""
    elsewhere: bool = False
    """The documents of all other places."""
    detail: str = ""
    comparable: bool = True
    """Whether published models differ in the same way."""

    @property
    def sides(self) -> tuple[Side, ...]:
        """Returns all models under their conditions."""
        return (*self.first, *self.second, *(self.over or ()))

    @property
    def unit(self) -> str:
        """Returns the unit of the effect."""
        return SHARE if self.over or self.claim == "share_to_reach" else NATS


class Plan(NamedTuple):
    """What a recipe's runs can answer."""

    questions: list[Question]
    runs: dict[Model, dict[int, PlannedRun]]
    """By what they are and by seed."""
    not_asked: list[str]
    """Claims that they do not answer."""


class Result(NamedTuple):
    """The findings of a study."""

    findings: list[Finding]
    truths_not_found: list[Finding]
    """Of those whose ideal effect is known: where the study is not sound."""
    notes: list[str]
    """What concerns the study as a whole: claims that the recipe does not ask, too few resamples."""


def plan_study(recipe: ExperimentRecipe) -> Plan:
    """Returns the claims that the runs of a recipe can answer, in the order of `CLAIMS`.

    Args:
        recipe: of the experiment.

    Raises:
        UserError: where conditions are scored on different tokens, or two runs are the same model by their columns.
    """
    if recipe.evaluate.protocol.name != "strict":
        raise UserError("a study compares runs on the same tokens; set evaluate.protocol.name to strict")
    runs: dict[Model, dict[int, PlannedRun]] = {}
    untrained = Manifest.of("train", {}, {}, counts={"steps": 0, "body_tokens": 0})
    for run in expand(recipe, ""):
        seeds = runs.setdefault(Model.of(run.identity(recipe.corpus, untrained, "")), {})
        if run.recipe.seed in seeds:
            raise UserError(
                f"runs '{seeds[run.recipe.seed].name}' and '{run.name}' have the same size, regions, fields, dropout, "
                "cooldown, mix, budget and seed, so a study cannot tell them apart; leave one out of the experiment"
            )
        seeds[run.recipe.seed] = run
    questions = sorted(_questions(recipe, runs), key=lambda question: list(CLAIMS).index(question.claim))
    asked = {question.claim for question in questions}
    return Plan(questions, runs, [claim for claim in CLAIMS if claim not in asked])


def _questions(recipe: ExperimentRecipe, runs: dict[Model, dict[int, PlannedRun]]) -> Iterator[Question]:
    corpus = recipe.corpus
    everywhere, absent = "+".join(corpus.countries) or "all", "+".join(dict.fromkeys(corpus.held_out))  # as identity()
    main = _main(recipe, runs, everywhere)
    if main is None:
        return
    same: dict[str, Any] = {"fields": main.fields, "dropout": main.dropout, "cooldown": main.cooldown, "mix": main.mix}
    wholes = {size: main._replace(size=size) for size in dict.fromkeys(model.size for model in runs)}
    locals_ = [
        model
        for model in runs
        if model.trained_on != everywhere and model.left_out == absent and model._replace(**same) == model
    ]
    left = [
        (model, [name for name in _names(model.left_out) if name not in corpus.held_out])
        for model in runs
        if model.left_out != absent and model._replace(**same, trained_on=everywhere, budget=main.budget) == model
    ]
    regions = list(dict.fromkeys([*(model.trained_on for model in locals_), *("+".join(names) for _, names in left)]))

    def known(side: Side) -> bool:
        return side.model in runs and side.condition in _conditions(recipe, side.model)

    def ask(
        experiment: int, claim: str, region: str, first: Sequence[Side], second: Sequence[Side], **more: Any
    ) -> Iterator[Question]:
        places = () if region == "all" else _names(region)
        question = Question(experiment, claim, region, places, tuple(first), tuple(second), **more)
        if all(map(known, question.sides)):
            yield question

    for model in locals_:
        whole, region = wholes[model.size], model.trained_on
        own = model.budget == main.budget
        with_, without = Side(model, "gold"), Side(model.plain(), "none")
        all_with, all_without = Side(whole, "gold"), Side(whole.plain(), "none")
        if own:
            yield from ask(1, "in_region", region, [with_], [without])
            yield from ask(1, "out_of_region", region, [with_], [without], elsewhere=True)
        own = model.budget == "same_steps"
        yield from ask(2, "global_local_with", region, [all_with], [with_], comparable=own)
        yield from ask(2, "global_local_without", region, [all_without], [without], comparable=own)
        yield from ask(2, "global_with_local_without", region, [all_with], [without], comparable=own)
        closed = {"over": (all_without, without), "comparable": own}
        yield from ask(2, "gap_closed", region, [all_without], [all_with], **closed)
    for whole in wholes.values():
        if "efficiency" in recipe.evaluate.measures:
            shown = str(recipe.evaluate.measures["efficiency"].get("condition", "gold"))
            for region in ("all", *regions):
                sides = [Side(whole, shown)], [Side(whole.plain(), "none")]
                yield from ask(3, "share_to_reach", region, *sides, detail=shown, comparable=shown == "gold")
    for model, names in left:
        whole, region = wholes[model.size], "+".join(names)
        with_, without = Side(model, "gold"), Side(model.plain(), "none")
        all_with, all_without = Side(whole, "gold"), Side(whole.plain(), "none")
        yield from ask(4, "left_out_with", region, [with_], [all_with])
        yield from ask(4, "left_out_without", region, [without], [all_without])
        yield from ask(4, "left_out_difference", region, [with_, all_without], [all_with, without])
        for condition in _conditions(recipe, model):
            shown_fields = set(_shown(Side(model, condition)))
            if condition == "gold" or (
                condition != "none" and shown_fields and shown_fields < set(_names(model.fields))
            ):
                sides = [Side(model, condition)], [Side(model, "none")]
                yield from ask(4, "left_out_field", region, *sides, detail=condition)
    for model in runs:
        if model.fields and model == wholes[model.size]._replace(fields=model.fields):
            yield from ask(5, "fields", "all", [Side(model, "gold")], [Side(model.plain(), "none")])
    for whole in wholes.values():
        natural, equal = whole._replace(mix="natural"), whole._replace(mix="equal by continent")
        for region in ("all", *regions):
            sides = [Side(natural, "gold")], [Side(equal, "gold")]
            yield from ask(5, "balance_with", region, *sides, comparable=False)
            sides = [Side(natural.plain(), "none")], [Side(equal.plain(), "none")]
            yield from ask(5, "balance_without", region, *sides, comparable=False)
    for model in runs:
        changed: dict[str, Any] = {"dropout": model.dropout, "cooldown": model.cooldown}
        if model.fields and model == wholes[model.size]._replace(**changed):
            more = {
                "detail": f"dropout {model.dropout:g}, cooldown {model.cooldown:g}",
                "comparable": model.dropout == 0 and model.cooldown == 0,
            }
            plain = [Side(model.plain(), "none")]
            yield from ask(6, "dropout_cost", "all", [Side(model, "none")], plain, **more)
            yield from ask(6, "dropout_gain", "all", [Side(model, "gold")], plain, **more)


def _main(recipe: ExperimentRecipe, runs: dict[Model, dict[int, PlannedRun]], everywhere: str) -> Model | None:
    """Returns the conditioned model that a recipe is about, which all others are variations of.

    It is the one trained on everything that agrees most with the recipe's defaults in fields, dropout, cooldown, mix
    and budget; the first of equals.
    """
    conditions = Conditioning.model_validate(recipe.defaults.get("conditions", {}))
    mix = Mix.model_validate(recipe.defaults.get("mix", {}))
    budget = recipe.defaults.get("train", {}).get("budget", "same_steps")

    def agreement(model: Model) -> int:
        run = next(iter(runs[model].values())).recipe
        return sum(
            (
                model.trained_on == everywhere,
                model.fields == "+".join(conditions.fields or DEFAULT_FIELDS),
                model.dropout == conditions.dropout,
                model.cooldown == conditions.cooldown,
                (run.mix.weights, run.mix.by) == (mix.weights, mix.by),
                model.budget == budget,
            )
        )

    conditioned = [model for model in runs if model.fields]
    whole = [model for model in conditioned if model.trained_on == everywhere and not model.left_out]
    return max(whole or conditioned, key=agreement, default=None)


def _names(joined: str) -> tuple[str, ...]:
    return tuple(name for name in joined.split("+") if name)


def _conditions(recipe: ExperimentRecipe, model: Model) -> list[str]:
    """Returns the names of the conditions under which a model is scored."""
    fields: Any = _names(model.fields)
    scored = recipe.evaluate.conditions if fields else ("none",)
    return list(dict.fromkeys(parse_condition(name, fields).name for name in scored))


def _shown(side: Side) -> tuple[MetadataField, ...]:
    """Returns what the prefix shows of a document's true place; nothing for counterfactual places."""
    fields: Any = _names(side.model.fields)
    condition = parse_condition(side.condition, fields)
    return condition.fields if condition.transform == "gold" else ()


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
    if not plan.questions:
        raise UserError(
            f"{out}: its runs answer no claim of a study; a recipe for one has runs with and without fields, such as "
            "recipes/study-newswire.yaml"
        )
    rule = recipe.study or Study()
    computed = _Computation(recipe, out, plan)
    findings = _judged([computed.finding(question) for question in plan.questions], rule)
    lost = [finding for finding in findings if _is_lost_truth(finding, rule)]
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
        judged.append(replace(finding, p_holm=p_holm, verdict=verdict, rule=fingerprint(rule)))
    return judged


def _null(finding: Finding) -> float:
    return 1.0 if finding.claim == "share_to_reach" else 0.0


def _shifted(value: float | None, null: float) -> float | None:
    return None if value is None else value - null


def _is_lost_truth(finding: Finding, rule: Study) -> bool:
    """Says whether ideal learners differ, and the study does not find it."""
    if finding.ideal is None or finding.unit == SHARE or abs(finding.ideal) < rule.margin:
        return False
    if finding.effect is None or finding.p_holm is None or finding.p_holm >= rule.level:
        return True
    return finding.effect / finding.ideal < rule.truth_share


class _Computation:
    """Reads the tables of an experiment, and computes one finding after another."""

    def __init__(self, recipe: ExperimentRecipe, out: Path, plan: Plan) -> None:
        self.recipe, self.out, self.runs = recipe, out, plan.runs
        self.names = {(Model.of(run), run.seed): run.run for run in read_runs(out)}
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

    def _whole(self, model: Model, seed: int) -> pa.Table | None:
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
        planned = [self.runs[side.model] for side in question.sides]
        common = [seed for seed in planned[0] if all(seed in seeds for seeds in planned)]
        there, missing = [], dict[str, None]()
        for seed in common:
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
            said = f"the gap ({gap.value:+.4f} [{gap.ci_low:+.4f}, {gap.ci_high:+.4f}]) is not clearly positive"
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
                missing="+".join([*_names(start.missing), *without]),
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
            fields = _shown(side)
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


def published_effect(question: Question) -> tuple[float | None, str]:
    """Returns the published effect of a claim, or None and why not, where that is not plain."""
    if not question.comparable:
        return None, ""
    if question.region not in ("all", *REGIONS):
        return None, ""
    test = question.region
    if question.elsewhere:
        test = "+".join(region for region in REGIONS if region not in question.places)
    size = published_size(question.sides[0].model.size)
    if question.claim == "share_to_reach":
        fields = published_fields(_names(question.first[0].model.fields))
        return (published_share_to_reach(size, test) if fields == "url+country+continent" else None), ""
    losses: dict[Side, float] = {}
    for side in question.sides:
        fields = published_fields(_names(side.model.fields))
        prefix = published_fields(_shown(side))
        local, left = (
            next((name for name in _names(column) if name in REGIONS), "")
            for column in (side.model.trained_on, side.model.left_out)
        )
        loss = None
        if fields is not None and prefix is not None:
            loss = published_loss(Figure(size, local or "all", left, fields, PUBLISHED_STEPS, test, prefix))
        if loss is None:
            return None, ""
        losses[side] = loss
    gain = math.fsum(losses[side] for side in question.first) - math.fsum(losses[side] for side in question.second)
    if question.over is None:
        return gain, ""
    gap = losses[question.over[0]] - losses[question.over[1]]
    return (gain / gap, "") if gap > 0 else (None, "the published gap is not positive")


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
    return "" if value is None else f"{value:+.4f}"


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
