from dateline.corpus import read_articles
from dateline.manifest import require_manifest
from dateline.records import Article
from dateline.testing import write_corpus


def article(number: int, split: str = "") -> Article:
    return Article(f"{number:016x}", f"https://a.ng/{number}", "a.ng", "ng", "Africa", "", "T", "x\n\ny", "hand", split)


def test_articles_come_back_as_they_were_given_in_split_order(tmp_path):
    given = [article(1, "test"), article(2), article(3, "train")]
    folder = write_corpus(tmp_path / "c", given)
    assert list(read_articles(folder)) == [article(2, "train"), article(3, "train"), article(1, "test")]
    counts = require_manifest(folder, "corpus", "").counts
    assert counts == {"in": 3, "kept": 3, "train": 2, "validation": 0, "test": 1}


def test_the_fingerprint_depends_on_the_articles_alone(tmp_path):
    folders = [
        write_corpus(tmp_path / name, [article(n) for n in ids]) for name, ids in {"a": [1], "b": [1], "c": [2]}.items()
    ]
    prints = [require_manifest(folder, "corpus", "").fingerprint for folder in folders]
    assert prints[0] == prints[1] != prints[2]
