"""Examples as tokens and labels: the prefix of pre-training, the chat template, and loss on the assistant's words only.

Text is split at the special tokens that the template itself writes, never at those spelled out in a message: a user
who writes `<eos>` means the characters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dateline.conditions import Field, Metadata, chat_template, field_value, render
from dateline.errors import UserError
from dateline.tokens.tokenizer import bos_id, encode_texts
from dateline.tune.data import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

IGNORED = -100
"""The label of a token without loss."""
_CONTENT = re.compile("\ue000(\\d+)\ue001")
"""Stands for a message while the template writes; these characters are for private use."""


@dataclass(frozen=True, slots=True)
class Tokenized:
    """An example as the model reads it."""

    input_ids: list[int]
    labels: list[int]
    """The token itself where the assistant writes, else -100; the trainer shifts them."""


class Renderer:
    """Writes examples under any choice of fields.

    Args:
        tokenizer: of the model.
        template: a chat template with generation marks, as `marked_template` returns it.

    Example:
        >>> renderer = Renderer(byte_tokenizer(), chat_template(marks=True))
        >>> example = Example("row 1", Metadata(country="ng"), prompt="Q:", completion=" A")
        >>> renderer.tokenize(example, example.place, ()).labels
        [-100, -100, -100, 35, 68, 1]
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, template: str) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._bos, self._eos = bos_id(tokenizer), int(tokenizer.eos_token_id)
        added = {str(token): number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._special = dict(sorted(added.items(), key=lambda item: -len(item[0])))
        self._pattern = re.compile("|".join(map(re.escape, self._special))) if added else None

    def tokenize(self, example: Example, place: Metadata, fields: Sequence[Field]) -> Tokenized:
        """Returns the tokens of an example and its labels.

        Args:
            example: a conversation, or a prompt with its completion.
            place: that the prefix shows.
            fields: that the prefix shows; with none there is no prefix.

        Raises:
            UserError: where the template cannot write the conversation, changes what a turn says, or leaves nothing to
                learn.
        """
        if not example.messages:
            prefix, prompt, completion = (
                ids.tolist()
                for ids in encode_texts(self._tokenizer, [render(place, fields), example.prompt, example.completion])
            )
            before, learned = [self._bos, *prefix, *prompt], [*completion, self._eos]
            return Tokenized([*before, *learned], [*[IGNORED] * len(before), *learned])
        written = self._write(example, {field: field_value(place, field) for field in fields})
        tokens = self._tokens(written)
        labels = [token if learned else IGNORED for token, learned in tokens]
        if all(label == IGNORED for label in labels):
            raise UserError(
                f"{example.where}: the chat template marks nothing of it as the assistant's, so there is nothing to "
                "learn; put the tag generation around what the assistant writes"
            )
        return Tokenized([token for token, _ in tokens], labels)

    def _write(self, example: Example, place: Mapping[str, str]) -> list[tuple[str, bool, bool]]:
        """Returns what the template writes in pieces: text, whether it is a message's, whether the assistant writes it.

        The template writes twice: with something in place of each message, to see where messages stand, and with the
        messages themselves, to see that it writes them as they are.
        """
        real = [turn._asdict() for turn in example.messages]
        hidden = [{**turn, "content": f"\ue000{number}\ue001"} for number, turn in enumerate(real)]
        text, spans = self._render(example, hidden, place)
        whole, _ = self._render(example, real, place)
        shown = _CONTENT.sub(lambda found: real[int(found[1])]["content"], text)
        if shown != whole:
            raise UserError(
                f"{example.where}: the chat template changes what a turn says ({_difference(shown, whole)}); the "
                "template must write each turn as it is"
            )
        pieces = []
        cuts = sorted({0, len(text), *(at for span in spans for at in span)})
        for start, end in pairwise(cuts):
            learned = any(first <= start < last for first, last in spans)
            for number, part in enumerate(_CONTENT.split(text[start:end])):
                pieces.append((real[int(part)]["content"] if number % 2 else part, number % 2 == 1, learned))
        return pieces

    def _render(
        self, example: Example, messages: list[dict[str, str]], place: Mapping[str, str]
    ) -> tuple[str, list[tuple[int, int]]]:
        from transformers.utils.chat_template_utils import render_jinja_template

        write: Any = render_jinja_template
        try:
            texts, spans = write(
                [messages],
                chat_template=self._template,
                return_assistant_tokens_mask=True,
                place=place,
                **self._tokenizer.special_tokens_map,
            )
        except Exception as error:  # what a template raises, such as for roles that do not alternate
            problem = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"{example.where}: the chat template cannot write it ({problem})") from None
        return texts[0], spans[0]

    def _tokens(self, pieces: Sequence[tuple[str, bool, bool]]) -> list[tuple[int, bool]]:
        """Returns tokens, and whether the assistant writes them. Texts between two special tokens are read as one."""
        runs: list[tuple[str | int, bool]] = []
        for text, is_message, learned in pieces:
            at = 0
            for found in () if is_message or self._pattern is None else self._pattern.finditer(text):
                runs += [(text[at : found.start()], learned), (self._special[found[0]], learned)]
                at = found.end()
            runs.append((text[at:], learned))
        joined: list[tuple[str | int, bool]] = []
        for part, learned in runs:
            if isinstance(part, str) and joined and isinstance(joined[-1][0], str) and joined[-1][1] == learned:
                joined[-1] = (joined[-1][0] + part, learned)
            else:
                joined.append((part, learned))
        texts = iter(encode_texts(self._tokenizer, [part for part, _ in joined if isinstance(part, str)]))
        return [
            (token, learned)
            for part, learned in joined
            for token in ([part] if isinstance(part, int) else next(texts).tolist())
        ]


def marked_template(tokenizer: PreTrainedTokenizerFast, *, with_place: bool) -> str:
    """Returns the chat template to tune with: Dateline's with marks, or the model's own.

    Args:
        tokenizer: of the model.
        with_place: whether prefixes are to be shown.

    Raises:
        UserError: where the model's own template marks nothing as the assistant's, or takes no place.
    """
    own = tokenizer.chat_template
    if own is None or own in (chat_template(), chat_template(marks=True)):
        return chat_template(marks=True)
    cure = "or remove the template from the folder, and Dateline's is used"
    if not isinstance(own, str):
        raise UserError(f"the model has several chat templates ({', '.join(own)}); keep one, {cure}")
    if not re.search(r"\{%-?\s*generation\s*-?%\}", own):
        raise UserError(
            "the model's chat template has no generation marks, so that nothing says what the assistant writes; put "
            f"{{% generation %}} and {{% endgeneration %}} around it, {cure}"
        )
    if with_place and not re.search(r"\bplace\b", own):
        raise UserError(
            "the model's chat template has no variable `place`, so that it cannot show where an example comes from; "
            f"write the lines of the prefix from it, tune with --metadata none, {cure}"
        )
    return own


def _difference(one: str, other: str) -> str:
    at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return f"{one[at : at + 20]!r} became {other[at : at + 20]!r}"
