"""The page of an experiment, section by section, each computed from the long table of scores.

A section is a function from `Results` to a `Section`, or None where its measure was not made; `SECTIONS` is their
order. Nothing is tested or resampled here: values, intervals and p-values are those of the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from markupsafe import Markup

from dateline.evaluate.parts import TITLE_IN_URL
from dateline.manifest import write_atomically
from dateline.records import SPLITS
from dateline.report import figures, study
from dateline.report.effects import (
    EFFECT,
    LEVEL,
    Comparison,
    baseline,
    comparisons,
    continent_rank,
    effect_cells,
    effect_rows,
    effects,
    label_of,
    mark_of,
    pair,
    rank_of,
    reading,
    rows_of,
    share_cell,
    side,
    slices,
    unlike,
    with_numbers,
)
from dateline.report.figures import clean
from dateline.report.measures import (
    MOST_COMPARED,
    MOST_DRAWN,
    gain_interval,
    gain_run,
    gain_sentence,
    learning,
    locate,
    others,
    questions,
    recovered,
)
from dateline.report.page import Bar, Block, Cards, Code, Fold, Heading, Row, Section, Table, Text, render_page
from dateline.report.results import Results, is_swap, read_results
from dateline.report.words import (
    MARK,
    NOT_AVAILABLE,
    NOT_RECORDED,
    OTHER,
    SWAP,
    continent_name,
    count,
    country_name,
    decimals,
    duration,
    interval,
    is_number,
    listed,
    number,
    p_text,
    percent,
    perplexity_change,
    some,
    upper,
)

REPORT = "report.html"
MOST_CARDS = 5
MOST_OPEN = 24
"""Comparisons of a table that is not folded."""
MOST_COLUMNS = 28
"""Columns of the map of countries."""
MOST_ROWS = 3000
"""Rows of the whole score table on the page."""


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
    of_study = not results.findings.empty
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
        verdict=study.opening(results) if of_study else verdict(results),
        keys=study.cards(results) if of_study else key_numbers(results),
        sections=sections,
    )


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
    if names := unlike(results, main):
        said.append(f"The two models also differ in {listed(names)}.")
    inside, outside = effects(results, main, "region").reindex(["in", "out"])["value"]
    if is_number(inside) and is_number(outside):
        said.append(
            f"In the region of its training the difference is {number(inside, 3, sign=True)}, outside it "
            f"{number(outside, 3, sign=True)}."
        )
    said.append(gain_sentence(results))
    return [sentence for sentence in said if sentence]


def key_numbers(results: Results) -> list[tuple[str, str, str]]:
    """Returns the cards at the top: the recovered gain, then perplexities; several seeds stand side by side."""
    cards = []
    if results.summary.get("recovered_gain") is not None:
        gain = results.summary["recovered_gain"]
        cards.append(
            (
                f"recovered gain: {clean(gain_run(results), 400)}",
                percent(gain if is_number(gain) else None, 0),
                gain_interval(results),
            )
        )
    levels = rows_of(results, "perplexity", "ppl", "all", tests=False)
    levels = levels[~levels["condition"].map(is_swap)] if not levels["condition"].map(is_swap).all() else levels
    plain = baseline(results)
    order = sorted(
        levels.groupby(["family", "condition"], sort=False), key=lambda item: (item[0][0] != plain, rank_of(item[0][1]))
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
    found = rows_of(results, "perplexity", TITLE_IN_URL, "all")
    share = f" Here {share_cell(found.iloc[0])} of the title words stand in it." if len(found) else ""
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
    section.blocks += (
        [Text(f"{words}found in 80% of repetitions. Family of tests of Holm's correction: {tests}.")] if tests else []
    )
    usual = [one for one in compared if not is_swap(one.condition)]
    swapped = [one for one in compared if is_swap(one.condition)]
    for title, chosen in (("", usual), ("Counterfactual countries against the same references", swapped)):
        rows = [
            Row(
                [
                    pair(results, one).replace(" minus ", "\nminus ", 1).split("\n"),
                    *effect_cells(r),
                    count(r["n_seeds"]),
                    reading(r),
                ]
            )
            for one in chosen
            for _, r in effects(results, one, "all").iterrows()
        ]
        table = Table(("first, minus second", *EFFECT, "#seeds", "what it means"), rows)
        title = title or (f"{some(len(rows), 'comparison')}" if len(rows) > MOST_OPEN else "")
        section.blocks += [Fold(title, [table]) if title else table] if rows else []
    section.blocks += [
        Text(f"{pair(results, one)}: the models also differ in {listed(names)}.", "gap")
        for one in usual
        if (names := unlike(results, one))
    ]
    placed = {one: effects(results, one, "region") for one in usual}
    rows = [
        Row([label_of(r), *effect_cells(r), reading(r)], pair(results, one))
        for one, found in placed.items()
        for _, r in found.iterrows()
    ]
    if rows:
        section.blocks += [
            Heading("In and outside the region of training"),
            Text("Of the first model: the texts whose places its training selected, and the other texts."),
            Table(("texts", *EFFECT, "what it means"), rows),
        ]
    drawn = [one for one in usual if len(effects(results, one, "country"))]
    if drawn:
        words = "Blue is better, orange worse, grey not distinguished from zero. At the right stands the p-value after "
        section.blocks += [
            Heading("By continent and country"),
            Text(words + "Holm's correction within the comparison; ticks are single seeds."),
            *with_numbers(
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
            label_of(keyed.loc[key]),
            (mark_of(keyed.loc[key]),),
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


def countries(results: Results) -> Section:
    """The map: differences between models by country and condition."""
    section = Section("countries", "Where metadata helps")
    chosen = [
        one for one in comparisons(results) if one.versus_run != one.run and len(effects(results, one, "country"))
    ]
    if not chosen:
        words = "The score table has no paired differences between models by country, so there is no map."
        section.blocks.append(Text(words, "gap"))
        return section
    drawn = chosen[:MOST_COLUMNS]
    places = slices(results, pd.concat([effects(results, one) for one in drawn]))
    short = [side(results, one.run, one.condition) for one in drawn]
    if len({one.run for one in drawn}) == 1:
        short = [name.replace(f"{drawn[0].run}, ", "", 1) for name in short]
    references = list(dict.fromkeys(side(results, one.versus_run, one.versus_condition) for one in drawn))
    if len(references) > 1:
        short = [f"{name} minus {one.versus_run}" for one, name in zip(drawn, short, strict=True)]
    by = [pd.concat([effects(results, one, kind) for kind in ("all", "country")])["value"] for one in drawn]
    values = _table(
        [(group, label) for group, _, label in places],
        [(one.run, name) for one, name in zip(drawn, short, strict=True)],
        [[float(column.get(code, math.nan)) for column in by] for _, code, _ in places],
    )
    words = f"Loss under each condition minus that of {listed(references)}, in nats per body token on the same "
    section.blocks += [
        Text(words + "documents. Blue, below zero: the text is predicted better."),
        *with_numbers(
            [_map(values, "map", "Differences by country and condition")],
            "Intervals of the map",
            ("texts of", *EFFECT),
            effect_rows(results, drawn, "all", "country"),
            [pair(results, one) for one in chosen[MOST_COLUMNS:]],
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
            [f"{label_of(r)}, prompted with {country_name(r['condition'].removeprefix(SWAP))}", *effect_cells(r)],
            r["run"],
        )
        for _, r in found.iterrows()
    ]
    if rows:
        section.blocks += with_numbers(drawn, "Intervals of the maps", ("texts of", *EFFECT), rows, runs[MOST_DRAWN:])
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
        section.blocks += with_numbers(
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
                tuple(mark_of(found.loc[part]) if part in found.index else None for found in by),
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
        section.blocks += with_numbers(
            [svg],
            "Intervals by part",
            ("tokens", *EFFECT),
            effect_rows(results, split, "part"),
            [pair(results, one) for one in split[MOST_COMPARED:]],
        )
    leak = rows_of(results, "perplexity", TITLE_IN_URL).drop_duplicates(["slice_by", "slice"])
    if len(leak):
        every = leak[leak["slice_by"] == "all"]
        said = f"{share_cell(every.iloc[0])} of the title words stand in the slug of the URL. " if len(every) else ""
        rows = [Row([label_of(r), share_cell(r), count(r["n_documents"])]) for _, r in leak.iterrows()]
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


def coverage(results: Results) -> Section:
    """What the corpus holds, by country and split."""
    section = Section("coverage", "Training corpus")
    section.blocks += [Text(problem, "problem") for problem in results.problems]
    table = results.coverage
    if table.empty:
        return section
    most = table["train"].max() or 1
    rows = []
    ranked = table.assign(rank=table["continent"].map(continent_rank), name=table["country"].map(country_name))
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
    study.findings,
    study.experiments,
    study.models,
    differences,
    countries,
    swaps,
    tokens,
    locate,
    questions,
    learning,
    recovered,
    others,
    study.budgets,
    coverage,
    samples,
    all_scores,
    making,
)
"""The sections in their order on the page; a new measure adds one."""
