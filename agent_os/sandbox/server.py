"""The sandbox's sockets: one loopback server a provider, and a journal of what was asked.

It knows of no report and no money: a request becomes a value, and the reply it becomes is sent as it is, or badly.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
from base64 import b64encode
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import parse_qsl, urlsplit

from ..core.clock import Clock, iso
from . import anthropic, cursor, github, openai, openrouter
from .exchange import Knobs, Pairs, Reply, Request
from .faults import Script
from .ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Mapping

_ANSWER = {
    "openai": openai.answer,
    "anthropic": anthropic.answer,
    "openrouter": openrouter.answer,
    "cursor": cursor.answer,
    "github": github.answer,
}
_KEY_HEADERS = ("authorization", "x-api-key", "proxy-authorization")
_DRIP_SECONDS = 0.02
_IDLE_SECONDS = 60


@dataclass(frozen=True)
class Entry:
    """One request in the journal. `concurrent`: how many its provider was working on just then, itself included."""

    provider: str
    method: str
    path: str
    query: Pairs
    headers: Mapping[str, str]  # without the values of keys
    at: str
    connection: int
    concurrent: int
    status: int
    fault: str


class Sandbox:
    """The providers on 127.0.0.1 while the context lasts. All data is invented; all keys are made up."""

    openai_key = "sk-admin-sandbox-invented-0123456789"
    anthropic_key = "sk-ant-admin01-sandbox-invented-0123456789"
    openrouter_key = "sk-or-v1-management-sandbox-invented-0123456789"
    cursor_key = "key_sandbox_invented_0123456789"
    github_key = "github_pat_sandbox_invented_0123456789"

    def __init__(self, *, seed: int = 7, today: Optional[str] = None, clock: Optional[Clock] = None) -> None:
        self.clock = clock or Clock()
        self.ledger = Ledger(seed, today or self.clock.today())
        self.knobs = Knobs()
        self.journal: list[Entry] = []
        self.latency = 0.0  # seconds each answer takes
        self.closing = threading.Event()
        # By provider and key: each key is of an organization of its own, which has a ledger of its own.
        self._ledgers = {(provider, getattr(self, f"{provider}_key")): self.ledger for provider in _ANSWER}
        self._scripts = {provider: Script() for provider in _ANSWER}
        self._busy = dict.fromkeys(_ANSWER, 0)
        self._lock = threading.Lock()
        self._servers: dict[str, _Server] = {}
        self._asked = 0

    def __enter__(self) -> Sandbox:  # noqa: PYI034  # typing.Self is not in Python 3.9
        for provider in _ANSWER:
            self._servers[provider] = _Server(self, provider)
        return self

    def organization(self, provider: str, key: str, *, seed: int) -> Ledger:
        """Another organization at a provider, with the key that it alone answers to. Returns its ledger."""
        ledger = self._ledgers[provider, key] = Ledger(seed, self.ledger.today)
        return ledger

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for provider in _ANSWER:
            self.stop(provider)

    @property
    def openai_base_url(self) -> str:
        """With `/v1`, as the official SDK has it."""
        return f"{self.address('openai')}/v1"

    @property
    def anthropic_base_url(self) -> str:
        """Without `/v1`, as the official SDK has it."""
        return self.address("anthropic")

    @property
    def openrouter_base_url(self) -> str:
        """With `/api/v1`, as the official SDK has it."""
        return f"{self.address('openrouter')}/api/v1"

    def address(self, provider: str) -> str:
        """Where a provider listens."""
        return f"http://127.0.0.1:{self._servers[provider].server_port}"

    def fault(self, provider: str, path: str, name: str, *, nth: int = 1, times: Optional[int] = None) -> None:
        """Let the `nth` request from now on that has `path` in its path meet the fault, and so many after it (one)."""
        self._scripts[provider].plan(path, name, nth=nth, times=times)

    def clear_faults(self) -> None:
        """All providers behave again."""
        for script in self._scripts.values():
            script.clear()

    def stop(self, provider: str) -> None:
        """From now on nobody listens at the provider's address; open connections end."""
        self._servers[provider].stop()

    def requests(self, provider: str, path: str = "") -> list[Entry]:
        """The journal's entries of a provider, of paths that hold `path`."""
        return [entry for entry in self.journal if entry.provider == provider and path in entry.path]

    def most_at_once(self, provider: str) -> int:
        """How many requests the provider ever worked on at the same time."""
        return max((entry.concurrent for entry in self.requests(provider)), default=0)

    def answer(self, request: Request, *, connection: int) -> Reply:
        """The reply to a request, after its latency and its fault; the journal notes both."""
        provider = request.provider
        with self._lock:
            self._busy[provider] += 1
            concurrent = self._busy[provider]
        try:
            self.closing.wait(self.latency)
            key, ledger = self._asked_by(request)
            proper = _ANSWER[provider](request, ledger=ledger, knobs=self.knobs, key=key)
            reply, fault = self._scripts[provider].spoil(request, proper)
            shown = {name: "***" if name in _KEY_HEADERS else value for name, value in request.headers.items()}
            about = (provider, request.method, request.path, request.query, shown, iso(request.received_at))
            self.journal.append(Entry(*about, connection, concurrent, reply.status, fault))
            return reply
        finally:
            with self._lock:
                self._busy[provider] -= 1

    def _asked_by(self, request: Request) -> tuple[str, Ledger]:
        """The key among those that exist which the request carries, and whose ledger that is; else the first one's."""
        given = " ".join(request.headers.get(name, "") for name in _KEY_HEADERS)
        mine = {key: ledger for (provider, key), ledger in self._ledgers.items() if provider == request.provider}
        found = next((key for key in mine if key in given or basic(key) in given), next(iter(mine)))
        return found, mine[found]

    def next_request_id(self) -> str:
        """`req_sandbox000001` and so on."""
        with self._lock:
            self._asked += 1
            return f"req_sandbox{self._asked:06d}"


