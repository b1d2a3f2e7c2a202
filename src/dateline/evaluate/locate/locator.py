"""Country inference by Bayes' rule: prompts, a prior, and p(place | text) from p(text | place) of a conditioned model.

The posterior is what the model implies, without a temperature and without smoothing: calibration says how far it can be
believed. A prefix shows nothing that the country does not determine: an outlet only where it is summed over, a date and
a URL never.

One prefix a country is the default. On the newswire (198 test articles, names masked, a model trained with all three
fields and `field_dropout: {domain: 0.5}`) it infers 60.6% of the countries, the sum over three outlets 56.6% at three
times the cost: no clear difference (McNemar p = 0.15). With names both infer all.

The body's work cannot be shared between places: through attention its hidden states depend on the prefix from the first
layer on. What is shared is the overhead of a call: all places of a text, and of several texts, go through the model in
one padded batch (prefixes differ by a few tokens, so that packing them without padding would save next to nothing). On
one CPU thread that takes 18 places of an 80-token text from 18 scorings to 12 (`pico`), 15 (`nano`) or 16 (`micro`);
where one text keeps the processor busy, only reading less of it helps.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dateline.conditions import FIELDS, Field, Metadata, render
from dateline.errors import UserError
from dateline.evaluate.losses import score_bodies, sum_finite
from dateline.evaluate.protocol import Protocol, Tokens
from dateline.evaluate.recipe import Locate
from dateline.model.load import Precision, Subject, known_fields, load_subject
from dateline.places import PAPER_COUNTRIES, continent_of, country
from dateline.progress import Advance
from dateline.tokens.store import EncodedCorpus

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BY_COUNTRY: tuple[Field, ...] = ("country", "continent")
"""Fields that a country determines."""
BY_OUTLET: tuple[Field, ...] = ("domain", "url_hash")
"""Fields that an outlet determines besides; without outlets they stay out of the prefix."""

BATCH_TOKENS: int = Locate.model_fields["batch_tokens"].default
"""What stays in a CPU's cache: 15% faster than 8,192 for texts of 700 tokens. A GPU wants more."""
NUM_TOKENS: int = Locate.model_fields["tokens"].default
"""Tokens from the start of a text that are read by default: 18 places then cost 5 to 6 scorings of a text of 700 tokens
instead of 17. On real news (139 test articles of 17 countries, `pico` after 1.4 M tokens) the first 32, 64, 128, 256
and 512 tokens give 32%, 37%, 37%, 38% and 37% accuracy: what follows adds nothing that shows."""
TEXTS_AT_ONCE = 64
"""Texts whose segments exist at a time, under all prompts: keeps memory flat however many texts there are."""


@dataclass(frozen=True)
class Prompts:
    """The prefixes under which every text is scored."""

    countries: list[str]
    """The places, in the order of every array of probabilities."""
    continents: list[str]
    """Of each country."""
    fields: tuple[Field, ...]
    """What the prefixes show."""
    place: Integers
    """Index of the country that each prompt stands for, shape [prompts]."""
    weights: Floats
    """Share of the prompt within its country, shape [prompts]."""
    places: list[Metadata]
    """What each prompt claims."""

    def texts(self, subject: Subject) -> list[str]:
        """Returns the prefixes in the form of the model's training."""
        return [render(place, self.fields, prefix_format=subject.prefix_format) for place in self.places]


