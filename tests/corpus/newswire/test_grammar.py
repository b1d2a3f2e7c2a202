"""The probabilities are compared with brute force: all derivations, enumerated by a separate few lines."""

import itertools
import math
import random
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.newswire.grammar import Choice, Grammar, Pattern, Slot, parse, table


def derivations(pieces, tables, bound):
    """All (string, bindings, probability) of a template, by recursion on its first piece."""
    if not pieces:
        yield "", bound, 1.0
        return
    first, rest = pieces[0], pieces[1:]
    if isinstance(first, str):
        heads = [(first, bound, 1.0)]
    elif isinstance(first, Choice):
        if first.label in bound:
            heads = list(derivations(first.branches[bound[first.label]], tables, bound))
        else:
            heads = [
                (string, after, p / len(first.branches))
                for number, branch in enumerate(first.branches)
                for string, after, p in derivations(
                    branch, tables, bound | ({first.label: number} if first.label else {})
                )
            ]
    else:
        assert isinstance(first, Slot)
        if first.variable in bound:
            values = {bound[first.variable]: 1.0}
        else:
            taken = {v for k, v in bound.items() if k.rstrip("0123456789") == first.table}
            free = {value: p for value, p in tables[first.table].items() if value not in taken}
            values = {value: p / sum(free.values()) for value, p in free.items()}
        heads = [
            (value[:1].upper() + value[1:] if first.capital else value, bound | {first.variable: value}, p)
            for value, p in values.items()
        ]
    for head, after, p in heads:
        for tail, last, q in derivations(rest, tables, after):
            yield head + tail, last, p * q


def brute_force(patterns, tables):
    documents = defaultdict(float)
    for pattern in patterns:
        for title, bound, p in derivations(pattern.title, tables, {}):
            for text, _, q in derivations(pattern.text, tables, bound):
                documents[title, text] += p * q / len(patterns)
    return documents


def pattern(title, text):
    return Pattern("test", "test", parse(title), parse(text))


PLACES = {
    "north": {"city": table(["ulm", "bonn", "kiel"]), "n": table({"1": 3, "11": 1}), "paper": table("the bee")},
    "south": {"city": table(["bonn", "rome"]), "n": table({"1": 1, "11": 1}), "paper": table("the ant")},
    "west": {"city": table({"rome": 2, "r": 1, "ome": 1}), "n": table(["1", "11", "111"]), "paper": table("the bee")},
}
PRIOR = {"north": 0.5, "south": 0.3, "west": 0.2}

GRAMMARS = {
    "plain": [pattern("{City} [wins|loses]", "{Paper} says {city} [wins|did] {n} of {city2}[.|!]")],
    "linked": [
        pattern("{city} [way:up|down|up]", "it [way:rose|fell|rose] by {n}, [way:a|b|c][ in {city2}|]"),
        pattern("{city2}", "[[way:x|y]|z] {city} [way:x|y]"),
    ],
    "ambiguous": [
        pattern("{n}", "{n}{n2}[1|11|][{city}|]"),  # 1 11 and 11 1 read alike; numbers and city run together
        pattern("1[1|]", "[1|11|1]1[1|][{city}|{city2}|rome]{city}"),
        pattern("{n}", "1{n}1{city}"),
    ],
}


@pytest.mark.parametrize("name", GRAMMARS)
def test_every_document_has_the_summed_probability_of_its_derivations(name):
    grammar = Grammar(GRAMMARS[name], PLACES, PRIOR)
    truth = {place: brute_force(GRAMMARS[name], tables) for place, tables in PLACES.items()}
    documents = set(itertools.chain.from_iterable(truth.values()))
    assert len(documents) > 20
    for title, text in documents:
        for place in PLACES:
            expected = truth[place].get((title, text), 0.0)
            measured = grammar.log_probability(title, text, [place])
            assert math.exp(measured) == pytest.approx(expected, rel=1e-12)
        mixed = sum(PRIOR[place] * truth[place].get((title, text), 0.0) for place in PLACES)
        assert math.exp(grammar.log_probability(title, text)) == pytest.approx(mixed, rel=1e-12)
        pair = sum(PRIOR[place] * truth[place].get((title, text), 0.0) for place in ("north", "south")) / 0.8
        assert math.exp(grammar.log_probability(title, text, ["north", "south"])) == pytest.approx(pair, rel=1e-12)
    for places in (["north"], ["south"], ["west"], None):
        total = math.fsum(math.exp(grammar.log_probability(*document, places)) for document in documents)
        assert total == pytest.approx(1.0, rel=1e-12)


