"""`dateline corpus`: build one, or look into one.

Enters: the words after `corpus`. Leaves: what the chosen action leaves.
Deliberately not done: `inspect` is a word, not a path: a folder of that name is given as `./inspect`.
"""

from __future__ import annotations


def run(words: list[str]) -> None:
    """Runs the verb."""
    if words[:1] == ["inspect"]:
        from dateline.cli.corpus.inspect import run as inspect

        inspect(words[1:])
        return
    from dateline.cli.corpus.build import run as build

    build(words)
