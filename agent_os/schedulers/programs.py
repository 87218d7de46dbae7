"""What this room knows of the machine: its programs, folders and user. Everything that is started, is started here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from ..core import files
from ..core.errors import AgentOSError, BusyError, ConfigError, os_failure
from ..core.text import safe
from .entries import tells_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..core.clock import Clock

PATIENCE_SECONDS = 30.0  # a scheduler that says nothing for so long is stuck
_SHOWN = 300


class Answer(NamedTuple):
    """What a program came to."""

    code: int
    output: bytes
    complaint: str  # its stderr, else its stdout, as one line

    @property
    def text(self) -> str:
        """Its output as text; what is no UTF-8 becomes a question mark."""
        return self.output.decode("utf-8", "replace")


class Machine:
    """The machine as the schedulers need it. `environ` is handed on to what is started, but for language and secrets.

    `hint`: what somebody should do who has not the program that is asked.
    """

    def __init__(
        self, environ: Mapping[str, str], *, clock: Clock, user_folder: str, platform: str = "", hint: str = ""
    ) -> None:
        self.platform = platform or sys.platform
        self.clock = clock
        self.user_folder = user_folder
        self.environ = {name: value for name, value in environ.items() if not tells_secret(name)}
        self.uid = os.getuid() if sys.platform != "win32" else 0
        self._hint = hint or "choose another --backend, or install it"
        runtime = f"/run/user/{self.uid}"
        if not self.environ.get("XDG_RUNTIME_DIR") and os.path.isdir(runtime):  # as where cron or sudo has started us
            self.environ["XDG_RUNTIME_DIR"] = runtime

    @property
    def user(self) -> str:
        """The name of the user, "" where nobody knows it."""
        return self.environ.get("LOGNAME") or self.environ.get("USER") or _name_of(self.uid)

    def xdg(self, variable: str, otherwise: str) -> str:
        """A folder of the XDG rules: what is not absolute is ignored, as they say."""
        named = self.environ.get(variable, "")
        return named if os.path.isabs(named) else os.path.join(self.user_folder, *otherwise.split("/"))

    def find(self, name: str) -> str:
        """The path of a program, or "" where PATH has none of that name."""
        return shutil.which(name, path=self.environ.get("PATH", os.defpath)) or ""

    def ask(self, *words: str, stdin: bytes = b"") -> Answer:
        """Run a program to its end. Raises ConfigError where it is missing or says nothing for half a minute."""
        program = self.find(words[0])
        if not program:
            raise ConfigError(f"this machine has no {words[0]}", hint=self._hint)
        environ = {**self.environ, "LC_ALL": "C", "LANGUAGE": "C", "TZ": "UTC"}
        environ |= {"SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "cat"}
        try:
            done = subprocess.run(  # noqa: S603 (our own words)
                [program, *words[1:]], input=stdin, capture_output=True, env=environ, check=False,
                timeout=PATIENCE_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise ConfigError(
                f"`{shown(words)}` did not answer for {PATIENCE_SECONDS:.0f} seconds", hint="look why, and try again"
            ) from error
        except OSError as error:
            raise os_failure(f"starting {program}", error) from error
        said = (done.stderr.strip() or done.stdout.strip()).decode("utf-8", "replace")
        return Answer(done.returncode, done.stdout, safe(" ".join(said.split()))[:_SHOWN])

    def tell(self, *words: str, stdin: bytes = b"") -> Answer:
        """As `ask`, where anything but success is an error: what was said, and with which words."""
        answer = self.ask(*words, stdin=stdin)
        if answer.code:
            raise refused(words, answer)
        return answer


def _name_of(uid: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return ""


def shown(words: Sequence[str]) -> str:
    """The words of a command, for people."""
    import shlex

    return safe(" ".join(map(shlex.quote, words)))


def refused(words: Sequence[str], answer: Answer, hint: str = "") -> ConfigError:
    """The error of a program that did not do what it was told."""
    return ConfigError(
        f"`{shown(words)}` failed ({answer.code}): {answer.complaint or 'it did not say why'}",
        hint=hint or "nothing was changed; run it by hand to see why",
    )


@contextmanager
def alone(machine: Machine) -> Iterator[None]:
    """One process of this user at a time changes what others may write too, as a crontab, which has no lock itself.

    The lock is the user's own folder; where that cannot be locked, nobody waits. Not to be taken twice. BusyError.
    """
    try:
        fd = os.open(machine.user_folder, os.O_RDONLY)
    except OSError:  # it is not there; and on Windows no folder can be opened
        yield
        return
    try:
        deadline = machine.clock.monotonic() + PATIENCE_SECONDS
        while not _is_locked(fd):
            if machine.clock.monotonic() >= deadline:
                raise BusyError("somebody else is changing what is scheduled", hint="try again; nothing was changed")
            machine.clock.sleep(0.05)
        yield
    finally:
        os.close(fd)


def _is_locked(fd: int) -> bool:
    try:
        return files.lock_fd(fd, wait=False)
    except AgentOSError:  # a file system without such locks
        return True


def read(path: str) -> bytes:
    """The content of a file; b"" where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise os_failure(f"reading {path}", error) from error


def write(path: str, content: bytes) -> None:
    """Put a file there that others may read (0644), whole or not at all; its folder is made where it is missing."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        raise os_failure(f"making the folder {os.path.dirname(path)}", error) from error
    with files.atomic_write(path) as file:
        file.write(content)
        if sys.platform != "win32":
            os.fchmod(file.fileno(), 0o644)


def put_back(path: str, content: bytes) -> None:
    """Let a file be as it was: with this content, or gone where it was b""."""
    if content:
        write(path, content)
    else:
        remove(path)


def remove(path: str) -> None:
    """Remove a file; nothing where there is none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise os_failure(f"removing {path}", error) from error
