import pytest

from dateline.corpus.text.words import SLICE, check_language, language_of
from dateline.errors import UserError

ENGLISH = "The president told reporters in Accra that the budget would be presented before the end of the month. " * 3
GERMAN = "Der Bundestag hat heute beschlossen, dass die Steuern im kommenden Jahr nicht erhöht werden sollen. " * 3
SWAHILI = "Rais ametangaza siku ya mapumziko kwa wafanyakazi wote wa umma nchini Kenya kuanzia leo hii asubuhi. " * 3


@pytest.mark.parametrize(("text", "code"), [(ENGLISH, "en"), (GERMAN, "de"), (SWAHILI, "sw")])
def test_languages_are_told_apart_with_a_probability(text: str, code: str) -> None:
    found, probability = language_of(text)
    assert found == code
    assert 0.9 < probability <= 1
    assert language_of(text) == (found, probability)


def test_only_the_beginning_is_looked_at() -> None:
    long = ENGLISH * 10
    assert len(long) > SLICE
    assert language_of(long + GERMAN * 100) == language_of(long)


def test_an_unknown_language_is_refused_with_the_known_ones() -> None:
    check_language("en")
    with pytest.raises(UserError, match=r"^language 'english' is not one that can be told apart; known: .*\ben\b"):
        check_language("english")
