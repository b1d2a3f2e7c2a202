"""The page of an experiment, section by section, each computed from the long table of scores.

A section is a function from `Results` to a `Section`, or None where its measure was not made; `SECTIONS` is their order.
Nothing is tested or resampled here: values, intervals and p-values are those of the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml
from markupsafe import Markup

from dateline.manifest import write_atomically
from dateline.records import CONTINENTS, SPLITS
from dateline.report import figures
from dateline.report.figures import Interval, clean
from dateline.report.page import Bar, Block, Cards, Code, Figures, Fold, Heading, Row, Section, Table, Text, render_page
from dateline.report.results import Results, is_swap, read_results
from dateline.report.words import (
    MARK,
    NOT_AVAILABLE,
    NOT_RECORDED,
    OTHER,
    SWAP,
    condition_name,
    continent_name,
    count,
    country_name,
    decimals,
    duration,
    interval,
    is_number,
    large,
    listed,
    number,
    p_text,
    percent,
    perplexity_change,
    some,
    upper,
)

REPORT = "report.html"
LEVEL = 0.05
"""Holm-corrected p-values below this count as shown."""
MOST_CARDS = 5
MOST_COMPARED, MOST_DRAWN = 6, 4
"""Comparisons and models that get a figure; the others are named, and their numbers stand in the tables."""
MOST_COLUMNS = 28
"""Columns of the map of countries."""
MOST_LINES = 12
"""Lines of a figure that can still be told apart."""
MOST_COUNTRIES = 40
"""Countries of a confusion matrix; beyond, the rarest are named."""
MOST_POINTS = 400
"""Points of a learning curve."""
MOST_ROWS = 3000
"""Rows of the whole score table on the page."""
ORDER = ("gold", "none", "wrong")
"""Conditions in the order in which they are shown; further ones follow by name."""
BASELINE_WORDS = "tfidf"
FORMS = {
    "accuracy_cloze": "Accuracy, cloze form",
    "accuracy_letter": "Accuracy, letter form",
    "accuracy_paper_generative": "Accuracy, generated letter as published",
    "accuracy_paper_generative_strict": "Accuracy, generated letter, every item counted",
    "switch_cloze": "Switch, cloze form",
    "switch_letter": "Switch, letter form",
    "shift_cloze": "Shift, cloze form",
    "shift_letter": "Shift, letter form",
}
"""Metrics of multiple-choice questions. Switch and shift ask the same question of two places with two answers."""
INFERENCE = {
    "accuracy_country": "country",
    "top3_country": "country in top 3",
    "accuracy_continent": "continent",
    "ece": "ECE",
    "log_loss": "log loss, nats",
}
EFFECT = ("#difference", "#95% CI", "#p", "#p (Holm)", "#MDE", "#documents")


class Comparison(NamedTuple):
    """What is subtracted from what, on the same documents."""

    run: str
    condition: str
    versus_run: str
    versus_condition: str


def write_report(folder: Path) -> Path:
    """Writes `report.html` into the folder of an experiment.

    Args:
        folder: that `dateline experiment` made.

    Returns:
        The path of the page.

    Raises:
        UserError: where there is no score table, it mixes protocols, or the folder belongs to another stage.

    Example:
        write_report(Path("runs/quickstart"))  # runs/quickstart/report.html
    """
    path = folder / REPORT
    write_atomically(path, render(read_results(folder)))
    return path


def render(results: Results) -> str:
    """Returns the whole page as HTML: the same results give the same text."""
    manifest = results.manifest
    recipe = manifest.recipe if manifest else {}
    sections = [section for make in SECTIONS if (section := make(results)) is not None]
    shown = {section.name: section for section in sections}
    for name, words in results.gaps.items():
        place = shown.get({"efficiency": "learning"}.get(name, name)) or shown["making"]
        place.blocks += [Text(one, "gap") for one in words]
    return render_page(
        "experiment.html.j2",
        title=clean(recipe.get("name") or results.folder.resolve().name or "Experiment"),
        created=manifest.created if manifest else "",
        warning=leak_warning(results),
        verdict=verdict(results),
        keys=key_numbers(results),
        sections=sections,
    )


# What the table says of models and comparisons


def rows_of(
    results: Results, measure: str, metric: str = "", slice_by: str = "", *, tests: bool | None = None
) -> pd.DataFrame:
    """Returns the scores of a measure that are shown, without single seeds of what is pooled over seeds.

    Args:
        results: of the experiment.
        measure: `perplexity`, `leak`, `locate`, `mcq` or `efficiency`.
        metric: one metric; empty for all.
        slice_by: `all`, `continent`, `country`, `part` or `position`; empty for all.
        tests: True for differences only, False for levels only.
    """
    table = results.scores
    keep = table["shown"] & (table["measure"] == measure)
    if metric:
        keep &= table["metric"] == metric
    if slice_by:
        keep &= table["slice_by"] == slice_by
    if tests is not None:
        keep &= (table["versus_run"] != "") == tests
    return table[keep]


def baseline(results: Results) -> str:
    """Returns the family that was trained without metadata: the first of those, or the most frequent reference."""
    plain = results.runs[results.runs["fields"] == ""]
    if len(plain):
        return str(plain["family"].iloc[0])
    versus = rows_of(results, "perplexity", "nll_difference")["versus_family"]
    levels = rows_of(results, "perplexity")["family"]
    return str(versus.mode().iloc[0] if len(versus) else levels.iloc[0] if len(levels) else "")


def comparisons(results: Results) -> list[Comparison]:
    """Returns the comparisons of losses over all texts: those with the baseline first, gold metadata first."""
    found = rows_of(results, "perplexity", "nll_difference", "all")
    plain = baseline(results)
    families = {(r.run, r.versus_run): (r.family, r.versus_family) for r in found.itertuples()}

    def rank(one: Comparison) -> tuple[bool, bool, bool, int, str]:
        family, versus = families[one.run, one.versus_run]
        return (is_swap(one.condition), versus != plain, family == plain, _rank(one.condition), one.condition)

    names = found[list(Comparison._fields)].drop_duplicates().itertuples(index=False)
    return sorted((Comparison(*name) for name in names), key=rank)


def effects(results: Results, one: Comparison, slice_by: str = "") -> pd.DataFrame:
    """Returns the differences of one comparison, indexed by slice."""
    found = rows_of(results, "perplexity", "nll_difference", slice_by)
    for name, value in one._asdict().items():
        found = found[found[name] == value]
    return found.drop_duplicates("slice").set_index("slice", drop=False)


def side(results: Results, run: str, condition: str) -> str:
    """Names a model under a condition, with the mark of a leak where its prefix showed the URL."""
    table = results.scores
    alike = table["leaks"] & (table["condition"] == condition) & (table["versus_run"] == "")
    leaks = "url" in condition.split("+") or run in {*table.loc[alike, "run"], *table.loc[alike, "family"]}
    return f"{MARK} {run}, {condition_name(condition)}" if leaks else f"{run}, {condition_name(condition)}"


def pair(results: Results, one: Comparison) -> str:
    """Names a comparison: `conditioned, gold metadata minus plain, no metadata`."""
    return f"{side(results, one.run, one.condition)} minus {side(results, one.versus_run, one.versus_condition)}"


def effect_cells(row: pd.Series, scale: float = 1.0, digits: int = 3) -> list[str]:
    """Returns the cells of `EFFECT` for a row of the table; `scale` is 100 for shares in percentage points."""
    small = is_number(row["mde"]) and scale * row["mde"] < 10.0 ** (1 - digits)
    return [
        number(scale * row["value"], digits, sign=True),
        interval(scale * row["ci_low"], scale * row["ci_high"], digits, sign=True) + _alone(row),
        p_text(row["p"]) if pd.notna(row["p"]) else NOT_AVAILABLE,
        p_text(row["p_holm"]) if pd.notna(row["p_holm"]) else NOT_AVAILABLE,
        number(scale * row["mde"], digits + small) if pd.notna(row["mde"]) else NOT_RECORDED,
        count(row["n_documents"]),
    ]


def reading(row: pd.Series, *, higher_is_better: bool = False) -> str:
    """Says in a few words what a difference means: its direction, and whether it survives Holm's correction."""
    low, high = row["ci_low"], row["ci_high"]
    if not is_number(row["value"]):
        return "The value is not a finite number."
    if not (is_number(low) and is_number(high)):
        return "No interval, so no claim about its sign."
    if low <= 0 <= high:
        return "No difference shown: the interval holds zero."
    better = "Better" if (row["value"] > 0) == higher_is_better else "Worse"
    size = "" if higher_is_better else f": perplexity {perplexity_change(row['value'])}"
    if pd.notna(row["p_holm"]) and row["p_holm"] >= LEVEL:
        return f"{better}{size}, but not after Holm's correction."
    return f"{better}{size}."


