"""Shell completion: what bash and zsh offer after the words of a command line."""

import os
import shutil
import subprocess

import pytest

from dateline.cli import VERBS
from dateline.cli.completion import ACTIONS, completion, options_of
from dateline.errors import UserError

BASH = """
{script}
COMP_WORDS=({words}) COMP_CWORD={last}
_dateline
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def script():
    return completion("bash")


def offered(script, *words):
    """What bash offers for the last word."""
    quoted = " ".join(f'"{word}"' for word in ("dateline", *words))
    program = BASH.format(script=script, words=quoted, last=len(words))
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["tr"], ["train"]),
        (["ex"], ["export", "experiment"]),
        (["train", "--o"], ["--out", "--overwrite"]),
        (["eval", "pe"], ["perplexity"]),
        (["eval", "perplexity", "--protocol.w"], ["--protocol.window"]),
        (["corpus", "in"], ["inspect"]),
        (["corpus", "inspect", "runs/corpus", "--spl"], ["--split"]),
        (["corpus", "--exec"], ["--executor"]),
        (["eval", "--"], ["--help"]),
        (["generate", "runs/first", "a headline", "--gu"], ["--guidance"]),
        (["train", "rec"], []),
    ],
    ids=" ".join,
)
def test_bash_offers_verbs_actions_and_options(script, words, found):
    assert offered(script, *words) == found


def test_every_verb_is_offered(script):
    assert offered(script, "") == [*VERBS, "--help", "--version", "--completion"]


@pytest.mark.parametrize("verb", ACTIONS)
def test_every_action_has_options(verb):
    for action in ACTIONS[verb]:
        assert all(option.startswith("--") for option in options_of(verb, action))
    assert options_of("eval", "perplexity")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_reads_its_script(tmp_path):
    path = tmp_path / "dateline.zsh"
    path.write_text(completion("zsh"), encoding="utf-8")
    environment = {**os.environ, "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path)}
    done = subprocess.run(
        ["zsh", "-fc", f"source {path}; which _dateline"], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "perplexity" in done.stdout


def test_another_shell_is_refused():
    with pytest.raises(UserError, match="no script for 'fish'; known are bash, zsh"):
        completion("fish")
