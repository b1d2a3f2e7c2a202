"""`dateline eval`: every measure with its options, its table, and one line for each mistake."""

import json
import math
import shutil

import pytest

from dateline.cli.evaluate import level_rows, sentence
from dateline.cli.tables import print_rows
from dateline.evaluate.recipe import MEASURES
from dateline.manifest import read_manifest
from dateline.scores import Score, read_losses, read_scores


def score(**values):
    """A row of the long table."""
    base = {
        "run": "a",
        "measure": "toy",
        "metric": "accuracy",
        "condition": "gold",
        "slice_by": "all",
        "slice": "all",
        "unit": "share",
        "n_documents": 9,
        "n_tokens": None,
        "value": 0.5,
        "ci_low": 0.25,
        "ci_high": 0.75,
        "protocol": "p",
        "data": "d",
        "model": "m",
    }
    return Score(**{**base, **values})


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_has_a_help_with_the_options_of_its_section(dateline, name):
    said = dateline("eval", name, "--help")
    assert said.code == 0
    assert said.out.startswith(f"usage: dateline eval {name} ")
    for option in ("--out PATH", "--run STR", "--overwrite", "--resamples INT", "--precision {float32,bfloat16}"):
        assert option in said.out
    for key in MEASURES[name].section.model_fields:
        assert f"--{key.replace('_', '-')}" in said.out


@pytest.mark.parametrize(("words", "code"), [(["eval"], 2), (["eval", "--help"], 0), (["eval", "-h"], 0)])
def test_the_measures_are_listed(dateline, words, code):
    said = dateline(*words)
    assert said.code == code
    assert [line.split()[0] for line in said.out.splitlines() if line.startswith("  ")] == list(MEASURES)


def test_an_unknown_measure_is_answered_with_the_nearest(dateline):
    assert dateline("eval", "perplexty").err == "dateline: unknown measure 'perplexty'; did you mean 'perplexity'?\n"


def test_levels_are_rows_by_metric_and_condition():
    scores = [
        score(),
        score(slice_by="continent", slice="Asia", value=1, ci_low=math.nan, ci_high=math.nan, n_documents=1),
        score(slice_by="country", slice="in"),
        score(condition="none", metric="nll", unit="nats/token", value=2.5, ci_low=2.0, ci_high=3.0),
        score(versus_run="b", versus_condition="none", metric="accuracy_difference"),
    ]
    assert level_rows(scores) == [
        {
            "condition": "gold",
            "metric": "accuracy",
            "documents": "9",
            "all": "0.500 [0.250, 0.750]",
            "Asia": "1.000 [one document]",
        },
        {"condition": "none", "metric": "nll", "documents": "9", "all": "2.5000 [2.0000, 3.0000]", "Asia": ""},
    ]
    both = level_rows([score(), score(run="tfidf", value=math.nan, n_documents=0)])
    assert [(row["run"], row["all"]) for row in both] == [("a", "0.500 [0.250, 0.750]"), ("tfidf", "none")]


def test_a_measure_that_nobody_prepared_is_shown_as_a_table(dateline, monkeypatch, tmp_path):
    from dateline.evaluate import recipe
    from dateline.scores import write_scores
    from dateline.stage import Made, Stage

    class Toy(recipe.Scoring):
        """Counts to three."""

        corpus: str
        """Not looked at."""

    def stage(self, model, options, run):
        def fill(folder):
            write_scores(
                folder,
                [
                    score(run=run),
                    score(
                        run=run,
                        metric="accuracy_difference",
                        versus_run="b",
                        versus_condition="none",
                        p=0.01,
                        p_holm=0.02,
                    ),
                ],
            )
            return Made()

        return Stage("toy", options.identity(), {}, fill)

    monkeypatch.setitem(recipe.MEASURES, "toy", recipe.Measure(Toy, "nowhere:toy", "counts to three"))
    monkeypatch.setattr(recipe.Measure, "stage", stage)
    assert "toy         counts to three" in dateline("eval", "--help").out
    assert "Not looked at." in dateline("eval", "toy", "--help").out
    said = dateline("eval", "toy", "some/model", "--corpus", "c", "--out", tmp_path / "s")
    assert said.code == 0, said.err
    rows = [line.split() for line in said.out.splitlines()]
    assert rows[1] == ["gold", "accuracy", "9", "0.500", "[0.250,", "0.750]"]
    assert rows[4] == ["gold", "b/none", "accuracy_difference", "+0.5000", "[+0.2500,", "+0.7500]", "0.02"]
    assert said.out.endswith(f"everything is in {tmp_path / 's'}\n")
    assert read_scores(tmp_path / "s")[0].run == "model"


