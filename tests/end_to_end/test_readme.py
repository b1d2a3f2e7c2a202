"""The commands of README.md run as they are printed, one after another, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path):
    """An empty folder, and a `dateline` on the path that is the one under test."""
    command = tmp_path / "bin" / "dateline"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dateline "$@"\n')
    command.chmod(0o755)
    (tmp_path / "work").mkdir()
    return tmp_path


def test_the_readme_has_commands_for_every_verb():
    shown = set(re.findall(r"^dateline (\w+)", "\n".join(BLOCKS), re.MULTILINE))
    assert shown == {
        "place", "newswire", "corpus", "encode", "validate", "train", "eval", "locate", "audit", "experiment", "report",
    }  # fmt: skip


def test_the_blocks_run_in_order(folder):
    """One test, because each block needs what the one before has left."""
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "COLUMNS": "120",
    }  # fmt: skip
    for block in BLOCKS:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], cwd=folder / "work", env=environment,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stderr}"
        assert done.stdout, block
        assert "Traceback" not in done.stderr, block
    left = ("newswire/manifest.json", "corpus/audit.json", "corpus/corpus.html", "encoded/tokenizer", "first/model",
            "scores/scores.parquet", "experiment/report.html", "experiment/summary.json")  # fmt: skip
    assert [name for name in left if not (folder / "work" / "runs" / name).exists()] == []
