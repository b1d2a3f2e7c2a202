"""The recipe of an experiment: one corpus, shared settings, and what each run does differently."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from pydantic import Field, model_validator

from dateline.conditions import DEFAULT_FIELDS, parse_condition
from dateline.conditions import Field as MetadataField
from dateline.conditions.template import LABELS
from dateline.config import Section, fingerprint, validate_recipe
from dateline.corpus import CorpusRecipe
from dateline.errors import UserError
from dateline.evaluate.protocol import Protocol
from dateline.evaluate.recipe import MEASURES, Scoring
from dateline.experiment.verdicts import Study
from dateline.tokens.recipe import EncodeRecipe
from dateline.train.recipe import TrainRecipe

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


class Evaluation(Section):
    """How every run is evaluated: on the same documents, tokens and resamples."""

    conditions: tuple[str, ...] = ("gold", "none", "wrong")
    """What the prefix shows to conditioned runs: `gold`, `none`, `wrong`, `swap:<country>`, `swap:all`,
    `marginal:uniform`, `marginal:corpus`, fields joined by `+`. Runs without fields are scored under `none`."""
    by: tuple[Literal["continent", "country", "domain"], ...] = ("continent", "country")
    """Slices of the score table besides `all`; `region` comes by itself for runs with a region."""
    compare: tuple[tuple[str, str], ...] = ()
    """Comparisons besides those with the baseline, first minus second, as RUN/CONDITION:
    `[[global/gold, africa-plain/none]]`. Only here are runs of another mix, model or length compared."""
    margin: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Differences below so many nats per token make no difference to you. Where it is given, it is tested whether
    each difference lies within it; without it, nothing is said to be equivalent."""
    protocol: Protocol = Protocol()
    """Window, split and sample, the same for every run and measure."""
    cluster: Literal["document", "outlet"] = "document"
    """What differences are resampled by: documents, or whole outlets, which makes intervals wider."""
    resamples: int = Field(default=10_000, ge=100)
    """Bootstrap resamples."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the forward pass."""
    batch_tokens: int = Field(default=8192, ge=1)
    """Padded tokens in a batch; changes the speed, not the numbers."""
    measures: dict[str, dict[str, Any]] = {}
    """What is measured besides perplexity, with its options: `locate: {}` infers the country of each test document,
    `mcq: {questions: FILE}` asks multiple-choice questions, `efficiency: {}` finds the body tokens after which a
    conditioned run reaches the final loss of the plain run of its seed (it needs `train.checkpoint_every`, and a
    `train.keep_checkpoints` large enough to keep them). Options that are not given are taken from this section:
    conditions, slices, protocol, resamples, precision."""

    def options(self, name: str, fields: Sequence[MetadataField] = DEFAULT_FIELDS, **inputs: str) -> Scoring:
        """Returns the options of a measure: its defaults, what this section shares, its own, and its inputs.

        Args:
            name: of the measure.
            fields: that the run was conditioned on; a run without any is measured under `none`. Conditions that the
                measure cannot be taken under with these fields are left out, unless its own options name them.
            inputs: what the experiment sets itself: those of `experiment_inputs(name)`.

        Raises:
            UserError: where an option is not known or wrong, or no condition is left.

        Example:
            >>> evaluation = Evaluation(conditions=("gold", "none", "domain"), resamples=500)
            >>> options = evaluation.options("mcq", questions="questions.jsonl")
            >>> options.conditions, options.resamples
            (('gold', 'none'), 500)
        """
        section, source = MEASURES[name].section, f"evaluate.measures.{name}"
        known, own = section.model_fields, self.measures.get(name, {})
        for key in inputs.keys() & own.keys():
            raise UserError(f"{source}.{key}: an experiment sets '{key}' itself; remove it")
        shared = self.model_dump(include={"precision", "resamples"})
        shared["protocol"] = self.protocol.model_dump(include=self.protocol.model_fields_set)
        if "batch_tokens" in self.model_fields_set:
            shared["batch_tokens"] = self.batch_tokens
        if "by" in known:
            allowed = get_args(get_args(known["by"].annotation)[0])
            shared["by"] = [one for one in self.by if one in allowed]
        if "conditions" in known:
            shown = tuple(own.get("fields") or fields)
            named = self.scored(shown) or self.conditions
            shared["conditions"] = [one for one in named if section.takes(parse_condition(one, shown))]
            if not shown:
                own = {**own, "conditions": ["none"]}
            if not (shared["conditions"] or "conditions" in own):
                raise UserError(
                    f"{source}: cannot be taken under any of {', '.join(self.conditions)} with the fields "
                    f"{', '.join(shown)}; name its conditions with {source}.conditions"
                )
        values = overlay({key: value for key, value in shared.items() if key in known}, {**own, **inputs})
        return validate_recipe(section, values, source=source)

    def scored(self, fields: Sequence[MetadataField]) -> tuple[str, ...]:
        """Returns the conditions of a run: those whose lines of the prefix it was trained with.

        Args:
            fields: that the run was conditioned on; a run without any is scored under `none`.

        Example:
            >>> Evaluation(conditions=("gold", "none", "domain", "country")).scored(("url",))
            ('gold', 'none', 'domain')
        """
        if not fields:
            return ("none",)
        lines = {LABELS[field] for field in fields}
        return tuple(
            name
            for name in self.conditions
            if {LABELS[field] for field in parse_condition(name, fields).fields} <= lines
        )