SETTINGS = ("--protocol.window", "128", "--resamples", "200")


def words(finished, out):
    model, encoded = finished / "runs" / "conditioned", finished / "encoded"
    return ["eval", "perplexity", model, "--corpus", encoded, "--out", out, *SETTINGS]


def test_a_table_is_printed_and_settings_reach_the_manifest(dateline, finished, tmp_path):
    said = dateline(
        *words(finished, tmp_path / "s"),
        "--conditions",
        "[gold, swap:gb]",
        "--by",
        "continent",
        "--fields",
        "country",
        "--protocol.num_documents=10",
    )
    assert said.code == 0, said.err
    rows = [line.split() for line in said.out.splitlines()]
    assert rows[0][:3] == ["run", "condition", "all"]
    assert [row[1] for row in rows[:3] if row[0] == "conditioned"] == ["gold", "swap:gb"]
    recipe = read_manifest(tmp_path / "s").recipe
    assert (recipe["conditions"], recipe["by"], recipe["fields"]) == (["gold", "swap:gb"], ["continent"], ["country"])
    assert (recipe["protocol"]["window"], recipe["protocol"]["num_documents"]) == (128, 10)
    assert said.out.endswith(f"everything is in {tmp_path / 's'}\n")


def test_conditions_and_models_are_compared_and_leaks_are_named(dateline, finished, tmp_path):
    plain = words(finished, tmp_path / "plain")
    plain[2] = finished / "runs" / "plain"
    assert dateline(*plain, "--conditions", "none").code == 0
    more = ["--versus", tmp_path / "plain", "--cluster", "outlet"]
    said = dateline(*words(finished, tmp_path / "s"), "--conditions", "none,url", "--protocol.prefix_room", 100, *more)
    assert said.code == 2  # another room for prefixes is another protocol
    assert "no paired comparison is possible" in said.err
    said = dateline(*words(finished, tmp_path / "t"), "--conditions", "none,country", *more)
    assert said.code == 0, said.err
    rows = [line.split() for line in said.out.splitlines()]
    pairs = [(row[0], row[1]) for row in rows if len(row) > 4 and row[2] == "nll_difference"]
    assert pairs == [("country", "conditioned/none"), ("none", "plain/none"), ("country", "plain/none")]
    assert rows.index(["run", "condition", "all", "Africa", "America", "Asia", "Europe"]) > len(pairs)
    assert ["run", "condition", "all", "first", "64", "rest", "title"] in rows
    said = dateline(*words(finished, tmp_path / "u"), "--conditions", "none,url", "--protocol.prefix_room", "100")
    assert "conditioned  url [leak]" in said.out
    assert "LEAK: url: the prefix shows the URL" in said.out
    assert "note: url: the model was not trained with url" in said.out


