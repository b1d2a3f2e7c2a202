"""A model that is conditioned on a place: it writes, compares, scores and locates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypedDict, Unpack, overload

import numpy as np
import numpy.typing as npt

from dateline.api.results import Comparison, Continuation, Generation, Leakage, Location, Score, Token
from dateline.conditions import FIELDS, Field, Metadata, render
from dateline.errors import UserError
from dateline.evaluate.locate.locator import (
    NUM_TOKENS,
    country_prompts,
    default_countries,
    make_locator,
    posterior,
    proportions,
)
from dateline.evaluate.locate.texts import as_body
from dateline.evaluate.locate.words import named_countries
from dateline.evaluate.losses import score_bodies, sum_finite
from dateline.evaluate.protocol import Protocol
from dateline.generate.decode import (
    PLAUSIBILITY,
    Blend,
    Guidance,
    Mixture,
    Request,
    Written,
    check_room,
    decode_tokens,
    pieces,
    settled,
    steps,
    write,
)
from dateline.generate.sampling import Sampling
from dateline.model.load import Precision, Subject, find_model, known_fields, load_subject, trained_without_prefix
from dateline.places import PAPER_COUNTRIES
from dateline.places.lookup import place as find_place
from dateline.records import Place, prompt_text

PlaceLike: TypeAlias = str | Place | Metadata | Mapping[str, str] | None
"""A country, a domain, a URL, a `Place`, a mapping of fields (with `url` and `date`, too), or None for no place."""
Tokens = npt.NDArray[np.int32]

MARGINAL = "marginal"
"""As a place: unknown, inferred from the text while it is written."""


NEUTRAL_PROMPTS = (
    "Parliament passes the budget",
    "Rain expected over the weekend",
    "Police appeal for witnesses",
    "Fuel prices rise",
    "Cup final ends in a draw",
    "Hospital opens a new ward",
    "Teachers call off their strike",
    "Bank keeps rates on hold",
    "Farmers hope for a good harvest",
    "Court adjourns the case",
    "Minister opens the new road",
    "School wins the debating contest",
    "Power is back after a storm",
    "Company reports higher profits",
    "Health workers begin vaccinations",
    "Union and employers agree on pay",
    "Fire destroys a market",
    "Singer announces a tour",
    "Airline adds flights",
    "Students return to university",
)
"""Headlines of news that any country has; none of them names a place."""


class SamplingOptions(TypedDict, total=False):
    """Keyword arguments of everything that writes; what they mean stands in `Sampling`."""

    max_tokens: int
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repetition_penalty: float
    stop: Sequence[str]


def load(
    model: str | Path,
    *,
    device: str = "auto",
    precision: Precision = "float32",
    fields: Sequence[Field] | None = None,
) -> Model:
    """Loads a model to use it.

    Args:
        model: the output of `dateline train`, a Hugging Face model folder, or the name of a model on the hub, which is
            downloaded where it is not on this machine (`HF_HUB_OFFLINE=1` forbids it).
        device: `auto` takes a GPU where there is one; otherwise `cpu` or `cuda`.
        precision: `float32`, or `bfloat16` for autocast.
        fields: that prefixes show; None for those of the model's training, or domain, country and continent where
            nothing says which those were.

    Raises:
        UserError: where there is no such model, it cannot be read, or a field is not known.

    Example:
        >>> model = load("runs/conditioned")
        >>> model.fields
        ('domain', 'country', 'continent')
    """
    for name in fields or ():
        if name not in FIELDS:
            raise UserError(f"field '{name}' is not known; use {', '.join(FIELDS)}")
    folder = find_model(model)
    return Model(load_subject(folder, device=device, precision=precision), precision=precision, fields=fields)


class Model:
    """A loaded language model that can be conditioned on a place; `dateline.load` makes one.

    A prompt is a headline: the model is asked for the article behind it, in the form of its training. With `raw` it is
    text as it stands. A string gives one result, a sequence of strings a list of them.
    """

    def __init__(
        self, subject: Subject, *, precision: Precision = "float32", fields: Sequence[Field] | None = None
    ) -> None:
        """Wraps a model that `load_subject` has loaded.

        Args:
            subject: model and tokenizer.
            precision: of the forward pass.
            fields: that prefixes show; None for those of the training.
        """
        self.subject = subject
        self.precision = precision
        self._fields = tuple(fields) if fields is not None else known_fields(subject.folder)

    @property
    def fields(self) -> tuple[Field, ...]:
        """What a prefix shows; empty for a model that was trained without places."""
        return self._fields if self._fields is not None else self.subject.fields

    def __repr__(self) -> str:
        return f"<dateline.Model {self.subject.folder} on {self.subject.model.device}>"

    @overload
    def generate(
        self,
        prompts: str,
        *,
        place: PlaceLike = ...,
        places: Sequence[str] | Mapping[str, float] | None = ...,
        guidance: float = ...,
        against: PlaceLike = ...,
        plausibility: float = ...,
        n: int = ...,
        seed: int = ...,
        gains: bool = ...,
        raw: bool = ...,
        **sampling: Unpack[SamplingOptions],
    ) -> Generation: ...

    @overload
    def generate(
        self,
        prompts: list[str] | tuple[str, ...],
        *,
        place: PlaceLike = ...,
        places: Sequence[str] | Mapping[str, float] | None = ...,
        guidance: float = ...,
        against: PlaceLike = ...,
        plausibility: float = ...,
        n: int = ...,
        seed: int = ...,
        gains: bool = ...,
        raw: bool = ...,
        **sampling: Unpack[SamplingOptions],
    ) -> list[Generation]: ...

    def generate(
        self,
        prompts: str | Sequence[str],
        *,
        place: PlaceLike = None,
        places: Sequence[str] | Mapping[str, float] | None = None,
        guidance: float = 1.0,
        against: PlaceLike = None,
        plausibility: float = PLAUSIBILITY,
        n: int = 1,
        seed: int = 0,
        gains: bool = False,
        raw: bool = False,
        **sampling: Unpack[SamplingOptions],
    ) -> Generation | list[Generation]:
        """Continues headlines, conditioned on a place.

        Args:
            prompts: a headline, or several.
            place: that the text comes from; None for no prefix, `marginal` for unknown (the paper's 18 countries).
            places: the place is one of these and unknown: p(token) = sum over places of p(place | text so far)
                p(token | place), updated token by token. A mapping gives each its prior probability.
            guidance: logits = base + guidance (conditional - base), where the base has no prefix. 1 is plain
                conditioning, 0 none; above 1 the place counts for more than it does in real texts.
            against: a place for the base, in place of none: guidance leads from there to `place`.
            plausibility: where guidance is above 1 or below 0, tokens with less than this share of the best one's
                conditional probability stay out; 0 lets all in.
            n: continuations of each prompt.
            seed: of the samples. Random numbers are a hash of seed, prompt, number of the continuation, position and
                token: the same for every place, whatever else is written beside it.
            gains: say for every token what the place bought, log p(token | place) - log p(token), at the cost of
                scoring the text twice.
            raw: continue the prompts as they stand, not as headlines.
            **sampling: `max_tokens` (60), `temperature` (1.0; 0 takes the likeliest token), `top_p`, `top_k`, `min_p`,
                `repetition_penalty`, `stop` (a sequence of strings).

        Returns:
            A `Generation` for a string, a list of them for a sequence.

        Raises:
            UserError: where a place is not known or the model cannot show it, a prompt is empty or too long, an option
                makes no sense, or guidance is asked of a model that never saw a text without its prefix.

        Example:
            >>> model.generate("Parliament passes the budget", place="ng", guidance=1.5, n=3).texts[0]
            ' The House of Representatives in Abuja on Tuesday ...'
        """
        several, given = _several(prompts, "prompt")
        options, names, requests, blend = prepare(
            self,
            given,
            place=place,
            places=places,
            guidance=guidance,
            against=against,
            plausibility=plausibility,
            n=n,
            seed=seed,
            raw=raw,
            **sampling,
        )
        written = write(self.subject, requests, options, blend=blend, precision=self.precision)
        gained: list[tuple[Token, ...]] = [()] * len(written)
        if gains:
            if names is not None:
                raise UserError("gains are of one place, not of a mixture; leave gains out, or name the place")
            gained = self._gains(requests, written, [self._prefix(place)] * len(written))
        shown = None if names is not None else _shown(place)
        made = [
            Generation(
                prompt,
                shown,
                tuple(_continuation(written[at], gained[at], names) for at in range(number * n, number * n + n)),
            )
            for number, prompt in enumerate(given)
        ]
        return made if several else made[0]

    def stream(
        self,
        prompt: str,
        *,
        place: PlaceLike = None,
        places: Sequence[str] | Mapping[str, float] | None = None,
        guidance: float = 1.0,
        against: PlaceLike = None,
        plausibility: float = PLAUSIBILITY,
        seed: int = 0,
        raw: bool = False,
        **sampling: Unpack[SamplingOptions],
    ) -> Iterator[str]:
        """Continues one headline and gives the text in pieces as it is written.

        The pieces together are the text that `generate` gives. Arguments are checked before the first piece. They are
        those of `generate`.

        Example:
            >>> for piece in model.stream("Rates rise", place="gb"):
            ...     print(piece, end="", flush=True)
        """
        _, given = _several(prompt, "prompt")
        options, _, (request,), blend = prepare(
            self,
            given,
            place=place,
            places=places,
            guidance=guidance,
            against=against,
            plausibility=plausibility,
            seed=seed,
            raw=raw,
            **sampling,
        )
        check_room(self.subject, [request], options.max_tokens)

        def run() -> Iterator[str]:
            shown = ""
            for (text,) in steps(self.subject, [request], options, blend, self.precision):
                sure = settled(text, options.stop)
                if len(sure) > len(shown):
                    yield sure[len(shown) :]
                    shown = sure

        return run()

    @overload
    def compare(
        self,
        prompts: str,
        places: Sequence[PlaceLike],
        *,
        guidance: float = ...,
        plausibility: float = ...,
        n: int = ...,
        seed: int = ...,
        raw: bool = ...,
        **sampling: Unpack[SamplingOptions],
    ) -> Comparison: ...

    @overload
    def compare(
        self,
        prompts: list[str] | tuple[str, ...],
        places: Sequence[PlaceLike],
        *,
        guidance: float = ...,
        plausibility: float = ...,
        n: int = ...,
        seed: int = ...,
        raw: bool = ...,
        **sampling: Unpack[SamplingOptions],
    ) -> list[Comparison]: ...

    def compare(
        self,
        prompts: str | Sequence[str],
        places: Sequence[PlaceLike],
        *,
        guidance: float = 1.0,
        plausibility: float = PLAUSIBILITY,
        n: int = 1,
        seed: int = 0,
        raw: bool = False,
        **sampling: Unpack[SamplingOptions],
    ) -> Comparison | list[Comparison]:
        """Continues headlines under several places with the same random numbers.

        A token is the largest of log p + noise, and the noise of a token is the same under every place: texts differ
        where the place makes them differ. Each text is what `generate` gives for its place, and each token says what
        the place bought.

        Args:
            prompts: a headline, or several.
            places: to condition on, None among them for no prefix.
            guidance: as in `generate`; it leaves None as it is.
            plausibility: as in `generate`.
            n: continuations of each prompt under each place.
            seed: of the samples.
            raw: continue the prompts as they stand, not as headlines.
            **sampling: as in `generate`.

        Returns:
            A `Comparison` for a string, a list of them for a sequence.

        Raises:
            UserError: as in `generate`, or where no place is given.

        Example:
            >>> pair = model.compare("Parliament passes the budget", ["ng", "gb", None])
            >>> [one.place.country for one in pair.generations]
            ['ng', 'gb', '']
        """
        several, given = _several(prompts, "prompt")
        if isinstance(places, str) or not places:
            raise UserError(f"places is {places!r}; give a list of places to compare, such as ['ng', 'gb', None]")
        if MARGINAL in places:
            raise UserError(f"'{MARGINAL}' is many places at once and has no column; generate it by itself")
        columns = []
        for one in places:
            strength = guidance if _metadata(one) != Metadata() else 1.0
            options: dict[str, Any] = {"plausibility": plausibility, "n": n, "seed": seed, "raw": raw, **sampling}
            columns.append(self.generate(given, place=one, guidance=strength, gains=True, **options))
        made = [Comparison(prompt, tuple(column[at] for column in columns)) for at, prompt in enumerate(given)]
        return made if several else made[0]

    @overload
    def score(self, texts: str, *, place: PlaceLike = ..., per_token: bool = ..., raw: bool = ...) -> Score: ...

    @overload
    def score(
        self, texts: list[str] | tuple[str, ...], *, place: PlaceLike = ..., per_token: bool = ..., raw: bool = ...
    ) -> list[Score]: ...

    def score(
        self, texts: str | Sequence[str], *, place: PlaceLike = None, per_token: bool = False, raw: bool = False
    ) -> Score | list[Score]:
        """Scores texts, conditioned on a place.

        Long texts are scored in chunks whose borders depend on the model only, so that scores under different places
        are of the same tokens with the same context of the text (the `strict` protocol).

        Args:
            texts: an article, or several: a headline on the first line, the text behind it.
            place: that the texts come from; None for no prefix.
            per_token: say the nats of each token, too.
            raw: score the texts as they stand, not as headline and text.

        Returns:
            A `Score` for a string, a list of them for a sequence.

        Raises:
            UserError: where a place is not known or the model cannot show it, a text is empty, or a loss is not finite.

        Example:
            >>> text = "Budget passed\\nParliament in Abuja passed the budget."
            >>> model.score(text, place="ng").nats < model.score(text, place="gb").nats
            True
        """
        several, given = _several(texts, "text")
        shown = self._bodies(given, raw)
        bodies, prefix = self._encode(shown), self._prefix(place)
        window = min(Protocol().window, self.subject.positions or Protocol().window)
        protocol = Protocol(window=window, prefix_room=min(Protocol().prefix_room, window // 2))
        options: dict[str, Any] = {"batch_tokens": _SCORED_AT_ONCE, "precision": self.precision}
        losses = score_bodies(self.subject, protocol, [prefix] * len(bodies), bodies, **options)
        nats = sum_finite(losses, [f"text {number + 1}" for number in range(len(given))], repr(self), self.precision)
        made = [
            Score(float(total), len(body), len(text.encode()), self._tokens(body, part) if per_token else ())
            for total, body, text, part in zip(nats, bodies, shown, losses, strict=True)
        ]
        return made if several else made[0]

    @overload
    def locate(
        self,
        texts: str,
        among: Sequence[str] | None = ...,
        *,
        prior: Mapping[str, float] | None = ...,
        max_tokens: int | None = ...,
        raw: bool = ...,
    ) -> Location: ...

    @overload
    def locate(
        self,
        texts: list[str] | tuple[str, ...],
        among: Sequence[str] | None = ...,
        *,
        prior: Mapping[str, float] | None = ...,
        max_tokens: int | None = ...,
        raw: bool = ...,
    ) -> list[Location]: ...

    def locate(
        self,
        texts: str | Sequence[str],
        among: Sequence[str] | None = None,
        *,
        prior: Mapping[str, float] | None = None,
        max_tokens: int | None = NUM_TOKENS,
        raw: bool = False,
    ) -> Location | list[Location]:
        """Infers the country of texts by Bayes' rule from p(text | country).

        How far the probabilities can be believed is measured by `dateline eval locate`, with a reliability table.

        Args:
            texts: an article or a headline, or several.
            among: countries, by code or name; None for the paper's 18.
            prior: probability of each country beforehand, of which only proportions count; None for equal ones.
            max_tokens: read only so many tokens from the start of each text; None for all.
            raw: read the texts as they stand, not as headline and text.

        Returns:
            A `Location` for a string, a list of them for a sequence.

        Raises:
            UserError: where a country is not known, fewer than two are named, a text is empty, or the model was trained
                without countries.

        Example:
            >>> model.locate("Parliament in Abuja passes the budget", among=["ng", "gb", "in"]).country
            'ng'
        """
        several, given = _several(texts, "text")
        if isinstance(among, str):
            raise UserError(f"among is {among!r}; give a list of countries, such as ['ng', 'gb']")
        if max_tokens is not None and (isinstance(max_tokens, bool) or max_tokens < 1):
            raise UserError(f"max_tokens is {max_tokens!r}; give a whole number of 1 or more, or None for whole texts")
        codes = [_country(name) for name in (among if among is not None else default_countries(None))]
        if not self._fields:
            why = "was trained without any place" if self._fields is not None else "says nothing of places in training"
            raise UserError(
                f"{self.subject.folder}: {why}, so it cannot tell places apart; use a model whose conditions.fields "
                "name country, or load it with fields=('country', 'continent')"
            )
        prompts = country_prompts(self._fields, codes)
        shares = dict.fromkeys(prompts.countries, 1.0)
        if prior is not None:
            shares = {_country(name): share for name, share in prior.items()}
        before = proportions(prompts.countries, shares, "prior")
        locator = make_locator(self.subject, prompts, num_tokens=max_tokens, precision=self.precision)
        bodies = self._encode(self._bodies(given, raw))
        found = posterior(locator.nll(bodies, [f"text {number + 1}" for number in range(len(given))]), before)
        made = []
        for row, body in zip(found, bodies, strict=True):
            ranked = _ranked(prompts.countries, row)
            made.append(Location(next(iter(ranked)), ranked, len(locator.read(body))))
        return made if several else made[0]

    def leakage(
        self,
        places: Sequence[PlaceLike] = (None,),
        *,
        prompts: Sequence[str] = NEUTRAL_PROMPTS,
        guidance: float = 1.0,
        n: int = 5,
        seed: int = 0,
        **sampling: Unpack[SamplingOptions],
    ) -> list[Leakage]:
        """Counts which countries the model speaks of behind prompts that name none.

        A country is named by its name, people, a city or a region, as far as the project's tables know them: for the
        18 countries of the paper all of these, for others their names.

        Args:
            places: to condition on, None among them for no prefix.
            prompts: headlines that name no place.
            guidance: as in `compare`.
            n: continuations of each prompt under each place.
            seed: of the samples.
            **sampling: as in `generate`.

        Returns:
            One `Leakage` for each place.

        Raises:
            UserError: as in `compare`, or where a prompt names a country.

        Example:
            >>> none, nigeria = model.leakage([None, "ng"])
            >>> none.any, nigeria.named["ng"]
            (0.31, 0.84)
        """
        for prompt in prompts:
            if named := named_countries(prompt):
                raise UserError(
                    f"the prompt {prompt[:40]!r} names a place ({', '.join(sorted(named))}); use a neutral one"
                )
        if isinstance(places, str) or not places or not prompts:
            raise UserError("leakage needs a list of places, such as [None, 'ng'], and prompts; give both")
        result = []
        for place in places:
            strength = guidance if _metadata(place) != Metadata() else 1.0
            found = self.generate(list(prompts), place=place, guidance=strength, n=n, seed=seed, **sampling)
            texts = [named_countries(text) for one in found for text in one.texts]
            counts = Counter(code for codes in texts for code in sorted(codes))
            shares = {code: count / len(texts) for code, count in counts.most_common()}
            result.append(Leakage(_shown(place), len(texts), sum(map(bool, texts)) / len(texts), shares))
        return result

    def _plan(
        self,
        place: PlaceLike,
        places: Sequence[str] | Mapping[str, float] | None,
        guidance: float,
        against: PlaceLike,
        plausibility: float,
    ) -> tuple[list[str] | None, list[Tokens], Blend | None]:
        """Returns the names of the places of a mixture, the prefixes of the rows of a text, and their blend."""
        blend = Guidance(guidance, plausibility)
        if place == MARGINAL:
            place, places = None, places if places is not None else PAPER_COUNTRIES
        if places is not None:
            if guidance != 1 or _metadata(place) != Metadata() or against is not None:
                raise UserError("a mixture of places takes neither place, guidance nor against; leave them out")
            if isinstance(places, str) or len(places) < 1:
                raise UserError(f"places is {places!r}; give a list of places, or a mapping with their probabilities")
            names = list(places)
            shares = dict(places) if isinstance(places, Mapping) else dict.fromkeys(names, 1.0)
            with np.errstate(divide="ignore"):
                prior = np.log(proportions(names, shares, "places"))
            return names, [self._prefix(name) for name in names], Mixture(prior)
        conditional = self._prefix(place)
        if guidance == 1:
            return None, [conditional], None
        if not len(conditional):
            raise UserError(
                f"guidance {guidance} leads to a place, and none is given; name one, or leave guidance at 1"
            )
        base = self._prefix(against)
        if not len(base) and trained_without_prefix(self.subject.folder) is False:
            raise UserError(
                f"{self.subject.folder}: guidance compares with predictions without a prefix, and the model never saw "
                "a text without one in training (conditions.dropout 0), so they mean nothing; train with dropout 0.1, "
                "or name a place to lead away from with 'against'"
            )
        return None, [base, conditional], blend

    def _prefix(self, place: PlaceLike) -> Tokens:
        """Returns the tokens of a place's prefix, none for None.

        Raises:
            UserError: where a place is given and the model's prefix would not show it.
        """
        metadata = _metadata(place)
        if metadata == Metadata():
            return np.zeros(0, dtype=np.int32)
        if not self.fields:
            raise UserError(
                f"{self.subject.folder}: was trained without any place, so none can be given; use a conditioned model, "
                "or load it with fields=('country', 'continent') to prompt it all the same"
            )
        text = render(metadata, self.fields, prefix_format=self.subject.prefix_format)
        if not text:
            known = ", ".join(name for name, value in metadata._asdict().items() if value)
            raise UserError(
                f"{self.subject.folder}: its prefix shows {', '.join(self.fields)}, and of the place only {known} is "
                "known, so it would not count; give what the prefix shows, in a mapping of fields"
            )
        return self.subject.encode([text])[0]

    def _prompts(self, prompts: Sequence[str], raw: bool) -> list[Tokens]:
        """Returns the tokens of prompts, tokenized apart from any prefix, as in training."""
        return self._encode([prompt if raw else prompt_text(prompt.strip()) for prompt in prompts])

    def _bodies(self, texts: Sequence[str], raw: bool) -> list[str]:
        return [text if raw else as_body("", text) for text in texts]

    def _encode(self, texts: Sequence[str]) -> list[Tokens]:
        found = self.subject.encode(texts)
        for text, tokens in zip(texts, found, strict=True):
            if not len(tokens):
                raise UserError(f"the text {text[:40]!r} has no tokens; give words")
            self.subject.check_fits(int(tokens.max()))
        return found

    def _gains(
        self, requests: Sequence[Request], written: Sequence[Written], prefixes: Sequence[Tokens]
    ) -> list[tuple[Token, ...]]:
        """Returns what each text's place bought at each token."""
        from dateline.model.scoring import Segment, score_tokens

        segments = []
        bos = np.array([self.subject.bos], dtype=np.int64)
        for request, text, prefix in zip(requests, written, prefixes, strict=True):
            own = np.array(text.ids, dtype=np.int64)
            if len(own):
                prompt = request.rows[0][-request.prompt :]
                segments += [
                    Segment(np.concatenate([bos, head, prompt, own]), len(own)) for head in (prefix, prefix[:0])
                ]
        losses = iter(score_tokens(self.subject.model, segments, batch_tokens=_SCORED_AT_ONCE, dtype=self.precision))
        result: list[tuple[Token, ...]] = []
        for text in written:
            if not text.ids:
                result.append(())
                continue
            under_place, without = next(losses).astype(np.float64), next(losses).astype(np.float64)
            result.append(self._tokens(text.ids, without - under_place))
        return result

    def _tokens(self, ids: Sequence[int] | Tokens, nats: npt.NDArray[np.floating]) -> tuple[Token, ...]:
        shown = pieces(self.subject.tokenizer, [int(one) for one in ids])
        return tuple(Token(piece, float(value)) for piece, value in zip(shown, nats, strict=True))


class Prepared(NamedTuple):
    """What the decoding loop takes."""

    sampling: Sampling
    names: list[str] | None
    """Of the places of a mixture, one a row."""
    requests: list[Request]
    """`n` for each prompt."""
    blend: Blend | None


def prepare(
    model: Model,
    prompts: Sequence[str | Tokens],
    *,
    place: PlaceLike = None,
    places: Sequence[str] | Mapping[str, float] | None = None,
    guidance: float = 1.0,
    against: PlaceLike = None,
    plausibility: float = PLAUSIBILITY,
    n: int = 1,
    seed: int = 0,
    raw: bool = False,
    **sampling: Unpack[SamplingOptions],
) -> Prepared:
    """Checks the arguments of `Model.generate` and returns what the decoding loop takes.

    Args:
        model: that writes.
        prompts: texts, or tokens without BOS, which are continued as they stand.
        place: this and what follows as in `Model.generate`.
        places: of a mixture.
        guidance: strength.
        against: a place for the base.
        plausibility: of guidance.
        n: continuations of each prompt.
        seed: of the samples.
        raw: continue texts as they stand.
        **sampling: options of sampling.

    Raises:
        UserError: as `Model.generate` does, except for prompts that are too long (`check_room`).
    """
    subject = model.subject
    options = _sampling(sampling, n, seed)
    names, prefixes, blend = model._plan(place, places, guidance, against, plausibility)
    bos = np.array([subject.bos], dtype=np.int32)
    requests = []
    for prompt in prompts:
        if isinstance(prompt, str):
            text, (body,) = prompt, model._prompts([prompt], raw)
        else:
            text, body = decode_tokens(subject.tokenizer, prompt.tolist()), prompt
        rows = tuple(np.concatenate([bos, prefix, body]) for prefix in prefixes)
        keys = [("sample", str(seed), text, str(number)) for number in range(n)]
        requests += [Request(rows, len(body), key) for key in keys]
    return Prepared(options, names, requests, blend)


_SCORED_AT_ONCE = 8_192
"""Padded tokens in a batch of scoring."""


def _sampling(options: SamplingOptions, n: int, seed: int) -> Sampling:
    """Checks what everything that writes has in common."""
    stop = options.get("stop", ())
    chosen = Sampling(**{**options, "stop": stop if isinstance(stop, str) else tuple(stop)})  # type: ignore[arg-type]
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise UserError(f"n is {n!r}; give a whole number of 1 or more")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UserError(f"seed is {seed!r}; give a whole number")
    if n > 1 and chosen.temperature == 0:
        raise UserError(f"n is {n}, and at temperature 0 all continuations are the same; raise the temperature, or n=1")
    return chosen


def _several(given: str | Sequence[str], what: str) -> tuple[bool, list[str]]:
    """Returns whether a sequence was given, and its texts, none of them empty."""
    several = not isinstance(given, str)
    texts = list(given) if several else [given]
    for number, text in enumerate(texts):
        which = f"{what} {number + 1}" if several else f"the {what}"
        if not isinstance(text, str):
            raise UserError(f"{which} is {type(text).__name__}, not text; give strings")
        if not text.strip():
            raise UserError(f"{which} is empty; give words")
    return several, texts  # type: ignore[return-value]


def _metadata(place: PlaceLike) -> Metadata:
    """Returns what a prefix can show of a place; all empty for None."""
    if isinstance(place, Metadata):
        return place
    url, date = "", ""
    if isinstance(place, Mapping):
        url, date = str(place.get("url", "")), str(place.get("date", ""))
        place = {key: value for key, value in place.items() if key != "date"}
    elif isinstance(place, str) and "/" in place:
        url = place.strip()
    found = find_place(place)
    return Metadata(url=url, domain=found.domain, country=found.country, continent=found.continent, date=date)


def _shown(place: PlaceLike) -> Place:
    if isinstance(place, Place):
        return place
    found = _metadata(place)
    return Place(domain=found.domain, country=found.country, continent=found.continent)


def _country(name: str) -> str:
    code = find_place(name).country
    if not code:
        raise UserError(f"{name!r} is no country; write a code or a name, such as ng or Nigeria")
    return code


def _ranked(names: Sequence[str], probabilities: npt.NDArray[np.float64]) -> dict[str, float]:
    order = np.argsort(-probabilities, kind="stable")
    return {names[at]: float(probabilities[at]) for at in order}


def _continuation(text: Written, gains: tuple[Token, ...], names: Sequence[str] | None) -> Continuation:
    assert text.finish is not None
    found = None if names is None or text.log_posterior is None else _ranked(names, np.exp(text.log_posterior))
    return Continuation(text.text, tuple(text.ids), text.finish, gains, found)
