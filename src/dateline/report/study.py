"""The first page of a study: its findings with verdicts, a figure for each experiment, and a matrix of all models."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pandas as pd
from markupsafe import Markup

from dateline.experiment.claims import CLAIMS, EXPERIMENTS
from dateline.experiment.study import LOST
from dateline.records import CONTINENTS
from dateline.report import figures
from dateline.report.effects import rows_of
from dateline.report.page import Bar, Figures, Fold, Heading, Row, Section, Table, Text
from dateline.report.results import Results
from dateline.report.words import MARK, count, interval, is_number, large, listed, number, p_text, percent, some

VERDICTS = {
    "replicates": ("agree", "replicates what was published"),
    "contradicts": ("conflict", "contradicts it"),
    "found": ("third", "an effect, nothing published"),
    "none within the margin": ("single", "no effect within the margin, nothing published"),
    "too small to tell": ("none", "too small to tell"),
    "not defined": ("absent-piece", "not defined"),
    "missing": ("absent-piece", "missing"),
}
"""Verdict -> its colour, and what it means."""
UNIT = "nats per token; below zero the first is better"
REGIONS = (0, 2, 3, 4, 5)
"""Colors of regions: not the grey one, which is that of models without metadata elsewhere."""
SIDE_BY_SIDE = ("with metadata", "without metadata")


def findings(results: Results) -> Section | None:
    """Returns what a study says of every claim: a row a claim, then what could not be computed."""
    table = results.findings
    if table.empty:
        return None
    section = Section("findings", "Findings")
    rows = []
    for (experiment, claim), found in table.groupby(["experiment", "claim"], sort=False):
        known = found[found["effect"].notna()]
        counts = found["verdict"].value_counts()
        pieces = [
            (100 * counts[verdict] / len(found), color, str(counts[verdict]))
            for verdict, (color, _) in VERDICTS.items()
            if verdict in counts
        ]
        cells = [_range(known, "effect"), *(_range(known, name) for name in ("published", "ideal"))]
        rows.append(Row([CLAIMS[claim], Bar(pieces), *cells], f"{experiment}. {EXPERIMENTS[experiment]}"))
    shown = {color: words for verdict, (color, words) in VERDICTS.items() if (table["verdict"] == verdict).any()}
    if {"not defined", "missing"} <= set(table["verdict"]):
        shown["absent-piece"] = "not defined, or missing"
    headings = ("claim", "|findings by verdict", "#effect", "#published", "#ideal")
    section.blocks += [
        Text(
            "Effects run from the smallest to the largest of a claim's sizes, regions and settings; a single one has "
            "its 95% interval. They are in nats per token, negative where the first is better, except for shares. "
            "Published effects come from perplexities whose two sides were scored on different tokens. Ideal effects "
            "are those of learners that know their training distributions; they are known for made-up news only."
        ),
        Table(headings, rows, tuple(shown.items())),
    ]
    lost = table[table["truth"] == LOST]
    section.blocks += [
        Text(
            f"Known, and not found: {CLAIMS[one['claim']]} ({_label(one)}): ideal {_number(one['ideal'])}, measured "
            f"{_number(one['effect']) or 'nothing'}{_corrected(one)}.",
            "problem",
        )
        for one in lost.to_dict("records")
    ]
    missing = table[table["missing"] != ""]
    if len(missing):
        names = sorted({name for one in missing["missing"] for name in one.split("+")})
        section.blocks.append(
            Text(f"{some(len(missing), 'finding')} could not be computed; not there: {listed(names, 12)}.", "gap")
        )
    return section


def opening(results: Results) -> list[str]:
    """Returns the first paragraph of a study's page: how many findings have which verdict, and on how many seeds."""
    table = results.findings
    said = (
        (table["published"].notna() & table["effect"].notna()).sum(),
        *((table["verdict"] == verdict).sum() for verdict in ("replicates", "contradicts")),
    )
    single = table[table["effect"].notna() & (table["n_seeds"] == 1)]
    words = []
    if lost := (table["truth"] == LOST).sum():
        asked = some((table["truth"] != "").sum(), "known truth")
        words.append(f"Of {asked}, {lost} were not found: do not rely on these verdicts.")
    words.append(
        f"Of {said[0]} measured effects with a published counterpart, {said[1]} replicate it, {said[2]} contradict it."
    )
    if len(single):
        words.append(
            f"{some(len(single), 'effect')} of {table['effect'].notna().sum()} rest on one trained model on either "
            "side: their intervals cover the choice of documents, not the luck of training."
        )
    return words


