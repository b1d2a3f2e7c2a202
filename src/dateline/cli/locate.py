"""`dateline locate`: which country a text comes from, as a conditioned model sees it; nothing leaves the machine.

The test of a model on a corpus is a measure: `dateline eval locate`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pydantic
import tyro

from dateline.cli.options import read_arguments
from dateline.cli.tables import print_rows
from dateline.conditions import Field
from dateline.config import Section
from dateline.errors import UserError, one_line
from dateline.evaluate.recipe import Precision

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dateline.evaluate.locate.texts import Text

TEXTS_AT_ONCE = 64
Count = Annotated[int, pydantic.Field(ge=1)]


class Locate(Section):
    """Infers the country of texts: p(country | text) by Bayes' rule from p(text | country) of a conditioned model.

    MODEL is the output of dateline train. A TEXT is words between quotes, - for standard input, a text file, or JSON
    Lines or Parquet with a text (and title) a line. Its first line is taken for the headline. How well a model does
    this on a corpus is measured by dateline eval locate.
    """

    model: Annotated[Path, tyro.conf.Positional]
    """Model folder."""
    texts: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """What is located."""
    countries: tuple[str, ...] = ()
    """Among which countries; empty for those of the corpus's training split, or the paper's 18."""
    prior: str | None = None
    """How probable each is beforehand: uniform, corpus (its training documents), numbers such as gb=3,ng=1, or a file
    of them; null for corpus where one is given, else uniform."""
    corpus: Path | None = None
    """Encoded corpus, for prior and outlets."""
    tokens: Count | None = 256
    """Read only so many tokens from the start of each text, at the cost of so many; null for whole texts."""
    outlets: Annotated[int, pydantic.Field(ge=0)] = 0
    """Sum over so many of a country's most frequent training outlets; 0 for one prefix a country."""
    fields: tuple[Field, ...] | None = None
    """Fields of the prefix; null for those that the model was trained with."""
    window: Count | None = None
    """Tokens of a segment; null for 2048, or what the model can read."""
    top: Count = 5
    """Countries in the table of one text."""
    precision: Precision = "float32"
    """Of the forward pass."""
    batch_tokens: Count = 2048
    """Padded tokens in a batch; a GPU is faster with more, such as 32768."""
    device: str = "auto"
    """auto, cpu or cuda."""
    as_json: tyro.conf.FlagCreatePairsOff[bool] = pydantic.Field(default=False, alias="json")
    """Print one JSON object for each text."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    if any(word.partition("=")[0] == "--out" for word in words):
        raise UserError(
            "--out: dateline locate prints where texts come from; the test on a corpus is "
            "dateline eval locate MODEL --corpus ENCODED --out DIR"
        )
    args = read_arguments("dateline locate", Locate, words)
    if not args.texts:
        raise UserError("nothing to locate: give a TEXT (- for standard input); a corpus is for dateline eval locate")
    from dateline.evaluate.locate.texts import read_texts

    texts = list(read_texts(args.texts))
    import numpy as np

    from dateline.evaluate.locate.locator import (
        check_countries,
        choose_prior,
        default_countries,
        open_locator,
        posterior,
        training_counts,
    )
    from dateline.tokens.store import EncodedCorpus

    corpus = EncodedCorpus.open(args.corpus) if args.corpus is not None else None
    codes = check_countries(args.countries or default_countries(corpus))
    training = training_counts(corpus) if corpus is not None else None
    prior = choose_prior(args.prior or ("uniform" if corpus is None else "corpus"), codes, training)
    locator = open_locator(
        args.model,
        codes,
        fields=args.fields,
        outlets=args.outlets,
        corpus=corpus,
        window=args.window,
        num_tokens=args.tokens,
        batch_tokens=args.batch_tokens,
        device=args.device,
        precision=args.precision,
    )
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        group = texts[start : start + TEXTS_AT_ONCE]
        bodies = locator.subject.encode([text.body for text in group])
        probabilities = posterior(locator.nll(bodies, [text.name for text in group]), prior)
        counts = np.array([(len(locator.read(body)), len(body)) for body in bodies])
        results = [
            _result(text, codes, locator.prompts.continents, row, count)
            for text, row, count in zip(group, probabilities, counts.tolist(), strict=True)
        ]
        if args.as_json:
            for result in results:
                print(json.dumps(result))
        elif len(texts) == 1:
            _print_one(results[0], args.top)
        else:
            print_rows([_line(result) for result in results])


def _result(
    text: Text,
    codes: Sequence[str],
    continents: Sequence[str],
    probabilities: npt.NDArray[np.float64],
    counts: Sequence[int],
) -> dict[str, Any]:
    """Returns what is said of one text, most probable places first."""
    from dateline.evaluate.locate.locator import by_continent

    names, summed = by_continent(probabilities[None], continents)
    by_country = dict(sorted(zip(codes, probabilities.tolist(), strict=True), key=lambda item: -item[1]))
    return {
        "source": text.name,
        "country": next(iter(by_country)),
        "continent": names[int(summed[0].argmax())],
        "countries": by_country,
        "continents": dict(sorted(zip(names, summed[0].tolist(), strict=True), key=lambda item: -item[1])),
        "tokens_read": counts[0],
        "tokens": counts[1],
    }


def _print_one(result: dict[str, Any], top: int) -> None:
    from dateline.places import all_countries

    countries = list(result["countries"].items())
    known = all_countries()
    rows = [
        {"country": known[code].name, "code": code, "continent": known[code].continent, "probability": _percent(value)}
        for code, value in countries[:top]
    ]
    print_rows(rows)
    rest = countries[top:]
    if rest:
        print(f"{len(rest)} others together {_percent(sum(value for _, value in rest))}")
    print(", ".join(f"{name} {_percent(value)}" for name, value in result["continents"].items()))
    if result["tokens_read"] < result["tokens"]:
        print(f"from the first {result['tokens_read']} of {result['tokens']} tokens")


def _line(result: dict[str, Any]) -> dict[str, str]:
    country, continent = result["country"], result["continent"]
    return {
        "text": one_line(result["source"]),
        "country": f"{country} {_percent(result['countries'][country])}",
        "continent": f"{continent} {_percent(result['continents'][continent])}",
        "tokens": f"{result['tokens_read']}",
    }


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"
