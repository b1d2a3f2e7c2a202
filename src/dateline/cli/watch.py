"""`dateline watch`: follows a run, or the runs of an experiment side by side, from another terminal.

Reads `run.json`, `metrics.jsonl`, checkpoints and manifests only: the run may be on another machine that shares the
folder.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from dateline.cli.options import read_arguments
from dateline.config import Section
from dateline.errors import UserError
from dateline.manifest import MANIFEST, read_manifest
from dateline.train.callbacks import RUN
from dateline.train.folder import FOLDER, checkpoints
from dateline.train.metrics import METRICS, read_metrics

POLL_SECONDS = 1.0
QUIET_SECONDS = 120.0
"""After so long without a record, a run is shown as silent."""
STAGES = ("corpus", "encoded")
"""Of an experiment, before its runs."""
MARKS = ("runs", *STAGES, METRICS, RUN, FOLDER)
"""What a run or an experiment has before it has a manifest."""


class Watch(Section):
    """Follows a run or an experiment until it is complete.

    Shows steps, loss, validation by continent and condition, the gain from metadata, speed and the time left; the exit
    code is 1 where a run has failed. Ctrl-C ends watching, not the run.
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of a run (dateline train) or of an experiment."""
    once: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show the present state and end."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args = read_arguments("dateline watch", Watch, words)
    watched = Watched(args.folder)
    if args.once:
        print("\n".join(picture(*watched.look())))
        return
    with on_terminal() if sys.stdout.isatty() else in_log() as show:
        runs = follow(watched, show)
    if any(state.failed for state in runs):
        sys.exit(1)


@dataclass(frozen=True)
class State:
    """All that is known of a run at one moment."""

    name: str
    run: Mapping[str, Any]
    """The content of `run.json`; empty before the first step."""
    records: Sequence[Mapping[str, Any]]
    """Of `metrics.jsonl`."""
    checkpoint: int | None
    """Steps in the newest checkpoint."""
    complete: bool
    """Whether its manifest is there."""
    quiet: float = 0.0
    """Seconds since the last record."""

    def last(self, kind: str) -> Mapping[str, Any]:
        """Returns the newest record of a kind, or an empty one."""
        return next((record for record in reversed(self.records) if record["kind"] == kind), {})

    def latest(self, kind: str) -> list[Mapping[str, Any]]:
        """Returns the records of a kind that belong to the newest step which has any."""
        step = self.last(kind).get("step")
        return [record for record in self.records if record["kind"] == kind and record["step"] == step]

    @property
    def step(self) -> int:
        """Steps taken, as far as the records show."""
        return int(self.last("train").get("step", self.run.get("done", 0)))

    @property
    def gain(self) -> dict[str, float]:
        """Validation loss without metadata minus with gold metadata, in nats per body token, by group."""
        return {record["group"]: record["gain"] for record in self.latest("gain")}

    @property
    def failed(self) -> bool:
        """Whether the newest call ended with an error."""
        return not self.complete and self.run.get("outcome") == "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more will come; an interrupted run may be resumed."""
        return self.complete or self.failed


Show = Callable[[list[str], list[State]], None]
"""Shows the finished stages of an experiment and its runs in order; called after each look."""


