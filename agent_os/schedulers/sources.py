"""What schedulers of this machine start today: read from them, put out of force, and put back. The I/O of the import.

Nothing is changed but by `put_out`, which says what it did to `undo`. Every refusal is a ConfigError, one sentence.
"""

from __future__ import annotations

import os

from ..core.errors import ConfigError
from . import crontab_reading, launchd_reading, unit_reading
from .entries import Found, tells_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Callable, Optional, Protocol

    from .entries import Entry

    Keep = Callable[[str, bytes], None]

    class Source(Protocol):
        """One scheduler, as the import sees it."""

        title: str

        def found(self, *, is_all: bool) -> Found: ...

        def of_file(self, path: str, content: bytes) -> Found: ...

        def put_out(self, entries: Sequence[Entry], *, keep: Keep) -> None: ...

        def undo(self) -> None: ...  # goes on where it fails, and raises ConfigError in the end


PATIENCE_SECONDS = 60.0
_CRONTAB, _CRON_D = "/etc/crontab", "/etc/cron.d"
_NO_CRONTAB = ("no crontab for", "no such file or directory")  # the second: busybox
_OURS = "agent-os-"
_OF_DISTRIBUTION = ("/usr/lib/", "/lib/", "/usr/local/lib/", "/run/")
_UNIT_FOLDERS = ("/etc/systemd", "/usr/lib/systemd", "/lib/systemd")
_ENABLED = ("enabled", "enabled-runtime")


