"""The options of `dateline benchmark build`: quotas, thresholds, and the endpoints of the LLM generator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, field_validator

from dateline.benchmark.checks import PAPER_QUOTA
from dateline.config import Loader, Section
from dateline.places import country

Share = Annotated[float, Field(ge=0, le=1)]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]

PAPER_TIMES = 2
"""The published quotas were filled twice, once by each of two generators: 800 questions."""


class Endpoint(Section):
    """An OpenAI-compatible server; address, model and key are read from environment variables and stand in no file."""

    base_url_env: str
    """Environment variable with the address, such as http://127.0.0.1:8000/v1."""
    model_env: str
    """Environment variable with the name of the model."""
    key_env: str = "OPENAI_API_KEY"
    """Environment variable with the key; a server that asks for none needs none."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Of sampling."""
    max_tokens: Annotated[int, Field(ge=16)] = 2_000
    """Of one answer; what is cut off there is asked again, then rejected."""
    input_price: Price = 0.0
    """Price of a million tokens read, in any currency."""
    output_price: Price = 0.0
    """Price of a million tokens written, in the same currency."""


class Writer(Endpoint):
    """The model that writes questions."""

    base_url_env: str = "DATELINE_WRITER_URL"
    """Environment variable with the address, such as http://127.0.0.1:8000/v1."""
    model_env: str = "DATELINE_WRITER_MODEL"
    """Environment variable with the name of the model."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Of sampling."""


class Judge(Endpoint):
    """The model that answers from the evidence, answers without it, and defends the wrong options."""

    base_url_env: str = "DATELINE_JUDGE_URL"
    """Environment variable with the address, such as http://127.0.0.1:8000/v1."""
    model_env: str = "DATELINE_JUDGE_MODEL"
    """Environment variable with the name of the model."""


class LlmOptions(Section):
    """The generator that asks a language model to write questions, and another one to answer them."""

    writer: Writer = Writer()
    judge: Judge = Judge()
    same_model: Literal["refuse", "warn"] = "refuse"
    """Where writer and judge are one model: a judge who wrote the question knows what it meant."""
    questions_per_article: Annotated[int, Field(ge=1, le=10)] = 2
    """How many questions are asked for at once."""
    closed_book_asks: Annotated[int, Field(ge=1, le=4)] = 2
    """The judge answers without article and place, so often, with the options moved up by one place each time. An item
    is solved if all answers are right; by chance that happens to 1 of 16 with two."""
    solved: Literal["drop", "mark"] = "drop"
    """What is done with items that the judge solves with closed book."""
    max_characters: Annotated[int, Field(ge=200)] = 8_000
    """Of an article, from its beginning, so much is shown to the models."""
    parallel: Annotated[int, Field(ge=1, le=64)] = 4
    """Requests at once."""
    requests_per_minute: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """At most; null for no limit."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    """How often a request is made before it is given up."""
    pause: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """Seconds before the second attempt where the server names none; doubled before each further one."""
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 120.0
    """Seconds to wait for one answer."""
    budget: Price | None = None
    """Stop when tokens have cost so much (see the prices); null for no limit."""
    cache: Path | None = None
    """Folder that keeps every answer, so that a build that was stopped pays nothing twice; null for OUT with `.cache`
    behind its name."""


_NAMES_AND_PRICES = {"base_url_env", "model_env", "key_env", "input_price", "output_price"}
NOT_IDENTITY: dict[str, Any] = {
    **dict.fromkeys(("parallel", "requests_per_minute", "pause", "timeout", "budget", "cache", "same_model"), True),
    "writer": _NAMES_AND_PRICES,
    "judge": _NAMES_AND_PRICES,
}
"""Options of the LLM generator that change speed and cost, and no question; models are known by their names."""


class BuildOptions(Section):
    """Makes a set of four-option questions from the held-out articles of a corpus, validates and audits it.

    Without a place a question has several right answers; the place in the prefix decides. Every rejected question is
    kept with its reason. The exit code is 3 if the finished set fails its own audit.
    """

    generator: Literal["facts", "llm"] = "facts"
    """facts: offline, from the facts of the embedded newswire; llm: written by a model behind an OpenAI-compatible
    server."""
    quota: dict[str, Annotated[int, Field(ge=1)]] | Annotated[int, Field(ge=1)] | Literal["paper"] = 10
    """Questions by country: paper (the 800 of arXiv 2601.15236), one number for every country of the test split, or
    {ng: 20, gb: 50}, also written ng=20,gb=50."""
    seed: int = 0
    """The same seed gives the same questions."""
    max_choices_only: Share = 0.30
    """Accuracy that guessers may have who see options and question but no place, in ten folds."""
    max_longest: Share = 0.35
    """Accuracy that picking the longest option may have."""
    min_position_p: Share = 0.05
    """The gold positions of each country must not differ from even by a chi-square test at this level (Holm)."""
    max_length_ratio: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 4.0
    """Characters of the longest option over those of the shortest."""
    llm: LlmOptions = LlmOptions()

    @field_validator("quota", mode="before")
    @classmethod
    def _by_country(cls, value: Any) -> Any:
        if isinstance(value, str) and value != "paper":
            parts = value if value.lstrip().startswith("{") else "{" + value.replace("=", ": ") + "}"
            try:
                value = yaml.load(parts, Loader)
            except yaml.YAMLError:
                value = None
            if not isinstance(value, dict) or None in value.values():
                raise ValueError("must be paper, a number, or a number for each country, such as ng=20,gb=50")
        if not isinstance(value, dict):
            return value
        found: dict[str, Any] = {}
        for name, number in value.items():
            known = country(str(name))
            if known is None:
                raise ValueError(f"'{name}' is no country; write a code such as ng, or a name")
            if known.alpha2 in found:
                raise ValueError(f"names {known.alpha2} twice")
            found[known.alpha2] = number
        if not found:
            raise ValueError("names no country")
        return found

    def wanted(self, present: list[str]) -> dict[str, int]:
        """Returns how many questions each country is to have.

        Args:
            present: the countries of the corpus.

        Example:
            >>> BuildOptions(quota=20).wanted(["ng", "gb"])
            {'ng': 20, 'gb': 20}
        """
        if self.quota == "paper":
            return {code: PAPER_TIMES * number for code, number in PAPER_QUOTA.items()}
        if isinstance(self.quota, int):
            return dict.fromkeys(present, self.quota)
        assert isinstance(self.quota, dict)
        return dict(self.quota)

    def identity(self) -> dict[str, Any]:
        """Returns, as plain data, the options that decide a result."""
        if self.generator == "facts":
            return self.model_dump(mode="json", exclude={"llm"})
        return self.model_dump(mode="json", exclude={"llm": NOT_IDENTITY})
