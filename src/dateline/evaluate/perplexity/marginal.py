"""What a model makes of a text when the place is not known but summed over.

Enters: losses of every document under each country's swap, and a prior. Leaves: losses under the mixture.
Deliberately not done: no mixture within a document: a text comes from one place, so probabilities of whole documents
are summed, p(text) = sum over countries of p(country) p(text | country), and single tokens have no loss of their own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from dateline.conditions import Condition, Metadata, swaps
from dateline.errors import UserError
from dateline.evaluate.perplexity.averages import Scored
from dateline.tokens.store import EncodedCorpus


def with_swaps(conditions: Sequence[Condition], metadata: Sequence[Metadata]) -> list[Condition]:
    """Returns the conditions that have to be scored: those asked for, with the swaps that a marginal one sums over.

    Args:
        conditions: expanded ones.
        metadata: of the documents; their countries are the places that are summed over.

    Raises:
        UserError: where no document has a country.
    """
    result = {condition.name: condition for condition in conditions if condition.transform != "marginal"}
    for condition in conditions:
        if condition.transform == "marginal":
            codes = countries_of(metadata)
            if not codes:
                raise UserError(f"condition '{condition.name}': no document has a known country; leave it out")
            result.update({one.name: one for one in swaps(condition.fields, codes) if one.name not in result})
    return list(result.values())


def countries_of(metadata: Sequence[Metadata]) -> list[str]:
    """Returns the countries of some documents, sorted, unknown ones left out."""
    return sorted({place.country for place in metadata} - {""})


def prior_of(condition: Condition, corpus: EncodedCorpus, metadata: Sequence[Metadata]) -> dict[str, float]:
    """Returns how probable each country is before the text is read.

    `corpus` is the share of the training documents; countries without any have probability zero.

    Raises:
        UserError: where no training document is from any of the countries.
    """
    codes = countries_of(metadata)
    if condition.prior == "uniform":
        return dict.fromkeys(codes, 1 / len(codes))
    counts = Counter(str(corpus.countries[index]) for index in corpus.select("train"))
    total = sum(counts[code] for code in codes)
    if not total:
        raise UserError(
            f"condition '{condition.name}': {corpus.folder} has no training documents from {', '.join(codes)}; "
            "use marginal:uniform"
        )
    return {code: counts[code] / total for code in codes}


def marginal(condition: Condition, swapped: Mapping[str, Scored], prior: Mapping[str, float]) -> Scored:
    """Returns -log p(text) of each document under the mixture, in nats.

    Args:
        condition: the marginal one.
        swapped: losses by condition name, every `swap:<country>` of the prior among them.
        prior: country -> probability.
    """
    known = {code: share for code, share in prior.items() if share > 0}
    terms = np.array([math.log(share) - swapped[f"swap:{code}"].nll for code, share in known.items()])
    one = next(swapped[f"swap:{code}"] for code in known)
    return Scored("+".join(condition.fields), -np.logaddexp.reduce(terms, axis=0), one.num_tokens, one.num_bytes)
