"""From a URL to the place that it comes from: a domain, a country, a continent, and the evidence for them."""

from dateline.places.countries import PAPER_COUNTRIES, Country, all_countries, continent, continent_of, country
from dateline.places.outlets import Outlet, load_outlet_tables, load_outlets, outlet
from dateline.places.resolve import resolve
from dateline.places.url import UrlParts, parse_url

__all__ = [
    "PAPER_COUNTRIES",
    "Country",
    "Outlet",
    "UrlParts",
    "all_countries",
    "continent",
    "continent_of",
    "country",
    "load_outlet_tables",
    "load_outlets",
    "outlet",
    "parse_url",
    "resolve",
]
