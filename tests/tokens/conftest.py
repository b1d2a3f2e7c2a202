"""A small placed corpus, encoded by the real code: one token a byte, so that lengths can be counted by eye."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from dateline.conditions import Conditioning
from dateline.records import Article, article_id, body_text
from dateline.testing import byte_tokenizer, write_corpus
from dateline.tokens.encode import EncodeRecipe, encode_stage
from dateline.tokens.loader import IGNORED, Loader
from dateline.tokens.mix import Mix
from dateline.tokens.plan import Packing, Plan
from dateline.tokens.store import EncodedCorpus

PLACES = [
    ("punchng.com", "ng", "Africa"),
    ("dawn.com", "pk", "Asia"),
    ("bbc.co.uk", "gb", "Europe"),
    ("nation.africa", "ke", "Africa"),
    ("nzherald.co.nz", "nz", "Oceania"),
    ("", "", ""),
]
BOS, EOS, PAD = 0, 1, 2
BYTES = decoders.ByteLevel()
WORDS = ["TITLE: Flood in 2024\n\nCONTENT: the river rose 12345 times,\n\n  the Minister said.\n"] * 5


def make_article(number: int) -> Article:
    """Every second article writes the names of special tokens; lengths go from 20 to some 600 bytes."""
    rng = np.random.default_rng(number)
    words = ["river", "court", "naïve", "₦500", "the", "🙂", "of", *(["<eos>", "<bos>", "<pad>"] if number % 2 else [])]
    text = " ".join(rng.choice(words, size=1 + (number * 7) % 90))
    title = f"No. {number}"
    domain, country, continent = PLACES[number % len(PLACES)]
    url = f"https://{domain}/{number}" if domain else ""
    split = "test" if number % 13 == 12 else "validation" if number % 13 == 11 else "train"
    identity = article_id(url, title, text)
    return Article(identity, url, domain, country, continent, "2024-01-02", title, text, "hand", split)


@pytest.fixture(scope="session")
def articles() -> list[Article]:
    return [make_article(number) for number in range(52)]


@pytest.fixture(scope="session")
def bodies(articles) -> dict[str, str]:
    return {article.id: body_text(article.title, article.text) for article in articles}


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory, articles) -> Path:
    return write_corpus(tmp_path_factory.mktemp("tokens") / "corpus", articles)


@pytest.fixture(scope="session")
def tokenizer():
    return byte_tokenizer()


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory, tokenizer) -> Path:
    folder = tmp_path_factory.mktemp("bytes")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def encoded_folder(tmp_path_factory, corpus_folder, tokenizer_folder) -> Path:
    out = tmp_path_factory.mktemp("encoded") / "encoded"
    encode_stage(EncodeRecipe(tokenizer=str(tokenizer_folder)), corpus_folder).make(out)
    return out


@pytest.fixture(scope="session")
def encoded(encoded_folder) -> EncodedCorpus:
    return EncodedCorpus.open(encoded_folder)


@pytest.fixture(scope="session")
def make_plan(encoded, tokenizer):
    def make_plan(
        *, length=96, window_rows=5, seed=0, mix=None, body_tokens=None, region_only=False, epochs=None, num_rows=None,
        **conditions
    ) -> Plan:  # fmt: skip
        return Plan(
            encoded,
            tokenizer,
            conditions=Conditioning(**conditions),
            mix=Mix(weights="natural") if mix is None else mix,
            packing=Packing(sequence_length=length, window_rows=window_rows),
            seed=seed,
            epochs=1.0 if epochs is num_rows is body_tokens is None else epochs,
            num_rows=num_rows,
            body_tokens=body_tokens,
            region_only=region_only,
        )

    return make_plan


@pytest.fixture(scope="session")
def make_loader(make_plan):
    def make_loader(*, rows_per_batch=3, **values) -> Loader:
        return Loader(make_plan(**values), bos=BOS, eos=EOS, pad=PAD, rows_per_batch=rows_per_batch)

    return make_loader


class Piece(NamedTuple):
    """A segment of a row, read from the row's arrays; document and start are where the plan says it comes from."""

    document: int
    start: int
    prefix: str
    body: list[int]
    ends: bool
    """Whether `<eos>` is its last token."""


