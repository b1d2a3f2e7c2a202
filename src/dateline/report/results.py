"""What an experiment's folder holds, as data frames: runs, scores, losses, and a sentence for everything missing.

Only the score table is indispensable. Any other part that is absent or damaged becomes a gap that the page shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from dateline.errors import UserError, one_line
from dateline.evaluate.recipe import MEASURES
from dateline.manifest import Manifest, read_manifest
from dateline.records import SPLITS
from dateline.report.words import SWAP, is_number, listed
from dateline.scores import FINDINGS, FINDINGS_SCHEMA, RUNS, RUNS_SCHEMA, SCORES, SCORES_SCHEMA, read_table

EXPERIMENT = "experiment"
AUDIT = "corpus/audit.json"
LOSS_COLUMNS = ["run", "family", "kind", "condition", "step", "body_tokens", "loss"]
CONFUSION_COLUMNS = ["run", "masked", "truth", "predicted", "count"]
BIN_COLUMNS = ["run", "masked", "count", "confidence", "accuracy", "ci_low", "ci_high"]
_BROKEN = 8
"""Lines of metrics.jsonl that are named one by one."""


@dataclass(frozen=True)
class Results:
    """Everything that a report can show."""

    folder: Path
    runs: pd.DataFrame
    """One row a run, with the columns of `scores.Run`."""
    scores: pd.DataFrame
    """The long table, as `read_scores` describes it."""
    findings: pd.DataFrame
    """One row a finding of a study, with the columns of `scores.Finding`; empty where there is no study."""
    losses: pd.DataFrame
    """Training and validation losses over all texts, with the columns `LOSS_COLUMNS`."""
    bins: pd.DataFrame
    """Reliability diagrams, with the columns `BIN_COLUMNS`."""
    confusions: pd.DataFrame
    """Texts by true and inferred country, with the columns `CONFUSION_COLUMNS`."""
    coverage: pd.DataFrame
    """Documents of the corpus: country, continent and a column for each split; NaN where the audit has no count."""
    problems: tuple[str, ...] = ()
    """What the audit of the corpus complains about."""
    chance: Mapping[str, float] = field(default_factory=dict)
    """Run -> share of the questions that guessing answers."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    samples: tuple[Mapping[str, Any], ...] = ()
    stages: tuple[tuple[str, Manifest], ...] = ()
    """Folder relative to the experiment and its manifest; the experiment's own, named `.`, comes first."""
    gaps: Mapping[str, list[str]] = field(default_factory=dict)
    """Section of the page -> why something is missing from it."""

    @cached_property
    def leaking(self) -> frozenset[tuple[str, str]]:
        """Runs and families with the conditions under which their prefix showed the URL."""
        rows = self.scores[self.scores["leaks"] & (self.scores["versus_run"] == "")]
        return frozenset(
            (name, c) for side in ("run", "family") for name, c in zip(rows[side], rows["condition"], strict=True)
        )

    @cached_property
    def differences(self) -> dict[tuple[str, ...], pd.DataFrame]:
        """Paired differences of losses by run, condition, versus_run and versus_condition."""
        table = self.scores
        rows = table[table["shown"] & (table["measure"] == "perplexity") & (table["metric"] == "nll_difference")]
        return dict(iter(rows.groupby(["run", "condition", "versus_run", "versus_condition"], sort=False)))

    @property
    def manifest(self) -> Manifest | None:
        """The experiment's own manifest, if it is finished."""
        return next((manifest for name, manifest in self.stages if name == "."), None)


