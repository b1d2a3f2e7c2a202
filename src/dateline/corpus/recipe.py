"""The recipe of a corpus: which files, what is kept, how it is split."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from dateline.config import Section
from dateline.corpus.readers.reader import Columns


class NewswireSource(Section):
    """The embedded newswire instead of files."""

    articles: int = Field(10_000, gt=0)
    """How many articles are written, before duplicates are removed."""
    seed: int = 0
    """The same seed gives the same articles."""


class NearDuplicates(Section):
    """What counts as the same story: the share of word 5-grams that two texts have in common (Jaccard)."""

    threshold: float | None = Field(0.8, ge=0.5, le=1)
    """Pairs at or above it are duplicates, and so are chains of such pairs; null looks for exact copies only."""
    keep: bool = False
    """Keep near copies (exact ones always go); a cluster of copies is then in one split as a whole."""
    index: Literal["memory", "distributed"] = "memory"
    """`memory`: one process holds about 120 bytes a document and checks every pair that it finds. `distributed`:
    datatrove's MinHash stages over many tasks, for corpora beyond that; pairs are not checked."""


class SplitShares(Section):
    """Shares of documents by split within every country; they add up to 1."""

    by: Literal["document", "outlet", "date"] = "document"
    """What is kept together: nothing, all that an outlet wrote, or time: the latest documents of a country are its
    test documents, and undated ones are trained on."""
    enough: int = Field(10, ge=1)
    """A country with fewer documents (`by: outlet`: or fewer than three outlets) is trained on only. Any other has
    at least one validation and one test document."""
    train: float = Field(0.90, ge=0, le=1)
    """Read while training."""
    validation: float = Field(0.05, ge=0, le=1)
    """Scored while training."""
    test: float = Field(0.05, ge=0, le=1)
    """Scored by `dateline eval`."""

    @model_validator(mode="after")
    def _whole(self) -> SplitShares:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, validation and test add up to {total:g}; make them add up to 1")
        return self


EARLIEST = date(1980, 1, 1)
"""News on the web is younger; older dates are mostly a clock at zero (1970-01-01, 1904-01-01, 1601-01-01)."""
ADDED = {"year": None, "page_remains": "keep", "dates_from": EARLIEST, "dates_until": None}
"""Options with the values at which they change nothing, left out of a corpus's identity, so that corpora that were
built before these options existed are still known."""


