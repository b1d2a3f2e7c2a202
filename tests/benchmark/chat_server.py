"""A stand-in for an OpenAI-compatible server: it speaks the protocol, misbehaves as it is told, and counts requests."""

import json
import re
import threading
import time
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ChatServer:
    """Answers on a port of the loopback.

    `plan` holds what happens to the next requests, first come first served: a fault as `answer` knows it, or an empty
    string; without a plan every request gets a good answer. `faults` maps the name of a form (`Written`,
    `FromEvidence`, ...) to what happens to all requests for it.
    """

    def __init__(self):
        self.plan = deque()
        self.faults = {}
        self.asked = []
        self.forms = Counter()
        self.keys = set()
        self.times = []
        self.say = {}
        """Form -> function that takes the request and returns the reply as plain data, in place of the good one."""
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                outer.answer(self)

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler):
        request = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        form = request["response_format"]["json_schema"]["name"]
        with self._lock:
            self.asked.append(request)
            self.forms[form] += 1
            self.keys.add(handler.headers["authorization"])
            self.times.append(time.monotonic())
            fault = self.plan.popleft() if self.plan else self.faults.get(form, "")
        headers, status, finish, refusal = {}, 200, "stop", None
        text = json.dumps(self.say.get(form, good)(request))
        if fault in ("429", "429-long"):
            status, headers = 429, {"retry-after": "0.05" if fault == "429" else "60"}
        elif fault in ("500", "401"):
            status = int(fault)
        elif fault == "broken":
            text = text[: len(text) // 2]
        elif fault == "truncated":
            text, finish = text[:5], "length"
        elif fault == "refusal":
            text, refusal = None, "I cannot help with that."
        elif fault == "schema":
            text = '{"something": "else"}'
        elif fault == "empty":
            text = ""
        elif fault == "fenced":
            text = f"```json\n{text}\n```"
        elif fault == "slow":
            time.sleep(0.6)
        message = {"role": "assistant", "content": text, "refusal": refusal}
        body = {
            "id": "x", "object": "chat.completion", "created": 0, "model": request["model"],
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }  # fmt: skip
        if status != 200:
            key = handler.headers["authorization"]
            body = {"error": {"message": f"wrong key {key}: fault {status}", "type": "x", "code": None, "param": None}}
        content = b"<html>down</html>" if fault == "no-json" else json.dumps(body).encode()
        try:
            handler.send_response(status)
            for name, value in {"content-type": "application/json", "content-length": len(content), **headers}.items():
                handler.send_header(name, str(value))
            handler.end_headers()
            handler.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client did not wait


def good(request):
    """A sound reply, made from what the request shows."""
    form, told = request["response_format"]["json_schema"]["name"], request["messages"][1]["content"]
    if form == "Written":
        text = told.partition("Article:\n")[2]
        sentences = re.findall(r"The (\w+) (\w+) opened today\.", text)
        return {
            "questions": [
                {
                    "question": f"Which {asked} place is it here?",
                    "answer": name,
                    "wrong_options": [
                        {"option": name[at:] + name[:at], "right_in": code}
                        for at, code in ((2, "fr"), (4, "nz"), (6, ""))
                    ],
                    "evidence": f"The {name} {asked} opened today.",
                    "kind": "place",
                }
                for name, asked in sentences
            ]
        }
    if form == "FromEvidence":
        passage = told.partition("\n\nQuestion")[0]
        return {"answer": next((letter for letter, option in lettered(told) if option in passage), "none")}
    if form == "Guessed":
        return {"answer": "A"}
    wrong = told.partition("Wrong options:\n")[2].splitlines()
    return {"options": [{"option": line[2:], "defensible": False, "why": ""} for line in wrong]}


def lettered(told):
    return re.findall(r"^([A-D])\. (.*)$", told, re.MULTILINE)
