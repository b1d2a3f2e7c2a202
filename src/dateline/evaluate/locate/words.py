"""What words alone say of a place: texts without the names of places, and the baseline that counts words.

Masking puts one neutral word for every name of a country, its people, a city, a region, an outlet or a domain that the
project's tables know. Names that no table has (a small town, a minister, a club) stay: what a model infers from those
is knowledge of a place, which is what is measured. Demonyms, cities and regions are known for the 18 countries of the
newswire only. Places are found in any case (`nigeria`), but for abbreviations and names that are also English words;
outlets only as they are written, because many are called Time or Today. A "the" before a name goes with it: it would
distinguish the United States from Canada.

The baseline is TF-IDF with logistic regression, trained on the training split. Its settings are constants, tuned on no
corpus.
"""

from __future__ import annotations

import csv
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dateline.config import fingerprint
from dateline.errors import UserError
from dateline.places.countries import COUNTRY_TABLE
from dateline.places.outlets import shipped_outlets

Floats = npt.NDArray[np.float64]

NEUTRAL = "somewhere"
_PLACE_FACTS = ("country", "demonym", "capital", "city", "region")
_ALSO = (
    *("US", "U.S", "UK", "U.K", "U.K.", "EU"),
    *("Africa", "African", "America", "Asia", "Asian", "Europe", "European", "Oceania"),
)
"""What the tables leave out: abbreviations that newspapers write, and the continents with their people."""
_ENGLISH = frozenset(("Central", "Chad", "Cork", "Jersey", "Mayo", "Phoenix", "Turkey", "Wales", "Woodlands"))
BASELINE_SETTINGS: dict[str, Any] = {
    "ngram_range": (1, 2),
    "sublinear_tf": True,
    "min_df": 2,
    "max_features": 100_000,
    "C": 10.0,
    "max_iter": 300,
}
"""Words and pairs of words that occur in two documents or more, weighted by log counts; a weak L2 penalty."""
_WORD = re.compile(r"[^\W_]+")
_THE = re.compile(r"^[Tt]he (?=\S)")
_THE_BEFORE = re.compile(r"(?<![^\W_])[Tt][Hh][Ee] $")
_STRAIGHT = str.maketrans("’‘", "''")


class Name(NamedTuple):
    """A name to be found."""

    text: str
    any_case: bool
    """Whether `nigeria` and `NIGERIA` are found as well as `Nigeria`."""


Index = Mapping[str, tuple[Name, ...]]
"""First word of a name in lower case -> the names that begin with it, longest first."""


def mask_names(text: str, names: Index | None = None) -> str:
    """Returns a text with `NEUTRAL` in place of every name; of names that begin at the same word the longest counts.

    A plural or a possessive goes on: `Nigerians` becomes `somewheres`, `Kenya's` becomes `somewhere's`.

    Args:
        text: any text.
        names: from `index_names`; None for those that the tables know.

    Example:
        >>> mask_names("Nigerians in Lagos read the Punch.")
        'somewheres in somewhere read somewhere.'
    """
    known = place_names() if names is None else names
    plain = text.translate(_STRAIGHT)
    parts: list[str] = []
    done = 0
    for word in _WORD.finditer(plain):
        start, first = word.start(), word.group().lower()
        if start < done:
            continue
        end = max(_longest(plain, start, known.get(form, ())) for form in {first, first.removesuffix("s")})
        if end:
            if _THE_BEFORE.search(plain, max(done, start - 5), start):
                start -= len("the ")
            parts += [text[done:start], NEUTRAL]
            done = end
    return "".join([*parts, text[done:]])


def index_names(names: Iterable[Name]) -> dict[str, tuple[Name, ...]]:
    """Arranges names for `mask_names`.

    A leading "the" is left out, because texts may leave it out too; only an outlet of one more word keeps it, or every
    nation would be The Nation.
    """
    found: dict[str, set[Name]] = {}
    for name in names:
        plain = " ".join(name.text.translate(_STRAIGHT).split())
        short = _THE.sub("", plain)
        forms = [short]
        if short != plain and not name.any_case and " " not in short:
            forms = [f"The {short}", f"the {short}"]
        for form in forms:
            first = _WORD.match(form)
            if first is not None:
                found.setdefault(first.group().lower(), set()).add(Name(form, name.any_case))
    return {first: tuple(sorted(several, key=lambda n: (-len(n.text), n))) for first, several in found.items()}


@cache
def place_names() -> dict[str, tuple[Name, ...]]:
    """Returns the names that the project's tables know, arranged for `mask_names`."""
    from dateline.corpus.newswire.wire import outlets

    places = set(_ALSO).union(*country_names().values())
    known = [(outlet.name, outlet.domain) for outlet in shipped_outlets().values()]
    known += [(outlet.name, outlet.domain) for outlet in outlets()]
    return index_names(
        [
            *map(_place, places),
            *(Name(name, False) for name, _ in known),
            *(Name(domain, True) for _, domain in known),
        ]
    )


