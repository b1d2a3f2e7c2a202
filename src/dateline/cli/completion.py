"""`dateline --completion SHELL`: a script that completes verbs and options in bash and zsh.

The script holds the words, so that completing starts no Python; it is made again after an update.
"""

from __future__ import annotations

import contextlib
import io

from dateline.cli import VERBS, verb
from dateline.cli.options import LIST_OPTIONS
from dateline.errors import UserError
from dateline.evaluate.recipe import MEASURES

ACTIONS: dict[str, tuple[str, ...]] = {
    "eval": tuple(MEASURES),
    "benchmark": ("build", "review", "apply"),
    "audit": ("mcq",),
    "corpus": ("inspect", "diff"),
    "outlets": ("learn",),
    "tune": ("facts",),
    "export": ("check",),
}
"""Verbs that take a second word."""
ACTIONS_ONLY = ("eval", "audit", "benchmark", "outlets")
"""Verbs that have no options without one."""
HEADS = {
    "bash": "",
    "zsh": "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }\n"
    "autoload -Uz bashcompinit && bashcompinit\n",
}
"""Shell -> what stands before the script; zsh reads that of bash."""
SCRIPT = """\
# Completion of dateline, written by `dateline --completion {shell}`.
{head}_dateline() {{
    local words current="${{COMP_WORDS[COMP_CWORD]}}"
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{verbs}"
    else
        case "${{COMP_WORDS[1]}}" in
{verb_cases}
        esac
        case "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}}" in
{action_cases}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _dateline dateline
"""


def completion(shell: str) -> str:
    """Returns the script for a shell.

    Raises:
        UserError: where there is none for it.
    """
    if shell not in HEADS:
        raise UserError(f"--completion: no script for '{shell}'; known are {', '.join(HEADS)}")
    verbs = {
        name: [*ACTIONS.get(name, ()), *([] if name in ACTIONS_ONLY else options_of(name)), "--help"] for name in VERBS
    }
    actions = {
        f"{name} {action}": [*options_of(name, action), "--help"]
        for name, several in ACTIONS.items()
        for action in several
    }
    return SCRIPT.format(
        shell=shell,
        head=HEADS[shell],
        verbs=" ".join([*VERBS, "--help", "--version", "--completion"]),
        verb_cases=_cases(verbs),
        action_cases=_cases(actions),
    )


def run(words: list[str]) -> None:
    """Prints the script for the shell that the first word names."""
    if len(words) != 1:
        raise UserError(f"--completion: name one shell: {', '.join(HEADS)}")
    print(completion(words[0]), end="")


def options_of(name: str, *action: str) -> list[str]:
    """Returns the options of a verb, or of one of its actions."""
    with contextlib.redirect_stdout(io.StringIO()) as listed, contextlib.suppress(SystemExit):
        verb(name)([*action, LIST_OPTIONS])
    return listed.getvalue().split()


def _cases(words: dict[str, list[str]]) -> str:
    return "\n".join(f'            "{name}") words="{" ".join(several)}" ;;' for name, several in words.items())
