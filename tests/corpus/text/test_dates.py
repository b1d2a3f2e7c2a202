from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.text.clean import day_of

DAYS = st.dates(min_value=date(1600, 1, 1))


@pytest.mark.parametrize(
    "written",
    [
        "2021-03-04",
        "2021-03-04T23:59:59Z",
        "2021-03-04 12:07:44+05:30",
        "2021/3/4",
        "2021.03.04",
        "20210304",
        "Thu, 04 Mar 2021 10:00:00 +0000",
        "Thu, 4 March 2021",
        "4 Mar 2021",
        "4th March, 2021",
        "04-Mar-2021",
        "March 4, 2021",
        "Mar 4, 2021 2:35 PM PHT",
        "\n Mar. 4th, 2021 \n",
        "Thursday, March 4, 2021",
        "1614816000",
        "1614816000.5",
        "1614816000.50000",
        "1614816000000",
        "1614816000000000",
        "1614816000000000000",
        "Thu,04 Mar 2021 10:00:00 GMT",
        "4th of March 2021",
        "Thu Mar 04 10:00:00 GMT 2021",
        "Thu Mar  4 10:00:00 2021",
        "Thu Mar 04 10:00:00 +0000 2021",
        "20210304101500",
        "20210304T101500Z",
        "202103041015",
        "Thu, 04 Mar 21 10:00:00 +0000",
        "Thu,04 Mar 21 10:00 GMT",
        "4 Mar 21 10:00 EST",
        "Thursday, 04-Mar-21 10:00:00 GMT",
    ],
)
def test_usual_forms_name_their_day(written: str) -> None:
    assert day_of(written) == "2021-03-04"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "yesterday",
        "03/04/2021",
        "4/3/21",
        "2021",
        "2021-03",
        "2021-13-01",
        "2021-02-30",
        "0001-01-01",
        "Ma 4, 2021",
        "20210304567",
        "March 2021",
        "12",
        "None",
        "２０２１-03-04",
        "Jan 14, 4:07 PM",
        "2021-03/04",
        "04 Mar 21",
        "04-Mar-21",
        "Mar 04 21 10:00",
        "4 March 10:00",
        "Thu Mar 04 10:00:00",
        "20210304251500",
    ],
)
def test_what_is_not_certain_is_empty(written: str) -> None:
    assert day_of(written) == ""


def test_years_of_two_digits_follow_the_mail_rules() -> None:
    assert day_of("Mon, 04 Mar 49 10:00:00 GMT") == "2049-03-04"
    assert day_of("Sat, 04 Mar 50 10:00:00 GMT") == "1950-03-04"


@given(DAYS)
def test_every_day_survives_in_every_form(day: date) -> None:
    for form in ("%Y-%m-%d", "%Y/%m/%d", "%Y-%m-%dT%H:%M:%S", "%d %B %Y", "%B %d, %Y", "%a, %d %b %Y"):
        assert day_of(day.strftime(form).replace(day.strftime("%Y"), f"{day.year:04d}")) == day.isoformat()


@given(st.text())
def test_any_string_gives_a_day_or_nothing(text: str) -> None:
    found = day_of(text)
    assert found == "" or date.fromisoformat(found).isoformat() == found
