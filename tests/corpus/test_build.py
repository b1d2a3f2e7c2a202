import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dateline.corpus import CorpusRecipe, build_corpus, corpus_fingerprint_parents, read_articles
from dateline.corpus.newswire import Newswire
from dateline.errors import UserError
from dateline.manifest import is_current, read_manifest, stage_fingerprint
from dateline.records import SPLITS, article_id

from .helpers import read_jsonl, recipe, row, shared, story, write_jsonl

ALL_TRAIN = {"train": 1, "validation": 0, "test": 0}
THIRDS = {"train": 0.4, "validation": 0.3, "test": 0.3}


def build(tmp_path: Path, rows: list[Any], **values: Any) -> Path:
    files = write_jsonl(tmp_path / "in.jsonl", rows)
    out = tmp_path / "out"
    build_corpus(recipe(files, **{"splits": ALL_TRAIN, **values}), out, overwrite=True)
    return out


def reasons(out: Path) -> list[str]:
    return [line["reason"] for line in read_jsonl(out / "dropped.jsonl")]


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
    assert reasons(out) == ["no text"]


def test_every_dropped_record_is_written_with_its_reason(tmp_path: Path) -> None:
    out = build(
        tmp_path,
        [
            row(1),
            "{not json",
            row(2, text="<p> </p>"),
            row(3, text="Short."),
            row(4, text=story(4, words=2000)),
            row(5, url="https://example.com/x", country=""),
            row(6, url="https://www.bbc.co.uk/x", country="gb"),
            row(7, text=story(1).upper()),
        ],
        max_characters=5000,
        require_place=True,
        countries=["ke"],
    )
    found = read_jsonl(out / "dropped.jsonl")
    assert [line["reason"] for line in found] == [
        "unreadable",
        "no text",
        "too short",
        "too long",
        "no place",
        "other country",
        "duplicate",
    ]
    assert [line["source"].rsplit(":", 1)[1] for line in found] == ["2", "3", "4", "5", "6", "7", "8"]
    assert found[2] == {
        "reason": "too short",
        "source": f"{tmp_path / 'in.jsonl'}:4",
        "url": "https://www.gov3.co.ke/news/3",
        "title": "Road 3 opens",
        "text": "Short.",
        "detail": "6 characters",
    }
    assert len(found[3]["text"]) == 200
    manifest = read_manifest(out)
    assert manifest is not None
    assert manifest.counts == {"in": 8, "kept": 1, "train": 1, "validation": 0, "test": 0}
    assert manifest.drops == dict.fromkeys(sorted(reasons(out)), 1)


def test_the_language_gate_keeps_english_only(tmp_path: Path) -> None:
    german = "Der Bundestag hat heute beschlossen, dass die Steuern im kommenden Jahr nicht erhöht werden sollen. " * 4
    assert reasons(build(tmp_path, [row(1), row(2, text=german)], language="en")) == ["language"]
    assert reasons(build(tmp_path, [row(1), row(2, text=german)], language=None)) == []
    with pytest.raises(UserError, match=r"^language 'xx' is not one that can be told apart; known: "):
        build(tmp_path, [row(1)], language="xx")


def test_of_duplicates_the_first_in_reading_order_stays(tmp_path: Path) -> None:
    late = write_jsonl(tmp_path / "a.jsonl", [row(1, title="Late")])
    early = write_jsonl(tmp_path / "b.jsonl", [row(1, title="Early")])
    build_corpus(recipe(early, late, splits=ALL_TRAIN), tmp_path / "out")
    assert [article.title for article in read_articles(tmp_path / "out")] == ["Early"]


def test_a_dropped_copy_does_not_remove_a_good_one(tmp_path: Path) -> None:
    out = build(tmp_path, [row(1, url="https://example.com/", country=""), row(1)], require_place=True)
    assert reasons(out) == ["no place"]
    assert len(list(read_articles(out))) == 1


@pytest.mark.parametrize(("policy", "kept", "reviewed"), [("keep", 2, 1), ("drop", 1, 0), ("trust_declared", 2, 0)])
def test_conflicts_of_place_follow_the_recipe(tmp_path: Path, policy: str, kept: int, reviewed: int) -> None:
    out = build(tmp_path, [row(1), row(2, url="https://www.bbc.co.uk/x", country="ke")], on_conflict=policy)
    assert len(list(read_articles(out))) == kept
    lines = read_jsonl(out / "review.jsonl")
    assert len(lines) == reviewed
    assert reasons(out) == (["place conflict"] if policy == "drop" else [])
    if lines:
        assert (lines[0]["country"], lines[0]["decided_by"]) == ("ke", "declared")
        assert {piece["country"] for piece in lines[0]["evidence"]} == {"ke", "gb"}


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


