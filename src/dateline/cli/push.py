"""`dateline push`: a model on the Hugging Face hub, with its card. `dateline card` writes the card alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from dateline.cli.options import read_arguments
from dateline.config import Section
from dateline.errors import UserError, one_line
from dateline.manifest import read_manifest, write_atomically

if TYPE_CHECKING:
    from dateline.scores import Score

CARD = "README.md"


class Sources(Section):
    """What a card is made from."""

    model: Annotated[Path, tyro.conf.Positional]
    """Output of dateline train, or a model folder of dateline export."""
    scores: Path | None = None
    """Folder of dateline eval or dateline experiment with scores.parquet; rows of this model are shown."""
    corpus: Path | None = None
    """Encoded corpus of the training; without it, where the run found it."""


class Card(Sources):
    """Writes a model card: training data by country, prefix, code to prompt the model, scores with intervals, limits.

    No path of this machine and no text of the corpus is in it.
    """

    repo: str | None = None
    """OWNER/NAME on the hub, for the title and the code."""
    out: Path | None = None
    """File to write, such as README.md; without it, the card is printed."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace the file."""


class Push(Sources):
    """Uploads a model with its card to the Hugging Face hub, in one commit.

    Only weights, configuration, tokenizer, chat template and dateline.json are uploaded: no texts, tokens, metrics or
    manifests, and no settings that name a path of this machine. The token is that of HF_TOKEN or `hf auth login`.
    """

    repo: str
    """OWNER/NAME on the hub; made where there is none."""
    private: tyro.conf.FlagCreatePairsOff[bool] = False
    """Make the repository private; refused where it is there and public."""
    card: Path | None = None
    """Card to upload, such as an edited one of dateline card; without it, one is written."""
    benchmark: str | None = None
    """Dataset on the hub (OWNER/NAME) that the scores are of: they are uploaded as evaluation results, too."""
    dry_run: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print the files, their sizes and the card; nothing is sent."""


def card(words: list[str]) -> None:
    """Runs `dateline card`."""
    args = read_arguments("dateline card", Card, words)
    if args.repo is not None:
        from dateline.model.hub import check_repo

        check_repo(args.repo)
    if args.out is not None:
        if args.out.exists() and not args.overwrite:
            raise UserError(f"{args.out}: is there already; choose another --out or pass --overwrite")
        if not args.out.absolute().parent.is_dir():
            raise UserError(f"{args.out}: no folder {args.out.parent}; make it, or choose another --out")
    text, _ = write_card(args, args.repo or "")
    if args.out is None:
        print(text, end="")
        return
    write_atomically(args.out, text)
    print(f"{args.out}: the model's card; read it, and add a licence, before you publish it")


def run(words: list[str]) -> None:
    """Runs `dateline push`."""
    args = read_arguments("dateline push", Push, words)
    from dateline.model.hub import check_repo, files_to_upload, upload

    check_repo(args.repo)
    if args.benchmark is not None:
        check_repo(args.benchmark, "--benchmark")
        if args.scores is None:
            raise UserError("--benchmark: names what --scores are of; give --scores DIR too")
    files = files_to_upload(args.model)
    text, scores = write_card(args, args.repo)
    if args.card is not None:
        try:
            text = args.card.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"--card: {args.card}: cannot be read ({error})") from None
    texts = {CARD: text}
    if args.benchmark is not None and args.scores is not None:
        from dateline.report.model_card import evaluation_files

        made = read_manifest(args.scores)
        texts |= evaluation_files(scores, args.benchmark, made.created if made is not None else "")
    sizes = {path.name: path.stat().st_size for path in files} | {name: len(t.encode()) for name, t in texts.items()}
    for name, size in sizes.items():
        print(f"{size:>15,}  {one_line(name)}")
    print(f"{sum(sizes.values()):>15,}  bytes in {len(sizes)} files")
    left = sorted(path.name for path in files[0].parent.iterdir() if path.name not in sizes)
    if left:
        print(one_line(f"not uploaded: {', '.join(left)}"))
    if args.dry_run:
        for name, content in texts.items():
            print(f"\n--- {name} ---\n{content}", end="")
        return
    print(one_line(f"{upload(files, texts, args.repo, private=args.private)}: uploaded"))


def write_card(args: Card | Push, repo: str) -> tuple[str, list[Score]]:
    """Returns the card and the model's scores; says on standard error what the card has to leave open."""
    from dateline.report.model_card import describe_model, model_card, scores_of, training_corpus

    model = describe_model(args.model)
    scores = scores_of(model, args.scores) if args.scores is not None else []
    corpus = training_corpus(model, args.corpus)
    if corpus is None:
        print("the training data are not known to the card: name the encoded corpus with --corpus", file=sys.stderr)
    if not scores:
        print("the card has no results: name the folder of an evaluation with --scores", file=sys.stderr)
    return model_card(model, repo=repo, corpus=corpus, scores=scores), scores
