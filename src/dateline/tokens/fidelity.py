"""Whether a tokenizer does what its tokenizer.json says, and whether its tokens give a text back."""

from __future__ import annotations

import json
import shutil
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dateline.errors import UserError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SAMPLE = (
    *(" ", "  ", "     ", "\n", "\n\n", "\r\n", "\t", " \n", "\n ", " \n\n  ", "\u00a0", "\u3000", "\u200b", "\ufeff"),
    *("a b", " a", "a ", "a  b", "a   b", "a\nb", "a\n\nb", "a \nb", "a\n b", "a\tb", "\ta", "a\r\nb", "a\n\n\n\nb"),
    *("7", "42", "2024", "12345", "1234567", "3.14", "1,000,000", " 2024", "a1b22c333", "+49 30 901820", "10:45", "٣٤"),
    *(".", "...", ".\n", "?!\n\n", "said.\n", '"Yes," she said.', "it's", "IT'S", "don't we'll", "co-operate", "a/b\n"),
    *("The", "the", "THE", "McDonald", "iPhone", "ÉCOLE", "straße", "İstanbul", "ǅ", "ﬁne", "x²", "½"),
    *("caf\u00e9", "cafe\u0301", "n\u0303", "\u1100\u1161", "Việt Nam", "₦500", "naïve – “quoted”…", "🙂", "👩‍👩‍👧 🇳🇬"),
    *("新聞 报道", "東京は晴れ。", "서울 날씨", "أخبار اليوم", "שלום עולם", "नमस्ते दुनिया", "ข่าววันนี้", "Новости дня"),
    *(
        "def f(x):\n    return x  # y\n",
        "<p>a &amp; b</p>",
        "https://nation.africa/news/a-b?id=1",
        "a_b {c: [1]}",
        "#x @y",
    ),
    *("▁", "Ġ", "##a", "a▁b"),
    "TITLE: Flood in the valley\n\nCONTENT: The river rose 3 m on 5 May 2024.\n\n“We left,” she said.\n",
    "URL: nation.africa\nCOUNTRY: ke\nCONTINENT: Africa\n",
)
"""What two readings of a tokenizer folder are compared on, beside the words of its vocabulary."""
VOCABULARY_SAMPLE = 512
"""Entries of the vocabulary, evenly spread, that are compared as well."""
CLASS = "PreTrainedTokenizerFast"
"""The class that takes tokenizer.json as it is."""


class Difference(NamedTuple):
    """A text that two readings of a tokenizer treat differently, and what each makes of it."""

    text: str
    stated: str
    """By tokenizer.json."""
    read: str
    """By the class that transformers loads."""


def check_reading(folder: Path, tokenizer: Any) -> None:
    """Refuses a tokenizer that transformers reads otherwise than its tokenizer.json says.

    Classes of some model types (Qwen2, Llama, Gemma) take the vocabulary from tokenizer.json and bring their own
    splitting and normalization, whatever the file says. Other tools would get other tokens than those that Dateline
    trains on, so neither reading is taken in silence.

    Args:
        folder: that holds tokenizer.json.
        tokenizer: what transformers made of the folder.

    Raises:
        UserError: with a text, its tokens in both readings, and what to change.
    """
    found = _difference(folder, tokenizer)
    if found is None:
        return
    if _is_cured(folder):
        cure = f'set "tokenizer_class": "{CLASS}" in tokenizer_config.json'
    else:
        cure = (
            f'copy it and a tokenizer_config.json with "tokenizer_class": "{CLASS}" to a folder without config.json '
            "(the model type there makes transformers rebuild the tokenizer)"
        )
    name = type(tokenizer).__name__
    raise UserError(
        f"{folder}: transformers' {name} does not tokenize as tokenizer.json says: {found.text!r} becomes "
        f"{found.read} instead of {found.stated}; if tokenizer.json is what is meant, {cure}; if {name} is, load the "
        "folder with AutoTokenizer and save it with save_pretrained"
    )


def _difference(folder: Path, tokenizer: Any) -> Difference | None:
    """Returns a text of the sample that is tokenized or given back differently: the shortest printable one if any."""
    from tokenizers import Tokenizer

    file = Tokenizer.from_file(str(folder / "tokenizer.json"))
    file.no_truncation()
    file.no_padding()
    file.encode_special_tokens = True
    texts = sorted({*SAMPLE, *_vocabulary(file)}, key=lambda text: (not text.isprintable(), len(text), text))
    stated = [encoding.ids for encoding in file.encode_batch_fast(texts, add_special_tokens=False)]
    read = tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    for text, ids, others in zip(texts, stated, read, strict=True):
        if ids != others:
            tokens = [str(file.id_to_token(number)) for number in ids]
            return Difference(text, _listed(tokens, ids), _listed(tokenizer.convert_ids_to_tokens(others), others))
        back, other = file.decode(ids, skip_special_tokens=False), _decode(tokenizer, [ids])[0]
        if back != other:
            return Difference(text, f"{back!r} when decoded", f"{other!r} when decoded")
    return None


