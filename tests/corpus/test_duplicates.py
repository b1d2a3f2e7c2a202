import random
import string

from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.duplicates import SeenTexts, text_key


def test_case_blanks_and_punctuation_do_not_count() -> None:
    first = text_key("The minister - “Road open” - said: 10,000 km.")
    assert first == text_key("the MINISTER 'road open' said\n\n10 000 km")
    assert first != text_key("the minister said road open 10 000 km")


def test_letters_beyond_ascii_count() -> None:
    assert text_key("café “x”") == text_key("CAFÉ x")
    assert text_key("café") != text_key("cafe")
    assert text_key("...") != text_key("---")


@given(st.lists(st.text(alphabet=string.ascii_letters + "éßœ²٣", min_size=1), min_size=1), st.randoms())
def test_words_decide_and_nothing_between_them(words: list[str], generator: random.Random) -> None:
    between = [" ", "\n", ", ", " - ", "... ", "“", "_", "° "]
    joined = "".join(word + generator.choice(between) for word in words)
    assert text_key(joined) == text_key(" ".join(words))


def test_the_key_is_the_same_on_every_machine() -> None:
    assert f"{text_key('Road opens'):016x}" == "9aa0ff9bc0e61cd3"


def test_the_first_copy_is_new_and_later_ones_are_not() -> None:
    seen = SeenTexts()
    assert [seen.add(key) for key in (1, 2, 1, 2, 3)] == [True, True, False, False, True]
    assert len(seen) == 3
    assert 2 in seen
    assert 4 not in seen
