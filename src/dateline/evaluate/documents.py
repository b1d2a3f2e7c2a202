"""The documents under evaluation, in the tokens of the model that is tested.

Where model and corpus tokenize differently, the stored tokens are decoded, checked against the stored byte count, and
encoded anew: every model is scored on the same bytes, so that bits per byte stay comparable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dateline.conditions import Conditioner, Metadata
from dateline.errors import UserError
from dateline.evaluate.protocol import Protocol, Tokens
from dateline.model.load import Subject
from dateline.tokens.store import EncodedCorpus


@dataclass(frozen=True)
class Documents:
    """The sample, in corpus order; all lists have one entry a document."""

    ids: list[str]
    metadata: list[Metadata]
    bodies: list[Tokens]
    num_bytes: npt.NDArray[np.int64]
    """UTF-8 bytes of each whole body; 0 where its tokens do not give it back, so that its bytes are not scored."""
    drops: dict[str, int]
    """Reason -> documents of the split that are not in the sample."""
    retokenized: bool
    """Whether the model has another tokenizer than the corpus."""


def sample_documents(corpus: EncodedCorpus, protocol: Protocol) -> npt.NDArray[np.int64]:
    """Returns which documents of a corpus the protocol names, ascending.

    Raises:
        UserError: where the split is empty.
    """
    members = corpus.select(protocol.split)
    if not len(members):
        present = ", ".join(sorted(set(corpus.splits))) or "none"
        raise UserError(f"{corpus.folder}: no documents in split '{protocol.split}' (there are: {present})")
    places = corpus.continents if protocol.group == "continent" else corpus.countries
    return members[protocol.sample([corpus.ids[i] for i in members], [str(places[i]) for i in members])]


def take_documents(corpus: EncodedCorpus, protocol: Protocol, subject: Subject) -> Documents:
    """Returns the documents that the protocol names, in the model's tokens.

    Raises:
        UserError: as `sample_documents`, or where the corpus's tokenizer does not give back the text.
    """
    chosen = sample_documents(corpus, protocol)
    bodies, num_bytes, retokenized = _bodies(corpus, chosen, subject)
    full = np.array([len(body) > 0 for body in bodies])
    if not full.any():
        raise UserError(f"{corpus.folder}: all {len(bodies)} documents of split '{protocol.split}' are empty")
    drops = {"not in the sample": len(corpus.select(protocol.split)) - len(chosen), "empty body": int((~full).sum())}
    kept = chosen[full]
    return Documents(
        ids=[corpus.ids[index] for index in kept],
        metadata=[corpus.metadata(int(index)) for index in kept],
        bodies=[body for body in bodies if len(body)],
        num_bytes=num_bytes[full],
        drops={reason: count for reason, count in drops.items() if count},
        retokenized=retokenized,
    )


def encode_prefixes(subject: Subject, conditioner: Conditioner, documents: Documents) -> list[Tokens]:
    """Returns each document's prefix in the model's tokens, apart from the body; equal texts are encoded once."""
    texts = [
        conditioner.prefix(metadata, name) for metadata, name in zip(documents.metadata, documents.ids, strict=True)
    ]
    tokens = subject.encode_each(texts)
    return [tokens[text] for text in texts]


def check_tokens(
    protocol: Protocol, subject: Subject, documents: Documents, prefixes: Mapping[str, Sequence[Tokens]]
) -> None:
    """Refuses, before anything is scored, prefixes without room and tokens that the model does not have.

    Args:
        protocol: whose room is compared with the longest prefix of all conditions.
        subject: whose vocabulary is compared with the largest token.
        documents: what is scored.
        prefixes: condition -> prefix of each document.

    Raises:
        UserError: which names the value that is needed.
    """
    longest, position, condition = max(
        (len(head), -position, name) for name, heads in prefixes.items() for position, head in enumerate(heads)
    )
    protocol.check_prefix(longest, f"document {documents.ids[-position]} under '{condition}'")
    heads = {id(head): head for several in prefixes.values() for head in several if len(head)}
    subject.check_fits(max(subject.bos, *(int(part.max()) for part in [*documents.bodies, *heads.values()])))


def scored_bytes(subject: Subject, documents: Documents, num_tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Returns the UTF-8 bytes that the scored tokens stand for: all of them, unless the protocol cut the document.

    A cut may fall inside a character; its bytes, at most three, are then not counted. Where a document's tokens do not
    give it back, the number stays 0.
    """
    result = documents.num_bytes.copy()
    for position, (body, count) in enumerate(zip(documents.bodies, num_tokens, strict=True)):
        if result[position] and count < len(body):
            text = subject.tokenizer.decode(body[:count].tolist(), clean_up_tokenization_spaces=False)
            result[position] = len(text.rstrip("\ufffd").encode("utf-8"))
    return result


def count_unknown(subject: Subject, documents: Documents) -> int:
    """Counts tokens that stand for text which the model's tokenizer cannot write: they make a score too good."""
    unknown = subject.tokenizer.unk_token_id
    if unknown is None or unknown == subject.tokenizer.eos_token_id:
        return 0
    return int(sum((body == unknown).sum() for body in documents.bodies))


def _bodies(
    corpus: EncodedCorpus, chosen: npt.NDArray[np.int64], subject: Subject
) -> tuple[list[Tokens], npt.NDArray[np.int64], bool]:
    """Returns each document's body in the model's tokens, its bytes, and whether the tokens had to be made anew."""
    from dateline.tokens.fidelity import RoundTrips
    from dateline.tokens.tokenizer import load_tokenizer, tokenizer_fingerprint

    stored = [corpus.tokens(int(index)) for index in chosen]
    num_bytes = corpus.num_bytes[chosen]
    tokenizer = load_tokenizer(corpus.tokenizer_folder)
    if hasattr(subject.tokenizer, "backend_tokenizer") and (
        tokenizer_fingerprint(tokenizer) == tokenizer_fingerprint(subject.tokenizer)
    ):
        return stored, num_bytes, False
    texts = tokenizer.backend_tokenizer.decode_batch([body.tolist() for body in stored], skip_special_tokens=False)
    for index, text, size in zip(chosen, texts, num_bytes, strict=True):
        found = len(text.encode("utf-8"))
        if found != size:
            problem = f"decodes to {found} bytes instead of {size}" if size else "does not decode to its text"
            raise UserError(
                f"{corpus.folder}: document {corpus.ids[index]} {problem}: its tokenizer loses text, so a model with "
                "another tokenizer cannot be scored on it; encode the corpus with a byte-level one"
            )
    bodies = subject.encode(texts)
    sizes = RoundTrips(subject.tokenizer).num_bytes(texts, [body.tolist() for body in bodies])
    return bodies, np.array(sizes, dtype=np.int64), True
