"""`dateline generate`: what a model writes behind headlines, under one place or side by side under several."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import pydantic
import tyro

from dateline.cli.options import read_arguments
from dateline.config import Section
from dateline.errors import UserError, one_line
from dateline.evaluate.recipe import Precision

if TYPE_CHECKING:
    from rich.text import Text

    from dateline.api import Continuation, Generation

Count = Annotated[int, pydantic.Field(ge=1)]
NONE = "none"


class Generate(Section):
    """Continues headlines, conditioned on a place.

    MODEL is the output of dateline train, a Hugging Face folder, or a model of the hub that is on this machine. A place
    is a country's code or name, a domain, a URL, none, or marginal (unknown; inferred while writing). With --compare,
    each headline is continued under several places with the same random numbers, side by side: words that differ from
    the first column are marked, and so are words of the first column that not all others have.
    """

    model: Annotated[str, tyro.conf.Positional]
    """Model folder."""
    headlines: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Headlines, each between quotes."""
    place: str = NONE
    """Where the article is to come from."""
    guidance: float = 1.0
    """0 ignores the place, 1 conditions on it, more than 1 exaggerates it: none + guidance x (place - none)."""
    against: str | None = None
    """Guide from this place, not from none."""
    compare: tuple[str, ...] = ()
    """Places side by side, for example ng,gb,us,none."""
    n: Count = 1
    """Continuations of each headline."""
    seed: int = 0
    """Of the samples."""
    temperature: Annotated[float, pydantic.Field(ge=0)] = 1.0
    """0 takes the likeliest token each time."""
    top_p: Annotated[float, pydantic.Field(gt=0, le=1)] = 1.0
    """Sample from the likeliest tokens that together have this probability."""
    top_k: Annotated[int, pydantic.Field(ge=0)] = 0
    """Sample from so many of the likeliest tokens; 0 for all."""
    min_p: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.0
    """Sample from tokens with at least this share of the likeliest one's probability."""
    repetition_penalty: Annotated[float, pydantic.Field(gt=0)] = 1.0
    """Above 1, tokens that are there already become less likely."""
    stop: tuple[str, ...] = ()
    """The text ends before the first of these."""
    max_tokens: Count = 60
    """Of a continuation, at most."""
    precision: Precision = "float32"
    """Of the forward pass."""
    device: str = "auto"
    """auto, cpu or cuda."""
    as_json: tyro.conf.FlagCreatePairsOff[bool] = pydantic.Field(default=False, alias="json")
    """Print one JSON object for each headline."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args = read_arguments("dateline generate", Generate, words)
    if not args.headlines:
        raise UserError("nothing to continue: give a headline between quotes")
    if args.compare and (args.place != NONE or args.against is not None):
        raise UserError("--compare names all places; leave --place and --against out")
    from dateline.places.lookup import place

    for name in (args.place, args.against, *args.compare):
        if name is not None and name not in (NONE, "marginal"):
            place(name)  # says what is wrong before the model is loaded
    from dateline.api import load

    model = load(args.model, device=args.device, precision=args.precision)
    names = (
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "repetition_penalty",
        "stop",
        "n",
        "seed",
        "guidance",
    )
    options: dict[str, Any] = {name: getattr(args, name) for name in names}
    headlines = list(args.headlines)
    if args.compare:
        compared = model.compare(headlines, [_given(name) for name in args.compare], **options)
        columns, rows = list(args.compare), [one.generations for one in compared]
    else:
        found = model.generate(headlines, place=_given(args.place), against=_given(args.against), **options)
        columns, rows = [args.place], [(one,) for one in found]
    for row in rows:
        if args.as_json:
            print(json.dumps(_json(row, columns), ensure_ascii=False))
        else:
            _show(row, columns)


def _given(name: str | None) -> str | None:
    return None if name == NONE else name


def _json(row: Sequence[Generation], columns: Sequence[str]) -> dict[str, Any]:
    """Returns what is said of one headline."""
    return {
        "headline": row[0].prompt,
        "continuations": [
            {"place": name, "number": number, "text": text.text, "finish": text.finish}
            | ({"gains": [[token.text, token.nats] for token in text.gains]} if text.gains else {})
            | ({"posterior": text.posterior} if text.posterior is not None else {})
            for name, one in zip(columns, row, strict=True)
            for number, text in enumerate(one.continuations, start=1)
        ],
    }


def _show(row: Sequence[Generation], columns: Sequence[str]) -> None:
    """Prints one headline with its texts, a column a place."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(one_line(row[0].prompt), style="bold"))
    if len(columns) == 1:
        for text in row[0].continuations:
            console.print(Text(one_line(text.text)), "" if len(row[0].texts) == 1 else "\n", end="\n")
            if text.posterior is not None:
                likely = list(text.posterior.items())[:3]
                console.print(Text(f"  [{', '.join(f'{name} {share:.0%}' for name, share in likely)}]", style="dim"))
        return
    table = Table(show_lines=True, header_style="bold")
    for name in columns:
        table.add_column(Text(one_line(name)), ratio=1, overflow="fold")
    for several in zip(*(one.continuations for one in row), strict=True):
        marked = mark_differences([one_line(text.text).split() for text in several])
        table.add_row(*(_cell(words, text, console.color_system) for words, text in zip(marked, several, strict=True)))
    console.print(table)


def mark_differences(columns: Sequence[Sequence[str]]) -> list[list[tuple[str, bool]]]:
    """Returns the words of each text and whether they differ.

    A word differs where it does not stand in the longest common sequence with the first text; a word of the first text,
    where it does not with all others.

    Example:
        >>> mark_differences([["in", "Abuja"], ["in", "London"]])
        [[('in', False), ('Abuja', True)], [('in', False), ('London', True)]]
    """
    first, everywhere = columns[0], set(range(len(columns[0])))
    marked = []
    for words in columns[1:]:
        blocks = difflib.SequenceMatcher(None, first, words, autojunk=False).get_matching_blocks()
        everywhere &= {at for block in blocks for at in range(block.a, block.a + block.size)}
        same = {at for block in blocks for at in range(block.b, block.b + block.size)}
        marked.append([(word, at not in same) for at, word in enumerate(words)])
    return [[(word, at not in everywhere) for at, word in enumerate(first)], *marked]


def _cell(words: Sequence[tuple[str, bool]], text: Continuation, colours: str | None) -> Text:
    """Returns a text with its differing words marked (asterisks where there is no style), and the nats."""
    from rich.text import Text

    cell = Text()
    for word, differs in words:
        cell.append(f"*{word}*" if differs and colours is None else word, style="bold yellow" if differs else "")
        cell.append(" ")
    bought = sum(token.nats for token in text.gains)
    cell.append(f"\n{bought:+.1f} nats from the place" if abs(bought) > 0 else "\nno place", style="dim")
    return cell