@dataclass(frozen=True)
class Locator:
    """A loaded model with the prompts that texts are scored under."""

    subject: Subject
    prompts: Prompts
    prefixes: list[Tokens]
    """Of the prompts, in the model's tokens."""
    protocol: Protocol
    """Strict, with room for the longest prefix."""
    num_tokens: int | None = NUM_TOKENS
    """Tokens from the start of each text that count; None for all. Exact for the part that is read."""
    batch_tokens: int = BATCH_TOKENS
    precision: Precision = "float32"

    def read(self, body: Tokens) -> Tokens:
        """Returns the part of a text that counts."""
        return body[: self.num_tokens]

    def nll(self, bodies: Sequence[Tokens], names: Sequence[str], advance: Advance | None = None) -> Floats:
        """Returns -log p(text | place) in nats, shape [texts, places].

        The same body tokens in the same chunks count under every place.

        Args:
            bodies: tokens of the texts.
            names: of the texts, for messages.
            advance: progress callback, called after each group of texts with their number.

        Raises:
            UserError: where a text is empty, a token is unknown to the model, or a loss is not finite.
        """
        for name, body in zip(names, bodies, strict=True):
            if not len(body):
                raise UserError(f"{name}: is empty; there is nothing to locate")
        largest = max((int(part.max()) for part in [*bodies, *self.prefixes] if len(part)), default=0)
        self.subject.check_fits(max(self.subject.bos, largest))
        result = np.zeros((len(bodies), len(self.prefixes)))
        for start in range(0, len(bodies), TEXTS_AT_ONCE):
            group = slice(start, start + TEXTS_AT_ONCE)
            read = [self.read(body) for body in bodies[group]]
            losses = score_bodies(
                self.subject,
                self.protocol,
                [prefix for _ in read for prefix in self.prefixes],
                [body for body in read for _ in self.prefixes],
                batch_tokens=self.batch_tokens,
                precision=self.precision,
            )
            for prompt, place in enumerate(self.prompts.places):
                own = losses[prompt :: len(self.prefixes)]
                whose = f"{self.subject.folder} conditioned on {place.country}"
                result[group, prompt] = sum_finite(own, names[group], whose, self.precision)
            if advance is not None:
                advance(len(read))
        return mixture(result, self.prompts.place, self.prompts.weights, len(self.prompts.countries))


def open_locator(
    model_folder: Path,
    countries: Sequence[str],
    *,
    fields: Sequence[Field] | None = None,
    outlets: int = 0,
    corpus: EncodedCorpus | None = None,
    window: int | None = None,
    num_tokens: int | None = NUM_TOKENS,
    batch_tokens: int = BATCH_TOKENS,
    device: str = "auto",
    precision: Precision = "float32",
) -> Locator:
    """Loads a model and prepares its prompts.

    Args:
        model_folder: the output of `dateline train`, or a Hugging Face folder.
        countries: among which texts are located.
        fields: of the prefix; None for those that the model was trained with.
        outlets: sum over at most this many training outlets of each country; 0 for one prefix a country.
        corpus: where the outlets are found.
        window: tokens of a segment; None for 2,048, or what the model can read where that is less.
        num_tokens: tokens from the start of each text that count; None for all.
        batch_tokens: padded tokens in a batch.
        device: `auto`, `cpu`, `cuda`.
        precision: `float32` or `bfloat16`, see `load_subject`.

    Raises:
        UserError: where the model was trained without any place, or something does not fit together.

    Example:
        >>> locator = open_locator(Path("runs/conditioned"), ["gh", "gb"])
        >>> bodies = locator.subject.encode(["TITLE: Parliament in Accra passes the budget"])
        >>> posterior(locator.nll(bodies, ["text"]), choose_prior("uniform", ["gh", "gb"])).shape
        (1, 2)
    """
    if num_tokens is not None and num_tokens < 1:
        raise UserError(f"num_tokens is {num_tokens}; give 1 or more, or None for whole texts")
    shown = tuple(fields) if fields is not None else place_fields(model_folder)
    prompts = make_prompts(shown, countries, outlets, corpus)
    subject = load_subject(model_folder, device=device, precision=precision)
    return make_locator(subject, prompts, window, num_tokens=num_tokens, batch_tokens=batch_tokens, precision=precision)


def make_locator(
    subject: Subject,
    prompts: Prompts,
    window: int | None = None,
    *,
    num_tokens: int | None = NUM_TOKENS,
    batch_tokens: int = BATCH_TOKENS,
    precision: Precision = "float32",
) -> Locator:
    """Prepares the prompts for a loaded model; arguments are those of `open_locator`."""
    prefixes = subject.encode(prompts.texts(subject))
    protocol = fit_protocol(subject, prefixes, window)
    return Locator(subject, prompts, prefixes, protocol, num_tokens, batch_tokens, precision)