def _vocabulary(file: Tokenizer) -> list[str]:
    added = file.get_added_tokens_decoder()
    ids = sorted(number for number in file.get_vocab(with_added_tokens=False).values() if number not in added)
    step = max(1, len(ids) // VOCABULARY_SAMPLE)
    return file.decode_batch([[number] for number in ids[::step]], skip_special_tokens=False)


def _listed(tokens: Sequence[str], ids: Sequence[int]) -> str:
    """Returns tokens with their ids, at most eight: `['Ġ', 'a'] (4, 97)`."""
    more = ", …" if len(ids) > 8 else ""
    return f"[{', '.join(map(repr, tokens[:8]))}{more}] ({', '.join(map(str, ids[:8]))}{more})"


def _is_cured(folder: Path) -> bool:
    """Says whether naming the plain class in tokenizer_config.json would make transformers follow tokenizer.json."""
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory(prefix="dateline-") as name:
        copy = Path(name)
        for path in folder.glob("*.json"):
            if path.name in ("config.json", "tokenizer.json", "special_tokens_map.json", "added_tokens.json"):
                shutil.copy(path, copy)
        settings = folder / "tokenizer_config.json"
        config = json.loads(settings.read_text(encoding="utf-8")) if settings.is_file() else {}
        (copy / settings.name).write_text(json.dumps({**config, "tokenizer_class": CLASS}), encoding="utf-8")
        return _difference(copy, AutoTokenizer.from_pretrained(copy, local_files_only=True)) is None


def is_lossless(tokenizer: Any) -> bool:
    """Says whether a tokenizer gives back every text by construction, so that no text has to be checked.

    This holds for a byte-level BPE that knows all 256 bytes, normalizes nothing, and removes nothing where it splits.

    Args:
        tokenizer: a transformers tokenizer; special tokens that are spelled out in a text have to be read as text.
    """
    from tokenizers.pre_tokenizers import ByteLevel

    if not hasattr(tokenizer, "backend_tokenizer"):
        return False
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    model, splitter = parts["model"], parts["pre_tokenizer"] or {"type": None}
    *before, last = splitter["pretokenizers"] if splitter["type"] == "Sequence" else [splitter]
    return (
        parts["normalizer"] is None
        and all(
            one["type"] in ("Split", "Digits", "Punctuation") and one.get("behavior") != "Removed" for one in before
        )
        and last["type"] == "ByteLevel"
        and not last["add_prefix_space"]
        and (parts["decoder"] or {}).get("type") == "ByteLevel"
        and model["type"] == "BPE"
        and not model["continuing_subword_prefix"]
        and not model["end_of_word_suffix"]
        and set(ByteLevel.alphabet()) <= model["vocab"].keys()
        # an added token with other letters could be taken for bytes, one that strips takes the blanks around it along
        and all(
            one["special"] or (one["content"].isascii() and not one["lstrip"] and not one["rstrip"])
            for one in parts["added_tokens"]
        )
    )


class RoundTrips:
    """Counts the texts that a tokenizer does not give back, and keeps one as an example."""

    def __init__(self, tokenizer: Any) -> None:
        """Args: tokenizer: a transformers tokenizer, fast or slow."""
        self.tokenizer = tokenizer
        self.lossless = is_lossless(tokenizer)
        self.lossy = 0
        """Texts that did not come back."""
        self.example: tuple[str, str] | None = None
        """What went in and what came back, quoted, from a little before the first difference on."""

    def num_bytes(self, texts: Sequence[str], tokens: Sequence[Sequence[int]]) -> list[int]:
        """Returns the UTF-8 bytes of each text, or 0 where its tokens do not give it back."""
        sizes = [len(text.encode("utf-8")) for text in texts]
        if self.lossless:
            return sizes
        for position, (text, back) in enumerate(zip(texts, _decode(self.tokenizer, tokens), strict=True)):
            if text != back:
                sizes[position] = 0
                self.lossy += 1
                self.example = self.example or _around(text, back)
        return sizes


def _decode(tokenizer: Any, tokens: Sequence[Sequence[int]]) -> list[str]:
    if hasattr(tokenizer, "backend_tokenizer"):
        texts: list[str] = tokenizer.backend_tokenizer.decode_batch(list(tokens), skip_special_tokens=False)
        return texts
    return [tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False) for ids in tokens]


def _around(text: str, back: str) -> tuple[str, str]:
    same = next((at for at, pair in enumerate(zip(text, back, strict=False)) if pair[0] != pair[1]), None)
    start = max(0, (min(len(text), len(back)) if same is None else same) - 12)
    one, other = text[start : start + 40], back[start : start + 40]
    look_alike = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    return (ascii(one), ascii(other)) if look_alike else (repr(one), repr(other))