def cards(results: Results) -> list[tuple[str, str, str]]:
    """Returns the key numbers of a study: findings by verdict."""
    counts = results.findings["verdict"].value_counts()
    shown = [verdict for verdict in VERDICTS if verdict in counts][:5]
    return [(verdict, count(counts[verdict]), f"of {some(len(results.findings), 'finding')}") for verdict in shown]


def experiments(results: Results) -> Section | None:
    """Returns a figure for each experiment of a study, and below it every one of its findings."""
    table = results.findings
    if table.empty:
        return None
    section = Section("study", "Experiment by experiment")
    words = "Dots are effects with 95% intervals: blue is better, orange worse, grey not distinguished from zero. "
    section.blocks.append(Text(f"{words}Ticks are the effects of ideal learners, where they are known."))
    for experiment, draw in DRAWN.items():
        own = table[table["experiment"] == experiment]
        if own.empty:
            continue
        drawn = [figure for figure in draw(results, own) if figure is not None]
        section.blocks.append(Heading(f"{experiment}. {EXPERIMENTS[experiment]}"))
        section.blocks += [Figures(drawn)] if drawn else []
        section.blocks.append(Fold(f"{some(len(own), 'finding')} with intervals", [_all(own)]))
    return section


def models(results: Results) -> Section | None:
    """Returns the matrix of all models of a study: perplexity by region, with the prefix and without."""
    runs = results.runs.drop_duplicates("family").set_index("family")
    if results.findings.empty or runs.empty:
        return None
    levels = results.scores[
        (results.scores["measure"] == "perplexity")
        & (results.scores["metric"] == "ppl")
        & (results.scores["versus_run"] == "")
        & results.scores["condition"].isin(["gold", "none"])
        & results.scores["slice_by"].isin(["all", "continent", "country"])
    ]
    regions = [region for region in results.findings["region"].drop_duplicates() if region in set(levels["slice"])]
    places = list(dict.fromkeys(("all", *(name for name in CONTINENTS if name in set(levels["slice"])), *regions)))
    levels = levels[levels["slice"].isin(places)]
    levels = levels.assign(log=levels["value"].map(math.log))
    wide = levels.pivot_table(index="family", columns=["condition", "slice"], values="log", aggfunc="mean", sort=False)
    wide = wide.reindex(columns=pd.MultiIndex.from_product([["none", "gold"], places]))
    sizes = list(dict.fromkeys(runs["size"]))
    order = sorted(wide.index, key=lambda family: sizes.index(runs["size"][family]))
    wide = wide.loc[order]
    first = {runs["size"][family]: family for family in reversed(order)}
    shades = wide.copy()
    for family in order:
        own = wide.loc[first[runs["size"][family]], "none"].reindex(places)
        shades.loc[family] = wide.loc[family].to_numpy() - [*own, *own]
    texts = wide.map(lambda value: "" if pd.isna(value) else number(math.exp(value), 2 if value < math.log(10) else 1))
    shades.columns = texts.columns = pd.MultiIndex.from_tuples([(name, f"{on}, {name}") for name, on in wide.columns])
    shades.index = texts.index = pd.MultiIndex.from_tuples([(runs["size"][family], family) for family in order])
    scale = -float(shades.min(axis=None)) or 1.0
    drawn = figures.matrix(
        shades.clip(-scale, scale),
        texts,
        "models-matrix",
        "Perplexity of every model on every region",
        f"{some(len(wide), 'model')}, on {listed(places)}, without a prefix (none) and with it (gold).",
        axes=("", "test texts and condition"),
        scale=scale,
    )
    compared = listed(first[size] for size in sizes if size in first)
    words = (
        "Test texts without a prefix (none) and with the one of training (gold), which plain models lack. Seeds are "
        f"averaged. Shades compare with {compared} without a prefix on the same texts: blue is better, orange worse."
    )
    return Section("models", "All models", [Text(words), Figures([drawn])])


def budgets(results: Results) -> Section | None:
    """Returns how much the models of a study read, by size, region and budget."""
    runs = results.runs
    if results.findings.empty or runs.empty:
        return None
    rows = []
    runs = runs.sort_values("size", key=lambda sizes: sizes.map(list(dict.fromkeys(sizes)).index), kind="stable")
    for (size, trained_on, left_out, budget), found in runs.groupby(
        ["size", "trained_on", "left_out", "budget"], sort=False
    ):
        where = f"{trained_on}, without {left_out}" if left_out else trained_on
        ends = [large(found["body_tokens"].min()), large(found["body_tokens"].max())]
        cells = [listed(dict.fromkeys(ends)).replace(" and ", " to "), count(found["step"].max())]
        rows.append(Row([where, budget.replace("_", " "), count(len(found)), *cells], size))
    headings = ("trained on", "budget", "#models", "#body tokens each", "#steps at most")
    words = (
        "Body tokens are those of the texts; prefixes are read on top of them. Compare models that read as many: "
        "under train.steps, models with metadata read fewer body tokens than those without."
    )
    return Section("budgets", "Training budgets", [Text(words), Table(headings, rows)])


