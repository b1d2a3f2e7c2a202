"""Questions by a language model, against a stand-in server that misbehaves and counts requests."""

import json
import sys
import time
from collections import Counter

import pyarrow.parquet as pq
import pytest

from dateline.benchmark.build import benchmark_stage, held_out_articles
from dateline.benchmark.endpoint import Chat, Ledger, RateLimit, Reply
from dateline.benchmark.llm import LETTERS, LlmGenerator, named_models
from dateline.benchmark.recipe import BuildOptions, LlmOptions
from dateline.cli import main
from dateline.errors import UserError
from dateline.records import Article, stable_hash
from dateline.testing import write_corpus

from .chat_server import ChatServer, lettered

KEY = "sk-very-secret-key-1234"
COUNTRIES = ("gh", "in", "ie", "ca")
LETTERS_ONLY = str.maketrans("0123456789", "ghijklmnop")
FAST = {"pause": 0.01, "timeout": 5.0}


def word(*parts):
    return f"{stable_hash('made', *map(str, parts)):016x}"[:10].translate(LETTERS_ONLY)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Six held-out articles for each of four countries, which say two things each."""
    articles = []
    for code in COUNTRIES:
        for number in range(6):
            said = [f"The {word(code, number, at)} {word('asked', code, number, at)} opened today." for at in range(2)]
            text = " ".join([*said, "More will follow."])
            name = word("id", code, number)
            articles.append(
                Article(name, "", "", code, "", "2021-01-01", f"Title {number}", text, "test", split="test")
            )
    return write_corpus(tmp_path_factory.mktemp("llm") / "corpus", articles)


@pytest.fixture
def chat(monkeypatch):
    server = ChatServer()
    for name in ("WRITER", "JUDGE"):
        monkeypatch.setenv(f"DATELINE_{name}_URL", server.url)
        monkeypatch.setenv(f"DATELINE_{name}_MODEL", f"model-{name.lower()}")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    yield server
    server.close()


def generator(corpus, tmp_path, **options):
    articles = held_out_articles(corpus)
    return LlmGenerator(
        articles, LlmOptions(**(FAST | options)), seed=0, max_length_ratio=4.0, cache=tmp_path / "cache"
    )


def drafts_of(made, wanted):
    """All drafts until nothing is wanted any more."""
    left, found = dict(wanted), []
    for (draft,) in made.drafts(left):
        found.append(draft)
        if not draft.rejected:
            left[draft.country] -= 1
    return found


def form_of(request):
    return request["response_format"]["json_schema"]["name"]


class Word(Reply):
    word: str


def ask(chat, tmp_path, **options):
    """One request to the writer: what came of it, and what it cost."""
    chat.say["Word"] = lambda request: {"word": "yes"}
    settings = LlmOptions(**(FAST | options))
    ledger = Ledger()
    made = Chat(settings.writer, "writer", settings, tmp_path / "cache", ledger, RateLimit(None))
    return made.ask("system", "user", Word, seed=3), ledger


# ---- one request


def test_a_request_asks_for_the_form_and_is_paid_once(chat, tmp_path):
    prices = {"input_price": 2.0, "output_price": 30.0}
    answered, ledger = ask(chat, tmp_path, writer=prices)
    assert (answered.reply, answered.failure) == (Word(word="yes"), "")
    assert ledger.as_plain() == {
        "requests": 1, "retries": 0, "from_cache": 0, "tokens_read": 100, "tokens_written": 10, "cost": 0.0005,
    }  # fmt: skip
    (request,) = chat.asked
    assert request["model"] == "model-writer"
    assert request["response_format"]["type"] == "json_schema"
    assert request["response_format"]["json_schema"]["schema"]["additionalProperties"] is False
    assert chat.keys == {f"Bearer {KEY}"}
    again, ledger = ask(chat, tmp_path, writer=prices)
    assert again == answered
    assert (ledger.requests, ledger.from_cache, ledger.cost) == (0, 1, 0.0)
    assert len(chat.asked) == 1


@pytest.mark.parametrize("fault", ["429", "500", "broken", "truncated", "refusal", "schema", "no-json", "empty"])
def test_a_fault_that_passes_is_asked_again(chat, tmp_path, fault):
    chat.plan.extend([fault, fault])
    answered, ledger = ask(chat, tmp_path)
    assert answered.reply == Word(word="yes")
    assert (ledger.requests, ledger.retries) == (3, 2)
    assert [request["seed"] for request in chat.asked] == [3, 4, 5]


def test_json_in_a_fence_is_read(chat, tmp_path):
    chat.plan.append("fenced")
    answered, ledger = ask(chat, tmp_path)
    assert (answered.reply, ledger.requests) == (Word(word="yes"), 1)


def test_a_slow_answer_is_asked_for_again(chat, tmp_path):
    chat.plan.append("slow")
    answered, ledger = ask(chat, tmp_path, timeout=0.3)
    assert (answered.reply, ledger.requests) == (Word(word="yes"), 2)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("broken", "broken JSON"),
        ("no-json", "broken JSON"),
        ("truncated", "cut off at max_tokens"),
        ("refusal", "refused"),
        ("schema", "another form than was asked for"),
    ],
)
def test_a_fault_of_the_model_that_stays_is_a_failure_and_is_kept(chat, tmp_path, fault, reason):
    chat.faults["Word"] = fault
    answered, ledger = ask(chat, tmp_path, attempts=3)
    assert (answered.reply, answered.failure) == (None, f"no usable answer of the writer: {reason}")
    assert ledger.requests == 3
    again, ledger = ask(chat, tmp_path, attempts=3)
    assert again == answered
    assert ledger.requests == 0


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("429", "the writer (model-writer) answers 429, 2 times in a row; answers so far are kept in"),
        ("500", "the writer (model-writer) answers 500, 2 times in a row; answers so far are kept in"),
        ("slow", "the writer (model-writer) does not answer within 0.3 s, 2 times in a row"),
        ("401", "the writer (model-writer) refuses the request with 401: "),
    ],
)
def test_a_server_that_is_down_stops_the_build_in_one_line_without_the_key(chat, tmp_path, fault, message):
    chat.faults["Word"] = fault
    with pytest.raises(UserError) as found:
        ask(chat, tmp_path, attempts=2, timeout=0.3 if fault == "slow" else 5.0)
    assert str(found.value).startswith(message)
    assert KEY not in str(found.value)
    assert "\n" not in str(found.value)
    assert chat.forms["Word"] == (1 if fault == "401" else 2)


def test_a_server_that_is_not_there_is_named_by_its_role(chat, tmp_path, monkeypatch):
    monkeypatch.setenv("DATELINE_WRITER_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(UserError, match=r"the writer \(model-writer\) cannot be reached .*, 2 times in a row"):
        ask(chat, tmp_path, attempts=2)


def test_the_server_says_how_long_to_wait(chat, tmp_path):
    chat.plan.append("429")
    ask(chat, tmp_path, pause=30.0)
    assert 0.04 < chat.times[1] - chat.times[0] < 5


def test_a_spent_budget_stops_the_build(chat, tmp_path):
    chat.faults["Word"] = "broken"
    with pytest.raises(UserError, match=r"--llm.budget: 2.00 of 1.50 are spent; answers so far are kept"):
        ask(chat, tmp_path, writer={"output_price": 100_000}, budget=1.5)
    assert len(chat.asked) == 2


def test_requests_keep_their_distance(chat, tmp_path, corpus):
    made = generator(corpus, tmp_path, requests_per_minute=1_200, parallel=4)
    drafts_of(made, {"gh": 2})
    assert len(chat.times) >= 4
    assert chat.times[-1] - chat.times[0] >= 0.9 * 0.05 * (len(chat.times) - 1)


def test_a_damaged_answer_in_the_cache_is_asked_for_again(chat, tmp_path):
    ask(chat, tmp_path)
    (kept,) = (tmp_path / "cache").rglob("*.json")
    kept.write_text("{")
    answered, ledger = ask(chat, tmp_path)
    assert (answered.reply, ledger.requests) == (Word(word="yes"), 1)


# ---- who is asked


def test_writer_and_judge_must_be_two(chat, monkeypatch, capsys):
    assert named_models(LlmOptions())["judge_model"] == "model-judge"
    monkeypatch.setenv("DATELINE_JUDGE_MODEL", "model-writer")
    with pytest.raises(UserError, match=r"writer and judge are one model \(model-writer\).*DATELINE_JUDGE_MODEL"):
        named_models(LlmOptions())
    named_models(LlmOptions(same_model="warn"))
    assert capsys.readouterr().err.startswith("dateline: warning: writer and judge are one model")
    monkeypatch.setenv("DATELINE_JUDGE_URL", "http://127.0.0.1:9/v1")
    named_models(LlmOptions())


@pytest.mark.parametrize("name", ["DATELINE_WRITER_URL", "DATELINE_JUDGE_MODEL"])
def test_an_endpoint_without_a_name_is_refused(chat, monkeypatch, name):
    monkeypatch.delenv(name)
    with pytest.raises(UserError, match=f"the environment variable {name} is not set; the (writer|judge) needs the"):
        named_models(LlmOptions())


def test_without_the_package_the_extra_is_named(chat, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(UserError, match=r"needs the package openai: pip install 'dateline\[benchmark\]'"):
        ask(chat, tmp_path)


# ---- the passes


def test_a_draft_is_written_answered_guessed_and_defended(chat, tmp_path, corpus):
    chat.say["Guessed"] = wrong_letter
    found = drafts_of(generator(corpus, tmp_path), {"gh": 2})
    assert [draft.rejected for draft in found] == ["", ""]
    assert chat.forms == {"Written": 1, "FromEvidence": 2, "Guessed": 2, "Defended": 2}
    by_model = Counter(request["model"] for request in chat.asked)
    assert by_model == {"model-writer": 1, "model-judge": 6}
    draft = found[0]
    assert draft.article.text[draft.start :].startswith(draft.evidence)
    assert draft.homes == ("fr", "nz", "")
    told = {form_of(request): request["messages"][1]["content"] for request in chat.asked}
    assert "More will follow." not in told["FromEvidence"]  # the evidence alone
    assert "Passage" not in told["Guessed"]
    assert "Ghana" not in told["Guessed"]
    assert "Place: Ghana" in told["Defended"]


def right_letter(request):
    """The answer of a judge who knows: of the options the word that is no rotation of another one's reverse."""
    told = request["messages"][1]["content"]
    return {"answer": next(letter for letter, option in lettered(told) if option in RIGHT)}


