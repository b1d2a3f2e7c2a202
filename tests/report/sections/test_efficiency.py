from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from dateline.report.measures import Measured, read_measured
from dateline.report.sections.efficiency import efficiency

from ..measures import row, write_efficiency


def read(folder: Path, *, reached: bool = True) -> tuple[Measured, ...]:
    write_efficiency(folder, reached=reached)
    return read_measured(folder / "efficiency", {}, "efficiency")


def test_one_sentence_says_how_many_tokens_and_which_share(tmp_path: Path) -> None:
    shown = efficiency(read(tmp_path))
    assert shown is not None
    assert shown.sentences == (
        "Told the true place, conditioned needs 3.9M body tokens (95% interval 3.5M to 4.3M) to reach the final loss "
        "of plain, told nothing, measured on 1,800 documents: 64% of the tokens that the other took (95% interval "
        "57 to 71%).",
    )
    assert shown.figure is not None
    assert ">as many as the other</text>" in str(shown.figure.wide)


def test_an_open_interval_is_said_and_drawn(tmp_path: Path) -> None:
    shown = efficiency(read(tmp_path, reached=False))
    assert shown is not None
    assert "from 3.5M, with no upper end" in shown.sentences[0]
    assert "In part of the resamples it was not reached" in shown.sentences[0]
    assert "inf" not in shown.sentences[0]
    assert shown.lines is not None
    assert shown.lines.lines[0].sure == "from 3.5M, with no upper end"


def test_what_was_never_reached_is_no_number() -> None:
    known = {"condition": "gold", "versus": "plain/none"}
    never = dataclasses.replace(row("tokens_to_reach", 5e6, 0, **known), value=math.inf, ci_high=math.inf)
    lost = dataclasses.replace(never, value=math.nan)
    shown = efficiency([Measured("a", (never,), {}), Measured("b", (lost,), {})])
    assert shown is not None
    assert "did not reach the final loss of plain, told nothing within its training" in shown.sentences[0]
    assert "is not available" in shown.sentences[1]
    assert shown.figure is None
    assert shown.lines is not None
    assert [line.value for line in shown.lines.lines] == ["not reached", "not available"]


def test_a_pooled_row_speaks_for_its_seeds() -> None:
    known = {"condition": "gold", "versus": "plain/none"}
    seeds = [row("tokens_to_reach", 4e6, 1e5, **known | {"run": f"a-seed{n}"}) for n in range(2)]
    pooled = row("tokens_to_reach", 4.1e6, 3e5, **known | {"run": "a", "num_seeds": 2})
    shown = efficiency([Measured("a", (*seeds, pooled), {})])
    assert shown is not None
    assert len(shown.sentences) == 1
    assert "4.1M" in shown.sentences[0]


def test_nothing_measured_nothing_said() -> None:
    assert efficiency([]) is None
