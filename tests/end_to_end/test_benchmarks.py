"""The training benchmarks run from end to end on a machine without a GPU; what they measure there is not looked at."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TINY = ["--vocab-size", "600", "--sequence-length", "128"]


@pytest.fixture
def script(monkeypatch):
    """Loads a script as `python benchmarks/NAME.py` would, without running it."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name):
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, f"benchmark_{name}", module)
        spec.loader.exec_module(module)
        return module

    yield load
    sys.modules.pop("loader", None)


def table(text, first):
    """Returns the cells of the rows of the table whose heading begins with a word."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def number(cell):
    return float(re.match(r"[+-]?[\d,.]+", cell)[0].replace(",", ""))


def test_the_gpu_script_has_a_dry_run_on_the_cpu(script, capsys):
    script("gpu_training").main(["--dry-run"])
    said = capsys.readouterr().out
    rows = {row[2]: row[3:] for row in table(said, "Size")}
    assert "Ceiling: " in said
    assert not [row for row in rows.values() if "failed" in row[0]]
    speed, mfu, fill, waiting, peak, *parts = rows["documents apart, compile off"]
    assert number(speed) > 0
    assert 0 < number(mfu) <= 100
    assert 90 < number(fill) <= 100
    assert 0 <= number(waiting) < 50
    assert peak == "-"
    assert 50 < sum(map(number, parts)) <= 100
    assert "matrix products" in rows["where the time goes"][0]
    assert "% time [" in rows["against plain causal attention"][0]
    assert number(rows["train_model itself"][0]) > 0
    assert rows["activations recomputed"][0] != ""
    assert rows["float8 (torchao)"][0].startswith(("not installed", "needs a GPU"))


def test_the_gpu_script_keeps_to_its_minutes_and_says_what_was_left_out(script, capsys):
    script("gpu_training").main(["--dry-run", "--minutes", "0"])
    rows = table(capsys.readouterr().out, "Size")
    assert rows
    assert {row[3] for row in rows} == {"not measured: the time (--minutes) was up"}


def test_a_row_that_fails_says_so_and_costs_no_other(script, capsys, monkeypatch):
    module = script("gpu_training")

    def broken(self):
        raise torch.OutOfMemoryError("no room\nfor more")

    import torch

    monkeypatch.setattr(module.Case, "_pair", broken)
    module.main(["--dry-run", "--only", "plain causal", "documents apart", "float8"])
    said = capsys.readouterr()
    rows = {row[2]: row[3] for row in table(said.out, "Size")}
    assert rows["against plain causal attention"] == "failed: OutOfMemoryError: no room"
    assert len(rows) == 3
    assert rows["float8 (torchao)"]
    assert "in broken" in said.err


def test_model_flops_are_those_of_the_document_and_the_scored_tokens(script):
    """By hand: pico has 4 layers of 4 * 128^2 + 3 * 128 * 256 weights; two documents of 3 and 5 tokens, 4 labels."""
    import numpy as np

    from dateline.tokens.loader import Batch

    module = script("gpu_training")
    bench = object.__new__(module.Bench)
    bench.recipe, bench.vocab_size = module.make_recipe(Path(), "pico", 16, 1, steps=1), 600
    labels = np.full((1, 16), -100)
    labels[0, :4] = 7
    ids = np.zeros((1, 16), dtype=np.int64)
    lengths = np.array([3, 5, 8], dtype=np.int32)
    batch = Batch(ids, labels, ids, lengths, num_tokens=8, num_body_tokens=4, num_rows=1, group_tokens=np.array([4]))
    attended = (3 * 4 / 2 + 5 * 6 / 2 + 8 * 9 / 2) / 16
    matrices = 4 * (4 * 128**2 + 3 * 128 * 256)
    head = 6 * 600 * 128 * 4
    assert bench._flops(batch, causal=False) == pytest.approx(8 * (6 * matrices + 12 * 4 * 128 * attended) + head)
    assert bench._flops(batch, causal=True) == pytest.approx(8 * (6 * matrices + 12 * 4 * 128 * 17 / 2) + head)


def test_loops_are_compared_in_turns(script, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "litgpt", None)  # where it is installed, it would compile for a minute
    words = ["--sizes", "pico", "--steps", "4", "--rows", "2", "--repeats", "2", "--articles", "200", *TINY]
    script("training").main(words)
    said = capsys.readouterr().out
    assert "litgpt: left out, not installed" in said
    rows = table(said, "Size")
    assert [row[1] for row in rows] == ["dateline", "trainer", "trainer-documents"]
    assert rows[0][3] == "1.00 [1.00, 1.00]"
    assert all(number(row[2]) > 0 for row in rows)


def test_the_clock_needs_steps_after_the_warm_up(script, capsys):
    with pytest.raises(SystemExit):
        script("training").main(["--steps", "2"])
    assert "--steps: more than 2" in capsys.readouterr().err


def test_the_loader_is_set_against_what_a_model_asks_for(script, capsys):
    words = ["--documents", "300", "--batches", "20", "--repeats", "2", "--sizes", "pico", "--needed", "10"]
    script("loader").main([*words, "--vocab-size", "600", "--rows", "2", "--sequence-lengths", "128", "256"])
    said = capsys.readouterr().out
    assert [row[0] for row in table(said, "Sequence")] == ["128", "256"]
    given, pico = table(said, "Model")
    assert given[:2] == ["given", "10"]
    assert number(given[2]) > 20
    assert pico[0] == "pico"
    assert number(pico[1]) > 0


def test_random_corpora_have_the_vocabulary_and_the_fields_of_real_ones(script, tmp_path):
    from dateline.tokens.tokenizer import load_tokenizer

    corpus = script("loader").write_encoded(tmp_path / "encoded", documents=120, vocab_size=5000, median_tokens=50)
    tokenizer = load_tokenizer(corpus.tokenizer_folder)
    assert len(tokenizer) == 5000
    assert len(tokenizer("COUNTRY: us\n", add_special_tokens=False)["input_ids"]) < 10
    place = corpus.metadata(3)
    assert (place.domain, place.country, place.continent) != ("", "", "")
    assert corpus.tokens(3).min() >= 3
    assert max(corpus.tokens(index).max() for index in range(120)) < 5000
    assert len(corpus.select("validation")) == 3


def test_memory_of_the_loss_is_measured_in_processes_of_their_own(script, capsys):
    words = ["--positions", "4096", "--hidden-size", "8", "--vocab-size", "4000", "--device", "cpu"]
    script("loss_memory").main([*words, "--formats", "float32"])
    rows = table(capsys.readouterr().out, "Format")
    assert [row[:2] for row in rows] == [["float32", "naive"], ["float32", "chunked"]]
    naive, chunked = (number(row[2]) for row in rows)
    assert naive > 2 * 4096 * 4000 * 4 / 2**20  # logits and their gradient
    assert chunked < naive / 4
    assert rows[0][5] == "100.0%"


def test_a_process_that_fails_says_so_in_the_table(script, capsys):
    module = script("loss_memory")
    module.main(["--positions", "-1", "--device", "cpu", "--formats", "float32", "--vocab-size", "600"])
    assert all(row[2].startswith("failed: RuntimeError") for row in table(capsys.readouterr().out, "Format"))


def test_optimizers_are_compared_by_seed(script, capsys):
    words = ["--size", "pico", "--newswire", "800", "--tokens", "2000", "--batch-rows", "2", *TINY]
    rates = ["--adamw-rates", "3e-3", "6e-3", "--muon-rates", "1e-2"]
    script("optimizers").main([*words, "--validation-documents", "10", "--seeds", "0", "1", *rates])
    said = capsys.readouterr().out
    assert "at the edge of the list" in said
    runs = table(said, "Seed")
    assert [row[:2] for row in runs] == [[s, o] for s in ("0", "1") for o in ("adamw", "muon")]
    gold = table(said, "Condition")[0]
    losses = {(row[0], row[1]): number(row[3]) for row in runs}
    mean = sum(losses[seed, "muon"] - losses[seed, "adamw"] for seed in ("0", "1")) / 2
    assert number(gold[3]) == pytest.approx(mean, abs=2e-4)
    assert "2 seeds" in said


def test_a_corpus_without_validation_documents_is_refused(script):
    words = ["--size", "pico", "--newswire", "60", "--tokens", "500", "--batch-rows", "2", *TINY]
    with pytest.raises(SystemExit, match="no validation loss; with so few articles"):
        script("optimizers").main([*words, "--seeds", "0", "1"])


def test_the_paired_interval_is_students(script):
    mean, low, high = script("optimizers").paired([1.0, 2.0, 3.0], [0.0, 0.0, 0.0])
    assert (mean, high - mean) == pytest.approx((2.0, 4.302653 / 3**0.5))
    assert low == pytest.approx(2 * mean - high)


def test_rates_are_not_judged_on_the_seed_that_chose_them(script, capsys):
    with pytest.raises(SystemExit):
        script("optimizers").main(["--sweep-seed", "1"])
    assert "must not be judged on it" in capsys.readouterr().err


def test_the_evaluation_script_scores_the_same_numbers(script, capsys):
    words = ["--size", "pico", "--documents", "8", "--vocab-size", "600", "--window", "128", "--repeats", "1"]
    script("evaluation").main(words)
    rows = {row[0]: row[1:] for row in table(capsys.readouterr().out, "Loop")}
    assert rows.keys() == {"one at a time", "float32", "bfloat16"}
    assert all(number(speed) > 0 for speed, *_ in rows.values())
    assert abs(float(rows["float32"][2])) < 1e-5


def test_the_cost_of_country_inference_is_given_in_scorings_of_one_place(script, capsys):
    words = ["--sizes", "pico", "--lengths", "24", "--tokens", "8", "--vocab-size", "600", "--repeats", "1"]
    script("locate").main([*words, "--threads", "1"])
    rows = table(capsys.readouterr().out, "Size")
    assert {(size, length) for size, length, *_ in rows} == {("pico", "24")}
    assert [way for _, _, way, *_ in rows] == [
        "batches of 2,048 tokens (default)",
        "batches of 8,192 tokens",
        "a place at a time",
        "first 8 tokens",
    ]
    assert all(number(milliseconds) > 0 and number(ratio) > 0 for *_, milliseconds, ratio, _ in rows)
    assert number(rows[2][4]) > 2  # 18 calls instead of one
