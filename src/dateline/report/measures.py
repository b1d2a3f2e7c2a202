"""Sections of the measures beside perplexity: country inference, questions, learning, recovered gain."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
from markupsafe import Markup

from dateline.records import CONTINENTS
from dateline.report import figures
from dateline.report.effects import (
    EFFECT,
    baseline,
    comparisons,
    continent_rank,
    effect_cells,
    label_of,
    left_out,
    mark_of,
    rank_of,
    reading,
    rows_of,
    share_cell,
    side,
    unlike,
    with_numbers,
)
from dateline.report.figures import clean
from dateline.report.page import Block, Figures, Fold, Heading, Row, Section, Table, Text
from dateline.report.results import Results, is_swap
from dateline.report.words import (
    MARK,
    NOT_AVAILABLE,
    condition_name,
    continent_name,
    count,
    country_name,
    interval,
    is_number,
    large,
    listed,
    number,
    p_text,
    percent,
    some,
)

MOST_COMPARED, MOST_DRAWN = 6, 4
"""Comparisons and models that get a figure; the others are named, and their numbers stand in the tables."""
MOST_LINES = 12
"""Lines of a figure that can still be told apart."""
MOST_COUNTRIES = 40
"""Countries of a confusion matrix; beyond, the rarest are named."""
MOST_POINTS = 400
"""Points of a learning curve."""
BASELINE_WORDS = "tfidf"
SHOWN = ("perplexity", "locate", "mcq", "efficiency")
"""Measures that have sections of their own."""
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


def gain_sentence(results: Results) -> str:
    """Says how much of the possible gain was recovered; empty where that was not measured."""
    gain = results.summary.get("recovered_gain")
    if gain is None:
        return ""
    if not is_number(gain):
        return "The recovered gain is not available: its value is not a finite number."
    words = f"Of the gain that the place can bring at best, {gain_run(results)} recovers {percent(gain, 0)}"
    return f"{words} ({gain_interval(results)})."


def gain_run(results: Results) -> str:
    """Names the run whose recovered gain is shown first."""
    name = results.summary.get("recovered_gain_run")
    return name if isinstance(name, str) else "a run that summary.json does not name"


def gain_interval(results: Results) -> str:
    """Says the interval of the recovered gain."""
    ends = results.summary.get("recovered_gain_ci")
    if isinstance(ends, list) and len(ends) == 2 and all(map(is_number, ends)):
        return f"95% CI {interval(100 * ends[0], 100 * ends[1], 0)}%"
    return "95% CI not available"


def _texts(masked: bool) -> str:
    """Names the texts whose country was inferred."""
    return "place names masked" if masked else "full text"


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
    metric = found["metric"]
    found = found.assign(masked=metric.str.contains("_masked"), metric=metric.str.replace("_masked", ""))
    levels = found[(found["versus_run"] == "") & found["metric"].isin(INFERENCE)]
    who = found[found["versus_run"] == ""].sort_values("leaks").groupby(["run", "masked"], sort=False).last()
    names = {
        key: _guesser(row.rename(None))
        for key, row in who.reset_index().set_index(["run", "masked"], drop=False).iterrows()
    }
    order = sorted(names, key=lambda key: (key[0] == BASELINE_WORDS, key[1], key[0]))
    rows = []
    for run, masked in order:
        own = levels[(levels["run"] == run) & (levels["masked"] == masked) & (levels["slice_by"] == "all")]
        by = own.drop_duplicates("metric").set_index("metric")
        cells = [
            (
                share_cell(by.loc[m])
                if m != "log_loss"
                else f"{number(by.loc[m, 'value'], 3)} ({interval(by.loc[m, 'ci_low'], by.loc[m, 'ci_high'], 3)})"
            )
            if m in by.index
            else NOT_AVAILABLE
            for m in INFERENCE
        ]
        rows.append(Row([names[run, masked], _texts(masked), *cells, count(own["n_documents"].max())]))
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
        section.blocks += [Heading("Differences in accuracy, percentage points"), _changes(changes, _inferred)]
    models = [key for key in order if key[0] != BASELINE_WORDS]
    drawn, undrawn = models[:MOST_DRAWN], [f"{names[key]} ({_texts(key[1])})" for key in models[MOST_DRAWN:]]
    keyed = dict(iter(results.bins.groupby(["run", "masked"], sort=False)))
    diagrams = [
        figures.reliability(
            keyed[key],
            f"reliability{at}",
            f"{names.get(key, key[0])}, {_texts(key[1])}",
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
                f"{names.get((b.run, b.masked), b.run)}, {_texts(b.masked)}",
            )
            for b in results.bins.rename(columns={"count": "count_"}).itertuples()
        ]
        section.blocks += [
            Heading("Calibration"),
            Text("Each dot is a bin of guesses with Wilson's 95% interval. Below the line the model is overconfident."),
            *with_numbers(diagrams, "Intervals of the bins", ("confidence", "#accuracy", "#95% CI, %", "#texts"), bins),
        ]
    section.blocks += _confusions(results, drawn, names)
    section.blocks += left_out(undrawn, "the tables here and in the folder locate")
    by_country = levels[(levels["metric"] == "accuracy_country") & levels["slice_by"].isin(["continent", "country"])]
    per = [
        Row([label_of(r), share_cell(r), count(r["n_documents"])], f"{_guesser(r)}, {_texts(r['masked'])}")
        for _, r in by_country.iterrows()
    ]
    if per:
        section.blocks.append(
            Fold("Accuracy by country with 95% CIs", [Table(("texts of", "#accuracy (95% CI)", "#documents"), per)])
        )
    return section


def _confusions(results: Results, models: list[tuple[str, bool]], names: dict[tuple[str, bool], str]) -> list[Block]:
    blocks: list[Block] = []
    for at, (run, masked) in enumerate(models):
        table = results.confusions
        own = table[(table["run"] == run) & (table["masked"] == masked)]
        if own.empty:
            continue
        counts = own.pivot_table(index="truth", columns="predicted", values="count", aggfunc="sum", fill_value=0)
        codes = sorted({*counts.index, *counts.columns}, key=lambda c: -float(counts.sum(axis=1).get(c, 0)))
        kept = sorted(codes[:MOST_COUNTRIES], key=lambda c: (continent_rank(continent_name(c)), country_name(c)))
        counts = counts.reindex(index=kept, columns=kept, fill_value=0)
        labels = pd.MultiIndex.from_tuples([(continent_name(c), country_name(c)) for c in kept])
        counts.index = counts.columns = labels
        shares = -counts.div(counts.sum(axis=1).replace(0, math.nan), axis=0)
        name = f"{names.get((run, masked), run)}, {_texts(masked)}"
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


def _changes(changes: pd.DataFrame, texts: Callable[[pd.Series], tuple[str, str]]) -> Table:
    """Returns differences of shares in percentage points; `texts` says on what each side of one was measured."""
    rows = []
    for _, r in changes.iterrows():
        versus = "TF-IDF baseline" if r["versus_run"] == BASELINE_WORDS else r["versus_run"]
        first, second = texts(r)
        sides = [f"{_guesser(r)}, {first}", f"minus {versus}, {second}"]
        group = FORMS.get(r["metric"].removesuffix("_difference"), "")
        rows.append(Row([sides, *effect_cells(r, 100, 1), reading(r, higher_is_better=True)], group))
    return Table(("first, minus second", *EFFECT, "what it means"), sorted(rows, key=lambda row: row.group))


def _inferred(row: pd.Series) -> tuple[str, str]:
    """Names the texts of both sides of a difference in country inference."""
    within = row["metric"] == "accuracy_country_masking_difference"
    return _texts(row["masked"] or within), _texts(row["masked"])


def _asked(row: pd.Series) -> tuple[str, str]:
    """Names the conditions of both sides of a difference in questions."""
    return condition_name(row["condition"]), condition_name(row["versus_condition"])


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
                share_cell(r),
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
        _panel(results, levels, run, metric, f"mcq{at}")
        for at, (run, metric) in enumerate([one for one in drawn if one[1] in forms][:MOST_DRAWN])
    ]
    by = [
        Row(
            [f"{_guesser(r)}, {condition_name(r['condition'])}", label_of(r), share_cell(r), count(r["n_documents"])],
            FORMS[r["metric"]],
        )
        for metric in FORMS
        for _, r in levels[(levels["metric"] == metric) & (levels["slice_by"] != "all")].iterrows()
    ]
    if panels:
        headings = ("model", "questions about", "#share right (95% CI)", "#items")
        section.blocks += [Heading("By continent"), *with_numbers(panels, "Every share by group", headings, by)]
        undrawn = [f"{run} ({FORMS[m].lower()})" for run, m in drawn if m in forms][MOST_DRAWN:]
        others = [FORMS[m].lower() for m in dict.fromkeys(m for _, m in drawn) if m not in forms]
        section.blocks += left_out(undrawn + others, "the tables")
    changes = found[(found["versus_run"] != "") & (found["slice_by"] == "all")]
    if len(changes):
        section.blocks += [
            Heading("Differences on the same items, percentage points"),
            _changes(changes, _asked),
        ]
    return section


def _chance(results: Results, run: str, metric: str) -> float | None:
    return results.chance.get(run) if metric.startswith("accuracy") else 0.5


def _panel(results: Results, levels: pd.DataFrame, run: str, metric: str, name: str) -> Markup:
    table = levels[(levels["run"] == run) & (levels["metric"] == metric)]
    conditions = sorted(dict.fromkeys(levels["condition"]), key=lambda c: (rank_of(c), c))
    groups = ["all", *(c for c in CONTINENTS if c in set(table.loc[table["slice_by"] == "continent", "slice"]))]
    keyed = table[table["slice"].isin(groups)].drop_duplicates(["slice", "condition"]).set_index(["slice", "condition"])
    rows = [
        figures.Row(
            "All questions" if group == "all" else group,
            tuple(mark_of(keyed.loc[group, c]) if (group, c) in keyed.index else None for c in conditions),
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
    conditions = sorted(dict.fromkeys(validation["condition"]), key=lambda c: (rank_of(c), c))
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
        *with_numbers(
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
        *left_out([side(results, *label) for label in labels[MOST_LINES:]], "the table above"),
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
            marks.append(figures.Row(clean(r["run"]), (mark_of(shares),), percent(shares["value"], 0)))
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
    at_step = found[found["slice_by"] == "step"]
    keys = ["run", "condition", "slice"]
    curve = at_step[at_step["metric"] == "nll"].merge(
        at_step.loc[at_step["metric"] == "body_tokens", [*keys, "value"]], on=keys, suffixes=("", "_tokens")
    )
    if len(curve):
        tested = [
            Row(
                [
                    side(results, r["run"], r["condition"]),
                    large(r["value_tokens"]) if is_number(r["value_tokens"]) else NOT_AVAILABLE,
                    number(r["value"], 3),
                    interval(r["ci_low"], r["ci_high"], 3),
                ]
            )
            for _, r in curve.iterrows()
        ]
        table = Table(("model", "#body tokens", "#nats/token", "#95% CI"), tested)
        blocks.append(Fold("Loss on the scored documents at each checkpoint", [table]))
    return blocks


def recovered(results: Results) -> Section:
    """Recovered gain: the share of the possible gain from metadata that a model has learned to use."""
    section = Section("recovered", "Recovered gain")
    summary = results.summary
    compared = [one for one in comparisons(results) if one.condition == "gold" and not unlike(results, one)]
    entropy = summary.get("entropy")
    entropy = entropy if isinstance(entropy, dict) else {}
    without, known = entropy.get("without_place"), entropy.get("with_place")
    if not (compared and is_number(without) and is_number(known) and is_number(summary.get("recovered_gain"))):
        words = "The best possible gain is known only for the embedded newswire, and needs its entropy in summary.json."
        section.blocks.append(Text(f"{words} {gain_sentence(results)}", "gap"))
        return section
    families = dict(zip(results.runs["run"], results.runs["family"], strict=True))
    own = {gain_run(results), families.get(gain_run(results))}
    main = next((one for one in compared if one.run in own), compared[0])
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


def _sides(row: pd.Series) -> list[str]:
    """Names what a row is about, and what was subtracted."""
    names = [(row["run"], row["condition"]), (row["versus_run"], row["versus_condition"])]
    shown = [f"{run}, {condition_name(condition)}" if condition else run for run, condition in names if run]
    return [shown[0], *(f"minus {name}" for name in shown[1:])]


def others(results: Results) -> Section | None:
    """Measures without a section of their own: their levels and differences over all documents, then by slice."""
    table = results.scores[results.scores["shown"] & ~results.scores["measure"].isin(SHOWN)]
    if table.empty:
        return None
    section = Section("others", "Other measures")

    def rows(found: pd.DataFrame) -> list[Row]:
        return [
            Row(
                [
                    _sides(r),
                    r["metric"].replace("_", " "),
                    label_of(r),
                    number(r["value"], 4),
                    interval(r["ci_low"], r["ci_high"], 4),
                    r["unit"],
                    p_text(r["p_holm"]) if pd.notna(r["p_holm"]) else "",
                    count(r["n_documents"]),
                ],
                r["measure"],
            )
            for _, r in found.iterrows()
        ]

    headings = ("model", "metric", "on", "#value", "#95% CI", "unit", "#p (Holm)", "#documents")
    section.blocks.append(Table(headings, rows(table[table["slice_by"] == "all"])))
    if len(parts := table[table["slice_by"] != "all"]):
        section.blocks.append(Fold("By slice", [Table(headings, rows(parts))]))
    return section