def fit_protocol(subject: Subject, prefixes: Sequence[Tokens], window: int | None) -> Protocol:
    """Returns the strict protocol with room for the longest prefix.

    Args:
        subject: the model.
        prefixes: of all prompts.
        window: tokens of a segment; None for the protocol's default, or for what the model can read where that is less.

    Raises:
        UserError: where the window is longer than the model can read, or too short for a prefix and a text.
    """
    room = max(map(len, prefixes))
    if window is None:
        default = Protocol().window
        window = min(default, subject.positions or default)
    if window < max(8, room + 2):
        raise UserError(f"a window of {window} tokens has no room for a text after a prefix of {room}; widen it")
    protocol = Protocol(window=window, prefix_room=room)
    protocol.check_positions(subject.positions, str(subject.folder))
    return protocol


def place_fields(folder: Path) -> tuple[Field, ...]:
    """Returns the fields that a model was conditioned on in training.

    Raises:
        UserError: where the model was trained without any field, or nothing says with which.
    """
    fields = known_fields(folder)
    if fields is None:
        raise UserError(
            f"{folder}: no dateline.json says which fields the model was trained with, and country inference needs a "
            "conditioned model: train one, or name the fields with --fields country,continent"
        )
    if not fields:
        raise UserError(
            f"{folder}: was trained without any place in front of its texts, so it cannot tell places apart; use a "
            "run whose conditions.fields name country, continent or domain"
        )
    return fields


def make_prompts(
    fields: Sequence[Field], countries: Sequence[str], outlets: int, corpus: EncodedCorpus | None
) -> Prompts:
    """Returns one prompt a country, or several where outlets are asked for."""
    if not outlets:
        return country_prompts(fields, countries)
    if corpus is None:
        raise UserError("--outlets: the outlets are those of a corpus's training documents; give --corpus")
    return outlet_prompts(fields, countries, corpus, outlets)


def country_prompts(fields: Sequence[Field], countries: Sequence[str]) -> Prompts:
    """Returns one prompt a country, which shows those of the fields that a country determines.

    Raises:
        UserError: where a country is not one, fewer than two are named, or no field tells countries apart.
    """
    codes = check_countries(countries)
    shown = tuple(field for field in FIELDS if field in fields and field in BY_COUNTRY)
    if "country" not in shown:
        raise UserError(
            f"the model is conditioned on {', '.join(fields) or 'nothing'}, and none of it is the country itself; "
            "sum over outlets with --outlets 3 --corpus ENCODED, or use a model with the field country"
        )
    places = [Metadata(country=code, continent=continent_of(code)) for code in codes]
    return _prompts(codes, shown, np.arange(len(codes)), np.ones(len(codes)), places)


def outlet_prompts(fields: Sequence[Field], countries: Sequence[str], corpus: EncodedCorpus, outlets: int) -> Prompts:
    """Returns a prompt for each of a country's most frequent training outlets, weighted by their documents.

    p(text | country) = sum over outlets of share x p(text | prefix of the outlet).

    Args:
        fields: that the model was trained with; one of them must be of outlets.
        countries: codes.
        corpus: whose training split says which outlets there are.
        outlets: at most this many for each country.

    Raises:
        UserError: where the model was not conditioned on outlets, or a country has none in the training split.
    """
    codes = check_countries(countries)
    shown = tuple(field for field in FIELDS if field in fields and field in BY_COUNTRY + BY_OUTLET)
    if outlets < 1:
        raise UserError(f"--outlets {outlets}: give 1 or more")
    if not set(shown) & set(BY_OUTLET):
        raise UserError(
            f"--outlets: the model is conditioned on {', '.join(fields)} and no outlet; leave --outlets out"
        )
    train = corpus.select("train")
    counts: dict[str, Counter[str]] = {code: Counter() for code in codes}
    for code, domain in zip(corpus.countries[train], corpus.domains[train], strict=True):
        if code in counts and domain:
            counts[code][str(domain)] += 1
    owners, weights, places = [], [], []
    for position, code in enumerate(codes):
        chosen = sorted(counts[code].items(), key=lambda item: (-item[1], item[0]))[:outlets]
        if not chosen:
            raise UserError(f"{corpus.folder}: no training document of {code} names an outlet; leave --outlets out")
        total = sum(count for _, count in chosen)
        for domain, count in chosen:
            owners.append(position)
            weights.append(count / total)
            places.append(Metadata(domain=domain, country=code, continent=continent_of(code)))
    return _prompts(codes, shown, np.array(owners), np.array(weights), places)


