"""One connection to one host: connect, pass a proxy, TLS, and reads that end at a deadline. Knows no request.

What goes wrong comes out as OSError or HTTPException, or as one of the three below.
"""

from __future__ import annotations

import errno
import http.client
import io
import re
import socket
from typing import TYPE_CHECKING, Optional, cast

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from typing import Any, Callable

    from .clock import Clock

_BUFFER_BYTES = 65536
_HEAD_BYTES = 256 * 1024  # of the status line and all headers together
_DIGITS = re.compile(r"[0-9]{1,18}")


class TooLargeError(Exception):
    """More bytes came than one answer may have."""


class AbortedError(OSError):
    """Ended from outside."""


class GarbledError(Exception):
    """The head of an answer says something that cannot be relied on; the text completes "the answer ..."."""


class Wire:
    """A socket whose every operation gets `timeout` seconds, and never more than are left until `deadline_at`.

    Looking up a name is the exception: the system's resolver cannot be interrupted.
    `received` counts the bytes of the present answer; more than `room` of them end it, whatever they pretend to be.
    `is_ended`: whoever looked for more met the end of the connection.
    """

    def __init__(self, *, clock: Clock, timeout: float, is_stopped: Callable[[], bool]) -> None:
        self._clock = clock
        self._timeout = timeout
        self._is_stopped = is_stopped
        self._socket: Optional[socket.socket] = None
        self._stream = _Stream(_Reader(self), _BUFFER_BYTES)
        self.deadline_at = 0.0
        self.received = 0
        self.room = 0
        self.is_ended = False
        self.is_idle = False

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    @property
    def is_stopped(self) -> bool:
        """Was it ended from outside?"""
        return self._is_stopped()

    def connect(self, host: str, port: int) -> None:
        """Connect to the first address that answers; each gets an even share of the time that is left for all."""
        self._seconds_left()  # nothing begins after a stop
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        until = min(self._clock.monotonic() + self._timeout, self.deadline_at)
        for tried, (family, kind, protocol, _, address) in enumerate(addresses, 1):
            share = (until - self._clock.monotonic()) / (len(addresses) - tried + 1)
            self._socket = socket.socket(family, kind, protocol)
            try:
                self._connect_one(address, share)
            except OSError:
                self.close()
                if tried == len(addresses):
                    raise
            else:
                return

    def _connect_one(self, address: Any, seconds: float) -> None:
        connection = self._open_socket()
        connection.settimeout(max(min(seconds, self._seconds_left()), 0.001))
        try:
            connection.connect(address)
        except socket.timeout as error:
            raise OSError(errno.ETIMEDOUT, f"no connection within {seconds:.0f} s") from error
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def tunnel(self, authority: str, authorization: str) -> int:
        """Ask the proxy at the other end to connect us to `authority`; the status it answers with."""
        login = f"Proxy-Authorization: {authorization}\r\n" if authorization else ""
        self.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{login}\r\n".encode("ascii"))
        response = self.answer("CONNECT")
        response.close()
        return response.status

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Speak TLS from here on, with whoever proves to be `host`."""
        plain = self._open_socket()
        plain.settimeout(self._seconds_left())
        secured = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        self._socket = secured
        # A fresh buffer: what a proxy may have slipped in before TLS must not be read as the host's words.
        self._stream = _Stream(_Reader(self), _BUFFER_BYTES)
        secured.do_handshake()

    def send(self, data: bytes) -> None:
        """Send a request: the count of the answer's bytes begins anew."""
        self.received, self.room = 0, _HEAD_BYTES
        connection, rest = self._open_socket(), memoryview(data)
        while rest:  # not sendall, which over TLS gives every 16 KB the whole timeout and asks about no deadline
            connection.settimeout(self._seconds_left())
            rest = rest[connection.send(rest[:_BUFFER_BYTES]) :]

    def answer(self, method: str) -> http.client.HTTPResponse:
        """The head of the next answer; its body is read from the same wire. The caller closes it: that ends no wire."""
        response = http.client.HTTPResponse(cast("socket.socket", self), method=method)
        try:
            response.begin()
        except BaseException:
            response.close()
            raise
        return response

    def makefile(self, _mode: str) -> _Stream:
        """What HTTPResponse reads from: one buffer for the life of the connection, so that no byte gets lost."""
        return self._stream

    def receive_into(self, buffer: memoryview) -> int:
        connection = self._open_socket()
        connection.settimeout(self._seconds_left())
        count = connection.recv_into(buffer)
        self.received += count
        self.is_ended = not count
        if self.received > self.room:
            raise TooLargeError
        return count

    def is_reusable(self) -> bool:
        """Is there nothing to read, neither bytes that nobody asked for nor the end of the connection?"""
        connection = self._socket
        if connection is None:
            return False
        self.is_idle = True
        try:
            if self._stream.peek(1) or getattr(connection, "pending", int)():
                return False
            connection.settimeout(0)
            # socket.recv, not SSLSocket's: only a look, which TLS itself does not offer.
            socket.socket.recv(connection, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self.is_idle = False
        return False

    def shut(self) -> None:
        """From another thread: whatever waits on this wire ends now."""
        connection = self._socket
        if connection is not None:
            try:
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            except OSError:
                return  # not connected, or already gone: nothing waits

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open_socket(self) -> socket.socket:
        if self._socket is None:
            raise ConnectionResetError(errno.ECONNRESET, "the connection is closed")
        return self._socket

    def _seconds_left(self) -> float:
        """How long the next operation may take. Raises AbortedError, or socket.timeout when all time is used up."""
        if self._is_stopped():
            raise AbortedError
        left = self.deadline_at - self._clock.monotonic()
        if left <= 0:
            raise socket.timeout("deadline")
        return min(self._timeout, left)


class _Reader(io.RawIOBase):
    """The bytes of a wire, one receive at a time."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Optional[int]:
        return None if self._wire.is_idle else self._wire.receive_into(memoryview(buffer))


class _Stream(io.BufferedReader):
    """A buffer that HTTPResponse cannot close: the next answer comes through it too."""

    def close(self) -> None:
        return


def read_headers(response: http.client.HTTPResponse) -> dict[str, str]:
    """Names in lower case; what is repeated or folded becomes one line."""
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        key, line = name.lower(), " ".join(value.split())
        headers[key] = f"{headers[key]}, {line}" if key in headers else line
    return headers


def read_body(wire: Wire, response: http.client.HTTPResponse, *, headers: Mapping[str, str], most: int) -> bytes:
    """The whole body. Raises IncompleteRead for a cut one, GarbledError, TooLargeError above `most` bytes.

    http.client itself notices a cut only where it reads everything in one go, so what came is counted here. A body
    that ends with its connection cannot be counted: whether it is whole shows when it is read as JSON.
    """
    expected = _announced_length(headers)
    if expected is not None and expected > most:
        raise TooLargeError
    wire.room = wire.received + 2 * most + _HEAD_BYTES  # a body in small pieces has as many bytes of frame again
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := response.read(_BUFFER_BYTES):
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise TooLargeError
    except http.client.IncompleteRead as error:
        raise http.client.IncompleteRead(b"".join([*pieces, error.partial])) from error
    body = b"".join(pieces)
    if expected is not None and size < expected:
        raise http.client.IncompleteRead(body, expected - size)
    return body


def _announced_length(headers: Mapping[str, str]) -> Optional[int]:
    """Content-Length, None where the end is marked otherwise. Raises GarbledError for an ambiguous end."""
    transfer = headers.get("transfer-encoding", "").lower()
    if transfer not in ("", "chunked"):
        raise GarbledError(f"comes in the transfer encoding {ascii(transfer)[:60]}, which nobody asked for")
    length = headers.get("content-length")
    if transfer or length is None:
        return None
    if not _DIGITS.fullmatch(length):
        raise GarbledError("announces a length that is not one number")
    return int(length)


def read_some(wire: Wire, response: http.client.HTTPResponse, *, most: int) -> bytes:
    """Up to about `most` bytes of a body that will be refused anyway; whatever goes wrong just ends it."""
    wire.room = wire.received + 2 * most + _HEAD_BYTES
    body = b""
    try:
        while len(body) < most and (piece := response.read(_BUFFER_BYTES)):
            body += piece
    except http.client.IncompleteRead as error:
        return body + error.partial
    except (OSError, http.client.HTTPException, ValueError, TooLargeError):
        return body
    return body
