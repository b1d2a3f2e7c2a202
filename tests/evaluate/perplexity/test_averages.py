"""Averages by group and by part, against sums by hand."""

import math

import numpy as np
import pytest

from dateline.evaluate.perplexity.averages import Origin, Scored, document_table, leak_scores, levels, part_table
from dateline.evaluate.perplexity.parts import GROUPS

ORIGIN = Origin("a", "strict-1", "m", "c")
PLACES = {
    "id": np.array(["1", "2", "3"]),
    "domain": np.array(["x", "y", ""]),
    "country": np.array(["ng", "ng", "gb"]),
    "continent": np.array(["Africa", "Africa", "Europe"]),
}


def scored(*nll, parts=True):
    tokens = np.array([2, 4, 8], dtype=np.int64)
    part_tokens = np.zeros((3, len(GROUPS)), dtype=np.int64)
    part_tokens[:, 0] = [2, 2, 2]
    part_tokens[:, 1] = [0, 2, 6]
    part_nll = np.zeros((3, len(GROUPS)))
    part_nll[:, :2] = part_tokens[:, :2] * 0.5
    return Scored("country", np.array(nll), tokens, 3 * tokens, *((part_nll, part_tokens) if parts else (None, None)))


TABLES = {"gold": scored(1.0, 4.0, 8.0), "swap:ng": scored(2.0, 8.0, 16.0, parts=False)}


def found(**wanted):
    scores = levels(TABLES, PLACES, ORIGIN, ("country",), 100, 0)
    return [s for s in scores if all(getattr(s, key) == value for key, value in wanted.items())]


def test_a_group_is_averaged_by_its_tokens():
    (one,) = found(condition="gold", metric="nll", group="ng")
    assert (one.value, one.num_documents, one.num_tokens, one.num_outlets) == (5 / 6, 2, 6, 2)
    (all_bits,) = found(condition="swap:ng", metric="bits_per_byte", grouping="all")
    assert all_bits.value == pytest.approx(26 / 42 / math.log(2))
    assert (all_bits.num_outlets, all_bits.fields) == (2, "country")


def test_a_group_of_one_document_has_no_interval():
    (one,) = found(condition="gold", metric="ppl", group="gb")
    assert one.value == pytest.approx(math.e)
    assert math.isnan(one.ci_low)


def test_parts_are_of_the_documents_that_have_them():
    title, first = found(grouping="part", metric="nll")
    assert (title.group, title.num_documents, title.num_tokens, title.value) == ("title", 3, 6, 0.5)
    assert (first.group, first.num_documents, first.num_tokens, first.condition) == ("first 64", 2, 8, "gold")
    assert not found(grouping="part", metric="bits_per_byte")


def test_tables_have_a_row_for_each_number():
    documents = document_table(TABLES, PLACES, ORIGIN).to_pylist()
    assert [(row["condition"], row["id"], row["nll"]) for row in documents][3:] == [
        ("swap:ng", "1", 2.0), ("swap:ng", "2", 8.0), ("swap:ng", "3", 16.0),
    ]  # fmt: skip
    parts = part_table(TABLES, PLACES, ORIGIN).to_pylist()
    assert [(row["grouping"], row["group"], row["id"]) for row in parts] == [
        ("part", "title", "1"), ("part", "title", "2"), ("part", "title", "3"),
        ("part", "first 64", "2"), ("part", "first 64", "3"),
    ]  # fmt: skip
    assert part_table({"swap:ng": TABLES["swap:ng"]}, PLACES, ORIGIN).num_rows == 0


def test_leaks_are_shares_of_words_and_titles_without_words_are_no_number():
    counts = np.array([[1.0, 2.0], [0.0, 2.0], [0.0, 0.0]])
    scores = leak_scores(counts, PLACES, ORIGIN, ("country",), 100, 0)
    assert [(s.group, s.value, s.num_tokens) for s in scores] == [("all", 0.25, 4), ("ng", 0.25, 4)]
