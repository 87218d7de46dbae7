"""What schedulers of this machine start today: read from them, put out of force, and put back. The I/O of the import.

Nothing is changed but by `put_out`, which says what it did to `undo`. Every refusal is a ConfigError, one sentence.
"""

from __future__ import annotations

import os

from ..core.errors import ConfigError
from . import crontab_reading, launchd_reading, unit_reading
from .cron import content_of, replace
from .entries import Found
from .programs import read, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Callable, Optional, Protocol

    from .entries import Entry
    from .programs import Machine

    Keep = Callable[[str, bytes], None]

    class Source(Protocol):
        """One scheduler, as the import sees it."""

        title: str

        def found(self, *, is_all: bool) -> Found: ...

        def of_file(self, path: str, content: bytes) -> Found: ...

        def put_out(self, entries: Sequence[Entry], *, keep: Keep) -> None: ...

        def undo(self) -> None: ...  # goes on where it fails, and raises ConfigError in the end


_CRONTAB, _CRON_D = "/etc/crontab", "/etc/cron.d"
_OURS = "agent-os-"
_OF_DISTRIBUTION = ("/usr/lib/", "/lib/", "/usr/local/lib/", "/run/")
_UNIT_FOLDERS = ("/etc/systemd", "/usr/lib/systemd", "/lib/systemd")
_ENABLED = ("enabled", "enabled-runtime")


class Crontab:
    """The crontab of the user; with `is_all` those of the system too."""

    title = "the crontab"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._before = b""
        self._after: Optional[bytes] = None  # what we have written

    def found(self, *, is_all: bool) -> Found:
        """Every entry."""
        self._before = content_of(self._machine)
        found = crontab_reading.read(_text(self._before))
        for path in _system_crontabs() if is_all else ():
            more = self.of_file(path, read(path))
            for entry in more.entries:
                entry.where = f"{path} {entry.where}"
            found.entries += more.entries
            found.remarks += [f"{path} {remark}" for remark in more.remarks]
        return found

    def of_file(self, path: str, content: bytes) -> Found:
        """Every entry of a file in the form of a crontab."""
        place = os.path.abspath(path)
        has_user = place == _CRONTAB or os.path.dirname(place) == _CRON_D
        return crontab_reading.read(_text(content), has_user=has_user, user=self._machine.user)

    def put_out(self, entries: Sequence[Entry], *, keep: Keep) -> None:
        """Make comments of these lines; all others stay byte for byte. The crontab before it is kept."""
        lines = {int(entry.handle) for entry in entries}
        text = crontab_reading.put_out_of_force(_text(self._before), lines)
        keep("crontab", self._before)
        if content_of(self._machine) != self._before:
            raise ConfigError("the crontab was changed meanwhile", hint="start again")
        self._after = text.encode("utf-8", "surrogateescape")
        replace(self._machine, self._after)

    def undo(self) -> None:
        """Put the crontab back as it was, if it is as we have made it: what someone else has written stays."""
        content = content_of(self._machine)
        if content == self._after:
            replace(self._machine, self._before)
        elif self._after is not None and content != self._before:
            raise ConfigError("the crontab was changed meanwhile, and still has lines that begin with # taken over")


class Systemd:
    """The timers of the user's manager that are enabled; with `is_all` the system's and the distribution's too."""

    title = "systemd"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._stopped: list[str] = []

    def found(self, *, is_all: bool) -> Found:
        """An entry for each timer."""
        found = Found()
        self._read(found, "--user", is_all=is_all)
        if is_all:
            self._read(found, "--system", is_all=True)
        return found

    def of_file(self, path: str, content: bytes) -> Found:
        """The entry of a unit file; its service is in the same text, as `systemctl cat` prints it, or beside it."""
        found = Found()
        name = os.path.basename(path) if path.endswith(".timer") else "task.timer"
        timer = _text(content)
        beside = os.path.join(os.path.dirname(path), unit_reading.service_of(name, timer))
        service: Optional[str] = timer if "[Service]" in timer else None
        if service is None and os.path.isfile(beside):
            service = _text(read(beside))
        known = _specifiers(self._machine, is_system=False)
        found.entries.append(unit_reading.read(name, timer, service, known=known))
        return found

    def put_out(self, entries: Sequence[Entry], *, keep: Keep) -> None:  # noqa: ARG002 (their files stay as they are)
        """Stop and disable these timers."""
        for entry in entries:
            self._stopped.append(entry.handle)
            self._machine.tell("systemctl", "--user", "disable", "--now", entry.handle)

    def undo(self) -> None:
        """Enable and start them again."""
        _each(self._stopped, lambda unit: self._machine.tell("systemctl", "--user", "enable", "--now", unit))

    def _read(self, found: Found, scope: str, *, is_all: bool) -> None:
        left_out = []
        for name in self._names(scope):
            timer = "" if name.startswith(_OURS) else self._unit(scope, name)
            if timer is None:
                found.remarks.append(f"{name} is left out: neither systemctl cat nor the folders of units have it")
            elif not timer:
                continue
            elif timer.lstrip("# ").startswith(_OF_DISTRIBUTION) and not is_all:
                left_out.append(name)
            else:
                known = _specifiers(self._machine, is_system=scope == "--system")
                service = self._unit(scope, unit_reading.service_of(name, timer))
                found.entries.append(unit_reading.read(name, timer, service, known=known))
        if left_out:
            found.remarks.append(f"timers of the distribution are left out (--all has them): {', '.join(left_out)}")

    def _names(self, scope: str) -> list[str]:
        words = ("systemctl", scope, "list-unit-files", "--type=timer", "--no-legend", "--no-pager", "--plain")
        rows = [line.split() for line in _text(self._machine.tell(*words).output).splitlines()]
        return [row[0] for row in rows if len(row) > 1 and row[1] in _ENABLED]

    def _unit(self, scope: str, name: str) -> Optional[str]:
        """The text of a unit with what was added to it, headed by where it lies; also where no manager is running."""
        answer = self._machine.ask("systemctl", scope, "cat", "--no-pager", name)
        if not answer.code:
            return _text(answer.output)
        folders = [os.path.join(folder, scope[2:]) for folder in _UNIT_FOLDERS]
        if scope == "--user":
            folders.insert(0, os.path.join(self._machine.xdg("XDG_CONFIG_HOME", ".config"), "systemd", "user"))
        stem, dot, kind = name.rpartition(".")
        head, at, _ = stem.partition("@")
        names = [name, f"{head}@{dot}{kind}"] if at else [name]
        paths = [os.path.join(folder, each) for each in names for folder in folders]
        first = next(filter(os.path.isfile, paths), None)
        if first is None:
            return None
        added = sorted(path for each in paths for path in _files_in(f"{each}.d", ".conf"))
        return "".join(f"# {path}\n{_text(read(path))}\n" for path in (first, *added))


