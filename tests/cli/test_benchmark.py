"""`dateline benchmark build`: what it prints, its exit codes, and what it refuses."""

import pytest


def test_a_set_is_built_and_its_figures_are_printed(dateline, held_out_news, tmp_path):
    said = dateline("benchmark", "build", held_out_news, "--out", tmp_path / "set", "--quota", "ng=4,gb=4,us=4,in=4")
    assert said.code == 0, said.err
    assert f"{tmp_path / 'set'}: 16 questions about 4 countries, of " in said.out
    assert "an option names its country" in said.out
    assert "closed book, question and options" in said.out
    assert said.out.endswith("Fit for use: no check is unfit; look at: size.\n")
    again = dateline("benchmark", "build", held_out_news, "--out", tmp_path / "set")
    assert (again.code, again.out) == (2, "")
    assert "already holds something; choose another --out or pass --overwrite" in again.err
    audited = dateline("audit", "mcq", tmp_path / "set" / "questions.jsonl", "--quota", "even")
    assert audited.code == 0


def test_a_set_that_fails_its_own_audit_ends_with_3_and_stays(dateline, held_out_news, tmp_path):
    said = dateline("benchmark", "build", held_out_news, "--out", tmp_path / "set", "--quota", "ng=500")
    assert said.code == 3
    assert "Quotas are not met: ng " in said.out.splitlines()[-1]
    assert (tmp_path / "set" / "manifest.json").is_file()
    assert (tmp_path / "set" / "questions.parquet").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--quota", "xx=3"), "dateline: --quota: 'xx' is no country; write a code such as ng, or a name"),
        (("--generator", "made-up"), "dateline: --generator: must be 'facts' or 'llm'"),
        (("--max-longest", "2"), "dateline: --max-longest: must be less than or equal to 1"),
        (("--quota", "nz=3"), "dateline: --quota: the test split of"),
    ],
)
def test_wrong_options_are_refused_in_one_line(dateline, held_out_news, tmp_path, words, message):
    said = dateline("benchmark", "build", held_out_news, "--out", tmp_path / "set", *words)
    assert said.code == 2
    assert said.err.startswith(message)
    assert len(said.err.splitlines()) == 1
    assert not (tmp_path / "set").exists()


def test_without_an_action_the_actions_are_listed(dateline):
    said = dateline("benchmark", "--help")
    assert said.code == 0
    for action in ("build", "review", "apply"):
        assert f"\n  {action} " in said.out
    assert dateline("benchmark", "bild").err == "dateline: unknown action 'bild'; did you mean 'build'?\n"
