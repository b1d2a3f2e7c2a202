"""Sets of multiple-choice questions: read, and audited for whether they are fit for use; no model is asked here."""

from dateline.benchmark.audit import Audit, Suspect, as_plain, audit_questions, audit_stage
from dateline.benchmark.checks import EVEN, PAPER_QUOTA, Finding, parse_quota
from dateline.benchmark.questions import Question, QuestionSet, read_question_set, read_questions

__all__ = [
    "EVEN",
    "PAPER_QUOTA",
    "Audit",
    "Finding",
    "Question",
    "QuestionSet",
    "Suspect",
    "as_plain",
    "audit_questions",
    "audit_stage",
    "parse_quota",
    "read_question_set",
    "read_questions",
]