def check_countries(countries: Sequence[str]) -> list[str]:
    """Returns codes of the countries that names or codes stand for, each once, in the order given.

    Raises:
        UserError: where one is not a country, or fewer than two are left.
    """
    codes = []
    for name in countries:
        known = country(name)
        if known is None:
            raise UserError(f"'{name}' is no country; write ISO codes such as gb,ng")
        codes.append(known.alpha2)
    codes = list(dict.fromkeys(codes))
    if len(codes) < 2:
        raise UserError(f"a text is located among at least two countries, not {', '.join(codes) or 'none'}; name more")
    return codes


def training_counts(corpus: EncodedCorpus) -> dict[str, int]:
    """Returns the training documents of each country, unknown countries left out, in alphabetical order."""
    counts = Counter(str(code) for code in corpus.countries[corpus.select("train")] if code)
    return dict(sorted(counts.items()))


def default_countries(corpus: EncodedCorpus | None) -> list[str]:
    """Returns the countries of a corpus's training split, or the paper's 18 where there is no corpus."""
    return list(PAPER_COUNTRIES) if corpus is None else list(training_counts(corpus))


def choose_prior(choice: str, codes: Sequence[str], training: Mapping[str, int] | None = None) -> Floats:
    """Returns p(place) for each place, in their order.

    Args:
        choice: `uniform`, `corpus`, numbers such as `gb=3,ng=1`, or a file: a JSON mapping or a line `gb=3` a place.
            Only their proportions count; a place that is not named has probability zero.
        codes: the places.
        training: documents of each country in the training split; None where no corpus is given.

    Raises:
        UserError: where the choice cannot be read, or gives nothing to any place.

    Example:
        >>> choose_prior("gb=3,ng=1", ["gb", "ng"])
        array([0.75, 0.25])
    """
    if choice == "uniform":
        return np.full(len(codes), 1 / len(codes))
    if choice == "corpus":
        if training is None:
            raise UserError("--prior corpus: takes the proportions of a corpus's training documents; give --corpus")
        return proportions(codes, training, "--prior corpus")
    path = Path(choice)
    if "=" not in choice or path.is_file():
        try:
            content = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise UserError(
                f"--prior '{choice}': is neither uniform nor corpus, nor numbers such as gb=3,ng=1, nor a file of them"
            ) from None
        return proportions(codes, _parse_prior(content, str(path)), str(path))
    return proportions(codes, _parse_prior(choice, "--prior"), "--prior")


def proportions(codes: Sequence[str], weights: Mapping[str, float], source: str) -> Floats:
    """Returns probabilities in proportion to weights.

    Args:
        codes: the places.
        weights: by place; a missing one is zero.
        source: where they come from, for the message.

    Raises:
        UserError: where a weight is negative or not finite, or all of them are zero.
    """
    values = np.array([float(weights.get(code, 0.0)) for code in codes])
    if not np.isfinite(values).all() or (values < 0).any():
        raise UserError(f"{source}: the prior of a place is a finite number of zero or more; correct it")
    if not values.any():
        raise UserError(f"{source}: gives nothing to any of {', '.join(codes)}; use --prior uniform")
    scaled = values / values.max()  # so that the sum of very large numbers stays finite
    result: Floats = scaled / scaled.sum()
    return result


