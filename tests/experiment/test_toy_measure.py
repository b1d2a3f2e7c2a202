"""Adding a measure takes its module and one line of the registry: it is in CLI, recipe, table and report.

Everything between the two comments is the measure; the line of the registry is in the fixture `registered`.
"""

import inspect
import math
from pathlib import Path

import pytest

from dateline.cli import main
from dateline.evaluate.recipe import MEASURES, Measure, Scoring
from dateline.experiment.run import run_experiment
from dateline.manifest import read_manifest, require_manifest
from dateline.model.load import model_fingerprint
from dateline.report import write_report
from dateline.scores import Score, read_scores, write_scores
from dateline.stage import Made, Stage
from dateline.tokens.store import EncodedCorpus

# The measure


class Toy(Scoring):
    """Finds which share of the test documents is long."""

    corpus: str
    """Encoded corpus."""
    longer_than: int = 100
    """Body tokens."""


def toy_stage(model, options, run):
    corpus = EncodedCorpus.open(options.corpus)
    data = require_manifest(Path(options.corpus), "encode", "dateline encode CORPUS --out DIR").fingerprint
    parents = {"model": model_fingerprint(model), "corpus": data}

    def fill(folder):
        long = corpus.lengths[corpus.select("test")] > options.longer_than
        row = Score(
            **{"run": run, "measure": "toy", "metric": "long_documents", "condition": "", "unit": "share"},
            **{"slice_by": "all", "slice": "all", "n_documents": len(long), "n_tokens": None},
            **{"value": float(long.mean()), "ci_low": math.nan, "ci_high": math.nan},
            **{"protocol": f"toy-{options.longer_than}", "data": data, "model": parents["model"]},
        )
        write_scores(folder, [row])
        return Made(counts={"in": len(long), "kept": len(long)})

    return Stage("toy", {**options.identity(), "run": run}, parents, fill)


# The tests


@pytest.fixture
def registered(monkeypatch):
    measure = Measure(Toy, f"{__name__}:toy_stage", "share of long test documents", conditioned=False)
    monkeypatch.setitem(MEASURES, "toy", measure)


def share(folder, longer_than):
    corpus = EncodedCorpus.open(folder / "encoded")
    found = float((corpus.lengths[corpus.select("test")] > longer_than).mean())
    assert 0 < found < 1
    return found


def test_the_measure_has_at_most_thirty_lines():
    assert sum(len(inspect.getsource(part).splitlines()) for part in (Toy, toy_stage)) <= 30


def test_it_is_a_verb_with_its_option(registered, finished, tmp_path, capsys):
    words = ["eval", "toy", str(finished / "runs" / "noseed1-seed0"), "--corpus", str(finished / "encoded")]
    main([*words, "--longer-than", "180", "--out", str(tmp_path / "toy")])
    [row] = read_scores(tmp_path / "toy")
    assert (row.run, row.measure, row.value) == ("noseed1-seed0", "toy", share(finished, 180))
    assert read_manifest(tmp_path / "toy").recipe["longer_than"] == 180
    said = capsys.readouterr().out
    assert "long_documents" in said
    assert f"{row.value:.3f}" in said


def test_its_option_is_in_the_help(registered, capsys):
    for words, expected in ((["--help"], "share of long test documents"), (["toy", "--help"], "--longer-than")):
        with pytest.raises(SystemExit) as left:
            main(["eval", *words])
        assert left.value.code == 0
        assert expected in capsys.readouterr().out


def test_it_is_in_an_experiments_recipe_its_table_and_its_report(registered, copy, make, capsys):
    recipe = make(measures={"toy": {"longer_than": 180}})
    run_experiment(recipe, copy)
    rows = [score for score in read_scores(copy) if score.measure == "toy"]
    assert [row.run for row in rows] == ["noseed1-seed0", "reseed2-seed0", "noseed1-seed1", "reseed2-seed1"]
    assert {(row.metric, row.value, row.protocol) for row in rows} == {("long_documents", share(copy, 180), "toy-180")}
    assert "trained anew" not in capsys.readouterr().err
    page = write_report(copy).read_text(encoding="utf-8")
    assert "Other measures" in page
    part = page[page.index("Other measures") :]
    assert "toy" in part
    assert f"{rows[0].value:.3f}" in part
