"""Addresses that stand for others: archives, caches, translators, redirects and link shorteners.

The publisher of `https://web.archive.org/web/2022/https://www.cbc.ca/news` is in the address; that of `https://bit.ly/x`
is not. Nothing is fetched, so a shortened link has no place, and no suffix tells where its target is.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from dateline.places.url import UrlParts, parse_url

ARCHIVES = frozenset({
    "archive.org", "archive.today", "archive.ph", "archive.is", "archive.li", "archive.fo", "archive.md",
    "archive.vn", "archive-it.org", "arquivo.pt", "webarchive.org.uk", "vefsafn.is", "webharvest.gov",
    "webcitation.org", "ghostarchive.org", "perma.cc", "mementoweb.org", "wikiwix.com", "freezepage.com",
    "megalodon.jp", "ampproject.org", "bing-amp.com", "googleusercontent.com", "bingj.com", "12ft.io", "1ft.io",
    "outline.com", "removepaywall.com", "removepaywalls.com", "smry.ai", "txtify.it", "translate.goog",
    "microsofttranslator.com", "translatetheweb.com",
})  # fmt: skip
"""Registered domains that hold nothing but copies of other sites' pages: archives, caches, readers, translators."""

WRAPPERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(ARCHIVES, ("url", "q", "u", "a", "term")),
    # pages of their own, and archives, readers or filters beside them
    "nationalarchives.gov.uk": (), "loc.gov": (), "nla.gov.au": (), "stanford.edu": (), "cloudflare.com": (),
    "jina.ai": ("url",), "getpocket.com": ("url",), "instapaper.com": ("u", "url"), "outlook.com": ("url",),
    "urldefense.com": ("u",), "proofpoint.com": ("u",), "cudasvc.com": ("a",),
    # what leads on from social networks, searches and feeds
    "facebook.com": ("u", "href"), "instagram.com": ("u",), "linkedin.com": ("url",), "twitter.com": ("url",),
    "x.com": ("url",), "youtube.com": ("q",), "reddit.com": ("url",), "umblr.com": ("z",), "tumblr.com": ("z",),
    "vk.com": ("to",), "t.me": ("url",), "slack-redir.net": ("url",), "disq.us": ("url",), "flipboard.com": ("url",),
    "pinterest.com": ("url",), "duckduckgo.com": ("uddg",), "bing.com": ("url", "u"), "anon.to": (), "href.li": (),
    "nullrefer.com": (), "feedsportal.com": (),
}  # fmt: skip
"""Registered domain -> parameters of a query that hold the address of another page; a path may hold one, too."""

SHORTENER_TABLE = Path(__file__).parent / "data" / "shorteners.txt"

EVERYWHERE = frozenset({"google", "yahoo"})
"""Portals under the suffixes of many countries; none of them says where a page comes from."""

MOST_LAYERS = 4
"""Wrappers around one another that are opened; more are built to be many."""

_ADDRESS = re.compile(r"https?(?::|%3a)(?:/|%2f)", re.IGNORECASE)
_TIME = re.compile(r"/(?:\d{4,14}|\*)(?:[a-z]{2}_)?/(?=[^/?#]*\.)")
_AMP = re.compile(r"/(?:[a-z]{1,2}/)?(?:s/)?(?=[^/?#]+\.[^/?#]+)")
_SEARCH_AMP = re.compile(r"/amp/(?:s/)?(?=[^/?#]+\.[^/?#]+)")
_CACHED = re.compile(r"cache:(?:[\w-]{12}:)?([^\s+]+)")
_GOOGLE_NEWS = re.compile(r"/articles/([\w-]{20,2000})")
_BYTES_OF_ADDRESS = re.compile(rb"https?://[\x21-\x7e]+")
_FEEDSPORTAL = {
    "0A": "0", "0B": ".", "0C": "/", "0D": "?", "0E": "-", "0F": "=", "0G": "&", "0H": ",", "0I": "_", "0J": "%",
    "0L": "http://", "0M": "https://", "0N": ".com", "0O": ".co.uk", "0S": "www.",
}  # fmt: skip
_CODED = re.compile("0[A-JL-OS]")


