"""What is wrong with an experiment and can be said before anything is trained, once its corpus is encoded."""

from __future__ import annotations

import numpy as np

from dateline.errors import UserError
from dateline.evaluate.documents import sample_documents
from dateline.experiment.recipe import ExperimentRecipe
from dateline.tokens.mix import DocumentStream, region_share
from dateline.tokens.store import EncodedCorpus

FEW = 10
"""Documents below which an interval is too narrow more often than it says."""


def check_mixes(recipe: ExperimentRecipe, corpus: EncodedCorpus) -> None:
    """Refuses an experiment of which a run would find nothing to read.

    Args:
        recipe: of the experiment.
        corpus: its encoded corpus, or a sample of it that has the same places.

    Raises:
        UserError: which names the run and the axis values of the grid that set its mix.
    """
    checked = set()
    for name, family in recipe.families().items():
        run = recipe.run(name, family.seeds[0], data="")
        key = (run.mix.model_dump_json(), run.train.budget)
        if key in checked:
            continue
        checked.add(key)
        try:
            DocumentStream(corpus, run.mix, 0)
            if run.train.budget == "same_region_tokens":
                region_share(corpus, run.mix)
        except UserError as error:
            axes = recipe.grid.axes if recipe.grid is not None else {}
            setting = [(axis, value) for axis, value in family.values.items() if "mix" in axes[axis][value]]
            values = ", ".join(f"{axis}: {value}" for axis, value in setting)
            raise UserError(f"run '{name}'{f' ({values})' if values else ''}: {error}") from None


def few_documents(recipe: ExperimentRecipe, corpus: EncodedCorpus) -> str:
    """Returns a warning that names the regions with too few scored documents for an interval; empty without any.

    Regions are those that runs read or leave out, and the continents where scores are sliced by continent.

    Args:
        recipe: of the experiment.
        corpus: its encoded corpus.

    Raises:
        UserError: where the scored split has no document at all.
    """
    protocol = recipe.evaluate.protocol
    scored = sample_documents(corpus, protocol)
    regions: dict[tuple[str, ...], None] = {}
    for name, family in recipe.families().items():
        mix = recipe.run(name, family.seeds[0], data="").mix
        regions |= dict.fromkeys(region for region in (mix.include, mix.exclude) if region)
    if "continent" in recipe.evaluate.by:
        regions |= {(name,): None for name in sorted(set(corpus.continents)) if name}
    counts = {
        "+".join(region): int(
            (np.isin(corpus.continents[scored], region) | np.isin(corpus.countries[scored], region)).sum()
        )
        for region in regions
    }
    few = ", ".join(f"{name} {count}" for name, count in counts.items() if count < FEW)
    return few and (
        f"documents scored of split '{protocol.split}': {few}; below {FEW} an interval says too little, and below 2 "
        "there is none: give the split a larger share in corpus.splits, or read more of the region"
    )