class Watched:
    """A folder that is looked at again and again."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """Finds out what the folder is.

        Raises:
            UserError: where it is neither a run nor an experiment.
        """
        self.folder, self.clock = folder, clock
        if not folder.is_dir():
            problem = "is a file" if folder.exists() else "no such folder"
            raise UserError(f"{folder}: {problem}; dateline watch follows the --out of dateline train or experiment")
        manifest = read_manifest(folder)
        if manifest is None:
            fits = any((folder / mark).exists() for mark in MARKS) or not any(folder.iterdir())
        else:
            fits = manifest.stage in ("train", "experiment")
        if not fits:
            raise UserError(
                f"{folder}: neither a run nor an experiment; give the --out of dateline train or experiment"
            )
        self._seen: dict[Path, tuple[tuple[int, ...], list[dict[str, Any]]]] = {}

    @property
    def is_experiment(self) -> bool:
        """Whether the folder holds runs instead of being one."""
        return any((self.folder / name).is_dir() for name in ("runs", *STAGES))

    def look(self) -> tuple[list[str], list[State]]:
        """Returns the finished stages, and the state of every run, oldest first."""
        stages = [stage for stage in STAGES if (self.folder / stage / MANIFEST).exists()]
        folders = [self.folder]
        if self.is_experiment:
            folders = [path for path in (self.folder / "runs").glob("*") if path.is_dir() and path.name[0] != "."]
        return stages, [self._state(folder) for folder in sorted(folders, key=_began)]

    def ended(self, runs: list[State]) -> bool:
        """Tells whether nothing more will come."""
        if self.is_experiment:
            return (self.folder / MANIFEST).exists() or any(state.failed for state in runs)
        return runs[0].ended

    def _state(self, folder: Path) -> State:
        complete = (folder / MANIFEST).exists()  # before the records: what is complete has no more to come
        records, changed = self._records(folder)
        newest = [int(path.name.removeprefix("step-")) for path in checkpoints(folder)[-1:]]
        return State(
            name=folder.name if self.is_experiment else str(self.folder),
            run=_run_info(folder),
            records=records,
            checkpoint=newest[0] if newest else None,
            complete=complete,
            quiet=max(0.0, self.clock() - changed) if changed else 0.0,
        )

    def _records(self, folder: Path) -> tuple[list[dict[str, Any]], float]:
        """Returns the records, read again where the file has changed or been replaced, and when it changed."""
        try:
            found = (folder / METRICS).stat()
        except FileNotFoundError:
            return [], 0.0
        mark = (found.st_ino, found.st_size, found.st_mtime_ns)
        if folder not in self._seen or self._seen[folder][0] != mark:
            self._seen[folder] = (mark, read_metrics(folder))
        return self._seen[folder][1], found.st_mtime


def _run_info(folder: Path) -> dict[str, Any]:
    try:
        info: dict[str, Any] = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise UserError(f"{folder / RUN}: not a JSON object; resume the run and it is written anew") from None
    return info


def _began(folder: Path) -> tuple[float, str]:
    try:
        return (folder / RUN).stat().st_mtime, folder.name
    except FileNotFoundError:
        return (0.0 if (folder / MANIFEST).exists() else float("inf")), folder.name


def follow(watched: Watched, show: Show, wait: Callable[[float], object] = time.sleep) -> list[State]:
    """Looks once a second, and shows what it sees, until the folder is complete; returns the last state of its runs."""
    while True:
        stages, runs = watched.look()
        show(stages, runs)
        if watched.ended(runs):
            return runs
        wait(POLL_SECONDS)


@contextmanager
def on_terminal() -> Iterator[Show]:
    """Shows one picture that renews itself."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        yield lambda stages, runs: live.update(Text("\n".join(picture(stages, runs))), refresh=True)


@contextmanager
def in_log() -> Iterator[Show]:
    """Prints a line when a run has moved on, and a table when it has been validated."""
    shown: dict[str, object] = {}

    def once(key: str, value: object, lines: list[str]) -> None:
        if shown.get(key) != value:
            shown[key] = value
            print("\n".join(lines), flush=True)

    def show(stages: list[str], runs: list[State]) -> None:
        for stage in stages:
            once(stage, "done", [f"{stage}: done"])
        for state in runs:
            where = (state.step, len(state.records), state.ended, state.run.get("outcome"))
            once(state.name, where, [headline(state)])
            if newest := state.latest("validation"):
                once(f"{state.name} validation", (newest[0]["step"], len(newest)), validation_table(state))

    yield show


def picture(stages: list[str], runs: list[State]) -> list[str]:
    """Returns the whole state as lines: one for each run, and the details of the one that goes on or was last."""
    lines = [f"{stage}: done" for stage in stages]
    if not runs:
        return [*lines, "no run has begun"]
    current = next((state for state in runs if not state.ended), runs[-1])
    return [*lines, *(headline(state) for state in runs if state is not current), *details(current)]


