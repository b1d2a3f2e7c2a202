"""The examples in docstrings that need no files give the values that stand there."""

import doctest
import importlib
from operator import attrgetter

import numpy as np
import pytest

from dateline.conditions import Metadata
from dateline.corpus.duplicates.candidates import jaccard
from dateline.testing import byte_tokenizer

IMPORTED = {"np": np, "Metadata": Metadata, "byte_tokenizer": byte_tokenizer, "jaccard": jaccard}
"""What examples use besides the names of their own modules."""


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("benchmark.checks", ["parse_quota"]),
        ("benchmark.facts", ["sentences"]),
        ("benchmark.recipe", ["BuildOptions.wanted"]),
        ("conditions.counterfactual", ["parse_condition", "Conditioner"]),
        ("conditions.dropout", ["shown_fields"]),
        ("conditions.template", ["render", "template"]),
        ("corpus.duplicates.shingles", ["shingle_hashes"]),
        ("corpus.newswire.grammar", ["Grammar", "Grammar.derivation"]),
        ("corpus.newswire.wire", ["Newswire", "demonym"]),
        ("corpus.text.clean", ["clean_text", "day_of"]),
        ("corpus.text.remains", ["find_remains"]),
        ("corpus.text.words", ["plain_words"]),
        ("evaluate.locate.locator", ["choose_prior", "posterior"]),
        ("evaluate.locate.words", ["mask_names"]),
        ("evaluate.mcq.ask", ["named_letter"]),
        ("evaluate.mcq.scores", ["switch_points"]),
        ("model.sizes", ["num_parameters"]),
        ("places.countries", ["country", "continent_of"]),
        ("places.learn", ["weigh"]),
        ("places.outlets", ["outlet"]),
        ("places.resolve", ["resolve"]),
        ("places.url", ["parse_url"]),
        ("statistics.bootstrap", ["micro_average", "paired_difference", "ratio_difference"]),
        ("statistics.hypothesis_tests", ["chi_square_uniform"]),
        ("statistics.intervals", ["kappa"]),
        ("statistics.seeds", ["seed_spread"]),
        ("tokens.tokenizer", ["encode_texts"]),
        ("train.optim", ["factor"]),
    ],
)
def test_examples_are_true(module, names):
    found = importlib.import_module(f"dateline.{module}")
    for name in names:
        example = doctest.DocTestParser().get_doctest(
            attrgetter(name)(found).__doc__, {**vars(found), **IMPORTED}, name, None, None
        )
        said = []
        ran = doctest.DocTestRunner().run(example, out=said.append)
        assert ran.attempted, f"{module}.{name} has no example"
        assert not ran.failed, "".join(said)