def read_results(folder: Path) -> Results:
    """Reads the folder of an experiment.

    Args:
        folder: that `dateline experiment` made.

    Returns:
        Its parts; each one that is missing or damaged has a sentence in `gaps`.

    Raises:
        UserError: where there is no score table, it mixes protocols, or the folder belongs to another stage.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; run an experiment first")
    gaps: dict[str, list[str]] = {}
    stages = _stages(folder, gaps)
    own = next((manifest for name, manifest in stages if name == "."), None)
    if own is not None and own.stage != EXPERIMENT:
        raise UserError(f"{folder}: holds the result of '{own.stage}', not '{EXPERIMENT}'; name an experiment's folder")
    scores = read_scores(folder)
    runs = _runs(folder, gaps)
    losses = _losses(folder / "runs", runs, gaps)
    coverage, problems = _coverage(folder / AUDIT, gaps)
    summary = _json(folder / "summary.json", gaps, "recovered")
    samples = _json(folder / "samples.json", gaps, "samples")
    return Results(
        folder=folder,
        runs=runs,
        scores=_with_families(scores, runs),
        findings=_findings(folder, gaps),
        losses=losses,
        bins=_tables(folder, "reliability.parquet", BIN_COLUMNS, gaps),
        confusions=_tables(folder, "confusion.parquet", CONFUSION_COLUMNS, gaps),
        coverage=coverage,
        problems=problems,
        chance=_chance(folder / "mcq"),
        summary=summary if isinstance(summary, dict) else {},
        samples=tuple(s for s in samples if isinstance(s, dict)) if isinstance(samples, list) else (),
        stages=stages,
        gaps=gaps,
    )


def read_scores(folder: Path) -> pd.DataFrame:
    """Reads the long table of an experiment.

    Args:
        folder: of the experiment.

    Returns:
        A row for each score, with the columns of `scores.Score`, and `leaks`: whether the prefix showed the URL.

    Raises:
        UserError: where the table is missing, damaged, empty, of another version, or mixes protocols of perplexity.
    """
    path = folder / SCORES
    if not path.is_file():
        raise UserError(f"{path}: no score table; finish the experiment before reporting on it")
    table: pd.DataFrame = read_table(path, SCORES_SCHEMA).to_pandas()
    if table.empty:
        raise UserError(f"{path}: the score table is empty; evaluate at least one run before reporting")
    protocols = list(dict.fromkeys(table.loc[table["measure"] == "perplexity", "protocol"]))
    if len(protocols) > 1:
        raise UserError(
            f"{path}: the score table mixes {len(protocols)} protocols ({', '.join(protocols[:3])}); such scores "
            "cannot be compared: evaluate all runs under one protocol"
        )
    texts = [field.name for field in SCORES_SCHEMA if pa.types.is_string(field.type)]
    table[texts] = table[texts].astype(object)
    for name in ("value", "ci_low", "ci_high", "p", "p_holm", "mde", "equivalent_within"):
        table[name] = pd.to_numeric(table[name], errors="coerce").astype(float)
    table["leaks"] = table["shown"].str.split("+").map(lambda fields: "url" in fields)
    return table.drop(columns="shown")


def _with_families(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Adds family, seed (NA for a mean over seeds), versus_family, and `shown`.

    `shown` is False for a single run's comparison that stands in the table over all seeds, too.
    """
    family, seed = (dict(zip(runs["run"], runs[name], strict=True)) for name in ("family", "seed"))
    for side in ("", "versus_"):
        table[f"{side}family"] = table[f"{side}run"].map(lambda run: family.get(run, run))
    table["seed"] = table["run"].map(lambda run: seed.get(run, pd.NA))
    same = ["measure", "metric", "family", "condition", "versus_family", "versus_condition", "slice_by", "slice"]
    pooled = table.groupby(same)["n_seeds"].transform("max") > 1
    table["shown"] = (table["n_seeds"] > 1) | ~pooled
    return table.drop_duplicates(ignore_index=True)


def _runs(folder: Path, gaps: dict[str, list[str]]) -> pd.DataFrame:
    """Reads the table of runs; without it every run is a family of its own."""
    try:
        return read_table(folder / RUNS, RUNS_SCHEMA).to_pandas()
    except UserError as error:
        words = f"{one_line(str(error))[:160]} Without it, seeds are not recognised as such."
        gaps.setdefault("making", []).append(words)
        return pd.DataFrame(columns=RUNS_SCHEMA.names)


def _findings(folder: Path, gaps: dict[str, list[str]]) -> pd.DataFrame:
    """Reads the findings of a study; a table that cannot be read is a gap, none at all is an experiment without one."""
    try:
        if (folder / FINDINGS).is_file():
            return read_table(folder / FINDINGS, FINDINGS_SCHEMA).to_pandas()
    except UserError as error:
        gaps.setdefault("making", []).append(one_line(str(error)))
    return pd.DataFrame(columns=FINDINGS_SCHEMA.names)


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(
            f"{path}: not a Parquet file ({one_line(str(error))[:120]}); run the experiment again"
        ) from None


def _tables(folder: Path, name: str, columns: list[str], gaps: dict[str, list[str]]) -> pd.DataFrame:
    """Returns the rows of one kind of table under `locate/`, those of all models together."""
    found = []
    for place in _folders(folder / "locate"):
        try:
            table = _parquet(place / name)
            if absent := [column for column in columns if column not in table]:
                raise UserError(f"no column '{absent[0]}'")
            found.append(table[columns])
        except FileNotFoundError:
            gaps.setdefault("locate", []).append(f"The folder holds no locate/{place.name}/{name}.")
        except UserError as error:
            gaps.setdefault("locate", []).append(
                f"locate/{place.name}/{name} cannot be read ({one_line(str(error))[:160]})."
            )
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)
    for column in columns:
        text = column in ("run", "truth", "predicted")
        table[column] = table[column].astype(str) if text else pd.to_numeric(table[column], errors="coerce")
    return table[table["count"] > 0].drop_duplicates(ignore_index=True)


