"""A model's README.md for the Hugging Face hub: its training data, how to prompt it, and its scores with intervals.

Everything comes from the model's `dateline.json`, the run's `manifest.json`, the encoded corpus and the long score
table; the same inputs give the same bytes, and no path of this machine is in them. It claims no licence: only the user
knows what may be published.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dateline.conditions import Field, Metadata, PrefixFormat, field_value, render
from dateline.corpus.card import markdown_text
from dateline.errors import UserError
from dateline.manifest import Manifest, read_manifest, require_manifest
from dateline.model.load import (
    FACTS,
    model_facts,
    model_fingerprint,
    model_folder,
    trained_fields,
    trained_prefix_format,
    trained_without_prefix,
)
from dateline.model.sizes import is_undertrained
from dateline.records import prompt_text
from dateline.report.words import OTHER, condition_name, count, country_name, interval, listed, number, p_text, percent
from dateline.scores import Score, read_scores
from dateline.tokens.mix import Mix, select_training
from dateline.tokens.store import EncodedCorpus
from dateline.train.recipe import train_identity

PLACEHOLDER = "OWNER/NAME"
"""In the code of a card that is not for a certain repository."""
EXAMPLE = Metadata(
    url="https://punchng.com/politics/budget",
    domain="punchng.com",
    country="ng",
    continent="Africa",
    date="2024-05-06",
)
HEADLINE = "Parliament passes the budget"
CONTINENT = "continent"


@dataclass(frozen=True)
class Described:
    """A model that Dateline trained, and what its folders say of it."""

    folder: Path
    """With the Hugging Face files."""
    name: str
    """Of the run's folder, or the model's where it lies alone."""
    facts: Mapping[str, Any]
    """`dateline.json`."""
    fields: tuple[Field, ...]
    """What its prefix shows; empty for a model without metadata."""
    prefix_format: PrefixFormat
    manifest: Manifest | None
    """Of the run; None for a model that lies alone."""


def describe_model(model: Path) -> Described:
    """Reads what a model's folder, and the run around it, say of the model.

    Args:
        model: the output of `dateline train`, or a model folder of `dateline export`.

    Raises:
        UserError: where there is no model, or none that Dateline trained.
    """
    folder = model_folder(model)
    facts = model_facts(folder)
    missing = [name for name in ("fields", "prefix", "body", "bos", "step") if name not in facts]
    if missing:
        problem = f"no '{missing[0]}' in its {FACTS}" if facts else f"no {FACTS} in it"
        raise UserError(f"{folder}: {problem}, so how to prompt it is not known; name a model of 'dateline train'")
    run = folder.absolute().parent if folder.name == "model" else folder
    manifest = read_manifest(run)
    if manifest is not None and train_identity(manifest.recipe, manifest.parents) != facts.get("run"):
        manifest = None  # another stage's, or another run's
    return Described(
        folder=folder,
        name=run.name,
        facts=facts,
        fields=trained_fields(folder) if facts["fields"] else (),
        prefix_format=trained_prefix_format(folder),
        manifest=manifest,
    )


def training_corpus(model: Described, named: Path | None = None) -> EncodedCorpus | None:
    """Opens the encoded corpus that a model was trained on; None where it is not where the run found it.

    Args:
        model: whose corpus it is.
        named: where it is now.

    Raises:
        UserError: where `named` is another corpus than that of the training.
    """
    if model.manifest is None:
        if named is not None:
            raise UserError(
                f"{model.folder}: no manifest of a run beside it, so which documents of {named} it was trained on is "
                "not known; name the folder of the run"
            )
        return None
    wanted = model.manifest.parents["encoded"]
    if named is not None:
        found = require_manifest(named, "encode", "dateline encode CORPUS --out DIR")
        if found.fingerprint != wanted:
            raise UserError(
                f"{named}: is corpus {found.fingerprint}, the model was trained on {wanted}; name that one with "
                "--corpus, or leave it out"
            )
        return EncodedCorpus.open(named)
    data = Path(model.manifest.facts.get("execution", {}).get("data", ""))
    if not (data / "manifest.json").is_file():
        return None
    there = read_manifest(data)
    return EncodedCorpus.open(data) if there is not None and there.fingerprint == wanted else None


def source_of(corpus: EncodedCorpus) -> Manifest | None:
    """Returns the manifest of the corpus that was encoded, where its folder still lies beside the encoded one."""
    for path in sorted(corpus.folder.absolute().parent.glob("*/manifest.json")):
        try:
            manifest = read_manifest(path.parent)
        except UserError:  # of some other program, or damaged: not the one that is looked for
            continue
        if manifest is not None and manifest.fingerprint == corpus.manifest.parents.get("corpus"):
            return manifest
    return None


def scores_of(model: Described, folder: Path) -> list[Score]:
    """Reads a model's own scores out of the table of a measure or of an experiment.

    Raises:
        UserError: where there is no table, or none of its rows is of this model.
    """
    own = model_fingerprint(model.folder)
    scores = [score for score in read_scores(folder) if score.model == own]
    if not scores:
        raise UserError(f"{folder}: no score in it is of this model ({own}); evaluate it, or name its own scores")
    return scores


def model_card(
    model: Described, *, repo: str = "", corpus: EncodedCorpus | None = None, scores: Sequence[Score] = ()
) -> str:
    """Returns the text of README.md.

    Args:
        model: as `describe_model` gives it.
        repo: `OWNER/NAME` on the hub, for the title and the code.
        corpus: as `training_corpus` gives it; without it, the card says that the training data are not known.
        scores: as `scores_of` gives them.
    """
    source = source_of(corpus) if corpus is not None else None
    language = source.recipe.get("language") if source is not None else None
    synthetic = source is not None and bool(source.recipe.get("newswire"))
    header: dict[str, Any] = {
        **({"language": [language]} if language else {}),
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["news", "localization", "dateline"],
    }
    lines = ["---", yaml.safe_dump(header, sort_keys=False).rstrip(), "---", ""]
    lines += [f"# {markdown_text(repo.rpartition('/')[2] or model.name)}", "", *_what(model)]
    lines += ["", "## Training data", "", *_data(model, corpus, synthetic)]
    lines += ["", "## How to prompt it", "", *_prompting(model, repo or PLACEHOLDER)]
    lines += ["", "## Results", *_results(scores)]
    lines += ["", "## Limits", "", *(f"- {limit}" for limit in _limits(model, corpus, scores, synthetic))]
    return "\n".join(lines) + "\n"


def evaluation_files(scores: Sequence[Score], dataset: str, date: str = "") -> dict[str, str]:
    """Returns the hub's evaluation results: path in the repository -> YAML.

    Every metric over all documents is a task of the dataset, and every condition a file of its own, as the hub wants
    for scores of one task under several settings.

    Args:
        scores: of one measure on one set of data.
        dataset: of the hub, whose `eval.yaml` names the metrics as tasks.
        date: ISO 8601, of the evaluation; empty where it is not known.

    Raises:
        UserError: where the scores are of several measures, or have no metric for a leaderboard.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    levels = [score for score in _levels(scores) if score.metric == "ppl" or score.metric.startswith("accuracy_")]
    several = sorted({f"{score.measure} on {score.data}" for score in levels})
    if len(several) != 1:
        problem = f"of {listed(several)}" if several else "without a perplexity or an accuracy"
        raise UserError(f"--benchmark: the scores are {problem}; name the scores of one evaluation of {dataset}")
    files = {}
    for score in levels:
        notes = (
            f"{condition_name(score.condition)}{f' ({score.shown})' if score.shown else ''}; 95% interval "
            f"{interval(score.ci_low, score.ci_high, 4)}; n = {count(score.n_documents)}; protocol {score.protocol}"
        )
        entry = EvalResultEntry(
            dataset_id=dataset, task_id=score.metric, value=round(score.value, 4), date=date or None, notes=notes
        )
        name = "".join(letter if letter.isalnum() else "-" for letter in f"{score.metric}-{score.condition}").strip("-")
        files[f".eval_results/{name}.yaml"] = yaml.safe_dump(
            eval_result_entries_to_yaml([entry]), sort_keys=False, allow_unicode=True
        )
    if len(files) != len(levels):
        raise UserError("--benchmark: several scores of one metric and condition; name the scores of one evaluation")
    return files


