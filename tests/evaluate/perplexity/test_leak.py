"""What of a title can be read off its URL."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.evaluate.perplexity.leak import count_leaks, leaks, title_words_in_url


@pytest.mark.parametrize(
    ("title", "url", "expected"),
    [
        ("Floods hit the valley", "https://a.ng/2024/floods-hit-valley.html", (3, 4)),
        ("Floods, floods!", "https://a.ng/floods", (2, 2)),
        ("Flood", "https://flood.ng/news?id=3", (0, 1)),  # the host is no slug: domain shows it too
        ("Rates up 5 percent", "https://a.ng/news?title=rates+up", (2, 4)),
        ("Le café rouvre", "https://a.fr/le-caf%C3%A9-rouvre", (3, 3)),
        ("STRASSE", "https://a.de/straße", (1, 1)),
        ("", "https://a.ng/floods", (0, 0)),
        ("Floods", "", (0, 1)),
        ("Floods", "http://[broken/floods", (0, 1)),
    ],
)
def test_words_are_found_whole_and_after_the_host(title, url, expected):
    assert title_words_in_url(title, url) == expected


@given(st.text(), st.text())
def test_never_more_words_than_the_title_has(title, url):
    found, words = title_words_in_url(title, url)
    assert 0 <= found <= words


def test_counts_keep_their_shape():
    assert count_leaks([], []).shape == (0, 2)
    np.testing.assert_array_equal(count_leaks(["a b"], ["https://x.y/a"]), [[1, 2]])


@pytest.mark.parametrize(
    ("fields", "expected"), [("url+country", True), ("url_hash", False), ("domain+country", False), ("", False)]
)
def test_only_the_whole_url_leaks(fields, expected):
    assert leaks(fields) is expected
