"""The paths that OpenAI does not have: locate, score, compare, tokenize; and the list of models."""

import pytest

TEXT = "Rates rise\nThe bank in Abuja said so."


def test_models_and_aliases(server):
    names = [one.id for one in server.openai.models.list()]
    assert names[:3] == ["tiny", "tiny@none", "tiny@marginal"]
    assert "tiny@ng" in names
    assert len(names) == 21
    assert server.openai.models.retrieve("tiny@ng").id == "tiny@ng"


def test_locate(server, model):
    wanted = model.locate([TEXT, "Rain"], ["ng", "gb"], prior={"ng": 1, "gb": 3})
    answer = server.post("/v1/locate", input=[TEXT, "Rain"], among=["ng", "gb"], prior={"ng": 1, "gb": 3}).json()
    assert [one["country"] for one in answer["data"]] == [one.country for one in wanted]
    assert answer["data"][1]["posterior"] == pytest.approx(wanted[1].posterior, rel=1e-5)


def test_score(server, model):
    wanted = model.score(TEXT, place="ng", per_token=True)
    answer = server.post("/v1/score", input=TEXT, place="ng", per_token=True).json()
    (row,) = answer["data"]
    assert row["nats"] == pytest.approx(wanted.nats, rel=1e-6)
    assert row["bits_per_byte"] == pytest.approx(wanted.bits_per_byte, rel=1e-6)
    assert [one["text"] for one in row["per_token"]] == [one.text for one in wanted.per_token]
    by_alias = server.http.post("/v1/score", json={"model": "tiny@ng", "input": TEXT}).json()
    assert by_alias["data"][0]["nats"] == row["nats"]
    assert "per_token" not in by_alias["data"][0]


def test_compare(server, model):
    wanted = model.compare("Rates rise", ["ng", None], seed=4, n=2, max_tokens=6, guidance=1.5)
    answer = server.post(
        "/v1/compare", prompt="Rates rise", places=["ng", None], seed=4, n=2, max_tokens=6, guidance=1.5
    ).json()
    assert [one["place"] for one in answer["data"]] == ["ng", "none"]
    for one, column in zip(answer["data"], wanted.generations, strict=True):
        assert [text["text"] for text in one["continuations"]] == list(column.texts)
    first = wanted.generations[0].continuations[0]
    said = answer["data"][0]["continuations"][0]["gains"]
    assert [piece for piece, _ in said] == [token.text for token in first.gains]
    assert [nats for _, nats in said] == pytest.approx([token.nats for token in first.gains], abs=1e-5)


def test_tokenize_and_detokenize_are_those_of_the_tokenizer(server, model):
    answer = server.post("/tokenize", prompt="<bos>a é<eos>", add_special_tokens=False).json()
    ids = answer["tokens"]
    assert answer == {"count": 6, "max_model_len": 256, "tokens": ids}
    assert (ids[0], ids[-1]) == (model.subject.bos, model.subject.tokenizer.eos_token_id)
    assert ids[1:-1] == model.subject.encode(["a é"])[0].tolist()
    assert server.post("/tokenize", prompt="a").json()["tokens"] == [model.subject.bos, ids[1]]
    assert server.post("/detokenize", tokens=ids).json() == {"prompt": "<bos>a é<eos>"}


def test_tokenizer_info(server, model):
    info = server.http.get("/tokenizer_info").json()
    assert (info["bos_token"], info["eos_token"], info["model_max_length"]) == ("<bos>", "<eos>", 256)
    assert info["chat_template"] == model.subject.tokenizer.chat_template
