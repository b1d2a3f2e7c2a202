"""Every scored token is in one part and in one range of positions; and what of a title can be read off its URL."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.evaluate.parts import (
    EDGES,
    FIRST,
    PARTS,
    Title,
    count_leaks,
    find_title,
    leaks,
    spans,
    sum_parts,
    title_words_in_url,
)
from dateline.records import body_text
from dateline.testing import byte_tokenizer
from dateline.tokens.tokenizer import train_tokenizer


@pytest.fixture(scope="module", params=["bytes", "bpe"])
def tokenizer(request):
    if request.param == "bytes":
        return byte_tokenizer()
    return train_tokenizer([body_text("Le café rouvre", "the river and the court in the city")] * 4, 300)


def encode(tokenizer, text):
    return np.array(tokenizer(text, add_special_tokens=False)["input_ids"], dtype=np.int32)


def test_a_byte_is_a_token_and_the_title_ends_before_the_empty_line():
    tokenizer = byte_tokenizer()
    body = encode(tokenizer, body_text("Floods", "It rained."))
    assert find_title(tokenizer, body) == Title("Floods", len("TITLE: Floods"))
    assert find_title(tokenizer, encode(tokenizer, "no such thing")) == Title("", 0)
    assert find_title(tokenizer, encode(tokenizer, body_text("", "x"))) == Title("", len("TITLE: "))


@given(title=st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40))
def test_a_title_is_found_whatever_is_in_it(title):
    tokenizer = byte_tokenizer()
    body = encode(tokenizer, body_text(title, "It rained in the valley."))
    assert find_title(tokenizer, body) == Title(title, len(f"TITLE: {title}".encode()))


def test_the_fewest_tokens_that_write_the_title(tokenizer):
    body = encode(tokenizer, body_text("Le café rouvre", "the river and the court"))
    title = find_title(tokenizer, body)
    assert title.text == "Le café rouvre"
    assert "TITLE: Le café rouvre" in tokenizer.decode(body[: title.num_tokens].tolist())
    assert "rouvre" not in tokenizer.decode(body[: title.num_tokens - 1].tolist())


@given(title=st.integers(0, 200), scored=st.integers(1, 5000))
def test_parts_and_positions_each_cover_every_token_once(title, scored):
    covered = {"part": [], "position": []}
    for (slice_by, _), (low, high) in zip(PARTS, spans(title, scored), strict=True):
        covered[slice_by] += range(low, high)
    assert covered["part"] == covered["position"] == list(range(scored))


def test_names_say_what_is_in_them():
    assert PARTS[:5] == (
        ("part", "title"), ("part", f"first {FIRST}"), ("part", "rest"), ("position", "0-15"), ("position", "16-31"),
    )  # fmt: skip
    assert EDGES[:4] == (0, 16, 32, 64)


def test_sums_by_part():
    losses = [np.arange(100, dtype=np.float32), np.ones(3, dtype=np.float32)]
    nll, counts = sum_parts(losses, [Title("", 10), Title("", 5)])
    assert counts[:, :4].tolist() == [[10, 64, 26, 16], [3, 0, 0, 3]]
    assert nll[0, :4].tolist() == [45, sum(range(10, 74)), sum(range(74, 100)), sum(range(16))]
    assert nll[1, :4].tolist() == [3, 0, 0, 3]


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
