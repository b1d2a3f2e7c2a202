"""The commands of docs/guide/by-hand.md run as printed, on fewer articles, one after another, in an empty folder."""

import re
import shlex
from pathlib import Path

from dateline.cli import main

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guide" / "by-hand.md"
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
STEP = re.compile(
    r"^cat > (?P<file>\S+) <<'(?P<end>\w+)'\n(?P<text>(?:.*\n)*?)(?P=end)$"
    r"|^dateline (?P<words>.*?)(?: \|\| test \$\? -eq (?P<code>\d+))?$",
    re.MULTILINE,
)
"""What a block consists of: files, and commands, some of which may end with a code besides 0."""
SMALLER = {"articles 2000": "articles 500", "articles: 2000": "articles: 500", "2048": "768"}


def test_the_page_has_commands_for_every_verb():
    shown = set(re.findall(r"^dateline (\w+)", "\n".join(BLOCKS), re.MULTILINE))
    assert shown == {
        "place", "newswire", "corpus", "encode", "validate", "train", "eval", "locate", "audit", "experiment", "report",
    }  # fmt: skip


def test_the_guide_names_every_recipe():
    text = (ROOT / "docs" / "guide" / "recipes.md").read_text(encoding="utf-8")
    assert [path.name for path in (ROOT / "recipes").iterdir() if f"`{path.name}`" not in text] == []


def test_the_readme_stays_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_a_block_is_nothing_but_files_and_commands():
    assert [left for block in BLOCKS if (left := STEP.sub("", block).strip())] == []


def run(words):
    """Runs a command line and returns its exit code."""
    try:
        main(shlex.split(words))
    except SystemExit as left:
        return left.code
    return 0


def test_the_blocks_run_in_order(tmp_path, monkeypatch, capsys):
    """One test, because each block needs what the one before has left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    for block in BLOCKS:
        for usual, fewer in SMALLER.items():
            block = block.replace(usual, fewer)
        for step in STEP.finditer(block):
            if step["file"]:
                Path(step["file"]).write_text(step["text"], encoding="utf-8")
                continue
            code = run(step["words"])
            said = capsys.readouterr()
            assert code in {0, int(step["code"] or 0)}, f"{step[0]}\n{said.err}"
            assert said.out, step[0]
            assert "Traceback" not in said.err, step[0]
            if re.match(r"train|experiment|validate", step["words"]):  # so that nobody takes the result for a finding
                assert "undertrained: " in said.out, step[0]
    left = ("newswire/manifest.json", "corpus/audit.json", "corpus/corpus.html", "encoded/tokenizer", "first/model",
            "scores/scores.parquet", "experiment/report.html", "experiment/summary.json")  # fmt: skip
    assert [name for name in left if not (tmp_path / "runs" / name).exists()] == []