def experiment_inputs(name: str) -> tuple[str, ...]:
    """Returns which options of a measure an experiment sets itself: `corpus`, and `versus` where it is required."""
    known = MEASURES[name].section.model_fields
    return tuple(key for key in ("corpus", "versus") if key in known and known[key].is_required())


class Grid(Section):
    """Many runs by what they differ in.

    Example:
        >>> axes = {"size": {"pico": {"model": {"size": "pico"}}, "nano": {}}, "metadata": {"with": {}, "without": {}}}
        >>> blocks = [{"size": "all", "metadata": "with"}, {"size": "nano", "metadata": "without"}]
        >>> grid = Grid(axes=axes, blocks=blocks)
        >>> list(grid.families((0,)))
        ['pico-with', 'nano-with', 'nano-without']
    """

    axes: dict[str, dict[str, dict[str, Any]]]
    """Axis -> value -> the sections of a training recipe that it sets: `size: {nano: {model: {size: nano}}}`."""
    blocks: tuple[dict[str, Any], ...]
    """Each gives, for some of the axes, a value, several (`[a, b]` or `a,b`) or `all`, and makes a run for every
    combination of them. Axes that a block does not name stay at the experiment's defaults. `seeds: [0, 1]` in a block
    replaces the seeds of the experiment. A run is called after its values, in the order of the axes, and its seed:
    `nano-africa-with-seed0`."""

    @model_validator(mode="after")
    def _check(self) -> Grid:
        for axis, values in self.axes.items():
            if axis == "seeds":
                raise ValueError("grid.axes.seeds: 'seeds' is the key of a block that gives its seeds; rename the axis")
            for value in values:
                if not NAME.fullmatch(value) or value == "all":
                    raise ValueError(
                        f"grid.axes.{axis}: value '{value}': use lower-case letters, digits, '.', '_' and '-', "
                        "and a name other than all"
                    )
        if not self.blocks:
            raise ValueError("grid.blocks: give at least one block")
        self.families((0,))
        return self

    def families(self, seeds: tuple[int, ...]) -> dict[str, Family]:
        """Returns the runs by name, in the order of the blocks; the last axis varies fastest.

        Args:
            seeds: of blocks that give none of their own.
        """
        result: dict[str, Family] = {}
        for number, block in enumerate(self.blocks, 1):
            where = f"grid.blocks, block {number}"
            if unknown := sorted(block.keys() - self.axes.keys() - {"seeds"}):
                raise ValueError(f"{where}: unknown axis '{unknown[0]}'; known are {', '.join(self.axes)}, and seeds")
            own = _seeds(block["seeds"], where) if "seeds" in block else seeds
            named = [axis for axis in self.axes if axis in block]
            if not named:
                raise ValueError(f"{where}: names no axis; known are {', '.join(self.axes)}")
            for values in itertools.product(*(self._values(axis, block[axis], where) for axis in named)):
                name, settings = "-".join(values), dict[str, Any]()
                chosen = dict(zip(named, values, strict=True))
                for axis, value in chosen.items():
                    settings = overlay(settings, self.axes[axis][value])
                if name in result:
                    raise ValueError(f"{where}: run '{name}' is there already; two runs of a grid have one identity")
                result[name] = Family(settings, own, chosen)
        return result

    def _values(self, axis: str, given: Any, where: str) -> list[str]:
        """Reads the values of an axis that a block names."""
        known = self.axes[axis]
        if given == "all":
            return list(known)
        parts = given.split(",") if isinstance(given, str) else given if isinstance(given, (list, tuple)) else [given]
        values = [str(part).strip() for part in parts]
        for value in values:
            if value not in known:
                raise ValueError(f"{where}: axis '{axis}' has no value '{value}'; it has {', '.join(known)}")
        if not values or len(set(values)) < len(values):
            raise ValueError(f"{where}: axis '{axis}' names {'a value twice' if values else 'no value'}")
        return values


