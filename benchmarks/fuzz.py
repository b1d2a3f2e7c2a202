"""Hostile input through the readers and the gates, and through whole builds: what they make of it, and how fast.

Enters: nothing; every case is made from (seed, number). Leaves: a table of kinds with outcomes and slowest cases, and
every case that breaks a rule, with what makes it again.
Deliberately not done: no search guided by coverage, no network, no change of what is found.

    python benchmarks/fuzz.py [--cases 200000] [--builds 300] [--seed 1] [--only KIND] [--number N]

The rules: nothing but UserError is raised; no case takes 10 s of processor time (200 s above 50 MB), or a quarter of an
hour in all; every record becomes one outcome that can be found in the file again; what is kept is plain text; nothing
is fetched or started, no file outside the folder of the case is written; the run stays within 8 GiB of addresses.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

from hostile import Case
from hostile_web import KINDS

from dateline.config import validate_recipe
from dateline.corpus import CorpusRecipe
from dateline.corpus.dropped import json_line
from dateline.corpus.readers import Columns, Record, Unreadable, expand_paths, read_unit, work_units
from dateline.corpus.steps.judge import judge
from dateline.errors import UserError
from dateline.records import article_id

SECONDS = {"50 to 70 MB": 200.0}
GIVEN_UP = 900.0
UNPACKED = ("no article text", "page out of bounds")
"""Reasons under which an archive keeps a page as it is without its HTTP compression."""
KEPT_OF_LONG = 1 << 20
ADDRESS_SPACE = 8 << 30
RECIPES = [
    validate_recipe(CorpusRecipe, {"paths": ["x"], "min_characters": 20, "language": language, **more})
    for language, more in (("en", {}), (None, {"on_unverified": "trust_declared"}), (None, {"require_place": True}))
]
REFUSED = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "urllib.",
           "ftplib.", "pickle.find_class", "webbrowser.", "ctypes.dlopen", "shutil.unpack_archive")  # fmt: skip
CHANGES = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watch:
    """What this process tries while it is watched: it may change files in one folder only."""

    def __init__(self) -> None:
        self.folder = ""
        self.broken: list[str] = []
        sys.addaudithook(self._see)

    @contextmanager
    def within(self, folder: Path) -> Iterator[None]:
        """Watches the block.

        Raises:
            AssertionError: where something was tried that is not allowed, even if the try was caught.
        """
        self.broken, self.folder = [], str(folder.resolve())
        quiet, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            yield
        finally:
            self.folder, sys.dont_write_bytecode = "", quiet
        assert not self.broken, self.broken

    def _see(self, event: str, details: tuple[Any, ...]) -> None:
        if not self.folder:
            return
        if event == "open":
            path, _, flags = details
            bad = isinstance(path, str | bytes) and isinstance(flags, int) and flags & WRITES and self._outside(path)
        elif event in CHANGES:  # the last detail is a folder's descriptor where `shutil.rmtree` walks
            names = [path for path in details[:2] if isinstance(path, str | bytes)]
            bad = details[-1] in (-1, None) and any(map(self._outside, names))
        else:
            bad = event.startswith(REFUSED)
        if bad:
            self.broken.append(f"{event} {details!r:.300}")
            raise PermissionError(f"not allowed here: {event}")

    def _outside(self, path: str | bytes) -> bool:
        where = os.path.realpath(os.fsdecode(path))
        return where != os.devnull and not f"{where}{os.sep}".startswith(f"{self.folder}{os.sep}")


def run_case(kind: str, number: int, seed: int, top: Path, watch: Watch) -> tuple[str, float, int]:
    """Makes a case, reads and judges it, checks the rules; returns the outcome, the seconds and the records."""
    rng = Random(f"{seed}/{kind}/{number}")
    folder = top / f"{number}"
    folder.mkdir()
    case = KINDS[kind][1](rng, folder)
    recipe = RECIPES[number % len(RECIPES)]
    began = time.process_time()
    with watch.within(folder):
        found, errors = read_all(folder, case)
        judged = list(judge(found, recipe))
        spent = time.process_time() - began
        check_judged(judged, found)
        if case.checks and not (case.file and case.plain and len(case.plain) > KEPT_OF_LONG):
            check_file(case, found, errors)
        if number % 50 == 0:
            assert (found, errors) == read_all(folder, case), "a second reading differs"
    assert spent < SECONDS.get(kind, 10.0), f"{spent:.1f} s"
    shutil.rmtree(folder)
    bad = sum(isinstance(item, Unreadable) for item in found)
    outcome = ("refused" if not found else "damaged") if errors else "in part" if bad else "whole" if found else "empty"
    return outcome, spent, len(found)


def read_all(folder: Path, case: Case) -> tuple[list[Record | Unreadable], list[str]]:
    """Reads a folder as a build does: a unit that cannot be read ends alone."""
    found: list[Record | Unreadable] = []
    errors: list[str] = []
    try:
        units = work_units(expand_paths([str(folder)]))
    except UserError as error:
        return [], [str(error)]
    for unit in units:
        try:
            found += read_unit(unit, Columns(**(case.columns or {})))
        except UserError as error:
            errors.append(str(error))
    assert all(0 < len(error) < 100_000 for error in errors)
    return found, errors


def check_judged(judged: list[Any], found: list[Record | Unreadable]) -> None:
    """Asks that nothing was lost, and that what is kept is plain text and what is dropped can be written."""
    assert len(judged) == len(found), "in is not kept and dropped"
    for (document, candidate), item in zip(judged, found, strict=True):
        assert candidate.record is item
        assert all(isinstance(held, str) for held in asdict(item).values())
        if candidate.dropped is not None:
            assert candidate.dropped.reason
            assert json_line(asdict(item) | {"reason": candidate.dropped.reason, "detail": candidate.dropped.detail})
            continue
        assert isinstance(item, Record)
        article_id(candidate.url, candidate.title, document.text)
        place = candidate.place
        for held in (
            document.text,
            candidate.url,
            candidate.title,
            place.domain,
            item.date,
            item.country,
            item.language,
        ):
            held.encode("utf-8")
        for held in (document.text.replace("\n", ""), candidate.title, candidate.url, place.domain):
            assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in held), ascii(held[:200])
        assert not candidate.date or date.fromisoformat(candidate.date)


def check_file(case: Case, found: list[Record | Unreadable], errors: list[str]) -> None:
    """Asks that every outcome can be found again in its file, and that every line of the file is in one."""
    if case.checks == "page":
        assert len(found) == 1 or errors
        return
    unreadable = [item for item in found if isinstance(item, Unreadable) and item.reason not in UNPACKED]
    pieces = [item.raw.encode("utf-8", "surrogateescape") for item in unreadable]
    if case.checks == "piece":
        assert all(piece in case.plain for piece in pieces), "a piece that is not in the file"
        return
    lines = case.plain.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + lines[-1:]
    at = [int(item.source.rpartition(":")[2]) - 1 for item in found]
    assert not case.cut or errors or not case.plain, "cut off and not noticed"
    if case.checks == "lines":
        wanted = [number for number, line in enumerate(lines) if line.strip()]
        refused = bool(errors) and not found
        assert refused or at == (wanted[: len(at)] if case.cut else wanted), "lines are missing"
        for number, item in zip(at, found, strict=True):
            if isinstance(item, Unreadable):
                assert item.raw.encode("utf-8", "surrogateescape") in (lines[number], lines[number].rstrip(b"\n"))
        return
    ends = [*at, len(lines)][1:]
    assert at == sorted(set(at)), "rows out of order"
    for begin, end, item in zip(at, ends, found, strict=True):
        if isinstance(item, Unreadable) and not case.cut:
            held = item.raw.encode("utf-8", "surrogateescape")
            assert b"".join(lines[begin:]).startswith(held), "a row that is not in the file"
            assert not b"".join(lines[begin:end])[len(held) :].strip(b'\r\n"'), "lines between rows are missing"


class Row:
    """A line of the table."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.records = self.slowest = 0
        self.seconds = self.longest = 0.0

    def add(self, number: int, outcome: str, seconds: float, records: int) -> None:
        """Counts a case."""
        self.outcomes[outcome] += 1
        self.records += records
        self.seconds += seconds
        if seconds > self.longest:
            self.longest, self.slowest = seconds, number


