"""The plan of a build: its inputs, its tasks, its folder.

Nothing depends on the number of workers or on the machine: the same recipe on the same files gives the same tasks and,
byte for byte, the same corpus.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from dateline.corpus.readers import Unit, expand_paths, file_fingerprint, file_size, work_units
from dateline.corpus.recipe import CorpusRecipe
from dateline.manifest import stage_fingerprint

STAGE = "corpus"
PIECE_BYTES = 8 << 20
"""Input of a task as it lies on disk; more where that would make more than MOST_PIECES."""
MOST_PIECES = 4096
SHARD_BYTES = 32 << 20
"""Input of a shard, at least."""


class Plan(NamedTuple):
    """How a build is divided."""

    parents: dict[str, str]
    """File -> fingerprint of everything that is read."""
    tasks: list[list[Unit]]
    """The units that each task of the first stage reads, in order."""
    groups: list[list[int]]
    """The tasks whose articles make one shard, in order."""
    fingerprint: str


def corpus_fingerprint_parents(recipe: CorpusRecipe) -> dict[str, str]:
    """Returns path -> fingerprint of every file that the recipe reads, without building anything.

    Local files are read once for it; the newswire has none.
    """
    return {path: file_fingerprint(path) for path in (*expand_paths(recipe.paths), *recipe.outlets)}


def plan_corpus(recipe: CorpusRecipe) -> Plan:
    """Returns the plan of a build.

    Raises:
        UserError: where a path or file does not exist or is of no known kind.
    """
    parents = corpus_fingerprint_parents(recipe)
    files = [path for path in parents if path not in recipe.outlets]
    units = work_units(files) if recipe.newswire is None else [Unit("newswire", ())]
    sizes = [sum(map(file_size, unit.files)) for unit in units]
    tasks = _consecutive(sizes, max(PIECE_BYTES, sum(sizes) // MOST_PIECES))
    task_sizes = [sum(sizes[number] for number in task) for task in tasks]
    return Plan(
        parents,
        [[units[number] for number in task] for task in tasks],
        _consecutive(task_sizes, SHARD_BYTES),
        stage_fingerprint(STAGE, recipe.model_dump(mode="json"), parents),
    )


def work_folder(out: Path, plan: Plan) -> Path:
    """Returns where a build keeps its unfinished work: beside the result, under its fingerprint."""
    return out.with_name(f".{out.name}.work") / plan.fingerprint


def _consecutive(sizes: list[int], wanted: int) -> list[list[int]]:
    """Groups neighbours until a group has the wanted size; one of unknown size (0) stands alone."""
    groups: list[list[int]] = []
    size = wanted
    for number, own in enumerate(sizes):
        if size >= wanted or not own:
            groups.append([])
            size = 0
        groups[-1].append(number)
        size += own or wanted
    return groups