def test_a_country_tested_but_not_trained_on_fails_and_leaves_nothing(tmp_path: Path) -> None:
    rows = [row(1), row(2, url="https://www.bbc.co.uk/x", country="gb", date="2024-01-01")]
    with pytest.raises(UserError, match=r"^1 country has test documents but no training documents: gb \(1\); if that"):
        build(tmp_path, rows, test_from="2024-01-01")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]
    build(tmp_path, rows, test_from="2024-01-01", held_out=["gb"])


def test_a_corpus_without_a_usable_document_fails_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        build(tmp_path, [row(1, text="a"), row(2, text="b"), "{", row(3, text="")])
    assert str(raised.value) == (
        "no usable document is left of 4 read; dropped most often: too short 2, unreadable 1, no text 1"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]
    with pytest.raises(UserError, match=r"^the corpus is empty: the files hold no record at all$"):
        build(tmp_path, [])


def test_a_file_that_breaks_midway_leaves_nothing(tmp_path: Path) -> None:
    files = write_jsonl(tmp_path / "in.jsonl", [row(1)])
    (tmp_path / "z.parquet").write_bytes(b"PAR1 nothing more")
    with pytest.raises(UserError, match=r"z\.parquet: cannot be read as Parquet"):
        build_corpus(recipe(files, tmp_path / "z.parquet"), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "z.parquet"]


def test_a_full_folder_is_refused_before_any_work(tmp_path: Path) -> None:
    out = build(tmp_path, [row(1)])
    with pytest.raises(UserError, match=r"out: already holds something; choose another --out or pass --overwrite$"):
        build_corpus(recipe("gone.jsonl"), out)


def test_the_fingerprint_can_be_known_without_building(tmp_path: Path) -> None:
    files = write_jsonl(tmp_path / "in.jsonl", [row(1), row(2)])
    asked = recipe(files, splits=ALL_TRAIN)
    parents = corpus_fingerprint_parents(asked)
    assert list(parents) == [str(files)]
    expected = stage_fingerprint("corpus", asked.model_dump(mode="json"), parents)
    assert not is_current(tmp_path / "out", expected)
    assert build_corpus(asked, tmp_path / "out").fingerprint == expected
    assert is_current(tmp_path / "out", expected)
    write_jsonl(files, [row(1), row(3)])
    assert corpus_fingerprint_parents(asked) != parents


def test_the_same_files_make_the_same_corpus_and_more_files_move_no_document(tmp_path: Path) -> None:
    first = write_jsonl(tmp_path / "a.jsonl", [row(n) for n in range(200)])
    second = write_jsonl(tmp_path / "b.jsonl", [row(n) for n in range(200, 260)])
    build_corpus(recipe(first, splits=THIRDS), tmp_path / "one")
    build_corpus(recipe(first, splits=THIRDS), tmp_path / "two")
    build_corpus(recipe(second, first, splits=THIRDS), tmp_path / "more")
    one = list(read_articles(tmp_path / "one"))
    assert one == list(read_articles(tmp_path / "two"))
    assert {article.split for article in one} == set(SPLITS)
    more = {article.id: article.split for article in read_articles(tmp_path / "more")}
    assert all(more[article.id] == article.split for article in one)


def test_an_outlet_table_of_ones_own_is_a_parent(tmp_path: Path) -> None:
    header = (Path(__file__).parents[2] / "src/dateline/places/data/outlets.csv").read_text().splitlines()[0]
    names = header.split(",")
    values = {"domain": "hillpaper.com", "country": "ke", "name": "The Hill"}
    table = tmp_path / "outlets.csv"
    table.write_text(header + "\n" + ",".join(values.get(name, "") for name in names) + "\n")
    out = build(tmp_path, [row(1, url="https://hillpaper.com/a", country="")], outlets=str(table))
    assert [article.country for article in read_articles(out)] == ["ke"]
    manifest = read_manifest(out)
    assert manifest is not None
    assert set(manifest.parents) == {str(tmp_path / "in.jsonl"), str(table)}


