"""What one task of a build counts, in a form that can be added up; memory grows with the number of outlets only."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from io import StringIO
from math import log2
from typing import Any

from dateline.corpus.readers import Record, Unit, Unreadable, is_remote, named_by, reader_of
from dateline.corpus.steps.read import UNREADABLE_FILE, Reason
from dateline.records import Article, Place, body_text

FIRST_EDGE = 128
EDGES_PER_OCTAVE = 4
NUM_BINS = 48
"""Text lengths are counted in bins a quarter of an octave wide, from 128 characters to half a million."""


class Tally:
    """Counts by name; each value is a counter whose keys are tab-separated parts."""

    def __init__(
        self, counts: dict[str, Counter[str]] | None = None, files: list[dict[str, str]] | None = None
    ) -> None:
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter, counts or {})
        self.files: list[dict[str, str]] = files or []
        """Files that could not be read, or not to their end."""

    def drop(self, reason: str, country: str) -> None:
        """Counts a dropped document; `country` is empty where it is not known."""
        self._counts["dropped"][_key(reason, country)] += 1

    def note_file(self, record: Record | Unreadable, reason: Reason) -> None:
        """Remembers a file that could not be read."""
        if reason.reason == UNREADABLE_FILE:
            self.files.append({"file": record.source, "problem": reason.detail})

    def contribute(self, source: str, reason: str, *, paths: tuple[str, ...]) -> None:
        """Counts what became of a record for the path that the recipe names it by.

        Args:
            source: of the record: `file:line`, or a file.
            reason: why it was dropped; `CONTRIBUTED` where it was not.
            paths: those of the recipe.
        """
        file = file_of(source)
        if path := named_by(file, paths):
            self._counts["sources"][_key(path, reader_of(file.partition("!")[0]) or "", reason)] += 1

    def expect(self, unit: Unit, *, paths: tuple[str, ...]) -> None:
        """Remembers a unit that should have contributed, so that one without any record is not forgotten."""
        named = [_key(path, unit.reader, "") for file in unit.files if (path := named_by(file, paths))]
        seen = self._counts["sources"]
        if named and not is_remote(named[0]) and not any(key.startswith(tuple(named)) for key in seen):
            seen[named[0]] += 0

    def note_silent(self, files: Collection[str]) -> None:
        """Counts files that held no record at all, and remembers some of them."""
        if files:
            self._counts["silent files"][""] += len(files)
            self._counts["examples of silent files"].update(sorted(files)[:MOST_SILENT])

    def note_remains(self, kinds: Iterable[str]) -> None:
        """Counts what a document, kept or not, had of the page that it was taken from."""
        self._counts["remains"].update(kinds)

    def unread_date(self, written: str, *, implausible: bool = False) -> None:
        """Counts a date that could not be read, or not be believed; one of each length is remembered as an example."""
        examples = self._counts["implausible dates" if implausible else "unread dates"]
        examples[next((known for known in examples if len(known) == len(written)), written)] += 1

    def keep(self, article: Article, *, verified: str, declared: str, signals: str, review: bool = False) -> None:
        """Counts an article of the finished corpus; `review` if it is listed for people to look at."""
        country, split, counts = article.country, article.split, self._counts
        counts["documents"][_key(country, split)] += 1
        counts["bytes"][_key(country, split)] += len(body_text(article.title, article.text).encode())
        counts["characters"][_key(country, str(length_bin(len(article.text))))] += 1
        counts["years"][_key(country, article.date[:4])] += 1
        counts["verified"][_key(country, verified)] += 1
        for name, value in (("address", article.url), ("headline", article.title)):
            if not value:
                counts["without"][name] += 1
        if declared and "declared:" not in signals:
            counts["unknown countries"][declared.replace("\t", " ")] += 1
        if article.domain:
            counts["outlets"][_key(article.domain, country, split)] += 1
            counts["evidence"][_key(article.domain, declared, country)] += 1
        if review:
            counts["review"][country] += 1
        if not country and article.continent:
            counts["continent only"][article.continent] += 1
        url_says: set[str] = set()
        for signal in filter(None, signals.split(",")):
            kind, _, named = signal.partition(":")
            if named:
                counts["signals"][_key(country, kind, "right" if named == country else "wrong")] += 1
                if kind != "declared":
                    url_says.add("right" if named == country else "wrong")
        for standing in url_says:
            counts["signals"][_key(country, "any", standing)] += 1
        if article.also_at:
            counts["copies"][_key(article.id, article.url, article.title)] += len(article.also_at)

    def add(self, other: Tally) -> None:
        """Adds the counts of another task."""
        for name, counter in other._counts.items():
            self._counts[name].update(counter)
            if name == "copies" and len(self._counts[name]) > MOST_COPIES:
                self._counts[name] = Counter(dict(_largest(self._counts[name], MOST_COPIES)))
        self.files += other.files

    def table(self, name: str) -> Iterable[tuple[tuple[str, ...], int]]:
        """Yields the counts under a name: (parts of the key, count), in the order of the keys."""
        for key, count in sorted(self._counts.get(name, Counter()).items()):
            yield tuple(key.split("\t")), count

    def evidence_table(self) -> str:
        """Returns what files declared of each outlet as CSV: domain, declared, country, documents.

        A declared "country" that a spreadsheet would take for a formula is quoted with an apostrophe.
        """
        table = StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(("domain", "declared", "country", "documents"))
        for (domain, declared, country), count in self.table("evidence"):
            writer.writerow((domain, f"'{declared}" if declared[:1] in _FORMULA else declared, country, count))
        return table.getvalue()

    def to_json(self) -> str:
        """Returns everything as JSON."""
        kept = dict(self._counts)
        if "copies" in kept:
            kept["copies"] = Counter(dict(_largest(kept["copies"], MOST_COPIES)))
        counts = {name: dict(sorted(counter.items())) for name, counter in sorted(kept.items())}
        return json.dumps({"counts": counts, "files": self.files}, ensure_ascii=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Tally:
        """Reads what `to_json` wrote."""
        data: dict[str, Any] = json.loads(text)
        return cls({name: Counter(counter) for name, counter in data["counts"].items()}, data["files"])


MOST_SILENT = 3
"""Files without a record of one task that are remembered by name."""
CONTRIBUTED = ""
"""What `Tally.contribute` calls a document that was kept."""
_FORMULA = frozenset("=+-@")
MOST_COPIES = 20
"""So many of the largest clusters of copies are remembered."""


def _largest(counter: Counter[str], number: int) -> list[tuple[str, int]]:
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:number]


def file_of(source: str) -> str:
    """Returns the file of a record's source: `news.jsonl:3` -> `news.jsonl`."""
    file, _, line = source.rpartition(":")
    return file if line.isdecimal() else source


def length_bin(characters: int) -> int:
    """Returns the bin of a text length, 0 to 47."""
    return min(max(int(EDGES_PER_OCTAVE * log2(max(characters, 1) / FIRST_EDGE)), 0), NUM_BINS - 1)


def length_edges() -> list[int]:
    """Returns the lower edges of the bins and the upper edge of the last, in characters."""
    return [round(FIRST_EDGE * 2 ** (number / EDGES_PER_OCTAVE)) for number in range(NUM_BINS + 1)]


def signals_of(place: Place) -> str:
    """Returns what each piece of evidence said, compactly: `declared:ng,suffix:ng,path:gb`."""
    said = []
    for piece in place.evidence:
        kind = piece.kind if piece.kind != "hint" else _HINTS.get(piece.detail.split(" ", 1)[0], "path")
        said.append(f"{kind}:{piece.country}")
    return ",".join(said)


_HINTS = {"sub-domain": "subdomain", "query": "query", "path": "path"}


def _key(*parts: str) -> str:
    return "\t".join(part.replace("\t", " ") for part in parts)
