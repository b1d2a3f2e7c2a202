from __future__ import annotations

import pytest

from dateline.corpus.text.remains import find_remains

BODY = "Rain fell in Lagos on Tuesday. The minister opened a road."


@pytest.mark.parametrize(
    "mark",
    [
        "… [+1136 chars]",
        "... [+1,136 chars]",
        "... [2347 chars]",
        " [+123 chars]",
        "\nRead more",
        " Continue reading...",
        "…",
        "...",
        " [...]",
        "\n\nRead more…",
        " Read the full story",
        "\nContinue reading the main story",
    ],
)
def test_a_mark_of_a_cut_is_found_and_taken_off(mark: str) -> None:
    assert find_remains(BODY + mark, "").text == BODY.removesuffix("." if mark.startswith("...") else "!")
    assert find_remains(BODY + mark, "").kinds == ("cut off",)


@pytest.mark.parametrize(
    "text",
    [
        BODY,
        f"{BODY} You can read more in the report.",
        "Wait... what? The minister left.",
        "He left the U.S.,EU said.",
        "Sign language is taught in Lagos. Subscribers grew.",
        "The paper asks readers to sign up for a newsletter.",
    ],
)
def test_what_an_article_says_stays(text: str) -> None:
    assert find_remains(text, "Rain in Lagos") == (text, ())


def test_sign_up_lines_headline_and_joints() -> None:
    head = "Stay informed with our newsletter. By signing up you agree to our terms.\n"
    assert find_remains(head + BODY, "") == (BODY, ("sign-up text",))
    assert find_remains(f"Rain, in Lagos!\n\n{BODY}", "Rain in Lagos") == (BODY, ("repeated headline",))
    assert find_remains("One road opened.,Two closed.", "") == (
        "One road opened.\n\nTwo closed.",
        ("joined paragraphs",),
    )
    bio = "Ada Obi is a political reporter based in Abuja."
    assert find_remains(head + bio, "").kinds == ("nothing but a sign-up text",)
    assert find_remains(head, "") == ("", ("nothing but a sign-up text",))
