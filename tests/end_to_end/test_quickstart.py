"""The quickstart as shipped, with smaller values: from nothing to a table and a page."""

import json
import re
from pathlib import Path

from dateline.cli import main
from dateline.cli.experiment import QUICKSTART
from dateline.manifest import read_manifest

ROOT = Path(__file__).parents[2]
SMALL = [
    *["--corpus.newswire.articles", "400", "--encode.vocab_size", "600", "--defaults.packing.sequence_length", "192"],
    *["--defaults.train.epochs", "null", "--defaults.train.steps", "5", "--defaults.train.batch_rows", "4"],
    *["--defaults.train.validate_every", "4", "--defaults.train.validation_documents", "8"],
    *["--defaults.schedule.warmup_steps", "2", "--evaluate.resamples", "200"],
    *("--samples", "{headlines: 1, places: 2, num_tokens: 4}"),
]


def test_the_recipe_is_the_packaged_one():
    assert (ROOT / "recipes" / "quickstart.yaml").read_bytes() == QUICKSTART.read_bytes()


def test_it_ends_with_a_table_and_a_page(tmp_path, capsys):
    folder = tmp_path / "out"
    main(["quickstart", "--out", str(folder), "--workers", "1", *SMALL])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("differences of perplexity in %, ")
    (head,) = [line.split() for line in lines if line.startswith("run ")]
    assert head == ["run", "gold", "none", "wrong", "recovered", "gain"]
    assert [line.split()[0] for line in lines[-5:-2]] == ["plain", "conditioned", "undertrained:"]
    assert lines[-2].startswith(f"{folder / 'report.html'} (")
    served = re.fullmatch(r"use it: \S*dateline serve (\S+), then open http://127\.0\.0\.1:8000", lines[-1])
    assert (Path(served[1]) / "dateline.json").exists() or (Path(served[1]) / "model" / "dateline.json").exists()
    page = (folder / "report.html").read_text()
    assert "Dateline quickstart" in page
    assert "<script" not in page
    for run in ("plain", "conditioned"):
        manifest = read_manifest(folder / "runs" / run)
        assert manifest.counts["steps"] == 5
        assert manifest.recipe["optimizer"]["name"] == "muon"
    summary = json.loads((folder / "summary.json").read_text())
    assert {"seconds", "recovered_gain", "recovered_gain_ci", "nll_difference", "entropy"} <= summary.keys()
    assert summary["ppl"]["plain"].keys() == {"none"}
    assert summary["ppl"]["conditioned"].keys() == {"gold", "none", "wrong"}
