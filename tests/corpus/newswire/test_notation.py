import pytest

from dateline.corpus.newswire.grammar import Choice, Slot, longest_literal, parse, walk


def test_slots_choices_and_literals_are_told_apart():
    assert parse("{City} to [hold|stage] vote in {month2}.") == (
        Slot("city", "city", True),
        " to ",
        Choice((("hold",), ("stage",))),
        " vote in ",
        Slot("month2", "month", False),
        ".",
    )


def test_brackets_nest_and_branches_may_be_empty():
    assert parse("a[|b[c|{d}]]") == ("a", Choice(((), ("b", Choice((("c",), (Slot("d", "d", False),)))))))


def test_labels_tie_choices_together():
    assert parse("[way:up|down]") == (Choice((("up",), ("down",)), "way"),)


def test_parts_expand_inside_parts():
    assert parse("<outer>!", {"outer": "x <inner>", "inner": "{y}"}) == ("x ", Slot("y", "y", False), "!")


@pytest.mark.parametrize("template", ["[a|b", "a]", "a|b", "{", "{1}", "<Part>", "<missing>"])
def test_malformed_templates_are_refused(template):
    with pytest.raises(ValueError, match="template"):
        parse(template)


def test_walk_reaches_every_depth():
    assert [piece.variable for piece in walk(parse("{a}[{b}|[{c}|d]]")) if isinstance(piece, Slot)] == ["a", "b", "c"]


def test_longest_literal_leaves_choices_out():
    assert longest_literal(parse("ab{x}abc[abcdef|g]")) == "abc"
    assert longest_literal(parse("{x}")) == ""
