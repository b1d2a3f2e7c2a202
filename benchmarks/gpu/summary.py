"""Prints the outcome of benchmarks/gpu/run.sh in at most 100 lines and 11,500 characters.

python benchmarks/gpu/summary.py WORK OUT SECONDS
"""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path

import torch
import transformers

MOST_LINES, MOST_CHARACTERS, WIDTH = 100, 11_500, 330


def main(work: Path, out: Path, seconds: str) -> None:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU, a dry run: no figure means anything"
    lines = [
        f"# {device}",
        "",
        f"PyTorch {torch.__version__}, transformers {transformers.__version__}, Python {platform.python_version()}; "
        f"{seconds} s in all",
        "",
        "| Part | Outcome | Seconds |",
        "|---|---|--:|",
        *read(work / "times"),
    ]
    tests = read(work / "logs" / "tests.log")
    lines += [
        "",
        "## Tests",
        "",
        *[line for line in tests if re.search(r"(FAILED|ERROR)|= .*(passed|failed|error)", line)],
    ]
    lines += [f"{sum(' PASSED' in line for line in tests)} tests passed, by the log"]
    lines += ["", "## Training", "", *tables(read(work / "logs" / "training.log"))]
    lines += ["", "## Inference", "", *tables(read(out / "inference.md"))]
    news = [
        line
        for line in read(work / "logs" / "news.log")
        if line.startswith(("6 runs side", "16 runs", "the time", "dateline"))
    ]
    lines += ["", "## News", "", *news, *tables(read(out / "findings.md"))]
    text = "\n".join(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in lines[:MOST_LINES])
    print(text[:MOST_CHARACTERS])


def read(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else [f"no {path.name}"]


def tables(lines: list[str]) -> list[str]:
    """Returns the rows of tables, the lines that say what rate is the limit, and nothing else."""
    said = ("|", "Square bf16", "Matrix products of", "no ")
    return [line for line in lines if line.startswith(said)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
