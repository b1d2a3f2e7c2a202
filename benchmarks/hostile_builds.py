"""Whole builds from hostile folders: `dateline corpus` and what it leaves, for people and for programs.

Enters: nothing; every folder is made from (seed, number). Leaves: a table of exit codes, and every build that breaks a
rule.
Deliberately not done: no second process, no cluster; what single files do to the readers is `fuzz.py`'s concern.

    python benchmarks/hostile_builds.py [--builds 300] [--seed 1] [--number N]

The rules: the command ends with 0 or 2; 2 comes with one line and leaves nothing; 0 leaves what can be read again, in
which in = kept + dropped. No control character reaches the terminal, no tag of the data the page or the README, no
formula of the data `outlets.csv`; nothing is fetched, and nothing written outside of the build's folders.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gzip
import io
import json
import re
import shutil
import sys
import tempfile
import time
import unicodedata
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import yaml
from fuzz import Watch, warm_up
from hostile import NASTY, address, row, text
from hostile_web import KINDS

from dateline.cli import main as dateline
from dateline.corpus.dropped import slug
from dateline.manifest import read_manifest

FOREIGN = {
    "script",
    "img",
    "iframe",
    "object",
    "embed",
    "a",
    "link",
    "base",
    "form",
    "input",
    "x",
    "b",
    "i",
    "template",
}
"""Tags that the page never has by itself."""
WRITING = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of writing around."""


def make_folder(rng: Random, folder: Path) -> None:
    """Fills a folder with files of several kinds; most have some sound articles too, and copies of them."""
    for number in range(rng.randrange(1, 5)):
        kind = rng.choice([name for name in KINDS if not name[0].isdigit() and (name != "now" or rng.random() < 0.2)])
        here = folder / f"{number}"
        here.mkdir(parents=True)
        KINDS[kind][1](rng, here)
    if rng.random() < 0.8:
        rows = [row(rng) for _ in range(rng.randrange(1, 12))]
        for made in rows:
            made["text"] = (
                f"{text(rng)} The council met {rng.randrange(10**9)} farmers who plant maize by the river. " * 3
            )
        rows += [{**made, "url": address(rng), "title": rng.choice(NASTY) * 3} for made in rows * 2]
        said = "\n".join(json.dumps(made) for made in rows)
        (folder / f"{rng.choice(('sound', '-x', '<b>y', 'a[1]'))}.jsonl").write_text(said, encoding="utf-8")


def warm_up_builds(top: Path) -> None:
    """Loads what is loaded when it is first needed (among it datatrove's event loop, which has a pair of sockets)."""
    warm_up(top)
    make_folder(Random(0), top / "warm" / "in")
    run(["corpus", str(top / "warm" / "in"), "--out", str(top / "warm" / "corpus"), "--workers", "1"])
    run(["corpus", "inspect", str(top / "warm" / "corpus")])
    shutil.rmtree(top / "warm")


