"""What a browser and a reader see of a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "link", "hr", "input"}
EVIL = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}{% raw %}", "a]]>&lt;b&#39;")


class Reader(HTMLParser):
    """Collects tags, attributes and visible text, and checks that tags nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def check_closed(html: str) -> Reader:
    """Checks that a page is one file without script, outside address, broken reference or bare number."""
    reader = Reader(html)
    assert not {"script", "link", "img", "image", "iframe", "object", "embed", "base", "form", "a"} & set(reader.tags)
    assert not [name for name, _ in reader.attributes if name.startswith("on") or name in ("src", "srcset", "action")]
    assert all(value.startswith("#") for name, value in reader.attributes if name == "href")
    ids = [value for name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {target.strip("'\"#") for target in re.findall(r"url\(([^)]*)\)", html)} <= set(ids)
    assert "@import" not in html
    assert "default-src 'none'" in html
    assert not re.search(r"\b(nan|inf|None)\b", reader.text)
    return reader


def section(html: str, name: str) -> str:
    """Returns one section of a page."""
    start = html.index(f'<section id="{name}">')
    return html[start : html.index("</section>", start) + len("</section>")]
