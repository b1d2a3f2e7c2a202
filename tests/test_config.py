from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError, field_validator, model_validator

from dateline.config import Section, canonical, diff, fingerprint, load_recipe, parse_overrides, validate_recipe
from dateline.errors import UserError


class Inner(Section):
    steps: int = 100
    rate: float = 3e-4
    warm: bool = True

    @model_validator(mode="after")
    def _check(self):
        if self.steps == 13 and self.rate == 13:
            raise ValueError("steps and rate are both 13")
        return self


class Group(Section):
    name: str
    inner: Inner = Inner()


class Recipe(Section):
    seed: int = 0
    label: str = ""
    train: Inner = Inner()
    weights: Literal["equal", "natural"] | dict[str, float] = "equal"
    groups: tuple[Group, ...] = ()
    values: tuple[int, ...] = ()
    codes: tuple[str, ...] | None = None

    @field_validator("label")
    @classmethod
    def _check(cls, value: str) -> str:
        if value == "bad":
            raise ValueError("a label is not bad")
        return value


@pytest.fixture
def load(tmp_path):
    def load(text, *overrides):
        path = tmp_path / "r.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            return load_recipe(Recipe, path, overrides)
        except UserError as error:
            raise UserError(str(error).replace(str(path), "r.yaml")) from None

    return load


