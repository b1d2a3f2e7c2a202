from xml.parsers import expat

import pytest

from dateline.corpus.readers.kinds.feed import BrokenItem, ItemRun
from dateline.errors import UserError


def inside_a_feed() -> ItemRun:
    before = ItemRun("utf-8", "f")
    before.feed(b"<feed>", False)
    return ItemRun("utf-8", "f", before)


def test_items_are_put_together_while_bytes_come() -> None:
    run = ItemRun("utf-8", "f")
    data = b'<rss xml:lang="fr"><channel><language> en </language><item><title>A</title></item><item x="1">'
    for at in range(len(data)):
        run.feed(data[at : at + 1], False)
    assert run.found == [{"title": "A", "language": "en"}]
    assert run.item == {"language": "en"}
    assert run.item_at == data.index(b"<item x")
    assert run.outside() == ["rss", "channel"]


def test_a_run_may_begin_at_an_item() -> None:
    before = ItemRun("utf-8", "f")
    before.feed(b"<rss><channel><language>en</language><item>", False)
    run = ItemRun("utf-8", "f", before)
    run.feed(b"<item><title>B</title></item></channel></rss>", True)
    assert run.found == [{"title": "B", "language": "en"}]


def test_the_place_of_damage_is_known() -> None:
    run = inside_a_feed()
    with pytest.raises(BrokenItem, match="an item begins inside an item") as raised:
        run.feed(b"<entry><title>B</title><entry><title>", False)
    assert raised.value.at == 23
    run = inside_a_feed()
    with pytest.raises(expat.ExpatError):
        run.feed(b"<entry>a & b", False)
    assert run.at == 10


def test_depth_and_length_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokenItem, match="elements more than 256 deep"):
        ItemRun("utf-8", "f").feed(b"<rss>" + b"<a>" * 256, False)
    monkeypatch.setattr("dateline.corpus.readers.kinds.feed.MAX_LINE", 100)
    with pytest.raises(BrokenItem, match="longer than 64 MiB"):
        inside_a_feed().feed(b"<entry><title>" + b"x" * 101 + b"</title>", False)


def test_other_xml_is_no_feed() -> None:
    with pytest.raises(UserError, match=r"^f: no feed: it begins with <urlset>, not with <rss>, <feed> or <rdf:RDF>$"):
        ItemRun("utf-8", "f").feed(b"<urlset>", False)