def wrong_letter(request):
    told = request["messages"][1]["content"]
    return {"answer": next(letter for letter, option in lettered(told) if option not in RIGHT)}


RIGHT = {word(code, number, at) for code in COUNTRIES for number in range(6) for at in range(2)}


def test_what_a_judge_solves_with_closed_book_is_dropped_or_marked(chat, tmp_path, corpus):
    chat.say["Guessed"] = right_letter
    found = drafts_of(generator(corpus, tmp_path, closed_book_asks=3), {"gh": 12})
    assert {draft.rejected for draft in found} == {"solved with closed book by the judge"}
    assert chat.forms["Guessed"] == 3 * len(found)
    assert chat.forms["Defended"] == 0
    (marked, *_) = drafts_of(generator(corpus, tmp_path, closed_book_asks=3, solved="mark"), {"gh": 1})
    assert (marked.rejected, marked.notes) == ("", ("closed book",))


def test_the_options_stand_in_another_order_each_time(chat, tmp_path, corpus):
    chat.say["Guessed"] = right_letter
    drafts_of(generator(corpus, tmp_path, closed_book_asks=4), {"gh": 12})
    orders = Counter()
    for request in chat.asked:
        if form_of(request) == "Guessed":
            orders[right_letter(request)["answer"]] += 1
    assert set(orders) == set(LETTERS)


