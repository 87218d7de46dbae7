"""Discord, Slack, ntfy, a generic webhook and a mail server on this machine, as strict as the real ones, and as moody.

A server takes a message, or refuses it, as the real one does. `moods` says what the next requests meet instead: a mood
is used up by one request. What was taken is in `taken`, whatever became of the answer.
"""

from __future__ import annotations

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Optional
from urllib.parse import parse_qs, urlsplit

HOOK = "/api/webhooks/1180000000000000001/discord-secret-token"
SLACK, TOPIC, GENERIC = "/services/T0/B0/slack-secret", "/topic-secret", "/hooks/generic-secret"
PARTS = (("title", 256), ("description", 4096))


class Taken(NamedTuple):
    """A request that had its effect."""

    path: str
    method: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


class Channels(ThreadingHTTPServer):
    """All that is spoken to by HTTP."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.moods: list[str] = []
        self.taken: list[Taken] = []
        self.asked = 0
        self.messages: dict[str, Any] = {}  # of Discord: id -> what it shows now
        self.once: dict[str, Any] = {}  # of the generic webhook: idempotency key -> body
        self.let_go = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def close(self) -> None:
        self.let_go.set()
        self.shutdown()
        self.server_close()

    def alerts(self) -> list[str]:
        """The alert ids that Discord shows, in the order in which the messages came."""
        return [shown["embeds"][0]["footer"]["text"].partition(" ")[2] for shown in self.messages.values()]


class Exchange(BaseHTTPRequestHandler):
    """One request."""

    server: Channels
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def say(self, status: int, body: Any = None, headers: Optional[dict[str, str]] = None) -> None:
        raw = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), "Connection": "close", **(headers or {})}.items():
            if status != 204 or name != "Content-Length":
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)
        self.close_connection = True

    def do_POST(self) -> None:
        self._take()

    def do_PATCH(self) -> None:
        self._take()

    def _take(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        address = urlsplit(self.path)
        self.server.asked += 1
        mood = self.server.moods.pop(0) if self.server.moods else ""
        if mood == "429":
            limited = {"message": "You are being rate limited.", "retry_after": 7200.25, "global": False}
            return self.say(429, limited)
        if mood in ("401", "403", "404", "410", "500", "503"):
            return self.say(int(mood), {"message": f"no, {mood}", "code": 0})
        if mood == "stall":  # it is not taken, and nobody hears of it
            self.server.let_go.wait(20)
        if mood in ("refuse", "stall"):  # hangs up before a word
            self.close_connection = True
            return None
        query = parse_qs(address.query)
        request = Taken(address.path, self.command, query, dict(self.headers.items()), raw)
        if mood == "hang":  # it is taken, and nobody hears of it
            self._done(request)
            self.server.let_go.wait(20)
            self.close_connection = True
            return None
        if mood == "cut":
            self._done(request)
            self.close_connection = True
            return None
        return self.say(*self._done(request))

    def _done(self, request: Taken) -> tuple[Any, ...]:
        """Take it, or refuse it; what is answered."""
        if request.path.startswith(HOOK):
            return self._discord(request)
        others = {SLACK: self._slack, TOPIC: self._ntfy, GENERIC: self._webhook}
        if request.path in others:
            return others[request.path](request)
        return 404, {"message": "Unknown Webhook", "code": 10015}

    def _slack(self, request: Taken) -> tuple[Any, ...]:
        body = json.loads(request.body)
        if not isinstance(body.get("text"), str):
            return 400, "no_text"
        self.server.taken.append(request._replace(body=body))
        return 200, "ok"

    def _ntfy(self, request: Taken) -> tuple[Any, ...]:
        if len(request.body) > 4096:
            return 413, {"code": 41301, "http": 413, "error": "attachment too large"}
        self.server.taken.append(request._replace(body=request.body.decode()))
        return 200, {"id": f"n{len(self.server.taken)}", "event": "message"}

    def _webhook(self, request: Taken) -> tuple[Any, ...]:
        key = request.headers["Idempotency-Key"]
        if key not in self.server.once:
            self.server.once[key] = json.loads(request.body)
            self.server.taken.append(request._replace(body=json.loads(request.body)))
        return 200, {"ok": True}

    def _discord(self, request: Taken) -> tuple[Any, ...]:
        said = json.loads(request.body)
        fault = fault_of(said)
        if fault:
            return 400, {"code": 50035, "message": fault}
        known = request.path[len(HOOK) :].partition("/messages/")[2]
        if request.method == "PATCH" and known not in self.server.messages:
            return 404, {"message": "Unknown Message", "code": 10008}
        number = known or str(1180000000000001000 + len(self.server.messages))
        self.server.messages[number] = said
        self.server.taken.append(request._replace(body=said))
        if request.method == "POST" and request.query.get("wait") != ["true"]:
            return (204,)
        return 200, {"id": number, "channel_id": "1"}


def fault_of(said: dict[str, Any]) -> str:
    """What Discord refuses a message for; "" for none."""
    embeds = said.get("embeds", [])
    if not embeds and not said.get("content"):
        return "Cannot send an empty message"
    if said.get("allowed_mentions") != {"parse": []}:
        return "the fake wants that nobody is rung"
    total = 0
    for embed in embeds:
        fields = embed.get("fields", [])
        texts = [(embed.get(part, ""), most) for part, most in PARTS] + [(embed["footer"]["text"], 2048)]
        texts += [text for each in fields for text in ((each["name"], 256), (each["value"], 1024))]
        total += sum(map(size, (text for text, _ in texts)))
        if any(size(text) > most for text, most in texts) or len(fields) > 25:
            return "Invalid Form Body"
        if any(not each["name"] or not each["value"] for each in fields):
            return "This field is required"
    too_much = len(embeds) > 10 or total > 6000 or len(said.get("content") or "") > 2000
    return "Embed size exceeds maximum size of 6000" if too_much else ""


def size(text: str) -> int:
    """In UTF-16 units, the stricter way to count."""
    return len(text.encode("utf-16-le")) // 2


class MailServer(socketserver.ThreadingTCPServer):
    """As much of SMTP as a client without TLS needs.

    What they get instead of 250: `moods` the next mails ("cut": taken, and not a word of it), `answers` the next
    recipients.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.mails: list[str] = []
        self.moods: list[str] = []
        self.answers: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Conversation(socketserver.StreamRequestHandler):
    """One client."""

    server: MailServer

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        self.say("220 fake")
        for raw in iter(self.rfile.readline, b""):
            word = raw.decode().split(None, 1)[0].upper()
            if word == "DATA":
                self.say("354 go on")
                lines = iter(lambda: self.rfile.readline().decode().rstrip("\r\n"), ".")
                text = "\n".join(lines)
                mood = self.server.moods.pop(0) if self.server.moods else ""
                if mood and mood != "cut":
                    self.say(mood)
                    continue
                self.server.mails.append(text)
                if mood == "cut":
                    return
                self.say("250 taken")
            elif word == "RCPT" and self.server.answers:
                self.say(self.server.answers.pop(0))
            elif word == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")
