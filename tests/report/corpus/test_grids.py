from __future__ import annotations

from dateline.report.corpus import grids
from dateline.report.corpus.audit import facts_of

from .audits import audit, tiny


def test_what_is_not_recorded_has_no_grid() -> None:
    assert grids.years(facts_of({})) is None
    assert grids.signal_grid(facts_of(tiny())) is None


def test_every_year_between_the_first_and_the_last_has_a_column() -> None:
    data = tiny() | {"years": {"gh": {"2019": 1, "2022": 5, "": 2, "not a year": 3}}}
    found = grids.years(facts_of(data))
    assert found is not None
    assert found.columns == ("2019", "2020", "2021", "2022", "undated")
    tiles = found.lines[0][2]
    assert [tile.text if tile else None for tile in tiles] == ["1", None, None, "5", "2"]
    assert [tile.shade if tile else None for tile in tiles] == [0, None, None, 100, 43]


def test_old_years_share_a_column_and_nothing_is_lost() -> None:
    years = {str(year): 1 for year in range(1900, 2025)}
    found = grids.years(facts_of(tiny() | {"years": {"gh": years}}))
    assert found is not None
    assert len(found.columns) == grids.MOST_YEARS
    assert found.columns[0] == "to 2009"
    assert sum(int(tile.text) for tile in found.lines[0][2] if tile) == len(years)


def test_one_count_alone_is_dark() -> None:
    found = grids.years(facts_of(tiny() | {"years": {"gh": {"2021": 7}}}))
    assert found is not None
    assert found.lines[0][2][0] == grids.Tile("7", 100)


def test_signals_stand_above_their_errors() -> None:
    data = audit(("gh",))
    data["signals"]["gh"] |= {"documents": 1000, "suffix": 723, "path": 0, "query": 1}
    data["signals_wrong"]["gh"] |= {"suffix": 125, "path": 0, "query": 0}
    del data["signals"]["gh"]["declared"]
    found = grids.signal_grid(facts_of(data))
    assert found is not None
    tiles = dict(zip(found.columns, found.lines[0][2], strict=True))
    assert tiles["suffix"] == grids.Tile("72", 72, "12", 50)
    assert tiles["path"] == grids.Tile("0", 0, "0", 0)
    assert tiles["declared"] is None
