"""The claims of arXiv 2601.15236 that the runs of a recipe can answer, as differences of losses between models.

Runs are told apart by what they are, the columns of `runs.parquet`, never by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from dateline.conditions import DEFAULT_FIELDS, Conditioning, parse_condition
from dateline.conditions import Field as MetadataField
from dateline.errors import UserError
from dateline.experiment.grid import PlannedRun, expand
from dateline.experiment.recipe import ExperimentRecipe
from dateline.experiment.verdicts import SHARE
from dateline.scores import Run
from dateline.tokens.mix import Mix

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
    "left_out_difference": "what leaving the region out costs, with - without metadata",
    "left_out_field": "with this prefix - with none, of the model that never read the region",
    "fields": "conditioned with these fields - plain",
    "balance_with": "natural mix - equal by continent, both with metadata",
    "balance_without": "natural mix - equal by continent, both without metadata",
    "dropout_cost": "conditioned, scored without a prefix - plain",
    "dropout_gain": "conditioned, scored with its prefix - plain",
}
"""Claim -> what is subtracted from what, in the order of the table."""


class Side(NamedTuple):
    """A model under a condition."""

    model: Run
    """Its kind: `Run.kind`."""
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
    runs: dict[Run, dict[int, PlannedRun]]
    """By their kind and by seed."""
    not_asked: list[str]
    """Claims that they do not answer."""

    def seeds(self, question: Question) -> list[int]:
        """Returns the seeds with which all models of a question are trained; without any, it has no effect."""
        planned = [self.runs[side.model] for side in question.sides]
        return [seed for seed in planned[0] if all(seed in seeds for seeds in planned)]


def plan_study(recipe: ExperimentRecipe) -> Plan:
    """Returns the claims that the runs of a recipe can answer, in the order of `CLAIMS`.

    Args:
        recipe: of the experiment.

    Raises:
        UserError: where conditions are scored on different tokens, two runs are the same model by their columns, or
            the runs answer no claim.
    """
    if recipe.evaluate.protocol.name != "strict":
        raise UserError("a study compares runs on the same tokens; set evaluate.protocol.name to strict")
    runs: dict[Run, dict[int, PlannedRun]] = {}
    for run in expand(recipe, ""):
        seeds = runs.setdefault(run.identity(recipe.corpus).kind(), {})
        if run.recipe.seed in seeds:
            raise UserError(
                f"runs '{seeds[run.recipe.seed].name}' and '{run.name}' have the same size, regions, fields, dropout, "
                "cooldown, mix, budget and seed, so a study cannot tell them apart; leave one out of the experiment"
            )
        seeds[run.recipe.seed] = run
    questions = sorted(_questions(recipe, runs), key=lambda question: list(CLAIMS).index(question.claim))
    if not questions:
        raise UserError(
            f"{recipe.name}: its runs answer no claim of a study; a recipe for one has runs with and without fields, "
            "such as recipes/study-newswire.yaml"
        )
    asked = {question.claim for question in questions}
    return Plan(questions, runs, [claim for claim in CLAIMS if claim not in asked])


def _questions(recipe: ExperimentRecipe, runs: dict[Run, dict[int, PlannedRun]]) -> Iterator[Question]:
    corpus = recipe.corpus
    everywhere, absent = "+".join(corpus.countries) or "all", "+".join(dict.fromkeys(corpus.held_out))  # as identity()
    main = _main(recipe, runs, everywhere)
    if main is None:
        return
    same: dict[str, Any] = {"fields": main.fields, "dropout": main.dropout, "cooldown": main.cooldown, "mix": main.mix}
    wholes = {size: replace(main, size=size) for size in dict.fromkeys(model.size for model in runs)}
    locals_ = [
        model
        for model in runs
        if model.trained_on != everywhere and model.left_out == absent and replace(model, **same) == model
    ]
    left = [
        (model, [name for name in split_names(model.left_out) if name not in corpus.held_out])
        for model in runs
        if model.left_out != absent and replace(model, **same, trained_on=everywhere, budget=main.budget) == model
    ]
    regions = list(dict.fromkeys([*(model.trained_on for model in locals_), *("+".join(names) for _, names in left)]))

    def known(side: Side) -> bool:
        return side.model in runs and side.condition in _conditions(recipe, side.model)

    def ask(
        experiment: int, claim: str, region: str, first: Sequence[Side], second: Sequence[Side], **more: Any
    ) -> Iterator[Question]:
        places = () if region == "all" else split_names(region)
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
            shown_fields = set(shown_by(Side(model, condition)))
            if condition == "gold" or (
                condition != "none" and shown_fields and shown_fields < set(split_names(model.fields))
            ):
                sides = [Side(model, condition)], [Side(model, "none")]
                yield from ask(4, "left_out_field", region, *sides, detail=condition)
    for model in runs:
        if model.fields and model == replace(wholes[model.size], fields=model.fields):
            yield from ask(5, "fields", "all", [Side(model, "gold")], [Side(model.plain(), "none")])
    for whole in wholes.values():
        natural, equal = replace(whole, mix="natural"), replace(whole, mix="equal by continent")
        for region in ("all", *regions):
            sides = [Side(natural, "gold")], [Side(equal, "gold")]
            yield from ask(5, "balance_with", region, *sides, comparable=False)
            sides = [Side(natural.plain(), "none")], [Side(equal.plain(), "none")]
            yield from ask(5, "balance_without", region, *sides, comparable=False)
    for model in runs:
        changed: dict[str, Any] = {"dropout": model.dropout, "cooldown": model.cooldown}
        if model.fields and model == replace(wholes[model.size], **changed):
            more = {
                "detail": f"dropout {model.dropout:g}, cooldown {model.cooldown:g}",
                "comparable": model.dropout == 0 and model.cooldown == 0,
            }
            plain = [Side(model.plain(), "none")]
            yield from ask(6, "dropout_cost", "all", [Side(model, "none")], plain, **more)
            yield from ask(6, "dropout_gain", "all", [Side(model, "gold")], plain, **more)


def _main(recipe: ExperimentRecipe, runs: dict[Run, dict[int, PlannedRun]], everywhere: str) -> Run | None:
    """Returns the conditioned model that a recipe is about, which all others are variations of.

    It is the one trained on everything that agrees most with the recipe's defaults in fields, dropout, cooldown, mix
    and budget; the first of equals.
    """
    conditions = Conditioning.model_validate(recipe.defaults.get("conditions", {}))
    mix = Mix.model_validate(recipe.defaults.get("mix", {}))
    budget = recipe.defaults.get("train", {}).get("budget", "same_steps")

    def agreement(model: Run) -> int:
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


def split_names(joined: str) -> tuple[str, ...]:
    """Returns the names in a column of the long tables, where `+` joins them."""
    return tuple(name for name in joined.split("+") if name)


def _conditions(recipe: ExperimentRecipe, model: Run) -> list[str]:
    """Returns the names of the conditions under which a model is scored."""
    fields: Any = split_names(model.fields)
    scored = recipe.evaluate.conditions if fields else ("none",)
    return list(dict.fromkeys(parse_condition(name, fields).name for name in scored))


def shown_by(side: Side) -> tuple[MetadataField, ...]:
    """Returns what the prefix shows of a document's true place; nothing for counterfactual places."""
    fields: Any = split_names(side.model.fields)
    condition = parse_condition(side.condition, fields)
    return condition.fields if condition.transform == "gold" else ()
