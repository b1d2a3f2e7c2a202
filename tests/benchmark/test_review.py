"""People's decisions: kept at once, compared, applied; and the page on which they are made, in a real browser."""

import json
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.benchmark.build import benchmark_stage
from dateline.benchmark.questions import read_questions
from dateline.benchmark.recipe import BuildOptions
from dateline.benchmark.review import (
    Decision,
    ReviewLog,
    agreement,
    agreements,
    read_benchmark,
    read_decisions,
    reviewed_stage,
)
from dateline.benchmark.review_page import ReviewServer
from dateline.cli import main
from dateline.errors import UserError
from dateline.statistics import kappa


@pytest.fixture(scope="module")
def benchmark(held_out_news, tmp_path_factory):
    """Sixteen questions about four countries. Read only."""
    out = tmp_path_factory.mktemp("reviewed") / "set"
    benchmark_stage(held_out_news, BuildOptions(quota={"ng": 4, "gb": 4, "us": 4, "in": 4}), out).make(out)
    return out


@pytest.fixture
def rows(benchmark):
    return read_benchmark(benchmark)[1]


def decide(name, verdict="accept", reviewer="ama", **more):
    return Decision(reviewer=reviewer, id=name, verdict=verdict, **more)


def edit(row, reviewer="ama", **change):
    text = {"question": row["question"], "options": row["options"], "correct_answer": row["correct_answer"]} | change
    return decide(row["id"], "edit", reviewer, **text)


# ---- the log


def test_each_decision_is_a_line_and_the_last_one_holds(tmp_path):
    log = ReviewLog(tmp_path / "new" / "ama.jsonl", "ama")
    for decision in (decide("1"), decide("2", "reject", reason="unclear"), decide("1", "reject", reason="wrong")):
        log.add(decision)
        assert read_decisions(log.path)[decision.id].verdict == decision.verdict
    assert len(log.path.read_text().splitlines()) == 3
    assert {name: one.reason for name, one in ReviewLog(log.path, "ama").decisions.items()} == {
        "1": "wrong",
        "2": "unclear",
    }
    log.add(decide("1", "undecided"))
    assert set(ReviewLog(log.path, "ama").decisions) == {"2"}


def test_a_line_that_was_cut_off_costs_only_itself(tmp_path, capsys):
    path = tmp_path / "ama.jsonl"
    log = ReviewLog(path, "ama")
    log.add(decide("1"))
    path.write_bytes(path.read_bytes() + b'{"reviewer": "ama", "id": "2", "ver')
    log = ReviewLog(path, "ama")
    log.add(decide("3"))
    assert set(read_decisions(path)) == {"1", "3"}
    assert f"{path}:2: is no whole line of JSON, and is passed over" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"reviewer": "ama", "id": "1", "verdict": "maybe"}', "verdict: Input should be 'accept'"),
        ('{"reviewer": "ama", "id": "1", "verdict": "reject"}', "a rejection needs a reason; correct the line"),
        ('{"reviewer": "a/b", "id": "1", "verdict": "accept"}', "reviewer: String should match pattern"),
        ('{"reviewer": "ama", "id": "1", "verdict": "edit"}', "an edit needs a question and 4 options"),
        ('{"nothing": 1}', "reviewer: Field required"),
    ],
)
def test_a_line_that_is_no_decision_is_named(tmp_path, line, message):
    path = tmp_path / "ama.jsonl"
    path.write_text(json.dumps({"reviewer": "ama", "id": "0", "verdict": "accept"}) + "\n" + line + "\n")
    with pytest.raises(UserError) as found:
        read_decisions(path)
    assert str(found.value).startswith(f"{path}:2: ")
    assert message in str(found.value)