def _what(model: Described) -> Iterable[str]:
    """What the model is: one paragraph on conditioning, one on size and length."""
    facts, manifest = model.facts, model.manifest
    if model.fields:
        yield (
            f"A language model of news articles, conditioned on where a text comes from: {listed(model.fields)} of the "
            "outlet stand in front of the text as a prefix. With a prefix it writes as from that place; without one, "
            "from nowhere in particular."
        )
    else:
        yield "A language model of news articles, trained without metadata: it is not conditioned on any place."
    yield ""
    if manifest is None:
        yield f"Made with Dateline (run `{facts['run']}`, step {count(facts['step'])})."
    else:
        shape = manifest.recipe.get("model") or {}
        size = f"shape `{shape['size']}`, " if "size" in shape else ""
        yield (
            f"{count(manifest.facts['parameters'])} parameters ({size}context of {_context(model)} tokens), trained "
            f"for {count(facts['step'])} steps on {count(manifest.counts['body_tokens'])} body tokens with Dateline "
            f"{manifest.versions['dateline']} (run `{manifest.fingerprint}`, seed {facts['seed']})."
        )
        if "init_from" in manifest.parents:
            yield f"It continues another model (fingerprint `{manifest.parents['init_from']}`)."
    if model.fields:
        yield ""
        yield _dropout(model)


