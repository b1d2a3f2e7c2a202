"""Validation loss while training, by continent and condition, always on the same tokens.

It has no intervals and cuts documents to half a row; `dateline eval` scores whole documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dateline.conditions import Conditioner, Conditioning, parse_condition
from dateline.conditions.dropout import uniform
from dateline.model.scoring import Segment, score_segments
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import encode_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SAMPLE = 0x5A3F1E
"""Stream number of the draw that chooses documents, the same for every run on a corpus."""


class Validation:
    """A fixed sample of the validation split, rendered once under `gold` and `none`."""

    def __init__(
        self,
        corpus: EncodedCorpus,
        tokenizer: PreTrainedTokenizerFast,
        conditioning: Conditioning,
        *,
        bos: int,
        sequence_length: int,
        num_documents: int,
    ) -> None:
        """Chooses documents evenly over the continents and cuts each to what fits behind the longest prefix.

        Args:
            corpus: the encoded corpus.
            tokenizer: its tokenizer, for the prefixes.
            conditioning: the fields that the model is trained with; without fields, only `none` is measured.
            bos: id of the token that starts a segment.
            sequence_length: tokens that a segment may have.
            num_documents: in all; fewer where the split is smaller.
        """
        chosen = _choose(corpus, num_documents)
        self.groups = [str(corpus.continents[index]) for index in chosen]
        metadata = [corpus.metadata(index) for index in chosen]
        self.segments: dict[str, list[Segment]] = {}
        for name in ("gold", "none") if conditioning.fields else ("none",):
            conditioner = Conditioner(parse_condition(name, conditioning.fields), seed=0, pool=metadata)
            prefixes = encode_texts(tokenizer, [conditioner.prefix(place, "") for place in metadata])
            segments = []
            for index, prefix in zip(chosen, prefixes, strict=True):
                body = corpus.tokens(index)[: sequence_length // 2 - 1]
                ids = np.concatenate([[bos], prefix[: sequence_length // 2], body]).astype(np.int64)
                segments.append(Segment(ids, len(body)))
            self.segments[name] = segments

    def measure(self, model: Any, *, dtype: str) -> list[dict[str, Any]]:
        """Returns a record for each condition and group: `{"condition", "group", "loss"}` in nats per body token."""
        records = []
        names = np.array(self.groups)
        for condition, segments in self.segments.items():
            nll = score_segments(model, segments, dtype=dtype)
            tokens = np.array([segment.num_scored for segment in segments])
            for group in ["all", *sorted(set(self.groups))]:
                inside = np.ones(len(names), dtype=bool) if group == "all" else names == group
                loss = float(nll[inside].sum() / tokens[inside].sum())
                records.append({"condition": condition, "group": group or "unplaced", "loss": loss})
        return records


def _choose(corpus: EncodedCorpus, num_documents: int) -> list[int]:
    indices = corpus.select("validation")
    if not len(indices):
        return []
    draw = uniform(0, corpus.keys[indices], np.zeros(len(indices), dtype=np.int64), SAMPLE)
    indices = indices[np.argsort(draw, kind="stable")]
    continents = corpus.continents[indices]
    names = sorted(set(continents.tolist()))
    share = max(1, num_documents // len(names))
    return sorted(int(index) for name in names for index in indices[continents == name][:share])
