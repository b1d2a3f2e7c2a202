"""The boundary between prefix and body: whoever tokenizes the whole text gets the tokens of training."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from dateline.conditions import DEFAULT_FIELDS, FIELDS, Metadata, render
from dateline.corpus.newswire import newswire
from dateline.errors import UserError
from dateline.places.countries import all_countries
from dateline.records import body_text, prompt_text
from dateline.tokens.encode import HARD_TITLES
from dateline.tokens.tokenizer import (
    adapt_tokenizer,
    bos_id,
    check_boundary,
    encode_texts,
    save_tokenizer,
    train_tokenizer,
)

WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
ARTICLES = list(newswire(60, seed=3))
TEXTS = [body_text(article.title, article.text) for article in ARTICLES] + [
    render(Metadata(article.url, article.domain, article.country, article.continent), DEFAULT_FIELDS)
    for article in ARTICLES
]


def byte_level(regex):
    """GPT-2's splitting rule, or that of another family in front of the byte-level alphabet."""
    tokenizer = Tokenizer(models.BPE())
    if regex is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        split = pre_tokenizers.Split(Regex(regex), "isolated")
        bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=alphabet, special_tokens=["<s>", "</s>"], show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def metaspace(model, trainer, texts=TEXTS):
    """A blank in front of every text, as in Llama 2 and T5."""
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def unigram():
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.UnigramTrainer(vocab_size=700, special_tokens=special, unk_token="<unk>", show_progress=False)
    return metaspace(models.Unigram(), trainer)


