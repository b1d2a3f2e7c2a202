"""The page again, from what lies in the folder."""

import shutil


def test_the_page_is_built_again(dateline, finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "tiny")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    page = (folder / "report.html").read_text()
    (folder / "report.html").write_text("gone")
    said = dateline("report", folder)
    assert (said.code, said.out) == (0, f"{folder / 'report.html'}\n")
    assert len((folder / "report.html").read_text()) > 0.9 * len(page)
    changed = {path.name for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert changed == {"report.html"}


def test_a_folder_without_scores(dateline, tmp_path):
    said = dateline("report", tmp_path)
    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
