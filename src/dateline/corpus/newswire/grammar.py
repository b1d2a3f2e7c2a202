"""A stochastic grammar of two-part documents (title and text) whose every probability is exact, and its notation.

It samples documents and says how probable any document is given one place, several, or all. There is no recursion.
Probabilities are kept in plain floating point, which is exact enough down to about exp(-700), ten times the
improbability of a news article.

In the notation, `{city}` draws from the table `city` at its first use and repeats that value afterwards. `{city2}` is
another variable over the same table: variables of one table never share a value within a document. `{City}` is the
value of `city` with its first letter raised. `[a|b|c]` takes one branch, each equally likely, and may hold slots and
further brackets; `[way:rises|falls]` and later `[way:rose|fell]` take the same branch. `<name>` stands for a named
part.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class Slot:
    """A variable over a table; `capital` raises the first letter of what it writes."""

    variable: str
    table: str
    capital: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """Branches of which one is taken, each equally likely; choices of one label take the branch of the same number."""

    branches: tuple[Pieces, ...]
    label: str = ""


Pieces = tuple["str | Slot | Choice", ...]
"""A parsed template."""


_MARKS = re.compile(r"\{[A-Za-z_]+[0-9]*\}|\[(?:[a-z]+:)?|[\]|{}<>]")
_PART = re.compile(r"<([a-z_]+)>")


def parse(template: str, parts: Mapping[str, str] | None = None) -> Pieces:
    """Returns the pieces of a template after expanding its parts.

    Raises:
        ValueError: if a bracket, slot or part is malformed or unknown, with the template in the message.
    """
    expanded = template
    for _ in range(8):  # parts may hold parts; eight levels are more than any person should write
        try:
            expanded = _PART.sub(lambda match: (parts or {})[match[1]], expanded)
        except KeyError as error:
            raise ValueError(f"unknown part <{error.args[0]}> in template: {template!r}") from None
    levels: list[list[list[str | Slot | Choice]]] = [[[]]]  # open brackets; their branches; the pieces of a branch
    labels = [""]
    start = 0
    for mark in _MARKS.finditer(expanded):
        if mark.start() > start:
            levels[-1][-1].append(expanded[start : mark.start()])
        start = mark.end()
        symbol = mark[0]
        if symbol[0] == "[":
            levels.append([[]])
            labels.append(symbol[1:-1])
        elif symbol == "|" and len(levels) > 1:
            levels[-1].append([])
        elif symbol == "]" and len(levels) > 1:
            branches = levels.pop()
            levels[-1][-1].append(Choice(tuple(tuple(branch) for branch in branches), labels.pop()))
        elif len(symbol) > 1:
            variable = symbol[1:-1].lower()
            levels[-1][-1].append(Slot(variable, variable.rstrip("0123456789"), symbol[1].isupper()))
        else:
            raise ValueError(f"stray {symbol!r} in template: {template!r}")
    if len(levels) > 1:
        raise ValueError(f"unclosed '[' in template: {template!r}")
    if start < len(expanded):
        levels[-1][-1].append(expanded[start:])
    return tuple(levels[0][0])


def walk(pieces: Pieces) -> Iterator[Slot | Choice]:
    """Yields the slots and choices of a template at every depth, from left to right."""
    for piece in pieces:
        if not isinstance(piece, str):
            yield piece
        if isinstance(piece, Choice):
            for branch in piece.branches:
                yield from walk(branch)


def longest_literal(pieces: Pieces) -> str:
    """Returns a string that everything written from the pieces contains: a cheap test of what cannot have been."""
    return max((piece for piece in pieces if isinstance(piece, str)), key=len, default="")


T = TypeVar("T")

Table = Mapping[str, float]
"""What may fill a slot: value -> probability, summing to 1."""

Tables = Mapping[str, Table]

Bindings = tuple[tuple[str, str, str], ...]
"""What has been drawn so far: (variable, table, value), in the order of drawing; or ("[label", "", branch number)."""

States = dict[tuple[int, Bindings], float]
"""Where a reading of a string can stand: (position, bindings) -> summed probability of all derivations so far."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One kind of document. `topic` is carried along and plays no part in the probabilities."""

    name: str
    topic: str
    title: Pieces
    text: Pieces


def table(values: str | Sequence[str] | Mapping[str, float]) -> Table:
    """Returns the distribution that a fact (one string), a list (equally likely) or a mapping (weights) stands for.

    Raises:
        ValueError: if there is no value, a value stands twice, or a weight is not positive.
    """
    if isinstance(values, str):
        return {values: 1.0}
    weights = dict(values) if isinstance(values, Mapping) else dict.fromkeys(values, 1.0)
    if len(weights) != len(values) or not weights or not all(weight > 0 for weight in weights.values()):
        raise ValueError(f"a table needs distinct values with positive weights: {values!r}")
    total = math.fsum(weights.values())
    return {value: weight / total for value, weight in weights.items()}


