"""GGUF: a Llama model with a byte-level BPE tokenizer as one file for llama.cpp, Ollama and what builds on them.

llama.cpp's own converter recognises tokenizers by a hash of token ids and knows no newly trained one. Here the
splitting rule is read from the tokenizer itself. The file carries parity vectors: texts, their token ids, and the
logits of the most probable next tokens, from the Hugging Face model in float32; `check_gguf` reads it back.
"""

from __future__ import annotations

import importlib.util
import json
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch

from dateline import __version__
from dateline.conditions.template import DEFAULT_FIELDS, FIELDS, Field, Metadata, render
from dateline.errors import UserError
from dateline.manifest import write_atomically
from dateline.records import body_text
from dateline.tokens.tokenizer import bos_id

if TYPE_CHECKING:
    from gguf import GGUFReader, GGUFWriter
    from tokenizers import Tokenizer

GGUFDtype = Literal["f32", "f16", "q8_0"]

FILE_TYPES: dict[GGUFDtype, str] = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "q8_0": "MOSTLY_Q8_0"}
"""The members of gguf's `LlamaFileType`."""
LIMITS: dict[GGUFDtype, float] = {"f32": 1e-4, "f16": 5e-3, "q8_0": 5e-2}
"""Largest difference of a logit that rounding the weights explains, as a share of the largest logit."""
TOP = 8
"""Most probable next tokens whose logits are in the file, for each parity text."""

_APOSTROPHES = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS: dict[str, str] = {
    "gpt-2": "",  # the rule that is built into tokenizers' ByteLevel
    "llama-bpe": rf"{_APOSTROPHES}|\p{{N}}{{1,3}}|{_REST}",
    "qwen2": rf"{_APOSTROPHES}|\p{{N}}|{_REST}",
}
"""llama.cpp's name of a splitting rule (`tokenizer.ggml.pre`) -> the regular expression in tokenizer.json."""
WHOLE_WORDS_FIRST = frozenset({"llama-bpe"})
"""Rules under which llama.cpp takes a word that is a token as it is, without merging (`ignore_merges`)."""

LAGOS = Metadata(
    url="https://punchng.com/rain-delays-the-vote/", domain="punchng.com", country="ng", continent="Africa",
    date="2021-03-04",
)  # fmt: skip
LONDON = Metadata(
    url="https://www.bbc.co.uk/news/rain", domain="bbc.co.uk", country="gb", continent="Europe", date="2019-11-30"
)


class Parity(NamedTuple):
    """What a faithful copy of the model must reproduce."""

    texts: list[str]
    ids: list[list[int]]
    """Token ids of each text, BOS included."""
    top_tokens: list[list[int]]
    """The most probable next tokens of each text, the most probable one first."""
    top_logits: list[list[float]]


class Comparison(NamedTuple):
    """What one reading of a file gave."""

    reader: str
    agrees: bool | None
    """None where it could not be made here."""
    detail: str


# writing


