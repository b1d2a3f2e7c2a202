"""The verdict on sound, faulty and published sets, and the audit on disk."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dateline.benchmark.audit import as_plain, audit_questions, audit_stage
from dateline.benchmark.checks import PAPER_QUOTA
from dateline.errors import UserError
from dateline.manifest import read_manifest


@pytest.fixture
def audit(tmp_path):
    def of(questions, *lines, **more):
        path = tmp_path / "set.jsonl"
        items = [
            asdict(one) | {"answer": one.options[one.answer], "label": None, "country": one.label} for one in questions
        ]
        path.write_text("\n".join([*(json.dumps(item) for item in items), *lines]))
        return audit_questions(path, **more)

    return of


def verdicts(found):
    return {finding.check: finding.verdict for finding in found.findings}


def test_a_sound_set_is_fit(audit, make_questions):
    found = audit(make_questions(400), quota="even")
    assert found.fit, found.sentence
    assert found.sentence == "Fit for use: no check is unfit."
    assert (found.num_items, found.num_questions) == (400, 400)
    assert set(verdicts(found).values()) == {"fit"}


def test_a_small_set_is_a_reason_to_look(audit, make_questions):
    found = audit(make_questions(8))
    assert found.fit
    assert found.sentence == "Fit for use: no check is unfit; look at: size, countries."


def test_one_unfit_check_is_enough_and_comes_first(audit, make_questions):
    found = audit(make_questions(400, lambda place: {"answer": 0}))
    assert not found.fit
    assert found.sentence.startswith("Not fit for use. The gold answer is option A in 400 of 400 (100.0%)")
    assert [finding.check for finding in found.findings if finding.verdict == "unfit"] == ["position"]


def test_rotation_repairs_position_and_nothing_else(audit, make_questions):
    found = audit(make_questions(400, lambda place: {"answer": 0}), rotated=True)
    assert found.fit
    assert found.sentence == "Fit for use where scoring rotates the options: no check is unfit; look at: position."
    long = audit(
        make_questions(400, lambda place: {"answer": 0, "options": ("long answer", "a", "b", "c")}), rotated=True
    )
    assert not long.fit
    assert {"longest", "blind form"} <= {name for name, verdict in verdicts(long).items() if verdict == "unfit"}
    assert "Unfit as well:" in long.sentence


def test_a_set_with_broken_items_is_audited_and_unfit(audit, make_questions):
    found = audit(make_questions(200), "{", json.dumps({"question": "Who?", "options": ["a", "b"], "answer": "c"}))
    assert (found.num_items, found.num_questions) == (202, 200)
    assert verdicts(found)["defects"] == "unfit"
    assert "2 of 202 (1.0%) items cannot be scored as they are, the first at" in found.sentence
    reasons = [suspect.why for suspect in found.suspects if suspect.check == "defects"]
    assert reasons[0] == "is not a JSON object in UTF-8"


def test_a_set_without_one_usable_item_is_unfit(audit):
    found = audit([], json.dumps({"question": "Who?", "options": ["a", "b"], "answer": "c", "country": "gh"}))
    assert [finding.check for finding in found.findings] == ["defects"]
    assert not found.fit


def shared(name):
    root = Path(os.environ.get("DATELINE_SHARED") or Path(__file__).parents[3] / "shared")
    path = root / "data" / name
    if not path.exists():
        pytest.skip(f"no real data at {path}; set DATELINE_SHARED to the folder that holds data/")
    return path


def test_the_published_set_is_caught_for_its_answers_at_a():
    found = audit_questions(shared("qa_metacul.jsonl"), quota=PAPER_QUOTA)
    assert not found.fit
    assert "option A in 780 of 800 (97.5%)" in found.sentence
    by_name = {finding.check: finding for finding in found.findings}
    assert by_name["labels"].facts["several"] == {"us": {"United States": 34, "USA": 34}}
    assert by_name["countries"].sentence.endswith("the quotas are met.")


LINES = [
    {"question": "Capital?", "options": ["Accra", "Tamale"], "answer": "Accra", "country": "gh"},
    {"question": "Capital?", "options": ["Accra", "Tamale"], "answer": "Accra", "country": "gh"},
    {"question": "Capital?", "options": ["Accra", "Tamale"], "answer": "Lagos", "country": "gh"},
]


@pytest.fixture
def finished(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(map(json.dumps, LINES)))
    return audit_questions(path)


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def test_a_folder_holds_the_audit_its_items_and_a_manifest(finished, tmp_path):
    audit_stage(finished).make(tmp_path / "out")
    plain = json.loads((tmp_path / "out" / "audit.json").read_text(), parse_constant=refuse)
    assert plain == as_plain(finished)
    assert (plain["fit"], plain["items"], plain["questions"]) == (False, 3, 2)
    rows = pq.read_table(tmp_path / "out" / "items.parquet").to_pylist()
    assert len(rows) == plain["items_to_read"] == len(finished.suspects)
    assert {(row["check"], row["where"].rpartition(":")[2]) for row in rows} == {("defects", "3"), ("duplicates", "2")}
    manifest = read_manifest(tmp_path / "out")
    assert (manifest.stage, manifest.recipe) == ("audit", {"quota": "", "rotated": False})
    assert manifest.counts["in"] == manifest.counts["kept"] + sum(manifest.drops.values()) == 3


def test_an_audit_is_replaced_only_on_request(finished, tmp_path):
    out = tmp_path / "out"
    audit_stage(finished).make(out)
    with pytest.raises(UserError, match="--overwrite"):
        audit_stage(finished).make(out)
    audit_stage(finished).make(out, overwrite=True)


def test_an_audit_is_known_by_file_and_options(finished, tmp_path):
    path = tmp_path / "set.jsonl"
    assert audit_stage(audit_questions(path)).fingerprint == audit_stage(finished).fingerprint
    found = {audit_stage(audit_questions(path, **more)).fingerprint for more in ({"rotated": True}, {"quota": "even"})}
    path.write_text(path.read_text() + "\n" + json.dumps(LINES[0]))
    found |= {audit_stage(audit_questions(path)).fingerprint, audit_stage(finished).fingerprint}
    assert len(found) == 4
