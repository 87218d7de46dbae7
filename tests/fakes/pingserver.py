"""A ping server on this machine, as strict as healthchecks.io is, and as moody as the network in between.

What it does is in its documentation and its own tests: an address is a canonical UUID, or a key and a slug; `rid` is a
canonical UUID or the answer is 400; a body is cut, never refused; an unknown check is 404 (the hosted service says 200
and `OK (not found)`). `moods` says what the next requests meet instead; one request uses up one mood.
"""

from __future__ import annotations

import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Optional
from urllib.parse import parse_qs, urlsplit

CHECK = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
OTHER = "07c2f548-9850-4b27-af5d-6c9dc157ec02"
PROJECT, SLUG = "fqOOd6-F4MMNuCEnzTU01w", "database-backup"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
KEPT_BYTES = 10_000
KINDS = {"": "success", "start": "start", "fail": "fail"}


class Heard(NamedTuple):
    """A ping that was taken."""

    check: str
    kind: str
    rid: str
    body: str
    at: float


class PingServer(ThreadingHTTPServer):
    """`heard`: what was taken, in the order in which it came. `refused`: (status, path) of what was not."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.checks = {CHECK, OTHER, f"{PROJECT}/{SLUG}"}
        self.moods: list[str] = []
        self.heard: list[Heard] = []
        self.refused: list[tuple[int, str]] = []
        self.asked = 0
        self.let_go = threading.Event()
        self.is_offline = False
        self.marker: Optional[Path] = None  # a file that is there from the first ping on that is heard
        self.at_mood: Optional[Path] = None  # one that is there from the first mood on that is used up
        self.hosted = False  # answers 200 where it means 404 or 429
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, check: str = CHECK) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{check}"

    def close(self) -> None:
        self.let_go.set()
        self.shutdown()
        self.server_close()

    def kinds(self, check: str = CHECK) -> list[str]:
        """What was heard of a check, in its order."""
        return [each.kind for each in self.heard if each.check == check]

    def disorder(self) -> list[str]:
        """The runs of which a start was heard after an end."""
        ended: set[str] = set()
        wrong = []
        for each in self.heard:
            if each.kind == "start" and each.rid in ended:
                wrong.append(each.rid)
            elif each.kind != "start":
                ended.add(each.rid)
        return wrong


class Exchange(BaseHTTPRequestHandler):
    """One request."""

    server: PingServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _say(self, status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        if status >= 400:
            self.server.refused.append((status, self.path))
        raw = text.encode()
        self.send_response(status)
        for name, value in (("Content-Type", "text/plain"), ("Content-Length", str(len(raw))), *headers):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)
        self.close_connection = True

    def _ping(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked += 1
        mood = self.server.moods.pop(0) if self.server.moods else ""
        if mood and self.server.at_mood:
            self.server.at_mood.touch()
        if self.server.is_offline or mood == "refuse":  # hangs up before a word
            self.close_connection = True
            return None
        if mood in ("hang", "slow"):  # nothing is heard for long; what is slow is taken in the end
            self.server.let_go.wait(20 if mood == "hang" else 1.5)
        if mood == "hang":
            self.close_connection = True
            return None
        if mood == "429":
            return self._say(200, "OK (rate limited)") if self.server.hosted else self._say(
                429, "rate limit exceeded", (("Retry-After", "60"),)
            )  # fmt: skip
        if mood in ("404", "410", "500", "503"):
            return self._say(int(mood), "no")
        self._take(raw)
        return None

    def _take(self, raw: bytes) -> None:
        address = urlsplit(self.path)
        words = address.path.strip("/").split("/")
        kind = words.pop() if words[-1] in KINDS and len(words) > 1 else ""
        check = "/".join(words)
        query = parse_qs(address.query, keep_blank_values=True)
        if not (UUID.fullmatch(check) or re.fullmatch(r"[\w-]{22}/[a-z0-9_-]+", check)):
            return self._say(404, "not found")
        rids = query.get("rid", [""])
        if len(rids) != 1 or (rids[0] and not UUID.fullmatch(rids[0])):
            return self._say(400, "invalid uuid format")
        if check not in self.server.checks and query.get("create") == ["1"] and "/" in check:
            self.server.checks.add(check)
        elif check not in self.server.checks:
            return self._say(200, "OK (not found)") if self.server.hosted else self._say(404, "not found")
        body = raw[:KEPT_BYTES].decode("utf-8")
        self.server.heard.append(Heard(check, KINDS[kind], rids[0], body, time.monotonic()))
        if self.server.marker:
            self.server.marker.touch()
        return self._say(200, "OK", (("Ping-Body-Limit", str(KEPT_BYTES)),))

    def do_POST(self) -> None:
        self._ping()

    def do_GET(self) -> None:
        self._ping()

    def do_HEAD(self) -> None:
        self._ping()