# Tables of findings


def _range(found: pd.DataFrame, column: str) -> str:
    values = found[column].dropna()
    if values.empty:
        return ""
    if len(found) == 1 and column == "effect":
        one = found.iloc[0]
        return f"{number(one['effect'], 3, sign=True)} {interval(one['ci_low'], one['ci_high'], 3, sign=True)}"
    ends = dict.fromkeys(number(end, 3, sign=True) for end in (values.min(), values.max()))
    return " to ".join(ends)


def _all(own: pd.DataFrame) -> Table:
    rows = []
    for one in own.to_dict("records"):
        numbers = [
            number(one[name], 3, sign=True) if is_number(one[name]) else "" for name in ("effect", "published", "ideal")
        ]
        ends = interval(one["ci_low"], one["ci_high"], 3, sign=True) if is_number(one["ci_low"]) else ""
        cells = [
            one["verdict"],
            numbers[0],
            ends,
            p_text(one["p_holm"]) if is_number(one["p_holm"]) else "",
            number(one["mde"], 3) if is_number(one["mde"]) else "",
            *numbers[1:],
            count(one["n_documents"]),
            count(one["n_seeds"]),
            one["reason"],
        ]
        rows.append(Row([_label(one), *cells], CLAIMS[one["claim"]], one["verdict"] == "contradicts"))
    headings = ("what", "verdict", "#effect", "#95% CI", "#p (Holm)", "#MDE", "#published", "#ideal", "#documents")
    return Table((*headings, "#seeds", "to know"), rows)


def _number(value: float) -> str:
    return number(value, 3, sign=True) if is_number(value) else "never" if value == math.inf else ""


def _corrected(one: dict[str, object]) -> str:
    return f", p (Holm) {p_text(one['p_holm'])}" if is_number(one["p_holm"]) else ""


def _label(one: dict[str, object]) -> str:
    """Names a finding by what tells it apart within its claim."""
    fields = str(one["fields"])
    parts = [str(one["size"]), "" if one["region"] == "all" else str(one["region"])]
    parts.append("same regional text" if one["budget"] == "same_region_tokens" else "")
    parts.append(_marked(fields) if one["claim"] == "fields" else "")
    parts.append(str(one["detail"]))
    return ", ".join(part for part in parts if part)


def _marked(fields: str) -> str:
    """Returns the names of fields; those that show the URL have the mark of a leak."""
    names = fields.split("+")
    return ", ".join([f"{MARK} {name}" if name == "url" else name.replace("_", " ") for name in names])


# A figure for each experiment


def _rows(
    own: pd.DataFrame, claims: Sequence[str], label: Callable[[pd.Series[str]], str], keys: Sequence[str]
) -> list[figures.Row]:
    """Returns a row for each combination of the key columns with a mark for each claim; ticks are ideal effects."""
    rows = []
    for _, found in own[own["claim"].isin(claims)].groupby(list(keys), sort=False):
        by = found.drop_duplicates("claim").set_index("claim")
        marks = tuple(
            figures.Interval(*by.loc[claim, ["effect", "ci_low", "ci_high"]].astype(float))
            if claim in by.index and is_number(by.loc[claim, "effect"])
            else None
            for claim in claims
        )
        if any(marks):
            ideal = tuple(float(value) for value in found["ideal"].dropna().unique()) if len(claims) == 1 else ()
            rows.append(figures.Row(label(found.iloc[0]), marks, ticks=ideal))
    return rows


def _place(one: pd.Series[str]) -> str:
    return f"{one['size']}, {'all texts' if one['region'] == 'all' else one['region']}"


def _forest(
    own: pd.DataFrame,
    claims: Sequence[str],
    name: str,
    title: str,
    *,
    series: Sequence[str] = (),
    label: Callable[[pd.Series[str]], str] = _place,
    keys: Sequence[str] = ("size", "region"),
) -> Markup | None:
    rows = _rows(own, claims, label, keys)
    if not rows:
        return None
    ticks = " Ticks are ideal effects." if any(row.ticks for row in rows) else ""
    words = f"Effects with 95% intervals of {some(len(rows), 'row')}.{ticks}"
    return figures.intervals(rows, f"study-{name}", title, words, unit=UNIT, series=series)


