import gzip
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dateline.corpus import CorpusRecipe, build_corpus, corpus_stage, read_articles
from dateline.corpus.newswire import Newswire
from dateline.corpus.text.clean import clean_text
from dateline.errors import UserError
from dateline.manifest import Manifest, is_current, read_manifest
from dateline.records import SPLITS, article_id

from .helpers import (
    SPLITS_OFF,
    corpus_bytes,
    dropped,
    near_copy,
    read_jsonl,
    recipe,
    review,
    row,
    shared,
    story,
    write_jsonl,
)

THIRDS = {"train": 0.4, "validation": 0.3, "test": 0.3}


def build(tmp_path: Path, rows: list[Any], **values: Any) -> Path:
    files = write_jsonl(tmp_path / "in.jsonl", rows)
    out = tmp_path / "out"
    build_corpus(recipe(files, **{"splits": SPLITS_OFF, **values}), out, overwrite=True)
    return out


def manifest_of(out: Path) -> Manifest:
    manifest = read_manifest(out)
    assert manifest is not None
    return manifest


def reasons(out: Path) -> list[str]:
    return [line["reason"] for line in dropped(out)]


def titles(out: Path) -> list[str]:
    return [article.title for article in read_articles(out)]


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- one document


def test_an_article_comes_out_clean_placed_dated_and_identified(tmp_path: Path) -> None:
    text = story(1)
    given_row = row(
        1, url=" https://www.nation.co.ke/a ", title="Road&amp;rail", text=f"<p>{text}</p>", date="4 Mar 2021"
    )
    out = build(tmp_path, [given_row])
    [found] = read_articles(out)
    assert (found.url, found.domain, found.country, found.continent) == (
        "https://www.nation.co.ke/a",
        "nation.co.ke",
        "ke",
        "Africa",
    )
    assert (found.title, found.text, found.date, found.split) == ("Road&rail", text, "2021-03-04", "train")
    assert found.source == f"{tmp_path / 'in.jsonl'}:1"
    assert found.id == article_id(found.url, found.title, found.text)


def test_halves_of_characters_are_left_out_and_not_fatal(tmp_path: Path) -> None:
    half = "\ud800"
    rows = [row(1, title=f"A{half}", url=f"https://a.co.ke/{half}", text=story(1) + half, date=half, country=half)]
    out = build(tmp_path, [*rows, row(2, title=half, text=half)])
    [found] = read_articles(out)
    assert (found.title, found.url, found.text, found.country) == ("A", "https://a.co.ke/", story(1), "ke")
    [lost] = dropped(out)
    assert (lost["reason"], lost["title"], lost["text"]) == ("no text", half, half)


def test_the_language_gate_keeps_english_only(tmp_path: Path) -> None:
    german = "Der Bundestag hat heute beschlossen, dass die Steuern im kommenden Jahr nicht erhöht werden sollen. " * 4
    other = "Das Gericht in Leipzig sprach den Angeklagten am Freitag frei, weil ein Zeuge nicht erschienen war. " * 2
    rows = [row(1), row(2, text=german + other)]
    assert reasons(build(tmp_path, rows, language="en")) == ["language"]
    assert reasons(build(tmp_path, rows, language=None, max_repeated_share=1)) == []
    with pytest.raises(UserError, match=r"^language 'xx' is not one that can be told apart; known: "):
        build(tmp_path, [row(1)], language="xx")


# --- what is dropped


