from __future__ import annotations

from datatrove.data import Document

from dateline.corpus.readers import Record, Unreadable
from dateline.corpus.steps.read import Candidate, Reason, Step, candidate_of, document_of

from .helpers import record


class Shout(Step):
    """Changes every document but those without a title, which it drops."""

    name = "shout"

    def look(self, document: Document, candidate: Candidate) -> Reason | None:
        assert isinstance(candidate.record, Record)
        if not candidate.record.title:
            return Reason("no title")
        document.text = document.text.upper()
        return None


def test_a_record_becomes_a_document_that_is_in() -> None:
    found = document_of(record(1, text="plain"))
    assert (found.text, found.id) == ("plain", "f.jsonl:2")
    assert candidate_of(found).record == record(1, text="plain")
    assert candidate_of(found).dropped is None


def test_what_is_no_record_is_dropped_from_the_start_with_its_own_reason() -> None:
    found = document_of(Unreadable("f:3", "not JSON", "{", "not in the sources files"))
    assert (found.text, found.id) == ("", "f:3")
    assert candidate_of(found).dropped == Reason("not in the sources files", "not JSON")


def test_a_step_looks_at_documents_that_are_in_and_passes_all_on_in_order() -> None:
    given: list[Record | Unreadable] = [
        record(1, text="a"),
        Unreadable("f:3", "x", "{"),
        record(2, text="b", title=""),
        record(3, text="c"),
    ]
    step = Shout()
    once = list(step.run(document_of(item) for item in given))
    assert [document.text for document in once] == ["A", "", "b", "C"]
    reasons = [candidate.dropped and candidate.dropped.reason for candidate in map(candidate_of, once)]
    assert reasons == [None, "unreadable", "no title", None]
    assert [candidate_of(document).record for document in once] == given


def test_a_reason_that_was_given_first_stays() -> None:
    document = document_of(record(1, title=""))
    candidate_of(document).dropped = Reason("too short", "3 characters")
    list(Shout().run([document]))
    assert candidate_of(document).dropped == Reason("too short", "3 characters")