def basic(key: str) -> str:
    """A key as the user name of HTTP Basic, without a password."""
    return b64encode(f"{key}:".encode()).decode()


class _Server(ThreadingHTTPServer):
    """Listens from its making to `stop`, in threads that never keep the process alive."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, sandbox: Sandbox, provider: str) -> None:
        self.sandbox = sandbox
        self.provider = provider
        self.connections: dict[int, socket.socket] = {}
        self._is_stopped = False
        super().__init__(("127.0.0.1", 0), _Conversation)
        threading.Thread(target=self.serve_forever, args=(0.02,), name=f"sandbox-{provider}", daemon=True).start()

    def server_bind(self) -> None:
        """Bind without asking any name server what this machine is called."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def stop(self) -> None:
        if self._is_stopped:
            return
        self._is_stopped = True
        self.shutdown()
        self.server_close()
        for connection in list(self.connections.values()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is nobody's error."""


class _Conversation(BaseHTTPRequestHandler):
    """One connection: requests one after the other until either side has had enough."""

    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1

    def version_string(self) -> str:
        """What the Server header says."""
        return "sandbox"

    def handle(self) -> None:
        mine = id(self)
        self.server.connections[mine] = self.connection
        try:
            with contextlib.suppress(OSError):
                super().handle()
        finally:
            self.server.connections.pop(mine, None)

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def _answer(self) -> None:
        request = self._request(self.rfile.read(int(self.headers.get("content-length") or 0)))
        self._send(self.server.sandbox.answer(request, connection=self.client_address[1]))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _answer  # noqa: N815  # names given by http.server

    def _request(self, body: bytes) -> Request:
        url = urlsplit(self.path)
        return Request(
            provider=self.server.provider,
            method=self.command,
            path=url.path,
            query=tuple(parse_qsl(url.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            id=self.server.sandbox.next_request_id(),
            received_at=self.server.sandbox.clock.now(),
            body=body,
        )

    def _send(self, reply: Reply) -> None:
        wire = reply.wire
        body = reply.body()
        self.server.sandbox.closing.wait(wire.wait_seconds)
        if not wire.is_headless:
            self.send_response(reply.status)
            for name, value in (("Content-Type", reply.media_type), ("Content-Length", str(len(body))), *reply.headers):
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self._send_body(body[: wire.stop_at], wire.drip_bytes or len(body) or 1)
        self._end(wire.ending)

    def _send_body(self, body: bytes, at_once: int) -> None:
        for start in range(0, len(body), at_once):
            self.wfile.write(body[start : start + at_once])
            if at_once < len(body):
                self.wfile.flush()
                self.server.sandbox.closing.wait(_DRIP_SECONDS)
        self.wfile.flush()

    def _end(self, ending: str) -> None:
        """Keep the connection, close it, reset it, or say nothing more until the client goes."""
        if ending == "keep":
            return
        self.close_connection = True
        if ending == "hang":
            self.rfile.read(1)
        if ending == "reset":
            # A close without lingering is a reset; it takes effect once the two files over the socket are closed too.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.wfile.close()
            self.connection.close()

    def log_message(self, *_: object) -> None:
        """The journal is the log."""
