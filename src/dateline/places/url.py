"""A URL cut into its parts: host, registered domain, public suffix, sub-domain, path, query.

The public-suffix list is the one bundled with tldextract; it is never fetched. Addresses inside others (archives, AMP
caches) are found by `wrapped.py`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tldextract import TLDExtract

MAX_HOST = 253
"""Characters of the longest host name that the domain name system knows (RFC 1035)."""

SHARED_HOSTS = frozenset({
    "blogspot.com", "wordpress.com", "substack.com", "medium.com", "tumblr.com", "typepad.com", "livejournal.com",
    "weebly.com", "wixsite.com", "squarespace.com", "github.io", "gitlab.io", "netlify.app", "vercel.app", "pages.dev",
    "web.app", "firebaseapp.com", "herokuapp.com",
    "ae.org", "br.com", "cn.com", "co.com", "de.com", "eu.com", "gb.net", "gr.com", "hu.com", "hu.net", "in.net",
    "jp.net", "jpn.com", "kr.com", "mex.com", "no.com", "qc.com", "ru.com", "sa.com", "se.net", "uk.com", "uk.net",
    "us.com", "us.org", "uy.com", "za.bz", "za.com", "za.net",
})  # fmt: skip
"""Registered domains under which strangers publish side by side.

The private half of the public-suffix list stays off, because it holds thousands of data centres and no newsroom. These
few are where articles do appear: the publisher is one label further left, so `ann.blogspot.com` is a domain of its own.
Blogspot also redirected its readers to their own country's suffix, so every `blogspot.*` counts, and no suffix here
says where the writer is.
"""

_EDGE = "".join(map(chr, range(33))) + "\x7f\x85\xa0\u200b\u2028\u2029\ufeff"
_INSIDE = re.compile(r"[\t\r\n]+")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_AUTHORITY_END = re.compile(r"[/\\?#]")
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEVICE_LABELS = frozenset({"www", "www1", "www2", "www3", "m", "amp", "mobile"})
_INSTITUTIONS = frozenset({"gov", "govt", "gob", "gouv", "gub", "go", "mil", "nhs", "police"})
"""Labels of public suffixes that belong to one institution, whose front door is the suffix itself (`www.nhs.uk`)."""


@dataclass(frozen=True, slots=True)
class UrlParts:
    """The parts of one URL; what is unknown is empty, and `reason` says why the domain is."""

    host: str = ""
    """Lower case, ASCII (punycode), without user, port and final dot."""
    domain: str = ""
    """Public suffix and one label (`bbc.co.uk`); one label more on a shared platform (`ann.blogspot.com`)."""
    suffix: str = ""
    """Public suffix of the host (`co.uk`), without the platform's own name."""
    subdomain: str = ""
    """What stands before the domain, without the leading `www`, `m`, `amp` or `mobile`."""
    path: str = ""
    """As written, with its leading slash."""
    query: str = ""
    """As written, without the question mark; the fragment is dropped."""
    platform: str = ""
    """The shared platform that the page stands on (`blogspot.com`), else empty."""
    reason: str = ""


def parse_url(url: str) -> UrlParts:
    """Returns the parts of a URL and never raises.

    Reads as a browser does rather than as RFC 3986: surrounding blanks and inner line breaks go, backslashes are
    slashes, the scheme may be missing (`bbc.co.uk/news`), and names in other scripts become punycode, so that one site
    has one spelling.

    Example:
        >>> parts = parse_url("https://www.bbc.co.uk/news/world?x=1")
        >>> parts.domain, parts.suffix, parts.path
        ('bbc.co.uk', 'co.uk', '/news/world')
    """
    text = _INSIDE.sub("", url.strip(_EDGE))
    if not text:
        return UrlParts(reason="URL is empty")
    rest, is_web_address, reason = _after_scheme(text)
    if reason:
        return UrlParts(reason=reason)
    end = _AUTHORITY_END.search(rest)
    authority, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    if "@" in authority:
        if not is_web_address:
            return UrlParts(reason="an e-mail address is not a web address")
        authority = authority.rpartition("@")[2]
    name, reason = _without_port(authority)
    if reason:
        return UrlParts(reason=reason)
    if len(name) > MAX_HOST:
        return UrlParts(reason=f"host is longer than {MAX_HOST} characters")
    found = _split_host(name)
    if not found.host:
        return found
    path, _, query = tail.partition("#")[0].partition("?")
    return replace(found, path=path, query=query)