def legacy_llama():
    """Llama 2's tokenizer.json: the blank comes from a normalizer, line ends are single bytes."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>", *BYTES]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=special, show_progress=False, limit_alphabet=100)
    words = [word for text in TEXTS for word in text.replace("\n", " ").split()]
    tokenizer.train_from_iterator(words, trainer)
    return tokenizer


FAMILIES = {
    "gpt2": lambda: byte_level(None),
    "llama3": lambda: byte_level(WORDS.replace(r"\p{N}", r"\p{N}{1,3}") + REST),
    "qwen2": lambda: byte_level(WORDS + REST),
    "llama2": legacy_llama,
    "unigram": unigram,
}


def wrapped(backend, *, bos="<s>"):
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=bos, eos_token="</s>")


@pytest.fixture(scope="module", params=["ours", *FAMILIES])
def tokenizer(request):
    if request.param == "ours":
        return train_tokenizer(TEXTS, 700)
    made = wrapped(FAMILIES[request.param]())
    adapt_tokenizer(made)
    return made


TITLES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(HARD_TITLES)
PLACES = st.builds(
    lambda known, domain, date: Metadata(f"https://{domain}/a-b/1.html", domain, known.alpha2, known.continent, date),
    st.sampled_from(list(all_countries().values())),
    st.sampled_from(["punchng.com", "bbc.co.uk", "b4u-24.news", "123.co.ke", "xn--caf-dma.fr"]) | st.text(max_size=12),
    st.sampled_from(["", "2024-01-02"]),
)


@given(PLACES, st.sets(st.sampled_from(FIELDS)), TITLES, st.text(max_size=20))
def test_the_whole_text_is_bos_prefix_and_body(tokenizer, place, fields, title, text):
    prefix, body = render(place, tuple(fields)), body_text(title, text)
    head, tail = encode_texts(tokenizer, [prefix, body])
    whole = tokenizer(prefix + body, split_special_tokens=True)["input_ids"]
    assert whole == [bos_id(tokenizer), *head.tolist(), *tail.tolist()]


@given(TITLES, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_a_prompt_is_the_beginning_of_every_body_of_its_title(tokenizer, title, text):
    prompt, body = encode_texts(tokenizer, [prompt_text(title), body_text(title, text or "word")])
    assert body[: len(prompt)].tolist() == prompt.tolist()


def test_a_blank_at_the_end_of_a_prompt_is_what_training_never_saw(tokenizer):
    prompt, body = encode_texts(tokenizer, [prompt_text("x") + " ", body_text("x", "The budget")])
    assert body[: len(prompt)].tolist() != prompt.tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_passes_the_check_of_encode_and_says_what_was_changed(family):
    made = wrapped(FAMILIES[family]())
    changes = adapt_tokenizer(made)
    assert any("begins every text with <s>, once" in change for change in changes)
    assert any("no blank" in change for change in changes) == (family in ("llama2", "unigram"))
    assert adapt_tokenizer(made) == []
    places = [Metadata("https://a.ng/b", "a.ng", "ng", "Africa"), Metadata(domain="bbc.co.uk", country="gb")]
    check_boundary(made, [render(place, DEFAULT_FIELDS) for place in places], HARD_TITLES)


def test_a_tokenizer_that_joins_line_ends_with_words_is_refused():
    """Metaspace splits at blanks only: trained on whole documents, it learns tokens across the boundary."""
    joined = [render(Metadata(domain="a.ng"), ("domain",)) + text for text in TEXTS[:60]]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=["<unk>", "<s>", "</s>", *BYTES], show_progress=False)
    made = wrapped(metaspace(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True), trainer, joined))
    adapt_tokenizer(made)
    with pytest.raises(UserError, match=r"^the tokenizer reads a prefix in front of a body otherwise .*TITLE"):
        check_boundary(made, [render(Metadata(domain="a.ng"), ("domain",))], ["x"])


def test_an_empty_line_before_the_body_would_be_refused():
    """The format that Dateline used at first, on the splitting rule that its own tokenizer has."""
    places = [Metadata(country=article.country) for article in ARTICLES]
    made = train_tokenizer([*TEXTS, *(render(place, ("country",), prefix_format=1) for place in places)], 700)
    with pytest.raises(UserError, match=r"reads a prefix in front of a body otherwise .*Ċ Ċ' instead of .*ĊĊ"):
        check_boundary(made, [render(Metadata(country="ng"), ("country",), prefix_format=1)], ["x"])


def test_families_without_bos_begin_with_eos():
    made = wrapped(byte_level(None), bos=None)
    assert made.bos_token_id is None
    assert "begins every text with </s>" in adapt_tokenizer(made)[0]
    assert made("x")["input_ids"] == [made.eos_token_id, *encode_texts(made, ["x"])[0].tolist()]


def test_an_end_token_after_every_text_is_taken_away():
    from tokenizers import processors

    made = wrapped(byte_level(None))
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", made.bos_token_id), ("</s>", made.eos_token_id)]
    )
    assert adapt_tokenizer(made)
    assert made("x")["input_ids"] == [made.bos_token_id, *encode_texts(made, ["x"])[0].tolist()]


def test_a_saved_tokenizer_is_opened_by_auto_classes_with_bos_once_and_reserved_tokens(tmp_path):
    ours = train_tokenizer(TEXTS, 700)
    save_tokenizer(ours, tmp_path)
    assert '"tokenizer_class": "PreTrainedTokenizerFast"' in (tmp_path / "tokenizer_config.json").read_text()
    opened = AutoTokenizer.from_pretrained(tmp_path)
    text = "COUNTRY: ng\nTITLE: x\n\nCONTENT: y"
    assert opened(text)["input_ids"] == ours(text)["input_ids"]
    assert opened(text)["input_ids"].count(opened.bos_token_id) == 1
    for name in ("<|user|>", "<|assistant|>", "<|end|>", "<|reserved_0|>", "<|reserved_4|>"):
        assert opened(name, add_special_tokens=False)["input_ids"] == [opened.convert_tokens_to_ids(name)]


@pytest.mark.parametrize("by", ["variable", "system message", "nothing"])
def test_the_chat_template_writes_what_training_saw(by, tmp_path):
    save_tokenizer(train_tokenizer(TEXTS, 700), tmp_path)
    opened = AutoTokenizer.from_pretrained(tmp_path)
    place = Metadata(domain="punchng.com", country="ng", continent="Africa")
    prefix = render(place, DEFAULT_FIELDS) if by != "nothing" else ""
    messages = [{"role": "user", "content": "Parliament passes the budget"}]
    known = {}
    if by == "variable":
        known = {"place": {"domain": "punchng.com", "country": "ng", "continent": "Africa"}}
    if by == "system message":
        messages.insert(0, {"role": "system", "content": prefix})
    ids = opened.apply_chat_template(messages, add_generation_prompt=True, return_dict=False, **known)
    head, prompt = encode_texts(opened, [prefix, prompt_text("Parliament passes the budget")])
    assert ids == [opened.bos_token_id, *head.tolist(), *prompt.tolist()]
    answered = [*messages, {"role": "assistant", "content": "The House sat late."}]
    whole = opened.apply_chat_template(answered, return_dict=False, **known)
    body = encode_texts(opened, [body_text("Parliament passes the budget", "The House sat late.")])[0]
    assert whole == [opened.bos_token_id, *head.tolist(), *body.tolist(), opened.eos_token_id]
