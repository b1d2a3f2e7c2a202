from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.errors import UserError
from dateline.manifest import Manifest, write_manifest
from dateline.report.corpus.audit import LONGEST, facts_of, read_audit, text
from dateline.report.corpus.page import render

from .audits import audit, tiny

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_countries_stand_by_continent_then_by_documents() -> None:
    countries = facts_of(audit()).countries
    assert list(dict.fromkeys(country.continent for country in countries)) == ["Africa", "America", "Asia", "Europe"]
    asia = [country.documents for country in countries if country.continent == "Asia"]
    assert asia == sorted(asia, reverse=True)


def test_documents_without_a_country_come_last() -> None:
    data = tiny() | {"no_country": {"train": {"documents": 2, "bytes": 9}}}
    found = facts_of(data)
    assert [country.name for country in found.countries] == ["Ghana", "no country"]
    assert [country.name for country in found.placed] == ["Ghana"]


def test_what_is_absent_is_not_recorded() -> None:
    found = facts_of({})
    parts = (found.read, found.drops, found.outlets, found.filters, found.steps, found.tokens)
    assert [part for part in parts if part is not None] == []
    assert found.countries == ()
    assert found.name == "Corpus"
    assert facts_of({}, "news").name == "news"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds no audit.json; name a folder that `dateline corpus` made"),
        (b"[1]", "holds no mapping"),
        (b"{", "cannot be read as JSON"),
        (b"\xff\xfe", "cannot be read as JSON"),
        (b"[" * 200_000, "cannot be read as JSON"),
    ],
)
def test_a_folder_without_a_readable_audit_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "audit.json").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_audit(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no audit\.json"):
        read_audit(tmp_path / "nowhere")


def test_texts_lose_what_a_terminal_would_obey_and_keep_the_rest() -> None:
    assert text("a\x1b[31m\u202eb\nc\x00d") == "a [31m b c d"
    assert text("\u0995\u09cd\u200d\u09b7") == "\u0995\u09cd\u200d\u09b7"
    assert len(text("x" * 10_000)) == LONGEST
    assert text(None) == ""


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_part_may_be_damaged(data: st.DataObject) -> None:
    whole = json.loads(json.dumps(tiny() | {"seconds": {"read": {"seconds": 1, "documents": 3}}}))
    keys = ["files", "sources", "signals", "signals_wrong", "name", "fingerprint", "undated", "verified", *whole]
    for key in data.draw(st.lists(st.sampled_from(keys), min_size=1, max_size=4)):
        whole[key] = data.draw(JSON)
    assert "</html>" in render(whole)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_part_of_a_part_may_be_damaged(data: st.DataObject) -> None:
    whole = json.loads(json.dumps(audit(("gh", "ie"), scale=300)))
    for _ in range(3):
        inner: Any = whole
        while isinstance(inner, dict | list) and inner:
            key = data.draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
            if not isinstance(inner[key], dict | list) or data.draw(st.booleans()):
                inner[key] = data.draw(JSON)
                break
            inner = inner[key]
    assert "</html>" in render(whole)


def test_numbers_beyond_reason_are_not_recorded() -> None:
    found = facts_of(tiny() | {"in": 10**400, "undated": -1, "documents": True})
    assert found.read is None
    assert found.undated is None
    assert found.documents == 0


def test_the_manifest_adds_what_the_audit_does_not_say(tmp_path: Path) -> None:
    (tmp_path / "audit.json").write_text(json.dumps(tiny()))
    facts = {"seconds": {"read": 2.5, "clean": 7.5}}
    manifest = Manifest.of("corpus", {"paths": ["a.jsonl", "b.csv"]}, {}, facts=facts)
    write_manifest(tmp_path, manifest)
    found = facts_of(read_audit(tmp_path))
    assert found.sources == ("a.jsonl", "b.csv")
    assert found.fingerprint == manifest.fingerprint
    assert found.steps is not None
    assert [(step.name, step.seconds, step.documents) for step in found.steps] == [
        ("read", 2.5, None),
        ("clean", 7.5, None),
    ]
    (tmp_path / "audit.json").write_text(json.dumps(tiny() | {"sources": ["c.csv"]}))
    assert facts_of(read_audit(tmp_path)).sources == ("c.csv",)


def test_a_median_that_is_not_recorded_is_interpolated() -> None:
    data = tiny()
    data["lengths"] = {"edges": [100, 1000, 10_000], "countries": {"gh": [1, 3]}}
    assert facts_of(data).countries[0].median == round(1000 * 10 ** (1 / 3))
    data["lengths"]["countries"]["gh"] = [1, 3, 2]
    assert facts_of(data).countries[0].median is None
