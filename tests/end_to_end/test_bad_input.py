"""Whatever is wrong: one line on standard error, the right exit code, and nothing under the final name."""

import errno
import gzip
import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from transformers import LlamaConfig, LlamaForCausalLM

from dateline import stage
from dateline.cli import main
from dateline.corpus import build
from dateline.manifest import read_manifest
from dateline.testing import byte_tokenizer
from dateline.train import checkpoint

TEXT = "The council met in the old town hall on Monday and said that the river would be watched day and night. " * 4
TRAIN = {
    "model": {"size": "pico", "max_positions": 128},
    "packing": {"sequence_length": 128},
    "mix": {"weights": "natural"},
    "optimizer": {"learning_rate": 5.0e-3},
    "schedule": {"warmup_steps": 1},
    "train": {"steps": 2, "batch_rows": 2, "validate_every": 0, "checkpoint_every": 1, "device": "cpu"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus, its encoding, a recipe and a run. Read only."""
    folder = tmp_path_factory.mktemp("made")
    main(["newswire", "--articles", "200", "--out", str(folder / "corpus")])
    main(["encode", str(folder / "corpus"), "--out", str(folder / "encoded"), "--vocab-size", "400"])
    (folder / "train.yaml").write_text(yaml.safe_dump({"data": str(folder / "encoded"), **TRAIN}))
    main(["train", str(folder / "train.yaml"), "--out", str(folder / "run")])
    return folder


@pytest.fixture
def refused(capsys):
    """Runs a command line that must fail, and returns its only line on standard error beside progress."""

    def call(code, *words):
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        said = capsys.readouterr()
        assert left.value.code == code, said.err
        assert said.out == ""
        lines = said.err.splitlines()
        assert [line for line in lines if line.startswith("dateline: ")] == lines[-1:]
        assert "Traceback" not in said.err
        return lines[-1].removeprefix("dateline: ")

    return call


def write_news(path, number):
    rows = [{"url": f"https://punchng.com/{n}", "title": f"Story {n}", "text": f"{n}. {TEXT}"} for n in range(number)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


# Corpus


def test_a_file_that_is_not_there(refused, tmp_path):
    assert "news.jsonl" in refused(2, "corpus", tmp_path / "news.jsonl", "--out", tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_cannot_be_read_is_counted_and_the_rest_goes_on(tmp_path, capsys):
    news = write_news(tmp_path / "news.jsonl", 40)
    lines = news.read_text().splitlines()
    news.write_text("\n".join([*lines[:20], '{"url": "https://x', "\x00\x01", *lines[20:]]) + "\n")
    main(["corpus", str(news), "--out", str(tmp_path / "c"), "--near_duplicates.threshold", "null"])
    manifest = read_manifest(tmp_path / "c")
    assert (manifest.counts["in"], manifest.counts["kept"], manifest.drops) == (42, 40, {"unreadable": 2})
    (left,) = (tmp_path / "c" / "dropped" / "unreadable").iterdir()
    dropped = [json.loads(line) for line in gzip.decompress(left.read_bytes()).splitlines()]
    assert [row["source"] for row in dropped] == [f"{news}:21", f"{news}:22"]
    assert "dropped 2: unreadable" in capsys.readouterr().out


def test_a_column_that_is_not_there(refused, tmp_path):
    path = tmp_path / "news.csv"
    path.write_text("address,words\nhttps://punchng.com/1,Something\n")
    line = refused(2, "corpus", path, "--out", tmp_path / "c", "--columns.text", "body")
    assert "body" in line
    assert "words" in line
    assert [left.name for left in tmp_path.iterdir()] == ["news.csv"]


def test_no_usable_document(refused, tmp_path):
    news = write_news(tmp_path / "news.jsonl", 3)
    line = refused(2, "corpus", news, "--out", tmp_path / "c", "--min_characters", "5000")
    assert line == (
        "no usable document is left of 3 read; dropped most often: too short 3; "
        f"each of them is in {tmp_path / 'c' / 'dropped'}"
    )
    assert sorted(left.name for left in tmp_path.iterdir()) == ["c", "news.jsonl"]


# Recipes


def test_an_unknown_key_is_named_with_its_line(refused, tmp_path):
    recipe = tmp_path / "corpus.yaml"
    recipe.write_text("paths: [news.jsonl]\nlangauge: en\n")
    line = refused(2, "corpus", recipe, "--out", tmp_path / "c")
    assert line == f"{recipe}:2: unknown key 'langauge'; did you mean 'language'?"


# Folders


@pytest.mark.parametrize("verb", ["newswire", "encode", "train", "eval", "experiment"])
def test_out_that_is_a_file(refused, made, tmp_path, verb):
    out = tmp_path / "out"
    out.write_text("mine")
    words = {
        "newswire": ["newswire"],
        "encode": ["encode", made / "corpus"],
        "train": ["train", made / "train.yaml"],
        "eval": ["eval", "perplexity", made / "run", "--corpus", made / "encoded", "--protocol.window", "128"],
        "experiment": ["experiment", tmp_path / "e.yaml"],
    }[verb]
    (tmp_path / "e.yaml").write_text(
        yaml.safe_dump({"name": "e", "corpus": {"newswire": {"articles": 9}}, "defaults": TRAIN, "runs": {"a": {}},
                        "evaluate": {"protocol": {"window": 128}}})
    )  # fmt: skip
    assert refused(2, *words, "--out", out) == f"{out}: is a file; --out names a folder"
    assert out.read_text() == "mine"


def test_eval_on_a_folder_without_a_model(refused, made, tmp_path):
    (tmp_path / "empty").mkdir()
    words = ["--corpus", made / "encoded", "--out", tmp_path / "s", "--protocol.window", "128"]
    for folder in (tmp_path / "empty", tmp_path / "nowhere", made / "corpus"):
        assert str(folder) in refused(2, "eval", "perplexity", folder, *words)
    assert [left.name for left in tmp_path.iterdir()] == ["empty"]


# Models


def test_a_tokenizer_that_does_not_fit_the_model(refused, made, tmp_path):
    model = tmp_path / "model"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=100, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=2048,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(model)
    byte_tokenizer().save_pretrained(model)
    line = refused(2, "eval", "perplexity", model, "--corpus", made / "encoded", "--out", tmp_path / "s")
    assert "vocabulary" in line or "tokenizer" in line
    assert not (tmp_path / "s").exists()


def test_a_checkpoint_of_another_recipe(refused, made, tmp_path):
    run = shutil.copytree(made / "run", tmp_path / "run")
    (run / "manifest.json").unlink()
    shutil.rmtree(run / "model")
    line = refused(2, "train", made / "train.yaml", "--out", run, "--resume", "--seed", "1")
    assert "is a checkpoint of another recipe" in line
    assert "restore the recipe or choose another --out" in line
    assert not (run / "manifest.json").exists()
    assert not (run / "model").exists()


def test_a_finished_run_of_another_recipe(refused, made):
    before = (made / "run" / "manifest.json").read_bytes()
    line = refused(2, "train", made / "train.yaml", "--out", made / "run", "--resume", "--seed", "1")
    assert "is the finished run of another recipe (seed: 0 -> 1)" in line
    assert (made / "run" / "manifest.json").read_bytes() == before


# A full disk


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("verb", ["newswire", "encode", "train"])
def test_a_full_disk(refused, made, tmp_path, monkeypatch, verb):
    owner, name, words = {
        "newswire": (build, "write_manifest", ["newswire", "--articles", "50"]),
        "encode": (stage, "write_manifest", ["encode", made / "corpus", "--vocab-size", "300"]),
        "train": (checkpoint, "write_atomically", ["train", made / "train.yaml"]),
    }[verb]
    monkeypatch.setattr(owner, name, full)
    line = refused(1, *words, "--out", tmp_path / "out")
    assert line == "the disk is full; free some space and run the same command again; what was finished is kept"
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert not (tmp_path / "out" / "model").exists()
    if verb != "train":  # the pieces of a corpus stay, and are not made again
        assert [left.name for left in tmp_path.iterdir()] == ([".out.work"] if verb == "newswire" else [])
    else:
        assert list((tmp_path / "out" / "checkpoints").iterdir()) == []


def test_a_disk_that_fills_up_while_a_file_is_written(refused, tmp_path, monkeypatch):
    news = write_news(tmp_path / "news.jsonl", 5)
    real = Path.open

    def opened(self, *words, **options):
        if self.name == "review.jsonl":
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return real(self, *words, **options)

    monkeypatch.setattr(Path, "open", opened)
    line = refused(1, "corpus", news, "--out", tmp_path / "c")
    assert "review.jsonl: the disk is full" in line
    assert sorted(left.name for left in tmp_path.iterdir()) == [".c.work", "news.jsonl"]
    monkeypatch.setattr(Path, "open", real)
    main(["corpus", str(news), "--out", str(tmp_path / "c")])
    assert sorted(left.name for left in tmp_path.iterdir()) == ["c", "news.jsonl"]
