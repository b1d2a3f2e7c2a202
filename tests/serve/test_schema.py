"""The server against its own description: requests that schemathesis makes from the OpenAPI schema, right and wrong."""

from collections import defaultdict

import pytest

from dateline.serve.settings import Limits

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install schemathesis")
CHECKS = {"positive_data_acceptance": {"expected-statuses": [200, 400, 404]}}
"""A schema cannot say which countries there are, that a text has words, or how much room the model has: 400."""


def answer(case, mode):
    """Sends a request; where it is a right one, it is for the model of the test, and for something short."""
    if mode == "positive" and isinstance(case.body, dict):
        known = {"model": "tiny", "prompt": "Rain", "tokens": [5]}
        case.body |= {name: value for name, value in known.items() if name in case.body}
    return case.call_and_validate()


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_answers_are_as_described(start, model, mode):
    from hypothesis import HealthCheck, given, settings

    bounded = settings(
        max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    statuses = defaultdict(set)
    with start(Limits(new_tokens=64, texts=30, seconds=5)) as server:
        config = schemathesis.Config.from_dict({"checks": CHECKS})
        schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json", config=config)
        for found in schema.get_all_operations():
            operation = found.ok()
            if mode == "positive" or operation.method == "post":  # a path that takes nothing takes nothing wrong
                cases = operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode))
                bounded(given(cases)(lambda case: statuses[case.operation.label].add(answer(case, mode).status_code)))()
        assert server.post("/v1/completions", prompt="Rain", max_tokens=2).status_code == 200
    assert len(statuses) == (13 if mode == "positive" else 7)
    if mode == "positive":
        assert [label for label, said in statuses.items() if 200 not in said] == ["GET /v1/models/{name}"]
    else:
        assert set().union(*statuses.values()) == {400}