def test_files_of_others_and_of_nothing_are_refused(tmp_path):
    path = tmp_path / "ama.jsonl"
    ReviewLog(path, "ama").add(decide("1"))
    with pytest.raises(UserError, match="holds decisions of ama; name another --reviewer"):
        ReviewLog(path, "kofi")
    path.write_text("hello\n")
    with pytest.raises(UserError, match="holds no decision of a reviewer"):
        read_decisions(path)
    with pytest.raises(UserError, match="No such file or directory; name a file of decisions"):
        read_decisions(tmp_path / "nobody.jsonl")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"options": ("a", "b", "c")}, "an edit needs a question and 4 options"),
        ({"options": ("a", "b", "c", " ")}, "an option is empty, or two are equal"),
        ({"options": ("a", "b", "c", "a")}, "an option is empty, or two are equal"),
        ({"correct_answer": "e"}, "the answer is none of the options"),
        ({"question": " "}, "an edit needs a question and 4 options"),
    ],
)
def test_an_edit_must_be_a_question(change, message):
    text = {"question": "Which?", "options": ("a", "b", "c", "d"), "correct_answer": "a"} | change
    with pytest.raises(ValueError, match=message):
        decide("1", "edit", **text)


# ---- agreement


def test_agreement_counts_what_both_have_decided(tmp_path):
    for reviewer, verdicts in (("ama", "aaarr-"), ("kofi", "aararr")):
        log = ReviewLog(tmp_path / f"{reviewer}.jsonl", reviewer)
        for number, verdict in enumerate(verdicts):
            if verdict != "-":
                name = {"a": "accept", "r": "reject"}[verdict]
                log.add(decide(str(number), name, reviewer, reason="x" if verdict == "r" else ""))
    (found,) = agreements(list(tmp_path.glob("*.jsonl")))
    assert (found.first, found.second, found.questions, found.agreed) == ("ama", "kofi", 5, 3)
    assert found.kappa.value == pytest.approx((3 / 5 - 13 / 25) / (1 - 13 / 25))
    assert agreement({}, {}, ("a", "b")).questions == 0


PAIRS = st.tuples(st.sampled_from("xyz"), st.sampled_from("xyz"))


@given(st.lists(PAIRS, min_size=1))
def test_kappa_is_symmetric_and_bounded(pairs):
    found = kappa(Counter(pairs))
    other = kappa(Counter((second, first) for first, second in pairs))
    if len({name for pair in pairs for name in pair}) == 1:
        assert found.value != found.value  # chance leaves nothing open
        return
    assert found == pytest.approx(other, nan_ok=True)
    if len(pairs) > 1:
        assert -1 <= found.low <= found.value <= found.high <= 1
    if all(first == second for first, second in pairs):
        assert found.value == pytest.approx(1)


# ---- applied


def apply(benchmark, tmp_path, *decisions):
    for one in decisions:
        ReviewLog(tmp_path / "reviews" / f"{one.reviewer}.jsonl", one.reviewer).add(one)
    files = sorted((tmp_path / "reviews").glob("*.jsonl"))
    return reviewed_stage(benchmark, files, tmp_path / "out").make(tmp_path / "out")


def test_rejected_questions_go_and_edited_ones_change(benchmark, tmp_path, rows):
    first, second, third = rows[0], rows[5], rows[9]
    options = [*(one for one in second["options"] if one != second["correct_answer"]), "Something Else"]
    manifest = apply(
        benchmark,
        tmp_path,
        decide(first["id"], "reject", reason="unclear"),
        decide(first["id"], "reject", "kofi", reason="wrong"),
        edit(second, "kofi", options=options, correct_answer="Something Else"),
        decide(third["id"]),
    )
    left = {row["id"]: row for row in pq.read_table(tmp_path / "out" / "questions.parquet").to_pylist()}
    assert set(left) == {row["id"] for row in rows} - {first["id"]}
    assert (manifest.counts["kept"], manifest.facts["edited"], manifest.facts["rejected_by_reviewers"]) == (15, 1, 1)
    changed = left[second["id"]]
    assert changed["correct_answer"] == "Something Else"
    assert changed["option_countries"][changed["options"].index("Something Else")] == second["country"]
    assert changed["notes"] == ["edited by kofi"]
    moved = {"options", "option_countries", "solved_by"}
    assert {name: left[third["id"]][name] for name in set(third) - moved} == {
        name: third[name] for name in set(third) - moved
    }
    rejected = pq.read_table(tmp_path / "out" / "rejected.parquet").to_pylist()
    (row,) = [row for row in rejected if row["id"] == first["id"]]
    assert row["reasons"] == ["rejected by ama: unclear", "rejected by kofi: wrong"]
    assert manifest.counts["in"] == manifest.counts["kept"] + sum(manifest.drops.values())
    positions = Counter(item.answer for item in read_questions(tmp_path / "out" / "questions.jsonl"))
    assert max(positions.values()) - min(positions.values()) <= 1