def run_cases(
    numbers: Iterable[tuple[str, int]], seed: int, top: Path, watch: Watch
) -> tuple[dict[str, Row], list[str]]:
    """Runs cases; returns the table, and what broke a rule."""
    table: dict[str, Row] = {kind: Row() for kind in KINDS}
    broken: list[str] = []
    for kind, number in numbers:
        faulthandler.dump_traceback_later(GIVEN_UP, exit=True)
        try:
            table[kind].add(number, *run_case(kind, number, seed, top, watch))
        except KeyboardInterrupt:  # the table of what is done is shown all the same
            break
        except Exception as error:  # whatever it is, it is a finding
            where = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {str(error)[:300]} ({where.filename}:{where.lineno})"
            broken.append(f"--seed {seed} --only '{kind}' --number {number}: {said}")
            print(broken[-1], flush=True)
            table[kind].outcomes["BROKEN"] += 1
            shutil.rmtree(top / f"{number}", ignore_errors=True)
        finally:
            faulthandler.cancel_dump_traceback_later()
    return table, broken


def drawn(cases: int, seed: int) -> Iterator[tuple[str, int]]:
    """Yields kinds by their weights, and the number of the case."""
    kinds = Random(seed).choices(list(KINDS), [weight for weight, _ in KINDS.values()], k=cases)
    yield from zip(kinds, range(cases), strict=True)


def warm_up(top: Path) -> None:
    """Loads what is loaded when it is first needed: libraries, models, tables."""
    for kind in KINDS:
        for number in range(6 if not kind[0].isdigit() else 0):
            folder = top / f"warm-{number}"
            folder.mkdir()
            list(judge(read_all(folder, KINDS[kind][1](Random(number), folder))[0], RECIPES[0]))
            shutil.rmtree(folder)


def show(table: dict[str, Row]) -> None:
    names = ("whole", "in part", "damaged", "refused", "empty", "BROKEN")
    print(f"{'kind':<18}{'cases':>9}{'records':>10}" + "".join(f"{name:>9}" for name in names) + "   ms/case  slowest")
    for kind, row in table.items():
        if cases := row.outcomes.total():
            counts = "".join(f"{row.outcomes[name]:>9,}" for name in names)
            slowest = f"{row.longest:.2f} s (number {row.slowest})"
            print(f"{kind:<18}{cases:>9,}{row.records:>10,}{counts}{1000 * row.seconds / cases:>10.2f}  {slowest}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=list(KINDS))
    parser.add_argument("--number", type=int, help="with --only: this case alone")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    faulthandler.enable()
    if args.only:
        numbers = [(args.only, number) for number in (range(args.cases) if args.number is None else (args.number,))]
    else:
        numbers = list(drawn(args.cases, args.seed))
    with tempfile.TemporaryDirectory() as top:
        warm_up(Path(top))
        began = time.perf_counter()
        table, broken = run_cases(numbers, args.seed, Path(top), Watch())
    show(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent = time.perf_counter() - began
    done = sum(row.outcomes.total() for row in table.values())
    print(f"{done:,} cases in {spent:,.0f} s, peak {peak:,.0f} MiB, {len(broken)} that break a rule")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
