"""Folders of a finished experiment, made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from .helpers import build


@pytest.fixture(scope="session")
def paper_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The full picture: every country of the paper, one seed. Read only."""
    return build(tmp_path_factory.mktemp("paper") / "experiment")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three countries to break."""
    return build(tmp_path / "experiment", ("gh", "ie", "us"))