def test_contrary_edits_and_unknown_questions_are_refused(benchmark, tmp_path, rows):
    with pytest.raises(UserError, match=r"kofi.jsonl: edits \w+ otherwise than ama does; agree on one"):
        apply(benchmark, tmp_path, edit(rows[0], question="A?"), edit(rows[0], "kofi", question="B?"))
    with pytest.raises(UserError, match="decides about nothing, which is no question of"):
        apply(benchmark, tmp_path / "other", decide("nothing"))
    with pytest.raises(UserError, match="the reviewers leave no question"):
        apply(benchmark, tmp_path / "all", *(decide(row["id"], "reject", reason="x") for row in rows))


def test_the_commands_review_and_apply(benchmark, tmp_path, rows, capsys):
    folder = shutil.copytree(benchmark, tmp_path / "set")
    log = ReviewLog(tmp_path / "set.reviews" / "ama.jsonl", "ama")
    for row in rows[:3]:
        log.add(decide(row["id"], "reject", reason="unclear"))
    ReviewLog(tmp_path / "set.reviews" / "kofi.jsonl", "kofi").add(decide(rows[0]["id"], reviewer="kofi"))
    main(["benchmark", "apply", str(folder), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "ama and kofi: agree on 0 of 1 questions, Cohen's kappa 0.00 [no interval]" in said
    assert "rejected 3: rejected by ama: unclear" in said
    for words, message in (
        (
            ["apply", str(folder), "--out", str(tmp_path / "x"), "--reviews", str(tmp_path)],
            "no file of decisions",
        ),
        (["review", str(folder), "--reviewer", "a/b"], "--reviewer: "),
        (["review", str(tmp_path), "--reviewer", "ama"], "no manifest.json in it"),
    ):
        with pytest.raises(SystemExit) as left:
            main(["benchmark", *words])
        assert left.value.code == 2
        assert message in capsys.readouterr().err


# ---- the page


@pytest.fixture
def page(tmp_path, rows):
    log = ReviewLog(tmp_path / "ama.jsonl", "ama")
    with ReviewServer(rows, log, name="set") as server:
        yield server, log


def request(url, body=None, **headers):
    headers = {"Content-Type": "application/json"} | headers if body is not None else headers
    asked = urllib.request.Request(url, data=body, headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_the_page_is_found_with_the_token_only(page):
    server, _ = page
    assert server.url.startswith("http://127.0.0.1:")
    status, headers, content = request(server.url)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"NONCE" not in content
    assert b"http" not in content.replace(b"utf-8", b"")  # nothing is fetched from elsewhere
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    root = server.url.rsplit("/", 2)[0]
    for path in ("/", "/state", "/wrong-token/", "/wrong-token/state", server.url[len(root) :] + "other"):
        assert request(root + path)[0] == 404, path
    assert request(server.url, Host="evil.example")[0] == 404
    assert request(server.url + "decide", b"{}", Host="evil.example")[0] == 404


def test_a_decision_is_on_the_disk_when_it_is_answered(page, rows):
    server, log = page
    body = json.dumps({"id": rows[0]["id"], "verdict": "reject", "reason": "<b>unclear</b>"}).encode()
    status, _, content = request(server.url + "decide", body)
    assert (status, json.loads(content)) == (200, {"decided": 1, "questions": 16})
    assert read_decisions(log.path)[rows[0]["id"]].reason == "<b>unclear</b>"
    state = json.loads(request(server.url + "state")[2])
    assert len(state["items"]) == 16
    assert state["decisions"][rows[0]["id"]]["verdict"] == "reject"


@pytest.mark.parametrize(
    ("body", "headers", "status", "message"),
    [
        (b"{", {}, 400, "not a decision"),
        (b"[]", {}, 400, "not a decision"),
        (b'{"id": "nobody", "verdict": "accept"}', {}, 400, "no question nobody"),
        (b'{"id": "x", "verdict": "reject"}', {}, 400, "a rejection needs a reason"),
        (b'{"id": "x", "verdict": "accept"}', {"Content-Type": "text/plain"}, 415, "send JSON"),
        (b"x" * 70_000, {}, 413, "too long"),
    ],
)
def test_what_is_no_decision_is_refused_and_not_kept(page, body, headers, status, message):
    server, log = page
    found, _, content = request(server.url + "decide", body, **headers)
    assert (found, json.loads(content)["error"]) == (status, message)
    assert not log.path.exists()


def test_the_command_serves_until_it_is_interrupted_and_says_what_was_decided(benchmark, tmp_path, rows):
    words = ["review", str(benchmark), "--reviewer", "ama", "--reviews", str(tmp_path)]
    command = [sys.executable, "-m", "dateline", "benchmark", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("16 questions, 0 decided; open this address")
        url = process.stdout.readline().strip()
        status, _, _ = request(url + "decide", json.dumps({"id": rows[0]["id"], "verdict": "accept"}).encode())
        assert status == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert out.strip() == f"{tmp_path / 'ama.jsonl'}: accept 1 (1 of 16)"
    assert set(read_decisions(tmp_path / "ama.jsonl")) == {rows[0]["id"]}


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; without one, or without selenium, the test is skipped."""
    webdriver = pytest.importorskip("selenium.webdriver")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield found
    found.quit()


def test_the_keyboard_does_it_all(page, rows, browser):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    server, log = page

    def press(*keys):
        ActionChains(browser).send_keys(*keys).perform()

    def decided(number):
        WebDriverWait(browser, 10).until(lambda _: text("count") == f"{number} of 16 decided")

    def text(name):
        return browser.find_element("id", name).text

    browser.get(server.url)
    decided(0)
    assert text("question") == rows[0]["question"]
    assert browser.find_element("css selector", "li.gold").text.startswith(rows[0]["correct_answer"])
    press("a")
    decided(1)
    assert text("question") == rows[1]["question"]
    press("r")
    press("4")
    decided(2)
    press("r")
    press("two answers are <i>right</i>", Keys.ENTER)
    decided(3)
    press("e")
    ActionChains(browser).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys("Which one?").perform()
    ActionChains(browser).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    decided(4)
    kept = read_decisions(log.path)
    assert [(kept[row["id"]].verdict, kept[row["id"]].reason) for row in rows[:4]] == [
        ("accept", ""),
        ("reject", "answerable without the place"),
        ("reject", "two answers are <i>right</i>"),
        ("edit", ""),
    ]
    assert kept[rows[3]["id"]].question == "Which one?"
    press(Keys.ARROW_LEFT)
    assert text("question") == "Which one?"
    press("u")
    decided(3)
    assert rows[3]["id"] not in read_decisions(log.path)
    browser.refresh()
    decided(3)
    assert text("question") == rows[3]["question"]
    press("r", Keys.ENTER)
    WebDriverWait(browser, 10).until(lambda _: text("error") == "Not kept: a rejection needs a reason")
    problems = [entry for entry in browser.get_log("browser") if "decide" not in entry["message"]]
    assert problems == []  # the refused rejection is logged by the browser itself