def _context(model: Described) -> str:
    config = json.loads((model.folder / "config.json").read_text(encoding="utf-8"))
    return count(config.get("max_position_embeddings"))


def _dropout(model: Described) -> str:
    """How often training showed no prefix."""
    conditions: Mapping[str, Any] = model.manifest.recipe.get("conditions", {}) if model.manifest else {}
    shown = {**model.facts, **conditions}
    if "dropout" not in shown:
        return "How many training documents had no prefix is not known."
    parts = [f"{percent(shown['dropout'])} of the training documents had no prefix"]
    parts += [f"{percent(share)} lost the field {field}" for field, share in shown.get("field_dropout", {}).items()]
    if shown.get("cooldown"):
        parts += [f"the last {percent(shown['cooldown'])} of training had no prefixes at all"]
    return f"Dropout of metadata: {'; '.join(parts)}."


def _data(model: Described, corpus: EncodedCorpus | None, synthetic: bool) -> Iterable[str]:
    """Training documents and tokens by country."""
    if corpus is None or model.manifest is None:
        yield "Not known: the encoded corpus was not at hand when this card was written."
        return
    mix = Mix.model_validate(model.manifest.recipe["mix"])
    chosen = select_training(corpus, mix)
    lengths, places = corpus.lengths[chosen], zip(corpus.continents[chosen], corpus.countries[chosen], strict=True)
    documents: dict[tuple[str, str], int] = {}
    tokens: dict[tuple[str, str], int] = {}
    for place, length in zip(places, lengths.tolist(), strict=True):
        documents[place] = documents.get(place, 0) + 1
        tokens[place] = tokens.get(place, 0) + length
    weights = mix.weights if isinstance(mix.weights, str) else "weighted"
    kind = "synthetic news articles" if synthetic else "news articles"
    yield (
        f"{count(len(chosen))} {kind} with {count(int(np.sum(lengths)))} body tokens (encoded corpus "
        f"`{corpus.manifest.fingerprint}`). Mix: {weights}, by {mix.by}."
    )
    yield "A country is the home of the outlet, not the subject of the text. The texts are not part of this repository."
    yield ""
    yield "| Continent | Country | Code | Documents | Body tokens |"
    yield "|---|---|---|--:|--:|"
    for continent, code in sorted(documents):
        place = (continent, code)
        name = country_name(code) if code else OTHER.lower()
        yield f"| {continent} | {name} | {code} | {count(documents[place])} | {count(tokens[place])} |"


