"""What one wants to know of a run while it goes on, as lines of text.

Enters: a run's records and what it says of itself. Leaves: one line for a log, or a board of some twenty lines.
Deliberately not done: no number is estimated except the time left; all others are in the records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BARS = "▁▂▃▄▅▆▇█"
QUIET_SECONDS = 120.0
"""After so long without a record the board says how long it has been."""


@dataclass(frozen=True)
class State:
    """All that is known of a run at one moment."""

    name: str
    run: Mapping[str, Any]
    """What `run.json` says; empty before the first step."""
    records: Sequence[Mapping[str, Any]]
    checkpoint: int | None
    """Steps in the newest checkpoint."""
    complete: bool
    """Whether its manifest is there."""
    quiet: float = 0.0
    """Seconds since the last record."""

    def last(self, kind: str) -> Mapping[str, Any]:
        """Returns the newest record of a kind, or nothing."""
        return next((record for record in reversed(self.records) if record["kind"] == kind), {})

    def latest(self, kind: str) -> list[Mapping[str, Any]]:
        """Returns the records of a kind that belong to the newest step which has any."""
        step = self.last(kind).get("step")
        return [record for record in self.records if record["kind"] == kind and record["step"] == step]

    @property
    def step(self) -> int:
        """Steps taken, as far as the records say."""
        return int(self.last("train").get("step", self.run.get("done", 0)))

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: an interrupted run may be resumed, a failed one has to be looked at."""
        return self.complete or self.run.get("outcome") == "failed"


def headline(state: State) -> str:
    """Returns one line: step, loss, gain, speed, time left."""
    train = state.last("train")
    total = state.run.get("num_steps")
    parts = [f"step {state.step:,}" + (f"/{total:,}" if total else "")]
    if train:
        parts.append(f"loss {train['loss']:.4f}")
    gain = gains(state.records).get("all")
    if gain:
        parts.append(f"gain {gain[-1]:+.4f}")
    if train:
        parts += [f"{train['tokens_per_second']:,.0f} tokens/s", f"MFU {_share(train.get('mfu'))}"]
    parts.append(_situation(state))
    return f"{state.name}: " + "  ".join(parts)


def board(state: State) -> list[str]:
    """Returns the whole picture of a run."""
    run, train = state.run, state.last("train")
    lines = [state.name]
    if run:
        lines[0] += (
            f"  {run['num_parameters']:,} parameters, {run['world_size']} process"
            f"{'es' if run['world_size'] > 1 else ''} on {run['device']}"
        )
    total = run.get("num_steps")
    share = f"  {100 * state.step / total:.0f}%" if total else ""
    lines.append(f"  step {state.step:,}" + (f" of {total:,}" if total else "") + f"{share}  {_situation(state)}")
    if train:
        lines.append(
            f"  loss {train['loss']:.4f}  learning rate {train['lr']:.2e}  gradient norm {train['grad_norm']:.3f}"
        )
        lines.append(
            f"  {train['tokens_per_second']:,.0f} tokens/s  MFU {_share(train.get('mfu'))}  "
            f"fill {_share(train.get('fill'))}  {train['tokens']:,} tokens, {train['body_tokens']:,} of them body"
        )
    if state.checkpoint is not None:
        lines.append(f"  newest checkpoint after step {state.checkpoint:,}")
    if skipped := sum(record["kind"] == "skipped" for record in state.records):
        lines.append(f"  {skipped:,} step{'s' if skipped > 1 else ''} skipped")
    return [*lines, *validation_table(state), *group_table(state)]


def validation_table(state: State) -> list[str]:
    """Returns the newest validation by group and condition, with the gain as it grew."""
    newest = state.latest("validation")
    if not newest:
        return []
    conditions = list(dict.fromkeys(record["condition"] for record in newest))
    losses = {(record["group"], record["condition"]): record["loss"] for record in newest}
    history = gains(state.records)
    head = "".join(f"{condition:>10}" for condition in conditions) + (f"{'gain':>10}" if history else "")
    title = f"validation at step {newest[0]['step']:,}"
    lines = ["", f"  {title:<32}{head}"]
    for group in dict.fromkeys(record["group"] for record in newest):
        cells = "".join(f"{losses[group, condition]:>10.4f}" for condition in conditions)
        gain = f"{history[group][-1]:>+10.4f}  {sparkline(history[group])}" if group in history else ""
        lines.append(f"    {group:<30}{cells}{gain}")
    return lines


def group_table(state: State) -> list[str]:
    """Returns what has been read of each group, and how often its texts were read."""
    newest = state.latest("groups")
    if not newest:
        return []
    total = sum(record["body_tokens"] for record in newest) or 1
    lines = ["", f"  {'read':<32}{'body tokens':>16}{'share':>9}{'times':>9}"]
    for record in newest:
        number, share = record["body_tokens"], record["body_tokens"] / total
        lines.append(f"    {record['group']:<30}{number:>16,}{share:>9.1%}{record['repeats']:>9.2f}")
    return lines


def gains(records: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Returns by group what being told the place is worth at each validation, in nats per body token: none - gold.

    Groups come in the order of the records; of a model without metadata there are none.
    """
    losses: dict[tuple[int, str], dict[str, float]] = {}
    for record in records:
        if record["kind"] == "validation":
            losses.setdefault((record["step"], record["group"]), {})[record["condition"]] = record["loss"]
    found: dict[str, list[float]] = {}
    for (_, group), by_condition in losses.items():
        if {"gold", "none"} <= by_condition.keys():
            found.setdefault(group, []).append(by_condition["none"] - by_condition["gold"])
    return found


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """Returns the newest values as bars from the lowest to the highest of them."""
    shown = values[-width:]
    low, high = min(shown), max(shown)
    step = (high - low) / (len(BARS) - 1) or 1.0
    return "".join(BARS[round((value - low) / step)] for value in shown)


def seconds_left(state: State) -> float | None:
    """Returns the time to the last step at the newest speed; none where that is not known."""
    total, train = state.run.get("num_steps"), state.last("train")
    if not (total and train and train["tokens_per_second"]):
        return None
    return float((total - state.step) * train["tokens"] / state.step / train["tokens_per_second"])


def span(seconds: float) -> str:
    """Returns a length of time in two units: `3 h 12 min`."""
    whole = round(seconds)
    for size, unit, smaller, below in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {below}"
    return f"{whole} s"


def _situation(state: State) -> str:
    """Says in a few words whether the run is done, waits, or how long it will take."""
    if state.complete:
        return "finished"
    outcome = state.run.get("outcome")
    if outcome == "failed":
        return "failed; its own output says why"
    if outcome == "interrupted":
        return "stopped, to be resumed"
    if outcome == "finished":
        return "writing the model"
    left = seconds_left(state)
    said = "no step yet" if not state.records else f"{span(left)} left" if left is not None else "time left not known"
    return said + (f" (silent for {span(state.quiet)})" if state.quiet > QUIET_SECONDS else "")


def _share(value: float | None) -> str:
    return "not measured" if value is None else f"{100 * value:.1f}%"