def mixture(nll: Floats, place: Integers, weights: Floats, num_places: int) -> Floats:
    """Returns -log p(text | place) where a place is a mixture of prompts: -log sum over prompts of w p(text | prompt).

    Exact up to rounding: sums of probabilities are taken in logarithms.

    Args:
        nll: nats of each text under each prompt, shape [texts, prompts].
        place: the place that each prompt belongs to, shape [prompts].
        weights: of each prompt within its place, summing to one there, shape [prompts].
        num_places: how many places there are.

    Returns:
        Shape [texts, num_places].
    """
    total = np.full((len(nll), num_places), -np.inf)
    with np.errstate(divide="ignore"):
        terms = np.log(weights) - nll
    for prompt, owner in enumerate(place.tolist()):
        total[:, owner] = np.logaddexp(total[:, owner], terms[:, prompt])
    return -total


def posterior(nll: Floats, prior: Floats) -> Floats:
    """Returns p(place | text), each row summing to one; what all places of a text have in common cancels out.

    Args:
        nll: -log p(text | place) in nats, finite, shape [texts, places].
        prior: p(place), some of it possibly zero, shape [places].

    Example:
        >>> posterior(np.array([[10.0, 12.0]]), np.array([0.5, 0.5])).round(3)
        array([[0.881, 0.119]])
    """
    result: Floats = np.exp(log_posterior(nll, prior))
    return result


def log_posterior(nll: Floats, prior: Floats) -> Floats:
    """Returns log p(place | text), which stays finite where the probability itself is too small for a float."""
    with np.errstate(divide="ignore"):
        log_joint = np.log(prior) - nll
    result: Floats = log_joint - np.logaddexp.reduce(log_joint, axis=1, keepdims=True)
    return result


def by_continent(probabilities: Floats, continents: Sequence[str]) -> tuple[list[str], Floats]:
    """Sums the probabilities of countries over their continents.

    Args:
        probabilities: of each text's countries, shape [texts, countries].
        continents: of each country.

    Returns:
        The continents in alphabetical order, and their probabilities, shape [texts, continents].
    """
    names = sorted(set(continents))
    member = np.array([[own == name for name in names] for own in continents], dtype=np.float64)
    return names, probabilities @ member


def order_places(log_probabilities: Floats) -> Integers:
    """Returns the places of each text, most probable first, shape [texts, places]; of equal ones the earlier."""
    result: Integers = np.argsort(-log_probabilities, axis=1, kind="stable").astype(np.int64)
    return result


def ranks(log_probabilities: Floats, truth: Integers) -> Integers:
    """Returns the rank of each text's true place, 1 for the most probable.

    Args:
        log_probabilities: shape [texts, places].
        truth: index of the true place, shape [texts].
    """
    result: Integers = (order_places(log_probabilities) == truth[:, None]).argmax(axis=1) + 1
    return result


def _prompts(
    codes: list[str], fields: tuple[Field, ...], place: Integers, weights: Floats, places: Sequence[Metadata]
) -> Prompts:
    return Prompts(codes, [continent_of(code) for code in codes], fields, place, weights, list(places))


def _parse_prior(text: str, source: str) -> dict[str, float]:
    """Returns weights by code from a JSON mapping, or from `gb=3` between commas or on lines."""
    pairs: dict[str, Any] = {}
    if text.lstrip().startswith("{"):
        try:
            pairs = json.loads(text)
        except ValueError as error:
            raise UserError(f"{source}: not valid JSON ({error})") from None
    else:
        for part in text.replace("\n", ",").split(","):
            if part.strip():
                name, _, number = part.partition("=")
                pairs[name.strip()] = number.strip()
    result: dict[str, float] = {}
    for name, number in pairs.items():
        known = country(name)
        if known is None:
            raise UserError(f"{source}: '{name}' is no country; write an ISO code such as gb")
        try:
            result[known.alpha2] = float(number)
        except (TypeError, ValueError):
            raise UserError(f"{source}: '{number}' is no number for {name}; write {known.alpha2}=3") from None
    return result
