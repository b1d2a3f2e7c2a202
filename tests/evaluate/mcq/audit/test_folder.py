"""The audit on disk: valid JSON, every item to read, and a manifest that adds up."""

import json

import pyarrow.parquet as pq
import pytest

from dateline.errors import UserError
from dateline.evaluate.mcq.audit.folder import as_plain, write_audit
from dateline.evaluate.mcq.audit.verdict import audit_questions
from dateline.manifest import read_manifest

LINES = [
    {"question": "Capital?", "options": ["Accra", "Tamale"], "answer": "Accra", "country": "gh"},
    {"question": "Capital?", "options": ["Accra", "Tamale"], "answer": "Accra", "country": "gh"},
    {"question": "Capital?", "options": ["Accra", "Tamale"], "answer": "Lagos", "country": "gh"},
]


@pytest.fixture
def audit(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(map(json.dumps, LINES)))
    return audit_questions(path)


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def test_a_folder_holds_the_audit_its_items_and_a_manifest(audit, tmp_path):
    write_audit(audit, tmp_path / "out", recipe={"quota": "", "rotated": False})
    plain = json.loads((tmp_path / "out" / "audit.json").read_text(), parse_constant=refuse)
    assert plain == as_plain(audit)
    assert (plain["fit"], plain["items"], plain["questions"]) == (False, 3, 2)
    rows = pq.read_table(tmp_path / "out" / "items.parquet").to_pylist()
    assert len(rows) == plain["items_to_read"] == len(audit.suspects)
    assert {(row["check"], row["where"].rpartition(":")[2]) for row in rows} == {("defects", "3"), ("duplicates", "2")}
    manifest = read_manifest(tmp_path / "out")
    assert manifest.stage == "audit"
    assert manifest.counts["in"] == manifest.counts["kept"] + sum(manifest.drops.values()) == 3


def test_an_audit_is_replaced_only_on_request(audit, tmp_path):
    out = tmp_path / "out"
    write_audit(audit, out, recipe={})
    with pytest.raises(UserError, match="--overwrite"):
        write_audit(audit, out, recipe={})
    write_audit(audit, out, recipe={}, overwrite=True)
