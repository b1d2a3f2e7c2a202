"""`dateline audit mcq`: a report, JSON, a folder, and the exit code; hostile strings stay strings."""

import json
import random

import pytest

HOSTILE = "[bold red]x[/] \x1b[31m\x07 <script>alert(1)</script> [/nothing] \u202e"


@pytest.fixture
def write(tmp_path):
    """Writes a sound set, or one with a fault in every item."""

    def to_file(number=200, **fault):
        drawn = random.Random(3)
        path = tmp_path / "set.jsonl"
        lines = []
        for place in range(number):
            options = [f"{drawn.randrange(10**6):06}" for _ in range(4)]
            answer = fault.get("position", drawn.randrange(4))
            item = {
                "question": fault.get("question", f"{drawn.randrange(10**9)} {drawn.randrange(10**9)} {place}?"),
                "options": options,
                "correct_answer": options[answer],
                "country": fault.get("country", ("gh", "in")[place % 2]),
            }
            lines.append(json.dumps(item))
        path.write_text("\n".join(lines))
        return path

    return to_file


def test_a_sound_set_ends_with_0_and_says_so(dateline, write):
    said = dateline("audit", "mcq", write(), "--quota", "even")
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith("\nFit for use: no check is unfit.\n")
    for check in (
        "defects",
        "position",
        "longest",
        "near-duplicates",
        "overlap",
        "blind wording",
        "labels",
        "countries",
    ):
        rows = [line for line in said.out.splitlines() if line.startswith(check)]
        assert len(rows) == 1, check  # in the table; what is fit needs no words
        assert " fit " in rows[0]


def test_an_unfit_set_ends_with_3_and_a_plain_sentence(dateline, write):
    said = dateline("audit", "mcq", write(position=0))
    assert said.code == 3
    assert said.err == ""
    assert len([line for line in said.out.splitlines() if line.startswith("position")]) == 2  # the sentence as well
    assert said.out.splitlines()[-1].startswith("Not fit for use. The gold answer is option A in 200 of 200 (100.0%)")


def test_rotated_scoring_forgives_the_position(dateline, write):
    said = dateline("audit", "mcq", write(position=0), "--rotated")
    assert said.code == 0
    assert "Fit for use where scoring rotates the options" in said.out


def test_json_is_json_and_the_sentence_goes_beside(dateline, write):
    said = dateline("audit", "mcq", write(position=0), "--json")
    plain = json.loads(said.out)
    assert (said.code, plain["fit"], plain["items"]) == (3, False, 200)
    position = next(check for check in plain["checks"] if check["check"] == "position")
    assert (position["value"], position["verdict"], position["chance"]) == (1.0, "unfit", 0.25)
    assert said.err == plain["sentence"] + "\n"


def test_a_folder_is_made_and_kept(dateline, write, tmp_path):
    out = tmp_path / "audit"
    said = dateline("audit", "mcq", write(), "--out", out)
    assert said.code == 0
    assert sorted(path.name for path in out.iterdir()) == ["audit.json", "items.parquet", "manifest.json"]
    assert f"items to read are in {out / 'items.parquet'}" in said.out
    again = dateline("audit", "mcq", write(), "--out", out)
    assert again.code == 2
    assert "--overwrite" in again.err
    assert dateline("audit", "mcq", write(), "--out", out, "--overwrite").code == 0


def test_hostile_strings_are_shown_and_not_obeyed(dateline, write, tmp_path):
    path = write(30, question=HOSTILE, country=HOSTILE)
    for words in ((), ("--json",), ("--out", tmp_path / "out")):
        said = dateline("audit", "mcq", path, *words)
        assert said.code == 3, said.err
        shown = said.out + said.err
        assert "\x1b" not in shown
        assert "\x07" not in shown
        assert "\u202e" not in shown
    report = " ".join(said.out.split())
    assert "[bold red]x[/]" in report


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mcq", "missing.jsonl"), "missing.jsonl: no such file"),
        (("mqc", "set.jsonl"), "unknown kind 'mqc'; did you mean 'mcq'?"),
        (("set.jsonl",), "unknown kind 'set.jsonl'; write: dateline audit mcq set.jsonl"),
        (("mcq", "set.jsonl", "--quota", "us"), "--quota 'us': write even, paper, or each country once"),
    ],
)
def test_mistakes_are_one_line(dateline, words, message):
    said = dateline("audit", *words)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert message in said.err


def test_help_states_the_rule_of_the_exit_code(dateline):
    assert dateline("audit", "--help").code == 0
    assert "mcq" in dateline("audit").out
    said = dateline("audit", "mcq", "--help")
    assert said.code == 0
    assert "The exit code is 3 if any check is unfit" in " ".join(said.out.replace("│", " ").split())