def _regions(results: Results, own: pd.DataFrame) -> list[Markup | None]:
    return [
        _forest(own, ["in_region"], "in-region", "With less without metadata: own region"),
        _forest(own, ["out_of_region"], "out-of-region", "With less without metadata: elsewhere"),
    ]


def _recovery(results: Results, own: pd.DataFrame) -> list[Markup | None]:
    drawn = [_slopes(results, size) for size in own["size"].drop_duplicates()]
    claims = ("global_local_with", "global_local_without")
    for budget, words in (("same_steps", "same steps"), ("same_region_tokens", "same regional text")):
        part = own[own["budget"] == budget]
        drawn.append(
            _forest(part, claims, f"recovery-{budget}", f"Global less local models, {words}", series=SIDE_BY_SIDE)
        )
    return drawn


def _slopes(results: Results, size: str) -> Markup | None:
    """Draws, for each region, the loss of its local and of the global model, with and without metadata."""
    runs = results.runs[(results.runs["size"] == size) & (results.runs["budget"] == "same_steps")]
    regions = [name for name in results.findings["region"].drop_duplicates() if name in set(runs["trained_on"])]
    levels = rows_of(results, "perplexity", "nll", tests=False)
    drawn = []
    for dash, condition in enumerate(("gold", "none")):
        for color, region in enumerate(name for name in regions if name != "all"):
            local = runs[(runs["trained_on"] == region) & ((runs["fields"] == "") == (condition == "none"))]
            if local.empty:
                continue
            same = ["left_out", "fields", "dropout", "cooldown", "mix"]
            whole = runs[~runs["trained_on"].isin(regions) | (runs["trained_on"] == "all")]
            whole = whole[(whole[same] == local.iloc[0][same]).all(axis=1)]
            found = levels[(levels["slice"] == region) & (levels["condition"] == condition)]
            means = [float(found.loc[found["run"].isin(one["run"]), "value"].mean()) for one in (local, whole)]
            if all(map(is_number, means)):
                label = "the same without metadata" if dash else f"{region}, with metadata"
                drawn.append(figures.Line(label, (0, 1), means, color=REGIONS[color % len(REGIONS)], dash=dash))
    if not drawn:
        return None
    ends = [value for line in drawn for value in line.y]
    return figures.lines(
        drawn,
        f"study-slopes-{size}",
        f"Local and global models, {size}",
        "Loss on the texts of each region of the model that was trained there, and of the one trained on all.",
        x="",
        y=f"{size}: nats per token",
        categories=("local", "global"),
        top=max(ends) + 0.06 * (max(ends) - min(ends)),
    )


def _efficiency(results: Results, own: pd.DataFrame) -> list[Markup | None]:
    rows = _rows(own, ["share_to_reach"], _place, ["size", "region"])
    whole = own[own["region"] == "all"]
    drawn: list[Markup | None] = [_curves(results, whole, size) for size in whole["size"].drop_duplicates()]
    if rows:
        drawn.append(
            figures.intervals(
                rows,
                "study-efficiency",
                "Text needed for the plain run's last loss",
                f"Shares with 95% intervals of {some(len(rows), 'row')}.",
                unit="share of the plain run's body tokens",
                reference=1.0,
                show=lambda value: percent(value, 0),
            )
        )
    return drawn


def _curves(results: Results, own: pd.DataFrame, size: str) -> Markup | None:
    """Draws the test loss of conditioned runs by body tokens, and where it crosses the last loss of the plain run."""
    names = own.loc[own["size"] == size, "compared"].str.partition("/")[0]
    runs = results.runs[results.runs["family"].isin(names) | results.runs["run"].isin(names)]
    table = results.scores[(results.scores["measure"] == "efficiency") & results.scores["run"].isin(runs["run"])]
    reach = table[(table["metric"] == "tokens_to_reach") & (table["slice_by"] == "all")]
    last = results.scores[(results.scores["measure"] == "perplexity") & (results.scores["metric"] == "nll")]
    last = last[(last["slice_by"] == "all") & (last["versus_run"] == "")].set_index(["run", "condition"])["value"]
    drawn = []
    for crossing in reach.itertuples():
        steps = table[(table["run"] == crossing.run) & (table["condition"] == crossing.condition)]
        steps = steps[steps["slice_by"] == "step"]
        x, y = (steps[steps["metric"] == metric].set_index("slice") for metric in ("body_tokens", "nll"))
        both = y.join(x["value"].rename("tokens")).sort_values("tokens")
        level = last.get((crossing.versus_run, crossing.versus_condition), math.nan)
        if len(both) < 2 or not is_number(level):
            continue
        tokens = both["tokens"].tolist()
        drawn += [
            figures.Line(
                "conditioned, with its prefix",
                tokens,
                both["value"].tolist(),
                both["ci_low"].tolist(),
                both["ci_high"].tolist(),
            ),
            figures.Line("plain run, last loss", (tokens[0], tokens[-1]), (level, level), color=1, dash=1),
        ]
        if is_number(crossing.value):
            drawn.append(figures.Line("crossing", (crossing.value,), (level,), color=2))
    if not drawn:
        return None
    ends = [value for line in drawn for value in line.y]
    return figures.lines(
        drawn,
        f"study-curves-{size}",
        f"Learning curves, {size}",
        f"Loss of {some(len(reach), 'conditioned run')} on test texts by body tokens read, with 95% bands.",
        x="body tokens read",
        y=f"{size}: nats per token",
        top=max(ends),
    )


