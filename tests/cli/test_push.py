"""A model's card, and what of a model reaches the hub: a small server of this machine plays the hub."""

import base64
import json
import os
import re
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
import yaml

TOKEN = "hf_secretsecretsecret"
UPLOADED = {
    "chat_template.jinja", "config.json", "dateline.json", "generation_config.json", "model.safetensors",
    "tokenizer.json", "tokenizer_config.json", "README.md",
}  # fmt: skip


class Hub(ThreadingHTTPServer):
    """The few calls of the hub that an upload makes; remembers what it was sent."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.files, self.created, self.tokens, self.private, self.refuses = {}, [], set(), False, False
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, content, status=200):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_GET(self):
        self.answer({"id": "me/tiny", "private": self.server.private})

    def do_POST(self):
        hub, body = self.server, self.body()
        hub.tokens.add(self.headers["Authorization"])
        if hub.refuses:
            self.answer({"error": f"no right to write, {self.headers['Authorization']}"}, 403)
        elif self.path == "/api/repos/create":
            hub.created.append(json.loads(body))
            hub.private = hub.private or hub.created[-1].get("visibility") == "private"
            self.answer({"url": f"{hub.url}/me/tiny"})
        elif self.path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            modes = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files]
            self.answer({"files": modes})
        else:
            assert self.path == "/api/models/me/tiny/commit/main"
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    hub.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self.answer({"commitUrl": f"{hub.url}/me/tiny/commit/1", "commitOid": "1"})


@pytest.fixture
def hub(monkeypatch):
    server = Hub()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.url)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def run(finished, tmp_path_factory):
    """A run whose model folder holds what must stay here, too."""
    run = shutil.copytree(finished / "runs" / "conditioned", tmp_path_factory.mktemp("push") / "conditioned")
    for name in ("run.json", "metrics.jsonl", "train.parquet", "article.txt", "tokens.npy", ".env", "model.py"):
        (run / "model" / name).write_text("a secret of this machine")
    return run


def section(card, title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", card, re.DOTALL | re.MULTILINE).group(1)


@pytest.fixture(scope="module")
def card(finished, run):
    from dateline.report.model_card import describe_model, model_card, scores_of, training_corpus

    model = describe_model(run)
    return model_card(model, corpus=training_corpus(model), scores=scores_of(model, finished))


def test_the_card_counts_the_training_documents_by_country(card, finished):
    data = section(card, "Training data")
    audit = json.loads((finished / "corpus" / "audit.json").read_text())
    wanted = {code: found["train"]["documents"] for code, found in audit["countries"].items()}
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in data.splitlines() if "|" in line][2:]
    assert {row[2]: int(row[3]) for row in rows} == {code: number for code, number in wanted.items() if number}
    assert f"{sum(wanted.values())} synthetic news articles" in data
    assert "| Africa | Nigeria | ng |" in data


def test_the_card_has_the_perplexities_of_this_model_with_intervals(card, finished):
    from dateline.scores import read_scores

    results = section(card, "Results")
    scores = [s for s in read_scores(finished) if s.metric == "ppl" and s.slice_by in ("all", "continent")]
    for score in scores:
        text = f"{score.value:,.2f} [{score.ci_low:,.2f} to {score.ci_high:,.2f}]"
        assert (text in results) == (score.run == "conditioned")
    assert "| conditioned, gold metadata | plain, no metadata | Africa | " in results
    assert "It is undertrained" in section(card, "Limits")
    assert "it knows nothing of the world" in section(card, "Limits")
    assert "50.0% of the training documents had no prefix" in card


def test_the_code_in_the_card_prompts_the_model_as_it_was_trained(card, run, capsys):
    first, second = re.findall(r"```python\n(.*?)```", section(card, "How to prompt it"), re.DOTALL)
    names = {}
    exec(first.replace("OWNER/NAME", str(run / "model")), names)
    by_hand = names["ids"][0].tolist()
    exec(second, names)
    assert names["ids"][0].tolist() == by_hand
    text = names["tokenizer"].decode(by_hand)
    assert text == (
        "<bos>URL: punchng.com\nCOUNTRY: ng\nCONTINENT: Africa\nTITLE: Parliament passes the budget\n\nCONTENT:"
    )
    assert capsys.readouterr().out


def test_the_card_is_the_same_each_time_and_names_no_path(dateline, card, finished, run, tmp_path):
    out = tmp_path / "README.md"
    first = dateline("card", run, "--scores", finished, "--out", out)
    assert (first.code, first.err) == (0, "")
    assert out.read_text() == card
    assert yaml.safe_load(card.split("---")[1])["language"] == ["en"]
    for place in (str(finished), str(run), str(tmp_path), os.sep + "tmp", str(Path.cwd())):
        assert place not in card
    again = dateline("card", run, "--out", out)
    assert (again.code, again.err) == (
        2,
        f"dateline: {out}: is there already; choose another --out or pass --overwrite\n",
    )


def test_a_card_without_corpus_and_scores_says_so(dateline, run, tmp_path):
    alone = shutil.copytree(run / "model", tmp_path / "alone")
    said = dateline("card", alone)
    assert said.code == 0
    assert section(said.out, "Training data").strip().startswith("Not known")
    assert section(said.out, "Results").strip() == "None were given when this card was written."
    assert "--corpus" in said.err
    assert "--scores" in said.err


def test_what_is_not_known_of_another_corpus_or_run_is_not_said(finished, run, tmp_path):
    from dateline.report.model_card import describe_model, model_card, training_corpus

    moved = shutil.copytree(finished / "encoded", tmp_path / "encoded")  # without the corpus beside it
    model = describe_model(run)
    card = model_card(model, corpus=training_corpus(model, moved))
    assert re.search(r"^\d+ news articles with", section(card, "Training data"), re.MULTILINE)
    assert "synthetic" not in card
    assert "language:" not in card
    other = shutil.copytree(finished / "runs" / "plain", tmp_path / "other")
    shutil.rmtree(other / "model")
    shutil.copytree(run / "model", other / "model")
    assert describe_model(other).manifest is None


def test_a_plain_model_is_prompted_without_a_prefix(finished):
    from dateline.report.model_card import describe_model, model_card

    prompting = section(model_card(describe_model(finished / "runs" / "plain")), "How to prompt it")
    assert "prefix" not in prompting
    assert "```text\nTITLE: {title}\n\nCONTENT: {text}\n```" in prompting


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["card", "nowhere"], "nowhere: no such folder"),
        (["push", "nowhere", "--repo", "me/tiny"], "nowhere: no such folder"),
        (["card", "{corpus}"], "{corpus}: no config.json in it"),
        (["push", "{run}", "--repo", "tiny"], "--repo: 'tiny' is no name on the hub; write OWNER/NAME"),
        (["card", "{run}", "--corpus", "{corpus}"], "{corpus}: holds the result of 'corpus', not 'encode'"),
        (["card", "{run}", "--scores", "{plain}"], "no score in it is of this model"),
        (["push", "{run}", "--repo", "me/tiny", "--benchmark", "me/set"], "--benchmark: names what --scores are of"),
    ],
)
def test_bad_input_is_one_line(dateline, finished, run, words, said):
    places = {"run": run, "corpus": finished / "corpus", "plain": finished / "perplexity" / "plain"}
    code, _, err = dateline(*(word.format(**places) for word in words))
    assert code == 2
    assert said.format(**places) in err
    assert err.count("\n") == 1


def test_a_model_of_another_tool_has_no_card(dateline, run, tmp_path):
    foreign = shutil.copytree(run / "model", tmp_path / "foreign")
    (foreign / "dateline.json").unlink()
    code, _, err = dateline("push", foreign, "--repo", "me/tiny", "--dry-run")
    assert (code, "no dateline.json in it" in err) == (2, True)


def test_a_dry_run_lists_files_and_card_and_sends_nothing(dateline, finished, run, hub):
    said = dateline("push", run, "--repo", "me/tiny", "--scores", finished, "--dry-run")
    assert said.code == 0
    listed, left = said.out.split("not uploaded: ")
    sizes = {line.split()[1]: int(line.split()[0].replace(",", "")) for line in listed.splitlines()[:-1]}
    assert sizes.keys() == UPLOADED
    assert sizes["model.safetensors"] == (run / "model" / "model.safetensors").stat().st_size
    assert left.startswith(
        ".env, article.txt, metrics.jsonl, model.py, run.json, tokens.npy, train.parquet\n\n--- README.md ---\n"
    )
    assert 'name = "me/tiny"' in left
    assert not hub.created
    assert not hub.files


def test_a_push_uploads_the_allowed_files_the_card_and_the_results(dateline, finished, run, hub):
    said = dateline("push", run, "--repo", "me/tiny", "--scores", finished, "--benchmark", "me/newswire", "--private")
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith(f"{hub.url}/me/tiny: uploaded\n")
    results = {f".eval_results/ppl-{condition}.yaml" for condition in ("gold", "none", "wrong")}
    assert hub.files.keys() == UPLOADED | results
    for name in UPLOADED - {"README.md"}:
        assert hub.files[name] == (run / "model" / name).read_bytes()
    for name, content in hub.files.items():
        assert b"a secret of this machine" not in content
        assert str(run.parent).encode() not in content, name
        assert str(finished.parent).encode() not in content, name
    [entry] = huggingface_hub.parse_eval_result_entries(yaml.safe_load(hub.files[".eval_results/ppl-gold.yaml"]))
    assert (entry.dataset_id, entry.task_id) == ("me/newswire", "ppl")
    assert f"{entry.value:,.2f} [" in hub.files["README.md"].decode()
    assert "95% interval" in entry.notes
    [created] = hub.created
    assert (created["organization"], created["name"], created["visibility"]) == ("me", "tiny", "private")
    assert hub.tokens == {f"Bearer {TOKEN}"}
    assert TOKEN not in said.out


@pytest.mark.parametrize(("name", "offline"), [("push", None), ("card", "1")])
def test_only_the_upload_may_reach_the_hub(monkeypatch, name, offline):
    from dateline.cli import verb

    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    verb(name)
    assert os.environ.get("HF_HUB_OFFLINE") == offline


def test_an_edited_card_is_uploaded_as_it_is(dateline, run, hub, tmp_path):
    edited = tmp_path / "card.md"
    edited.write_text("---\nlicense: mit\n---\n# Mine\n")
    assert dateline("push", run, "--repo", "me/tiny", "--card", edited).code == 0
    assert hub.files["README.md"] == edited.read_bytes()


def test_a_private_push_to_a_public_repository_is_refused(dateline, run, hub, monkeypatch):
    monkeypatch.setattr(Hub, "private", property(lambda _: False, lambda *_: None), raising=False)
    code, _, err = dateline("push", run, "--repo", "me/tiny", "--private")
    assert code == 2
    assert "is there already and is public" in err
    assert not hub.files


def test_without_a_token_nothing_is_sent(dateline, run, hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(run / "no-token"))
    code, _, err = dateline("push", run, "--repo", "me/tiny")
    assert code == 2
    assert err.endswith("dateline: no token for the hub; set HF_TOKEN, or log in with: hf auth login\n")
    assert not hub.created


def test_a_refusal_of_the_hub_is_one_line_without_the_token(dateline, run, hub):
    hub.refuses = True
    code, out, err = dateline("push", run, "--repo", "me/tiny")
    assert code == 2
    assert "dateline: me/tiny: not uploaded to the hub: " in err.splitlines()[-1]
    assert "no right to write" in err
    assert TOKEN not in out + err


@pytest.mark.parametrize("value", ["/home/someone/models/base", "~/models/base", "C:\\models\\base", "{run}/model"])
def test_settings_with_a_local_path_are_refused(dateline, run, tmp_path, monkeypatch, value):
    model = shutil.copytree(run, tmp_path / "run") / "model"
    monkeypatch.chdir(run.parent)
    value = value.format(run=run.name)
    settings = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps({**settings, "deep": {"name_or_path": value}}))
    code, _, err = dateline("push", tmp_path / "run", "--repo", "me/tiny", "--dry-run")
    assert code == 2
    assert "'deep.name_or_path' holds a path of this machine" in err
