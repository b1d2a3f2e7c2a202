import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.text.clean import clean_address, clean_text, clean_title

MARKUP = (
    "& &amp; &lt; &gt; amp; lt; &#38; #38; &#x26; &nbsp; &copy; ; < > <p> </p> <br/> <b> <script> </script> <!-- --> "
)
MARKS = "<a\u00a0href=x>|<td>|<p|@|@@1|##2|a|b|=|'|\"|\u00a0|\u200b|\u200d|\u200c|é|\u0301|\u0338|\u037e|\u2000|\u2028"
PIECES = st.sampled_from([*MARKUP.split(), *MARKS.split("|"), *"\ud800\x00\x85\r\n\t ", "\r\n", "@ @ @", "a < b"])
TANGLED = st.lists(PIECES, max_size=25).map("".join)


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("a < b and c > d", "a < b and c > d"),
        ("a <b and c> d", "a <b and c> d"),
        ("price<5 and >3, I <3 you", "price<5 and >3, I <3 you"),
        ("<john@example.com> wrote", "<john@example.com> wrote"),
        ("<p>One</p><p>Two<br/>x <a href='http://x.y?a>b'>link</a></p>", "One\n\nTwo\nx link"),
        ("<script>var a = '<p>';</script>Seen<style type=x>p {}</style>.", "Seen ."),
        ("1 <!-- hidden --> 2", "1 2"),
        ("<SCRIPT>never closed", "never closed"),
        ("<td>a</td><td>b</td>", "a b"),
        ("fish &amp; chips, AT&T, R&D, ?a=1&copy=2", "fish & chips, AT&T, R&D, ?a=1&copy=2"),
        ("&amp;lt;p&amp;gt;Twice&amp;lt;/p&amp;gt; &amp;amp; &#8217;&#x2019;", "Twice\n\n& ’’"),
        ("&bogus; stays", "&bogus; stays"),
        ("a\u00a0\u200bb\r\n\r\n\r\n\r\nc  \t d \n e", "a b\n\nc d\ne"),
        ("e\u0301", "é"),
        ("a\x00b\x07c\x85d\u2028e", "abc\nd\ne"),
        ("half \ud800 a pair", "half a pair"),
        ("he said @ @ @ @ @ @ @ @ @ @ and left", "he said and left"),
        ("@bob and @ 5 dollars", "@bob and @ 5 dollars"),
        ("@@123456 <h> Head <p> Body", "Head\n\nBody"),
        ("\U0001f468\u200d\U0001f469 a\u200db", "\U0001f468\u200d\U0001f469 ab"),
        ("<o:p>Office</o:p>", "Office"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_what_stays_is_what_a_reader_of_the_page_sees(given_text: str, expected: str) -> None:
    assert clean_text(given_text) == expected


@given(st.one_of(st.text(), TANGLED))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once == once.strip()
    assert "\n\n\n" not in once
    assert "  " not in once
    once.encode("utf-8")


@given(st.one_of(st.text(), TANGLED))
def test_titles_are_one_line_and_stable(title: str) -> None:
    once = clean_title(title)
    assert clean_title(once) == once
    assert "\n" not in once


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N", "Zs"]), min_size=1))
def test_plain_words_are_never_lost(text: str) -> None:
    assert clean_text(text).split() == text.split()


def test_a_title_keeps_its_words_on_one_line() -> None:
    assert clean_title("\n Sen. <b>Binay</b>\n &quot;considers&quot; \n") == 'Sen. Binay "considers"'


def test_an_address_is_trimmed_but_not_decoded() -> None:
    assert clean_address(" https://a.b/?x=1\n&amp;y=2\x85\u200b\t\n") == "https://a.b/?x=1&amp;y=2"


@pytest.mark.parametrize(
    "hostile",
    [
        "&" + "amp;" * 20_000,
        "<script>" * 5_000,
        "<script>" * 3_000 + "</script>" * 3_000,
        "<b" * 5_000 + ">" * 5_000,
        "<a " + "x=1 " * 20_000,
        "<a " * 20_000,
        "<!--" * 8_000,
        " \n" * 30_000,
        "@ " * 20_000,
        "x" + "\u200d" * 50_000,
        "\u0915" + "\u200c" * 50_000 + "\u0937" + "\u200d" * 50_000 + "x",
        "@@1 " * 50_000,
        "<" * 200_000,
    ],
    ids=[
        *("ampersands", "scripts", "script-pairs", "nested", "attributes", "open-tags", "comments", "blanks", "gaps"),
        *("joiners", "joiners-in-words", "now-numbers", "less-than"),
    ],
)
def test_hostile_markup_costs_little_time(hostile: str) -> None:
    started = time.process_time()
    once = clean_text(hostile)
    assert time.process_time() - started < 3
    assert clean_text(once) == once
