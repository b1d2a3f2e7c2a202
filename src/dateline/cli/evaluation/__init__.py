"""`dateline eval`: one measure a file; `locate` and `audit` are verbs of their own.

Enters: the words after `eval`. Leaves: what the chosen measure leaves.
Deliberately not done: no measure here.
"""

from __future__ import annotations

import difflib
import importlib

from dateline.errors import UserError

MEASURES = {
    "perplexity": "by condition and place, on the same tokens",
    "mcq": "multiple-choice questions by log-likelihood, every item counted",
    "efficiency": "tokens that a run needs to reach another run's loss",
}


def run(words: list[str]) -> None:
    """Runs the verb."""
    if words[:1] in ([], ["-h"], ["--help"]):
        width = max(map(len, MEASURES))
        print("usage: dateline eval MEASURE ...\n")
        for name, text in MEASURES.items():
            print(f"  {name:<{width}}  {text}")
        print("\ndateline eval MEASURE --help shows its options.")
        raise SystemExit(0 if words else 2)
    if words[0] not in MEASURES:
        near = difflib.get_close_matches(words[0], MEASURES, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(MEASURES)}"
        raise UserError(f"unknown measure '{words[0]}'; {hint}")
    importlib.import_module(f"dateline.cli.evaluation.{words[0]}").run(words[1:])
