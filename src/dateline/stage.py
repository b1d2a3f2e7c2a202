"""A stage: a recipe and its parents become a folder, once.

A folder that holds the finished result of the same recipe, parents and format is left as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dateline.manifest import (
    Manifest,
    check_free,
    explain_change,
    is_current,
    new_folder,
    read_manifest,
    stage_fingerprint,
    write_manifest,
)


@dataclass(frozen=True)
class Made:
    """What a stage has to say of the folder that it has filled; see `Manifest`."""

    counts: Mapping[str, int] = field(default_factory=dict)
    drops: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    """Packages whose version matters."""


@dataclass(frozen=True)
class Stage:
    """What decides a result, and how to make it.

    Example:
        >>> def fill(folder: Path) -> Made:
        ...     (folder / "answer.txt").write_text("42")
        ...     return Made(counts={"kept": 1})
        >>> Stage("answer", {"question": "?"}, {}, fill).make(Path("runs/answer")).counts
        {'kept': 1}
    """

    name: str
    """`encode`, `train`, `perplexity`, ..."""
    recipe: Mapping[str, Any]
    """The values that decide the result, as plain data, defaults included."""
    parents: Mapping[str, str]
    """Role -> fingerprint of everything that is read."""
    fill: Callable[[Path], Made] | None = None
    """Fills an empty folder, which gets its manifest and its final name afterwards. None in stages that override
    `make`, because their folder grows while they run."""
    format: int = 1
    """Raised by hand when the same recipe and parents come to give another result."""

    @property
    def fingerprint(self) -> str:
        """Identifies the result, 16 hex digits."""
        return stage_fingerprint(self.name, self.recipe, self.parents, format=self.format)

    def make(self, out: Path, *, overwrite: bool = False) -> Manifest:
        """Makes the folder.

        Args:
            out: its final name; it appears there whole or not at all.
            overwrite: replace an earlier result of the same stage.

        Raises:
            UserError: where `out` holds something that may not be replaced, or the stage's inputs do not fit.
        """
        assert self.fill is not None, f"stage '{self.name}' makes its folder itself"
        check_free(out, overwrite=overwrite, stage=self.name)
        with new_folder(out, overwrite=overwrite, stage=self.name) as folder:
            made = self.fill(folder)
            manifest = Manifest.of(
                self.name,
                self.recipe,
                self.parents,
                format=self.format,
                counts=made.counts,
                drops=made.drops,
                facts=made.facts,
                packages=made.packages,
            )
            write_manifest(folder, manifest)
        return manifest

    def ensure(self, out: Path) -> Manifest:
        """Makes the folder unless it holds this very result; one that holds another result of the stage is replaced.

        Raises:
            UserError: where `out` holds something that no earlier run of the stage has made, or inputs do not fit.
        """
        if (found := self.finished(out)) is not None:
            return found
        check_free(out, overwrite=True, stage=self.name)
        if read_manifest(out) is not None:
            say(f"{out}: made again ({self.explain(out)})")
        return self.make(out, overwrite=True)

    def finished(self, out: Path) -> Manifest | None:
        """Returns the manifest of a folder that holds this result, and says that it is skipped; None for any other."""
        if not is_current(out, self.fingerprint):
            return None
        say(f"{out}: unchanged, skipped")
        return read_manifest(out)

    def explain(self, out: Path) -> str:
        """Says in one line why what a folder holds is not this result."""
        return explain_change(out, self.recipe, self.parents, format=self.format)


def say(text: str) -> None:
    """Prints a line on standard error."""
    print(text, file=sys.stderr, flush=True)
