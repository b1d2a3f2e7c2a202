"""The command `dateline`: the registry of verbs, and exit codes.

0 is success, 1 a failure, 2 a mistake of the user, 3 an audit that finds a set of questions unfit or a study that does
not find what is known to be true, 130 an interruption. A verb's module is imported when the verb is called, and torch
when the verb has checked its arguments.
"""

from __future__ import annotations

import difflib
import importlib
import os
import shutil
import signal
import sys
import textwrap
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from dateline import __version__
from dateline.errors import Interrupted, RunsFailed, TrainingDiverged, UserError, in_words, is_full_disk, one_line

FAR = "follow a run from another terminal; train on a Slurm cluster"
HUB = "a model's card; a model with its card to the Hugging Face hub"
AGAIN = "a finished experiment: published claims judged; its page"
VERBS = {
    "quickstart": "a plain and a conditioned model on the newswire, and a report",
    "place": "what URLs say about their origin",
    "outlets": "outlets that declared countries suggest: outlets learn CORPUS",
    "newswire": "write the embedded newswire, whose entropy is known",
    "corpus": "files into a placed, audited corpus; corpus inspect, diff",
    "encode": "a corpus into tokens",
    "train": "one model from an encoded corpus",
    "tune": "supervised fine-tuning with true places; tune facts CORPUS",
    "watch": FAR,
    "launch": FAR,
    "export": "a run as a Hugging Face folder or a GGUF file; export check",
    "card": HUB,
    "push": HUB,
    "eval": "measure a model: eval perplexity, locate, mcq, efficiency",
    "locate": "infer the country of a text with a conditioned model",
    "generate": "continue headlines under a place, or side by side under several",
    "serve": "a model over HTTP, with OpenAI's interface",
    "benchmark": "localized questions: benchmark build, review, apply",
    "audit": "whether multiple-choice questions are fit for use: audit mcq",
    "experiment": "several runs in one recipe, from corpus to report",
    "validate": "what a recipe would run, without running it",
    "study": AGAIN,
    "report": AGAIN,
}
FUNCTIONS = {
    "quickstart": "experiment.quickstart",
    "report": "experiment.report",
    "place": "places.place",
    "outlets": "places.outlets",
    "newswire": "corpus.newswire",
    "encode": "corpus.encode",
    "eval": "evaluate.run",
    "card": "push.card",
}
"""Verbs whose function is not `run` in a module of their own name."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a verb and exits with its code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        sys.exit(0 if words else 2)
    if words[0] in ("--version", "-V") or (words[0] in VERBS and words[1:] == ["--version"]):
        print(f"dateline {__version__}")
        sys.exit(0)
    if words[0] == "--completion":
        words = ["completion", *words[1:]]
    elif words[0] not in VERBS:
        near = difflib.get_close_matches(words[0], VERBS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known verbs: {', '.join(VERBS)}"
        fail(f"unknown verb '{words[0]}'; {hint}", 2)
    try:
        signal.signal(signal.SIGTERM, _terminate)
        verb(words[0])(words[1:])
        sys.stdout.flush()  # a closed pipe is noticed here, not when Python has no one left to tell
    except UserError as error:
        fail(str(error), 2, debug)
    except (Interrupted, KeyboardInterrupt) as error:
        fail(str(error) or "stopped", 130, debug)
    except (RunsFailed, TrainingDiverged) as error:
        fail(str(error), 1, debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)  # `| head` has seen what it wanted
    except Exception as error:
        if is_full_disk(error):
            fail(in_words(error), 1, debug)
        if isinstance(error, OSError):
            fail(f"{in_words(error)} (--debug shows where)", 1, debug)
        first = str(error).splitlines()[0] if str(error) else "no message"
        fail(f"failed: {type(error).__name__}: {first} (--debug shows where)", 1, debug)


def verb(name: str) -> Callable[[list[str]], None]:
    """Returns the function that runs a verb on its words."""
    if name not in ("corpus", "push"):  # a recipe may name the hub as a source, and push uploads to it
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it would look for some in every installed package
    module, _, function = FUNCTIONS.get(name, f"{name}.run").rpartition(".")
    run: Callable[[list[str]], None] = getattr(importlib.import_module(f"dateline.cli.{module}"), function)
    return run


def overview() -> str:
    """Returns what `dateline --help` shows: 23 lines of a terminal of 80 columns, so that a prompt fits below."""
    shared: dict[str, list[str]] = {}
    for name, text in VERBS.items():
        shared.setdefault(text, []).append(name)
    rows = {", ".join(names): text for text, names in shared.items()}
    width = max(map(len, rows))
    columns = shutil.get_terminal_size().columns
    parts = [
        ("usage: dateline VERB ...   (dateline VERB --help shows a verb's options)", ""),
        ("Language models conditioned on where a text comes from.", ""),
        *((f"  {names:<{width}}  {text}", " " * (width + 4)) for names, text in rows.items()),
        ("Also: --version, --completion bash|zsh, and --debug for a traceback on errors.", ""),
    ]
    lines = [textwrap.fill(text, columns, subsequent_indent=indent, break_on_hyphens=False) for text, indent in parts]
    return "\n".join(lines)


def fail(message: str, code: int, debug: bool = False) -> NoReturn:
    """Prints one line on standard error and exits."""
    if debug and sys.exc_info()[0] is not None:
        traceback.print_exc()
    print(f"dateline: {one_line(message)}", file=sys.stderr)
    sys.exit(code)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Turns SIGTERM into an exception, so that half-made folders are removed on the way out."""
    raise KeyboardInterrupt("SIGTERM: stopped")
