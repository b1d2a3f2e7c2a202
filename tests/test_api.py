"""The public Python API: its names and signatures, and what a model does under a place."""

import inspect
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

import dateline
from dateline.api import NEUTRAL_PROMPTS, Continuation, Generation
from dateline.conditions import Metadata
from dateline.errors import UserError
from dateline.evaluate.locate.locator import open_locator, posterior

SIGNATURES = {
    "place": "written",
    "load": "model, *, device, precision, fields",
    "Model.generate": (
        "self, prompts, *, place, places, guidance, against, plausibility, n, seed, gains, raw, **sampling"
    ),
    "Model.stream": "self, prompt, *, place, places, guidance, against, plausibility, seed, raw, **sampling",
    "Model.compare": "self, prompts, places, *, guidance, plausibility, n, seed, raw, **sampling",
    "Model.score": "self, texts, *, place, per_token, raw",
    "Model.locate": "self, texts, among, *, prior, max_tokens, raw",
    "Model.leakage": "self, places, *, prompts, guidance, n, seed, **sampling",
    "Leakage": "place, texts, any, named",
    "Generation": "prompt, place, continuations",
    "Continuation": "text, tokens, finish, gains, posterior",
    "Comparison": "prompt, generations",
    "Score": "nats, tokens, bytes, per_token",
    "Location": "country, posterior, tokens",
    "Token": "text, nats",
    "Place": "domain, country, continent, decided_by, verified, evidence, reason",
}


def shown(function):
    parts = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        parts.append(f"**{parameter.name}" if parameter.kind is parameter.VAR_KEYWORD else parameter.name)
    return ", ".join(parts)


def find(name):
    first, *rest = name.split(".")
    found = getattr(dateline, first)
    for part in rest:
        found = getattr(found, part)
    return found


def test_the_public_names_and_signatures():
    assert {name: shown(find(name)) for name in SIGNATURES} == SIGNATURES
    classes = {name for name in dateline.__all__ if inspect.isclass(getattr(dateline, name))}
    assert {name.split(".")[0] for name in SIGNATURES} == set(dateline.__all__) - {
        "PlaceLike",
        "UserError",
        "__version__",
    }
    public = {name for name in vars(dateline.Model) if not name.startswith("_")}
    assert public == {"generate", "stream", "compare", "score", "locate", "leakage", "fields"}
    assert "Model" in classes
    assert set(dateline.__all__) <= set(dir(dateline))
    with pytest.raises(AttributeError, match="module 'dateline' has no attribute 'guess'"):
        dateline.guess  # noqa: B018


@pytest.mark.parametrize("name", SIGNATURES)
def test_every_public_function_has_arguments_and_an_example(name):
    text = inspect.getdoc(find(name))
    assert text
    if inspect.isfunction(find(name)):
        assert ">>>" in text
        assert "Example:" in text


