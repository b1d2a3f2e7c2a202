import random
import string

from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.text.words import plain_words, text_key


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


def test_plain_words_are_folded_and_joined_by_one_blank() -> None:
    assert plain_words(" The “Straße” -\n\t10,000_km! ") == "the strasse 10 000 km"
    assert plain_words("Wörter, ĐÀ NẴNG") == "wörter đà nẵng"
    assert plain_words(" ... ") == ""


@given(st.text())
def test_words_at_hand_give_the_same_key(text: str) -> None:
    words = plain_words(text)
    assert text_key(text, words) == text_key(text)
    assert words.split() == [word for word in words.split(" ") if word]


def _slowly(text: str) -> str:
    """Words as the definition has them: runs of letters and digits of the case-folded text."""
    return " ".join("".join(letter if letter.isalnum() else " " for letter in text.casefold()).split(" ")).strip()


@given(st.text(st.one_of(st.characters(), st.sampled_from("\ud800\udfffé½²Ⅷ_–“ \n")), max_size=200))
def test_every_way_through_gives_the_words_of_the_definition(text: str) -> None:
    assert plain_words(text).split(" ") == _slowly(text).split() or (plain_words(text) == "" and not _slowly(text))


def test_text_of_nothing_but_many_different_marks_is_quick() -> None:
    marks = "".join(chr(code) for code in range(0x2500, 0x2600)) * 4000
    assert plain_words(f"one{marks}two") == "one two"
