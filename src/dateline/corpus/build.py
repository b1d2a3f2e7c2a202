"""The build: files through readers, cleaning, gates, places, duplicates and split into one finished folder.

Enters: a `CorpusRecipe`. Leaves: `data/*.parquet`, `dropped.jsonl`, `review.jsonl`, `audit.json`, `manifest.json`,
all of them or nothing.
Deliberately not done: no second process and no second pass: one stream, with the keys of kept texts in memory.

The order of the gates decides which reason a document gets that fails several: text, length, language, country,
place, duplicate. Only kept documents count as seen, so a dropped copy never removes a good one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from dateline.corpus.audit import Audit
from dateline.corpus.clean import clean_address, clean_text, clean_title
from dateline.corpus.dates import day_of
from dateline.corpus.duplicates import SeenTexts, text_key
from dateline.corpus.language import check_language, is_written_in
from dateline.corpus.readers import Record, Unreadable, expand_paths, file_fingerprint, read_files
from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.shards import ShardWriter
from dateline.corpus.split import split_of
from dateline.errors import UserError
from dateline.manifest import Manifest, check_free, new_folder, write_manifest
from dateline.places import Outlet, load_outlets, resolve
from dateline.progress import progress
from dateline.records import SPLITS, Article, Place, article_id

STAGE = "corpus"
EXCERPT = 200
ADVANCE = 100
PACKAGES = ("pyarrow", "py3langid", "tldextract")


class Kept(NamedTuple):
    """An article that passed every gate, and what is known of its place."""

    article: Article
    place: Place


class Dropped(NamedTuple):
    """A record that did not pass, as it is written to dropped.jsonl."""

    reason: str
    source: str
    url: str
    title: str
    text: str
    """At most the first 200 characters."""
    detail: str = ""


def corpus_fingerprint_parents(recipe: CorpusRecipe) -> dict[str, str]:
    """Returns path -> fingerprint of every file that the recipe reads, without building anything.

    With `stage_fingerprint("corpus", recipe.model_dump(mode="json"), parents)` this tells whether a folder is
    current. Local files are read once for it; the newswire has no parents but the package's version.
    """
    files = list(expand_paths(recipe.paths))
    if recipe.outlets is not None:
        files.append(recipe.outlets)
    return {path: file_fingerprint(path) for path in files}


def build_corpus(recipe: CorpusRecipe, out: Path, *, overwrite: bool = False) -> Manifest:
    """Builds the corpus folder of a recipe and returns its manifest.

    Raises:
        UserError: where `out` is taken, a file cannot be read, no document is left, or a country has test documents
            and no training documents.
    """
    check_free(out, overwrite=overwrite, stage=STAGE)
    outlets = load_outlets(recipe.outlets) if recipe.outlets is not None else None
    if recipe.language is not None and recipe.newswire is None:
        check_language(recipe.language)
    parents = corpus_fingerprint_parents(recipe)
    files = [path for path in parents if path != recipe.outlets]
    for path in parents:
        if "://" not in path and Path(path).resolve().is_relative_to(out.resolve()):
            raise UserError(f"{out}: holds the input {path}, which would be replaced; choose another --out")
    audit = Audit()
    seen = SeenTexts()
    drops: Counter[str] = Counter()
    reviewed = 0
    with new_folder(out, overwrite=overwrite) as folder:
        with ExitStack() as open_files:
            writer = open_files.enter_context(ShardWriter(folder))
            dropped = open_files.enter_context(_text_file(folder / "dropped.jsonl"))
            review = open_files.enter_context(_text_file(folder / "review.jsonl"))
            advance = open_files.enter_context(
                progress("corpus", recipe.newswire.articles if recipe.newswire else None, "articles")
            )
            read = 0
            for record in _records(recipe, files):
                read += 1
                if read % ADVANCE == 0:
                    advance(ADVANCE, f"{len(seen):,} kept")
                outcome = judge(record, recipe, seen, outlets)
                if isinstance(outcome, Dropped):
                    drops[outcome.reason] += 1
                    _write_line(dropped, outcome._asdict())
                    continue
                article, place = outcome
                writer.write(article)
                audit.add(article, place.verified)
                if _needs_review(place, recipe):
                    reviewed += 1
                    _write_line(review, _review(article, place))
            advance(read % ADVANCE, f"{len(seen):,} kept")
        kept = sum(audit.documents(split) for split in SPLITS)
        if not kept:
            raise UserError(_nothing_left(read, drops))
        audit.check_coverage(recipe)
        assert read == kept + drops.total() == len(seen) + drops.total(), "documents were lost without a reason"
        summary = audit.summary(recipe)
        (folder / "audit.json").write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        manifest = Manifest.of(
            STAGE,
            recipe.model_dump(mode="json"),
            parents,
            counts={"in": read, "kept": kept, **{split: audit.documents(split) for split in SPLITS}},
            drops=dict(sorted(drops.items())),
            facts={
                "undated": audit.undated,
                "review": reviewed,
                "verified": {kind: found["documents"] for kind, found in summary["verified"].items()},
                "problems": summary["problems"],
            },
            packages=PACKAGES,
        )
        write_manifest(folder, manifest)
    return manifest


def judge(
    record: Record | Unreadable, recipe: CorpusRecipe, seen: SeenTexts, outlets: Mapping[str, Outlet] | None = None
) -> Kept | Dropped:
    """Sends one record through every gate; a kept one is added to `seen`."""
    if isinstance(record, Unreadable):
        return Dropped("unreadable", record.source, "", "", record.excerpt, record.problem)
    url, title, text = clean_address(record.url), clean_title(record.title), clean_text(record.text)

    def drop(reason: str, detail: str = "") -> Dropped:
        return Dropped(reason, record.source, url, title, text[:EXCERPT], detail)

    if not text:
        return drop("no text")
    if len(text) < recipe.min_characters:
        return drop("too short", f"{len(text)} characters")
    if recipe.max_characters is not None and len(text) > recipe.max_characters:
        return drop("too long", f"{len(text)} characters")
    if (
        recipe.language is not None
        and recipe.newswire is None
        and not is_written_in(text, recipe.language, recipe.language_threshold)
    ):
        return drop("language")
    place = resolve(url, record.country, outlets=outlets)
    if recipe.require_place and not place.country:
        return drop("no place", place.reason)
    if recipe.countries and place.country and place.country not in recipe.countries:
        return drop("other country", place.country)
    if recipe.on_conflict == "drop" and place.verified == "conflict":
        return drop("place conflict", "; ".join(piece.detail for piece in place.evidence))
    key = text_key(text)
    if not seen.add(key):
        return drop("duplicate")
    date = day_of(record.date)
    article = Article(
        id=article_id(url, title, text),
        url=url,
        domain=place.domain,
        country=place.country,
        continent=place.continent,
        date=date,
        title=title,
        text=text,
        source=record.source,
        split=split_of(recipe, key=key, country=place.country, domain=place.domain, date=date),
    )
    return Kept(article, place)


def _records(recipe: CorpusRecipe, files: list[str]) -> Iterator[Record | Unreadable]:
    if recipe.newswire is None:
        yield from read_files(files, recipe.columns)
        return
    from dateline.corpus.newswire import Newswire

    for article in Newswire().articles(recipe.newswire.articles, recipe.newswire.seed):
        yield Record(article.url, article.title, article.text, article.date, article.country, article.source)


def _needs_review(place: Place, recipe: CorpusRecipe) -> bool:
    if place.verified != "conflict":
        return False
    return not (recipe.on_conflict == "trust_declared" and place.decided_by == "declared")


def _review(article: Article, place: Place) -> dict[str, Any]:
    return {
        "id": article.id,
        "source": article.source,
        "url": article.url,
        "title": article.title,
        "country": place.country,
        "continent": place.continent,
        "decided_by": place.decided_by,
        "evidence": [asdict(piece) for piece in place.evidence],
    }


def _nothing_left(read: int, drops: Counter[str]) -> str:
    if not read:
        return "the corpus is empty: the files hold no record at all"
    top = ", ".join(f"{reason} {count:,}" for reason, count in drops.most_common(3))
    return f"no usable document is left of {read:,} read; dropped most often: {top}"


def _text_file(path: Path) -> TextIO:
    # a path may hold bytes that are no UTF-8; they are shown, not refused
    return path.open("w", encoding="utf-8", errors="backslashreplace")


def _write_line(file: TextIO, row: Mapping[str, Any]) -> None:
    file.write(json.dumps(row, ensure_ascii=False) + "\n")
