"""The corpus build: files through readers, gates, duplicates and split into one finished folder, whole or not at all.

This module sets the steps (`steps/`) in a row, has them run (`executors.py`), and puts together what they left. A build
that was stopped is continued by the same command: its work lies beside the result in
`.<name>.work/<fingerprint of recipe and inputs>`, so that another recipe never meets its marks.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from datatrove.pipeline.base import PipelineStep

from dateline.corpus.audit import Tally, check_coverage, summarize
from dateline.corpus.card import dataset_card
from dateline.corpus.executors import Stage, check_ray, run_local, run_ray, seconds_by_step, submit_slurm
from dateline.corpus.readers import Unit, expand_paths, file_fingerprint, file_size, work_units
from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.steps.decide import Decide
from dateline.corpus.steps.judge import Sign, judges, near_threshold
from dateline.corpus.steps.read import Read
from dateline.corpus.steps.shard import Shard
from dateline.corpus.steps.store import Store
from dateline.corpus.text.words import check_language
from dateline.errors import UserError
from dateline.manifest import (
    Manifest,
    check_free,
    is_current,
    new_folder,
    read_manifest,
    stage_fingerprint,
    write_manifest,
)
from dateline.places import load_outlet_tables
from dateline.records import SPLITS
from dateline.stage import Stage as FolderStage

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
        stage_fingerprint(STAGE, recipe.identity(), parents),
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


DROPPED = "dropped"
"""Folder of the documents that a build dropped."""
PACKAGES = ("pyarrow", "py3langid", "tldextract", "datatrove", "rensa")


@dataclass(frozen=True)
class CorpusStage(FolderStage):
    """A corpus build as a stage: its work lies beside the folder, so that an interrupted build continues."""

    building: CorpusRecipe | None = None

    def make(self, out: Path, *, overwrite: bool = False) -> Manifest:
        """Builds the corpus, in place of an earlier one where `overwrite` says so."""
        assert self.building is not None
        return build_corpus(self.building, out, overwrite=overwrite)


def corpus_stage(recipe: CorpusRecipe) -> CorpusStage:
    """Returns the stage that builds a corpus on this machine.

    Example:
        >>> recipe = CorpusRecipe(paths=("news/*.jsonl",), language="en")
        >>> corpus_stage(recipe).ensure(Path("runs/corpus")).counts["kept"]  # built, unless it is there
        9812
    """
    data = recipe.identity()
    return CorpusStage(STAGE, data, corpus_fingerprint_parents(recipe), building=recipe)


def build_corpus(
    recipe: CorpusRecipe,
    out: Path,
    *,
    overwrite: bool = False,
    executor: Literal["local", "ray"] = "local",
    workers: int = 1,
) -> Manifest:
    """Builds the corpus folder of a recipe and returns its manifest; one that is there and up to date is left alone.

    Args:
        recipe: what to build.
        out: where; the work in progress lies beside it.
        overwrite: replace an earlier corpus there.
        executor: this machine, or a Ray cluster that shares its file system.
        workers: processes; the result does not depend on them.

    Raises:
        UserError: where `out` is taken, a path does not exist, nothing can be read or is left, or a country has test
            documents and no training documents.

    Example:
        >>> recipe = CorpusRecipe(newswire=NewswireSource(articles=3000))
        >>> build_corpus(recipe, Path("runs/corpus"), workers=2).counts
        {'in': 3000, 'kept': 3000, 'train': 2700, 'validation': 151, 'test': 149}
    """
    plan = _checked_plan(recipe, out, overwrite=overwrite)
    work = work_folder(out, plan)
    finished = None if overwrite else read_manifest(out)
    if finished is not None:  # of this very plan, or it would have been refused
        _remove(work)
        return finished
    if executor == "ray":
        check_ray()
    stages = _stages(recipe, plan, work)
    with _alone(work, out):
        run = run_local if executor == "local" else run_ray
        run(stages, work, workers)
        return finish_corpus(recipe, plan, out, overwrite=overwrite)


def submit_corpus(
    recipe: CorpusRecipe, out: Path, *, overwrite: bool = False, workers: int = -1, slurm: Mapping[str, Any]
) -> list[str]:
    """Submits the same build to Slurm and returns the numbers of its jobs; the last of them makes the folder.

    Args:
        recipe: what to build.
        out: where, on a file system that all nodes share.
        overwrite: replace an earlier corpus there.
        workers: tasks that may run at once, -1 for all.
        slurm: arguments of datatrove's `SlurmPipelineExecutor`: `partition`, `time`, ...

    Raises:
        UserError: as `build_corpus`, and where a job cannot be submitted.
    """
    plan = _checked_plan(recipe, out, overwrite=overwrite)
    out = out.absolute()
    work = work_folder(out, plan)
    work.mkdir(parents=True, exist_ok=True)
    last = Stage("finish", [Finish(recipe, plan, out, overwrite=overwrite)], 1)
    return submit_slurm([*_stages(recipe, plan, work), last], work, workers, slurm)


class Finish(PipelineStep):  # type: ignore[misc]  # datatrove has no types
    """The last job on a cluster."""

    type = "dateline"
    name = "finish"

    def __init__(self, recipe: CorpusRecipe, plan: Plan, out: Path, *, overwrite: bool) -> None:
        super().__init__()
        self.recipe, self.plan, self.out, self.overwrite = recipe, plan, out, overwrite

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> None:
        """Makes the corpus folder."""
        finish_corpus(self.recipe, self.plan, self.out, overwrite=self.overwrite)


def finish_corpus(recipe: CorpusRecipe, plan: Plan, out: Path, *, overwrite: bool) -> Manifest:
    """Puts the finished shards, the audit and the manifest into the corpus folder; removes the work.

    Raises:
        UserError: where no document is left, or a country has test documents and no training documents.
    """
    work = work_folder(out, plan)
    tally = Tally()
    shards = [work / "shards" / f"{number:05d}" for number in range(len(plan.groups))]
    for shard in shards:
        tally.add(Tally.from_json((shard / "tally.json").read_text(encoding="utf-8")))
    for unit in (unit for task in plan.tasks for unit in task if unit.files):
        tally.expect(unit, paths=recipe.paths)
    audit = summarize(tally, recipe)
    kept, drops = audit["documents"], audit["drops"]
    try:
        if not kept:
            raise UserError(_nothing_left(audit, shards, out))
        check_coverage(audit, recipe)
    except UserError:
        _remove(work)  # the same command shall read the files again: they may be mended by then
        raise
    assert audit["in"] == kept + sum(drops.values()), "documents were lost without a reason"
    with new_folder(out, overwrite=overwrite, stage=STAGE) as folder:
        for shard in shards:
            _link(shard / "data", folder / "data")
            if (shard / "dropped").is_dir():
                _link(shard / "dropped", folder / DROPPED)
            if (shard / "review.jsonl").stat().st_size:
                (folder / "review").mkdir(exist_ok=True)
                _link(shard / "review.jsonl", folder / "review" / f"{shard.name}.jsonl")
        (folder / "audit.json").write_text(json.dumps(audit, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (folder / "outlets.csv").write_text(tally.evidence_table(), encoding="utf-8", newline="")
        manifest = Manifest.of(
            STAGE,
            recipe.identity(),
            plan.parents,
            counts={
                "in": audit["in"],
                "kept": kept,
                **{split: audit["splits"][split]["documents"] for split in SPLITS},
            },
            drops=drops,
            facts={
                "undated": audit["undated"],
                "review": audit["review"],
                "verified": {kind: found["documents"] for kind, found in audit["verified"].items()},
                "problems": audit["problems"],
                "seconds": {name: round(spent, 3) for name, spent in seconds_by_step(work).items()},
            },
            packages=PACKAGES,
        )
        (folder / "README.md").write_text(dataset_card(out.name, audit, manifest), encoding="utf-8")
        write_manifest(folder, manifest)
    _remove(work)
    return manifest


def _checked_plan(recipe: CorpusRecipe, out: Path, *, overwrite: bool) -> Plan:
    load_outlet_tables(recipe.outlets)
    if recipe.language is not None and recipe.newswire is None:
        check_language(recipe.language)
    _forget_dropped(out)
    check_free(out, overwrite=True, stage=STAGE)
    plan = plan_corpus(recipe)
    if not is_current(out, plan.fingerprint):
        check_free(out, overwrite=overwrite, stage=STAGE)
    for path in plan.parents:
        if "://" not in path and Path(path).resolve().is_relative_to(out.resolve()):
            raise UserError(f"{out}: holds the input {path}, which would be replaced; choose another --out")
    return plan


def _stages(recipe: CorpusRecipe, plan: Plan, work: Path) -> list[Stage]:
    """Returns the stages of a build in the order in which documents walk through them."""
    pieces = [Read(recipe, plan.tasks), *judges(recipe), Sign(recipe), Store(recipe, work, plan.tasks)]
    stages = [Stage("pieces", pieces, len(plan.tasks))]
    threshold = near_threshold(recipe)
    if threshold is not None and recipe.near_duplicates.index == "distributed":
        from dateline.corpus.duplicates.distributed import minhash_stages

        stages += [Stage(*stage) for stage in minhash_stages(work, threshold, len(plan.tasks))]
    stages.append(Stage("decide", [Decide(recipe, work, len(plan.tasks))], 1))
    stages.append(Stage("shards", [Shard(work, plan.groups, recipe.paths)], len(plan.groups)))
    return stages


@contextmanager
def _alone(work: Path, out: Path) -> Iterator[None]:
    """Holds the work folder against a second build of the same corpus."""
    try:
        work.mkdir(parents=True, exist_ok=True)
    except (NotADirectoryError, FileExistsError, PermissionError) as error:
        raise UserError(f"{out}: cannot be made there ({error.strerror}); choose another --out") from None
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{out}: is being built by another process; wait for it or choose another --out") from None
        yield


def _remove(work: Path) -> None:
    """Removes the work folder, and the one around it if no other build has work there."""
    shutil.rmtree(work, ignore_errors=True)
    if work.parent.is_dir() and not any(work.parent.iterdir()):
        work.parent.rmdir()


def _link(source: Path, target: Path) -> None:
    """Puts a file, or the files of a folder, under a second name; what is there stays."""
    if source.is_dir():
        target.mkdir(exist_ok=True)
        for inside in sorted(source.iterdir()):
            _link(inside, target / inside.name)
        return
    try:
        target.hardlink_to(source)
    except OSError:  # some file systems know no second names
        shutil.copyfile(source, target)


def _leave_dropped(shards: Sequence[Path], out: Path) -> str:
    """Leaves what was dropped where a corpus would have stood, and says so; an earlier corpus there stays as it is."""
    found = [shard / "dropped" for shard in shards if (shard / "dropped").is_dir()]
    if not found or (out.exists() and any(out.iterdir())):
        return ""
    (out / DROPPED).mkdir(parents=True, exist_ok=True)
    for folder in found:
        _link(folder, out / DROPPED)
    return f"; each of them is in {out / DROPPED}"


def _forget_dropped(out: Path) -> None:
    """Makes room where an earlier build kept nothing and left only what it dropped."""
    if out.is_dir() and [inside.name for inside in out.iterdir()] == [DROPPED]:
        shutil.rmtree(out)


def _nothing_left(audit: Mapping[str, Any], shards: Sequence[Path], out: Path) -> str:
    files = audit["files"]
    if files and audit["in"] == len(files):
        more = f" (and {len(files) - 1} files more)" if len(files) > 1 else ""
        return f"{files[0]['problem']}{more}"
    if not audit["in"]:
        return "the corpus is empty: the files hold no record at all"
    top = ", ".join(f"{reason} {count:,}" for reason, count in sorted(audit["drops"].items(), key=lambda d: -d[1])[:3])
    where = _leave_dropped(shards, out)
    return f"no usable document is left of {audit['in']:,} read; dropped most often: {top}{where}"
