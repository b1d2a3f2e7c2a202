"""What makes two scores comparable, frozen and fingerprinted.

A protocol chooses the sample of documents and the segments whose tokens are scored. A window longer than a model can
read, or a prefix without room, is refused: to clip either would score other tokens under the same name.

`strict` scores every body token of every document once, in chunks whose borders depend on the window and on the
reserved room but never on the prefix, so that all conditions are compared on the same tokens with the same body
context. `paper` (arXiv 2601.15236) cuts `<bos> prefix body` after 1,024 tokens: a prefix pushes body tokens out, so
its conditions are scored on different tokens and no paired test is possible between them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from dateline.config import Section, fingerprint
from dateline.errors import UserError
from dateline.records import stable_hash

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dateline.model.scoring import Segment

Tokens: TypeAlias = "npt.NDArray[np.int32]"


class Protocol(Section):
    """Window, chunking, which tokens count, and which documents."""

    name: Literal["strict", "paper"] = "strict"
    """`strict`: whole documents, the same tokens under every condition; `paper`: one truncated sequence a document."""
    window: Annotated[int, Field(ge=8)] = 2048
    """Tokens of a segment in `strict`: BOS, room for the prefix, and a chunk of the body."""
    prefix_room: Annotated[int, Field(ge=0)] = 64
    """Tokens of every window that `strict` keeps free for the prefix, whether there is one or not."""
    truncation: Annotated[int, Field(ge=8)] = 1024
    """Tokens of a document's only segment in `paper`, counted from BOS with the prefix inside."""
    split: Literal["train", "validation", "test"] = "test"
    """Documents of this split are scored."""
    num_documents: Annotated[int, Field(ge=1)] | None = None
    """Size of the sample; null for all. The sample is the same for every model."""
    per_group: Annotated[int, Field(ge=1)] | None = None
    """At most this many documents of each `group`; null for no limit. Applied before `num_documents`."""
    group: Literal["continent", "country"] = "continent"
    """What `per_group` counts by."""
    seed: int = 0
    """Of the sample, and of the counterfactual places under `wrong` and `swap`."""

    @model_validator(mode="after")
    def _check(self) -> Protocol:
        if self.name == "strict" and self.chunk_length < 1:
            raise ValueError(f"window {self.window} leaves no token for the body beside prefix_room {self.prefix_room}")
        return self

    @property
    def length(self) -> int:
        """Tokens of the longest segment: what a model must be able to read."""
        return self.window if self.name == "strict" else self.truncation

    @property
    def chunk_length(self) -> int:
        """Body tokens of a full `strict` segment: the window less BOS and the reserved room."""
        return self.window - 1 - self.prefix_room

    def fingerprint(self) -> str:
        """Returns `strict-1a2b3c4d`; settings that the named protocol does not use leave it unchanged."""
        unused = {"truncation"} if self.name == "strict" else {"window", "prefix_room"}
        if self.per_group is None:
            unused.add("group")
        return f"{self.name}-{fingerprint(self.model_dump(mode='json', exclude=unused))[:8]}"

    def sample(self, ids: Sequence[str], groups: Sequence[str] = ()) -> npt.NDArray[np.int64]:
        """Returns the positions of the documents to score, ascending.

        Documents are ranked by a hash of (seed, id) and taken from the top: the choice depends on neither their order
        nor the model, and a smaller sample is part of a larger one.

        Args:
            ids: of the split's documents.
            groups: continent or country of each; needed where `per_group` is set.
        """
        import numpy as np  # here, because the options of the command line need the section and no numpy

        if self.num_documents is None and self.per_group is None:
            return np.arange(len(ids), dtype=np.int64)
        ranked = sorted(range(len(ids)), key=lambda i: (stable_hash("sample", str(self.seed), ids[i]), ids[i]))
        if self.per_group is not None:
            seen: Counter[str] = Counter()
            kept = []
            for position in ranked:
                seen[groups[position]] += 1
                if seen[groups[position]] <= self.per_group:
                    kept.append(position)
            ranked = kept
        return np.array(sorted(ranked[: self.num_documents]), dtype=np.int64)

    def check_positions(self, available: int | None, model: str) -> None:
        """Refuses a model that cannot read the protocol's segments; None means that it has no limit.

        Raises:
            UserError: which names the largest value that works, and what that does to comparisons.
        """
        if available is not None and self.length > available:
            key = "window" if self.name == "strict" else "truncation"
            raise UserError(
                f"{model}: reads {available:,} tokens, the protocol's {key} is {self.length:,}; set protocol.{key} to "
                f"{available} or less, for every model that is to be compared"
            )

    def check_prefix(self, longest: int, whose: str) -> None:
        """Refuses a prefix for which the protocol has no room.

        Args:
            longest: tokens of the longest prefix of all conditions that are compared.
            whose: which document and condition that is, for the message.

        Raises:
            UserError: which names the room that is needed.
        """
        if self.name == "strict" and longest > self.prefix_room:
            raise UserError(
                f"the prefix of {whose} has {longest} tokens, the protocol reserves {self.prefix_room}; "
                f"set protocol.prefix_room to {longest} or more, for every model that is to be compared"
            )
        if self.name == "paper" and longest + 2 > self.truncation:
            raise UserError(
                f"the prefix of {whose} has {longest} tokens and leaves no body within {self.truncation}; "
                f"set protocol.truncation to {longest + 2} or more"
            )

    def segments(self, bos: int, prefix: Tokens, body: Tokens) -> list[Segment]:
        """Returns the token sequences that score one document; their last `num_scored` tokens count.

        `strict`: for every chunk of the body `<bos> prefix chunk`; `paper`: `<bos> prefix body`, cut at the end.
        Only body tokens count: never BOS, never the prefix, and no EOS, which not every model was trained to give.

        Args:
            bos: the token that opens every segment.
            prefix: tokens of the prefix; may be empty.
            body: tokens of the whole body.

        Raises:
            UserError: where the prefix is too long.
        """
        import numpy as np

        from dateline.model.scoring import Segment

        self.check_prefix(len(prefix), "a document")
        head = np.concatenate([np.array([bos], dtype=np.int64), prefix])
        if self.name == "paper":
            chunks = [body[: self.truncation - len(head)]]
        else:
            chunks = [body[start : start + self.chunk_length] for start in range(0, len(body), self.chunk_length)]
        return [Segment(np.concatenate([head, chunk]).astype(np.int64), len(chunk)) for chunk in chunks if len(chunk)]