class Machine:
    """Who asks, and where: what readers cannot know."""

    def __init__(self, environ: Mapping[str, str], folder: str) -> None:
        self.environ = environ
        self.folder = folder  # the user's home directory
        self.uid = os.getuid() if hasattr(os, "getuid") else 0
        self.user = environ.get("LOGNAME") or environ.get("USER") or _user_of(self.uid)

    def ask(self, words: Sequence[str], *, given: Optional[bytes] = None) -> tuple[int, bytes, str]:
        """Run one of the system's programs: exit code, output, and what it complained of in one line."""
        import subprocess

        kept = {name: value for name, value in self.environ.items() if not tells_secret(name)}
        environ = {**kept, "LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "cat"}
        try:
            done = subprocess.run(  # noqa: S603 (programs of the system, our own words)
                list(words), input=given, stdin=None if given is not None else subprocess.DEVNULL, env=environ,
                capture_output=True, timeout=PATIENCE_SECONDS, check=False,
            )  # fmt: skip
        except FileNotFoundError as error:
            hint = "name a file with --file, or ask for another of crontab, systemd and launchd"
            raise ConfigError(f"this machine has no {words[0]}", hint=hint) from error
        except subprocess.TimeoutExpired as error:
            what = f"{' '.join(words)} did not end within {PATIENCE_SECONDS:g} seconds"
            raise ConfigError(what, hint="try it by hand") from error
        except OSError as error:
            raise ConfigError(f"{words[0]} cannot be run: {error.strerror}", hint="check its rights") from error
        return done.returncode, done.stdout, " ".join(done.stderr.decode("utf-8", "replace").split())[:300]

    def need(self, words: Sequence[str], *, given: Optional[bytes] = None) -> bytes:
        """The same where it has to succeed."""
        code, output, said = self.ask(words, given=given)
        if code:
            raise ConfigError(
                f"{' '.join(words)} failed ({code}): {said or 'it did not say why'}", hint="try it by hand"
            )
        return output

    def specifiers(self, *, is_system: bool) -> dict[str, str]:
        """What specifiers of units mean here; `cwd`: where a service starts."""
        folder, user, uid = ("/root", "root", 0) if is_system else (self.folder, self.user, self.uid)
        run = "/run" if is_system else self.environ.get("XDG_RUNTIME_DIR", f"/run/user/{uid}")
        known = {"h": folder, "u": user, "U": str(uid), "t": run, "T": "/tmp", "V": "/var/tmp"}  # noqa: S108 (their names)
        known["H"] = os.uname().nodename if hasattr(os, "uname") else ""
        return {**known, "cwd": "/" if is_system else "~"}


class Crontab:
    """The crontab of the user; with `is_all` those of the system too."""

    title = "the crontab"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._before = b""
        self._after: Optional[bytes] = None  # what we have written

    def found(self, *, is_all: bool) -> Found:
        """Every entry."""
        self._before = self._content()
        found = crontab_reading.read(_text(self._before))
        for path in _system_crontabs() if is_all else ():
            more = self.of_file(path, _read_file(path))
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
        if self._content() != self._before:
            raise ConfigError("the crontab was changed meanwhile", hint="start again")
        self._after = text.encode("utf-8", "surrogateescape")
        self._machine.need(["crontab", "-"], given=self._after)

    def undo(self) -> None:
        """Put the crontab back as it was, if it is as we have made it: what someone else has written stays."""
        content = self._content()
        if content == self._after:
            self._machine.need(["crontab", "-"], given=self._before)
        elif self._after is not None and content != self._before:
            raise ConfigError("the crontab was changed meanwhile, and still has lines that begin with # taken over")

    def _content(self) -> bytes:
        code, output, said = self._machine.ask(["crontab", "-l"])
        if code and not any(phrase in said.lower() for phrase in _NO_CRONTAB):
            raise ConfigError(f"crontab -l failed ({code}): {said or 'it did not say why'}", hint="try it by hand")
        return b"" if code else output


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
            service = _text(_read_file(beside))
        known = self._machine.specifiers(is_system=False)
        found.entries.append(unit_reading.read(name, timer, service, known=known))
        return found

    def put_out(self, entries: Sequence[Entry], *, keep: Keep) -> None:  # noqa: ARG002 (their files stay as they are)
        """Stop and disable these timers."""
        for entry in entries:
            self._stopped.append(entry.handle)
            self._machine.need(["systemctl", "--user", "disable", "--now", entry.handle])

    def undo(self) -> None:
        """Enable and start them again."""
        _each(self._stopped, lambda unit: self._machine.need(["systemctl", "--user", "enable", "--now", unit]))

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
                known = self._machine.specifiers(is_system=scope == "--system")
                service = self._unit(scope, unit_reading.service_of(name, timer))
                found.entries.append(unit_reading.read(name, timer, service, known=known))
        if left_out:
            found.remarks.append(f"timers of the distribution are left out (--all has them): {', '.join(left_out)}")

    def _names(self, scope: str) -> list[str]:
        words = ["systemctl", scope, "list-unit-files", "--type=timer", "--no-legend", "--no-pager", "--plain"]
        rows = [line.split() for line in _text(self._machine.need(words)).splitlines()]
        return [row[0] for row in rows if len(row) > 1 and row[1] in _ENABLED]

    def _unit(self, scope: str, name: str) -> Optional[str]:
        """The text of a unit with what was added to it, headed by where it lies; also where no manager is running."""
        code, output, _ = self._machine.ask(["systemctl", scope, "cat", "--no-pager", name])
        if not code:
            return _text(output)
        folders = [os.path.join(folder, scope[2:]) for folder in _UNIT_FOLDERS]
        if scope == "--user":
            settings = self._machine.environ.get("XDG_CONFIG_HOME") or os.path.join(self._machine.folder, ".config")
            folders.insert(0, os.path.join(settings, "systemd", "user"))
        stem, dot, kind = name.rpartition(".")
        head, at, _ = stem.partition("@")
        names = [name, f"{head}@{dot}{kind}"] if at else [name]
        paths = [os.path.join(folder, each) for each in names for folder in folders]
        first = next(filter(os.path.isfile, paths), None)
        if first is None:
            return None
        added = sorted(path for each in paths for path in _files_in(f"{each}.d", ".conf"))
        return "".join(f"# {path}\n{_text(_read_file(path))}\n" for path in (first, *added))


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
        folders = [os.path.join(self._machine.folder, "Library", "LaunchAgents")]
        folders += ["/Library/LaunchAgents", "/Library/LaunchDaemons"] if is_all else []
        for path in (path for folder in folders for path in _files_in(folder, ".plist")):
            entry = launchd_reading.read(_read_file(path), where=os.path.basename(path))
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
            self._machine.need(["launchctl", "disable", target])
            code, _, said = self._machine.ask(["launchctl", "bootout", target])
            if code and self._machine.ask(["launchctl", "print", target])[0] == 0:
                raise ConfigError(f"launchctl bootout {target} failed ({code}): {said}", hint="try it by hand")

    def undo(self) -> None:
        """Enable and load them again."""
        _each(self._stopped, self._start)

    def _start(self, label: str) -> None:
        self._machine.need(["launchctl", "enable", f"{self._domain}/{label}"])
        if self._machine.ask(["launchctl", "print", f"{self._domain}/{label}"])[0]:
            self._machine.need(["launchctl", "bootstrap", self._domain, self._paths[label]])

    def _disabled(self) -> set[str]:
        _, output, _ = self._machine.ask(["launchctl", "print-disabled", self._domain])
        rows = (line.strip().partition(" => ") for line in _text(output).splitlines())
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


def _read_file(path: str) -> bytes:
    from ..core.errors import os_failure

    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise os_failure(f"reading {path}", error) from error


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


def _user_of(uid: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return ""