def slices(results: Results, table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Returns (group, slice, label) of everything, then each continent's countries; continents stand in `group`."""
    codes = set(table.loc[table["slice_by"] == "country", "slice"])
    found = [(continent_name(code), code, country_name(code)) for code in codes]
    return [("", "all", "All texts"), *sorted(found, key=lambda one: (_continent_rank(one[0]), one[0], one[2]))]


def _continent_rank(name: str) -> int:
    return CONTINENTS.index(name) if name in CONTINENTS else len(CONTINENTS) + (name == OTHER)


def _rank(condition: str) -> int:
    return ORDER.index(condition) if condition in ORDER else len(ORDER)


def _alone(row: pd.Series) -> str:
    return " (one document)" if row["n_documents"] == 1 and not is_number(row["ci_low"]) else ""


def _share_cell(row: pd.Series | None, digits: int = 1) -> str:
    """Says a share with its interval: `73.9% (70.1 to 77.4)`."""
    if row is None:
        return ""
    return f"{percent(row['value'], digits)} ({interval(100 * row['ci_low'], 100 * row['ci_high'], digits)})"


def effect_rows(results: Results, chosen: Sequence[Comparison], *by: str) -> list[Row]:
    """Returns a row for every difference of some comparisons by some kinds of slices."""
    return [
        Row([_label(r), *effect_cells(r)], pair(results, one))
        for one in chosen
        for slice_by in by
        for _, r in effects(results, one, slice_by).iterrows()
    ]


def _shown(
    drawn: Sequence[Markup], summary: str, headings: Sequence[str], rows: Sequence[Row], left_out: Sequence[str] = ()
) -> list[Block]:
    """Returns figures, folded the table of every number in them, and the names of what only the table has."""
    blocks: list[Block] = [Figures(drawn), Fold(summary, [Table(headings, rows)])]
    return blocks + _left_out(left_out, "the table above")


def _left_out(names: Sequence[str], where: str) -> list[Block]:
    return [Text(f"Not drawn: {listed(names)}; the numbers are in {where}.", "gap")] if names else []


# The top of the page


def verdict(results: Results) -> list[str]:
    """Returns the opening paragraph: the main comparison, its spread over countries, its seeds, the recovered gain."""
    compared = comparisons(results)
    if not compared:
        return ["No two models were compared on the same documents, so this report shows levels only."]
    main = compared[0]
    row = effects(results, main, "all").iloc[0]
    name, versus = side(results, main.run, main.condition), side(results, main.versus_run, main.versus_condition)
    if not is_number(row["value"]):
        return [f"The difference between {name} and {versus} is not available."]
    clear = is_number(row["ci_low"]) and is_number(row["ci_high"]) and not row["ci_low"] <= 0 <= row["ci_high"]
    lead = (
        f"{upper(name)} predicts held-out news {'better' if row['value'] < 0 else 'worse'} than {versus}"
        if clear
        else f"No difference is shown between {name} and {versus}"
    )
    amount = f"{number(row['value'], 3, sign=True)} nats per token"
    sure = f"95% CI {interval(row['ci_low'], row['ci_high'], 3, sign=True)}"
    basis = f"{some(row['n_documents'], 'document')}, {some(row['n_seeds'], 'seed')}"
    said = [f"{lead}: {amount} ({sure}; {basis}), which makes perplexity {perplexity_change(row['value'])}."]
    by = effects(results, main, "country")
    if len(by):
        better, worse = ((by["ci_high"] < 0).sum(), (by["ci_low"] > 0).sum())
        first, last = by.loc[by["value"].idxmin()], by.loc[by["value"].idxmax()]
        digits = max(2, decimals(float(by["value"].abs().max())))
        said.append(
            f"By country it is better in {better}, worse in {worse} and undecided in {len(by) - better - worse} of "
            f"{len(by)}; the difference runs from {number(first['value'], digits, sign=True)} "
            f"({country_name(first['slice'])}) to {number(last['value'], digits, sign=True)} "
            f"({country_name(last['slice'])}), and {(by['p_holm'] < LEVEL).sum()} differ after Holm's correction."
        )
    if row["n_seeds"] < 2:
        said.append("One seed was trained: intervals cover the choice of documents, not the luck of training.")
    said.append(gain_sentence(results))
    return [sentence for sentence in said if sentence]


def gain_sentence(results: Results) -> str:
    """Says how much of the possible gain was recovered; empty where that was not measured."""
    gain = results.summary.get("recovered_gain")
    if gain is None:
        return ""
    if not is_number(gain):
        return "The recovered gain is not available: its value is not a finite number."
    return f"Of the gain that the place can bring at best, {percent(gain, 0)} is recovered ({_gain_interval(results)})."


def _gain_interval(results: Results) -> str:
    ends = results.summary.get("recovered_gain_ci")
    if isinstance(ends, list) and len(ends) == 2 and all(map(is_number, ends)):
        return f"95% CI {interval(100 * ends[0], 100 * ends[1], 0)}%"
    return "95% CI not available"


def key_numbers(results: Results) -> list[tuple[str, str, str]]:
    """Returns the cards at the top: the recovered gain, then perplexities; several seeds stand side by side."""
    cards = []
    if results.summary.get("recovered_gain") is not None:
        gain = results.summary["recovered_gain"]
        cards.append(("recovered gain", percent(gain if is_number(gain) else None, 0), _gain_interval(results)))
    levels = rows_of(results, "perplexity", "ppl", "all", tests=False)
    levels = levels[~levels["condition"].map(is_swap)] if not levels["condition"].map(is_swap).all() else levels
    plain = baseline(results)
    order = sorted(
        levels.groupby(["family", "condition"], sort=False), key=lambda item: (item[0][0] != plain, _rank(item[0][1]))
    )
    for (_, condition), seeds in order[:MOST_CARDS]:
        row = seeds.iloc[0]
        note = f"95% CI {interval(row['ci_low'], row['ci_high'])}"
        if len(seeds) > 1:
            note = f"mean of {len(seeds)} seeds: {listed(number(v) for v in seeds['value'])}"
        name = side(results, str(row["family"]), condition)
        cards.append((f"perplexity: {clean(name, 400)}", number(seeds["value"].mean()), note))
    return cards


def leak_warning(results: Results) -> str:
    """Returns the warning for the top of the page; empty where no prefix showed a URL."""
    names = list(dict.fromkeys(results.scores.loc[results.scores["leaks"], "family"]))
    if not names:
        return ""
    found = rows_of(results, "leak", slice_by="all")
    share = f" Here {_share_cell(found.iloc[0])} of the title words stand in it." if len(found) else ""
    return (
        f"{listed(names)} saw the URL of the text under some condition, and its slug repeats words of the title that "
        f"is scored.{share} Numbers marked {MARK} are too good for that reason; compare them with those of the outlet "
        "or the hashed outlet."
    )


# The sections


def differences(results: Results) -> Section:
    """One row for each comparison, then its differences by continent and country."""
    section = Section("differences", "Effect sizes and confidence intervals")
    compared = comparisons(results)
    if not compared:
        section.blocks.append(Text("The score table holds no paired differences, so nothing is claimed.", "gap"))
    tests = listed(dict.fromkeys(f for one in compared for f in effects(results, one, "all")["family_of_tests"]))
    words = (
        "Loss of the first minus loss of the second on the same documents, in nats per body token: negative is better. "
    )
    words += "Intervals are 95%, over documents and, for several seeds, over seeds. MDE: the smallest true difference "
    section.blocks += [Text(f"{words}found in 80% of repetitions. Holm's correction is over {tests}.")] if tests else []
    usual = [one for one in compared if not is_swap(one.condition)]
    swapped = [one for one in compared if is_swap(one.condition)]
    for title, chosen in (("", usual), ("Counterfactual countries against the same references", swapped)):
        rows = [
            Row([pair(results, one).split(" minus ", 1), *effect_cells(r), count(r["n_seeds"]), reading(r)])
            for one in chosen
            for _, r in effects(results, one, "all").iterrows()
        ]
        table = Table(("first, minus second", *EFFECT, "#seeds", "what it means"), rows)
        section.blocks += [Fold(title, [table]) if title else table] if rows else []
    drawn = [one for one in usual if len(effects(results, one, "country"))]
    if drawn:
        words = "Blue is better, orange worse, grey not distinguished from zero. At the right stands the p-value after "
        section.blocks += [
            Heading("By continent and country"),
            Text(words + "Holm's correction within the comparison; ticks are single seeds."),
            *_shown(
                [_forest(results, one, f"forest{at}") for at, one in enumerate(drawn[:MOST_COMPARED])],
                "Every difference by continent and country",
                ("texts of", *EFFECT),
                effect_rows(results, drawn, "continent", "country"),
                [pair(results, one) for one in drawn[MOST_COMPARED:]],
            ),
        ]
    section.blocks.append(_levels(results))
    return section


def _levels(results: Results) -> Block:
    table = rows_of(results, "perplexity", slice_by="all", tests=False)
    rows = []
    for (run, condition), found in table.groupby(["run", "condition"], sort=False):
        by = found.drop_duplicates("metric").set_index("metric")
        cells = [side(results, run, condition)]
        for metric in ("ppl", "nll", "bits_per_byte"):
            row = by.loc[metric] if metric in by.index else None
            cells += ["", ""] if row is None else [number(row["value"], 3), interval(row["ci_low"], row["ci_high"], 3)]
        rows.append(Row([*cells, count(found["n_documents"].max()), count(found["n_tokens"].max())]))
    headings = ("model", "#perplexity", "#95% CI", "#nats/token", "#95% CI", "#bits/byte", "#95% CI", "#documents")
    return Fold("Perplexity of every model and condition", [Table((*headings, "#tokens"), rows)])


def _label(row: pd.Series) -> str:
    if row["slice_by"] == "all":
        return "All texts"
    return country_name(row["slice"]) if row["slice_by"] == "country" else upper(str(row["slice"]))


def _forest(results: Results, one: Comparison, name: str) -> Markup:
    found = pd.concat([effects(results, one, by) for by in ("all", "continent", "country")])
    keyed = found.set_index(["slice_by", "slice"], drop=False)
    places = slices(results, found)[1:]
    wanted = [("all", "all")]
    for group in dict.fromkeys(group for group, _, _ in places):
        wanted += [("continent", group), *(("country", code) for of, code, _ in places if of == group)]
    seeds = results.scores[~results.scores["shown"]]
    for column, value in zip(("family", "condition", "versus_family", "versus_condition"), one, strict=True):
        seeds = seeds[(seeds[column] == value) & (seeds["metric"] == "nll_difference")]
    ticks = seeds.groupby(["slice_by", "slice"])["value"].apply(tuple).to_dict()
    rows = [
        figures.Row(
            _label(keyed.loc[key]),
            (_mark(keyed.loc[key]),),
            p_text(keyed.loc[key, "p_holm"]) if pd.notna(keyed.loc[key, "p_holm"]) else "n/a",
            key[0] != "country",
            ticks.get(key, ()),
        )
        for key in wanted
        if key in keyed.index
    ]
    title, versus = side(results, one.run, one.condition), side(results, one.versus_run, one.versus_condition)
    return figures.intervals(
        rows, name, title, f"{title} minus {versus}, by group.", unit=f"nats per token, minus {versus}"
    )


def _mark(row: pd.Series, scale: float = 1.0) -> Interval:
    return Interval(scale * row["value"], scale * row["ci_low"], scale * row["ci_high"])


def countries(results: Results) -> Section:
    """The map: differences to the baseline by country and condition."""
    section = Section("countries", "Where metadata helps")
    plain = baseline(results)
    found = rows_of(results, "perplexity", "nll_difference")
    found = found[(found["versus_family"] == plain) & found["slice_by"].isin(["all", "country"])]
    chosen = [one for one in comparisons(results) if one.versus_run in set(found["versus_run"])]
    places = slices(results, found)
    if len(places) < 2 or not chosen:
        words = "The score table has no paired differences to the baseline by country, so there is no map."
        section.blocks.append(Text(words, "gap"))
        return section
    drawn = chosen[:MOST_COLUMNS]
    names = [side(results, one.run, one.condition) for one in drawn]
    short = names if len({one.run for one in drawn}) > 1 else [name.replace(f"{drawn[0].run}, ", "") for name in names]
    by = [effects(results, one)["value"] for one in drawn]
    values = _table(
        [(group, label) for group, _, label in places],
        [(one.run, name) for one, name in zip(drawn, short, strict=True)],
        [[float(column.get(code, math.nan)) for column in by] for _, code, _ in places],
    )
    words = f"Loss under each condition minus that of {plain} without metadata, in nats per body token on the same "
    section.blocks += [
        Text(words + "documents. Blue, below zero: the text is predicted better."),
        *_shown(
            [_map(values, "map", "Differences by country and condition")],
            "Intervals of the map",
            ("texts of", *EFFECT),
            effect_rows(results, drawn, "all", "country"),
            [side(results, one.run, one.condition) for one in chosen[MOST_COLUMNS:]],
        ),
    ]
    return section


def _table(
    rows: Sequence[tuple[str, str]], columns: Sequence[tuple[str, str]], cells: Sequence[object]
) -> pd.DataFrame:
    return pd.DataFrame(cells, pd.MultiIndex.from_tuples(rows), pd.MultiIndex.from_tuples(columns))


def _map(values: pd.DataFrame, name: str, title: str, **look: Any) -> Markup:
    """Draws differences on a scale of their own."""
    largest = float(values.abs().max().max())
    digits = decimals(largest)
    texts = values.map(lambda value: number(value, digits, sign=True) if is_number(value) else "n/a")
    words = f"{values.shape[0]} rows and {values.shape[1]} columns; at most {number(largest, 3)} nats per token."
    return figures.matrix(values, texts, name, title, words, scale=largest or 1.0, **look)


def swaps(results: Results) -> Section | None:
    """The map of counterfactual countries: texts of each country under the metadata of each other country."""
    found = rows_of(results, "perplexity", "nll_difference", "country")
    found = found[found["condition"].map(is_swap) & (found["versus_condition"] == SWAP + found["slice"])]
    prompted = rows_of(results, "perplexity", "nll", "all", tests=False)
    prompted = prompted[prompted["condition"].map(is_swap)]
    if found.empty and prompted.empty:
        return None
    section = Section("swaps", "Counterfactual countries")
    section.blocks.append(
        Text(
            "Rows are the texts of one country, columns the country in the prefix. Each number is the loss minus that "
            "under the row's own country, in nats per body token: the framed diagonal is the reference and zero by "
            "definition. Orange, above zero: the wrong country costs."
        )
    )
    runs = list(dict.fromkeys(found["run"]))
    drawn = []
    for at, run in enumerate(runs[:MOST_DRAWN]):
        own = found[found["run"] == run]
        texts = slices(results, own)[1:]
        codes = {c.removeprefix(SWAP) for c in own["condition"]} - {code for _, code, _ in texts}
        columns = [*texts, *((continent_name(code), code, country_name(code)) for code in sorted(codes))]
        cells = own.drop_duplicates(["slice", "condition"]).set_index(["slice", "condition"])["value"].to_dict()
        values = _table(
            [(group, name) for group, _, name in texts],
            [(group, name) for group, _, name in columns],
            [[0.0 if a[1] == b[1] else cells.get((a[1], SWAP + b[1]), math.nan) for b in columns] for a in texts],
        )
        title = f"Counterfactual countries: {f'{MARK} {run}' if own['leaks'].any() else run}"
        drawn.append(_map(values, f"swaps{at}", title, axes=("texts of", "country in the prefix"), outlined=True))
    rows = [
        Row(
            [f"{_label(r)}, prompted with {country_name(r['condition'].removeprefix(SWAP))}", *effect_cells(r)],
            r["run"],
        )
        for _, r in found.iterrows()
    ]
    if rows:
        section.blocks += _shown(drawn, "Intervals of the maps", ("texts of", *EFFECT), rows, runs[MOST_DRAWN:])
    silent = {c.removeprefix(SWAP) for c in prompted["condition"]} - set(found["slice"])
    if silent:
        names = listed(country_name(code) for code in sorted(silent))
        section.blocks.append(Text(f"{names}: in prefixes, but with no compared text of its own, so no row.", "gap"))
    return section


def tokens(results: Results) -> Section | None:
    """Differences by position and by part of the document, and how much of titles URLs give away."""
    section = Section("tokens", "Where in the document")
    compared = [one for one in comparisons(results) if not is_swap(one.condition)]
    placed = [one for one in compared if len(effects(results, one, "position"))]
    if placed:
        bands = sorted({s for one in placed for s in effects(results, one, "position")["slice"]}, key=_start)
        drawn = []
        for at, one in enumerate(placed[:MOST_COMPARED]):
            found = effects(results, one, "position").reindex(bands)
            value, low, high = (found[name].tolist() for name in ("value", "ci_low", "ci_high"))
            drawn.append(figures.Line(pair(results, one), range(len(bands)), value, low, high, at, at))
        svg = figures.lines(
            drawn,
            "positions",
            "Differences by position",
            f"{len(bands)} ranges of tokens.",
            x="body tokens",
            y="difference, nats per token",
            categories=bands,
        )
        words = (
            "Paired differences by position of the body token, with 95% bands. Each range is twice as long as the one "
        )
        section.blocks.append(Text(words + "before; below zero the first predicts better."))
        section.blocks += _shown(
            [svg],
            "Intervals by position",
            ("tokens", *EFFECT),
            effect_rows(results, placed, "position"),
            [pair(results, one) for one in placed[MOST_COMPARED:]],
        )
    split = [one for one in compared if len(effects(results, one, "part"))]
    if split:
        by = [pd.concat([effects(results, one, "all"), effects(results, one, "part")]) for one in split[:MOST_COMPARED]]
        parts = list(dict.fromkeys(name for found in by for name in found["slice"]))
        marks = [
            figures.Row(
                "All tokens" if part == "all" else upper(part),
                tuple(_mark(found.loc[part]) if part in found.index else None for found in by),
                strong=part == "all",
            )
            for part in parts
        ]
        svg = figures.intervals(
            marks,
            "parts",
            "Differences by part of the document",
            f"{len(parts) - 1} parts.",
            unit="difference, nats per token; lower is better",
            series=[pair(results, one) for one in split[:MOST_COMPARED]],
        )
        section.blocks.append(Heading("Title, first 64 tokens, rest"))
        section.blocks += _shown(
            [svg],
            "Intervals by part",
            ("tokens", *EFFECT),
            effect_rows(results, split, "part"),
            [pair(results, one) for one in split[MOST_COMPARED:]],
        )
    leak = rows_of(results, "leak").drop_duplicates(["slice_by", "slice"])
    if len(leak):
        every = leak[leak["slice_by"] == "all"]
        said = f"{_share_cell(every.iloc[0])} of the title words stand in the slug of the URL. " if len(every) else ""
        rows = [Row([_label(r), _share_cell(r), count(r["n_documents"])]) for _, r in leak.iterrows()]
        section.blocks += [
            Heading("Title words in the URL"),
            Text(f"{said}A model that is prompted with the URL can copy them.", "said"),
            Fold("By continent and country", [Table(("texts of", "#share (95% CI)", "#documents"), rows)]),
        ]
    return section if section.blocks else None


def _start(name: str) -> tuple[float, str]:
    """Returns where a range of tokens begins; what is no range comes last."""
    start = name.partition("-")[0].rstrip("+")
    return (float(start) if start.isdecimal() else math.inf, name)


def _guesser(row: pd.Series) -> str:
    if row["run"] == BASELINE_WORDS:
        return "TF-IDF baseline"
    return f"{MARK} {row['run']}" if row["leaks"] else str(row["run"])


def locate(results: Results) -> Section | None:
    """Country inference: accuracy, calibration and confusions of every model and of the baseline."""
    found = rows_of(results, "locate")
    if found.empty:
        return Section("locate", "Country inference by Bayes' rule") if "locate" in results.gaps else None
    section = Section("locate", "Country inference by Bayes' rule")
    levels = found[(found["versus_run"] == "") & found["metric"].isin(INFERENCE)]
    who = found[found["versus_run"] == ""].sort_values("leaks").groupby(["run", "condition"], sort=False).last()
    names = {
        key: _guesser(row.rename(None))
        for key, row in who.reset_index().set_index(["run", "condition"], drop=False).iterrows()
    }
    order = sorted(names, key=lambda key: (key[0] == BASELINE_WORDS, key[1] != "text"))
    rows = []
    for run, condition in order:
        own = levels[(levels["run"] == run) & (levels["condition"] == condition) & (levels["slice_by"] == "all")]
        by = own.drop_duplicates("metric").set_index("metric")
        cells = [
            (
                _share_cell(by.loc[m])
                if m != "log_loss"
                else f"{number(by.loc[m, 'value'], 3)} ({interval(by.loc[m, 'ci_low'], by.loc[m, 'ci_high'], 3)})"
            )
            if m in by.index
            else NOT_AVAILABLE
            for m in INFERENCE
        ]
        rows.append(Row([names[run, condition], condition_name(condition), *cells, count(own["n_documents"].max())]))
    headings = ("model", "texts", *(f"#{name}" for name in INFERENCE.values()), "#texts")
    changes = found[(found["versus_run"] != "") & (found["slice_by"] == "all")]
    section.blocks += [
        Text(
            "The model names the country under which a text is most probable. Texts mention their country by name, so "
            "each number is given on the full text and with place names masked. 95% CIs in brackets."
        ),
        Table(headings, rows),
    ]
    if not (found["run"] == BASELINE_WORDS).any():
        section.blocks.append(Text("No word-counting baseline was fitted, so there is nothing to compare with.", "gap"))
    if len(changes):
        section.blocks += [Heading("Differences in accuracy, percentage points"), _share_changes(results, changes)]
    models = [key for key in order if key[0] != BASELINE_WORDS]
    drawn, undrawn = models[:MOST_DRAWN], [f"{names[key]} ({condition_name(key[1])})" for key in models[MOST_DRAWN:]]
    keyed = dict(iter(results.bins.groupby(["run", "condition"], sort=False)))
    diagrams = [
        figures.reliability(
            keyed[key],
            f"reliability{at}",
            f"{names.get(key, key[0])}, {condition_name(key[1])}",
            "Accuracy against confidence; on the dashed line they agree.",
        )
        for at, key in enumerate([*drawn, *(key for key in order if key[0] == BASELINE_WORDS)])
        if key in keyed
    ]
    if diagrams:
        bins = [
            Row(
                [
                    percent(b.confidence),
                    percent(b.accuracy),
                    interval(100 * b.ci_low, 100 * b.ci_high, 1),
                    count(b.count_),
                ],
                f"{names.get((b.run, b.condition), b.run)}, {condition_name(b.condition)}",
            )
            for b in results.bins.rename(columns={"count": "count_"}).itertuples()
        ]
        section.blocks += [
            Heading("Calibration"),
            Text("Each dot is a bin of guesses with Wilson's 95% interval. Below the line the model is overconfident."),
            *_shown(diagrams, "Intervals of the bins", ("confidence", "#accuracy", "#95% CI, %", "#texts"), bins),
        ]
    section.blocks += _confusions(results, drawn, names)
    section.blocks += _left_out(undrawn, "the tables here and in the folder locate")
    by_country = levels[(levels["metric"] == "accuracy_country") & levels["slice_by"].isin(["continent", "country"])]
    per = [
        Row([_label(r), _share_cell(r), count(r["n_documents"])], f"{_guesser(r)}, {condition_name(r['condition'])}")
        for _, r in by_country.iterrows()
    ]
    if per:
        section.blocks.append(
            Fold("Accuracy by country with 95% CIs", [Table(("texts of", "#accuracy (95% CI)", "#documents"), per)])
        )
    return section


def _confusions(results: Results, models: list[tuple[str, str]], names: dict[tuple[str, str], str]) -> list[Block]:
    blocks: list[Block] = []
    for at, (run, condition) in enumerate(models):
        table = results.confusions
        own = table[(table["run"] == run) & (table["condition"] == condition)]
        if own.empty:
            continue
        counts = own.pivot_table(index="truth", columns="predicted", values="count", aggfunc="sum", fill_value=0)
        codes = sorted({*counts.index, *counts.columns}, key=lambda c: -float(counts.sum(axis=1).get(c, 0)))
        kept = sorted(codes[:MOST_COUNTRIES], key=lambda c: (_continent_rank(continent_name(c)), country_name(c)))
        counts = counts.reindex(index=kept, columns=kept, fill_value=0)
        labels = pd.MultiIndex.from_tuples([(continent_name(c), country_name(c)) for c in kept])
        counts.index = counts.columns = labels
        shares = -counts.div(counts.sum(axis=1).replace(0, math.nan), axis=0)
        name = f"{names.get((run, condition), run)}, {condition_name(condition)}"
        drawing = figures.matrix(
            shares,
            counts.map(lambda n: count(int(n)) if n else ""),
            f"confusion{at}",
            f"Confusion matrix: {name}",
            f"Texts by true country, left, and inferred country, above; {count(int(counts.to_numpy().sum()))} in all.",
            axes=("texts of", "inferred"),
            scale=1.0,
            outlined=True,
        )
        found: list[Block] = [Figures([drawing])]
        if len(codes) > len(kept):
            found.append(Text(f"Left out, the rarest: {listed(map(country_name, codes[MOST_COUNTRIES:]))}.", "gap"))
        if not blocks:
            words = (
                "Rows are true countries, the shade is the share of the row. Per-country accuracy with 95% CIs: below."
            )
            blocks += [Heading("Confusion matrices"), Text(words), *found]
        else:
            blocks.append(Fold(f"Confusion matrix: {name}", found))
    return blocks


def _share_changes(results: Results, changes: pd.DataFrame) -> Table:
    rows = []
    for _, r in changes.iterrows():
        first = f"{_guesser(r)}, {condition_name(r['condition'])}"
        versus = "TF-IDF baseline" if r["versus_run"] == BASELINE_WORDS else r["versus_run"]
        second = f"minus {versus}, {condition_name(r['versus_condition'])}"
        group = FORMS.get(r["metric"].removesuffix("_difference"), "")
        rows.append(Row([[first, second], *effect_cells(r, 100, 1), reading(r, higher_is_better=True)], group))
    return Table(("first, minus second", *EFFECT, "what it means"), sorted(rows, key=lambda row: row.group))


def questions(results: Results) -> Section | None:
    """Multiple-choice questions: accuracy by form and condition, paired items, differences."""
    found = rows_of(results, "mcq")
    if found.empty:
        return Section("mcq", "Multiple-choice questions") if "mcq" in results.gaps else None
    section = Section("mcq", "Multiple-choice questions")
    levels = found[(found["versus_run"] == "") & found["metric"].isin(FORMS)]
    section.blocks.append(
        Text(
            "Options are scored by likelihood, and every item counts. Switch and shift ask the same question of two "
            "places with two answers: a model that ignores its metadata gets 50%, whatever it prefers."
        )
    )
    if "accuracy_paper_generative" in set(levels["metric"]):
        words = "The generated letter follows the published protocol, which samples; read it beside the strict forms."
        section.blocks.append(Text(words))
    runs = list(dict.fromkeys(levels["run"]))
    if unknown := [run for run in runs if run not in results.chance]:
        section.blocks.append(Text(f"The chance level of {listed(unknown)} is not recorded.", "gap"))
    rows = [
        Row(
            [
                f"{_guesser(r)}, {condition_name(r['condition'])}",
                _share_cell(r),
                percent(_chance(results, r["run"], metric)),
                count(r["n_documents"]),
            ],
            FORMS[metric],
        )
        for metric in FORMS
        for _, r in levels[(levels["metric"] == metric) & (levels["slice_by"] == "all")].iterrows()
    ]
    section.blocks.append(Table(("model", "#share right (95% CI)", "#chance", "#items"), rows))
    drawn = [
        (run, metric)
        for run in runs
        for metric in FORMS
        if ((levels["run"] == run) & (levels["metric"] == metric) & (levels["slice_by"] == "continent")).any()
    ]
    forms = list(dict.fromkeys(metric for _, metric in drawn))[:1]
    panels = [
        _panel(results, levels[(levels["run"] == run) & (levels["metric"] == metric)], run, metric, f"mcq{at}")
        for at, (run, metric) in enumerate([one for one in drawn if one[1] in forms][:MOST_DRAWN])
    ]
    by = [
        Row(
            [f"{_guesser(r)}, {condition_name(r['condition'])}", _label(r), _share_cell(r), count(r["n_documents"])],
            FORMS[r["metric"]],
        )
        for metric in FORMS
        for _, r in levels[(levels["metric"] == metric) & (levels["slice_by"] != "all")].iterrows()
    ]
    if panels:
        headings = ("model", "questions about", "#share right (95% CI)", "#items")
        section.blocks += [Heading("By continent"), *_shown(panels, "Every share by group", headings, by)]
        undrawn = [f"{run} ({FORMS[m].lower()})" for run, m in drawn if m in forms][MOST_DRAWN:]
        others = [FORMS[m].lower() for m in dict.fromkeys(m for _, m in drawn) if m not in forms]
        section.blocks += _left_out(undrawn + others, "the tables")
    changes = found[(found["versus_run"] != "") & (found["slice_by"] == "all")]
    if len(changes):
        section.blocks += [
            Heading("Differences on the same items, percentage points"),
            _share_changes(results, changes),
        ]
    return section


def _chance(results: Results, run: str, metric: str) -> float | None:
    return results.chance.get(run) if metric.startswith("accuracy") else 0.5


def _panel(results: Results, table: pd.DataFrame, run: str, metric: str, name: str) -> Markup:
    conditions = sorted(dict.fromkeys(table["condition"]), key=lambda c: (_rank(c), c))
    groups = ["all", *(c for c in CONTINENTS if c in set(table.loc[table["slice_by"] == "continent", "slice"]))]
    keyed = table[table["slice"].isin(groups)].drop_duplicates(["slice", "condition"]).set_index(["slice", "condition"])
    rows = [
        figures.Row(
            "All questions" if group == "all" else group,
            tuple(_mark(keyed.loc[group, c]) if (group, c) in keyed.index else None for c in conditions),
            strong=group == "all",
        )
        for group in groups
    ]
    return figures.intervals(
        rows,
        name,
        f"{run}: {FORMS[metric][:1].lower()}{FORMS[metric][1:]}",
        "Share right, with 95% intervals.",
        unit="share right; dashed: chance"
        if metric.startswith("accuracy")
        else "share right; dashed: ignores metadata",
        series=[condition_name(c) for c in conditions],
        reference=_chance(results, run, metric),
        show=figures.percents,
    )


def learning(results: Results) -> Section:
    """Learning curves over body tokens, and how many of them one model needs to reach the loss of another."""
    section = Section("learning", "Learning curves and token efficiency")
    section.blocks += _efficiency(results)
    losses = results.losses
    validation = losses[(losses["kind"] == "validation") & ~losses["condition"].map(is_swap)]
    if losses.empty:
        return section
    families = sorted(dict.fromkeys(losses["family"]), key=lambda f: (f == baseline(results), f))
    conditions = sorted(dict.fromkeys(validation["condition"]), key=lambda c: (_rank(c), c))
    labels = list(dict.fromkeys((r.family, r.condition) for r in validation.itertuples()))
    drawn = []
    for (run, family), own in losses[losses["kind"] == "train"].groupby(["run", "family"], sort=False):
        x, y = _thin(own)
        drawn.append(figures.Line(run, x, y, color=0 if family != baseline(results) else 1, faint=True))
    for (_, family, condition), own in validation.groupby(["run", "family", "condition"], sort=False):
        if (family, condition) in labels[:MOST_LINES]:
            name, (x, y) = side(results, family, condition), _thin(own)
            drawn.append(figures.Line(name, x, y, color=conditions.index(condition), dash=families.index(family)))
    last = validation.groupby(["run", "family", "condition"], sort=False).last()
    tall = validation["loss"] if len(validation) else losses["loss"]
    ends = last["loss"].max() if len(last) else losses.groupby("run")["loss"].last().max()
    top = max(float(tall.quantile(0.7)), float(ends)) + (0.02 * float(tall.max() - tall.min()) or 0.1)
    words = (
        "Loss in nats per token on body tokens against body tokens read, the fair axis between prefixes of any length."
    )
    words += " Dark lines are validation losses, faint ones the training loss of each run. No intervals: see above."
    words += " The first points lie above the frame." if (losses["loss"] > top).any() else ""
    rows = [
        Row([side(results, family, condition), run, number(r["loss"], 3), large(r["body_tokens"])])
        for (run, family, condition), r in last.iterrows()
    ]
    section.blocks += [
        Heading("Learning curves"),
        Text(words),
        *_shown(
            [
                figures.lines(
                    drawn,
                    "curves",
                    "Learning curves",
                    f"Loss over body tokens of {some(len(last), 'line')}.",
                    x="body tokens read",
                    y="loss, nats per token",
                    top=top,
                )
            ],
            "Last validation losses",
            ("model", "run", "#nats/token", "#body tokens"),
            rows,
        ),
        *_left_out([side(results, *label) for label in labels[MOST_LINES:]], "the table above"),
    ]
    return section


def _thin(table: pd.DataFrame) -> tuple[list[float], list[float]]:
    """Returns every n-th point, the last one included, so that a long run does not make a heavy page."""
    step = -(-len(table) // MOST_POINTS) or 1
    kept = table.iloc[::-1].iloc[::step].iloc[::-1]
    return kept["body_tokens"].tolist(), kept["loss"].tolist()


def _efficiency(results: Results) -> list[Block]:
    found = rows_of(results, "efficiency")
    blocks: list[Block] = []
    tests = found[(found["versus_run"] != "") & (found["slice_by"] == "all")]
    keys = ["run", "condition", "versus_run", "versus_condition"]
    need = tests[tests["metric"] == "tokens_to_reach"].set_index(keys, drop=False)
    part = tests[tests["metric"] == "share_to_reach"].set_index(keys, drop=False)
    if need.empty:
        return blocks
    rows, marks = [], []
    for key, r in need.iterrows():
        shares = part.loc[[key]].iloc[0] if key in part.index else None
        reached = is_number(r["value"])
        open_end = r["ci_high"] == math.inf
        sure = f"{large(r['ci_low'])} {'or more' if open_end else 'to ' + large(r['ci_high'])}"
        rows.append(
            Row(
                [
                    [
                        side(results, r["run"], r["condition"]),
                        f"to the final loss of {side(results, r['versus_run'], r['versus_condition'])}",
                    ],
                    large(r["value"]) if reached else "not reached" if r["value"] == math.inf else NOT_AVAILABLE,
                    sure if is_number(r["ci_low"]) else NOT_AVAILABLE,
                    percent(shares["value"], 0) if shares is not None else "",
                    interval(100 * shares["ci_low"], 100 * shares["ci_high"], 0) if shares is not None else "",
                    count(r["n_documents"]),
                    "Not reached within its training."
                    if r["value"] == math.inf
                    else "Not reached in part of the resamples, so no upper end."
                    if open_end
                    else "",
                ]
            )
        )
        if shares is not None and is_number(shares["value"]):
            marks.append(figures.Row(clean(r["run"]), (_mark(shares),), percent(shares["value"], 0)))
    headings = ("model", "#body tokens", "#95% CI", "#of the reference's tokens", "#95% CI, %", "#documents", "note")
    blocks += [
        Text(
            "Body tokens after which a model predicts as well as the reference in the end; under 100% it learns faster."
        ),
        Table(headings, rows),
    ]
    if marks:
        blocks.append(
            Figures(
                [
                    figures.intervals(
                        marks,
                        "efficiency",
                        "Share of the reference's tokens",
                        "100%: as many tokens as the reference.",
                        unit="share of the reference's body tokens",
                        reference=1.0,
                        show=figures.percents,
                    )
                ]
            )
        )
    curve = found[(found["slice_by"] == "body_tokens") & (found["metric"] == "nll")]
    if len(curve):
        tested = [
            Row(
                [
                    side(results, r["run"], r["condition"]),
                    large(float(r["slice"])),
                    number(r["value"], 3),
                    interval(r["ci_low"], r["ci_high"], 3),
                ]
            )
            for _, r in curve.iterrows()
            if str(r["slice"]).isdecimal()
        ]
        table = Table(("model", "#body tokens", "#nats/token", "#95% CI"), tested)
        blocks.append(Fold("Loss on the scored documents at each checkpoint", [table]))
    return blocks


def recovered(results: Results) -> Section:
    """Recovered gain: how much of what the place is worth a model has made its own."""
    section = Section("recovered", "Recovered gain")
    summary = results.summary
    compared = [one for one in comparisons(results) if one.condition == "gold"]
    entropy = summary.get("entropy")
    entropy = entropy if isinstance(entropy, dict) else {}
    without, known = entropy.get("without_place"), entropy.get("with_place")
    if not (compared and is_number(without) and is_number(known) and is_number(summary.get("recovered_gain"))):
        words = "The best possible gain is known only for the embedded newswire, and needs its entropy in summary.json."
        section.blocks.append(Text(f"{words} {gain_sentence(results)}", "gap"))
        return section
    main = compared[0]
    levels = results.scores[(results.scores["metric"] == "nll") & (results.scores["slice_by"] == "all")]
    sides = ((main.versus_run, main.versus_condition), (main.run, main.condition))
    losses = [
        levels.loc[
            (levels["family"] == run) & (levels["condition"] == c) & (levels["measure"] == "perplexity"), "value"
        ]
        if run in set(levels["family"])
        else levels.loc[(levels["run"] == run) & (levels["condition"] == c), "value"]
        for run, c in sides
    ]
    section.blocks.append(
        Text(
            f"{gain_sentence(results)} The entropy of the newswire is known exactly; no model can be below the dashed "
            "lines. More than 100% means that the model without metadata is further from its own best."
        )
    )
    if all(len(values) for values in losses):
        first = tuple(float(values.iloc[0]) for values in losses)
        section.blocks.append(
            Figures(
                [
                    figures.recovered(
                        (without, known),
                        (first[0], first[1]),
                        (side(results, *sides[0]), side(results, *sides[1])),
                        f"{percent(summary['recovered_gain'], 0)} recovered",
                        f"Entropy {without:.3f} without and {known:.3f} with the place; {gain_sentence(results)}",
                    )
                ]
            )
        )
    by_run = summary.get("recovered_gain_by_run")
    rows = []
    for run, found in by_run.items() if isinstance(by_run, dict) else ():
        ends = found.get("ci") if isinstance(found, dict) else None
        low, high = ends if isinstance(ends, list) and len(ends) == 2 else (None, None)
        sure = interval(100 * low, 100 * high, 1) if is_number(low) and is_number(high) else NOT_AVAILABLE
        rows.append(Row([str(run), percent(found.get("value") if isinstance(found, dict) else None), sure]))
    if len(rows) > 1:
        section.blocks.append(Table(("run", "#recovered", "#95% CI, %"), rows))
    return section


def coverage(results: Results) -> Section:
    """What the corpus holds, by country and split."""
    section = Section("coverage", "Training corpus")
    section.blocks += [Text(problem, "problem") for problem in results.problems]
    table = results.coverage
    if table.empty:
        return section
    most = table["train"].max() or 1
    rows = []
    ranked = table.assign(rank=table["continent"].map(_continent_rank), name=table["country"].map(country_name))
    for _, r in ranked.sort_values(["rank", "continent", "name"]).iterrows():
        wrong = ""
        if r["country"] and r["test"] > 0 and r["train"] == 0:
            wrong = "tested but not trained on"
        elif r["country"] and r["train"] > 0 and r["test"] == 0:
            wrong = "trained on but not tested"
        cells = [count(r[split]) if pd.notna(r[split]) else NOT_RECORDED for split in SPLITS]
        bar = Bar([(100 * r["train"] / most if pd.notna(r["train"]) else 0.0, "agree", "")])
        rows.append(Row([r["name"] or "not known", *cells, bar, wrong], r["continent"] or OTHER, bool(wrong)))
    section.blocks += [
        Text("Documents of the corpus by country and split; bars compare training documents."),
        Table(("country", *(f"#{split}" for split in SPLITS), "|", ""), rows),
    ]
    return section


def samples(results: Results) -> Section:
    """Continuations of the same headlines under several places."""
    section = Section("samples", "Samples")
    groups: dict[str, list[tuple[str, str, str]]] = {}
    for entry in results.samples:
        found = entry.get("place")
        place = found if isinstance(found, dict) else {}
        domain, code, continent = (str(place.get(key) or "") for key in ("domain", "country", "continent"))
        told = country_name(code) or continent or domain
        where = ", ".join(part for part in (domain, country_name(code), continent) if part)
        who = f"Prompted with {told}" if told else "Without metadata"
        text = str(entry.get("continuation") or "").strip() or "(nothing generated)"
        headline = str(entry.get("headline") or "(no headline)")
        groups.setdefault(headline, []).append((f"{who}: {entry.get('run') or ''}", text, where))
    if groups:
        section.blocks.append(
            Text("The same headline, continued under several places. Samples illustrate; they prove nothing.")
        )
        section.blocks += [Cards(headline, cards) for headline, cards in groups.items()]
    elif "samples" not in results.gaps:
        section.blocks.append(Text("samples.json holds no sample.", "gap"))
    return section


def all_scores(results: Results) -> Section:
    """Every row of the long table, single seeds included."""
    section = Section("scores", "All scores")
    table = results.scores.sort_values("condition", key=lambda c: c.map(is_swap), kind="stable")
    protocols = table.drop_duplicates(["measure", "protocol"])[["measure", "protocol"]]
    named = listed(f"{p or NOT_RECORDED} ({measure})" for measure, p in protocols.itertuples(index=False))
    section.blocks.append(Text(f"Levels are per body token; a difference is run minus versus. Protocols: {named}."))
    rows = []
    for r in table.head(MOST_ROWS).itertuples():
        versus = f"{r.versus_run}, {r.versus_condition}" if r.versus_run else ""
        where = country_name(r.slice) if r.slice_by == "country" else r.slice
        open_end = r.value == math.inf
        rows.append(
            Row(
                [
                    f"{MARK} {r.run}" if r.leaks else r.run or "no model",
                    r.measure,
                    r.metric,
                    r.condition,
                    versus,
                    where if r.slice_by == "all" else f"{r.slice_by}: {where}",
                    "not reached" if open_end else number(r.value, 4),
                    r.unit,
                    interval(r.ci_low, r.ci_high, 4),
                    (p_text(r.p) if pd.notna(r.p) else NOT_AVAILABLE) if versus else "",
                    p_text(r.p_holm) if pd.notna(r.p_holm) else "",
                    number(r.mde, 4) if pd.notna(r.mde) else "",
                    count(r.n_documents),
                    count(r.n_outlets) if r.n_outlets else "",
                    count(r.n_tokens),
                    count(r.n_seeds),
                ]
            )
        )
    headings = (
        "run",
        "measure",
        "metric",
        "condition",
        "versus",
        "slice",
        "#value",
        "unit",
        "#95% CI",
        "#p",
        "#p (Holm)",
        "#MDE",
        "#documents",
        "#outlets",
        "#tokens",
        "#seeds",
    )
    section.blocks.append(Fold(f"Score table, {count(len(table))} rows", [Table(headings, rows)]))
    if len(table) > MOST_ROWS:
        words = (
            f"{count(len(table) - MOST_ROWS)} further rows, counterfactual countries last, are in the Parquet files."
        )
        section.blocks.append(Text(words, "gap"))
    return section


def making(results: Results) -> Section:
    """How to make the results again: recipe, runs, fingerprints, versions."""
    section = Section("making", "Reproduction")
    manifest, seconds = results.manifest, results.summary.get("seconds")
    recipe = yaml.safe_dump(manifest.recipe, sort_keys=False, allow_unicode=True, width=100) if manifest else ""
    if manifest:
        words = "Save the recipe as recipe.yaml and run"
        took = f" This run took {duration(float(seconds))}." if is_number(seconds) else ""
        section.blocks += [
            Text(words),
            Code("dateline experiment recipe.yaml --out NEW_FOLDER"),
            Text("The same versions on the same kind of machine give the same numbers." + took),
            Fold("Recipe", [Code(recipe)]),
        ]
    else:
        words = "The folder has no finished manifest with a recipe, so it cannot be said how to make this again."
        section.blocks.append(Text(words, "gap"))
    if len(results.runs):
        cells = (
            results.runs.astype(object)
            .where(results.runs.notna(), "")
            .map(lambda v: count(v) if isinstance(v, float) else str(v))
        )
        rows = [Row(list(row)) for row in cells.itertuples(index=False)]
        section.blocks.append(Fold("Runs", [Table([name.replace("_", " ") for name in cells.columns], rows)]))
    if results.stages:
        stages = [Row([name, m.stage, m.fingerprint, m.created or NOT_RECORDED]) for name, m in results.stages]
        table = Table(("folder", "stage", "fingerprint", "made"), stages)
        section.blocks.append(Fold(f"Fingerprints of {some(len(stages), 'folder')}", [table]))
    if manifest and manifest.versions:
        section.blocks.append(Text("Made with " + listed(f"{name} {v}" for name, v in manifest.versions.items()) + "."))
    return section


SECTIONS: tuple[Callable[[Results], Section | None], ...] = (
    differences,
    countries,
    swaps,
    tokens,
    locate,
    questions,
    learning,
    recovered,
    coverage,
    samples,
    all_scores,
    making,
)
"""The sections in their order on the page; a new measure adds one."""