def message(load, text, *overrides):
    with pytest.raises(UserError) as caught:
        load(text, *overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_empty_file_is_the_default_recipe(load):
    assert load("") == load("# nothing\n") == Recipe()


def test_values_of_all_kinds_are_read(load):
    recipe = load("seed: 3\ntrain: {steps: 7}\nweights: {Asia: 1, Africa: 2.5}\ngroups:\n- name: a\n- {name: b}\n")
    assert recipe.seed == 3
    assert recipe.train == Inner(steps=7)
    assert recipe.weights == {"Asia": 1.0, "Africa": 2.5}
    assert [group.name for group in recipe.groups] == ["a", "b"]


def test_a_recipe_is_frozen(load):
    with pytest.raises(ValidationError, match="frozen"):
        load("").seed = 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed: 1\ntrain:\n  step: 5\n", "r.yaml:3: unknown key 'train.step'; did you mean 'steps'?"),
        ("seed: 1\ntrian:\n  steps: 5\n", "r.yaml:2: unknown key 'trian'; did you mean 'train'?"),
        ("\nsead: 1\n", "r.yaml:2: unknown key 'sead'; did you mean 'seed'?"),
        (
            "zzz: 1\n",
            "r.yaml:1: unknown key 'zzz'; known keys: codes, groups, label, seed, train, values, weights",
        ),
        (
            "groups:\n- name: a\n- name: b\n  inner:\n    stepz: 3\n",
            "r.yaml:5: unknown key 'groups.1.inner.stepz'; did you mean 'steps'?",
        ),
        ("groups:\n- name: a\n- inner: {}\n", "r.yaml:3: 'groups.1.name' is missing; add it"),
        ("seed: 1\ntrain:\n  steps: 5\n  steps: 6\n", "r.yaml:4: key 'steps' is written twice; keep one"),
        (
            "label: x\nseed: many\n",
            "r.yaml:2: seed: must be a whole number (given: 'many')",
        ),
        ("label: bad\n", "r.yaml:1: label: a label is not bad (given: 'bad')"),
        (
            "seed: a\nlabel: bad\n",
            "r.yaml:1: seed: must be a whole number (given: 'a') (and 1 more)",
        ),
        ("label: 3\nweights: 7\n", "r.yaml:1: label: must be text (given: 3) (and 2 more)"),
        ("weights: 7\n", "r.yaml:1: weights: must be 'equal' or 'natural' (given: 7) (and 1 more)"),
        ("values: {a: 1}\n", "r.yaml:1: values: must be a list, written a,b or [a, b] (given: {'a': 1})"),
        ("values: false\n", "r.yaml:1: values: must be a list, written a,b or [a, b] (given: False)"),
        ("values: '[1'\n", "r.yaml:1: values: must be a list, written a,b or [a, b] (given: '[1')"),
        (
            "values: 1,x\n",
            "r.yaml:1: values.1: must be a whole number (given: 'x')",
        ),
        ("groups: a,b\n", "r.yaml:1: groups: must be a list, written a,b or [a, b] (given: 'a,b')"),
        (
            "seed: 1\ntrain:  # all defaults\n",
            "r.yaml:2: 'train' has no value; give one, or write null for none, {} for a section of defaults",
        ),
        ("- 1\n", "r.yaml:1: a recipe is a mapping of sections, not a list"),
        ("seed: 1\nseed\n", "r.yaml:3: not valid YAML: could not find expected ':'"),
        ("seed: 1\n---\nseed: 2\n", "r.yaml:2: not valid YAML: but found another document"),
        (
            "seed: 1\nlabel: \x01\n",
            "r.yaml:1: not valid YAML: unacceptable character #x0001: special characters are not allowed",
        ),
        ("label:\n  2021-13-45\n", "r.yaml:2: cannot read '2021-13-45' (month must be in 1..12); quote it"),
        (
            "seed: !!python/object/apply:os.getcwd x\n",
            "r.yaml:1: not valid YAML: could not determine a constructor for the tag"
            " 'tag:yaml.org,2002:python/object/apply:os.getcwd'",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(load, text, expected):
    assert message(load, text) == expected


def test_a_long_value_is_shown_in_part(load):
    text = message(load, f"seed: {'9' * 30}{'x' * 200}\n")
    assert text.endswith("...)")
    assert len(text) < 200


def test_a_missing_file_a_folder_and_bytes_are_no_recipes(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: no such recipe; check the path or pick one from recipes/"):
        load_recipe(Recipe, tmp_path / "none.yaml")
    with pytest.raises(UserError, match="not a YAML recipe"):
        load_recipe(Recipe, tmp_path)
    (tmp_path / "b.yaml").write_bytes(b"seed: \xff\xfe\n")
    with pytest.raises(UserError, match="not a YAML recipe"):
        load_recipe(Recipe, tmp_path / "b.yaml")


def test_plain_data_is_validated_with_the_name_of_its_source():
    with pytest.raises(UserError, match=r"^grid: unknown key 'sed'; did you mean 'seed'\?$"):
        validate_recipe(Recipe, {"sed": 1}, source="grid")


@pytest.mark.parametrize(
    ("overrides", "where", "value"),
    [
        (["--seed", "5"], lambda r: r.seed, 5),
        (["--seed=5"], lambda r: r.seed, 5),
        (["--seed", "-5"], lambda r: r.seed, -5),
        (["--seed=1", "--seed=2"], lambda r: r.seed, 2),
        (["--train.steps", "7"], lambda r: r.train, Inner(steps=7, rate=0.5)),
        (["--label=a=b"], lambda r: r.label, "a=b"),
        (["--label", ""], lambda r: r.label, None),
        (["--label=--x"], lambda r: r.label, "--x"),
        (["--values", "[4, 5]"], lambda r: r.values, (4, 5)),
        (["--values", "4,5"], lambda r: r.values, (4, 5)),
        (["--values", "4"], lambda r: r.values, (4,)),
        (["--values.1", "9"], lambda r: r.values, (1, 9)),
        (["--codes", "no"], lambda r: r.codes, ("no",)),
        (["--codes", "no, gb"], lambda r: r.codes, ("no", "gb")),
        (["--codes", "[no, gb]"], lambda r: r.codes, ("no", "gb")),
        (["--train.warm", "no"], lambda r: r.train.warm, False),
        (["--groups.0.inner.steps=4"], lambda r: r.groups[0], Group(name="a", inner=Inner(steps=4))),
        (["--weights", "{Asia: 2}"], lambda r: r.weights, {"Asia": 2.0}),
        (["--train", "{rate: 1}", "--train.steps", "2"], lambda r: r.train, Inner(steps=2, rate=1.0)),
    ],
)
def test_overrides_replace_values_of_the_file(load, overrides, where, value):
    text = "train: {rate: 0.5}\nvalues: [1, 2]\ngroups: [{name: a}]\n"
    if value is None:
        assert "label: must be text (given: None)" in message(load, text, *overrides)
        return
    recipe = load(text, *overrides)
    assert where(recipe) == value


def test_a_list_is_the_same_however_it_is_written(load):
    written = ["codes: [gold, none]", "codes: gold,none", "codes: ' gold, none, '", "codes: '[gold, none]'"]
    assert {load(text).codes for text in written} == {("gold", "none")}
    assert load("codes: null").codes is None
    assert load("codes: ''").codes == ()
    assert load("codes: [no, on]").codes == ("no", "on")  # Norway is no boolean
    assert load("train: {warm: false}").train.warm is False
    assert load("label: a,b").label == "a,b"  # text stays text


def test_a_mistake_in_the_file_is_blamed_on_the_file_whatever_the_options(load):
    text = message(load, "seed: 1\ntrain: {steps: x}\n", "--train.rate", "2", "--seed", "3")
    assert text.startswith("r.yaml:2: train.steps: must be a whole number")


def test_dashes_in_an_option_are_kept_in_the_message(tmp_path):
    class Outer(Section):
        long_key: int = 0

    path = tmp_path / "recipe.yaml"
    path.write_text("")
    with pytest.raises(UserError, match=r"^--long-key: must be a whole number"):
        load_recipe(Outer, path, ["--long-key", "x"])


def test_overrides_are_split_at_dots_and_read_as_yaml():
    assert parse_overrides(["--some-part.long-key=1", "--a.0.b", "x"]) == [
        (("some-part", "long-key"), 1),
        (("a", 0, "b"), "x"),
    ]


def test_dashes_in_an_overridden_key_are_underscores_unless_the_file_has_them(tmp_path):
    class Inner(Section):
        long_key: int = 0

    class Outer(Section):
        some_part: dict[str, Inner] = {}

    path = tmp_path / "recipe.yaml"
    path.write_text("some_part: {with-dash: {long_key: 1}}\n")
    recipe = load_recipe(Outer, path, ["--some-part.with-dash.long-key", "2"])
    assert recipe.some_part == {"with-dash": Inner(long_key=2)}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["--seed"], "--seed has no value; recipe values are given as --section.key VALUE"),
        (["--seed", "--label", "x"], "--seed has no value; recipe values are given as --section.key VALUE"),
        (["seed"], "unexpected argument 'seed'; recipe values are given as --section.key VALUE"),
        (["--"], "unexpected argument '--'; recipe values are given as --section.key VALUE"),
        (["--label", "[1"], "--label: cannot read '[1' as a YAML value; quote it"),
        (["--label", "2021-13-45"], "--label: cannot read '2021-13-45' as a YAML value; quote it"),
        (["--seed.deep", "1"], "--seed.deep: the part before the last dot is a single value, not a section"),
        (["--train.steps.a.b", "1"], "--train.steps.a.b: train.steps is a single value, not a section"),
        (["--values.2", "1"], "--values.2: there is no item 2; the list has 2"),
        (["--values.last", "1"], "--values.last: there is no item last; the list has 2"),
        (["--values.7.x", "1"], "--values.7.x: there is no item 7; the list has 2"),
        (["--train.stepz", "1"], "--train.stepz: unknown key; did you mean 'steps'?"),
        (["--train.²", "1"], "--train.²: unknown key; known keys: rate, steps, warm"),
        (["--train", "{stepz: 1}"], "--train: unknown key 'stepz'; did you mean 'steps'?"),
        (
            ["--train.steps", "x"],
            "--train.steps: must be a whole number (given: 'x')",
        ),
        (
            ["--values", "1,x"],
            "--values: must be a whole number (given: 'x')",
        ),
        (["--label", "bad"], "--label: a label is not bad (given: 'bad')"),
        (
            ["--train.steps=13", "--train.rate=13"],
            "r.yaml:2 with --train.steps and --train.rate: train: steps and rate are both 13",
        ),
    ],
)
def test_wrong_overrides_are_refused(load, overrides, expected):
    assert message(load, "seed: 1\ntrain: {steps: 1}\nvalues: [1, 2]\n", *overrides) == expected