def test_import_loads_nothing_and_is_fast():
    code = """
import sys, time
start = time.process_time()
import dateline
print(time.process_time() - start)
dateline.place("ng")
print([name for name in ("torch", "transformers", "pyarrow") if name in sys.modules])
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert float(said[0]) < 0.1
    assert said[1] == "[]"


@pytest.fixture(scope="session")
def make(save_llama):
    return lambda folder, **facts: save_llama(folder, **{"dropout": 0.1, **facts})


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make):
    return make(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def model(folder):
    return dateline.load(folder, device="cpu")


def nats(model, prefix, text):
    """-log p of each token of a text behind BOS and prefix, by transformers alone."""
    tokenizer = AutoTokenizer.from_pretrained(model.subject.folder)
    head = [tokenizer.bos_token_id, *tokenizer(prefix, add_special_tokens=False)["input_ids"]]
    body = tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        log_p = model.subject.model(torch.tensor([head + body])).logits[0].double().log_softmax(-1)
    return [-float(log_p[len(head) + at - 1, token]) for at, token in enumerate(body)]


NIGERIA = "COUNTRY: ng\nCONTINENT: Africa\n"
ARTICLE = "Rates rise\nThe bank said so."
BODY = "TITLE: Rates rise\n\nCONTENT: The bank said so."


@pytest.mark.parametrize(("place", "prefix"), [("Nigeria", NIGERIA), (None, "")])
def test_a_score_is_the_log_probability_of_the_body(model, place, prefix):
    wanted = nats(model, prefix, BODY)
    score = model.score(ARTICLE, place=place, per_token=True)
    assert score.nats == pytest.approx(sum(wanted), rel=1e-5)
    assert (score.tokens, score.bytes) == (len(BODY), len(BODY))
    assert score.bits_per_byte == pytest.approx(sum(wanted) / len(BODY) / math.log(2), rel=1e-5)
    np.testing.assert_allclose([token.nats for token in score.per_token], wanted, rtol=1e-4)
    assert "".join(token.text for token in score.per_token) == BODY
    assert model.score(BODY, place=place, raw=True).nats == score.nats
    assert model.score([ARTICLE, "Cup final"], place=place)[0].nats == pytest.approx(score.nats, rel=1e-6)


def test_long_texts_are_scored_on_the_same_tokens_under_every_place(model):
    long = "Rates rise\n" + "The bank said so. " * 30
    assert model.score(long).tokens == model.score(long, place="ng").tokens > 256


def test_special_tokens_in_a_prompt_are_text(model):
    assert model.score("a <eos> b", raw=True).tokens == 9


def test_a_location_is_that_of_dateline_locate(model, folder):
    locator = open_locator(folder, ["ng", "gb", "in"], device="cpu")
    wanted = posterior(locator.nll(model.subject.encode([BODY]), ["text"]), np.array([0.5, 0.25, 0.25]))[0]
    found = model.locate(ARTICLE, ["Nigeria", "uk", "in"], prior={"ng": 2, "gb": 1, "in": 1})
    assert [found.posterior[code] for code in ("ng", "gb", "in")] == pytest.approx(wanted.tolist())
    assert sum(found.posterior.values()) == pytest.approx(1)
    assert found.country == next(iter(found.posterior)) == ["ng", "gb", "in"][int(wanted.argmax())]
    assert found.tokens == len(BODY)
    assert [one.country for one in model.locate([ARTICLE] * 2, ["ng", "gb", "in"])] == [
        model.locate(ARTICLE, ["ng", "gb", "in"]).country
    ] * 2
    assert len(model.locate("Cup final").posterior) == 18


def test_generation_is_by_prompt_and_number(model):
    one = model.generate("Rates rise", place="ng", max_tokens=8)
    assert one.place == dateline.Place(country="ng", continent="Africa")
    assert one.text == one.texts[0] == one.continuations[0].text
    several = model.generate(["Cup final", "Rates rise"], place="ng", n=3, max_tokens=8)
    assert [result.prompt for result in several] == ["Cup final", "Rates rise"]
    assert [len(result.texts) for result in several] == [3, 3]
    assert several[1].continuations[0] == one.continuations[0]
    assert len(set(several[1].texts)) == 3
    assert model.generate("Rates rise", place="ng", max_tokens=8, seed=1).text != one.text
    assert model.generate([], place="ng") == []


def test_greedy_text_is_the_likeliest_behind_prefix_and_headline(model):
    found = model.generate("Rates rise", place="ng", temperature=0, max_tokens=5)
    tokenizer = AutoTokenizer.from_pretrained(model.subject.folder)
    ids = tokenizer(NIGERIA + "TITLE: Rates rise\n\nCONTENT:")["input_ids"]
    for token in found.continuations[0].tokens:
        with torch.no_grad():
            assert token == int(model.subject.model(torch.tensor([ids])).logits[0, -1].argmax())
        ids.append(token)
    raw = model.generate("TITLE: Rates rise\n\nCONTENT:", place="ng", temperature=0, max_tokens=5, raw=True)
    assert raw.continuations == found.continuations


def test_comparison_shares_its_noise_and_says_what_the_place_bought(model):
    found = model.compare("Rates rise", ["ng", "gb", None], max_tokens=10, n=2)
    assert [one.place.country for one in found.generations] == ["ng", "gb", ""]
    for place, one in zip(["ng", "gb", None], found.generations, strict=True):
        assert one.texts == model.generate("Rates rise", place=place, max_tokens=10, n=2).texts
    bought = found.generations[0].continuations[0]
    prompt = "TITLE: Rates rise\n\nCONTENT:"
    ids = list(bought.tokens)
    for with_place, without, token in zip(
        teacher_forced(model, NIGERIA + prompt, ids), teacher_forced(model, prompt, ids), bought.gains, strict=True
    ):
        assert token.nats == pytest.approx(without - with_place, abs=1e-4)
    assert "".join(token.text for token in bought.gains) == bought.text
    assert {token.nats for token in found.generations[2].continuations[0].gains} == {0.0}
    same = model.compare("Rates rise", [None, None, {}], max_tokens=10)
    assert len({one.text for one in same.generations}) == 1
    assert [one.prompt for one in model.compare(["a", "b"], ["ng", None], max_tokens=1)] == ["a", "b"]


def teacher_forced(model, prompt, ids):
    tokenizer = AutoTokenizer.from_pretrained(model.subject.folder)
    head = tokenizer(prompt)["input_ids"]
    with torch.no_grad():
        log_p = model.subject.model(torch.tensor([head + ids])).logits[0].double().log_softmax(-1)
    return [-float(log_p[len(head) + at - 1, token]) for at, token in enumerate(ids)]


def test_guidance_leads_from_none_or_from_a_place(model):
    options = {"max_tokens": 12, "temperature": 0}
    plain = model.generate("Rates rise", place="ng", **options)
    assert model.generate("Rates rise", place="ng", guidance=0, **options).texts == (
        model.generate("Rates rise", **options).texts
    )
    assert model.generate("Rates rise", place="ng", guidance=1, **options) == plain
    strong = model.generate("Rates rise", place="ng", guidance=4, **options)
    away = model.generate("Rates rise", place="ng", guidance=4, against="gb", **options)
    assert len({plain.text, strong.text, away.text}) == 3
    found = model.compare("Rates rise", ["ng", None], guidance=4, **options)
    assert found.generations[0].text == strong.text
    assert found.generations[1].text == model.generate("Rates rise", **options).text


def test_a_mixture_says_where_it_is(model):
    found = model.generate("Rates rise", place="marginal", max_tokens=6)
    assert found.place is None
    assert len(found.continuations[0].posterior) == 18
    named = model.generate("Rates rise", places={"ng": 3, "gb": 1}, max_tokens=6).continuations[0].posterior
    assert set(named) == {"ng", "gb"}
    assert sum(named.values()) == pytest.approx(1)
    certain = model.generate("Rates rise", places={"ng": 1, "gb": 0}, max_tokens=6)
    assert certain.text == model.generate("Rates rise", place="ng", max_tokens=6).text


@pytest.mark.parametrize(
    "options", [{"place": "ng", "guidance": 2}, {"places": ["ng", "gb"]}, {"stop": ["e"]}], ids=str
)
def test_a_stream_is_the_text_in_pieces(model, options):
    found = list(model.stream("Rates rise", max_tokens=15, seed=3, **options))
    assert "".join(found) == model.generate("Rates rise", max_tokens=15, seed=3, **options).text
    assert all(found)


def test_leakage_counts_the_countries_that_texts_name(model, monkeypatch):
    texts = {
        None: [" In Abuja,", " Kenyans and", " a river", " Nigeria's"],
        "ng": [" Lagos", " Lagos", " In Leeds", " x"],
    }

    def generate(self, prompts, *, place, guidance, n, seed):
        assert (guidance, n, len(prompts)) == (2.0 if place else 1.0, 4, 1)
        written = tuple(Continuation(text, (1,), "length") for text in texts[place])
        return [Generation(prompt, None, written) for prompt in prompts]

    monkeypatch.setattr(dateline.Model, "generate", generate)
    none, nigeria = model.leakage([None, "ng"], prompts=["Rain"], n=4, guidance=2.0)
    assert (none.place, none.texts, none.any) == (dateline.Place(), 4, 0.75)
    assert none.named == {"ng": 0.5, "ke": 0.25}
    assert (nigeria.place.country, nigeria.any, nigeria.named["ng"], nigeria.named["gb"]) == ("ng", 0.75, 0.5, 0.25)


def test_neutral_prompts_are_neutral_and_others_refused(model):
    (found,) = model.leakage(n=1, max_tokens=1)
    assert found.texts == len(NEUTRAL_PROMPTS)
    with pytest.raises(UserError, match=r"the prompt 'Rain in Lagos' names a place \(ng\); use a neutral one"):
        model.leakage(prompts=["Rain in Lagos"])
    with pytest.raises(UserError, match="leakage needs a list of places"):
        model.leakage("ng")


def test_fields_beside_the_place_are_shown(tmp_path, make):
    own = dateline.load(make(tmp_path, fields=["url", "date"]), device="cpu")
    assert own.fields == ("url", "date")
    prompt = "Rates rise"
    place = {"url": "https://punchng.com/a", "date": "2024-01-02"}
    wanted = nats(own, "URL: https://punchng.com/a\nDATE: 2024-01-02\n", "TITLE: Rates rise")
    assert own.score(prompt, place=place).nats == pytest.approx(sum(wanted), rel=1e-5)
    assert own.score(prompt, place=Metadata(url="https://punchng.com/a")).nats == pytest.approx(
        own.score(prompt, place="https://punchng.com/a").nats
    )
    with pytest.raises(
        UserError, match="its prefix shows url, date, and of the place only country, continent is known"
    ):
        own.score(prompt, place="ng")
    assert dateline.load(tmp_path, device="cpu", fields=["country"]).fields == ("country",)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.generate(""), "the prompt is empty; give words"),
        (lambda m: m.generate(["a", " "]), "prompt 2 is empty"),
        (lambda m: m.generate(["a", 3]), "prompt 2 is int, not text"),
        (lambda m: m.generate("a", n=0), "n is 0; give a whole number of 1 or more"),
        (lambda m: m.generate("a", n=2, temperature=0), "all continuations are the same"),
        (lambda m: m.generate("a", seed=0.5), "seed is 0.5"),
        (lambda m: m.generate("a", temperature=-1), "temperature is -1"),
        (lambda m: m.generate("a", place="ng", guidance=math.nan), "guidance is nan; give a finite number"),
        (lambda m: m.generate("a", guidance=2), "guidance 2 leads to a place, and none is given"),
        (lambda m: m.generate("a", place="Nigerai"), "did you mean 'nigeria'"),
        (lambda m: m.generate("a" * 300), "leaves no room for 60 of the model's 256"),
        (lambda m: m.stream("a" * 300), "leaves no room for 60 of the model's 256"),
        (lambda m: m.generate("a", places=["ng", "gb"], guidance=2), "a mixture of places takes neither"),
        (lambda m: m.generate("a", places={"ng": -1, "gb": 2}), "places: the prior of a place is a finite number"),
        (lambda m: m.generate("a", places=["ng", "gb"], gains=True), "gains are of one place"),
        (lambda m: m.compare("a", "ng"), "places is 'ng'; give a list"),
        (lambda m: m.compare("a", ["ng", "marginal"]), "'marginal' is many places at once and has no column"),
        (lambda m: m.compare("a", []), r"places is \[\]; give a list"),
        (lambda m: m.score(" "), "the text is empty"),
        (lambda m: m.locate("a", ["ng"]), "at least two countries"),
        (lambda m: m.locate("a", ["ng", "Africa"]), "'Africa' is no country"),
        (lambda m: m.locate("a", "ng"), "among is 'ng'; give a list"),
        (lambda m: m.locate("a", ["ng", "gb"], max_tokens=0), "max_tokens is 0"),
        (lambda m: m.locate("a", ["ng", "gb"], prior={"us": 1}), "prior: gives nothing to any of ng, gb"),
    ],
)
def test_bad_input_is_one_line(model, call, message):
    with pytest.raises(UserError, match=message) as caught:
        call(model)
    assert "\n" not in str(caught.value)


def test_guidance_needs_prefix_dropout(tmp_path, make):
    never = dateline.load(make(tmp_path / "never", dropout=0.0), device="cpu")
    with pytest.raises(UserError, match=r"never saw a text without one in training \(conditions.dropout 0\)"):
        never.generate("a", place="ng", guidance=2)
    assert never.generate("a", place="ng", guidance=2, against="gb", max_tokens=2).prompt == "a"
    assert never.generate("a", place="ng", max_tokens=2).prompt == "a"
    cooled = dateline.load(make(tmp_path / "cooled", dropout=0.0, cooldown=0.1), device="cpu")
    assert cooled.generate("a", place="ng", guidance=2, max_tokens=2).prompt == "a"


def test_a_model_that_never_saw_a_place_takes_none(tmp_path, make):
    plain = dateline.load(make(tmp_path, fields=[]), device="cpu")
    assert plain.fields == ()
    assert plain.generate("a", max_tokens=2).prompt == "a"
    with pytest.raises(UserError, match="was trained without any place, so none can be given"):
        plain.generate("a", place="ng")
    with pytest.raises(UserError, match="was trained without any place, so it cannot tell places apart"):
        plain.locate("a")


def test_any_hugging_face_model_is_prompted_with_the_default_fields(tmp_path, make):
    (make(tmp_path) / "model" / "dateline.json").unlink()
    found = dateline.load(tmp_path, device="cpu")
    assert found.fields == ("domain", "country", "continent")
    assert found.score("Rates rise", place="ng").nats == pytest.approx(
        sum(nats(found, NIGERIA, "TITLE: Rates rise")), rel=1e-5
    )
    with pytest.raises(UserError, match="says nothing of places in training"):
        found.locate("a")


def test_a_model_of_the_hub_is_taken_from_this_machine_or_downloaded(folder, monkeypatch):
    import huggingface_hub

    asked = []

    def snapshot_download(name, *, allow_patterns, local_files_only=False):
        asked.append((name, local_files_only))
        if local_files_only:
            raise FileNotFoundError("not here")
        if name != "org/there":
            raise OSError(f"{name} is not on the hub\nmore")
        return str(folder / "model")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert dateline.load("org/there", device="cpu").score("a").tokens > 0
    assert asked == [("org/there", True), ("org/there", False)]
    with pytest.raises(UserError, match=r"gone: no such folder, and no model .* \(gone is not on the hub\)"):
        dateline.load("gone")


@pytest.mark.parametrize(
    ("name", "message"),
    [("{}", "no config.json in it"), ("{}/runs", "no such folder"), ("a b", "no such folder"), ("../x/y/z", "no such")],
)
def test_a_folder_that_is_no_model_is_not_looked_for_on_the_hub(name, message, tmp_path):
    with pytest.raises(UserError, match=message):
        dateline.load(name.format(tmp_path), device="cpu")


def test_a_field_that_is_none_is_refused(folder):
    with pytest.raises(UserError, match="field 'planet' is not known; use domain"):
        dateline.load(folder, fields=["planet"])
