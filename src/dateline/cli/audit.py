"""`dateline audit`: whether a set of multiple-choice questions is fit for use; exit code 3 where it is not."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pydantic
import tyro

from dateline.cli.options import choose_action, read_arguments
from dateline.cli.tables import print_parts
from dateline.config import Section
from dateline.errors import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dateline.benchmark import Audit, Finding

UNFIT = 3
"""Exit code where a set is not fit for use."""
KINDS = {"mcq": "multiple-choice questions: positions, cues, repeats, places, and what a blind guesser gets"}
STYLES = {"unfit": "bold red", "look": "yellow", "fit": "green"}


class AuditQuestions(Section):
    """Says whether a set of multiple-choice questions is fit for use, check by check.

    FILE is JSON Lines, JSON or Parquet with question, options, correct_answer (or answer) and country. Each check gives
    a number with its 95% interval and a verdict: fit, look (read the items) or unfit. The exit code is 3 if any check
    is unfit, else 0. With --rotated the position of the answer is at most a reason to look, because averaging over all
    rotations of the options repairs it; it repairs nothing else.
    """

    file: Annotated[Path, tyro.conf.Positional]
    """Questions."""
    quota: str = ""
    """Wanted items by country, in proportion: us=34,ca=33,...; even; or paper (arXiv 2601.15236)."""
    rotated: tyro.conf.FlagCreatePairsOff[bool] = False
    """The set is only scored by log-likelihood over all rotations of the options, as dateline eval mcq does."""
    as_json: tyro.conf.FlagCreatePairsOff[bool] = pydantic.Field(default=False, alias="json")
    """Print JSON instead of the report."""
    out: Path | None = None
    """Folder to make with audit.json and items.parquet, which lists the items to read."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    _, words = choose_action("dateline audit", KINDS, words, kind="kind", rest="FILE")
    args = read_arguments("dateline audit mcq", AuditQuestions, words)
    from dateline.benchmark import as_plain, audit_questions, audit_stage, parse_quota
    from dateline.manifest import check_free

    quota = parse_quota(args.quota) if args.quota else ""
    if args.out:
        check_free(args.out, overwrite=args.overwrite, stage="audit")
    audit = audit_questions(args.file, quota=quota, rotated=args.rotated)
    if args.out:
        audit_stage(audit).make(args.out, overwrite=args.overwrite)
    if args.as_json:
        print(json.dumps(as_plain(audit), indent=2))
        print(one_line(audit.sentence), file=sys.stderr)
    else:
        show(audit, args.out)
    if not audit.fit:
        raise SystemExit(UNFIT)


def show(audit: Audit, out: Path | None = None) -> None:
    """Prints an audit for people: a table of all checks, a sentence for each that is not fit, and the verdict."""
    print_parts(described(audit), log_width=110)
    if out:
        print(f"{len(audit.suspects):,} items to read are in {one_line(str(out / 'items.parquet'))}")
    elif audit.suspects:
        print(f"{len(audit.suspects):,} items to read: --out DIR lists them in DIR/items.parquet")
    print(f"\n{one_line(audit.sentence)}")


def described(audit: Audit) -> list[RenderableType]:
    """Returns the report as renderables; nothing that comes from the file is read as markup or obeyed by a terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("check", "verdict", "number", "95% interval", "chance", "what the number is"):
        table.add_column(name, justify="right" if name in ("number", "95% interval", "chance") else "left")
    sentences = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    sentences.add_column(no_wrap=True)
    sentences.add_column(overflow="fold")
    for finding in audit.findings:
        style = STYLES[finding.verdict]
        cells = _cells(finding)
        table.add_row(Text(finding.check), Text(finding.verdict, style=style), *(Text(cell) for cell in cells))
        if finding.verdict != "fit":  # --json and --out have the words of all
            sentences.add_row(Text(finding.check, style=style), Text(f"{one_line(finding.sentence)} ({finding.rule})"))
    head = f"{one_line(str(audit.path))}: {audit.num_items:,} items, {audit.num_questions:,} of them questions"
    return [Text(head, style="bold"), Text(""), table, Text(""), sentences]


def _cells(finding: Finding) -> tuple[str, str, str, str]:
    return (
        f"{finding.value:.1%}",
        "" if math.isnan(finding.low) else f"{finding.low:.1%} to {finding.high:.1%}",
        "" if finding.chance is None else f"{finding.chance:.1%}",
        finding.measure,
    )
