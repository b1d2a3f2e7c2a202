"""Everything that an experiment's folder may hold beside perplexity by country, made up with plausible numbers."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dateline.manifest import Manifest, write_manifest
from dateline.places.countries import PAPER_COUNTRIES, continent_of
from dateline.records import CONTINENTS, Score

from .helpers import build, score, scores, write_scores

FIELDS = "domain+country+continent"
RANGES = ("0-15", "16-31", "32-63", "64-127", "128-255", "256-511", "512-1023")
FORMS = {"accuracy_cloze": 0.41, "accuracy_letter": 0.36, "accuracy_paper_generative": 0.58}
TOLD = {"gold": 0.05, "none": 0.0, "wrong": -0.04}


def difference(run: str, condition: str, versus: str, value: float, half: float, **more: Any) -> Score:
    """Returns a paired difference as the newest tables hold it: corrected, with what could not be detected."""
    p_value = max(1e-4, math.erfc(abs(value) / half * 1.96 / math.sqrt(2)))
    known = {"p_value": p_value, "p_holm": min(1.0, 6 * p_value), "mde": 1.43 * half, "num_outlets": 54}
    return score(run, condition, "nll_difference", value, half, versus=versus, **known | {"fields": FIELDS} | more)


def swaps(run: str, countries: Sequence[str], told: Sequence[str] | None = None, *, paired: bool = True) -> list[Score]:
    """Returns levels of every text under every country told, and the differences to the text's own country."""
    rng = random.Random(len(run))
    hardness = {code: 2.1 + rng.gauss(0, 0.12) for code in countries}
    result = []
    for other in told or countries:
        for code in countries:
            near = continent_of(code) == continent_of(other)
            cost = 0.0 if code == other else abs(rng.gauss(0.07 if near else 0.16, 0.05))
            size = {"grouping": "country", "group": code, "num_documents": 100, "num_tokens": 22_908, "fields": FIELDS}
            value = hardness[code] + cost
            result.append(score(run, f"swap:{other}", "nll", value, 0.09, **size))
            if paired and code != other:
                result.append(difference(run, f"swap:{other}", f"{run}/swap:{code}", cost, 0.03, **size))
        result.append(score(run, f"swap:{other}", "nll", 2.3, 0.03, fields=FIELDS))
    return result


def tokens(run: str, condition: str, versus: str, gain: float, **more: Any) -> list[Score]:
    """Returns the differences by position and by part."""
    result = []
    for at, name in enumerate(RANGES):
        size = {"grouping": "position", "group": name, "num_documents": 1800 - 240 * at}
        half = 0.012 + 0.004 * at
        result.append(difference(run, condition, versus, gain * math.exp(-0.45 * at) * 2.2, half, **size | more))
    for name, strength in (("title", 2.6), ("first 64", 1.6), ("rest", 0.7)):
        size = {"grouping": "part", "group": name}
        result.append(difference(run, condition, versus, gain * strength, 0.018, **size | more))
    return result


def whole_table(countries: Sequence[str] = PAPER_COUNTRIES, seeds: int = 1) -> list[Score]:
    """Returns a table with everything: swaps, positions, parts, field choices, the leak, a run that saw URLs."""
    base = [
        dataclasses.replace(row, fields=FIELDS if row.condition != "none" and not row.run.startswith("plain") else "")
        for row in scores(countries, seeds)
    ]
    table = []
    for row in base:
        half = (row.ci_high - row.ci_low) / 2
        more = {"p_holm": min(1.0, 20 * (row.p_value or 0)), "mde": 1.43 * half} if row.versus else {}
        table.append(dataclasses.replace(row, num_outlets=54, **more))
    last = f"-seed{seeds - 1}" if seeds > 1 else ""
    told, plain = f"conditioned{last}", f"plain{last}"
    for condition, gain in (
        ("country", -0.081), ("continent", -0.035), ("country+continent", -0.084), ("domain", -0.101),
        ("url_hash", -0.064), ("marginal:corpus", -0.012), ("marginal:uniform", -0.0094),
    ):  # fmt: skip
        shown = condition if not condition.startswith("marginal") else FIELDS
        table += [score(told, condition, "nll", 2.214 + gain, 0.022, fields=shown, num_outlets=54)]
        table += [
            score(told, condition, "nll", 2.214 + gain, 0.09, grouping="country", group=code, num_documents=100)
            for code in countries
        ]
        table += [difference(told, condition, f"{plain}/none", gain, 0.0095, fields=shown)]
    url = "url+country+continent"
    table += [score("with-url", "gold", "nll", 1.94, 0.022, fields=url, num_outlets=54)]
    table += [score("with-url", "gold", "ppl", 6.96, 0.15, fields=url, num_outlets=54)]
    table += [difference("with-url", "gold", f"{plain}/none", -0.274, 0.011, fields=url)]
    table += tokens("with-url", "gold", f"{plain}/none", -0.2, fields=url)
    table += tokens(told, "gold", f"{plain}/none", -0.11)
    table += tokens(told, "none", f"{plain}/none", 0.004)
    table += swaps(told, countries)
    share = {"grouping": "all", "group": "all"}
    table += [score("", "", "title_in_url", 0.613, 0.011, **share)]
    table += [score("", "", "title_in_url", 0.5 + 0.05 * at, 0.03, grouping="continent", group=name)
              for at, name in enumerate(CONTINENTS)]  # fmt: skip
    if seeds > 1:
        table.append(difference("conditioned", "gold", "plain/none", -0.118, 0.014, num_seeds=seeds))
    return table


