"""Where a request may go, what its header may hold and through which proxy it travels. Pure: opens nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional
from urllib.parse import quote, unquote_to_bytes, urlencode, urlsplit

from .errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DEFAULT_PORT = {"https": 443, "http": 80}
_PLAIN_URL = re.compile(r"[!-~]+")
_HOST = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}|::1")
_LOOPBACK = re.compile(r"localhost|::1|127(?:\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_LONGEST_LABEL = 200


@dataclass(frozen=True)
class Target:
    """One address to ask. `resource` is what stands in the request line: path and query.

    Of one that `is_secret` only the host is ever told: the path of a webhook is what gives the right to use it.
    """

    scheme: str
    host: str
    port: int
    path: str
    resource: str
    is_secret: bool = False

    @property
    def origin(self) -> tuple[str, str, int]:
        """What a connection belongs to."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """`api.openai.com`, `127.0.0.1:8080`, `[::1]:8080`."""
        return join_host(self.host, None if self.port == _DEFAULT_PORT[self.scheme] else self.port)

    @property
    def shown_path(self) -> str:
        """The path as far as it may be told."""
        return "" if self.is_secret else self.path

    @property
    def label(self) -> str:
        """How errors and logs name it: host and path, without the query."""
        return f"{self.authority}{self.shown_path}"[:_LONGEST_LABEL]

    @property
    def url(self) -> str:
        """The address as far as it may be kept."""
        return f"{self.scheme}://{self.authority}{'' if self.is_secret else self.resource}"


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy from the environment. `login` is `user:password` as bytes, percent signs resolved, or empty."""

    host: str
    port: int
    login: bytes


def join_host(host: str, port: Optional[int]) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def read_target(
    url: str, query: Sequence[tuple[str, str]], allowed_hosts: Sequence[str], *, is_secret: bool = False
) -> Target:
    """The checked address of `url` with `query` added. Raises ConfigError before anything is sent.

    Allowed: https to a host in `allowed_hosts` (exact, or ".openai.com" for any below); https or http to this machine.
    """
    scheme, host, port, path, written = _split(url)
    if not is_loopback(host):
        if scheme != "https":
            raise ConfigError(
                f"{scheme}://{host}: without TLS only this machine itself is asked", hint="use the https:// address"
            )
        if not any(_is_match(host, allowed) for allowed in allowed_hosts):
            known = ", ".join(allowed_hosts) or "none"
            raise ConfigError(
                f"{host} is not a host that a key may be sent to (allowed: {known})",
                hint="check the base URL setting; a host you trust with the key is allowed by AGENT_OS_ALLOWED_HOSTS="
                + host,
            )
    added = urlencode(query, quote_via=quote)
    both = "&".join(part for part in (written, added) if part)
    return Target(scheme, host, port, path, f"{path}?{both}" if both else path, is_secret)


def _split(url: str) -> tuple[str, str, int, str, str]:
    """Scheme, host, port, path and query. The URL itself is never quoted in an error: it may hold a password."""
    if not _PLAIN_URL.fullmatch(url):
        raise ConfigError("an address has a blank or a character beyond ASCII in it", hint="check the base URL setting")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigError("an address cannot be read as a URL", hint="check the base URL setting") from error
    if "@" in parts.netloc:
        raise ConfigError("an address has a user name or password in it", hint="take it out of the base URL setting")
    if parts.scheme not in _DEFAULT_PORT:
        raise ConfigError("an address does not begin with https://", hint="check the base URL setting")
    if not _HOST.fullmatch(host) or port == 0 or parts.fragment:
        raise ConfigError("an address has no host that can be asked", hint="check the base URL setting")
    return parts.scheme, host, port or _DEFAULT_PORT[parts.scheme], parts.path or "/", parts.query


def _is_match(host: str, allowed: str) -> bool:
    return host.endswith(allowed.lower()) if allowed.startswith(".") else host == allowed.lower()


def is_loopback(host: str) -> bool:
    """Does the name mean this machine, without asking any name server?"""
    return _LOOPBACK.fullmatch(host) is not None


def check_header(name: str, value: str) -> None:
    """Raise ConfigError for what http cannot carry. The value is never quoted: it is likely a key."""
    if not _HEADER_NAME.fullmatch(name):
        raise ConfigError(f"{ascii(name)[:60]} is no name for a request header")
    if not _HEADER_VALUE.fullmatch(value):
        raise ConfigError(
            f"the value for the request header {name} has a line end, a blank at an end or a character beyond ASCII",
            hint="copy the key again, without quotes and without anything before or after it",
        )


def proxy_for(target: Target, environ: Mapping[str, str]) -> Optional[Proxy]:
    """The proxy that the environment wants for this address; None: straight there.

    `https_proxy`, else `all_proxy`, lower case before upper, unless `no_proxy` names the host. This machine is never
    asked through a proxy, so `http_proxy` has no say: plain http goes nowhere else.
    """
    if is_loopback(target.host) or _is_exempt(target, _variable(environ, "no_proxy")[1]):
        return None
    for wanted in ("https_proxy", "all_proxy"):
        name, value = _variable(environ, wanted)
        if value:
            return _read_proxy(name, value)
    return None


def _variable(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """The name in force and its value; an empty lower-case one switches the other off."""
    name = name if name in environ else name.upper()
    return name, environ.get(name, "").strip()


def _is_exempt(target: Target, listed: str) -> bool:
    """`no_proxy`: comma-separated names, each meaning the host and all below it, with or without a port; * is all."""
    for entry in (part.strip().lower().lstrip(".") for part in listed.split(",")):
        if entry == "*":
            return True
        for host in (target.host, f"{target.host}:{target.port}"):
            if entry and (host == entry or host.endswith(f".{entry}")):
                return True
    return False


def _read_proxy(name: str, value: str) -> Proxy:
    """The proxy a variable names. Its value is never quoted in an error: it may hold a password."""
    unreadable = ConfigError(
        f"the proxy in {name} cannot be used: it must look like http://host:port", hint=f"correct or unset {name}"
    )
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname or "", parts.port or 80
    except ValueError as error:
        raise unreadable from error
    if parts.scheme != "http" or not (_HOST.fullmatch(host) or ":" in host):
        raise unreadable
    login = parts.netloc.rpartition("@")[0]
    return Proxy(host, port, unquote_to_bytes(login))
