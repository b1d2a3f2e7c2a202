from __future__ import annotations

from pathlib import Path

from dateline.report.measures import Measured, read_measured
from dateline.report.sections.questions import Answered, answered, chance_of

from ..measures import row, write_questions


def read(folder: Path, **how: object) -> Measured:
    write_questions(folder, **how)  # type: ignore[arg-type]
    return read_measured(folder / "mcq", {}, "questions")[0]


def show(found: Measured) -> Answered:
    return answered([found])[0]


def test_every_form_condition_and_continent_has_its_interval(tmp_path: Path) -> None:
    shown = show(read(tmp_path))
    assert shown.lines is not None
    assert len(shown.lines.lines) == 3 * 3 * 6 + 3
    assert shown.lines.lines[0].labels == ("cloze form", "told the true place", "All")
    assert all(" to " in line.sure for line in shown.lines.lines)
    assert shown.published


def test_chance_and_one_half_are_lines_of_the_figure(tmp_path: Path) -> None:
    shown = show(read(tmp_path))
    assert shown.chance == "Guessing gets 25.0% right."
    assert shown.figure is not None
    for drawn in (str(shown.figure.wide), str(shown.figure.narrow)):
        assert drawn.count(">guessing: 25%</text>") == 3
        assert drawn.count(">a model that ignores metadata: 50%</text>") == 1


def test_an_unknown_chance_is_not_made_up(tmp_path: Path) -> None:
    found = read(tmp_path, chance=None)
    assert chance_of(found) is None
    assert show(found).chance == "The chance level is not recorded."
    known = Measured("x", (*found.scores, row("chance", 0.2, 0.0)), {})
    assert chance_of(known) == 0.2


def test_differences_say_against_what_and_how_sure(tmp_path: Path) -> None:
    shown = show(read(tmp_path))
    assert shown.differences is not None
    line = shown.differences.lines[0]
    assert line.labels == ("cloze form", "told the true place", "itself, told nothing")
    assert (line.value, line.sure, line.p_value) == ("+5.0", "+2.9 to +7.1", "0.003")


def test_a_run_that_saw_urls_is_marked(tmp_path: Path) -> None:
    assert show(read(tmp_path, fields="url+country")).name == "[leak] conditioned"


def test_other_metrics_alone_make_no_figure() -> None:
    shown = show(Measured("x", (row("unknown", 0.5, 0.1),), {}))
    assert (shown.figure, shown.lines, shown.differences, shown.published) == (None, None, None, False)