def _fillings(slot: Slot, bindings: Bindings, tables: Tables) -> Iterator[tuple[str, Bindings, float]]:
    """Yields (surface, bindings afterwards, probability): the one place where the law of a slot is written."""
    taken = []
    for variable, name, value in bindings:
        if variable == slot.variable:
            yield (value[:1].upper() + value[1:] if slot.capital else value), bindings, 1.0
            return
        if name == slot.table:
            taken.append(value)
    law = tables[slot.table]
    left = math.fsum(weight for value, weight in law.items() if value not in taken) if taken else 1.0
    for value, weight in law.items():
        if value not in taken:
            surface = value[:1].upper() + value[1:] if slot.capital else value
            yield surface, (*bindings, (slot.variable, slot.table, value)), weight / left


def _branches(choice: Choice, bindings: Bindings) -> Iterator[tuple[Pieces, Bindings, float]]:
    """Yields (branch, bindings afterwards, probability): the law of a choice."""
    label = "[" + choice.label
    bound = next((int(value) for variable, _, value in bindings if variable == label), None) if choice.label else None
    if bound is not None:
        yield choice.branches[bound], bindings, 1.0
        return
    for number, branch in enumerate(choice.branches):
        after = (*bindings, (label, "", str(number))) if choice.label else bindings
        yield branch, after, 1 / len(choice.branches)


def write(pieces: Pieces, tables: Tables, draw: Callable[[], float], bindings: Bindings = ()) -> tuple[str, Bindings]:
    """Samples a string, and returns it with all bindings made so far.

    Args:
        pieces: The parsed template.
        tables: What fills the slots at the place.
        draw: Returns uniform numbers in [0, 1), such as `random.Random(7).random`.
        bindings: Variables that are bound already.
    """
    written: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            written.append(piece)
        elif isinstance(piece, Choice):
            branch, bindings = _draw(_branches(piece, bindings), draw())
            surface, bindings = write(branch, tables, draw, bindings)
            written.append(surface)
        else:
            surface, bindings = _draw(_fillings(piece, bindings, tables), draw())
            written.append(surface)
    return "".join(written), bindings


def _draw(law: Iterator[tuple[T, Bindings, float]], point: float) -> tuple[T, Bindings]:
    """Returns the outcome whose share of [0, 1) holds the point; the last one, should rounding leave a rest."""
    for outcome, after, probability in law:  # noqa: B007
        point -= probability
        if point < 0:
            break
    return outcome, after


def read(pieces: Pieces, string: str, tables: Tables, states: States) -> States:
    """Returns where reading `pieces` off `string` can lead from `states`, all derivations summed.

    A forward pass: every piece maps the set of states to the next, equal states are merged, and dead ones vanish, so
    that ambiguous templates cost no more than their distinct bindings.
    """
    for piece in pieces:
        after: States = {}
        if isinstance(piece, str):
            for (position, bindings), mass in states.items():
                if string.startswith(piece, position):
                    after[position + len(piece), bindings] = mass
        elif isinstance(piece, Choice):
            entries: dict[Pieces, States] = {}
            for (position, bindings), mass in states.items():
                for branch, bound, probability in _branches(piece, bindings):
                    entry = entries.setdefault(branch, {})
                    entry[position, bound] = entry.get((position, bound), 0.0) + mass * probability
            for branch, entry in entries.items():
                for state, mass in read(branch, string, tables, entry).items():
                    after[state] = after.get(state, 0.0) + mass
        else:
            for (position, bindings), mass in states.items():
                for surface, bound, probability in _fillings(piece, bindings, tables):
                    if string.startswith(surface, position):
                        state = (position + len(surface), bound)
                        after[state] = after.get(state, 0.0) + mass * probability
        if not after:
            return after
        states = after
    return states