@pytest.mark.parametrize("by", ["continent", "country"])
def test_differences_from_another_model_are_printed_and_kept_by_group(dateline, finished, tmp_path, by):
    plain = words(finished, tmp_path / "plain")
    plain[2] = finished / "runs" / "plain"
    assert dateline(*plain, "--conditions", "none").code == 0
    more = ["--conditions", "gold", "--versus", tmp_path / "plain", "--by", by, "--margin", "5"]
    said = dateline(*words(finished, tmp_path / "s"), *more)
    assert said.code == 0, said.err
    table = [s for s in read_scores(tmp_path / "s") if s.versus == "plain/none"]
    assert {s.slice_by for s in table} == {"all", by}
    places = read_losses(tmp_path / "s")[by].to_pylist()
    groups = [s for s in table if s.slice_by == by]
    assert {s.slice for s in groups} == set(places)
    assert len({s.family_of_tests for s in groups}) == 1
    rows = [line.split() for line in said.out.splitlines()]
    for s in groups:
        assert [s.slice, "gold", "plain/none", str(s.n_documents), f"{s.value:+.4f}"] in [row[:5] for row in rows]
    assert "equivalent within 5 nats per token: gold - plain/none" in said.out
    whole = next(s for s in table if s.slice_by == "all")
    levels = {s.run: s.value for name in ("s", "plain") for s in read_scores(tmp_path / name) if is_total(s)}
    assert whole.value == pytest.approx(levels["conditioned"] - levels["plain"])


def is_total(score):
    return (score.metric, score.slice_by, score.versus) == ("nll", "all", "")


def test_two_models_of_one_name_cannot_be_told_apart_in_the_table(dateline, finished, tmp_path):
    assert dateline(*words(finished, tmp_path / "one"), "--conditions", "none").code == 0
    said = dateline(*words(finished, tmp_path / "two"), "--conditions", "none", "--versus", tmp_path / "one")
    assert said.code == 2
    assert "both models are called 'conditioned' in the tables; name one with --run" in said.err


def test_one_document_has_no_interval_and_the_table_says_so(dateline, finished, tmp_path):
    said = dateline(*words(finished, tmp_path / "s"), "--conditions", "gold,none", "--protocol.num_documents", "1")
    assert said.code == 0, said.err
    assert "[one document]" in said.out
    assert "nan" not in said.out


def test_the_model_folder_inside_the_run_can_be_named(dateline, finished, tmp_path):
    line = words(finished, tmp_path / "s")
    line[2] = line[2] / "model"
    said = dateline(*line, "--run", "mine", "--conditions", "none")
    assert said.code == 0, said.err
    assert read_manifest(tmp_path / "s").recipe["run"] == "mine"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--batch-tokens", "0"], "--batch-tokens: must be greater than or equal to 1 (given: 0)"),
        (["--resamples", "1"], "--resamples: must be greater than or equal to 2 (given: 1)"),
        (["--conditions", "silver"], "unknown condition 'silver'"),
        (["--conditions", ""], "no conditions to score under"),
        (["--by", "planet"], "--by: must be 'continent', 'country' or 'domain' (given: 'planet')"),
        (["--protocol.windows", "3"], "unknown option '--protocol.windows'; did you mean --protocol.window?"),
        (["--protocl.window", "3"], "unknown option '--protocl.window'; did you mean --protocol.window?"),
        (["--protocol.window", "2"], "--protocol.window: must be greater than or equal to 8 (given: 2)"),
        (["--fields", "planet"], "--fields: must be 'domain', "),
        (["--protocol.window", "4096"], "reads 128 tokens, the protocol's window is 4,096"),
    ],
)
def test_mistakes_of_perplexity_leave_nothing(dateline, finished, tmp_path, more, message):
    said = dateline(*words(finished, tmp_path / "s"), *more)
    assert said.code == 2
    assert message in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_were_not_scored_are_named_on_standard_error(dateline, finished, tmp_path):
    model = shutil.copytree(finished / "runs" / "plain" / "model", tmp_path / "model")
    path = model / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"normalizer": {"type": "Lowercase"}}))
    command = words(finished, tmp_path / "s")
    command[2] = model
    said = dateline(*command, "--conditions", "none", "--protocol.num_documents", "5")
    assert said.code == 0, said.err
    assert (
        "dateline: warning: no bits per byte: the tokenizer does not give back the text of 5 of 5 documents, so not "
        "all of their bytes were scored\n"
    ) in said.err
    assert "bits_per_byte" not in {score.metric for score in read_scores(tmp_path / "s")}
    assert dateline(*words(finished, tmp_path / "t"), "--conditions", "none").err.count("warning") == 0


ITEMS = [
    {
        "question": "Where is the port?",
        "options": ["Lagos", "Mombasa", "Hull"],
        "answer": "Lagos",
        "country": "ng",
        "contrast_country": "gb",
        "contrast_answer": "Hull",
    },
    {"question": "Who wins?", "options": ["Karachi", "Lahore", "Leeds"], "answer": "Lahore", "country": "pk"},
    {"question": "Who sits?", "options": ["Parliament", "Court", "Team"], "answer": "Court", "country": "gb"},
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in ITEMS), encoding="utf-8")
    return path


def test_answers_show_every_metric_with_its_interval_and_chance(dateline, finished, file, tmp_path):
    said = dateline(
        "eval",
        "mcq",
        finished / "runs" / "conditioned",
        "--questions",
        file,
        "--out",
        tmp_path / "o",
        "--resamples",
        "99",
    )
    assert said.code == 0, said.err
    head, *lines = [line.split() for line in said.out.splitlines()]
    assert head[:4] == ["condition", "metric", "items", "all"]
    shown = {(line[0], line[1]): line for line in lines if len(line) > 3}
    assert shown["gold", "accuracy_cloze"][2] == "3"
    assert {metric for _, metric in shown} >= {"accuracy_letter", "switch_cloze", "shift_cloze", "switch_letter"}
    assert any(line[:3] == ["gold", "conditioned/none", "accuracy_cloze_difference"] for line in lines)
    assert "3 items, chance 0.333 (switch and shift: 0.5), 95% intervals" in said.out
    assert "warning" not in said.err


def test_another_model_is_compared(dateline, finished, file, tmp_path):
    for name in ("plain", "conditioned"):
        more = ["--versus", tmp_path / "plain"] if name == "conditioned" else []
        said = dateline(
            "eval",
            "mcq",
            finished / "runs" / name,
            "--questions",
            file,
            "--out",
            tmp_path / name,
            "--conditions",
            "none",
            "--resamples",
            "99",
            *more,
        )
        assert said.code == 0, said.err
    assert "plain/none" in said.out


def test_sampled_answers_warn_and_shows_the_strict_share_beside_it(dateline, finished, file, tmp_path):
    said = dateline(
        "eval",
        "mcq",
        finished / "runs" / "plain",
        "--questions",
        file,
        "--out",
        tmp_path / "o",
        "--conditions",
        "none",
        "--answers",
        "paper-generative",
        "--num-tokens",
        "2",
        "--resamples",
        "99",
    )
    assert said.code == 0, said.err
    assert "warning: paper-generative: options stand in one order" in said.err
    for metric in (
        "accuracy_paper_generative ",
        "accuracy_paper_generative_strict",
        "accuracy_cloze",
        "accuracy_letter",
    ):
        assert metric in said.out


def test_tasks_are_written_and_the_command_is_said(dateline, finished, file, tmp_path):
    model = finished / "runs" / "conditioned"
    said = dateline(
        "eval",
        "mcq",
        model,
        "--questions",
        file,
        "--write-tasks",
        tmp_path / "t",
        "--conditions",
        "gold",
        "--fields",
        "country",
    )
    assert said.code == 0, said.err
    assert said.out.endswith(
        f"lm_eval run --model hf --model_args pretrained={model / 'model'} --include_path {tmp_path / 't'} "
        "--tasks dateline_mcq\n"
    )
    assert read_manifest(tmp_path / "t").recipe["fields"] == ["country"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "give either --out DIR"),
        (["--out", "OUT", "--write-tasks", "OUT"], "give either --out DIR"),
        (["--out", "OUT", "--conditions", "silver"], "unknown condition 'silver'"),
        (["--out", "OUT", "--fields", "planet"], "--fields: must be 'domain', "),
        (["--out", "OUT", "--fields", "domain"], "shows only domain, of which a question has none"),
        (["--out", "OUT", "--versus", "nowhere"], "nowhere: no such folder; make it with: dateline eval mcq"),
        (["--out", "OUT", "--by", "domain"], "--by: must be 'continent' or 'country' (given: 'domain')"),
    ],
)
def test_mistakes_of_mcq_are_one_line_and_leave_nothing(dateline, finished, file, tmp_path, more, message):
    words = [tmp_path / "o" if word == "OUT" else word for word in more]
    said = dateline("eval", "mcq", finished / "runs" / "plain", "--questions", file, *words)
    assert said.code == 2
    assert message in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == [file]


FACTS = {"versus_body_tokens": 1000, "points": 4, "reached_before_first_point": 0.0}


def share(value, low, high):
    return score(
        metric="share_to_reach", value=value, ci_low=low, ci_high=high, versus_run="b", versus_condition="none"
    )


@pytest.mark.parametrize(
    ("found", "early", "expected"),
    [
        (share(0.5, 0.4, 0.61), 0.0, "reached with 50.0% [40.0%, 61.0%] of these."),
        (share(0.5, 0.4, math.inf), 0.0, "reached with 50.0% [40.0%, not reached] of these."),
        (share(0.1, 0.1, 0.2), 0.3, "of these. 30% of the resamples were there at the first point: an upper bound."),
        (share(0.5, math.nan, math.nan), 0.0, "reached with 50.0% [one document: no interval] of these."),
        (
            share(math.inf, 0.4, math.inf),
            0.0,
            "of b/none after 1,000 body tokens: reached at none of 4 points.",
        ),
    ],
)
def test_efficiency_in_words(found, early, expected):
    assert expected in sentence(found, {**FACTS, "reached_before_first_point": early})


def test_a_run_without_checkpoints_is_refused_in_one_line(dateline, finished, tmp_path):
    run, plain, encoded = (finished / name for name in ("runs/conditioned", "runs/plain", "encoded"))
    said = dateline(
        "eval",
        "efficiency",
        run,
        "--versus",
        plain,
        "--corpus",
        encoded,
        "--out",
        tmp_path / "e",
        "--protocol.window",
        "128",
    )
    assert said.code == 2
    assert "has no checkpoint before its end, so no curve" in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_is_located(dateline, finished, tmp_path):
    pytest.importorskip("sklearn")
    out = tmp_path / "o"
    said = dateline(
        "eval",
        "locate",
        finished / "runs" / "conditioned",
        "--corpus",
        finished / "encoded",
        "--out",
        out,
        "--run",
        "mine",
        "--protocol.num_documents",
        "12",
        *SETTINGS,
    )
    assert said.code == 0, said.err
    assert (out / "scores.parquet").is_file()
    rows = [line.split() for line in said.out.splitlines()]
    assert rows[0] == ["metric", "mine", "tfidf"]
    metrics = [row[0] for row in rows[1:11]]
    assert metrics[:5] == ["accuracy_country", "top3_country", "accuracy_continent", "log_loss", "ece"]
    assert metrics[5:] == [f"{name}_masked" for name in metrics[:5]]
    assert "accuracy_country_difference of mine/" in said.out
    assert "McNemar" in said.out
    assert said.out.endswith(f"everything is in {out}\n")


def test_a_corpus_is_located_without_a_baseline(dateline, finished, tmp_path):
    said = dateline(
        "eval",
        "locate",
        finished / "runs" / "conditioned",
        "--corpus",
        finished / "encoded",
        "--out",
        tmp_path / "o",
        "--no-baseline",
        "--protocol.num_documents",
        "2",
        *SETTINGS,
    )
    assert said.code == 0, said.err
    assert {found.run for found in read_scores(tmp_path / "o")} == {"conditioned"}


def test_a_row_is_a_line_and_nothing_in_it_is_markup(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_rows([{"run": "[red]a", "condition": "gold", "all": "1.5"}, {"run": "b", "condition": "none", "all": "2"}])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["run", "condition", "all"], ["[red]a", "gold", "1.5"], ["b", "none", "2"]]


def test_no_rows_are_no_table(capsys):
    print_rows([])
    assert capsys.readouterr().out.strip() == ""
