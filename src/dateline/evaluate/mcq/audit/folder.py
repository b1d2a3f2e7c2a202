"""The audit on disk: for programs, and for whoever reads the items that were found.

Enters: an `Audit`. Leaves: a folder with `audit.json`, `items.parquet` (one row an item and check) and a manifest.
Deliberately not done: no corrected copy of the set.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dateline.evaluate.mcq.audit.verdict import Audit
from dateline.manifest import Manifest, new_folder, write_manifest

AUDIT = "audit.json"
ITEMS = "items.parquet"
STAGE = "audit"


def as_plain(audit: Audit) -> dict[str, Any]:
    """Returns an audit as JSON can hold it, without the single items: missing numbers are null."""
    plain: dict[str, Any] = _without_nan(
        {
            "file": str(audit.path),
            "fit": audit.fit,
            "sentence": audit.sentence,
            "items": audit.num_items,
            "questions": audit.num_questions,
            "items_to_read": len(audit.suspects),
            "checks": [asdict(finding) for finding in audit.findings],
        }
    )
    return plain


def write_audit(audit: Audit, out: Path, *, recipe: Mapping[str, Any], overwrite: bool = False) -> None:
    """Writes an audit as a folder.

    Args:
        audit: of a file that is still there.
        out: folder to make.
        recipe: the settings of the audit.
        overwrite: replace an earlier audit.

    Raises:
        UserError: where the folder may not be made.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        {
            **dict.fromkeys(("check", "where", "id", "country", "question"), pa.string()),
            "options": pa.list_(pa.string()),
            **dict.fromkeys(("answer", "why"), pa.string()),
        }
    )
    with audit.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    verdicts = [finding.verdict for finding in audit.findings]
    with new_folder(out, overwrite=overwrite, stage=STAGE) as folder:
        rows = [asdict(suspect) for suspect in audit.suspects]
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / ITEMS, compression="zstd")
        (folder / AUDIT).write_text(json.dumps(as_plain(audit), indent=2) + "\n", encoding="utf-8")
        write_manifest(
            folder,
            Manifest.of(
                STAGE,
                recipe,
                {"questions": digest},
                counts={
                    "in": audit.num_items,
                    "kept": audit.num_questions,
                    **{name: verdicts.count(name) for name in ("fit", "look", "unfit")},
                },
                drops={"not a question": audit.num_items - audit.num_questions},
                facts={"fit": audit.fit, "sentence": audit.sentence},
            ),
        )


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return value
