"""Behaviour of `parse_url`: what is forgiven, what is refused and with which words."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.places import UrlParts, parse_url

DOMAINS = [
    ("https://www.bbc.co.uk/news/world-africa-46234567?ref=x#top", "bbc.co.uk"),
    ("http://www.dailymaverick.co.za/article/x/", "dailymaverick.co.za"),
    ("bbc.co.uk/news/x", "bbc.co.uk"),
    ("//bbc.co.uk/news/x", "bbc.co.uk"),
    ("HTTPS://WWW.BBC.CO.UK/News", "bbc.co.uk"),
    ("http:/bbc.co.uk", "bbc.co.uk"),
    ("http:\\\\bbc.co.uk\\news", "bbc.co.uk"),
    ("  https://bbc.co.uk/x \n", "bbc.co.uk"),
    ("\x00\ufeffhttps://bbc.co.uk/x\x00", "bbc.co.uk"),
    ("https://bbc.\nco.uk/x", "bbc.co.uk"),
    ("https://user:pa:ss@bbc.co.uk:8080/x", "bbc.co.uk"),
    ("bbc.co.uk:8080/x", "bbc.co.uk"),
    ("https://bbc.co.uk./x", "bbc.co.uk"),
    ("https://m.amp.bbc.co.uk/x", "bbc.co.uk"),
    ("http://%62bc.co.uk/x", "bbc.co.uk"),
    ("https://\uff42\uff42\uff43\u3002co\u3002uk/x", "bbc.co.uk"),
    ("https://economictimes.indiatimes.com/x", "indiatimes.com"),
    ("https://b\u00fccher.de/x", "xn--bcher-kva.de"),
    ("https://XN--BCHER-KVA.de/x", "xn--bcher-kva.de"),
    ("https://www.unb.com.bd/x", "unb.com.bd"),
    ("https://jis.gov.jm/x", "jis.gov.jm"),
    ("https://medium.com/@ann/story", "medium.com"),
    ("https://bbc.co.uk/a@b:c", "bbc.co.uk"),
    ("https://bbc.co.uk?next=http://cnn.com", "bbc.co.uk"),
    ("https://www.gov.uk/x", "gov.uk"),
    ("https://" + "bbc.co.uk/" + "a" * 10_000, "bbc.co.uk"),
]

REASONS = [
    ("", "URL is empty"),
    (" \t\n\x00", "URL is empty"),
    ("http://", "no host in URL"),
    ("///", "no host in URL"),
    ("..", "no host in URL"),
    ("/news/world", "no host in URL"),
    ("?q=1", "no host in URL"),
    ("javascript:alert('bbc.co.uk')", "scheme javascript: is not a web address"),
    ("mailto:ann@bbc.co.uk", "scheme mailto: is not a web address"),
    ("data:text/html,<b>x</b>", "scheme data: is not a web address"),
    ("ftp://bbc.co.uk/x", "scheme ftp: is not a web address"),
    ("C:\\news\\a.html", "scheme c: is not a web address"),
    ("ann@bbc.co.uk", "an e-mail address is not a web address"),
    ("http://127.0.0.1:8080/x", "IP address has no registered domain"),
    ("http://0x7f.1/x", "IP address has no registered domain"),
    ("http://[2001:db8::1]:80/x", "IP address has no registered domain"),
    ("http://localhost/x", "host 'localhost' has no public suffix"),
    ("http://intranet.local/x", "host 'intranet.local' has no public suffix"),
    ("http://co.uk/x", "'co.uk' is a public suffix, not a site"),
    ("http://bbc.co.uk:http/x", "port 'http' is not a number"),
    ("hello world", "host 'hello world' is not a valid name"),
    ("http://a..b.com", "host 'a..b.com' is not a valid name"),
    ("http://b\x00c.com", "host 'b\\x00c.com' is not a valid name"),
    ("http://\ud800.com", "host '\\ud800.com' is not a valid name"),
    ("http://[nonsense]/", "host '[nonsense]' is not a valid name"),
    ("http://" + "a." * 5000 + "com", "host is longer than 253 characters"),
]


@pytest.mark.parametrize(("url", "domain"), DOMAINS)
def test_the_registered_domain_is_found(url: str, domain: str) -> None:
    parts = parse_url(url)
    assert (parts.domain, parts.reason) == (domain, "")


@pytest.mark.parametrize(("url", "reason"), REASONS)
def test_what_has_no_domain_says_why(url: str, reason: str) -> None:
    parts = parse_url(url)
    assert (parts.domain, parts.reason) == ("", reason)


def test_all_parts() -> None:
    assert parse_url("https://ann@www.uk.news.example.co.uk:443/a/b?c=d&e#f") == UrlParts(
        host="www.uk.news.example.co.uk",
        domain="example.co.uk",
        suffix="co.uk",
        subdomain="uk.news",
        path="/a/b",
        query="c=d&e",
    )


@pytest.mark.parametrize(
    ("url", "domain", "platform"),
    [
        ("https://ann.blogspot.com/2020/x", "ann.blogspot.com", "blogspot.com"),
        ("https://www.ann.blogspot.co.za/x", "ann.blogspot.co.za", "blogspot.co.za"),
        ("https://m.ann.wordpress.com", "ann.wordpress.com", "wordpress.com"),
        ("https://daily.uk.com/x", "daily.uk.com", "uk.com"),
        ("https://medium.com/x", "medium.com", "medium.com"),
    ],
)
def test_on_a_shared_platform_the_publisher_is_one_label_further_left(url: str, domain: str, platform: str) -> None:
    parts = parse_url(url)
    assert (parts.domain, parts.platform) == (domain, platform)


def test_one_site_has_one_spelling_in_any_script() -> None:
    spellings = ["https://\u092d\u093e\u0930\u0924.\u092d\u093e\u0930\u0924/x", "https://XN--H2BRJ9C.xn--h2brj9c/x"]
    assert {parse_url(url).domain for url in spellings} == {"xn--h2brj9c.xn--h2brj9c"}


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_gives_a_result(text: str) -> None:
    for url in (text, "http://" + text, f"https://{text}.com/", f"http://[{text}]", f"http://x:{text}@bbc.com:{text}/"):
        parts = parse_url(url)
        assert bool(parts.domain) != bool(parts.reason)
        assert parts.reason.isascii()
        assert parts.reason.isprintable()
        assert parts.host.isascii()
        assert parts.host == parts.host.lower()


@given(st.text(alphabet="abc.:/@[]%-?#\\ \u00fc\u3002x0159", max_size=40))
def test_a_domain_is_its_own_domain(text: str) -> None:
    domain = parse_url("http://" + text).domain
    if domain:
        assert parse_url(domain).domain == domain


def test_importing_the_room_stays_cheap_and_reads_no_cache() -> None:
    code = (
        "import sys, dateline.places; "
        "print(sorted({'tldextract', 'requests', 'numpy', 'idna', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