def test_the_newswire_passes_through_unchanged(tmp_path: Path) -> None:
    asked = CorpusRecipe.model_validate({"newswire": {"articles": 1500, "seed": 3}})
    manifest = build_corpus(asked, tmp_path / "out")
    assert manifest.parents == {}
    written = {article.id: article for article in Newswire().articles(1500, 3)}
    kept = list(read_articles(tmp_path / "out"))
    assert manifest.counts["kept"] == len(kept) == 1500 - sum(manifest.drops.values())
    assert set(manifest.drops) <= {"duplicate"}
    assert all(replace(article, split="") == replace(written[article.id], split="") for article in kept)


MIXED = st.lists(
    st.one_of(
        st.integers(0, 5).map(row),
        st.builds(row, st.integers(0, 5), text=st.text(max_size=300)),
        st.builds(
            row, st.integers(0, 5), url=st.text(max_size=30), country=st.text(max_size=5), date=st.text(max_size=9)
        ),
        st.dictionaries(
            st.sampled_from(["text", "url", "title", "x"]), st.none() | st.integers() | st.text(max_size=9)
        ),
        st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=30),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MIXED, st.sampled_from(["keep", "drop", "trust_declared"]), st.booleans())
def test_in_is_kept_plus_dropped_whatever_comes(rows: list[Any], policy: str, require_place: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_jsonl(Path(folder) / "in.jsonl", [row(99), *rows])
        lines = sum(bool(line.strip()) for line in path.read_bytes().split(b"\n"))
        asked = recipe(path, splits=ALL_TRAIN, on_conflict=policy, require_place=require_place)
        manifest = build_corpus(asked, Path(folder) / "out")
        kept = list(read_articles(Path(folder) / "out"))
        dropped = read_jsonl(Path(folder) / "out" / "dropped.jsonl")
        assert manifest.counts["in"] == lines == manifest.counts["kept"] + sum(manifest.drops.values())
        assert len(kept) == manifest.counts["kept"] == sum(manifest.counts[split] for split in SPLITS)
        assert len(dropped) == sum(manifest.drops.values())
        assert len({article.id for article in kept}) == len(kept)


def test_raw_files_as_published_can_be_read(tmp_path: Path) -> None:
    expected = {
        "sa-news": (489, {"columns": {}}),
        "ph-newspaper-scrapy": (86, {"columns": {"text": "article", "url": "link"}}),
        "news_lk2": (10, {"columns": {"text": "body_lines", "date": "time_ut"}}),
    }
    for name, (records, values) in expected.items():
        asked = recipe(shared(f"raw/{name}"), language="en", splits=ALL_TRAIN, **values)
        manifest = build_corpus(asked, tmp_path / name)
        assert manifest.counts["in"] == records
        assert manifest.counts["kept"] == records - sum(manifest.drops.values()) > 0
        assert not any("<p>" in article.text for article in read_articles(tmp_path / name))
    assert {article.country for article in read_articles(tmp_path / "news_lk2")} == {"lk"}
    assert all(article.date for article in read_articles(tmp_path / "news_lk2"))


def test_a_json_feed_that_is_no_list_of_articles_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"news-feed\.json: no column looks like the text .*, stories; write"):
        build_corpus(recipe(shared("raw/ghana-news-feed/news-feed.json")), tmp_path / "out")


def test_real_news_is_placed_and_split(tmp_path: Path) -> None:
    sample = tmp_path / "sample.parquet"
    pq.write_table(pq.read_table(shared("news-real.parquet")).slice(8000, 1500), sample)
    manifest = build_corpus(recipe(sample, splits=ALL_TRAIN, language="en"), tmp_path / "out")
    assert manifest.counts["kept"] > 0.99 * manifest.counts["in"]
    assert manifest.facts["verified"]["conflict"] == 0
    audit = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert sum(country["train"]["documents"] for country in audit["countries"].values()) == manifest.counts["kept"]


def test_the_input_is_never_replaced_by_the_corpus_made_from_it(tmp_path):
    first = tmp_path / "first"
    build_corpus(CorpusRecipe(newswire={"articles": 400}), first)
    before = sorted(path.name for path in first.rglob("*"))
    with pytest.raises(UserError, match=r"holds the input .*, which would be replaced; choose another --out"):
        build_corpus(CorpusRecipe(paths=(str(first / "data"),)), first, overwrite=True)
    assert sorted(path.name for path in first.rglob("*")) == before