def run(words: list[str]) -> tuple[int, str, str]:
    """Runs a command line in this process; returns the exit code and what it said."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            dateline(words)
        except SystemExit as left:
            code = int(left.code or 0)
    return code, out.getvalue(), err.getvalue()


def build(number: int, seed: int, top: Path, watch: Watch) -> int:
    """Makes a folder, builds a corpus from it, checks the rules; returns the exit code."""
    rng = Random(f"{seed}/build/{number}")
    here = top / f"{number}"
    make_folder(rng, here / "in")
    out = here / "corpus"
    words = ["corpus", str(here / "in"), "--out", str(out), "--workers", "1", "--min_characters", "40"]
    words += rng.choice(
        ([], ["--language", "null"], ["--on_conflict", "drop"], ["--near_duplicates.threshold", "null"])
    )
    before = sorted(path.name for path in top.iterdir())
    with watch.within(here):
        code, said, complained = run(words)
        check_terminal(said)
        check_terminal(complained)
        if code == 0:
            check_corpus(out)
            check_page((out / "corpus.html").read_text(encoding="utf-8"))
            check_card((out / "README.md").read_text(encoding="utf-8"))
            for more in ([], ["--sample", "3", "--fields", "url"]):
                looked, seen, problem = run(["corpus", "inspect", str(out), *more])
                assert looked == 0, problem
                check_terminal(seen)
        else:
            assert code == 2, f"exit code {code}: {complained[-600:]}"
            lines = complained.splitlines()
            assert [line for line in lines if line.startswith("dateline: ")] == lines[-1:], complained[-600:]
            assert "Traceback" not in complained
            assert set(_left(here)) <= {"in", "corpus/dropped"}, "something is left"
    assert sorted(path.name for path in top.iterdir()) == before
    shutil.rmtree(here)
    return code


def _left(here: Path) -> set[str]:
    """Returns what stands in a folder; of a corpus that was not made, what stands in it."""
    folders = ({f"corpus/{inside.name}" for inside in path.iterdir()} if path.name == "corpus" else {path.name}
               for path in here.iterdir())  # fmt: skip
    return set().union(*folders)


def check_terminal(said: str) -> None:
    """Asks for text that a terminal only shows."""
    bad = {letter for letter in said if letter in WRITING or unicodedata.category(letter) in ("Cc", "Cs")} - {"\n"}
    assert not bad, f"control characters: {sorted(bad)!a} in {said[-400:]!a}"


def check_corpus(out: Path) -> None:
    """Asks for files that can be read again and counts that add up."""
    manifest = read_manifest(out)
    assert manifest is not None
    assert manifest.counts["in"] == manifest.counts["kept"] + sum(manifest.drops.values())
    rows = [made for path in sorted((out / "data").iterdir()) for made in pq.read_table(path).to_pylist()]
    assert len(rows) == manifest.counts["kept"]
    left: Counter[str] = Counter()
    for path in sorted((out / "dropped").rglob("*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).split(b"\n")[:-1]:
            left[json.loads(line)["reason"]] += 1
            assert slug(json.loads(line)["reason"]) == path.parent.name
    assert left == manifest.drops, (left, manifest.drops)
    for made in rows:
        assert all(isinstance(value, str | list) for value in made.values()), made
        check_terminal(made["text"] + made["title"] + made["url"] + made["domain"] + made["source"])
    for cells in csv.reader(io.StringIO((out / "outlets.csv").read_text(encoding="utf-8"), newline="")):
        assert len(cells) == 4, cells
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells), cells
    json.loads((out / "audit.json").read_text(encoding="utf-8"))


class _Tags(HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in FOREIGN, f"<{tag}> on the page"
        for name, value in attrs:
            assert not name.startswith("on"), f"{name} on the page"
            assert name not in ("src", "action"), f"{name} on the page"
            assert not name.endswith("href") or (value or "").startswith("#"), value


def check_page(page: str) -> None:
    """Asks for a page in which nothing of the data is markup."""
    _Tags().feed(page)
    check_terminal(page)


def check_card(card: str) -> None:
    """Asks for a README with the header that it should have, and nothing of the data as markup."""
    begin, header, body = card.split("---\n", 2)
    assert not begin
    assert yaml.safe_load(header)["task_categories"] == ["text-generation"]
    assert "license" not in yaml.safe_load(header)
    assert not re.search(r"(?<!\\)<[a-zA-Z!/?]", body), body
    assert not re.search(r"^(---|license: x)", body, re.MULTILINE), body
    check_terminal(card)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, help="this build alone")
    args = parser.parse_args()
    codes: Counter[str] = Counter()
    slowest = (0.0, 0)
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        warm_up_builds(top)
        watch, began = Watch(), time.perf_counter()
        for number in range(args.builds) if args.number is None else (args.number,):
            start = time.perf_counter()
            try:
                codes[f"exit code {build(number, args.seed, top, watch)}"] += 1
            except Exception as error:  # whatever it is, it is a finding
                codes["BROKEN"] += 1
                print(f"--seed {args.seed} --number {number}: {type(error).__name__}: {str(error)[:700]}")
                shutil.rmtree(top / f"{number}", ignore_errors=True)
            slowest = max(slowest, (time.perf_counter() - start, number))
    print(", ".join(f"{name}: {count:,}" for name, count in sorted(codes.items())))
    print(f"{time.perf_counter() - began:.0f} s, slowest {slowest[0]:.2f} s (number {slowest[1]})")
    sys.exit(bool(codes["BROKEN"]))


if __name__ == "__main__":
    main()
