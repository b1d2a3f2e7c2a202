"""Rows become a table, words with commas become names."""

from dateline.cli.evaluation.tables import print_rows, split_words


def test_a_row_is_a_line_and_nothing_in_it_is_markup(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_rows([{"run": "[red]a", "condition": "gold", "all": "1.5"}, {"run": "b", "condition": "none", "all": "2"}])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["run", "condition", "all"], ["[red]a", "gold", "1.5"], ["b", "none", "2"]]


def test_no_rows_are_no_table(capsys):
    print_rows([])
    assert capsys.readouterr().out.strip() == ""


def test_empty_names_are_left_out():
    assert split_words(" gold, ,none,") == ["gold", "none"]