def test_the_fingerprint_is_the_same_on_every_machine():
    assert canonical({"b": [1, 2.5, None], "a": "₦"}) == '{"a":"\\u20a6","b":[1,2.5,null]}'
    assert fingerprint(Recipe()) == fingerprint(Recipe().model_dump(mode="json")) == "449e755ab8ca80bd"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
recipes = st.dictionaries(st.text(max_size=3), json_values, max_size=4)


@given(recipes, recipes)
def test_fingerprints_are_equal_just_where_the_values_are(one, other):
    assert (fingerprint(one) == fingerprint(other)) == (canonical(one) == canonical(other))
    assert fingerprint(one) == fingerprint(dict(reversed(one.items())))
    assert fingerprint(one, other) != fingerprint(one)
    assert len(fingerprint(one)) == 16


def test_the_fingerprint_sees_values_deep_down():
    assert fingerprint(Recipe()) != fingerprint(Recipe(train=Inner(rate=3.0001e-4)))
    assert fingerprint({"a": 1}, {"b": 2}) != fingerprint({"b": 2}, {"a": 1})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"train": {"steps": 100}}, {"train": {"steps": 200}}, ["train.steps: 100 -> 200"]),
        ({"a": 1}, {"a": 1, "b": None}, ["b: (absent) -> None"]),
        ({"a": 1, "b": 2}, {"a": 1}, ["b: 2 -> (absent)"]),
        ({"v": [1, 2]}, {"v": [1, 3, 4]}, ["v.1: 2 -> 3", "v.2: (absent) -> 4"]),
        ({"v": []}, {"v": [1]}, ["v: [] -> (absent)", "v.0: (absent) -> 1"]),
        ({}, {"a": 1}, ["a: (absent) -> 1"]),
        ({"v": (1, 2)}, {"v": [1, 2]}, []),
    ],
)
def test_differences_are_said_in_words(old, new, words):
    assert diff(old, new) == words