def headline(state: State) -> str:
    """Returns one line: step, loss, gain, speed, time left."""
    train, total = state.last("train"), state.run.get("num_steps")
    parts = [f"step {state.step:,}" + (f"/{total:,}" if total else "")]
    if train:
        parts.append(f"loss {train['loss']:.4f}")
    if "all" in state.gain:
        parts.append(f"gain {state.gain['all']:+.4f}")
    if train:
        parts += [f"{train['tokens_per_second']:,.0f} tokens/s", f"MFU {_percent(train.get('mfu'))}"]
    return f"{state.name}: " + "  ".join([*parts, situation(state)])


def details(state: State) -> list[str]:
    """Returns what is known of one run in some ten lines."""
    info, train, total = state.run, state.last("train"), state.run.get("num_steps")
    lines = [state.name]
    if info:
        plural = "es" if info["world_size"] > 1 else ""
        lines[0] += f"  {info['num_parameters']:,} parameters, {info['world_size']} process{plural} on {info['device']}"
    length = f" of {total:,}  {100 * state.step / total:.0f}%" if total else ""
    lines.append(f"  step {state.step:,}{length}  {situation(state)}")
    if train:
        lines.append(
            f"  loss {train['loss']:.4f}  learning rate {train['lr']:.2e}  gradient norm {train['grad_norm']:.3f}"
        )
        lines.append(
            f"  {train['tokens_per_second']:,.0f} tokens/s  MFU {_percent(train.get('mfu'))}  "
            f"fill {_percent(train.get('fill'))}  {train['tokens']:,} tokens, {train['body_tokens']:,} of them body"
        )
    if state.checkpoint is not None:
        lines.append(f"  newest checkpoint after step {state.checkpoint:,}")
    if skipped := sum(record["kind"] == "skipped" for record in state.records):
        lines.append(f"  {skipped:,} step{'s' if skipped > 1 else ''} skipped")
    table = validation_table(state)
    return [*lines, "", *table] if table else lines


def validation_table(state: State) -> list[str]:
    """Returns the newest validation losses by group and condition, with the gain."""
    newest, gain = state.latest("validation"), state.gain
    if not newest:
        return []
    conditions = list(dict.fromkeys(record["condition"] for record in newest))
    losses = {(record["group"], record["condition"]): record["loss"] for record in newest}
    title = f"validation at step {newest[0]['step']:,}"
    lines = [f"  {title:<32}" + "".join(f"{name:>10}" for name in [*conditions, *(["gain"] if gain else [])])]
    for group in dict.fromkeys(record["group"] for record in newest):
        cells = "".join(f"{losses[group, name]:>10.4f}" for name in conditions if (group, name) in losses)
        lines.append(f"    {group:<30}{cells}" + (f"{gain[group]:>+10.4f}" if group in gain else ""))
    return lines


def situation(state: State) -> str:
    """Tells in a few words whether the run is done, waits, is silent, or how long it will take."""
    if state.complete:
        return "finished"
    ends = {
        "failed": "failed; its own output says why",
        "interrupted": "stopped, to be resumed",
        "finished": "writing the model",
    }
    if (outcome := state.run.get("outcome")) in ends:
        return ends[outcome]
    from dateline.progress import span

    left = seconds_left(state)
    text = "no step yet" if not state.records else "time left not known" if left is None else f"{span(left)} left"
    return text + (f" (silent for {span(state.quiet)})" if state.quiet > QUIET_SECONDS else "")


def seconds_left(state: State) -> float | None:
    """Returns the time to the last step at the newest speed; None where that is not known."""
    total, train = state.run.get("num_steps"), state.last("train")
    if not (total and train and train["tokens_per_second"]):
        return None
    return float((total - state.step) * train["tokens"] / state.step / train["tokens_per_second"])


def _percent(value: float | None) -> str:
    return "not measured" if value is None else f"{100 * value:.1f}%"
