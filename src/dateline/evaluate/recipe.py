"""The options of every measure, for recipes and for the command line, and the registry of measures."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from dateline.conditions import Condition
from dateline.conditions import Field as MetadataField
from dateline.config import Section
from dateline.evaluate.protocol import Protocol
from dateline.stage import Stage

Precision = Literal["float32", "bfloat16"]
PLACES_AND_PATHS = frozenset({"corpus", "versus", "questions", "batch_tokens", "device"})
"""Options that do not decide a result: inputs are known by their fingerprints, batch and device change speed."""


class Scoring(Section):
    """What all measures share."""

    fields: tuple[MetadataField, ...] | None = None
    """Fields of the prefix; null for those that the model was trained with."""
    resamples: Annotated[int, Field(ge=2)] = 10_000
    """Bootstrap resamples."""
    seed: int = 0
    """Of the bootstrap."""
    precision: Precision = "float32"
    """Of the forward pass; float32 for numbers to publish."""
    batch_tokens: Annotated[int, Field(ge=1)] = 8_192
    """Padded tokens in a batch; changes the speed, scores by less than 1e-4 nats."""
    device: str = "auto"
    """auto, cpu or cuda."""

    @classmethod
    def takes(cls, condition: Condition) -> bool:
        """Says whether the measure can be taken under a condition."""
        return True

    def identity(self) -> dict[str, Any]:
        """Returns, as plain data, the options that decide a result."""
        return self.model_dump(mode="json", exclude=set(PLACES_AND_PATHS & set(type(self).model_fields)))


class Perplexity(Scoring):
    """Scores a model on the same body tokens under every condition, by place and by part of the document."""

    corpus: str
    """Encoded corpus."""
    conditions: tuple[str, ...] = ("gold", "none", "wrong")
    """What the prefix shows: gold, none, wrong, swap:<country>, swap:all, marginal:uniform, marginal:corpus, or fields
    of the true place joined by + (country, url_hash, country+continent)."""
    by: tuple[Literal["continent", "country", "domain"], ...] = ("continent", "country")
    """Slices of the table besides all."""
    protocol: Protocol = Protocol()


class Locate(Scoring):
    """Infers the country of every test document by Bayes' rule; reports accuracy and calibration."""

    corpus: str
    """Encoded corpus; its training split gives places, prior and baseline."""
    countries: tuple[str, ...] = ()
    """Among which countries; empty for those of the training split."""
    prior: str = "corpus"
    """How probable each country is beforehand: uniform, corpus (its training documents), numbers such as gb=3,ng=1, or
    a file of them."""
    outlets: Annotated[int, Field(ge=0)] = 0
    """Sum over so many of a country's most frequent training outlets; 0 for one prefix a country."""
    tokens: Annotated[int, Field(ge=1)] | None = 256
    """Read only so many tokens from the start of each document, in model and baseline; null for all."""
    baseline: bool = True
    """Compare with TF-IDF and logistic regression (scikit-learn)."""
    protocol: Protocol = Protocol()
    """Window, split and sample; the room for the prefix is that of the longest one."""
    batch_tokens: Annotated[int, Field(ge=1)] = 2_048
    """Padded tokens in a batch; a GPU is faster with more, such as 32768."""


class Mcq(Scoring):
    """Asks a model multiple-choice questions by log-likelihood; every item counts.

    Cloze: each option continues the question, and the fewest nats per byte win. Letter: the most probable letter behind
    the lettered options, averaged over all rotations of the options. Switch: items with two answers are asked twice,
    conditioned on each place; a model that ignores places gets exactly one half. Ties share the point. The prefix shows
    country and continent, never a URL.
    """

    questions: str
    """Questions, JSON Lines or Parquet: question, options, answer, country."""
    conditions: tuple[str, ...] = ("gold", "none", "wrong")
    """What the prefix shows: gold, none, wrong, swap:<country>, country, continent."""
    by: tuple[Literal["continent", "country"], ...] = ("continent", "country")
    """Slices of the table besides all."""
    layout: Literal["question", "article"] = "question"
    """question: Question: ... Answer:; article: TITLE: ... CONTENT:, as the texts of training."""
    long: Literal["error", "wrong"] = "error"
    """Items longer than the model can read: stop, or count as wrong in every form and condition."""
    answers: Literal["likelihood", "paper-generative"] = "likelihood"
    """paper-generative: sampled answers as in the published study, besides, with the strict share beside them."""
    temperature: Annotated[float, Field(gt=0)] = 0.7
    """Of sampled answers."""
    num_tokens: Annotated[int, Field(ge=1)] = 8
    """Of a sampled answer, at most."""
    versus: str | None = None
    """Result of another model on the same questions: paired differences under the same conditions."""

    @classmethod
    def takes(cls, condition: Condition) -> bool:
        """Says whether a question can be asked under a condition: it has a country and a continent, and no outlet."""
        if condition.transform == "marginal" or condition.country == "all":
            return False
        return condition.transform == "none" or bool({"country", "continent"} & set(condition.fields))


class Efficiency(Scoring):
    """Finds the body tokens after which a run predicts as well as another run does in the end.

    The run needs checkpoints: train it with, say, --train.checkpoint_every 100 --train.keep_checkpoints 100.
    """

    corpus: str
    """Encoded corpus."""
    versus: str
    """Finished run whose last loss is to be reached, without a prefix."""
    condition: str = "gold"
    """What the prefix of the measured run shows: gold, none, country, ..."""
    by: tuple[Literal["continent", "country"], ...] = ("continent",)
    """Slices of the table besides all: where text of this place is read as well as by the other run in the end."""
    protocol: Protocol = Protocol()


class Measure(NamedTuple):
    """A measure: its options, and the function (model folder, options, run name) -> Stage that makes its rows."""

    section: type[Scoring]
    where: str
    """`module:function`, imported when it is called."""
    summary: str
    """One line of `dateline eval --help`."""
    conditioned: bool = True
    """Whether an experiment takes it of conditioned models only."""

    def stage(self, model: Path, section: Scoring, run: str) -> Stage:
        """Returns the stage that measures a model.

        Args:
            model: a Hugging Face folder, or the output of `dateline train`.
            section: an instance of `self.section`.
            run: the model's name in the tables.
        """
        module, _, function = self.where.partition(":")
        make: Callable[[Path, Scoring, str], Stage] = getattr(importlib.import_module(module), function)
        return make(model, section, run)


MEASURES: dict[str, Measure] = {
    "perplexity": Measure(
        Perplexity,
        "dateline.evaluate.perplexity:perplexity_stage",
        "by condition and place, on the same tokens",
        conditioned=False,
    ),
    "locate": Measure(Locate, "dateline.evaluate.locate.run:locate_stage", "country inference by Bayes' rule"),
    "mcq": Measure(
        Mcq,
        "dateline.evaluate.mcq.run:mcq_stage",
        "multiple-choice questions by log-likelihood, every item counted",
        conditioned=False,
    ),
    "efficiency": Measure(
        Efficiency,
        "dateline.evaluate.efficiency:efficiency_stage",
        "tokens that a run needs to reach another run's loss",
    ),
}
"""Name -> measure: the verb of `dateline eval`, the key of a recipe's `evaluate.measures`, and the column `measure`.

`perplexity` is taken of every run; the others where a recipe names them."""
