"""The loss of an ideal learner: what a model would reach on the newswire that knew its training distribution exactly.

A run reads the outlets that its corpus, mix and filters leave, each with its share. Under a condition the prefix leaves
some of them possible, and the ideal loss of an article is -log of its mean probability over these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dateline.conditions import Field
from dateline.corpus import CorpusRecipe
from dateline.corpus.newswire import Newswire, Outlet
from dateline.errors import UserError
from dateline.records import Article
from dateline.tokens.mix import Mix

Floats = npt.NDArray[np.float64]

IN_URL = "the prefix shows the URL, which spells out the title: no ideal is known"
UNSEEN = "the outlets of these documents are not in the training text of a run, so no ideal is defined"
BY_OUTLET = "test outlets are not in the training split (splits.by), so no ideal is known"


class IdealLearner:
    """Knows how probable each article of the newswire is under any training distribution.

    Args:
        articles: that are scored, written by the newswire.
        corpus: the recipe that they come from.

    Raises:
        UserError: where the grammar of this version cannot write an article.
    """

    def __init__(self, articles: Sequence[Article], corpus: CorpusRecipe) -> None:
        self.corpus = corpus
        self.articles = list(articles)
        self.wire = Newswire()
        self._given = [self.wire.grammar.probabilities(article.title, article.text) for article in self.articles]
        self._losses: dict[tuple[str, tuple[Field, ...]], Floats] = {}
        for article, given in zip(self.articles, self._given, strict=True):
            if not given.get(article.domain, 0.0) > 0:
                raise UserError(
                    f"article {article.id}: the newswire of this version cannot write it; build the corpus again"
                )

    def losses(self, mix: Mix, fields: Sequence[Field]) -> Floats:
        """Returns the ideal loss of every article in nats, summed over its body.

        Args:
            mix: of the run.
            fields: that the prefix shows.

        Returns:
            Shape [articles]; NaN where `undefined` says why.

        Example:
            >>> from dateline.corpus.newswire import newswire
            >>> ideal = IdealLearner(list(newswire(1, seed=1)), CorpusRecipe(newswire={"articles": 1}))
            >>> bool(ideal.losses(Mix(), ()) > ideal.losses(Mix(), ("domain",)))
            True
        """
        key = (mix.model_dump_json(), tuple(fields))
        if key not in self._losses:
            self._losses[key] = self._compute(mix, fields)
        return self._losses[key]

    def _compute(self, mix: Mix, fields: Sequence[Field]) -> Floats:
        prior = self.prior(mix)
        result = np.full(len(self.articles), np.nan)
        if "url" in fields or self.corpus.splits.by == "outlet":
            return result
        for index, (article, given) in enumerate(zip(self.articles, self._given, strict=True)):
            if article.domain in prior:
                possible = [domain for domain in self._possible(article, fields) if domain in prior]
                result[index] = -self.wire.grammar.mix(given, possible, prior)
        return result

    def _possible(self, article: Article, fields: Sequence[Field]) -> tuple[str, ...]:
        """Returns the outlets that a prefix with these fields leaves possible."""
        if "domain" in fields or "url_hash" in fields:
            return (article.domain,)
        place = article.country if "country" in fields else article.continent if "continent" in fields else None
        return self.wire.domains(place)

    def undefined(self, fields: Sequence[Field]) -> str:
        """Says why the losses under these fields are NaN, where they are."""
        if "url" in fields:
            return IN_URL
        return BY_OUTLET if self.corpus.splits.by == "outlet" else UNSEEN

    def prior(self, mix: Mix) -> dict[str, float]:
        """Returns the share of each outlet in the training text of a mix; outlets that it leaves out are not there."""
        natural = self.wire.grammar.prior
        groups: dict[str, list[str]] = {}
        for outlet in self.wire.outlets:
            if self._is_read(outlet, mix):
                name = "all" if mix.weights == "natural" else getattr(outlet, mix.by)
                groups.setdefault(name, []).append(outlet.domain)
        weights = mix.weights if isinstance(mix.weights, dict) else dict.fromkeys(groups, 1.0)
        total = math.fsum(weights[name] for name in groups)
        return {
            domain: weights[name] / total * natural[domain] / math.fsum(natural[other] for other in domains)
            for name, domains in groups.items()
            for domain in domains
        }

    def _is_read(self, outlet: Outlet, mix: Mix) -> bool:
        places, corpus = {outlet.country, outlet.continent}, self.corpus
        return (
            (not corpus.countries or outlet.country in corpus.countries)
            and outlet.country not in corpus.held_out
            and outlet.domain not in corpus.held_out_outlets
            and (not mix.include or bool(places & set(mix.include)))
            and not places & set(mix.exclude)
        )
