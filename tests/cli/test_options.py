"""The fields of a section are the options of a verb: help, values, and one line for each mistake."""

from pathlib import Path
from typing import Annotated, Literal

import pydantic
import pytest
import tyro
import yaml

from dateline.cli.options import read_arguments, read_options, read_words
from dateline.config import Section, load_recipe
from dateline.errors import UserError


class Inner(Section):
    """What lies inside."""

    window: Annotated[int, pydantic.Field(ge=8)] = 2048
    """Tokens of a segment."""
    num_documents: int | None = None
    """Null for all."""

    @pydantic.model_validator(mode="after")
    def _check(self):
        if self.window == self.num_documents:
            raise ValueError(f"window and num_documents are both {self.window}")
        return self


class Options(Section):
    """Measures something."""

    corpus: str
    """Encoded corpus."""
    conditions: tuple[str, ...] = ("gold", "none")
    """What the prefix shows: 50% of it."""
    by: tuple[Literal["continent", "country"], ...] = ("continent",)
    tokens: Annotated[int, pydantic.Field(ge=1)] | None = 256
    """Null for all."""
    layout: Literal["question", "article"] = "question"
    baseline: bool = True
    share: float = 0.5
    protocol: Inner = Inner()


class Arguments(Section):
    """Needs a model.

    And says so.
    """

    model: Annotated[Path, tyro.conf.Positional]
    """Model folder."""
    texts: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    out: Path
    """Folder to make."""
    run: str = ""
    """Name in the tables."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace it."""
    as_json: tyro.conf.FlagCreatePairsOff[bool] = pydantic.Field(default=False, alias="json")
    """Print JSON."""


NEEDED = ["m", "--out", "o", "--corpus", "c"]


def read(*words):
    return read_options("dateline measure", Options, Arguments, [*NEEDED, *words])


def test_what_is_not_given_keeps_its_default():
    arguments, options = read()
    assert arguments == Arguments(model=Path("m"), out=Path("o"))
    assert options == Options(corpus="c")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--conditions", "gold,wrong"], {"conditions": ("gold", "wrong")}),
        (["--conditions=gold, wrong"], {"conditions": ("gold", "wrong")}),
        (["--conditions", "[gold, wrong]"], {"conditions": ("gold", "wrong")}),
        (["--conditions", "no"], {"conditions": ("no",)}),
        (["--conditions", ""], {"conditions": ()}),
        (["--conditions", "2026,swap:no"], {"conditions": ("2026", "swap:no")}),
        (["--by", "country,continent"], {"by": ("country", "continent")}),
        (["--tokens", "null"], {"tokens": None}),
        (["--tokens", "8"], {"tokens": 8}),
        (["--share", "-1.5e-1"], {"share": -0.15}),
        (["--corpus", "2026"], {"corpus": "2026"}),
        (["--corpus=a=b"], {"corpus": "a=b"}),
        (["--no-baseline"], {"baseline": False}),
        (["--baseline", "false"], {"baseline": False}),
        (["--baseline=true"], {"baseline": True}),
        (["--protocol.window", "8"], {"protocol": Inner(window=8)}),
        (["--protocol.num-documents", "5"], {"protocol": Inner(num_documents=5)}),
        (["--protocol.num_documents=5"], {"protocol": Inner(num_documents=5)}),
    ],
)
def test_values_are_read_as_in_a_recipe(words, expected):
    options = read(*words)[1]
    assert options == Options(corpus="c").model_copy(update=expected)


def test_an_option_and_an_override_and_a_file_give_the_same_list(tmp_path):
    class Recipe(Section):
        evaluate: Options

    path = tmp_path / "r.yaml"
    for text in ("gold,none,wrong", "[gold, none, wrong]", "no", "gold"):
        path.write_text(yaml.safe_dump({"evaluate": {"corpus": "c"}}))
        overridden = load_recipe(Recipe, path, ["--evaluate.conditions", text]).evaluate.conditions
        path.write_text(f"evaluate: {{corpus: c, conditions: {text if text[0] == '[' else repr(text)}}}")
        assert read("--conditions", text)[1].conditions == overridden == load_recipe(Recipe, path).evaluate.conditions


def test_arguments_are_read_beside_the_options():
    arguments, _ = read("--run", "2026", "--overwrite", "--json")
    assert (arguments.run, arguments.overwrite, arguments.as_json) == ("2026", True, True)
    assert read_arguments("dateline x", Arguments, ["m", "a b", "-", "--out", "o"]).texts == ("a b", "-")


def test_words_that_are_left_are_values_of_a_recipe():
    arguments, rest = read_words("dateline x", Arguments, ["m", "--out", "o", "--train.steps", "5", "--seed=-1"])
    assert arguments.out == Path("o")
    assert rest == ["--train.steps", "5", "--seed=-1"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--protocol.window", "2"], "--protocol.window: must be greater than or equal to 8 (given: 2)"),
        (
            ["--protocol.window", "64", "--protocol.num_documents", "64"],
            "--protocol.window and --protocol.num-documents: window and num_documents are both 64",
        ),
        (["--by", "planet"], "--by: must be 'continent' or 'country' (given: 'planet')"),
        (["--layout", "x"], "--layout: must be 'question' or 'article' (given: 'x')"),
        (["--conditions", "[a"], "--conditions: must be a list, written a,b or [a, b] (given: '[a')"),
        (
            ["--share", "a"],
            "--share: must be a number (given: 'a')",
        ),
        (["--protocol.windows", "3"], "unknown option '--protocol.windows'; did you mean --protocol.window?"),
        (["--zzz", "3"], "unknown option '--zzz'; see dateline measure --help"),
        (["--out"], "--out has no value; give one behind it"),
        (["--out", "--overwrite"], "--out has no value; give one behind it"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_option(words, expected):
    with pytest.raises(UserError) as caught:
        read(*words)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "MODEL is missing; add it (and 1 more)"),
        (["m"], "--out is missing; add it"),
        (["m", "--out", "o"], "--corpus is missing; add it"),
    ],
)
def test_what_is_missing_is_named(words, expected):
    with pytest.raises(UserError) as caught:
        read_options("dateline measure", Options, Arguments, words)
    assert str(caught.value) == expected


def test_a_word_too_many_is_refused():
    class Short(Section):
        model: Annotated[Path, tyro.conf.Positional]

    with pytest.raises(UserError, match=r"^unexpected argument 'n'; see dateline x --help$"):
        read_arguments("dateline x", Short, ["m", "n"])


def test_the_help_has_every_field_with_its_docstring_and_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit) as left:
        read_options("dateline measure", Options, Arguments, ["--help"])
    out, err = capsys.readouterr()
    assert (left.value.code, err) == (0, "")
    shown = " ".join(" ".join(line.strip("│ ").split()) for line in out.splitlines())
    for line in (
        "Needs a model.",
        "MODEL Model folder. (required)",
        "--out PATH Folder to make. (required)",
        "--corpus STR Encoded corpus. (required)",
        "What the prefix shows: 50% of it. (default: gold,none)",
        "--overwrite Replace it.",
        "--json Print JSON.",
        "--protocol.window INT Tokens of a segment. (default: 2048)",
        "--tokens INT|null Null for all. (default: 256)",
        "--layout {question,article}",
        "--protocol.num-documents INT Null for all.",
    ):
        assert line in shown
