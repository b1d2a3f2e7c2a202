"""lm-eval's `local-completions` against the server gives what lm-eval gives in one process."""

import pytest

from dateline.serve.settings import Limits

PAIRS = [
    ("Parliament passes", " the budget"),
    ("Rain", " is expected over the weekend"),
    ("", "Nothing stands before"),
    ("Caf\u00e9", " \u00e9t\u00e9 \u2013 \u65e5\u672c"),
    ("<bos>COUNTRY: ng\n\nTITLE: Rates rise\n\nCONTENT:", " The bank in Abuja"),
]


def client(url, folder, backend):
    """`max_length` leaves room for the server's BOS; token 0 as BOS has to be named, as lm-eval takes 0 for none."""
    pytest.importorskip("lm_eval", reason="lm-eval is not installed: pip install 'lm-eval[api]'")
    pytest.importorskip("tenacity", reason="lm-eval's API models need tenacity: pip install 'lm-eval[api]'")
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    return LocalCompletionsAPI(
        base_url=f"{url}/v1/completions",
        model="tiny",
        tokenizer=None if backend == "auto" else str(folder / "model"),
        tokenizer_backend=backend,
        custom_prefix_token_id=0,
        max_length=255,
        batch_size=3,
    )


@pytest.fixture(scope="module")
def local(folder):
    pytest.importorskip("lm_eval", reason="lm-eval is not installed: pip install 'lm-eval[api]'")
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(folder / "model"), device="cpu", dtype="float32", batch_size=3)


@pytest.mark.parametrize("backend", ["auto", "huggingface"])
def test_log_likelihoods_are_those_of_one_process(server, folder, local, backend):
    from lm_eval.api.instance import Instance

    api = client(server.url, folder, backend)
    assert api.tokenizer_backend == ("remote" if backend == "auto" else backend)
    asked = [Instance("loglikelihood", {}, pair, at) for at, pair in enumerate(PAIRS)]
    over_http, in_process = api.loglikelihood(asked), local.loglikelihood(asked)
    assert [greedy for _, greedy in over_http] == [greedy for _, greedy in in_process]
    assert [log_p for log_p, _ in over_http] == pytest.approx([log_p for log_p, _ in in_process], abs=1e-4)


def test_a_text_longer_than_the_window_is_cut_by_lm_eval(server, folder):
    from lm_eval.api.instance import Instance

    api = client(server.url, folder, "huggingface")
    long, cut = ("x" * 300, " the end"), ("x" * 246, " the end")
    found = api.loglikelihood([Instance("loglikelihood", {}, pair, at) for at, pair in enumerate((long, cut))])
    assert found[0] == pytest.approx(found[1], abs=1e-4)


def test_greedy_continuations_are_those_of_one_process(server, folder, local):
    from lm_eval.api.instance import Instance

    api = client(server.url, folder, "auto")
    options = {"until": ["\n"], "max_gen_toks": 12}
    asked = [Instance("generate_until", {}, (context, dict(options)), at) for at, (context, _) in enumerate(PAIRS[:2])]
    assert api.generate_until(asked) == local.generate_until(asked)


def test_with_a_token(start, model, folder, monkeypatch):
    from lm_eval.api.instance import Instance

    token = "0123456789abcdef-token"
    monkeypatch.setenv("OPENAI_API_KEY", token)
    with start(Limits(), token) as server:
        api = client(server.url, folder, "huggingface")
        ((log_p, _),) = api.loglikelihood([Instance("loglikelihood", {}, PAIRS[0], 0)])
    assert log_p < 0