class Launchd:
    """The agents of the user that are not disabled; with `is_all` those of everyone, and the daemons, too."""

    title = "launchd"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._domain = f"gui/{machine.uid}"
        self._paths: dict[str, str] = {}
        self._stopped: list[str] = []

    def found(self, *, is_all: bool) -> Found:
        """An entry for each property list."""
        found = Found()
        disabled = self._disabled()
        folders = [os.path.join(self._machine.user_folder, "Library", "LaunchAgents")]
        folders += ["/Library/LaunchAgents", "/Library/LaunchDaemons"] if is_all else []
        for path in (path for folder in folders for path in _files_in(folder, ".plist")):
            entry = launchd_reading.read(read(path), where=os.path.basename(path))
            if entry.handle in disabled or entry.handle.startswith("com.agent-os."):
                continue
            self._paths[entry.handle] = path
            found.entries.append(entry)
        return found

    def of_file(self, path: str, content: bytes) -> Found:
        """The entry of a property list."""
        found = Found()
        found.entries.append(launchd_reading.read(content, where=os.path.basename(path)))
        return found

    def put_out(self, entries: Sequence[Entry], *, keep: Keep) -> None:  # noqa: ARG002 (their files stay as they are)
        """Disable these agents, so that no login starts them again, and unload them."""
        for entry in entries:
            target = f"{self._domain}/{entry.handle}"
            self._stopped.append(entry.handle)
            self._machine.tell("launchctl", "disable", target)
            words = ("launchctl", "bootout", target)
            answer = self._machine.ask(*words)
            if answer.code and not self._machine.ask("launchctl", "print", target).code:
                raise refused(words, answer)

    def undo(self) -> None:
        """Enable and load them again."""
        _each(self._stopped, self._start)

    def _start(self, label: str) -> None:
        self._machine.tell("launchctl", "enable", f"{self._domain}/{label}")
        if self._machine.ask("launchctl", "print", f"{self._domain}/{label}").code:
            self._machine.tell("launchctl", "bootstrap", self._domain, self._paths[label])

    def _disabled(self) -> set[str]:
        answer = self._machine.ask("launchctl", "print-disabled", self._domain)
        rows = (line.strip().partition(" => ") for line in answer.text.splitlines())
        return {label.strip('"') for label, _, state in rows if state in ("disabled", "true")}


SOURCES: dict[str, Callable[[Machine], Source]] = {"crontab": Crontab, "systemd": Systemd, "launchd": Launchd}


def _each(names: list[str], undo: Callable[[str], object]) -> None:
    """Undo all of them, the last first, whichever fails. Raises ConfigError for those that did."""
    failures = []
    while names:
        try:
            undo(names.pop())
        except ConfigError as error:
            failures.append(error.message)
    if failures:
        raise ConfigError("; ".join(failures))


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _specifiers(machine: Machine, *, is_system: bool) -> dict[str, str]:
    """What specifiers of units mean here; `cwd`: where a service starts."""
    folder, user, uid = ("/root", "root", 0) if is_system else (machine.user_folder, machine.user, machine.uid)
    run = "/run" if is_system else machine.environ.get("XDG_RUNTIME_DIR", f"/run/user/{uid}")
    known = {"h": folder, "u": user, "U": str(uid), "t": run, "T": "/tmp", "V": "/var/tmp"}  # noqa: S108 (their names)
    known["H"] = os.uname().nodename if hasattr(os, "uname") else ""
    return {**known, "cwd": "/" if is_system else "~"}


def _system_crontabs() -> Iterator[str]:
    """/etc/crontab, and what cron takes for a crontab in /etc/cron.d."""
    if os.path.isfile(_CRONTAB):
        yield _CRONTAB
    for name in sorted(os.listdir(_CRON_D)) if os.path.isdir(_CRON_D) else ():
        if name.replace("-", "").replace("_", "").isalnum():
            yield os.path.join(_CRON_D, name)


def _files_in(folder: str, ending: str) -> list[str]:
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [os.path.join(folder, name) for name in names if name.endswith(ending)]