@cache
def country_names() -> dict[str, frozenset[str]]:
    """Returns the names of each country, its people, cities and regions that the project's tables know, by code."""
    from dateline.corpus.newswire.wire import outlets, place_tables

    names: dict[str, set[str]] = {}
    with COUNTRY_TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            names[row["alpha2"]] = {row["name"], *row["aliases"].split("|")} - {""}
    for own in outlets():
        names[own.country] |= {value for fact in _PLACE_FACTS for value in place_tables()[own.domain][fact]}
    return {code: frozenset(several) for code, several in names.items()}


def named_countries(text: str) -> set[str]:
    """Returns the codes of the countries that a text names, by name, people, city or region.

    A name that several countries share counts for each of them. Of countries besides the newswire's 18, only the names
    of the country itself are known.

    Example:
        >>> named_countries("Kenyans and Britons met in Abuja")
        {'ke', 'ng', 'gb'}
    """
    return {code for code, names in _country_indices().items() if mask_names(text, names) != text}


@cache
def _country_indices() -> dict[str, Index]:
    return {code: index_names(map(_place, names)) for code, names in country_names().items()}


def _place(name: str) -> Name:
    return Name(name, not (name.isupper() or name in _ENGLISH))


def with_domains(domains: Iterable[str]) -> dict[str, tuple[Name, ...]]:
    """Returns the names that the tables know together with the domains of a corpus."""
    known = [name for several in place_names().values() for name in several]
    return index_names([*known, *(Name(domain, True) for domain in domains)])


def masking_fingerprint() -> str:
    """Identifies what masking does to a text: the neutral word and the names that the tables know."""
    return fingerprint({"neutral": NEUTRAL, "names": {first: list(names) for first, names in place_names().items()}})


class Placed(NamedTuple):
    """What the baseline says of some texts."""

    log_probabilities: Floats
    """log p(place | text), shape [texts, places]."""
    facts: dict[str, Any]
    """Training documents, features, iterations and whether they sufficed."""


def place_by_words(
    train_texts: Sequence[str],
    train_countries: Sequence[str],
    texts: Sequence[str],
    codes: Sequence[str],
    prior: Floats,
) -> Placed:
    """Trains on some texts and gives the probabilities of places for others.

    A logistic regression learns the proportions of its training set with the words. They are divided out and the prior
    put in their place, so that model and baseline start from the same prior.

    Args:
        train_texts: bodies of the training documents.
        train_countries: of each.
        texts: to place.
        codes: the places.
        prior: p(place), shape [places].

    Raises:
        UserError: where scikit-learn is not installed, or a place has no training document.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise UserError(
            "the baseline needs scikit-learn: pip install 'dateline[eval]', or leave it out with --no-baseline"
        ) from None
    chosen = [(text, code) for text, code in zip(train_texts, train_countries, strict=True) if code in set(codes)]
    own, labels = [text for text, _ in chosen], [code for _, code in chosen]
    counts = Counter(labels)
    lacking = [code for code in codes if not counts[code]]
    if lacking:
        raise UserError(
            f"the baseline cannot learn {lacking[0]}: no training document is from there; leave the country out of "
            "--countries, or the baseline out with --no-baseline"
        )
    settings = BASELINE_SETTINGS
    vectorizer = TfidfVectorizer(
        ngram_range=settings["ngram_range"],
        sublinear_tf=settings["sublinear_tf"],
        min_df=min(settings["min_df"], len(own)),
        max_features=settings["max_features"],
        dtype=np.float64,
    )
    try:
        features = vectorizer.fit_transform(own)
    except ValueError as error:
        raise UserError(f"the baseline finds no words in {len(own)} training documents ({error})") from None
    regression = LogisticRegression(C=settings["C"], max_iter=settings["max_iter"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said in the facts instead
        regression.fit(features, labels)
    learned = regression.predict_log_proba(vectorizer.transform(texts))
    columns = [list(regression.classes_).index(code) for code in codes]
    shares = np.array([counts[code] for code in codes]) / len(own)
    with np.errstate(divide="ignore"):
        moved = learned[:, columns] - np.log(shares) + np.log(prior)
    iterations = int(np.max(regression.n_iter_))
    facts = {
        "train_documents": len(own),
        "features": int(features.shape[1]),
        "iterations": iterations,
        "converged": iterations < settings["max_iter"],
    }
    return Placed(moved - np.logaddexp.reduce(moved, axis=1, keepdims=True), facts)


def _longest(text: str, start: int, names: Iterable[Name]) -> int:
    """Returns where the longest of some names ends that stands whole at a place in the text, or 0."""
    for name, any_case in names:
        end = start + len(name)
        there = text[start:end]
        if there != name and not (any_case and there.lower() == name.lower()):
            continue
        if not text[end : end + 1].isalnum():
            return end
        if text[end] in "sS" and not text[end + 1 : end + 2].isalnum():  # the plural keeps its s
            return end
    return 0