def _left_out(results: Results, own: pd.DataFrame) -> list[Markup | None]:
    return [
        _forest(
            own,
            ["left_out_with", "left_out_without"],
            "left-out",
            "What leaving a region out costs there",
            series=SIDE_BY_SIDE,
        ),
        _forest(
            own,
            ["left_out_field"],
            "left-out-fields",
            "What a prefix still brings there",
            label=lambda one: f"{one['region']}, {one['detail']}",
            keys=["size", "region", "detail"],
        ),
    ]


def _fields(results: Results, own: pd.DataFrame) -> list[Markup | None]:
    ranked = own.sort_values("effect")
    drawn = [
        _forest(
            found,
            ["fields"],
            f"fields-{size}",
            f"Fields of the prefix less plain, {size}",
            label=lambda one: _marked(one["fields"]),
            keys=["fields", "detail"],
        )
        for size, found in ranked[ranked["claim"] == "fields"].groupby("size", sort=False)
    ]
    series = SIDE_BY_SIDE
    return [
        *drawn,
        _forest(own, ["balance_with", "balance_without"], "balance", "Natural less equal mix", series=series),
    ]


def _dropout(results: Results, own: pd.DataFrame) -> list[Markup | None]:
    """Draws cost without metadata and gain with it over the prefix dropout; a cooldown stands at the end."""
    drawn: list[Markup | None] = []
    for size, found in own.groupby("size", sort=False):
        settings = sorted(set(found["detail"]), key=lambda one: (not one.endswith("cooldown 0"), one))
        if len(settings) < 2:
            continue
        seeds = {
            _setting(one): int(number) for one, number in found.groupby("detail", sort=False)["n_seeds"].max().items()
        }
        several = {name: number for name, number in seeds.items() if number > 1}
        words = f" ({', '.join(f'{name}: {number} seeds' for name, number in several.items())}; others one)"
        lines = []
        for color, claim in enumerate(("dropout_cost", "dropout_gain")):
            by = found[found["claim"] == claim].set_index("detail").reindex(settings)
            value, low, high = (by[name].astype(float).tolist() for name in ("effect", "ci_low", "ci_high"))
            usual = sum(one.endswith("cooldown 0") for one in settings)
            for part in (range(usual), *(range(at, at + 1) for at in range(usual, len(settings)))):
                ends = (value[part.start : part.stop], low[part.start : part.stop], high[part.start : part.stop])
                lines.append(figures.Line(CLAIMS[claim], part, *ends, 2 * color, color))
        drawn.append(
            figures.lines(
                lines,
                f"study-dropout-{size}",
                f"Prefix dropout, {size}",
                f"Differences from the plain run at {some(len(settings), 'setting')}, with 95% bands.",
                x="prefix dropout in training" + (words if several else ""),
                y=f"{size}: {UNIT.partition(';')[0]}, less plain",
                categories=[_setting(one) for one in settings],
            )
        )
    return drawn


def _setting(detail: str) -> str:
    """Returns `dropout 0.3, cooldown 0` as `0.3`, and a cooldown by its name."""
    dropout, cooldown = (part.rpartition(" ")[2] for part in detail.split(","))
    return dropout if cooldown == "0" else f"{dropout}, cooldown"


DRAWN: dict[int, Callable[[Results, pd.DataFrame], list[Markup | None]]] = {
    1: _regions,
    2: _recovery,
    3: _efficiency,
    4: _left_out,
    5: _fields,
    6: _dropout,
}
"""What draws an experiment."""