def write_gguf(
    model: Any, tokenizer: Any, out: Path, *, dtype: GGUFDtype = "f16", facts: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> list[str]:  # fmt: skip
    """Writes a GGUF file and, beside it, an Ollama Modelfile.

    Matrices are written in `dtype`, norms in float32. A matrix whose rows are no multiple of 32 cannot be `q8_0` and
    stays `f16`.

    Args:
        model: a LlamaForCausalLM in float32 on the CPU.
        tokenizer: its tokenizer, a fast one of transformers with byte-level BPE.
        out: the file to make; the Modelfile gets the suffix `.Modelfile`.
        dtype: of the matrices.
        facts: what `dateline.json` says of the model; `fields` among it decides what the prefixes show.
        overwrite: replace files that stand there.

    Returns:
        Remarks for people, none where there is nothing to say.

    Raises:
        UserError: where architecture or tokenizer have no equivalent in llama.cpp, or the files are there already.

    Example:
        >>> subject = load_subject(Path("runs/first"), device="cpu")  # doctest: +SKIP
        >>> write_gguf(subject.model, subject.tokenizer, Path("first.gguf"), dtype="q8_0")  # doctest: +SKIP
        []
    """
    gguf = _gguf()
    modelfile = out.with_suffix(".Modelfile")
    check_file_free(out, overwrite=overwrite)
    facts = facts or {}
    _check_architecture(model.config)
    pre, remarks = splitting_rule(tokenizer)
    last, rows = max(tokenizer.get_vocab().values()), int(model.config.vocab_size)
    if last >= rows:
        raise UserError(f"the tokenizer has token {last}, the model knows {rows} tokens; use the model's own tokenizer")
    parity = _parity(model, tokenizer, _fields(facts) or DEFAULT_FIELDS, normalized=bool(remarks))
    partial = out.with_name(f".{out.name}.partial")
    try:
        writer = gguf.GGUFWriter(partial, "llama")
        _add_shape(writer, model.config, dtype, gguf)
        _add_tokenizer(writer, tokenizer, pre, rows, gguf)
        _add_dateline(writer, parity, facts)
        remarks += _add_tensors(writer, model, dtype, gguf)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    write_atomically(modelfile, ollama_modelfile(out.name, model, tokenizer, _fields(facts)))
    return remarks


def check_file_free(out: Path, *, overwrite: bool) -> None:
    """Refuses early where the file, or the Modelfile beside it, cannot or may not be written.

    Raises:
        UserError: which says why.
    """
    _gguf()
    if out.suffix != ".gguf":
        raise UserError(f"{out}: name the file to make *.gguf")
    if not out.parent.is_dir():
        raise UserError(f"{out}: no folder {out.parent}; make it first")
    for path in (out, out.with_suffix(".Modelfile")):
        if path.is_dir() or (path.exists() and not overwrite):
            raise UserError(f"{path}: exists already; choose another --out or pass --overwrite")


def splitting_rule(tokenizer: Any) -> tuple[str, list[str]]:
    """Returns llama.cpp's name for how a tokenizer splits text into words, and remarks on what it will not do.

    Raises:
        UserError: where the tokenizer is no byte-level BPE, or llama.cpp would tokenize differently.
    """
    if not tokenizer.is_fast or tokenizer.eos_token_id is None:
        raise UserError("the tokenizer is not a fast one, or has no end-of-text token; GGUF export needs both")
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    model = content["model"]
    plain = "GGUF export takes byte-level BPE as GPT-2, Llama 3 and Qwen2 split it"
    if model["type"] != "BPE":
        raise UserError(f"the tokenizer is a {model['type']} model; {plain}")
    steps = content["pre_tokenizer"] or {"type": "none"}
    steps = steps["pretokenizers"] if steps["type"] == "Sequence" else [steps]
    pattern = ""
    if len(steps) == 2 and steps[0]["type"] == "Split":
        split, steps = steps[0], steps[1:]
        pattern = split["pattern"].get("Regex", "")
        if split["behavior"] != "Isolated" or split["invert"] or not pattern:
            raise UserError(f"the tokenizer splits text by a rule that llama.cpp does not know; {plain}")
    if len(steps) != 1 or steps[0]["type"] != "ByteLevel":
        raise UserError(f"the tokenizer splits text with {', '.join(step['type'] for step in steps)}; {plain}")
    if steps[0]["add_prefix_space"] or steps[0]["use_regex"] != (pattern == ""):
        raise UserError(f"the tokenizer adds a blank in front of a text, or splits it twice or not at all; {plain}")
    names = [name for name, known in SPLITS.items() if known == pattern]
    if not names:
        raise UserError(f"the tokenizer splits text by {pattern!r}, which llama.cpp does not know; {plain}")
    pre = names[0]
    if bool(model.get("ignore_merges")) != (pre in WHOLE_WORDS_FIRST):
        raise UserError(f"the tokenizer's ignore_merges is {model.get('ignore_merges')}, unlike llama.cpp's '{pre}'")
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix") or model.get("dropout"):
        raise UserError(f"the tokenizer marks parts of words, or drops merges at random; {plain}")
    if not model["merges"]:
        raise UserError("the tokenizer has no merges, and llama.cpp opens no such file; train one with more tokens")
    if missing := set(_byte_symbols()) - set(model["vocab"]):
        raise UserError(f"the tokenizer has no token for {len(missing)} of the 256 bytes; {plain}")
    for token in content["added_tokens"]:
        if token["lstrip"] or token["rstrip"] or token["single_word"]:
            raise UserError(f"the tokenizer's token {token['content']!r} takes blanks or whole words; {plain}")
    normalizer = content["normalizer"]
    if normalizer is None:
        return pre, []
    if normalizer != {"type": "NFC"}:
        raise UserError(f"the tokenizer changes texts first ({normalizer['type']}), which llama.cpp does not do")
    return pre, ["the tokenizer composes letters with their accents (NFC) and llama.cpp does not: send composed text"]


def ollama_modelfile(file: str, model: Any, tokenizer: Any, fields: Sequence[Field] | None) -> str:
    """Returns a Modelfile: Ollama's system message is the place, its prompt the title, its answer the article.

    Args:
        file: name of the GGUF file, in the same folder.
        model: gives the context length.
        tokenizer: gives the token that ends an article.
        fields: what the prefix shows; empty for a plain model, None for models from elsewhere.
    """
    prefix = render(LAGOS, DEFAULT_FIELDS if fields is None else fields)
    place = prefix.rstrip("\n")
    system = f"{{{{ if .System }}}}{{{{ .System }}}}{prefix.removeprefix(place)}{{{{ end }}}}" if prefix else ""
    note = (
        "# The system message is the place that the article comes from, for example\n"
        + "".join(f"#   {line}\n" for line in place.splitlines())
        + "# and without a system message the model writes without a place.\n"
        if prefix
        else "# This model was trained without places: a system message is ignored.\n"
    )
    bos = tokenizer.convert_ids_to_tokens(bos_id(tokenizer))
    return (
        f"{note}# The prompt is a title. llama.cpp puts {bos} in front.\n"
        f"FROM ./{file}\n"
        f'TEMPLATE """{system}{_prompt("{{ .Prompt }}")}"""\n'
        f"PARAMETER num_ctx {int(model.config.max_position_embeddings)}\n"
        "PARAMETER repeat_penalty 1.0\n"
        f'PARAMETER stop "{tokenizer.eos_token}"\n'
    )


def _prompt(title: str) -> str:
    """Returns a body up to where its text begins; the blank there belongs to the text's first token."""
    return body_text(title, "").rstrip(" ")


def _fields(facts: Mapping[str, Any]) -> tuple[Field, ...] | None:
    named = facts.get("fields")
    return None if named is None else tuple(cast(Field, name) for name in named if name in FIELDS)


def _check_architecture(config: Any) -> None:
    kind = config.model_type
    if kind != "llama":
        raise UserError(
            f"GGUF export writes Llama models only, this is '{kind}'; use llama.cpp's convert_hf_to_gguf.py"
        )
    rope = config.rope_parameters if getattr(config, "rope_parameters", None) else {}
    if rope.get("rope_type", "default") != "default" or rope.get("partial_rotary_factor", 1.0) != 1.0:
        raise UserError(f"GGUF export writes no rotary scaling ({rope.get('rope_type')}); use convert_hf_to_gguf.py")
    if config.attention_bias or config.mlp_bias or config.hidden_act != "silu":
        raise UserError("GGUF export writes no biases and no activation but silu; use convert_hf_to_gguf.py")


def _rope_theta(config: Any) -> float:
    """Returns the base of the rotary embedding from the new form of a configuration or the old."""
    rope = getattr(config, "rope_parameters", None) or {}
    return float(rope.get("rope_theta") or config.rope_theta)


def _add_shape(writer: GGUFWriter, config: Any, dtype: GGUFDtype, gguf: ModuleType) -> None:
    head = _head_dim(config)
    writer.add_type("model")
    writer.add_name("Dateline")
    writer.add_file_type(int(gguf.LlamaFileType[FILE_TYPES[dtype]]))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(_rope_theta(config))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _head_dim(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _add_tokenizer(writer: GGUFWriter, tokenizer: Any, pre: str, rows: int, gguf: ModuleType) -> None:
    backend = tokenizer.backend_tokenizer
    names = {number: token for token, number in backend.get_vocab(with_added_tokens=True).items()}
    added = tokenizer.added_tokens_decoder
    special = set(tokenizer.all_special_ids) | {number for number, token in added.items() if token.special}
    tokens, kinds = [], []
    for number in range(rows):
        kind = gguf.TokenType.NORMAL
        if number not in names:
            kind = gguf.TokenType.UNUSED
        elif number in special:
            kind = gguf.TokenType.CONTROL
        elif number in added:
            kind = gguf.TokenType.USER_DEFINED
        tokens.append(names.get(number, f"[PAD{number}]"))
        kinds.append(int(kind))
    merges = [
        pair if isinstance(pair, str) else " ".join(pair) for pair in json.loads(backend.to_str())["model"]["merges"]
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(bos_id(tokenizer))
    writer.add_eos_token_id(tokenizer.eos_token_id)
    if tokenizer.pad_token_id is not None:
        writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(True)  # every training document begins with it
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    if template := tokenizer.chat_template:
        named = (
            [{"name": name, "template": text} for name, text in template.items()]
            if isinstance(template, dict)
            else template
        )
        writer.add_chat_template(named)


def _add_dateline(writer: GGUFWriter, parity: Parity, facts: Mapping[str, Any]) -> None:
    writer.add_string("dateline.version", __version__)
    writer.add_string("dateline.facts", json.dumps(dict(facts)))
    writer.add_array("dateline.fields", list(_fields(facts) or ()))
    writer.add_array("dateline.parity.texts", parity.texts)
    writer.add_array("dateline.parity.lengths", [len(ids) for ids in parity.ids])
    writer.add_array("dateline.parity.ids", [number for ids in parity.ids for number in ids])
    writer.add_array("dateline.parity.top_tokens", [number for tops in parity.top_tokens for number in tops])
    writer.add_array("dateline.parity.top_logits", [value for tops in parity.top_logits for value in tops])


def _add_tensors(writer: GGUFWriter, model: Any, dtype: GGUFDtype, gguf: ModuleType) -> list[str]:
    names = tensor_names(model, gguf)
    kinds = gguf.GGMLQuantizationType
    kept = 0
    for name, tensor in model.state_dict().items():
        if name not in names:
            continue
        values = tensor.detach().to(torch.float32).cpu().numpy()
        if heads := _rotary_heads(name, model.config):
            values = interleave(values, heads)
        kind = kinds[dtype.upper()] if values.ndim > 1 else kinds.F32
        if kind == kinds.Q8_0 and values.shape[-1] % 32:
            kind = kinds.F16
            kept += 1
        if kind != kinds.F32 and not np.abs(values).max() <= np.finfo(np.float16).max:
            raise UserError(f"{name}: has values that float16 cannot hold; export with --dtype f32")
        writer.add_tensor(names[name], gguf.quants.quantize(values, kind), raw_dtype=kind)
    return [f"{kept} of {len(names)} tensors stay f16: their rows are no multiple of 32"] if kept else []


def tensor_names(model: Any, gguf: ModuleType) -> dict[str, str]:
    """Returns transformers' name -> llama.cpp's name of every tensor that a file holds; tied embeddings are one."""
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, model.config.num_hidden_layers)
    names = {}
    for name in model.state_dict():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        found = table.get_name(name, try_suffixes=(".weight",))
        if found is None:
            raise UserError(f"{name}: llama.cpp's Llama has no such tensor")
        names[name] = found
    return names


def _rotary_heads(name: str, config: Any) -> int:
    """Returns how many heads a projection that the rotary embedding turns has; 0 for all other tensors."""
    if name.endswith("q_proj.weight"):
        return int(config.num_attention_heads)
    return int(config.num_key_value_heads) if name.endswith("k_proj.weight") else 0


def interleave(weight: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Reorders the rows of each head for llama.cpp, which turns neighbours where transformers turns two halves.

    Args:
        weight: shape [heads * head_dim, hidden_size].
        heads: number of them.

    Returns:
        The same shape: within a head rows 0, d/2, 1, d/2 + 1, ...
    """
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def separate(weight: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Undoes `interleave`."""
    return weight.reshape(heads, -1, 2, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


# parity


def parity_texts(fields: Sequence[Field]) -> list[str]:
    """Returns the texts on which copies of a model are compared: articles with a place and without, and hard cases."""
    title, text = "Rain delays the vote", "Officials in Lagos said on Monday that 3,500 people had waited since 6 a.m."
    return [
        render(LAGOS, fields) + body_text(title, text),
        render(LONDON, fields) + body_text(title, text),
        render(LAGOS, fields) + _prompt(title),
        body_text(title, text),
        _prompt("It's what they'd said: WE'RE late, you'll see"),
        "TITLE:",
        "a  b   c    d\t\te \t f  ",
        "one\ntwo\n\nthree\r\nfour\n\n\n five\n",
        "7 42 365 1,234,567.89 3rd 1/2 \u00bd \u00b2 \u0664\u0662 \u0967\u0968",
        "\U0001f327\ufe0f rain \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1f3\U0001f1ec! \U0001f44d\U0001f3fd",
        "cafe\u0301 n\u0303a\u0303o Vie\u0323\u0302t Nam o\u0323\u0300ro\u0323\u0300",
        "Москва القاهرة दिल्ली 北京。กรุงเทพ 한국",
        "https://example.com/a_b?c=%20&d#e (see [1]) \u201cquoted\u201d \u2013 \u20ac5\u2026 a@b.co --x=1;",
        "no\u00a0break\u2009thin\u3000wide\u200bzero",
    ]


def _parity(model: Any, tokenizer: Any, fields: Sequence[Field], *, normalized: bool) -> Parity:
    texts = parity_texts(fields)
    if normalized:
        texts = [unicodedata.normalize("NFC", text) for text in texts]
    bos = bos_id(tokenizer)
    ids = [[bos, *row] for row in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    best = next_logits(model, ids).topk(TOP, dim=-1)
    return Parity(texts, ids, best.indices.tolist(), best.values.tolist())


def next_logits(model: Any, ids: Sequence[Sequence[int]]) -> torch.Tensor:
    """Returns the logits of the token after each sequence, float32, shape [sequences, vocab_size]."""
    with torch.no_grad():
        rows = [model(input_ids=torch.tensor([row]), use_cache=False).logits[0, -1].float() for row in ids]
    return torch.stack(rows)


# reading back


def check_gguf(path: Path, *, model: Any = None, tokenizer: Any = None) -> list[Comparison]:
    """Reads a file back in every way that is possible here, and compares each with its parity vectors.

    The tokenizer is rebuilt with `tokenizers` and the model with transformers, from nothing but the file. Where
    llama-cpp-python is installed, llama.cpp itself reads the file too.

    Args:
        path: a file of `write_gguf`.
        model: the model that it should be a copy of, if that is to be compared too.
        tokenizer: its tokenizer; needed with `model`.

    Raises:
        UserError: where the file is damaged or holds no parity vectors.
    """
    gguf = _gguf()
    file = _File(path, gguf)
    parity = file.parity()
    comparisons = [file.compare_tokenizer(parity), file.compare_model(parity)]
    if model is not None:
        comparisons += file.compare_source(parity, model, tokenizer)
    return [*comparisons, *_compare_llama_cpp(path, parity, file.dtype)]


class _File:
    """A GGUF file, opened."""

    def __init__(self, path: Path, gguf: ModuleType) -> None:
        self.path, self.gguf = path, gguf
        if not path.is_file():
            raise UserError(f"{path}: no such file; make one with: dateline export RUN --format gguf --out FILE.gguf")
        try:
            self.reader: GGUFReader = gguf.GGUFReader(path)
        except Exception as error:  # a damaged file raises what numpy and struct happen to raise
            raise UserError(f"{path}: damaged, or not a GGUF file ({_first_line(error)}); export it again") from None
        self.tensors = {tensor.name: tensor for tensor in self.reader.tensors}
        kinds = {int(gguf.LlamaFileType[name]): dtype for dtype, name in FILE_TYPES.items()}
        kind = self.get("general.file_type")
        if self.get("general.architecture") != "llama" or kind not in kinds:
            raise UserError(f"{path}: is not a Llama model in {', '.join(FILE_TYPES)}; only those are checked")
        self.dtype = kinds[kind]

    def get(self, key: str) -> Any:
        """Returns a value of the file's metadata."""
        field = self.reader.get_field(key)
        if field is None:
            raise UserError(f"{self.path}: has no {key}; only files of 'dateline export --format gguf' are checked")
        try:
            return field.contents()
        except (ValueError, IndexError) as error:
            raise UserError(f"{self.path}: damaged at {key} ({_first_line(error)}); export it again") from None

    def parity(self) -> Parity:
        """Returns the parity vectors."""
        texts, lengths, flat, tops, logits = (
            self.get(f"dateline.parity.{name}") for name in ("texts", "lengths", "ids", "top_tokens", "top_logits")
        )
        sizes = (len(lengths), len(flat), len(tops), len(logits))
        if sizes != (len(texts), sum(lengths), TOP * len(texts), TOP * len(texts)) or not texts:
            raise UserError(f"{self.path}: its parity vectors do not fit each other; export it again")
        ends = np.cumsum(lengths).tolist()
        return Parity(
            texts,
            [flat[end - length : end] for end, length in zip(ends, lengths, strict=True)],
            [tops[start : start + TOP] for start in range(0, len(tops), TOP)],
            [logits[start : start + TOP] for start in range(0, len(logits), TOP)],
        )

    def tokenizer(self) -> Tokenizer:
        """Builds the tokenizer that the file describes, as llama.cpp would read it."""
        from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

        pre = self.get("tokenizer.ggml.pre")
        if pre not in SPLITS or self.get("tokenizer.ggml.model") != "gpt2":
            raise ValueError(f"the splitting rule '{pre}' is none of {', '.join(SPLITS)}")
        kinds = self.gguf.TokenType
        tokens = list(zip(self.get("tokenizer.ggml.tokens"), self.get("tokenizer.ggml.token_type"), strict=True))
        vocab = {token: number for number, (token, kind) in enumerate(tokens) if kind != kinds.UNUSED}
        merges = [tuple(merge.split(" ")) for merge in self.get("tokenizer.ggml.merges")]
        build: Any = models.BPE
        tokenizer = Tokenizer(build(vocab=vocab, merges=merges, ignore_merges=pre in WHOLE_WORDS_FIRST))
        split = pre_tokenizers.Split(Regex(SPLITS[pre]), "isolated") if SPLITS[pre] else None
        level = pre_tokenizers.ByteLevel(
            add_prefix_space=self.get("tokenizer.ggml.add_space_prefix"), use_regex=split is None
        )
        tokenizer.pre_tokenizer = level if split is None else pre_tokenizers.Sequence([split, level])
        for token, kind in tokens:
            if kind in (kinds.CONTROL, kinds.USER_DEFINED):
                tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True)])
        return tokenizer

    def compare_tokenizer(self, parity: Parity) -> Comparison:
        """Compares the ids of the parity texts."""
        name = "tokenizer from the file"
        try:
            tokenizer = self.tokenizer()
        except UserError:
            raise
        except Exception as error:  # the library knows no other kind
            return Comparison(name, False, f"cannot be built: {_first_line(error)}")
        first = [self.get("tokenizer.ggml.bos_token_id")] if self.get("tokenizer.ggml.add_bos_token") else []
        last = [self.get("tokenizer.ggml.eos_token_id")] if self.get("tokenizer.ggml.add_eos_token") else []
        return _compare_ids(name, parity, [first + tokenizer.encode(text).ids + last for text in parity.texts])

    def model(self) -> Any:
        """Builds the transformers model that the file describes."""
        from transformers import LlamaConfig, LlamaForCausalLM

        def shape(name: str) -> Any:
            return self.get(f"llama.{name}")

        config = LlamaConfig(
            vocab_size=shape("vocab_size"),
            hidden_size=shape("embedding_length"),
            intermediate_size=shape("feed_forward_length"),
            num_hidden_layers=shape("block_count"),
            num_attention_heads=shape("attention.head_count"),
            num_key_value_heads=shape("attention.head_count_kv"),
            head_dim=shape("rope.dimension_count"),
            max_position_embeddings=shape("context_length"),
            rope_parameters={"rope_type": "default", "rope_theta": shape("rope.freq_base")},
            rms_norm_eps=shape("attention.layer_norm_rms_epsilon"),
            tie_word_embeddings="output.weight" not in self.tensors,
        )
        build: Any = LlamaForCausalLM
        model = build(config).eval()
        state = {}
        names = tensor_names(model, self.gguf)
        if odd := sorted(set(names.values()) ^ set(self.tensors)):
            raise ValueError(f"{len(odd)} tensors are missing or too many, such as {odd[0]}")
        for name, stored in names.items():
            tensor = self.tensors[stored]
            values = self.gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            heads = _rotary_heads(name, config)
            state[name] = torch.from_numpy(np.array(separate(values, heads) if heads else values, dtype=np.float32))
        model.load_state_dict(state, strict=not config.tie_word_embeddings)
        return model

    def compare_model(self, parity: Parity) -> Comparison:
        """Compares the next tokens after the ids of the parity texts."""
        name = "transformers from the file"
        try:
            model = self.model()
            logits = next_logits(model, parity.ids)
        except (ValueError, RuntimeError, IndexError) as error:  # shapes that do not fit, ids that are not there
            return Comparison(name, False, f"cannot be built: {_first_line(error)}")
        return _compare_logits(name, parity, logits, self.dtype)

    def compare_source(self, parity: Parity, model: Any, tokenizer: Any) -> list[Comparison]:
        """Compares the parity vectors with the model that they should be of."""
        bos = bos_id(tokenizer)
        ids = [[bos, *row] for row in tokenizer(parity.texts, add_special_tokens=False)["input_ids"]]
        rows = int(model.config.vocab_size)
        if max(max(row) for row in (*parity.ids, *parity.top_tokens)) >= rows:
            return [Comparison("the model compared with", False, f"has {rows} tokens, the file names others")]
        return [
            _compare_ids("tokenizer of the model compared with", parity, ids),
            _compare_logits("the model compared with", parity, next_logits(model, parity.ids), "f32"),
        ]


def _compare_ids(name: str, parity: Parity, found: list[list[int]]) -> Comparison:
    wrong = [text for text, ids, own in zip(parity.texts, parity.ids, found, strict=True) if ids != own]
    same = f"{len(found) - len(wrong)} of {len(found)} texts give the same ids"
    return Comparison(name, not wrong, f"{same}; not {wrong[0][:60]!r}" if wrong else same)


def _compare_logits(name: str, parity: Parity, logits: torch.Tensor, dtype: GGUFDtype) -> Comparison:
    """Compares logits with those in the file.

    They agree if those of the file's top tokens differ by no more than rounding explains, and no token that the file
    does not name has become the most probable one. Another top token is then a tie, within twice that limit.
    """
    tops = torch.tensor(parity.top_tokens)
    expected = torch.tensor(parity.top_logits)
    limit = LIMITS[dtype] * max(1.0, float(expected.abs().max()))
    difference = float((logits.gather(1, tops) - expected).abs().max())
    best = logits.argmax(-1)
    same = int((best == tops[:, 0]).sum())
    named = bool((best[:, None] == tops).any(-1).all())
    detail = (
        f"{same} of {len(tops)} texts have the same top token, the largest difference of a logit is {difference:.2g} "
        f"({limit:.2g} allowed for {dtype})"
    )
    return Comparison(name, difference <= limit and named, detail)  # a NaN is not below any limit


def _compare_llama_cpp(path: Path, parity: Parity, dtype: GGUFDtype) -> list[Comparison]:
    name = "llama.cpp"
    if importlib.util.find_spec("llama_cpp") is None:
        return [Comparison(name, None, "llama-cpp-python is not installed here")]
    import llama_cpp

    longest = max(map(len, parity.ids))
    try:  # 0 is float32 for the cache, as the reference has it
        llama = llama_cpp.Llama(
            str(path), n_ctx=longest + 8, n_batch=longest + 8, logits_all=True, type_k=0, type_v=0, verbose=False
        )
    except ValueError as error:
        return [Comparison(name, False, f"does not open the file: {_first_line(error)}")]
    ids = [llama.tokenize(text.encode(), add_bos=True, special=True) for text in parity.texts]
    rows = []
    for row in parity.ids:
        llama.reset()
        llama.eval(row)
        rows.append(torch.from_numpy(np.array(llama.scores[len(row) - 1], dtype=np.float32)))
    llama.close()
    return [
        _compare_ids(f"{name}'s tokenizer", parity, ids),
        _compare_logits(name, parity, torch.stack(rows), dtype),
    ]


def _gguf() -> ModuleType:
    try:
        import gguf
    except ImportError:
        raise UserError("GGUF needs the package gguf; install it with: pip install 'dateline[gguf]'") from None
    return gguf


def _byte_symbols() -> list[str]:
    from tokenizers import pre_tokenizers

    return pre_tokenizers.ByteLevel.alphabet()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
