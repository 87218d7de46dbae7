"""A server on loopback that says exactly the bytes it is told, when it is told to, however wrong they are.

It parses nothing but the end of a request head and the length of a body, so it encodes no assumption of the client's.
Answers are bytes, or functions of a `Talk` for those that drip, hang or break. Also a proxy that connects wherever it
was told.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading


def reply(body=b"{}", *, status=200, reason="OK", headers=()):
    """A well-formed answer with its length; `headers` are lines such as "Retry-After: 7"."""
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Talk:
    """One request on one connection, and the means to answer it badly."""

    def __init__(self, connection, stopping, head):
        self.connection, self.stopping, self.head = connection, stopping, head
        self.is_over = False

    def send(self, data):
        self.connection.sendall(data)

    def pause(self, seconds):
        """Wait, but not beyond the end of the test."""
        self.stopping.wait(seconds)

    def drip(self, data, *, pause):
        """One byte at a time."""
        for position in range(len(data)):
            self.send(data[position : position + 1])
            self.pause(pause)
            if self.stopping.is_set():
                return

    def close(self):
        self.is_over = True

    def reset(self):
        """Break the connection: the other side gets ECONNRESET, not an end of file."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.is_over = True


class _Server:
    """Accepts on 127.0.0.1, a thread a connection, and leaves nothing behind."""

    def __init__(self):
        self.stopping = threading.Event()
        self.connections = 0
        self._open = []
        self._threads = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _start(self, function, *args):
        thread = threading.Thread(target=function, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._start(self._serve_quietly, connection)

    def _serve_quietly(self, connection):
        """The client may leave at any moment; that is its right."""
        self._open.append(connection)
        try:
            with contextlib.suppress(OSError):
                self._serve(connection)
        finally:
            connection.close()

    def _serve(self, connection):
        raise NotImplementedError


class RawServer(_Server):
    """Gives the answers in their order, whatever is asked; the last one again and again.

    `requests` holds the heads that came, `bodies` what came with them, `connections` counts those accepted. With `tls`
    (an SSLContext) it speaks TLS; with `reads_bodies=False` it answers before it has read a body.
    """

    def __init__(self, *answers, tls=None, reads_bodies=True):
        super().__init__()
        self.answers = answers
        self.requests = []
        self.bodies = []
        self._tls = tls
        self._reads_bodies = reads_bodies
        self._lock = threading.Lock()

    @property
    def url(self):
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def _serve(self, connection):
        if self._tls:
            with self._tls.wrap_socket(connection, server_side=True) as secured:
                self._open.append(secured)
                self._talk(secured)
        else:
            self._talk(connection)

    def _talk(self, connection):
        while True:
            head = read_head(connection)
            if not head:
                return
            with self._lock:
                answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
                self.requests.append(head)
            if self._reads_bodies:
                self.bodies.append(read_body(connection, head))
            talk = Talk(connection, self.stopping, head)
            if callable(answer):
                answer(talk)
            else:
                talk.send(answer)
            if talk.is_over or self.stopping.is_set():
                return


class ConnectProxy(_Server):
    """An HTTP proxy: every CONNECT ends at `upstream_port` here, whatever was asked for. `seen` holds all it read."""

    def __init__(self, upstream_port, *, answer=b"HTTP/1.1 200 Connection established\r\n\r\n"):
        super().__init__()
        self.upstream_port = upstream_port
        self.answer = answer
        self.seen = b""

    def _serve(self, connection):
        self.seen += read_head(connection)
        connection.sendall(self.answer)
        if b" 200 " not in self.answer:
            return
        with socket.create_connection(("127.0.0.1", self.upstream_port)) as upstream:
            self._open.append(upstream)
            self._start(self._relay, upstream, connection)
            self._relay(connection, upstream)

    def _relay(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.seen += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def read_head(connection):
    """Up to and with the blank line; b"" when the other side has left."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = connection.recv(1)
        if not data:
            return b""
        head += data
    return head


def read_body(connection, head):
    """As long as the head says; shorter when the other side has left."""
    announced = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)\r\n", head)
    left = int(announced[1]) if announced else 0
    pieces = []
    while left and (data := connection.recv(min(left, 65536))):
        pieces.append(data)
        left -= len(data)
    return b"".join(pieces)