def test_every_dropped_record_is_written_whole_under_its_reason(tmp_path: Path) -> None:
    long = story(4, words=2000)
    out = build(
        tmp_path,
        [
            row(1),
            "{not json",
            row(2, text="<p> </p>"),
            row(3, text="Short."),
            row(4, text=long),
            row(5, url="https://example.com/x", country=""),
            row(6, url="https://www.bbc.co.uk/x", country="gb"),
            row(7, text=story(1).upper()),
            row(8, text="#$%^ " * 60),
            row(9, text=near_copy(story(1))),
        ],
        max_characters=5000,
        require_place=True,
        countries=["ke"],
    )
    found = {line["reason"]: line for line in dropped(out)}
    assert {reason: int(line["source"].rsplit(":", 1)[1]) for reason, line in found.items()} == {
        "unreadable": 2,
        "no text": 3,
        "too short": 4,
        "too long": 5,
        "no place": 6,
        "other country": 7,
        "duplicate": 8,
        "symbols": 9,
        "near duplicate": 10,
    }
    assert found["too short"] == {
        "reason": "too short",
        "detail": "6 characters",
        "source": f"{tmp_path / 'in.jsonl'}:4",
        "url": "https://www.gov3.co.ke/news/3",
        "title": "Road 3 opens",
        "text": "Short.",
        "date": "2021-03-04",
        "country": "ke",
        "declared": "ke",
        "language": "",
    }
    assert (found["too long"]["text"], found["no text"]["text"]) == (long, "<p> </p>")
    assert (found["unreadable"]["raw"], found["unreadable"]["detail"][:9]) == ("{not json\n", "not JSON:")
    [kept] = read_articles(out)
    assert found["duplicate"]["detail"] == found["near duplicate"]["detail"] == f"of {kept.id}"
    assert sorted(path.name for path in (out / "dropped").iterdir()) == sorted(
        reason.replace(" ", "-") for reason in found
    )
    manifest = manifest_of(out)
    assert manifest.counts == {"in": 10, "kept": 1, "train": 1, "validation": 0, "test": 0}
    assert manifest.drops == dict.fromkeys(sorted(found), 1)


def test_what_was_dropped_can_be_built_again(tmp_path: Path) -> None:
    rows = [row(n, text=story(n, words=20 + 10 * (n % 3))) for n in range(9)]
    first = build(tmp_path, rows, min_characters=230)
    lost = first / "dropped"
    assert set(reasons(first)) == {"too short"}
    again = recipe(lost, columns={"country": "declared"}, splits=SPLITS_OFF, min_characters=1)
    build_corpus(again, tmp_path / "again")
    assert not dropped(tmp_path / "again")
    both = [*read_articles(first), *read_articles(tmp_path / "again")]
    assert sorted(article.text for article in both) == sorted(item["text"] for item in rows)
    assert {article.country for article in both} == {"ke"}


@pytest.mark.parametrize(("policy", "kept", "reviewed"), [("keep", 2, 1), ("drop", 1, 0), ("trust_declared", 2, 0)])
def test_conflicts_of_place_follow_the_recipe(tmp_path: Path, policy: str, kept: int, reviewed: int) -> None:
    out = build(tmp_path, [row(1), row(2, url="https://www.bbc.co.uk/x", country="ke")], on_conflict=policy)
    assert len(list(read_articles(out))) == kept
    lines = review(out)
    assert len(lines) == reviewed == manifest_of(out).facts["review"]
    assert reasons(out) == (["place conflict"] if policy == "drop" else [])
    if lines:
        assert (lines[0]["country"], lines[0]["decided_by"]) == ("ke", "declared")
        assert {piece["country"] for piece in lines[0]["evidence"]} == {"ke", "gb"}


# --- copies


def test_of_copies_the_earliest_dated_stays_and_names_the_others(tmp_path: Path) -> None:
    late = [row(1, title="Late", date="2021-03-09", url="https://late.co.ke/1"), row(2, title="Other")]
    undated = [row(1, title="Undated", date="", url="https://undated.co.ke/1")]
    near = {"text": near_copy(story(1))}
    early = [row(1, title="Early", date="2021-03-02", url="https://early.co.ke/1", **near)]
    again = [row(1, title="Again", date="2021-03-02", url="https://again.co.ke/1", **near)]
    files = [write_jsonl(tmp_path / f"{n}.jsonl", rows) for n, rows in enumerate((late, undated, early, again))]
    build_corpus(recipe(*files, splits=SPLITS_OFF), tmp_path / "out")
    assert {article.title: article.also_at for article in read_articles(tmp_path / "out")} == {
        "Early": ("https://late.co.ke/1", "https://undated.co.ke/1", "https://again.co.ke/1"),
        "Other": (),
    }
    assert {line["title"]: line["reason"] for line in dropped(tmp_path / "out")} == {
        "Late": "near duplicate",
        "Undated": "near duplicate",
        "Again": "duplicate",
    }


