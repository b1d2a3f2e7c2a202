"""A model's answers as tables with intervals, or the same questions as tasks."""

import json

import pytest

from dateline.manifest import read_manifest

ITEMS = [
    {"question": "Where is the port?", "options": ["Lagos", "Mombasa", "Hull"], "answer": "Lagos", "country": "ng",
     "contrast_country": "gb", "contrast_answer": "Hull"},
    {"question": "Who wins?", "options": ["Karachi", "Lahore", "Leeds"], "answer": "Lahore", "country": "pk"},
    {"question": "Who sits?", "options": ["Parliament", "Court", "Team"], "answer": "Court", "country": "gb"},
]  # fmt: skip


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in ITEMS), encoding="utf-8")
    return path


def test_tables_show_every_metric_with_its_interval_and_chance(dateline, finished, file, tmp_path):
    said = dateline(
        "eval", "mcq", finished / "runs" / "conditioned", file, "--out", tmp_path / "o", "--resamples", "99"
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
        said = dateline("eval", "mcq", finished / "runs" / name, file, "--out", tmp_path / name, "--conditions", "none",
                        "--resamples", "99", *more)  # fmt: skip
        assert said.code == 0, said.err
    assert "plain/none" in said.out


def test_the_published_protocol_warns_and_shows_the_strict_share_beside_it(dateline, finished, file, tmp_path):
    said = dateline("eval", "mcq", finished / "runs" / "plain", file, "--out", tmp_path / "o", "--conditions", "none",
                    "--protocol", "paper-generative", "--num-tokens", "2", "--resamples", "99")  # fmt: skip
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
        "eval", "mcq", model, file, "--write-tasks", tmp_path / "t", "--conditions", "gold", "--fields", "country"
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
        (["--out", "OUT", "--fields", "planet"], "--fields: fields.0: "),
        (["--out", "OUT", "--fields", "domain"], "shows only domain, of which a question has none"),
        (["--out", "OUT", "--versus", "nowhere"], "nowhere: no such folder; make it with: dateline eval mcq"),
        (["--out", "OUT", "--by", "domain"], "by: 'domain' is not known"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(dateline, finished, file, tmp_path, more, message):
    words = [tmp_path / "o" if word == "OUT" else word for word in more]
    said = dateline("eval", "mcq", finished / "runs" / "plain", file, *words)
    assert said.code == 2
    assert message in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == [file]
