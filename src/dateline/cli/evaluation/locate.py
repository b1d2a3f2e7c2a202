"""`dateline locate`: where a text comes from, as a conditioned model sees it.

Enters: a model folder and texts, or an encoded corpus. Leaves: probabilities of countries and continents on standard
output; for a corpus a folder with accuracy and calibration.
Deliberately not done: no text is sent anywhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from dateline.cli.evaluation.protocol import at_least
from dateline.cli.evaluation.tables import print_rows, split_words
from dateline.config import validate_recipe
from dateline.errors import UserError, one_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dateline.evaluate.locate.texts import Text
    from dateline.records import Score

TEXTS_AT_ONCE = 64


@dataclass(frozen=True)
class Locate:
    """Weighs where texts come from: p(place | text) by Bayes' rule from p(text | place) of a conditioned model.

    MODEL is the output of dateline train. A TEXT is words between quotes, - for standard input, a text file, or JSON
    Lines or Parquet with a text (and title) a line. Its first line is taken for the headline. With --corpus and --out,
    and no TEXT, the corpus's test split is located, and the model is compared with TF-IDF and logistic regression, with
    the names of places and without.
    """

    model: Annotated[Path, tyro.conf.Positional]
    """Model folder."""
    texts: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """What is located."""
    countries: str = ""
    """Among which countries, separated by commas (default: those of the corpus's training split, or the paper's 18)."""
    prior: str = ""
    """How probable each is beforehand: uniform, corpus (its training documents), numbers such as gb=3,ng=1, or a file
    of them (default: corpus where one is given, else uniform)."""
    corpus: Path | None = None
    """Encoded corpus."""
    out: Path | None = None
    """Folder to make for the test of a corpus."""
    tokens: int = 256
    """Read only so many tokens from the start of each text, at the cost of so many; 0 for whole texts."""
    outlets: int = 0
    """Sum over so many of a country's most frequent training outlets (default: say only the country)."""
    fields: str = ""
    """Fields that the model was told, separated by commas (default: those that it was trained with)."""
    window: int = 0
    """Tokens of a segment (default: 2048, or what the model can read)."""
    top: int = 5
    """Countries in the table of one text."""
    documents: int = 0
    """Of a corpus, so many test documents (default: all)."""
    per_country: int = 0
    """Of a corpus, at most so many test documents of each country (default: all)."""
    baseline: bool = True
    """Of a corpus, compare with TF-IDF and logistic regression (scikit-learn)."""
    run: str = ""
    """Of a corpus, the model's name in the tables (default: the model folder's name)."""
    resamples: int = 10_000
    """Of a corpus, bootstrap resamples over documents."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the forward pass."""
    batch_tokens: int = 2048
    """Padded tokens in a batch; a GPU is faster with more, such as 32768."""
    device: str = "auto"
    """auto, cpu or cuda."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object for each text."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands at --out."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args = tyro.cli(Locate, prog="dateline locate", args=words)
    if args.texts and args.out is not None:
        raise UserError("a TEXT and --out: texts are printed, a corpus's test split is written; leave one out")
    if not args.texts and (args.corpus is None or args.out is None):
        raise UserError("nothing to locate: give a TEXT (- for standard input), or --corpus ENCODED and --out DIR")
    at_least(1, batch_tokens=args.batch_tokens, top=args.top)
    at_least(2, resamples=args.resamples)
    counts = ("tokens", "outlets", "window", "documents", "per_country")
    at_least(0, **{name: getattr(args, name) for name in counts})
    if args.texts:
        _locate_texts(args)
    else:
        _locate_corpus(args)


def _locate_texts(args: Locate) -> None:
    from dateline.evaluate.locate.texts import read_texts

    texts = list(read_texts(args.texts))
    import numpy as np

    from dateline.evaluate.locate.locator import open_locator
    from dateline.evaluate.locate.posterior import posterior
    from dateline.evaluate.locate.prior import choose_prior
    from dateline.evaluate.locate.prompts import check_countries, default_countries, training_counts
    from dateline.tokens.store import EncodedCorpus

    corpus = EncodedCorpus.open(args.corpus) if args.corpus is not None else None
    codes = check_countries(split_words(args.countries) or default_countries(corpus))
    training = training_counts(corpus) if corpus is not None else None
    prior = choose_prior(args.prior or ("uniform" if corpus is None else "corpus"), codes, training)
    locator = open_locator(
        args.model, codes, fields=_fields(args), outlets=args.outlets, corpus=corpus, window=args.window or None,
        num_tokens=args.tokens or None, batch_tokens=args.batch_tokens, device=args.device, dtype=args.precision,
    )  # fmt: skip
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        group = texts[start : start + TEXTS_AT_ONCE]
        bodies = locator.subject.encode([text.body for text in group])
        probabilities = posterior(locator.nll(bodies, [text.name for text in group]), prior)
        counts = np.array([(len(locator.read(body)), len(body)) for body in bodies])
        results = [
            _result(text, codes, locator.prompts.continents, row, count)
            for text, row, count in zip(group, probabilities, counts.tolist(), strict=True)
        ]
        if args.json:
            for result in results:
                print(json.dumps(result))
        elif len(texts) == 1:
            _print_one(results[0], args.top)
        else:
            print_rows([_line(result) for result in results])


def _result(
    text: Text, codes: Sequence[str], continents: Sequence[str], probabilities: npt.NDArray[np.float64],
    counts: Sequence[int],
) -> dict[str, Any]:  # fmt: skip
    """Returns what is said of one text, most probable places first."""
    from dateline.evaluate.locate.posterior import by_continent

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


def _locate_corpus(args: Locate) -> None:
    from dateline.evaluate.locate.run import evaluate_locating
    from dateline.evaluate.table import read_scores

    assert args.corpus is not None
    assert args.out is not None
    manifest = evaluate_locating(
        args.model,
        args.corpus,
        run=args.run or args.model.resolve().name,
        out=args.out,
        countries=split_words(args.countries),
        fields=_fields(args),
        outlets=args.outlets,
        prior=args.prior or "corpus",
        window=args.window or None,
        num_tokens=args.tokens or None,
        num_documents=args.documents or None,
        per_country=args.per_country or None,
        baseline=args.baseline,
        batch_tokens=args.batch_tokens,
        device=args.device,
        dtype=args.precision,
        resamples=args.resamples,
        overwrite=args.overwrite,
    )
    scores = read_scores(args.out)
    if args.json:
        print(json.dumps({"counts": manifest.counts, "drops": manifest.drops, "scores": _plain(scores)}))
        return
    for condition in dict.fromkeys(score.condition for score in scores):
        print_rows(_table(scores, condition))
        print()
    for score in scores:
        if score.versus and score.grouping == "all":
            print(_comparison(score))
    if missing := manifest.facts["without_documents"]:
        print(f"no test documents, hence no numbers: {', '.join(missing)}")
    left = ", ".join(f"{number:,} {reason}" for reason, number in manifest.drops.items())
    if left:
        print(f"left out of {manifest.counts['in']:,} documents: {left}")
    print(f"{manifest.counts['kept']} documents, 95% intervals; everything is in {args.out}")


def _fields(args: Locate) -> Any:
    from dateline.conditions import Conditioning

    if not args.fields:
        return None
    return validate_recipe(Conditioning, {"fields": split_words(args.fields)}, source="--fields").fields


def _table(scores: Sequence[Score], condition: str) -> list[dict[str, str]]:
    """Returns a row a metric and a column a run, over all documents under one condition."""
    rows: dict[str, dict[str, str]] = {}
    for score in scores:
        if score.grouping == "all" and score.condition == condition and not score.versus:
            row = rows.setdefault(score.metric, {condition: score.metric.replace("_", " ")})
            ends = "one document" if math.isnan(score.ci_low) else f"{score.ci_low:.3f}, {score.ci_high:.3f}"
            row[score.run] = f"{score.value:.3f} [{ends}]"
    return list(rows.values())


def _comparison(score: Score) -> str:
    p = "not tested"
    if score.p_value is not None and score.p_holm is not None:
        p = f"p = {score.p_value:.2g} (McNemar), {score.p_holm:.2g} after Holm's correction"
    ends = "no interval" if math.isnan(score.ci_low) else f"{score.ci_low:+.3f}, {score.ci_high:+.3f}"
    return f"accuracy of {score.run}/{score.condition} less {score.versus}: {score.value:+.3f} [{ends}], {p}"


def _plain(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Returns scores as JSON takes them: what is no number is null."""
    from dataclasses import asdict

    return [
        {name: None if isinstance(value, float) and value - value != 0 else value for name, value in asdict(s).items()}
        for s in scores
    ]


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"