def test_of_one_day_the_first_in_reading_order_stays(tmp_path: Path) -> None:
    last = write_jsonl(tmp_path / "a.jsonl", [row(1, title="Last")])
    first = write_jsonl(tmp_path / "b.jsonl", [row(1, title="First")])
    build_corpus(recipe(first, last, splits=SPLITS_OFF), tmp_path / "out")
    assert titles(tmp_path / "out") == ["First"]


def test_a_dropped_copy_does_not_remove_a_good_one(tmp_path: Path) -> None:
    out = build(tmp_path, [row(1, url="https://example.com/", country=""), row(1)], require_place=True)
    assert reasons(out) == ["no place"]
    assert len(list(read_articles(out))) == 1


def test_without_a_threshold_only_exact_copies_go(tmp_path: Path) -> None:
    rows = [row(1), row(2, text=near_copy(story(1))), row(3, text=story(1).upper())]
    assert reasons(build(tmp_path, rows, near_duplicates={"threshold": None})) == ["duplicate"]
    assert sorted(reasons(build(tmp_path, rows))) == ["duplicate", "near duplicate"]


@pytest.mark.parametrize("index", ["memory", "distributed"])
def test_kept_near_copies_are_in_one_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: str) -> None:
    monkeypatch.setattr("dateline.corpus.build.PIECE_BYTES", 12_000)
    plain = [row(n) for n in range(90)]
    copies = [row(100 + n, title=f"Copy {n}", text=near_copy(story(n))) for n in range(90)]
    files = write_jsonl(tmp_path / "a.jsonl", plain), write_jsonl(tmp_path / "b.jsonl", copies)
    keep = {"keep": True, "index": index}
    build_corpus(recipe(*files, splits=THIRDS, near_duplicates=keep), tmp_path / "out")
    found = {article.text: article for article in read_articles(tmp_path / "out")}
    assert len(found) == 180
    assert not dropped(tmp_path / "out")
    assert {article.split for article in found.values()} == set(SPLITS)
    assert all(found[story(n)].split == found[near_copy(story(n))].split for n in range(90))


def test_the_distributed_index_finds_planted_copies_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dateline.corpus.build.PIECE_BYTES", 4_000)
    planted = [row(100 + n, date="2022-01-01", text=near_copy(story(n))) for n in range(0, 40, 4)]
    files = [write_jsonl(tmp_path / f"{n}.jsonl", [row(m) for m in range(n, n + 10)]) for n in (0, 10, 20, 30)]
    files.append(write_jsonl(tmp_path / "planted.jsonl", planted))
    for index in ("memory", "distributed"):
        asked = recipe(*files, splits=THIRDS, near_duplicates={"index": index})
        manifest = build_corpus(asked, tmp_path / index)
        assert manifest.drops == {"near duplicate": len(planted)}
    memory, distributed = (list(read_articles(tmp_path / name)) for name in ("memory", "distributed"))
    assert memory == distributed
    assert sorted(article.text for article in memory) == sorted(story(n) for n in range(40))
    assert sum(len(article.also_at) for article in memory) == len(planted)


# --- splits that the recipe forces


def test_held_out_countries_outlets_and_days_are_tested_only(tmp_path: Path) -> None:
    rows = [row(n) for n in range(20)]
    rows += [row(n, url=f"https://www.bbc.co.uk/{n}", country="gb") for n in range(20, 25)]
    rows += [row(n, url=f"https://nation.africa/{n}") for n in range(25, 30)]
    rows += [row(n, date="2024-05-06") for n in range(30, 35)]
    out = build(tmp_path, rows, held_out=["gb"], held_out_outlets=["nation.africa"], test_from="2024-01-01")
    assert len(list(read_articles(out, split="train"))) == 20
    test = list(read_articles(out, split="test"))
    assert len(test) == 15
    assert {article.country for article in test} == {"gb", "ke"}