def _losses(folder: Path, runs: pd.DataFrame, gaps: dict[str, list[str]]) -> pd.DataFrame:
    """Reads training and validation losses; lines that should hold one and do not are named."""
    families = dict(zip(runs["run"], runs["family"], strict=True))
    rows: list[dict[str, Any]] = []
    broken: list[str] = []
    for path in sorted(folder.glob("*/metrics.jsonl")):
        for at, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            entry: Any = None
            with suppress(ValueError, RecursionError):
                entry = json.loads(line) if line.strip() else {"kind": ""}
            kind = entry.get("kind") if isinstance(entry, dict) else None
            if not isinstance(kind, str):
                broken.append(f"{path.parent.name} line {at}")
            elif kind in ("train", "validation"):
                if not all(is_number(entry.get(key)) for key in ("body_tokens", "loss")):
                    broken.append(f"{path.parent.name} line {at}")
                elif entry.get("group", "all") == "all":
                    condition = str(entry.get("condition") or "none") if kind == "validation" else ""
                    known = {"run": path.parent.name, "family": families.get(path.parent.name, path.parent.name)}
                    rows.append(
                        {
                            **known,
                            **{key: entry.get(key) for key in LOSS_COLUMNS[4:]},
                            "kind": kind,
                            "condition": condition,
                        }
                    )
    if not rows:
        gaps.setdefault("learning", []).append("No run in this folder left a metrics.jsonl with losses.")
    if broken:
        words = f"{listed(broken, _BROKEN)}: no record with a finite loss; left out of the curves"
        gaps.setdefault("learning", []).append(f"metrics.jsonl, {words}.")
    return pd.DataFrame(rows, columns=LOSS_COLUMNS).sort_values(["run", "body_tokens"], kind="stable")


def _stages(folder: Path, gaps: dict[str, list[str]]) -> tuple[tuple[str, Manifest], ...]:
    places = {".": folder, "corpus": folder / "corpus", "encoded": folder / "encoded"}
    for kind in ("runs", *MEASURES):
        places |= {f"{kind}/{place.name}": place for place in _folders(folder / kind)}
    found = {name: read_manifest(place) for name, place in places.items()}
    missing = [name for name, manifest in found.items() if manifest is None]
    if missing:
        gaps.setdefault("making", []).append(
            f"No manifest.json in {listed(missing)}: not finished, or moved; these parts cannot be vouched for."
        )
    return tuple((name, manifest) for name, manifest in found.items() if manifest is not None)


def _coverage(path: Path, gaps: dict[str, list[str]]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    data = _json(path, gaps, "coverage")
    data = data if isinstance(data, dict) else {}
    countries = data.get("countries")
    entries = list(countries.items()) if isinstance(countries, dict) else []
    rows = []
    for code, entry in [*entries, ("", data.get("no_country"))]:
        counts = {split: _inside(entry, split, "documents") for split in SPLITS}
        known = {split: n for split, n in counts.items() if is_number(n)}
        if code or any(known.values()):
            rows.append({"country": str(code), "continent": str(_inside(entry, "continent") or ""), **known})
    if not rows and data:
        gaps.setdefault("coverage", []).append(f"{AUDIT} lists no documents by country.")
    problems = data.get("problems")
    return (
        pd.DataFrame(rows, columns=["country", "continent", *SPLITS]),
        tuple(map(str, problems)) if isinstance(problems, list) else (),
    )


def _chance(folder: Path) -> dict[str, float]:
    found = {place.name: _inside(_read(place / "manifest.json"), "facts", "chance") for place in _folders(folder)}
    return {run: float(chance) for run, chance in found.items() if chance is not None and is_number(chance)}


def _folders(folder: Path) -> list[Path]:
    """Returns the folders of runs; those whose name begins with a dot are no results."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if path.is_dir() and not path.name.startswith("."))


def _json(path: Path, gaps: dict[str, list[str]], part: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        gaps.setdefault(part, []).append(f"The folder holds no {path.name}.")
    except (ValueError, OSError, RecursionError) as error:
        gaps.setdefault(part, []).append(f"{path.name} cannot be read ({one_line(str(error))[:120]}).")
    return None


def _read(path: Path) -> Any:
    """Returns the content of a JSON file, or None where there is none that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _inside(data: Any, *keys: str) -> Any:
    """Returns what lies under nested keys, or None where one of them is missing."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def is_swap(condition: str) -> bool:
    """Says whether a condition claims one country for every text."""
    return condition.startswith(SWAP)