class Family(NamedTuple):
    """What the seeds of one run have in common."""

    settings: dict[str, Any]
    """The sections in which it differs from the defaults."""
    seeds: tuple[int, ...]
    values: dict[str, str] = {}
    """Axis -> value of a run of the grid."""


def _seeds(given: Any, where: str) -> tuple[int, ...]:
    seeds = tuple(given) if isinstance(given, (list, tuple)) else (given,)
    if not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds) or len(set(seeds)) < len(seeds):
        raise ValueError(f"{where}: seeds is a list of different whole numbers, such as [0, 1]")
    return seeds


class Samples(Section):
    """Continuations of the same headlines conditioned on several places, to be read."""

    headlines: int = Field(default=3, ge=0)
    """Headlines taken from the test split."""
    places: int = Field(default=4, ge=1)
    """Places that the continuations are conditioned on, besides none; one outlet a country, spread over continents."""
    num_tokens: int = Field(default=60, ge=1)
    """Longest continuation."""


class ExperimentRecipe(Section):
    """From corpus to score table in one file."""

    name: str
    """What the report is headed with."""
    corpus: CorpusRecipe
    encode: EncodeRecipe = EncodeRecipe()
    seeds: tuple[int, ...] = (0,)
    """Every run is trained once with each; several are needed before anything is claimed about training."""
    defaults: dict[str, Any] = {}
    """Sections of a training recipe that all runs share."""
    runs: dict[str, dict[str, Any]] = {}
    """Run name -> the sections in which it differs from the defaults."""
    grid: Grid | None = None
    """Further runs, by axes and values."""
    evaluate: Evaluation = Evaluation()
    study: Study | None = None
    """Judge the claims of the published study (arXiv 2601.15236), as far as the runs answer them."""
    samples: Samples = Samples()

    @model_validator(mode="after")
    def _check(self) -> ExperimentRecipe:
        if not (self.runs or self.grid) or not self.seeds:
            raise ValueError("an experiment has at least one run and one seed")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("a seed is named twice")
        for measure in self.evaluate.measures:
            if measure not in MEASURES or measure == "perplexity":
                known = ", ".join(name for name in MEASURES if name != "perplexity")
                raise ValueError(f"evaluate.measures: unknown measure '{measure}'; known are {known}")
        families = self.families()
        if clash := sorted({run for run, family, _ in self.planned() if run != family} & families.keys()):
            raise ValueError(f"run name '{clash[0]}' is also that of a run with its seed; rename one of them")
        scored: dict[str, list[str]] = {}
        identities: dict[str, str] = {}
        for name, family in families.items():
            if not NAME.fullmatch(name):
                raise ValueError(f"run name '{name}': use lower-case letters, digits, '.', '_' and '-'")
            run = self.run(name, family.seeds[0], data="")
            for measure in self.evaluate.measures:
                self.evaluate.options(measure, run.conditions.fields, **dict.fromkeys(experiment_inputs(measure), ""))
            for condition in self.evaluate.conditions:
                parse_condition(condition, run.conditions.fields)
            fields = run.conditions.fields
            scored[name] = [parse_condition(one, fields).name for one in self.evaluate.scored(fields)]
            if self.evaluate.protocol.length > run.model.max_positions:
                raise ValueError(
                    f"evaluate.protocol reads {self.evaluate.protocol.length} tokens at a time, runs.{name} has "
                    f"model.max_positions {run.model.max_positions}; lower the first or raise the second"
                )
            if "efficiency" in self.evaluate.measures and run.conditions.fields and not run.train.checkpoint_every:
                raise ValueError(
                    f"evaluate.measures.efficiency needs checkpoints of runs.{name}; set train.checkpoint_every, and "
                    "train.keep_checkpoints so that they are kept"
                )
            if name not in self.runs:
                same = identities.setdefault(fingerprint({**run.identity(), "seed": 0}), name)
                if same != name:
                    raise ValueError(f"grid: runs '{same}' and '{name}' are the same model under two names; drop one")
        _check_compare(self.evaluate, scored)
        return self

    def families(self) -> dict[str, Family]:
        """Returns what is trained, once with each of its seeds, by name: `runs`, then the runs of `grid`."""
        grid = self.grid.families(self.seeds) if self.grid is not None else {}
        if twice := next((name for name in self.runs if name in grid), None):
            raise ValueError(f"run '{twice}' is both in runs and in grid; rename one of them")
        return {**{name: Family(settings, self.seeds) for name, settings in self.runs.items()}, **grid}

    def planned(self) -> list[tuple[str, str, int]]:
        """Returns (run, family, seed) of every model, seeds together.

        A run of `runs` names its seed where the experiment has several; a run of `grid` always does, so that seeds can
        be added later without renaming what is trained.
        """
        families = self.families()
        seeds = dict.fromkeys(seed for family in families.values() for seed in family.seeds)
        several = len(self.seeds) > 1
        return [
            (run_name(name, seed) if several or name not in self.runs else name, name, seed)
            for seed in seeds
            for name, family in families.items()
            if seed in family.seeds
        ]

    def run(self, name: str, seed: int, *, data: str) -> TrainRecipe:
        """Returns the full training recipe of one run.

        Args:
            name: a key of `families()`.
            seed: one of its seeds.
            data: the encoded corpus.
        """
        settings = self.families()[name].settings
        for source, values in (("defaults", self.defaults), (f"runs.{name}", settings)):
            for key in ("data", "seed"):
                if key in values:
                    raise ValueError(f"{source}.{key}: an experiment sets '{key}' itself; remove it")
        merged = overlay(self.defaults, settings)
        return validate_recipe(TrainRecipe, {**merged, "data": data, "seed": seed}, source=f"runs.{name}")