class CorpusRecipe(Section):
    """What a corpus is built from and how; exactly one of `paths` and `newswire` is given."""

    paths: tuple[str, ...] = ()
    """Files, folders, globs, or addresses with a scheme (`s3://`), in order: of duplicates the first stays."""
    newswire: NewswireSource | None = None
    """Articles from the embedded newswire; gates of language and quality and the search for near duplicates do not
    apply to them, because they would change its known entropy."""
    columns: Columns = Columns()
    """Which column holds what; left out, usual names are recognised."""
    year: int | None = Field(None, ge=1600, le=9999)
    """Year of dates that name none (`Jan. 26`); null leaves such documents without a date."""
    dates_from: date = EARLIEST
    """Earlier dates count as unknown and are named among the problems, for most of them are a clock at zero."""
    dates_until: date | None = None
    """Later dates count as unknown and are named, too; null is the day after the build."""
    page_remains: Literal["keep", "strip", "drop"] = "keep"
    """Remains of a page or feed at the ends of a text: marks of a cut (`… [+123 chars]`, Read more, an ellipsis),
    sign-up lines, the headline repeated, paragraphs joined by `.,`. `keep` names them among the problems, `strip`
    removes them and drops what is nothing else, `drop` drops texts that are cut off, too."""
    language: str | None = "en"
    """ISO 639 code of the language to keep; null keeps all."""
    language_threshold: float = Field(0.5, ge=0, le=1)
    """Probability that the language must reach. Low on purpose: names make Philippine or Nigerian English look less
    English, and a strict gate would cost just those countries."""
    min_characters: int = Field(200, ge=1)
    """Shorter texts are dropped, counted after cleaning."""
    max_characters: int | None = Field(None, ge=1)
    """Longer texts are dropped; null keeps them whole. Nothing is ever cut."""
    max_symbol_share: float = Field(0.25, gt=0, le=1)
    """Texts are dropped in which more of the non-blank characters are neither letters nor digits (news: 2 to 5%)."""
    max_repeated_share: float = Field(0.5, gt=0, le=1)
    """Texts are dropped in which more of the characters stand in lines that the text had before."""
    require_place: bool = False
    """Drop documents without a country."""
    on_conflict: Literal["keep", "drop", "trust_declared"] = "keep"
    """Where declared country, outlet table and suffix disagree: `keep` takes the strongest and lists the document in
    review/, `drop` drops it, `trust_declared` does not list it where the file itself declares the country."""
    on_unverified: Literal["keep", "drop", "trust_declared"] = "keep"
    """Where only one piece of evidence speaks, or none: `trust_declared` keeps the document only if the file itself
    declares the country."""
    outlets: tuple[str, ...] = ()
    """Outlet tables of one's own, asked in this order before the one inside the package: CSV with domain, country,
    name; GDELT's domains by country; Media Cloud's lists of sources."""
    near_duplicates: NearDuplicates = NearDuplicates()
    countries: tuple[str, ...] = ()
    """Keep these countries only (documents without a country are `require_place`'s concern); the audit names those
    that are absent. Empty keeps all."""
    splits: SplitShares = SplitShares()
    held_out: tuple[str, ...] = ()
    """Countries whose documents all go to test."""
    held_out_outlets: tuple[str, ...] = ()
    """Domains whose documents all go to test."""
    test_from: date | None = None
    """Documents of this day or later go to test."""

    @field_validator("paths", "countries", "held_out", "held_out_outlets", "outlets", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("language", mode="before")
    @classmethod
    def _spelled_language(cls, value: Any) -> Any:
        if value is False:
            raise ValueError('YAML reads an unquoted no as false; write "no" for Norwegian, null for every language')
        return value

    @field_validator("countries", "held_out", mode="before")
    @classmethod
    def _spelled_out(cls, value: Any) -> Any:
        if isinstance(value, list | tuple) and any(isinstance(item, bool) for item in value):
            raise ValueError('YAML reads an unquoted no as false; write "no" for Norway')
        return value

    @field_validator("countries", "held_out")
    @classmethod
    def _known_countries(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        from dateline.places import country

        found = {name: country(name) for name in value}
        unknown = [name for name, known in found.items() if known is None]
        if unknown:
            raise ValueError(f"not a country: {', '.join(unknown)}; write ISO codes such as gb or ng")
        return tuple(dict.fromkeys(known.alpha2 for known in found.values() if known))

    @field_validator("held_out_outlets")
    @classmethod
    def _domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        from dateline.places import parse_url

        return tuple(dict.fromkeys(parse_url(name).domain or name.lower() for name in value))

    @model_validator(mode="after")
    def _consistent(self) -> CorpusRecipe:
        if bool(self.paths) == (self.newswire is not None):
            given = "both are there" if self.paths else "neither is there"
            raise ValueError(f"give exactly one of paths and newswire; {given}")
        if self.max_characters is not None and self.max_characters < self.min_characters:
            raise ValueError(f"max_characters {self.max_characters} is below min_characters {self.min_characters}")
        if self.dates_until is not None and self.dates_until < self.dates_from:
            raise ValueError(f"dates_until {self.dates_until} is before dates_from {self.dates_from}")
        strangers = [name for name in self.held_out if self.countries and name not in self.countries]
        if strangers:
            raise ValueError(f"held_out names {', '.join(strangers)}, which countries leaves out; list them in both")
        return self

    def identity(self) -> dict[str, Any]:
        """Returns, as plain data, the values that decide what the corpus holds."""
        return self.model_dump(
            mode="json", exclude={name for name, value in ADDED.items() if getattr(self, name) == value}
        )
