"""A model's scores as a table, under the settings of the command line."""

import pytest

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
    assert [row[1] for row in rows if row[0] == "conditioned"] == ["gold", "swap:gb"]
    recipe = read_manifest(tmp_path / "s").recipe
    assert (recipe["conditions"], recipe["by"], recipe["fields"]) == (["gold", "swap:gb"], ["continent"], ["country"])
    assert (recipe["protocol"]["window"], recipe["protocol"]["num_documents"]) == (128, 10)
    assert said.out.endswith(f"everything is in {tmp_path / 's'}\n")


def test_the_model_folder_inside_the_run_can_be_named(dateline, finished, tmp_path):
    line = words(finished, tmp_path / "s")
    line[2] = line[2] / "model"
    said = dateline(*line, "--run", "mine", "--conditions", "none")
    assert said.code == 0, said.err
    assert read_manifest(tmp_path / "s").recipe["run"] == "mine"


@pytest.mark.parametrize(
    ("more", "message"),
    [
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