@dataclass
class Reader:
    """Takes rows apart again, checking on the way what every row has to fulfil."""

    tokenizer: object

    def pieces(self, loader: Loader, number: int) -> list[Piece]:
        row = loader.row(number)
        length = loader.plan.packing.sequence_length
        window, index = loader.plan.locate(number)
        (chunks, order, offsets), documents, _ = loader.plan.window(window)
        assert row.input_ids.shape == row.labels.shape == row.position_ids.shape == (length,)
        assert sum(row.segment_lengths) == length
        result = []
        at = 0
        chosen = order[offsets[index] : offsets[index + 1]]
        for chunk, size in zip(chosen, row.segment_lengths, strict=False):
            ids, labels = row.input_ids[at : at + size], row.labels[at : at + size]
            assert row.position_ids[at : at + size].tolist() == list(range(size))
            at += size
            learned = np.flatnonzero(labels != IGNORED)
            first, last = int(learned[0]), int(learned[-1])
            assert ids[0] == BOS
            assert learned.tolist() == list(range(first, size - 1)), (
                "loss is taken from the first body token to the end"
            )
            assert labels[first : last + 1].tolist() == ids[first + 1 :].tolist(), "a label is the next token"
            ends = bool(ids[-1] == EOS)
            body = ids[first + 1 : size - ends].tolist()
            prefix = self.tokenizer.backend_tokenizer.decode(ids[1 : first + 1].tolist(), skip_special_tokens=False)
            assert not {BOS, EOS, PAD} & {*body, *ids[1 : first + 1].tolist()}
            document = int(documents[chunks.document[chunk]])
            result.append(Piece(document, int(chunks.start[chunk]), prefix, body, ends))
        assert len(result) == len(chosen) > 0
        assert row.num_tokens == at
        assert row.num_body_tokens == sum(len(piece.body) for piece in result)
        assert len(row.segment_lengths) == len(result) + (at < length), "padding is a segment of its own"
        assert (row.input_ids[at:] == PAD).all()
        assert (row.labels[at:] == IGNORED).all()
        assert row.position_ids[at:].tolist() == list(range(length - at))
        return result

    def run(self, loader: Loader) -> list[list[Piece]]:
        return [self.pieces(loader, number) for number in range(loader.plan.num_rows())]


@pytest.fixture(scope="session")
def reader(tokenizer) -> Reader:
    return Reader(tokenizer)


@pytest.fixture(scope="session", name="save_tokenizer")
def _save_tokenizer():
    return save_tokenizer


LETTERS = [chr(code) for code in range(33, 127)]


def save_tokenizer(
    folder, splitter, decoder=BYTES, normalizer=None, model=None, tokenizer_class=None, model_type=None, added=()
):
    """Trains a small tokenizer in the manner of another tool and saves it, with the class that the tool would name."""
    tokenizer = Tokenizer(model or models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer, tokenizer.decoder = splitter, decoder
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    kind = type(tokenizer.model).__name__
    trainer = {"BPE": trainers.BpeTrainer, "Unigram": trainers.UnigramTrainer, "WordLevel": trainers.WordLevelTrainer}
    about = {"special_tokens": ["<bos>", "<eos>", "<unk>"], "show_progress": False, "vocab_size": 400}
    if kind == "Unigram":
        about["unk_token"] = "<unk>"
    if kind != "WordLevel":
        about["initial_alphabet"] = pre_tokenizers.ByteLevel.alphabet() if decoder is BYTES else ["\n", *LETTERS]
    tokenizer.train_from_iterator(WORDS, trainer[kind](**about))
    tokenizer.add_tokens(list(added))
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", unk_token="<unk>"
    )
    wrapped.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text()) | ({"tokenizer_class": tokenizer_class} if tokenizer_class else {})
    path.write_text(json.dumps(config))
    if model_type:
        (folder / "config.json").write_text(json.dumps({"model_type": model_type, "vocab_size": 400}))
    return folder
