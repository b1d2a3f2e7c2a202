from __future__ import annotations

import math

from dateline.report.scoretable import ScoreTable
from dateline.report.sections.leaks import leak, marked, saw_url, warning

from ..helpers import score
from ..measures import row

PLAIN = score("plain", "none", "nll", 2.2, 0.02)
SHARE = score("", "", "title_in_url", 0.613, 0.011)


def test_a_warning_names_who_saw_the_url_and_how_much_it_gives_away() -> None:
    table = ScoreTable([PLAIN, SHARE, score("a", "gold", "nll", 2, 0.1, fields="url+country")])
    text = warning(table, [row("accuracy_cloze", 0.4, 0.1, run="b-seed1", fields="url")])
    assert text.startswith("a and b saw the URL")
    assert "61.3% of the title words stand in it (95% interval 60.2 to 62.4%)" in text
    assert "[leak]" in text


def test_no_url_no_warning() -> None:
    hashed = score("a", "gold", "nll", 2, 0.1, fields="url_hash+country")
    assert warning(ScoreTable([PLAIN, SHARE, hashed]), []) == ""
    assert not saw_url(hashed)


def test_a_swap_with_urls_is_warned_of_too() -> None:
    assert warning(ScoreTable([PLAIN, score("a", "swap:gh", "nll", 2, 0.1, fields="url")]), []).startswith("a saw")


def test_the_share_has_its_interval_by_group() -> None:
    by_country = score("", "", "title_in_url", 0.5, 0.05, grouping="country", group="gh")
    found = leak(ScoreTable([PLAIN, by_country, SHARE]))
    assert found is not None
    assert "61.3% stand in the slug of the URL (95% interval 60.2 to 62.4%; 1,800 documents)" in found.sentence
    assert found.lines is not None
    assert [line.labels[0] for line in found.lines.lines] == ["All", "Ghana"]
    assert leak(ScoreTable([PLAIN])) is None


def test_one_document_has_a_share_and_no_interval() -> None:
    one = score("", "", "title_in_url", 0.5, math.nan, num_documents=1)
    found = leak(ScoreTable([PLAIN, one]))
    assert found is not None
    assert "95% interval not available (one document); 1 document)" in found.sentence


def test_the_share_is_no_model() -> None:
    table = ScoreTable([SHARE, PLAIN])
    assert table.cells == [("plain", "none")]
    assert table.families == ["plain"]
    assert marked(PLAIN) == "plain"
