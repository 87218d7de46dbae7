"""Which channels are set up, and what is wrong with their settings. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..budgets import refuse
from . import HOSTS, NEEDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Get = Callable[[str], str]

_LOCAL = ("127.0.0.1", "localhost", "::1")


def set_up(get: Get) -> tuple[str, ...]:
    """The channels that are set up. Raises one ConfigError for all settings that cannot be meant."""
    faults: list[str] = []
    found = []
    for channel, names in NEEDS.items():
        if not get(names[0]):
            continue
        found.append(channel)
        faults += [f"{channel} needs {name}, which is not set" for name in names[1:] if not get(name)]
        if names[0].endswith("_URL"):
            faults += _faults_of_url(names[0], get)
    if "email" in found:
        port = get("SMTP_PORT")
        if port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
            faults.append("SMTP_PORT is no port, as 587 is")
        if bool(get("SMTP_USER")) != bool(get("SMTP_PASSWORD")):
            faults.append("of SMTP_USER and SMTP_PASSWORD only one is set")
    refuse(faults, "channels")
    return tuple(found)


def _faults_of_url(name: str, get: Get) -> list[str]:
    """What is wrong with an address. It is never quoted: it is the right to use it."""
    url = get(name)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return [f"{name} is no address"]
    allowed = [each.strip() for each in get("AGENT_OS_ALLOWED_HOSTS").split(",") if each.strip()]
    is_local = host in _LOCAL
    found = ""
    if not (url.isascii() and url.isprintable()) or " " in url or not host or "@" in parts.netloc:
        found = "is no address, as https://host/path is"
    elif parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        found = "does not begin with https://"
    elif name == "DISCORD_WEBHOOK_URL" and "/webhooks/" not in parts.path:
        found = "is no webhook of Discord: there is no /webhooks/ in it"
    elif len(parts.path) < 2:
        found = "names a host and nothing there"
    elif not is_local and not _is_among(host, (*HOSTS, *allowed)):
        found = f"is at {host}, which has to be allowed: AGENT_OS_ALLOWED_HOSTS={host}"
    return [f"{name} {found}"] if found else []


def _is_among(host: str, known: Sequence[str]) -> bool:
    return any(host.endswith(each.lower()) if each.startswith(".") else host == each.lower() for each in known)