def test_the_ambiguous_grammar_is_ambiguous():
    tables = PLACES["west"]
    counts = Counter(
        (title, text)
        for one in GRAMMARS["ambiguous"]
        for title, bound, _ in derivations(one.title, tables, {})
        for text, _, _ in derivations(one.text, tables, bound)
    )
    assert max(counts.values()) >= 4


@pytest.mark.parametrize("name", GRAMMARS)
def test_samples_follow_the_law(name):
    grammar = Grammar(GRAMMARS[name], PLACES, PRIOR)
    truth = brute_force(GRAMMARS[name], PLACES["north"])
    draw = random.Random(5).random
    num_samples = 4_000
    seen = Counter(grammar.sample("north", draw)[1:] for _ in range(num_samples))
    assert set(seen) <= set(truth)
    chi_square = sum((seen[d] - num_samples * p) ** 2 / (num_samples * p) for d, p in truth.items())
    freedom = len(truth) - 1
    assert chi_square < freedom + 5 * math.sqrt(2 * freedom)


@given(st.sampled_from(sorted(GRAMMARS)), st.sampled_from(sorted(PLACES)), st.integers(0, 2**32))
def test_the_mixture_is_bounded_by_its_parts(name, place, seed):
    grammar = Grammar(GRAMMARS[name], PLACES, PRIOR)
    _, title, text = grammar.sample(place, random.Random(seed).random)
    parts = [grammar.log_probability(title, text, [one]) for one in PLACES]
    mixed = grammar.log_probability(title, text)
    assert math.log(PRIOR[place]) + parts[list(PLACES).index(place)] - 1e-12 <= mixed <= max(parts) + 1e-12


@pytest.mark.parametrize("text", ["", "The bee says ulm wins 1 of ulm.", "The bee says ulm wins 1 of bonn. "])
def test_what_cannot_be_written_has_no_probability(text):
    grammar = Grammar(GRAMMARS["plain"], PLACES, PRIOR)
    assert grammar.log_probability("Ulm wins", text) == -math.inf
    assert grammar.log_probability("Ulm wins", "The bee says ulm wins 1 of bonn.") > -math.inf


def test_weights_and_facts_become_distributions():
    assert table("a") == {"a": 1.0}
    assert table(["a", "b"]) == {"a": 0.5, "b": 0.5}
    assert table({"a": 3, "b": 1}) == {"a": 0.75, "b": 0.25}
    for wrong in ([], ["a", "a"], {"a": 0, "b": 1}):
        with pytest.raises(ValueError, match="distinct"):
            table(wrong)


@pytest.mark.parametrize(
    ("template", "message"),
    [("{mayor}", "'mayor'"), ("{city}{city2}{city3}", "needs 3"), ("[a:x|y][a:x|y|z]", "unequal")],
)
def test_patterns_that_some_place_cannot_write_are_refused(template, message):
    with pytest.raises(ValueError, match=message):
        Grammar([pattern("{city}", template)], PLACES, PRIOR)


def test_a_prior_that_is_none_is_refused():
    for prior in ({"north": 1.0}, {"north": 0.5, "south": 0.3, "west": 0.3}):
        with pytest.raises(ValueError, match="prior"):
            Grammar(GRAMMARS["plain"], PLACES, prior)
