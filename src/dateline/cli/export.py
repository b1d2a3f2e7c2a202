"""`dateline export`: a run's model as a Hugging Face folder or a GGUF file, and a check of such a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from dateline.cli.options import read_arguments
from dateline.config import Section
from dateline.errors import UserError, one_line

DIFFERS = 3
"""Exit code where a file does not agree with the model that it was made from."""


class Export(Section):
    """Writes a checkpoint of a run as a Hugging Face folder (config, safetensors, tokenizer) or as a GGUF file.

    The run may still be going on. A finished run has a Hugging Face folder already, in `model/`. A GGUF file is for
    llama.cpp and Ollama; a Modelfile is written beside it. `dateline export check FILE.gguf` reads it back.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of the run; for GGUF also a Hugging Face folder."""
    out: Path
    """Folder, or file *.gguf, to make."""
    format: Literal["hf", "gguf"] = "hf"
    """A Hugging Face folder, or one GGUF file."""
    dtype: Literal["f32", "f16", "q8_0"] | None = None
    """Of the matrices in a GGUF file; without it, f16."""
    step: int | None = None
    """Steps that the checkpoint has done; without it, the newest."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


class Check(Section):
    """Reads a GGUF file back and compares it with the parity vectors inside: token ids, top tokens, logits.

    The exit code is 3 if anything differs, else 0.
    """

    file: Annotated[Path, tyro.conf.Positional]
    """File of `dateline export --format gguf`."""
    against: Path | None = None
    """Model folder that it should be a copy of, compared as well."""


def run(words: list[str]) -> None:
    """Runs the verb; `check` is a word, not a path: a run of that name is given as `./check`."""
    if words[:1] == ["check"]:
        check(read_arguments("dateline export check", Check, words[1:]))
        return
    args = read_arguments("dateline export", Export, words)
    if args.format == "gguf":
        write(args)
        return
    if args.dtype or args.out.suffix == ".gguf":
        raise UserError("--dtype and the suffix .gguf are for GGUF files; add --format gguf")
    from dateline.train.export import export_model

    folder = export_model(args.run, args.out, step=args.step, overwrite=args.overwrite)
    print(
        f"{folder}: a Hugging Face model; score it with: dateline eval perplexity {folder} --corpus ENCODED --out DIR"
    )


def write(args: Export) -> None:
    """Writes a GGUF file from a run or a Hugging Face folder."""
    from dateline.model.gguf import check_file_free, write_gguf
    from dateline.train.export import export_model

    dtype = args.dtype or "f16"
    check_file_free(args.out, overwrite=args.overwrite)
    with tempfile.TemporaryDirectory(dir=args.out.parent, prefix=f".{args.out.name}.") as scratch:
        folder = args.run
        if not (folder / "config.json").is_file():
            folder = export_model(args.run, Path(scratch) / "model", step=args.step)
        elif args.step is not None:
            raise UserError(f"{folder}: is a model folder, which has no steps; leave --step out")
        model, tokenizer, facts = load(folder)
        remarks = write_gguf(model, tokenizer, args.out, dtype=dtype, facts=facts, overwrite=args.overwrite)
    for remark in remarks:
        print(one_line(remark))
    print(f"{args.out}: GGUF in {dtype}, and a Modelfile beside it; check it with: dateline export check {args.out}")


def check(args: Check) -> None:
    """Checks a GGUF file."""
    from dateline.model.gguf import check_gguf

    model, tokenizer, _ = load(args.against) if args.against else (None, None, {})
    comparisons = check_gguf(args.file, model=model, tokenizer=tokenizer)
    for reader, agrees, detail in comparisons:
        verdict = "not compared" if agrees is None else "agrees" if agrees else "DIFFERS"
        print(one_line(f"{verdict}: {reader}: {detail}"))
    if any(agrees is False for _, agrees, _ in comparisons):
        raise SystemExit(DIFFERS)


def load(folder: Path) -> tuple[Any, Any, dict[str, Any]]:
    """Returns model and tokenizer of a folder, and what `dateline.json` says of them."""
    from dateline.model.load import load_subject, model_facts

    subject = load_subject(folder, device="cpu")
    return subject.model, subject.tokenizer, model_facts(subject.folder)