@pytest.mark.parametrize(
    ("form", "says", "reason"),
    [
        ("FromEvidence", lambda request: {"answer": "none"}, "the answer does not follow from the evidence"),
        ("Defended", lambda request: {"options": []}, "the judge did not look at each wrong option"),
    ],
)
def test_a_pass_that_fails_rejects_the_draft(chat, tmp_path, corpus, form, says, reason):
    chat.say |= {"Guessed": wrong_letter, form: says}
    found = drafts_of(generator(corpus, tmp_path), {"gh": 1})
    assert {draft.rejected for draft in found} == {reason}


def test_a_defensible_option_rejects_the_draft(chat, tmp_path, corpus):
    def defends(request):
        wrong = request["messages"][1]["content"].partition("Wrong options:\n")[2].splitlines()
        return {"options": [{"option": line[2:], "defensible": at == 1, "why": "x"} for at, line in enumerate(wrong)]}

    chat.say |= {"Guessed": wrong_letter, "Defended": defends}
    found = drafts_of(generator(corpus, tmp_path), {"gh": 1})
    assert {draft.rejected for draft in found} == {"another option can be defended"}


def test_what_breaks_a_rule_without_a_model_is_not_judged(chat, tmp_path, corpus):
    def writes(request):
        return {
            "questions": [
                {"question": "What?", "answer": "x", "wrong_options": [], "evidence": "made up", "kind": "thing"}
            ]
        }

    chat.say["Written"] = writes
    found = drafts_of(generator(corpus, tmp_path), {"gh": 12})
    assert len(found) == 6
    assert {draft.start for draft in found} == {-1}
    assert set(chat.forms) == {"Written"}


