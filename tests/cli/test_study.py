"""`dateline study`: counts and tables within 80 columns, files beside them, and exit code 3 for truths not found."""

import shutil

import pyarrow as pa
import pytest

from dateline.scores import read_findings, read_losses, write_losses


@pytest.fixture
def folder(finished, tmp_path):
    """A finished experiment of a plain and a conditioned model, to be changed."""
    return shutil.copytree(finished, tmp_path / "tiny")


def shift(folder, **gains):
    """Gives the conditioned model the losses of the plain one, less some nats per token by condition."""
    plain = {row["id"]: row["nll"] for row in read_losses(folder / "perplexity/plain").to_pylist()
             if row["slice_by"] == "all"}  # fmt: skip
    place = folder / "perplexity/conditioned"
    rows = [row for row in read_losses(place).to_pylist() if row["slice_by"] == "all"]
    for row in rows:
        row["nll"] = plain[row["id"]] - gains.get(row["condition"], 0.0) * row["n_tokens"]
    write_losses(place, pa.Table.from_pylist(rows))


def test_known_truths_that_are_found_end_with_0(dateline, folder):
    shift(folder, gold=0.1)
    said = dateline("study", folder)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "3 findings: 1 replicates, 1 found, 1 none within the margin"
    assert all(len(line) <= 80 for line in lines[:-1])
    assert lines[-1] == str(folder / "findings.md")
    assert "5. Fields of the prefix, and balance of the mix" in lines
    assert [one.verdict for one in read_findings(folder)] == ["replicates", "none within the margin", "found"]
    assert "* one seed was trained: the interval is over documents only" in lines
    assert "NOT FOUND" not in said.out
    words = " ".join(said.out.split())
    assert "not asked by the runs of this recipe: in_region, out_of_region, " in words
    assert "the rule is the default one" in words


def test_known_truths_that_are_not_found_end_with_3_after_everything_is_written(dateline, folder):
    shift(folder)
    said = dateline("study", folder)
    assert (said.code, said.err) == (3, "")
    assert said.out.count("NOT FOUND: ") == 2
    assert "ideal -0.0" in said.out
    assert len(read_findings(folder)) == 3
    assert (folder / "findings.md").is_file()


def test_a_hole_is_named(dateline, folder):
    shutil.rmtree(folder / "perplexity/plain")
    said = dateline("study", folder)
    assert said.code == 3  # what was not measured was not found
    assert said.out.splitlines()[0] == "3 findings: 3 missing"
    assert "missing: fields pico all domain+country+continent: plain" in " ".join(said.out.split())


def test_the_recipe_can_be_given_where_there_is_no_manifest(dateline, folder, experiment_recipe):
    shift(folder, gold=0.1)
    (folder / "manifest.json").unlink()
    said = dateline("study", folder)
    assert said.code == 2
    assert "no manifest.json in it" in said.err
    assert "--recipe RECIPE" in said.err
    assert dateline("study", folder, "--recipe", experiment_recipe).code == 0


def test_a_folder_of_something_else_is_refused_in_one_line(dateline, folder):
    said = dateline("study", folder / "corpus")
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "holds the result of 'corpus', not 'experiment'" in said.err
