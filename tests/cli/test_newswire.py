"""The embedded newswire as a folder."""

from dateline.manifest import read_manifest


def test_number_and_seed_reach_the_corpus(dateline, tmp_path):
    said = dateline("newswire", "--articles", "120", "--seed", "5", "--out", tmp_path / "wire")
    assert said.code == 0, said.err
    assert said.out.startswith(f"{tmp_path / 'wire'}: 120 of 120 documents kept\n")
    assert read_manifest(tmp_path / "wire").recipe["newswire"] == {"articles": 120, "seed": 5}


def test_no_article_at_all_is_a_mistake(dateline, tmp_path):
    said = dateline("newswire", "--articles", "0", "--out", tmp_path / "wire")
    assert said.code == 2
    assert said.err.startswith("dateline: command line: newswire.articles: ")
    assert not (tmp_path / "wire").exists()
