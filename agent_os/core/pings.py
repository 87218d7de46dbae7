"""Dead-man pings, as healthchecks.io takes them: who is told that a run began, succeeded or failed, and with what.

A monitor that hears nothing in time raises the alarm, so this end never has to. The address of a ping is a secret:
whoever has it can keep the alarm quiet. Pure, but for the redactor that is told of the addresses.
"""

from __future__ import annotations

from .config import REFERENCE
from .errors import ConfigError, PermanentError, TransientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Optional

    from .config import Settings
    from .redactor import Redactor
    from .spec import Task

OUTBOX = "ping"  # in which pings wait
HOSTS = ("hc-ping.com",)  # others by AGENT_OS_ALLOWED_HOSTS
SETTING = "AGENT_OS_PING"  # the address for whole invocations
WHOLE = "*"  # stands where the name of a task stands, for an invocation
KINDS = ("start", "success", "fail")
LARGEST_BODY = 10_000  # bytes; a server of one's own keeps no more of it, and the first of them
_LONGEST_ERROR = 2_000
_ENDINGS = ("start", "fail", "log")  # of the address, which are added here
_TELLING = 20  # characters of a word in an address that is its secret part
_TELLING_VALUE = 8  # the same in its query, where there may be a token


class Pings:
    """Who wants to be told: the address of each task that has one, and that for whole invocations, `""` for none."""

    def __init__(self, tasks: Mapping[str, str], whole: str = "") -> None:
        self._tasks = dict(tasks)
        self.whole = whole

    def __bool__(self) -> bool:
        return bool(self._tasks or self.whole)

    def of(self, task: str) -> str:
        """The address for a task, or for WHOLE; `""` for none."""
        return self.whole if task == WHOLE else self._tasks.get(task, "")


class Ping:
    """One message to a monitor, on its way. `task` may be WHOLE, and then `run_id` is the id of the invocation."""

    __slots__ = ("is_void", "key", "kind", "run_id", "task", "text", "until")

    def __init__(self, task: str, run_id: str, kind: str, *, until: str) -> None:
        self.task = task
        self.run_id = run_id
        self.kind = kind
        self.key = key_of(task, run_id, kind)
        self.until = until  # the instant from which on another runner may send it, and this one may not
        self.text = ""
        self.is_void = False  # a newer one has taken its place


def key_of(task: str, run_id: str, kind: str) -> str:
    """The key of a ping in its outbox. It begins with the task and a blank, which no name has."""
    return f"{task} {run_id} {kind}"


def pings_of(tasks: Mapping[str, Task], settings: Settings, redactor: Redactor) -> Optional[Pings]:
    """Who wants to be told, None when nobody does. What cannot be meant becomes a fault of its task.

    A task whose `env:NAME` is not set has no ping: a copy of the home on another machine stays silent. Raises
    ConfigError for AGENT_OS_PING. All addresses are hidden from here on.
    """
    if not settings.get(SETTING) and not any(task.ping for task in tasks.values()):
        return None
    hosts = [*HOSTS, *filter(None, map(str.strip, settings.get("AGENT_OS_ALLOWED_HOSTS").split(",")))]
    found = {}
    for task in tasks.values():
        name = task.ping[len(REFERENCE) :].strip() if task.ping.startswith(REFERENCE) else ""
        url = settings.get(name) if name else task.ping
        if task.ping == REFERENCE or (task.ping.startswith(REFERENCE) and not name.isidentifier()):
            task.fault(f"ping begins with {REFERENCE} and names no setting; write ping = {REFERENCE}NAME")
        elif url:
            _hide(url, redactor)
            reason = _fault(url, hosts)
            if reason:
                task.fault(f"ping{f' ({name})' if name else ''}: {reason}")
            found[task.name] = url
    whole = settings.get(SETTING)
    if whole:
        _hide(whole, redactor)
        reason = _fault(whole, hosts)
        if reason:
            raise ConfigError(
                f"{SETTING} (from {settings.find(SETTING)[1]}): {reason}",
                hint="give the ping address of a check, as https://hc-ping.com/ and its UUID",
            )
    return Pings(found, whole)


def refuse_name(tasks: Mapping[str, Task]) -> None:
    """Note a fault of a task or outbox that is called as the outbox of pings is."""
    other = tasks.get(OUTBOX)
    if other is not None:
        other.fault("the name belongs to the outbox of pings; choose another")


def _hide(url: str, redactor: Redactor) -> None:
    """Have an address hidden, as a whole and in the parts that give it away."""
    path, _, query = (url.partition("://")[2] or url).partition("?")
    path = path.strip("/")
    redactor.add(path)
    for pair in query.split("&"):
        value = pair.partition("=")[2]
        if len(value) >= _TELLING_VALUE:
            redactor.add(value)
    for word in path.split("/")[1:]:
        if len(word) >= _TELLING and any(letter.isdigit() for letter in word):  # a UUID, or the key of a project
            redactor.add(word)


def _fault(url: str, hosts: Iterable[str]) -> str:
    """What is wrong with an address, without a word of it; `""` when it can be used."""
    from .http_target import read_target

    try:
        target = read_target(url, (), tuple(hosts), is_secret=True)
    except ConfigError as error:
        is_host = "AGENT_OS_ALLOWED_HOSTS" in error.hint
        return f"{target_name(url)} is no host that is pinged; AGENT_OS_ALLOWED_HOSTS allows one" if is_host else (
            error.message
        )  # fmt: skip
    words = target.path.strip("/").split("/")
    if words == [""]:
        return "the address names no check: nothing stands behind the host"
    if words[-1] in _ENDINGS:
        return f"leave out /{words[-1]} at the end of the address; it is added where it belongs"
    return ""


def target_name(url: str) -> str:
    """The host of an address: all of it that may be told."""
    from urllib.parse import urlsplit

    return (urlsplit(url).hostname or "the address")[:100]


def address(url: str, kind: str, run_id: str) -> tuple[str, list[tuple[str, str]]]:
    """Where a ping goes, and what is added to its query. A query that the address has stays (`?create=1`)."""
    head, mark, query = url.partition("?")
    head = head.rstrip("/") + ("" if kind == "success" else f"/{kind}")
    return head + mark + query, [("rid", rid_of(run_id))]


def rid_of(run_id: str) -> str:
    """The UUID by which a monitor finds out which start and end belong together; always the same for one run."""
    from uuid import NAMESPACE_URL, uuid5

    return str(uuid5(NAMESPACE_URL, f"agent-os:{run_id}"))


def body_of(error: str, text: str) -> str:
    """The words of a ping: the error first, then as much of the end of the text as there is room for."""
    first = _cut(error.strip(), _LONGEST_ERROR)
    room = LARGEST_BODY - len(first.encode()) - (2 if first else 0)
    last = text.strip().encode("utf-8", "backslashreplace")[-room:].decode("utf-8", "ignore")
    return "\n\n".join(filter(None, (first, last)))


def _cut(text: str, most: int) -> str:
    raw = text.encode("utf-8", "backslashreplace")
    return raw[:most].decode("utf-8", "ignore")


def check_taken(status: int, body: bytes) -> None:
    """Raise what an answer amounts to that says yes, and means no.

    The hosted service answers 200 to a check that it does not know, and to more pings than it takes, and says so only
    in the body: `OK (not found)`, `OK (rate limited)`.
    """
    said = body[:200].decode("ascii", "replace").strip().lower()
    if "not found" in said:
        raise PermanentError("there is no such check", hint="copy its ping address again", status=status)
    if "rate limited" in said:
        raise TransientError("it takes no more pings about this check for the moment", status=status)
