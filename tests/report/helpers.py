"""A synthetic experiment folder with plausible numbers: 2 runs x 3 conditions x 18 countries."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dateline.manifest import Manifest, write_manifest
from dateline.places.countries import PAPER_COUNTRIES, continent_of
from dateline.records import Score

PROTOCOL = "strict-1a2b3c4d"
GAINS = {
    ("plain", "gold"): 0.031,
    ("plain", "wrong"): 0.034,
    ("conditioned", "gold"): -0.118,
    ("conditioned", "none"): 0.006,
    ("conditioned", "wrong"): 0.142,
}
"""Nats per token relative to the plain model told nothing."""


def score(run: str, condition: str, metric: str, value: float, half: float, **more: Any) -> Score:
    """Returns a score with a symmetric interval and plausible counts."""
    fields: dict[str, Any] = {
        "grouping": "all",
        "group": "all",
        "ci_low": value - half,
        "ci_high": value + half,
        "num_documents": 1800,
        "num_tokens": 412_345,
        "protocol": PROTOCOL,
        "model": f"{abs(hash_of(run)):08x}",
        "corpus": "c0ffee0123456789",
    }
    return Score(run=run, condition=condition, metric=metric, value=value, **(fields | more))


def hash_of(text: str) -> int:
    """Returns a small number that does not change between processes."""
    return sum(ord(letter) * 31**at for at, letter in enumerate(text)) % 2**31


def scores(
    countries: Sequence[str] = PAPER_COUNTRIES, seeds: int = 1, families: Sequence[str] = ("plain", "conditioned")
):
    """Returns a score table: levels of every run, condition and group, and the usual differences."""
    rng = random.Random(7)
    groups = [("all", "all")]
    groups += [("continent", name) for name in sorted({continent_of(code) or "unknown" for code in countries})]
    groups += [("country", code) for code in countries]
    shift = {group: rng.gauss(0, 0.12) if group[0] != "all" else 0.0 for group in groups}
    strength = {group: rng.uniform(0.45, 1.5) if group[0] == "country" else 1.0 for group in groups}
    result: list[Score] = []
    nll: dict[tuple[str, str, tuple[str, str]], float] = {}
    suffixes = [f"-seed{n}" for n in range(seeds)] if seeds > 1 else [""]
    for suffix in suffixes:
        luck = rng.gauss(0, 0.008) if suffix else 0.0
        for name, alias in zip(families, ("plain", "conditioned"), strict=True):
            for condition in ("gold", "none", "wrong"):
                for group in groups:
                    share = {"all": 1, "continent": 5}.get(group[0], len(countries))
                    size = {"grouping": group[0], "group": group[1], "num_documents": 1800 // share}
                    size["num_tokens"] = 412_345 // share
                    gain = GAINS.get((alias, condition), 0.0) * strength[group] + rng.gauss(0, 0.004) + luck
                    value = 2.214 + shift[group] + gain
                    half = 0.022 * math.sqrt(share)
                    nll[name + suffix, condition, group] = value
                    run = name + suffix
                    result.append(score(run, condition, "nll", value, half, **size))
                    low, high = math.exp(value - half), math.exp(value + half)
                    result.append(
                        score(run, condition, "ppl", math.exp(value), 0, **size | {"ci_low": low, "ci_high": high})
                    )
                    result.append(score(run, condition, "bits_per_byte", value / 4.1 / math.log(2), half / 3, **size))
        plain, told = (name + suffix for name in families)
        for run, condition, versus, other in (
            (told, "gold", plain, "none"),
            (told, "none", plain, "none"),
            (told, "wrong", plain, "none"),
            (told, "gold", told, "wrong"),
        ):
            for group in groups:
                share = {"all": 1, "continent": 5}.get(group[0], len(countries))
                value = nll[run, condition, group] - nll[versus, other, group]
                half = 0.0095 * math.sqrt(share)
                p_value = max(1e-4, math.erfc(abs(value) / half * 1.96 / math.sqrt(2)))
                size = {"grouping": group[0], "group": group[1], "num_documents": 1800 // share}
                result.append(
                    score(
                        run,
                        condition,
                        "nll_difference",
                        value,
                        half,
                        versus=f"{versus}/{other}",
                        p_value=p_value,
                        **size,
                    )
                )
    return result


def write_scores(folder: Path, table: Sequence[Score]) -> None:
    """Writes a score table with the column types that the experiment room uses."""
    integers = ("num_documents", "num_tokens", "num_outlets", "num_seeds")
    floats = ("value", "ci_low", "ci_high", "p_value", "p_holm", "mde")
    kinds = {n: pa.int64() if n in integers else pa.float64() if n in floats else pa.string() for n in asdict(table[0])}
    pq.write_table(
        pa.Table.from_pylist([asdict(row) for row in table], schema=pa.schema(kinds.items())), folder / "scores.parquet"
    )


def write_metrics(folder: Path, seed: int, final: dict[str, float]) -> None:
    """Writes metrics.jsonl of a run that learns from 8.4 nats down to `final`."""
    rng = random.Random(seed)
    lines: list[dict[str, Any]] = []
    for step in range(10, 2001, 10):
        tokens, progress = step * 4096, step / 2000
        base = 6.1 * math.exp(-9 * progress) + 0.5 * (1 - progress)
        late = min(1.0, 1.6 * progress)
        lines.append(
            {"kind": "train", "step": step, "loss": base + min(final.values()) + rng.gauss(0, 0.05), "lr": 1e-3,
             "grad_norm": 0.5, "tokens": tokens, "body_tokens": tokens * 3 // 4, "tokens_per_second": 9000.0,
             "fill": 0.995, "flops_per_second": 1e11}
        )  # fmt: skip
        if step % 100 == 0:
            middle = sum(final.values()) / len(final)
            for condition, end in final.items():
                loss = base + middle + (end - middle) * late + rng.gauss(0, 0.004)
                entry = {"kind": "validation", "step": step, "tokens": tokens, "condition": condition}
                lines += [entry | {"group": "all", "loss": loss}, entry | {"group": "Africa", "loss": loss + 0.1}]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


TEXTS = {
    "": "The central bank kept its main rate unchanged on Thursday, saying that inflation remained above its target. "
    "Economists had expected a small cut. The governor said the board would wait for figures due next month.",
    "gh": "The Bank of Ghana kept its policy rate unchanged in Accra on Thursday, saying that inflation stayed above "
    "target. The cedi, which has lost ground since January, was steady in early trade.",
    "in": "The Reserve Bank of India kept the repo rate unchanged in Mumbai on Thursday. The rupee closed higher, "
    "and the Sensex ended the day flat. The governor said the monsoon would decide food prices.",
    "ie": "The Central Bank in Dublin said on Thursday that mortgage rates would stay where they are for now. The "
    "Taoiseach told the Dáil that families needed certainty before the budget.",
    "us": "The Federal Reserve left its benchmark rate unchanged on Thursday in Washington. The dollar was little "
    "changed against a basket of currencies, and Treasury yields edged lower.",
}


def build(folder: Path, countries: Sequence[str] = PAPER_COUNTRIES, seeds: int = 1) -> Path:
    """Fills a folder as the experiment room does."""
    suffixes = [f"-seed{n}" for n in range(seeds)] if seeds > 1 else [""]
    recipe = {
        "name": "Conditioning on place, in miniature",
        "runs": {"plain": {"model": {"size": "8m"}, "conditions": {"fields": []}},
                 "conditioned": {"model": {"size": "8m"}, "conditions": {"fields": ["domain", "country", "continent"],
                                                                         "dropout": 0.1}}},
        "evaluate": {"protocol": "strict", "conditions": ["gold", "none", "wrong"]},
        "seeds": list(range(seeds)),
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(folder, Manifest.of("experiment", recipe, {"encoded": "0" * 16}, packages=("numpy",)))
    write_scores(folder, scores(countries, seeds))
    for name, stage in (("corpus", "corpus"), ("encoded", "encode")):
        (folder / name).mkdir(exist_ok=True)
        write_manifest(folder / name, Manifest.of(stage, {"seed": 0}, {}))
    final = {"plain": {"none": 2.21}, "conditioned": {"gold": 2.10, "none": 2.22, "wrong": 2.36}}
    for seed, suffix in enumerate(suffixes):
        for name, ends in final.items():
            run = folder / "runs" / (name + suffix)
            write_metrics(run, seed + len(name), ends)
            write_manifest(run, Manifest.of("train", {"seed": seed, "run": name}, {}))
    samples = [
        {
            "headline": headline,
            "run": "conditioned" + suffixes[0],
            "place": {"domain": f"news.{code}", "country": code, "continent": continent_of(code)} if code else {},
            "continuation": text,
        }
        for headline in ("Central bank holds rates as prices rise",)
        for code, text in TEXTS.items()
    ]
    (folder / "samples.json").write_text(json.dumps(samples), encoding="utf-8")
    summary = {
        "seconds": 1284.0,
        "recovered_gain": 0.934,
        "recovered_gain_ci": [0.881, 0.982],
        "entropy": {"without_place": 2.163, "with_place": 2.0463},
        "ppl": {"plain": {"none": 9.15}, "conditioned": {"gold": 8.13, "none": 9.2, "wrong": 10.5}},
    }
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    write_audit(folder, countries)
    return folder


def write_audit(folder: Path, countries: Sequence[str]) -> None:
    """Writes corpus/audit.json as the corpus room does."""
    rng = random.Random(3)
    cells = {
        code: {
            "continent": continent_of(code),
            "outlets": 3,
            "train": {"documents": rng.randint(400, 2400), "bytes": 10_000},
            "validation": {"documents": rng.randint(30, 120), "bytes": 1000},
            "test": {"documents": 100, "bytes": 1000},
        }
        for code in countries
    }
    audit = {"documents": 1, "splits": {}, "countries": cells, "no_country": {}, "problems": []}
    (folder / "corpus" / "audit.json").write_text(json.dumps(audit), encoding="utf-8")