def show(text: str) -> str:
    """Returns any text as a short, quoted, printable ASCII string for a message."""
    return ascii(text if len(text) <= 60 else text[:57] + "...")


def _after_scheme(text: str) -> tuple[str, bool, str]:
    """Returns what follows the scheme, whether the text was marked as a web address, and why it is none."""
    scheme = _SCHEME.match(text)
    if scheme:
        name = scheme[1].lower()
        if name in ("http", "https"):
            return text[scheme.end() :].lstrip("/\\"), True, ""
        if "." not in name and name != "localhost":
            return "", False, f"scheme {name[:30]}: is not a web address"
    if text[:2].strip("/\\") == "" and len(text) > 1:
        return text.lstrip("/\\"), True, ""
    return text, False, ""


def _without_port(authority: str) -> tuple[str, str]:
    """Returns the host name of `host:port`, brackets of IPv6 kept, and why there is none."""
    if authority.startswith("[") or authority.count(":") != 1:
        return authority.rpartition("]")[0] + "]" if "]" in authority else authority, ""
    name, _, port = authority.partition(":")
    if port and not (port.isascii() and port.isdigit()):
        return "", f"port {show(port)} is not a number"
    return name, ""


@lru_cache(maxsize=1 << 16)
def _split_host(name: str) -> UrlParts:
    """Returns what a host name as written says, without path and query: the costly half of parsing, once a host."""
    if ":" in name or name.startswith("["):
        return _ip_version_6(name)
    host = _ascii_host(name)
    if not host:
        if not name.strip("."):
            return UrlParts(reason="no host in URL")
        return UrlParts(reason=f"host {show(name)} is not a valid name")
    if _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        return UrlParts(host, reason="IP address has no registered domain")
    found = _extractor()(host)
    suffix, label = found.suffix, found.domain
    if not suffix:
        return UrlParts(host, reason=f"host {show(host)} has no public suffix")
    if label in ("", *_DEVICE_LABELS) and not _INSTITUTIONS.isdisjoint(suffix.split(".")[:-1]):
        return UrlParts(host, suffix, suffix)
    if not label:
        return UrlParts(host, suffix=suffix, reason=f"{show(host)} is a public suffix, not a site")
    domain, platform = f"{label}.{suffix}", ""
    labels = found.subdomain.split(".") if found.subdomain else []
    while labels and labels[0] in _DEVICE_LABELS:
        del labels[0]
    if label == "blogspot" or domain in SHARED_HOSTS:
        platform = domain
        domain = f"{labels.pop()}.{domain}" if labels else domain
    return UrlParts(host, domain, suffix, ".".join(labels), platform=platform)


def _ip_version_6(name: str) -> UrlParts:
    """Returns the address as a host without a domain, or the reason why it is no address."""
    inner = name.strip("[]").partition("%")[0]
    try:
        return UrlParts(str(ipaddress.ip_address(inner)), reason="IP address has no registered domain")
    except ValueError:
        return UrlParts(reason=f"host {show(name)} is not a valid name")


def _ascii_host(name: str) -> str:
    """Returns the one spelling of a host name, lower case and punycode, or nothing if it is no host name."""
    if "%" in name:
        from urllib.parse import unquote

        name = unquote(name)
    if not name.isascii():
        import idna

        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except (UnicodeError, ValueError, IndexError):
            return ""
    name = name.lower().removesuffix(".")
    return name if len(name) <= MAX_HOST and _HOST.fullmatch(name) else ""


@cache
def _extractor() -> TLDExtract:
    """Returns the suffix reader, imported on first use: it pulls in an HTTP library that is never called (0.1 s)."""
    from tldextract import TLDExtract

    return TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=False)