def _check_compare(evaluation: Evaluation, scored: Mapping[str, Sequence[str]]) -> None:
    """Refuses named comparisons of what is not scored; `scored` has the conditions of each family."""
    if evaluation.compare and evaluation.protocol.name != "strict":
        raise ValueError("evaluate.compare: the protocol 'paper' scores other tokens under each condition; use strict")
    for pair in evaluation.compare:
        for side in pair:
            family, _, condition = side.partition("/")
            if family not in scored:
                raise ValueError(f"evaluate.compare: '{side}': no run '{family}'; known are {', '.join(scored)}")
            known = [name for name in scored[family] if name != "swap:all"]
            if condition not in known:
                raise ValueError(
                    f"evaluate.compare: '{side}': {family} is not scored under '{condition}'; write {family}/ and one "
                    f"of {', '.join(known)}"
                )
        if pair[0] == pair[1]:
            raise ValueError(f"evaluate.compare: compares '{pair[0]}' with itself")


def run_name(family: str, seed: int) -> str:
    """Returns the name of a run where there are several seeds: `conditioned-seed1`."""
    return f"{family}-seed{seed}"


def overlay(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `base` with the values of `top` laid over it; mappings are merged, everything else is replaced."""
    merged = dict(base)
    for key, value in top.items():
        inner = merged.get(key)
        merged[key] = overlay(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged
