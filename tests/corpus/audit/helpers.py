"""Articles and tallies as a build would have counted them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dateline.corpus.audit import Tally
from dateline.records import Article

CONTINENTS = {"ke": "Africa", "gb": "Europe", "my": "Asia", "": ""}
ARTICLE = Article("0", "https://a.ke/1", "a.ke", "ke", "Africa", "2020-01-01", "Título", "text", "f:1", "train")


def article(country: str = "ke", split: str = "train", **changes: Any) -> Article:
    return replace(ARTICLE, country=country, continent=CONTINENTS[country], split=split, **changes)


def tally_of(*articles: Article, verified: str = "agree", declared: str = "", signals: str = "") -> Tally:
    tally = Tally()
    for item in articles:
        tally.keep(item, verified=verified, declared=declared, signals=signals)
    return tally