def test_a_writer_without_an_answer_leaves_a_rejected_draft_for_each_article(chat, tmp_path, corpus):
    chat.faults["Written"] = "refusal"
    found = drafts_of(generator(corpus, tmp_path, attempts=2), {"gh": 3})
    assert [draft.rejected for draft in found] == ["no usable answer of the writer: refused"] * 6
    chat.faults.clear()
    chat.say["Written"] = lambda request: {"questions": []}
    found = drafts_of(generator(corpus, tmp_path / "other"), {"gh": 3})
    assert {draft.rejected for draft in found} == {"the writer found no question"}


# ---- the build


def options(tmp_path, **more):
    return BuildOptions(generator="llm", quota=6, llm=LlmOptions(**(FAST | {"cache": tmp_path / "cache"} | more)))


def test_a_set_is_built_and_a_second_build_pays_nothing(chat, tmp_path, corpus):
    chat.say["Guessed"] = wrong_letter
    manifest = benchmark_stage(corpus, options(tmp_path), tmp_path / "set").make(tmp_path / "set")
    assert manifest.facts["fit"], manifest.facts["sentence"]
    assert manifest.facts["countries"] == dict.fromkeys(sorted(COUNTRIES), 6)
    assert manifest.recipe["writer_model"] == "model-writer"
    assert manifest.facts["generator"]["requests"] == len(chat.asked)
    rows = pq.read_table(tmp_path / "set" / "questions.parquet").to_pylist()
    assert {row["generated_by"] for row in rows} == {"llm"}
    paid = len(chat.asked)
    again = benchmark_stage(corpus, options(tmp_path), tmp_path / "again").make(tmp_path / "again")
    assert len(chat.asked) == paid
    assert again.facts["generator"]["from_cache"] == paid
    same = [(tmp_path / folder / "questions.jsonl").read_bytes() for folder in ("set", "again")]
    assert same[0] == same[1]


def test_a_build_that_was_stopped_goes_on_where_it_was(chat, tmp_path, corpus):
    chat.say["Guessed"] = wrong_letter
    chat.plan.extend([""] * 20 + ["500"] * 400)
    stage = benchmark_stage(corpus, options(tmp_path, attempts=1, parallel=2), tmp_path / "set")
    with pytest.raises(UserError, match="answers 500, 1 times in a row; answers so far are kept"):
        stage.make(tmp_path / "set")
    assert not (tmp_path / "set").exists()
    kept = len(list((tmp_path / "cache").rglob("*.json")))
    assert kept >= 20
    chat.plan.clear()
    chat.asked.clear()
    manifest = stage.make(tmp_path / "set")
    assert manifest.facts["generator"]["from_cache"] == kept
    assert manifest.facts["generator"]["requests"] == len(chat.asked)


def test_a_build_that_fails_waits_for_no_other_attempt(chat, tmp_path, corpus):
    chat.plan.extend(["429-long", "429-long", "401", *["429-long"] * 50])
    stage = benchmark_stage(corpus, options(tmp_path, parallel=4), tmp_path / "set")
    started = time.monotonic()
    with pytest.raises(UserError, match="refuses the request with 401"):
        stage.make(tmp_path / "set")
    assert time.monotonic() - started < 20


def test_the_key_is_in_no_file(chat, tmp_path, corpus):
    chat.say["Guessed"] = wrong_letter
    benchmark_stage(corpus, options(tmp_path), tmp_path / "set").make(tmp_path / "set")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path for path in files if KEY.encode() in path.read_bytes() or b"127.0.0.1" in path.read_bytes()] == []


def test_the_command_prints_what_was_paid(chat, tmp_path, corpus, capsys):
    chat.say["Guessed"] = wrong_letter
    words = ["benchmark", "build", str(corpus), "--out", str(tmp_path / "set"), "--generator", "llm", "--quota", "gh=2"]
    words += ["--llm.judge.input-price", "1", "--llm.pause", "0.01"]
    main(words)
    said = capsys.readouterr().out
    assert f"  {len(chat.asked)} requests, 0 answers from the cache, {100 * len(chat.asked):,} tokens read" in said
    assert (tmp_path / "set.cache").is_dir()
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    assert manifest["recipe"]["judge_model"] == "model-judge"
