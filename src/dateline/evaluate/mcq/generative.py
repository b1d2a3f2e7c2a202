"""The published generative protocol: a sampled answer, from which a letter is read.

Enters: a model, questions as tokens. Leaves: what the model wrote, and the option that it names, if any.
Deliberately not done: no rotations, as published; no second try for what names no letter.

Published (arXiv 2601.15236): the answer is sampled, a letter is searched in it, and the accuracy is taken over items in
which one was found. Three things go wrong. Options stand in one order, and a file whose answers are all at A rewards a
liking for A. A search that takes any single letter, whatever its case, reads the article in "a capital city" as the
answer A. And what names no letter leaves the denominator, so that a model gains by saying nothing where it is unsure.
Here the letter must stand as an answer does (see `named_letter`), and the ratio over answered items is only reported
beside the one in which unanswered items are wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from dateline.evaluate.mcq.likelihood import Asked, next_logits
from dateline.evaluate.mcq.prompts import LETTERS, Prompts, Tokens
from dateline.evaluate.subject import Subject
from dateline.progress import Advance
from dateline.records import stable_hash

NUM_TOKENS = 8
TEMPERATURE = 0.7

_ANSWER = re.compile(
    r"(?:^|\b[Aa]nswer(?:\s+is)?\s*:?)\s*"  # at the start, or behind "answer"
    r"(?:\(([A-Z])\)|([A-Z])(?=[).:](?:\s|$)|[,;]?[ \t]*(?:\n|$)))"  # in brackets, as a label, or alone on its line
)


def named_letter(text: str, options: int) -> int:
    """Returns the option that a text names, counted from 0, or -1.

    `B`, `(B)`, `B.`, `B) Abuja`, `B. Abuja`, `Answer: B` and `The answer is (B).` name B. `A man`, `A capital city`
    and `a` name nothing: an article is not an answer. Nor does `B Abuja`, so that no letter is easier to name than A.
    """
    found = _ANSWER.search(text.strip())
    place = LETTERS.index(found.group(1) or found.group(2)) if found else -1
    return place if place < options else -1


def write_answers(
    subject: Subject,
    prompts: Prompts,
    asked: Sequence[Asked],
    ids: Sequence[str],
    *,
    temperature: float = TEMPERATURE,
    num_tokens: int = NUM_TOKENS,
    seed: int = 0,
    batch_tokens: int,
    advance: Advance,
) -> list[str]:
    """Returns what the model writes behind each letter prompt with the options in the order of the file.

    A draw is a hash of (seed, item, prefix, place of the token): it depends on neither batch nor neighbours.

    Args:
        subject: the model.
        prompts: its tokens of the questions.
        asked: which question under which prefix.
        ids: of all questions.
        temperature: of the draws.
        num_tokens: written at most; less where EOS comes first.
        seed: of the draws.
        batch_tokens: tokens of a batch.
        advance: told how many answers have been written.
    """
    bos = np.array([subject.bos], dtype=np.int32)
    heads = [np.concatenate([bos, prompts.prefixes[a.prefix], prompts.letter[a.question][0]]) for a in asked]
    texts: list[Tokens] = list(heads)
    open_ = list(range(len(asked)))
    for step in range(num_tokens):
        going = []
        for positions, logits in next_logits(subject, [texts[at] for at in open_], batch_tokens=batch_tokens):
            chosen = (logits.double() / temperature).softmax(-1).cumsum(-1)
            members = [open_[position] for position in positions]
            draws = [
                stable_hash("answer", str(seed), ids[asked[at].question], asked[at].prefix, str(step)) for at in members
            ]
            levels = chosen.new_tensor([draw / 2.0**64 for draw in draws])[:, None] * chosen[:, -1:]
            picked = (chosen <= levels).sum(-1).clamp(max=chosen.shape[-1] - 1).cpu().numpy()
            for at, token in zip(members, picked, strict=True):
                if token != subject.tokenizer.eos_token_id:
                    texts[at] = np.append(texts[at], np.int32(token))
                    going.append(at)
        finished = len(open_) - len(going)
        open_ = sorted(going)
        advance(finished)
    advance(len(open_))
    written = [text[len(head) :].tolist() for text, head in zip(texts, heads, strict=True)]
    decode = subject.tokenizer.decode
    return [str(decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)) for tokens in written]
