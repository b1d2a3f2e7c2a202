"""The recipe of an experiment: one corpus, shared settings, and what each run does differently."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from dateline.conditions import DEFAULT_FIELDS, parse_condition
from dateline.config import Section, validate_recipe
from dateline.corpus import CorpusRecipe
from dateline.evaluate.protocol import Protocol
from dateline.evaluate.recipe import MEASURES, Scoring
from dateline.tokens.recipe import EncodeRecipe
from dateline.train.recipe import TrainRecipe

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


class Evaluation(Section):
    """How every run is evaluated: on the same documents, tokens and resamples."""

    conditions: tuple[str, ...] = ("gold", "none", "wrong")
    """What the prefix shows to conditioned runs: `gold`, `none`, `wrong`, `swap:<country>`, `swap:all`,
    `marginal:uniform`, `marginal:corpus`, fields joined by `+`. Runs without fields are scored under `none`."""
    by: tuple[Literal["continent", "country", "domain"], ...] = ("continent", "country")
    """Slices of the score table besides `all`."""
    protocol: Protocol = Protocol()
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
    conditioned run predicts as well as the plain run of its seed in the end (it needs `train.checkpoint_every`, and
    `train.keep_checkpoints` large enough to keep them). What is not given is taken from this section."""

    def options(self, name: str, **inputs: str) -> Scoring:
        """Returns the options of a measure: its defaults, what this section shares, its own, and its inputs.

        Args:
            name: of the measure.
            inputs: `corpus` and `versus`, where the measure takes them.

        Raises:
            UserError: where an option is not known or wrong.
        """
        section = MEASURES[name].section
        own = self.measures.get(name, {})
        shared = self.model_dump(include={"by", "precision", "resamples"})
        shared["protocol"] = self.protocol.model_dump(include=self.protocol.model_fields_set)
        shared["conditions"] = [
            condition for condition in self.conditions if section.takes(parse_condition(condition, DEFAULT_FIELDS))
        ]
        if "batch_tokens" in self.model_fields_set:
            shared["batch_tokens"] = self.batch_tokens
        if "by" in section.model_fields:
            allowed = get_args(get_args(section.model_fields["by"].annotation)[0])
            shared["by"] = [one for one in self.by if one in allowed]
        values = {**shared, **own, **inputs}
        known = {key: value for key, value in values.items() if key in section.model_fields or key in own}
        return validate_recipe(section, known, source=f"evaluate.measures.{name}")


class Samples(Section):
    """Continuations of the same headlines under several places, for the eyes."""

    headlines: int = Field(default=3, ge=0)
    """Headlines taken from the test split."""
    places: int = Field(default=4, ge=1)
    """Places that each headline is continued under, besides none; one outlet a country, spread over continents."""
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
    runs: dict[str, dict[str, Any]]
    """Run name -> the sections in which it differs from the defaults."""
    evaluate: Evaluation = Evaluation()
    samples: Samples = Samples()

    @model_validator(mode="after")
    def _check(self) -> ExperimentRecipe:
        if not self.runs or not self.seeds:
            raise ValueError("an experiment has at least one run and one seed")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("a seed is named twice")
        for name in self.runs:
            if not NAME.fullmatch(name):
                raise ValueError(f"run name '{name}': use lower-case letters, digits, '.', '_' and '-'")
            run = self.run(name, self.seeds[0], data="")
            for measure in self.evaluate.measures:
                if measure not in MEASURES or measure == "perplexity":
                    known = ", ".join(name for name in MEASURES if name != "perplexity")
                    raise ValueError(f"evaluate.measures: unknown measure '{measure}'; known are {known}")
                self.evaluate.options(measure, corpus="", versus="")
            for condition in self.evaluate.conditions:
                parse_condition(condition, run.conditions.fields)
            if self.evaluate.protocol.length > run.model.max_positions:
                raise ValueError(
                    f"evaluate.protocol reads {self.evaluate.protocol.length} tokens at a time, runs.{name} has "
                    f"model.max_positions {run.model.max_positions}; lower the first or raise the second"
                )
        return self

    def run(self, name: str, seed: int, *, data: str) -> TrainRecipe:
        """Returns the full training recipe of one run.

        Args:
            name: a key of `runs`.
            seed: one of `seeds`.
            data: the encoded corpus.
        """
        for source, values in (("defaults", self.defaults), (f"runs.{name}", self.runs[name])):
            for key in ("data", "seed"):
                if key in values:
                    raise ValueError(f"{source}.{key}: an experiment sets '{key}' itself; remove it")
        merged = overlay(self.defaults, self.runs[name])
        return validate_recipe(TrainRecipe, {**merged, "data": data, "seed": seed}, source=f"runs.{name}")


def overlay(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `base` with the values of `top` laid over it; mappings are merged, everything else is replaced."""
    merged = dict(base)
    for key, value in top.items():
        inner = merged.get(key)
        merged[key] = overlay(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged
