"""A model's scores as a table, under the settings of the command line."""

import json
import shutil

import pytest

from dateline.evaluate.table import read_scores
from dateline.manifest import read_manifest


def words(finished, out):
    model, encoded = finished / "runs" / "conditioned", finished / "encoded"
    return [
        "eval",
        "perplexity",
        model,
        "--corpus",
        encoded,
        "--out",
        out,
        "--protocol.window",
        "128",
        "--resamples",
        "200",
    ]


def test_a_table_is_printed_and_settings_reach_the_manifest(dateline, finished, tmp_path):
    said = dateline(*words(finished, tmp_path / "s"), "--conditions", "gold, swap:gb", "--by", "continent", "--fields",
                    "country", "--protocol.num_documents=10")  # fmt: skip
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
    pairs = [(row[0], row[1]) for row in rows if len(row) > 4 and row[1].endswith("/none")]
    assert pairs == [("country", "conditioned/none"), ("none", "plain/none"), ("country", "plain/none")]
    assert ["run", "condition", "all", "first", "64", "rest", "title"] in rows
    said = dateline(*words(finished, tmp_path / "u"), "--conditions", "none,url", "--protocol.prefix_room", "100")
    assert "conditioned  url [leak]" in said.out
    assert "LEAK: url: the prefix shows the URL" in said.out
    assert "note: url: the model was not trained with url" in said.out


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
        (["--batch-tokens", "0"], "--batch-tokens 0: give 1 or more"),
        (["--resamples", "1"], "resamples 1: an interval needs two or more"),
        (["--conditions", "silver"], "unknown condition 'silver'"),
        (["--by", "planet"], "cannot group by 'planet'"),
        (["--protocol.windows", "3"], "--protocol: unknown key 'windows'; did you mean 'window'?"),
        (["--protocl.window", "3"], "unknown option '--protocl.window'; see dateline eval perplexity --help"),
        (["--fields", "planet"], "--fields: fields.0: "),
        (["--protocol.window", "4096"], "reads 128 tokens, the protocol's window is 4,096"),
    ],
)
def test_mistakes_leave_nothing(dateline, finished, tmp_path, more, message):
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
