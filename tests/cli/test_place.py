"""Places of URLs, in the order in which they were given, whatever the URLs hold."""

import io
import json
import sys

HOSTILE = [
    "",
    " ",
    "http://",
    "https://[::1",
    "a" * 3000,
    "http://\x1b[31mred.com/\x07",
    "[bold]x[/bold].com",
    "\udcff.com",
]


def lines(said):
    return [json.loads(line) for line in said.out.splitlines()]


def test_table(dateline):
    said = dateline("place", "https://punchng.com/politics/budget", "https://www.bbc.co.uk/news")
    assert said.code == 0
    header, first, second = said.out.splitlines()
    assert header.split() == ["url", "domain", "country", "continent", "verified", "evidence"]
    assert first.split()[1:4] == ["punchng.com", "ng", "Africa"]
    assert second.split()[1:4] == ["bbc.co.uk", "gb", "Europe"]


def test_json_is_one_object_a_line_in_order(dateline):
    urls = ["https://www.bbc.co.uk/news", "https://punchng.com/", "https://www.bbc.co.uk/news"]
    found = lines(dateline("place", "--json", *urls))
    assert [one["url"] for one in found] == urls
    assert [one["country"] for one in found] == ["gb", "ng", "gb"]
    assert found[0]["evidence"][0].keys() == {"kind", "country", "continent", "detail"}


def test_a_declared_country_can_contradict(dateline):
    [found] = lines(dateline("place", "--json", "--country", "gb", "https://punchng.com/politics"))
    assert (found["country"], found["verified"], found["decided_by"]) == ("gb", "conflict", "declared")


def test_standard_input(dateline, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(b"https://punchng.com/\r\nhttps://dawn.com/\n\xff.com\n"), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stream)
    found = lines(dateline("place", "--json", "https://www.bbc.co.uk/", "-"))
    assert [one["country"] for one in found] == ["gb", "ng", "pk", ""]


def test_hostile_urls_are_answered_and_shown_without_control_characters(dateline):
    said = dateline("place", "--json", "--", *HOSTILE)
    assert said.code == 0, said.err
    assert [one["url"] for one in lines(said)] == HOSTILE
    said = dateline("place", "--", *HOSTILE)
    assert said.code == 0, said.err
    assert "\x1b" not in said.out
    assert "\x07" not in said.out
    assert "[bold]x[/bold].com" in said.out


def test_no_url_is_a_mistake(dateline):
    said = dateline("place")
    assert said.code == 2
    assert said.out == ""