def row(metric: str, value: float, half: float, **more: Any) -> Score:
    """Returns a row of another measure than perplexity."""
    known: dict[str, Any] = {"run": "conditioned", "condition": "text", "protocol": "locate-1", "num_documents": 1800}
    known |= more
    run, condition = known.pop("run"), known.pop("condition")
    return score(run, condition, metric, value, half, **known)


def write_locating(folder: Path, countries: Sequence[str], run: str = "conditioned", fields: str = FIELDS) -> None:
    """Writes `locate/<run>/`."""
    rng = random.Random(5)
    place = folder / "locate" / run
    place.mkdir(parents=True)
    table, bins, confusion = [], [], []
    for who, strength in ((run, 1.0), ("tfidf", 0.9)):
        for condition, share in (("text", 0.78), ("names masked", 0.49)):
            right = share * strength
            known = {"run": who, "condition": condition, "fields": fields if who == run else ""}
            table += [row("accuracy_country", right, 0.021, **known), row("log_loss", 1.9 - right, 0.06, **known)]
            table += [row("top3_country", min(0.98, right + 0.15), 0.015, **known), row("ece", 0.061, 0.011, **known)]
            table += [row("accuracy_continent", min(0.97, right + 0.1), 0.017, **known)]
            for code in countries:
                size = {"grouping": "country", "group": code, "num_documents": 100}
                own = min(0.99, max(0.05, right + rng.gauss(0, 0.1)))
                table.append(row("accuracy_country", own, 0.09, **known, **size))
                others = [other for other in countries if other != code] or [code]
                confusion.append((who, condition, code, code, round(100 * own)))
                for other in rng.sample(others, min(4, len(others))):
                    confusion.append((who, condition, code, other, round(25 * (1 - own))))
            for at in range(10):
                confidence, count = 0.05 + 0.1 * at, 20 + 40 * at
                share = min(1.0, max(0.0, confidence - 0.06 * strength + rng.gauss(0, 0.02)))
                half = 1.0 / math.sqrt(count)
                bins.append((who, condition, at / 10, (at + 1) / 10, count, confidence, share,
                             max(0.0, share - half), min(1.0, share + half)))  # fmt: skip
            if who == run:
                table.append(row("accuracy_country_difference", 0.071, 0.018, versus=f"tfidf/{condition}",
                                 p_value=0.0002, p_holm=0.0004, **known))  # fmt: skip
    write_scores(place, table)
    _write(
        place / "reliability.parquet", bins, "run condition bin_low bin_high count confidence accuracy ci_low ci_high"
    )
    _write(place / "confusion.parquet", confusion, "run condition truth predicted count")
    write_manifest(place, Manifest.of("locate", {}, {}, facts={"places": list(countries)}))


def write_questions(folder: Path, run: str = "conditioned", fields: str = FIELDS, chance: float | None = 0.25) -> None:
    """Writes `mcq/<run>/`."""
    place = folder / "mcq" / run
    place.mkdir(parents=True)
    table = []
    for metric, share in FORMS.items():
        for condition, more in TOLD.items():
            known = {"run": run, "condition": condition, "fields": fields, "protocol": "mcq-1", "num_documents": 800}
            table.append(row(metric, share + more, 0.034, **known))
            for at, name in enumerate(CONTINENTS):
                size = {"grouping": "continent", "group": name, "num_documents": 160}
                table.append(row(metric, share + more + 0.02 * (at - 2), 0.075, **known | size))
    for metric, share in (("switch_cloze", 0.63), ("shift_cloze", 0.71), ("switch_letter", 0.54)):
        known = {"run": run, "condition": "gold", "fields": fields, "protocol": "mcq-1", "num_documents": 210}
        table.append(row(metric, share, 0.065, **known))
    known = {"run": run, "condition": "gold", "fields": fields, "protocol": "mcq-1", "num_documents": 800}
    for metric in ("accuracy_cloze", "accuracy_letter"):
        table.append(row(f"{metric}_difference", 0.05, 0.021, versus=f"{run}/none", p_value=0.003, **known))
    write_scores(place, table)
    write_manifest(place, Manifest.of("mcq", {}, {}, facts={} if chance is None else {"chance": chance}))


def write_efficiency(folder: Path, run: str = "conditioned", *, reached: bool = True) -> None:
    """Writes `efficiency/<run>/`; `reached` false leaves both intervals without an upper end."""
    place = folder / "efficiency" / run
    place.mkdir(parents=True)
    known = {"run": run, "condition": "gold", "versus": "plain/none", "protocol": "efficiency-1", "fields": FIELDS}
    table = [row("tokens_to_reach", 3.9e6, 4e5, **known), row("share_to_reach", 0.64, 0.07, **known)]
    if not reached:
        table = [dataclasses.replace(one, ci_high=math.inf) for one in table]
    write_scores(place, table)
    write_manifest(place, Manifest.of("efficiency", {}, {}))


def build_whole(folder: Path, countries: Sequence[str] = PAPER_COUNTRIES, seeds: int = 1) -> Path:
    """Fills a folder with everything that a report can show."""
    build(folder, countries, seeds)
    write_scores(folder, whole_table(countries, seeds))
    write_locating(folder, countries)
    write_questions(folder)
    write_efficiency(folder)
    return folder


def _write(path: Path, rows: Sequence[tuple[Any, ...]], names: str) -> None:
    columns = list(zip(*rows, strict=True))
    pq.write_table(pa.table(dict(zip(names.split(), map(list, columns), strict=True))), path)
