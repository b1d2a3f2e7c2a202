"""What the page about serving shows is sent as it is printed, to the address and the model of the test."""

import json
import re
import shlex
from pathlib import Path

from dateline.cli.options import read_arguments
from dateline.cli.serve import Serve, served_name

PAGE = (Path(__file__).parents[2] / "docs" / "guide" / "serve.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
SHELL = "\n".join(re.findall(r"^```bash\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
ADDRESS, NAME = "http://127.0.0.1:8000", '"conditioned'


def test_the_python_of_the_page_runs(server, model, capsys):
    (code,) = PYTHON
    names = {}
    exec(compile(code.replace(ADDRESS, server.url).replace(NAME, '"tiny'), "docs/guide/serve.md", "exec"), names)
    wanted = model.generate("Parliament passes the budget", place="ng", guidance=1.5, n=2, seed=1, max_tokens=40)
    assert [choice.text for choice in names["answer"].choices] == list(wanted.texts)
    assert wanted.texts[0] in capsys.readouterr().out


def test_the_requests_of_the_page_are_answered(server):
    commands = re.findall(r"^curl .*?\}'$", SHELL, re.DOTALL | re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        words = shlex.split(command)
        (url,), body = [word for word in words if word.startswith(ADDRESS)], words[words.index("-d") + 1]
        answer = server.http.post(
            url.replace(ADDRESS, server.url),
            content=body.replace(NAME, '"tiny'),
            headers=dict([words[words.index("-H") + 1].split(": ")]),
        )
        assert answer.status_code == 200, answer.text
        assert json.loads(body)["model"] == "conditioned"


def test_the_commands_of_the_page_are_commands():
    lines = re.findall(r"^dateline serve (.*)$", SHELL, re.MULTILINE)
    found = [read_arguments("dateline serve", Serve, shlex.split(line)) for line in lines]
    assert [served_name(one.model) for one in found] == ["conditioned", "conditioned"]
    assert found[1].token_file == Path("token.txt")


def test_the_paths_of_the_page_are_those_of_the_server(server):
    paths = set(server.http.get("/openapi.json").json()["paths"]) - {"/v1/models/{name}"}
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    shown = {path for row in rows for path in re.findall(r"`(?:GET |POST )?(/[^`]*)`", row)}
    assert shown == paths | {"/openapi.json"}