def _prompting(model: Described, repo: str) -> Iterable[str]:
    """Template, rule for BOS, and code for plain transformers."""
    facts, fields = model.facts, model.fields
    whole = f"{facts['prefix'] if fields else ''}{facts['body']}"
    yield "A training document is this text. A field that is unknown has no line" + (
        ", and a document without a place has no prefix at all:" if fields else ":"
    )
    yield ""
    yield from ("```text", whole, "```", "")
    yield (
        f"The tokenizer puts `{facts['bos']}` in front, once: leave it out of your text. A prompt ends in `CONTENT:`, "
        "without a blank behind it."
    )
    yield ""
    if model.prefix_format != 2:
        yield "Its prefixes end in an empty line, which other tools split into other tokens: prompt it with Dateline."
        return
    prefix = render(EXAMPLE, fields)
    shown = [f"prefix = {json.dumps(prefix)}  # or an empty text: no place"] if fields else []
    prompt = json.dumps(prompt_text(HEADLINE))
    yield "```python"
    yield from (
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f"name = {json.dumps(repo)}",
        "tokenizer, model = AutoTokenizer.from_pretrained(name), AutoModelForCausalLM.from_pretrained(name)",
        *shown,
        f"prompt = {'prefix + ' if fields else ''}{prompt}",
        'ids = tokenizer(prompt, return_tensors="pt")["input_ids"]',
        "written = model.generate(ids, do_sample=True, max_new_tokens=60)",
        "print(tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True))",
    )
    yield "```"
    if not fields or not (model.folder / "chat_template.jinja").is_file():
        return
    place = {field: field_value(EXAMPLE, field) for field in fields}
    yield from ("", "The chat template writes the same prompt from a headline and a place:", "", "```python")
    yield from (
        f'messages = [{{"role": "user", "content": {json.dumps(HEADLINE)}}}]',
        f"place = {json.dumps(place)}",
        "ids = tokenizer.apply_chat_template(",
        '    messages, place=place, add_generation_prompt=True, return_dict=True, return_tensors="pt"',
        ')["input_ids"]',
    )
    yield "```"


def _levels(scores: Iterable[Score]) -> list[Score]:
    """Scores over all documents that are no differences."""
    return [score for score in scores if score.slice_by == "all" and not score.versus_run]


def _results(scores: Sequence[Score]) -> Iterable[str]:
    """Tables of perplexity, its paired differences and accuracies, for each protocol and set of data."""
    if not scores:
        yield from ("", "None were given when this card was written.")
        return
    for measure, protocol, data in sorted({(score.measure, score.protocol, score.data) for score in scores}):
        own = [score for score in scores if (score.measure, score.protocol, score.data) == (measure, protocol, data)]
        yield ""
        yield (
            f"`{measure}`, protocol `{protocol}`, data `{data}`; in brackets 95% intervals. Only numbers of the same "
            "protocol and data are comparable."
        )
        yield ""
        yield from _level_table(own)
        if perplexities := [score for score in own if score.metric == "ppl" and score.slice_by == CONTINENT]:
            yield from ("", "Perplexity by continent:", "", *_continent_table(perplexities))
        differences = [
            score for score in own if score.metric == "nll_difference" and score.slice_by in ("all", CONTINENT)
        ]
        if differences:
            yield from (
                "",
                "Paired differences in nats per token, on the same documents; below 0 the first is better.",
            )
            yield from ("p is after Holm's correction.", "", *_difference_table(differences))