class Grammar:
    """Patterns, equally likely, over places with a prior.

    Args:
        patterns: What can be written.
        places: Place -> tables. Every pattern must be writable at every place.
        prior: Place -> probability, before anything is known.

    Raises:
        ValueError: if a place has fewer values in a table than a pattern has variables for it, if choices of one label
            differ in their numbers of branches, or if prior and places differ.

    Example:
        >>> rain = Pattern("rain", "weather", parse("Rain in {city}"), parse("It [rained|poured] in {city}."))
        >>> places = {"ng": {"city": table(["Lagos", "Abuja"])}, "gb": {"city": table("London")}}
        >>> grammar = Grammar([rain], places, {"ng": 0.5, "gb": 0.5})
        >>> grammar.probabilities("Rain in Lagos", "It rained in Lagos.")
        {'ng': 0.25, 'gb': 0.0}
    """

    def __init__(self, patterns: Sequence[Pattern], places: Mapping[str, Tables], prior: Mapping[str, float]) -> None:
        if set(prior) != set(places) or not math.isclose(math.fsum(prior.values()), 1.0):
            raise ValueError("the prior must give every place a probability, and sum to 1")
        self.patterns = tuple(patterns)
        self.places = dict(places)
        self.prior = dict(prior)
        for pattern in self.patterns:
            pieces = tuple(walk((*pattern.title, *pattern.text)))
            arities = {(choice.label, len(choice.branches)) for choice in pieces if isinstance(choice, Choice)}
            labels = [label for label, _ in arities if label]
            if len(labels) > len(set(labels)):
                raise ValueError(f"pattern {pattern.name!r} has choices of one label with unequal numbers of branches")
            variables = {slot for slot in pieces if isinstance(slot, Slot)}
            for name in {slot.table for slot in variables}:
                needed = len({slot.variable for slot in variables if slot.table == name})
                for place, tables in self.places.items():
                    if len(tables.get(name, ())) < needed:
                        raise ValueError(f"pattern {pattern.name!r} needs {needed} of {name!r}, {place!r} has fewer")
        self._keys = [(longest_literal(pattern.title), longest_literal(pattern.text)) for pattern in self.patterns]

    def sample(self, place: str, draw: Callable[[], float]) -> tuple[Pattern, str, str]:
        """Samples (pattern, title, text) at a place, using uniform numbers in [0, 1) from `draw`."""
        pattern = self.patterns[int(draw() * len(self.patterns))]
        title, bindings = write(pattern.title, self.places[place], draw)
        text, _ = write(pattern.text, self.places[place], draw, bindings)
        return pattern, title, text

    def probabilities(self, title: str, text: str, places: Sequence[str] | None = None) -> dict[str, float]:
        """Returns p(title, text | place) for every place asked for (default: all), summed over all derivations."""
        possible = self._possible(title, text)
        return {
            place: math.fsum(mass for pattern in possible for mass, _ in self._derivations(pattern, title, text, place))
            / len(self.patterns)
            for place in (self.places if places is None else places)
        }

    def derivation(self, title: str, text: str, place: str) -> tuple[Pattern, Bindings] | None:
        """Returns the most probable way in which a document is written at a place: its pattern, and what fills it.

        Returns:
            None where the document cannot be written there.

        Example:
            >>> rain = Pattern("rain", "weather", parse("Rain in {city}"), parse("It [rained|poured] in {city}."))
            >>> grammar = Grammar([rain], {"ng": {"city": table(["Lagos", "Abuja"])}}, {"ng": 1.0})
            >>> grammar.derivation("Rain in Lagos", "It rained in Lagos.", "ng")[1]
            (('city', 'city', 'Lagos'),)
        """
        found = [
            (mass, pattern, bindings)
            for pattern in self._possible(title, text)
            for mass, bindings in self._derivations(pattern, title, text, place)
        ]
        if not found:
            return None
        _, pattern, bindings = max(found, key=lambda one: (one[0], one[1].name, one[2]))
        return pattern, bindings

    def _possible(self, title: str, text: str) -> list[Pattern]:
        """Returns the patterns whose longest literals a document has."""
        return [
            pattern
            for pattern, (title_key, text_key) in zip(self.patterns, self._keys, strict=True)
            if title_key in title and text_key in text
        ]

    def _derivations(self, pattern: Pattern, title: str, text: str, place: str) -> list[tuple[float, Bindings]]:
        """Returns p(title, text | pattern, place) by what fills the slots."""
        tables = self.places[place]
        states = read(pattern.title, title, tables, {(0, ()): 1.0})
        states = {(0, bound): mass for (position, bound), mass in states.items() if position == len(title)}
        states = read(pattern.text, text, tables, states)
        return [(mass, bound) for (position, bound), mass in states.items() if position == len(text)]

    def log_probability(self, title: str, text: str, places: Sequence[str] | None = None) -> float:
        """Returns log p(title, text | the place is one of `places`, by the prior) in nats; None means nothing is known.

        Impossible documents have minus infinity.
        """
        among = tuple(self.places) if places is None else tuple(places)
        return self.mix(self.probabilities(title, text, among), among)

    def mix(
        self, probabilities: Mapping[str, float], places: Sequence[str], prior: Mapping[str, float] | None = None
    ) -> float:
        """Returns the log of the weighted mean of probabilities over places.

        Args:
            probabilities: of a document at (at least) these places.
            places: among which the document's place is known to be.
            prior: weight of each place, in any unit, such as its share of a training set; None for the grammar's own.
        """
        weights = self.prior if prior is None else prior
        mass = math.fsum(weights[place] * probabilities[place] for place in places)
        return math.log(mass / math.fsum(weights[place] for place in places)) if mass > 0 else -math.inf