def test_a_country_with_few_documents_is_trained_on_only(tmp_path: Path) -> None:
    rows = [row(n) for n in range(40)]
    rows += [row(n, url=f"https://www.bbc.co.uk/{n}", country="gb") for n in range(40, 49)]
    audit = json.loads((build(tmp_path, rows, splits={**THIRDS, "enough": 10}) / "audit.json").read_text())
    assert {split: audit["countries"]["gb"][split]["documents"] for split in SPLITS} == {
        "train": 9,
        "validation": 0,
        "test": 0,
    }
    assert all(audit["countries"]["ke"][split]["documents"] for split in SPLITS)
    assert "trained on but not tested: gb" in audit["problems"]


# --- what cannot be built


def test_a_country_tested_but_not_trained_on_fails_and_leaves_nothing(tmp_path: Path) -> None:
    rows = [row(1), row(2, url="https://www.bbc.co.uk/x", country="gb", date="2024-01-01")]
    with pytest.raises(UserError, match=r"^1 country has test documents but no training documents: gb \(1\); if that"):
        build(tmp_path, rows, test_from="2024-01-01")
    assert left_in(tmp_path) == ["in.jsonl"]
    build(tmp_path, rows, test_from="2024-01-01", held_out=["gb"])


def test_a_corpus_without_a_usable_document_fails_and_leaves_what_was_dropped(tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        build(tmp_path, [row(1, text="a"), row(2, text="b"), "{", row(3, text="")])
    assert str(raised.value) == (
        "no usable document is left of 4 read; dropped most often: too short 2, no text 1, unreadable 1; "
        f"each of them is in {tmp_path / 'out' / 'dropped'}"
    )
    assert left_in(tmp_path) == ["in.jsonl", "out"]
    assert sorted(reasons(tmp_path / "out")) == ["no text", "too short", "too short", "unreadable"]
    with pytest.raises(UserError, match="no usable document is left of 1 read"):
        build_corpus(recipe(write_jsonl(tmp_path / "in.jsonl", [row(1, text="a")])), tmp_path / "out")
    assert reasons(tmp_path / "out") == ["too short"]
    build_corpus(recipe(write_jsonl(tmp_path / "in.jsonl", [row(1)])), tmp_path / "out")
    assert not (tmp_path / "out" / "dropped").exists()
    kept = left_in(tmp_path / "out")
    with pytest.raises(UserError, match=r"dropped most often: too short 1$"):
        build(tmp_path, [row(1, text="a")])
    assert left_in(tmp_path / "out") == kept
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(UserError, match=r"^the corpus is empty: the files hold no record at all$"):
        build(tmp_path, [])
    assert left_in(tmp_path) == ["in.jsonl"]


def test_an_unreadable_file_is_named_and_counted_and_the_others_are_built(tmp_path: Path) -> None:
    good = write_jsonl(tmp_path / "a.jsonl", [row(1)])
    broken = tmp_path / "b.parquet"
    broken.write_bytes(b"PAR1 nothing more")
    whole = gzip.compress("".join(json.dumps(row(n)) + "\n" for n in range(2, 400)).encode())
    cut = tmp_path / "c.jsonl.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    last = write_jsonl(tmp_path / "d.jsonl", [row(1000)])
    manifest = build_corpus(recipe(good, broken, cut, last, splits=SPLITS_OFF), tmp_path / "out")
    assert manifest.drops["unreadable file"] == 2
    assert manifest.counts["in"] == manifest.counts["kept"] + sum(manifest.drops.values())
    assert manifest.counts["kept"] > 100
    assert [line["source"] for line in dropped(tmp_path / "out") if line["reason"] == "unreadable file"] == [
        str(broken),
        str(cut),
    ]
    problems = manifest.facts["problems"]
    assert problems[0].startswith(f"{broken}: cannot be read as Parquet")
    assert problems[1].startswith(f"{cut}: ")
    assert titles(tmp_path / "out")[-1] == "Road 1000 opens"


def test_where_no_file_can_be_read_the_first_ones_fault_is_the_message(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.parquet").write_bytes(b"PAR1 nothing more")
    with pytest.raises(UserError, match=r"a\.parquet: cannot be read as Parquet .*\(and 1 files more\)$"):
        build_corpus(recipe(tmp_path / "a.parquet", tmp_path / "b.parquet"), tmp_path / "out")
    assert left_in(tmp_path) == ["a.parquet", "b.parquet"]


def test_a_full_folder_is_refused_before_any_work(tmp_path: Path) -> None:
    out = build(tmp_path, [row(1)])
    files = write_jsonl(tmp_path / "other.jsonl", [row(2)])
    with pytest.raises(UserError, match=r"out: already holds something; choose another --out or pass --overwrite$"):
        build_corpus(recipe(files), out)
    assert not (tmp_path / ".out.work").exists()


def test_a_finished_corpus_is_left_alone(tmp_path: Path) -> None:
    files = write_jsonl(tmp_path / "in.jsonl", [row(n) for n in range(5)])
    first = build_corpus(recipe(files), tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert build_corpus(recipe(files), tmp_path / "out") == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before


def test_a_place_where_no_folder_can_be_made_is_named(tmp_path: Path) -> None:
    files = write_jsonl(tmp_path / "in.jsonl", [row(1)])
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/out: cannot be made there \(.*\); choose another --out$"):
        build_corpus(recipe(files), tmp_path / "file" / "out")


def test_the_input_is_never_replaced_by_the_corpus_made_from_it(tmp_path: Path) -> None:
    first = build(tmp_path, [row(n) for n in range(5)])
    before = sorted(path.name for path in first.rglob("*"))
    with pytest.raises(UserError, match=r"holds the input .*, which would be replaced; choose another --out"):
        build_corpus(recipe(first / "data"), first, overwrite=True)
    assert sorted(path.name for path in first.rglob("*")) == before


# --- the folder as a whole


def test_the_fingerprint_can_be_known_without_building(tmp_path: Path) -> None:
    files = write_jsonl(tmp_path / "in.jsonl", [row(1), row(2)])
    asked = recipe(files, splits=SPLITS_OFF)
    stage = corpus_stage(asked)
    assert list(stage.parents) == [str(files)]
    assert not is_current(tmp_path / "out", stage.fingerprint)
    assert stage.ensure(tmp_path / "out").fingerprint == stage.fingerprint
    assert is_current(tmp_path / "out", stage.fingerprint)
    write_jsonl(files, [row(1), row(3)])
    assert corpus_stage(asked).fingerprint != stage.fingerprint


def test_the_same_files_make_the_same_corpus_and_more_files_move_no_document(tmp_path: Path) -> None:
    first = write_jsonl(tmp_path / "a.jsonl", [row(n) for n in range(200)])
    second = write_jsonl(tmp_path / "b.jsonl", [row(n) for n in range(200, 260)])
    build_corpus(recipe(first, splits=THIRDS), tmp_path / "one")
    build_corpus(recipe(first, splits=THIRDS), tmp_path / "two")
    build_corpus(recipe(second, first, splits=THIRDS), tmp_path / "more")
    assert corpus_bytes(tmp_path / "one") == corpus_bytes(tmp_path / "two")
    one = list(read_articles(tmp_path / "one"))
    assert {article.split for article in one} == set(SPLITS)
    more = {article.id: article.split for article in read_articles(tmp_path / "more")}
    assert all(more[article.id] == article.split for article in one)


def test_the_size_of_pieces_and_shards_changes_no_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [write_jsonl(tmp_path / f"{n}.jsonl", [row(m % 50) for m in range(n, n + 20)]) for n in range(0, 60, 20)]
    asked = recipe(*files, splits=THIRDS)
    whole = build_corpus(asked, tmp_path / "whole")
    monkeypatch.setattr("dateline.corpus.build.PIECE_BYTES", 1)
    monkeypatch.setattr("dateline.corpus.build.SHARD_BYTES", 1)
    parts = build_corpus(asked, tmp_path / "parts")
    assert list(read_articles(tmp_path / "whole")) == list(read_articles(tmp_path / "parts"))
    assert (whole.counts, whole.drops, whole.fingerprint) == (parts.counts, parts.drops, parts.fingerprint)
    assert len(list((tmp_path / "parts" / "data").glob("train-*.parquet"))) == 3
    for name in ("audit.json", "outlets.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


def test_an_outlet_table_of_ones_own_is_a_parent(tmp_path: Path) -> None:
    table = tmp_path / "outlets.csv"
    table.write_text("domain,country,name\nhillpaper.com,ke,The Hill\n")
    out = build(tmp_path, [row(1, url="https://hillpaper.com/a", country="")], outlets=str(table))
    assert [article.country for article in read_articles(out)] == ["ke"]
    assert set(manifest_of(out).parents) == {str(tmp_path / "in.jsonl"), str(table)}
    assert (out / "outlets.csv").read_text() == "domain,declared,country,documents\nhillpaper.com,,ke,1\n"


def test_the_newswire_passes_through_unchanged(tmp_path: Path) -> None:
    asked = CorpusRecipe.model_validate({"newswire": {"articles": 600, "seed": 3}})
    manifest = build_corpus(asked, tmp_path / "out")
    assert manifest.parents == {}
    written = {article.id: article for article in Newswire().articles(600, 3)}
    kept = list(read_articles(tmp_path / "out"))
    assert manifest.counts["kept"] == len(kept) == 600 - sum(manifest.drops.values())
    assert set(manifest.drops) <= {"duplicate"}
    assert all(replace(article, split="", also_at=()) == replace(written[article.id], split="") for article in kept)


# --- nothing is lost, whatever comes

GERMAN = "Der Bundestag hat am Montag beschlossen, dass der Verkehr in der Stadt noch heute geprüft werden soll. "
NUMBERS = st.integers(0, 5)
MIXED = st.lists(
    st.one_of(
        NUMBERS.map(row),
        NUMBERS.map(lambda n: row(n, text=near_copy(story(n)), date=f"2021-03-0{n + 1}")),
        NUMBERS.map(lambda n: row(n, text=story(n).upper(), url=f"https://copy{n}.co.ke/")),
        NUMBERS.map(lambda n: row(n, text=f"{n} {GERMAN * 3}")),
        NUMBERS.map(lambda n: row(n, url=f"https://www.bbc.co.uk/{n}", country="ke")),
        st.builds(row, NUMBERS, text=st.text(max_size=300)),
        st.builds(row, NUMBERS, url=st.text(max_size=30), country=st.text(max_size=5), date=st.text(max_size=9)),
        st.dictionaries(
            st.sampled_from(["text", "url", "title", "x"]), st.none() | st.integers() | st.text(max_size=9)
        ),
        st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=30),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MIXED, st.sampled_from(["keep", "drop", "trust_declared"]), st.booleans(), st.sampled_from([0.8, None]))
def test_in_is_kept_plus_dropped_whatever_comes(
    rows: list[Any], policy: str, require_place: bool, threshold: float | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, out = write_jsonl(Path(folder) / "in.jsonl", [row(99), *rows]), Path(folder) / "out"
        lines = path.read_bytes().decode().split("\n")
        asked = recipe(
            path,
            splits=SPLITS_OFF,
            language="en",
            on_conflict=policy,
            require_place=require_place,
            near_duplicates={"threshold": threshold},
        )
        manifest = build_corpus(asked, out)
        kept, lost = list(read_articles(out)), dropped(out)
        assert manifest.counts["in"] == sum(bool(line.encode().strip()) for line in lines) == len(kept) + len(lost)
        assert manifest.counts["kept"] == len(kept) == sum(manifest.counts[split] for split in SPLITS)
        assert manifest.drops == {reason: reasons(out).count(reason) for reason in reasons(out)}
        assert len({article.id for article in kept}) == len(kept)
        # each line is in exactly one place, and what was dropped is there as it was written
        sources = [item["source"] for item in lost] + [article.source for article in kept]
        assert len(set(sources)) == len(sources)
        for item in lost:
            line = lines[int(item["source"].rsplit(":", 1)[1]) - 1]
            if "raw" in item:
                assert item["raw"].removesuffix("\n") == line
            elif item["reason"] in ("duplicate", "near duplicate"):
                assert item["text"] == clean_text(json.loads(line)["text"])
            else:
                text = json.loads(line).get("text")
                assert item["text"] == ("" if text is None else str(text))
        assert len(list((out / "dropped").rglob("*.gz")) if lost else []) == len(manifest.drops)


# --- real data


def test_raw_files_as_published_can_be_read(tmp_path: Path) -> None:
    expected: dict[str, tuple[int, dict[str, Any]]] = {
        "sa-news": (489, {}),
        "ph-newspaper-scrapy": (86, {"columns": {"text": "article", "url": "link"}}),
        "ghana-news-feed/news-feed.json": (100, {}),
        "news_lk2": (10, {"columns": {"text": "body_lines", "date": "time_ut"}}),
    }
    for name, (records, values) in expected.items():
        asked = recipe(shared(f"raw/{name}"), language="en", splits=SPLITS_OFF, **values)
        out = tmp_path / name.split("/")[0]
        manifest = build_corpus(asked, out)
        assert manifest.counts["in"] == records
        assert manifest.counts["kept"] == records - sum(manifest.drops.values()) > 0
        assert not any("<p>" in article.text for article in read_articles(out))
    assert {article.country for article in read_articles(tmp_path / "news_lk2")} == {"lk"}
    assert all(article.date for article in read_articles(tmp_path / "news_lk2"))


def test_real_news_is_placed_and_split(tmp_path: Path) -> None:
    sample = tmp_path / "sample.parquet"
    pq.write_table(pq.read_table(shared("news-real.parquet")).slice(8000, 1000), sample)
    manifest = build_corpus(recipe(sample, splits=SPLITS_OFF, language="en"), tmp_path / "out")
    assert manifest.counts["kept"] > 0.9 * manifest.counts["in"]
    assert manifest.facts["verified"]["conflict"] == 0
    audit = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert sum(country["train"]["documents"] for country in audit["countries"].values()) == manifest.counts["kept"]
    assert all(read_jsonl(path) for path in (tmp_path / "out" / "dropped").rglob("*.gz"))


def problems(out: Path) -> list[str]:
    found: list[str] = manifest_of(out).facts["problems"]
    return found


def test_a_source_without_a_document_is_named_with_the_reasons(tmp_path: Path) -> None:
    good = write_jsonl(tmp_path / "good" / "a.jsonl", [row(n) for n in range(3)])
    write_jsonl(tmp_path / "good" / "b.jsonl", [row(3, text="short")])
    write_jsonl(tmp_path / "bad" / "c.jsonl", [row(4, text="short"), row(5, text=""), row(6, text="brief")])
    (tmp_path / "bad" / "d.csv").write_text("url,text\n", encoding="utf-8")
    copies = write_jsonl(tmp_path / "copies.jsonl", [row(0)])
    globbed = str(tmp_path / "b*" / "c.jsonl")
    out = tmp_path / "out"
    build_corpus(recipe(good.parent, tmp_path / "bad", copies, splits=SPLITS_OFF), out)
    assert [line for line in problems(out) if "contributes" in line] == [
        f"{tmp_path / 'bad'} (csv): contributes no document: no record in it",
        f"{tmp_path / 'bad'} (json lines): contributes no document: 2 too short, 1 no text",
        f"{copies} (json lines): contributes no document: 1 duplicate",
    ]
    build_corpus(recipe(good.parent, globbed, splits=SPLITS_OFF), out, overwrite=True)
    assert f"{globbed} (json lines): contributes no document: 2 too short, 1 no text" in problems(out)


def test_the_year_of_dates_without_one_comes_from_the_recipe(tmp_path: Path) -> None:
    rows = [row(n, date=date) for n, date in enumerate(("Jan. 26", "Thu, 4 March, 10:00", "2021-05-06", "26"))]
    out = build(tmp_path, rows)
    assert [article.date for article in read_articles(out)] == ["", "", "2021-05-06", ""]
    hint = "; `year` supplies the year where a date names none"
    assert [line for line in problems(out) if line.endswith(hint)]
    out = build(tmp_path, rows, year=2024)
    assert [article.date for article in read_articles(out)] == ["2024-01-26", "2024-03-04", "2021-05-06", ""]
    assert not [line for line in problems(out) if line.endswith(hint)]


def test_dates_beyond_belief_count_as_unknown_and_are_named(tmp_path: Path) -> None:
    copies = [row(0, text=story(0), date="2024-01-01"), row(9, text=story(0), date="1970-01-01T00:00:00Z")]
    rows = [*copies, row(1, text=story(1), date="2099-12-31"), row(2, text=story(2), date="1985-03-04")]
    out = build(tmp_path, rows)
    assert [article.date for article in read_articles(out)] == ["2024-01-01", "", "1985-03-04"]
    [said] = [line for line in problems(out) if "count as unknown" in line]
    assert said.startswith("2 dates before 1980-01-01 or after the day of the build count as unknown, such as: '")
    assert "1970-01-01T00:00:00Z" in said
    assert not {"dates_from", "dates_until"} & manifest_of(out).recipe.keys()
    bounds = {"dates_from": "1970-01-01", "dates_until": "2100-01-01"}
    out = build(tmp_path, rows, **bounds)
    assert [article.date for article in read_articles(out)] == ["1970-01-01", "2099-12-31", "1985-03-04"]
    assert bounds.items() <= manifest_of(out).recipe.items()


def test_a_corpus_without_dates_is_named_like_one_without_addresses(tmp_path: Path) -> None:
    assert "12 documents have no date; is its column named in `columns`?" in problems(
        build(tmp_path, [row(n, text=story(n), date="") for n in range(12)])
    )


def test_a_file_without_a_record_is_named_beside_good_ones(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in" / "good.jsonl", [row(0)])
    (tmp_path / "in" / "none.xml").write_text("<rss><channel></channel></rss>", encoding="utf-8")
    (tmp_path / "in" / "empty.jsonl").touch()
    build_corpus(recipe(tmp_path / "in", splits=SPLITS_OFF), tmp_path / "out")
    none, empty = tmp_path / "in" / "none.xml", tmp_path / "in" / "empty.jsonl"
    assert f"2 files hold no record: {empty}, {none}" in problems(tmp_path / "out")


def test_an_option_that_came_later_leaves_earlier_corpora_known(tmp_path: Path) -> None:
    files = write_jsonl(tmp_path / "in.jsonl", [row(0)])
    assert corpus_stage(recipe(files)).fingerprint == corpus_stage(recipe(files, year=None)).fingerprint
    assert "year" not in corpus_stage(recipe(files)).recipe
    assert corpus_stage(recipe(files)).fingerprint != corpus_stage(recipe(files, year=2024)).fingerprint


@pytest.mark.parametrize(("policy", "kept"), [("keep", 4), ("strip", 3), ("drop", 2)])
def test_remains_of_pages_follow_the_recipe_and_are_named(tmp_path: Path, policy: str, kept: int) -> None:
    head = "Stay informed with our newsletter. By signing up you agree to our terms. "
    bio = f"{head}Ada Obi is a political reporter based in Abuja, {'and in Lagos, ' * 12}for this paper."
    texts = [story(0), f"{story(1)}… [+1136 chars]", head + story(2), bio]
    out = build(tmp_path, [row(n, text=text) for n, text in enumerate(texts)], page_remains=policy)
    found = [article.text for article in read_articles(out)]
    assert found == {"keep": texts, "strip": [story(n) for n in range(3)], "drop": [story(0), story(2)]}[policy]
    assert len(found) == kept
    [said] = [line for line in problems(out) if line.startswith("remains of pages")]
    assert "cut off 1, nothing but a sign-up text 1, sign-up text 1" in said
    assert manifest_of(out).drops.get("cut off", 0) == (policy == "drop")
    assert ("page_remains" in manifest_of(out).recipe) == (policy != "keep")