@cache
def shorteners() -> frozenset[str]:
    """Returns the hosts that shorten links, for everyone or for one newsroom (`bbc.in`).

    What is behind a short link cannot be told; a suffix such as `.in` or `.rs` is half of a pun.
    """
    return frozenset(SHORTENER_TABLE.read_text(encoding="ascii").split())


def unwrap(parts: UrlParts) -> tuple[UrlParts, str]:
    """Returns the innermost address inside another, and the host around it; the same address and nothing where none is.

    Example:
        >>> inner, wrapper = unwrap(parse_url("https://web.archive.org/web/2022id_/http://punchng.com/road"))
        >>> inner.domain, wrapper
        ('punchng.com', 'web.archive.org')
    """
    wrapper = ""
    for _ in range(MOST_LAYERS):
        if not is_wrapper(parts) or not (written := _inside(parts)):
            break
        inner = parse_url(written)
        if not inner.domain:
            break
        wrapper = wrapper or parts.host
        parts = inner
    return parts, wrapper


def is_wrapper(parts: UrlParts) -> bool:
    """Says whether an address may hold the address of another page."""
    return parts.domain in WRAPPERS or _label(parts) in EVERYWHERE


def stands_for_others(parts: UrlParts) -> str:
    """Returns what a site is that has only other sites' pages and no country (`a link shortener`), or nothing."""
    if parts.domain in shorteners() or parts.host in shorteners():
        return "a link shortener"
    return "an archive or cache" if parts.domain in ARCHIVES else ""


def is_everywhere(parts: UrlParts) -> bool:
    """Says whether a site is one of the portals that stand under the suffixes of many countries."""
    return _label(parts) in EVERYWHERE


def _label(parts: UrlParts) -> str:
    return parts.domain.partition(".")[0]


def _inside(parts: UrlParts) -> str:
    """Returns the address that another holds, as it is written there, or nothing."""
    path, query = parts.path[:4000], parts.query[:4000]
    rest = f"?{query}" if query else ""
    if _label(parts) in ("google", "bing") and (found := _SEARCH_AMP.match(path)):
        return path[found.end() :] + rest
    if parts.domain in ("ampproject.org", "bing-amp.com") or parts.host.endswith("amp.cloudflare.com"):
        if found := _AMP.match(path):
            return path[found.end() :] + rest
        return _undashed(parts.subdomain.partition(".")[0]) + path + rest
    if parts.domain == "translate.goog":
        return _undashed(parts.subdomain) + path
    if parts.domain == "feedsportal.com":
        coded = next((step for step in path.split("/") if step.startswith(("0L", "0M"))), "")
        return _CODED.sub(lambda found: _FEEDSPORTAL[found[0]], coded)
    keys = WRAPPERS.get(parts.domain, ("url", "q", "u"))
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if key.lower() not in keys:
            continue
        value = unquote(value)
        if found := _CACHED.match(value):
            return found[1]
        if parts.domain == "proofpoint.com":
            value = unquote(value.replace("-", "%").replace("_", "/"))
        if _ADDRESS.match(value):
            return value
    if found := _ADDRESS.search(path):
        return unquote(path[found.start() :]) if "%" in found[0] else path[found.start() :] + rest
    if _ADDRESS.match(query):
        return unquote(query)
    if parts.host == "news.google.com":
        return _of_google_news(path)
    return path[found.end() :] + rest if (found := _TIME.search(path)) and parts.domain in ARCHIVES else ""


def _undashed(label: str) -> str:
    """Returns the host of a label in which dots became dashes and dashes two: `www-irishtimes-com`."""
    return label.replace("--", "\0").replace("-", ".").replace("\0", "-")


def _of_google_news(path: str) -> str:
    """Returns the address that the links of Google News held until 2024, or nothing."""
    found = _GOOGLE_NEWS.search(path)
    try:
        held = base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)) if found else b""
    except (binascii.Error, ValueError):
        return ""
    address = _BYTES_OF_ADDRESS.search(held)
    return address[0].decode("ascii") if address else ""