def _level_table(scores: Sequence[Score]) -> Iterable[str]:
    kept = [
        score
        for score in _levels(scores)
        if score.metric in ("ppl", "bits_per_byte") or score.metric.startswith("accuracy_")
    ]
    yield "| Condition | Prefix shows | Metric | Value | Documents |"
    yield "|---|---|---|--:|--:|"
    for score in sorted(kept, key=lambda one: (one.metric != "ppl", one.metric, one.condition)):
        shown = f"{condition_name(score.condition)} | {score.shown.replace('+', ', ')}"
        yield f"| {shown} | {score.metric} | {_value(score)} | {count(score.n_documents)} |"


def _continent_table(scores: Sequence[Score]) -> Iterable[str]:
    conditions = sorted({score.condition for score in scores})
    found = {(score.slice, score.condition): score for score in scores}
    yield f"| Continent | Documents | {' | '.join(condition_name(condition) for condition in conditions)} |"
    yield f"|---|--:|{'--:|' * len(conditions)}"
    for name in sorted({score.slice for score in scores}):
        row = [found.get((name, condition)) for condition in conditions]
        documents = max(score.n_documents for score in row if score is not None)
        cells = " | ".join("" if score is None else _value(score) for score in row)
        yield f"| {name} | {count(documents)} | {cells} |"


def _difference_table(scores: Sequence[Score]) -> Iterable[str]:
    yield "| First | Subtracted | Documents of | Difference | p |"
    yield "|---|---|---|--:|--:|"
    for score in sorted(scores, key=lambda s: (s.condition, s.versus, s.slice_by != "all", s.slice)):
        first, second = (
            f"{markdown_text(run)}, {condition_name(condition)}"
            for run, condition in ((score.run, score.condition), (score.versus_run, score.versus_condition))
        )
        where = "all" if score.slice_by == "all" else score.slice
        shown = f"{number(score.value, 3, sign=True)} [{interval(score.ci_low, score.ci_high, 3, sign=True)}]"
        yield f"| {first} | {second} | {where} | {shown} | {p_text(score.p_holm)} |"


def _value(score: Score) -> str:
    digits = 2 if score.value >= 10 else 3
    return f"{number(score.value, digits)} [{interval(score.ci_low, score.ci_high, digits)}]"


def _limits(model: Described, corpus: EncodedCorpus | None, scores: Sequence[Score], synthetic: bool) -> Iterable[str]:
    yield (
        "It continues news articles. It follows no instructions, and nothing that it writes is checked: names, quotes "
        "and figures are made up."
    )
    yield "A place is that of an outlet. A prefix changes what is likely; it does not make a text right for the place."
    if synthetic:
        yield "Its training texts are Dateline's newswire, written by a grammar: it knows nothing of the world."
    if corpus is not None:
        yield "It has read texts of the countries in the table above, as the mix weighs them, and of no others."
    if "url" in model.fields:
        yield "Its prefix shows the whole URL, whose words often give the headline away: its scores gain from that."
    if model.fields and trained_without_prefix(model.folder) is False:
        yield "No training document was without a prefix: without one it is out of its training."
    if model.prefix_format != 2:
        yield "Its prefix is of the earlier format 1, which vLLM, llama.cpp and other tools cannot write."
    counts, facts = (model.manifest.counts, model.manifest.facts) if model.manifest else ({}, {})
    new = model.manifest is not None and "init_from" not in model.manifest.parents
    if new and is_undertrained(counts.get("body_tokens"), facts.get("parameters")):
        yield "It is undertrained: it read fewer than half a body token a parameter."
    if scores:
        yield "Perplexities depend on the tokenizer; between models of different tokenizers compare bits per byte."
    yield "This card claims no licence; whoever publishes the model must know that they may."
