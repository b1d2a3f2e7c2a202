from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.text.clean import clean_text
from dateline.corpus.text.words import plain_words, repeated_share, symbol_share

DEFAULTS = CorpusRecipe(paths=("x",))
PROSE = (
    "The minister said on Monday that the new road would open before the rains, and that traders had been told.\n\n"
    "“We have waited for eleven years,” said Amina Otieno, 43, who sells maize – and beans – at the Kisumu market.\n"
    "It cost KSh 1.2bn (£7.4m); the county's share was 15%."
)
ART = "+------+------+\n|  /\\  | ~~~~ |\n| /  \\ | ==== |\n+------+------+\n  \\__/ ---> <*>\n" * 3
TABLE = "Arsenal | 38 | 26 | 6 | 6 | 88:43 | +45 | 84\nManchester City | 38 | 28 | 5 | 5 | 94:33 | +61 | 89\n" * 2
BANNER = "Subscribe to our newsletter for more stories\n"


def symbols(text: str) -> float:
    return symbol_share(text, plain_words(text))


def test_prose_has_few_symbols_and_ascii_art_has_many() -> None:
    assert 0.02 < symbols(PROSE) < 0.1
    assert symbols(ART) == 1.0
    assert 0.2 < symbols(TABLE) < 0.35
    assert symbols("a - b") == pytest.approx(1 / 3)
    assert symbols("") == symbols(" \n") == 0.0


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("Η κυβέρνηση ανακοίνωσε νέα μέτρα για την οικονομία, είπε ο υπουργός.", 0, 0.06),
        ("Правительство объявило о новых мерах, сообщил министр.", 0, 0.06),
        ("政府は月曜日に新しい道路を開通すると発表した。", 0, 0.06),
        ("أعلنت الحكومة عن تدابير جديدة يوم الاثنين.", 0, 0.06),
        ("La députée a déclaré : « Nous n’attendrons pas. »", 0, 0.2),
        ("सरकार ने सोमवार को नई सड़क की घोषणा की।", 0.2, 0.5),  # vowel signs count as symbols
    ],
)
def test_other_scripts(text: str, least: float, most: float) -> None:
    assert least <= symbols(text) <= most


def test_the_defaults_keep_prose_and_drop_art() -> None:
    assert symbols(PROSE) < DEFAULTS.max_symbol_share < symbols(ART)
    assert repeated_share(PROSE) == 0.0
    assert repeated_share(BANNER * 20 + PROSE) > DEFAULTS.max_repeated_share


def test_typographic_marks_count_as_their_plain_forms_do() -> None:
    assert symbols("‘It’s “so” – and … so’") == pytest.approx(symbols("'It's \"so\" - and . so'"))


@given(st.text())
def test_the_share_of_symbols_is_a_share_of_any_text(text: str) -> None:
    cleaned = clean_text(text)
    assert 0.0 <= symbols(cleaned) <= 1.0


@given(st.text(st.characters(codec="ascii")))
def test_the_share_of_symbols_is_what_it_says(text: str) -> None:
    cleaned = clean_text(text)
    solid = [letter for letter in cleaned if not letter.isspace()]
    share = sum(not letter.isalnum() for letter in solid) / len(solid) if solid else 0.0
    assert symbols(cleaned) == pytest.approx(share)


def test_repeated_lines_are_counted_from_their_second_time_by_characters() -> None:
    assert repeated_share("one line") == 0.0
    assert repeated_share("a\nb\nc") == 0.0
    assert repeated_share("aaa\nb\naaa") == pytest.approx(3 / 7)
    assert repeated_share("ab\nab\nab\nab") == pytest.approx(3 / 4)
    assert repeated_share("a\n\nb\n\nc") == 0.0
    assert repeated_share("\n\n\n") == 0.0


@given(st.lists(st.text(st.characters(exclude_characters="\n"), min_size=1), min_size=1))
def test_a_text_said_twice_is_repeated_by_half_at_least(lines: list[str]) -> None:
    once = "\n".join(lines)
    assert 0.0 <= repeated_share(once) < 1.0
    assert repeated_share(f"{once}\n{once}") >= 0.5
    assert (repeated_share(once) == 0.0) == (len(set(lines)) == len(lines))