@given(recipes)
@settings(deadline=None, max_examples=50)
def test_a_recipe_does_not_differ_from_itself(one):
    assert diff(one, dict(reversed(one.items()))) == []


class Length(Section):
    steps: int | None = None
    share: float = 0.5
    seeds: tuple[int, ...] = ()


class Lengths(Section):
    train: Length = Length()


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("", ["--train.steps", "1" * 21], "--train.steps: must be at most 1e+18 (given: 1.11e+20)"),
        ("", ["--train.share", "1e30"], "--train.share: must be at most 1e+18 (given: 1e+30)"),
        ("", ["--train.seeds", f"[1, {'9' * 20}]"], "--train.seeds: must be at most 1e+18 (given: 1e+20)"),
        (f"train:\n  steps: {'1' * 21}\n", [], "r.yaml:2: train.steps: must be at most 1e+18 (given: 1.11e+20)"),
        ("", ["--train", "5"], "--train: is a section; give its values as --train.KEY VALUE (given: 5)"),
        ("train: {steps: 2}\n", ["--train.steps", "many"], "--train.steps: must be a whole number (given: 'many')"),
        (
            "train: {steps: 2}\n",
            ["--train.seeds", "{}"],
            "--train.seeds: must be a list, written a,b or [a, b] (given: {})",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_syntax_to_use(tmp_path, monkeypatch, text, words, expected):
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        load_recipe(Lengths, "r.yaml", words)
    assert str(caught.value) == expected
