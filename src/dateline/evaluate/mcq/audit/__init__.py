"""Audit: is a set of many-choice questions fit for use, and which of its items should a person read?

Enters: a file of questions, broken ones included. Leaves: an `Audit`; on disk `audit.json` and `items.parquet`.
Deliberately not done: no item is mended, removed or scored.
"""

from dateline.evaluate.mcq.audit.countries import EVEN, PAPER_QUOTA, parse_quota
from dateline.evaluate.mcq.audit.finding import Finding, Suspect
from dateline.evaluate.mcq.audit.folder import as_plain, write_audit
from dateline.evaluate.mcq.audit.verdict import Audit, audit_questions

__all__ = [
    "EVEN",
    "PAPER_QUOTA",
    "Audit",
    "Finding",
    "Suspect",
    "as_plain",
    "audit_questions",
    "parse_quota",
    "write_audit",
]
