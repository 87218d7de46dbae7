"""Taking entries over: first into agent_os.ini, then out of their own scheduler; if that fails, neither.

In between, for a moment, both know of them. That is harmless: `tick` does not replay what was before it knew a task.
"""

from __future__ import annotations

import os

from ..core import files, ini, ini_file
from ..core.config import Settings
from ..core.errors import AgentOSError, ConfigError, os_failure
from .programs import alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Optional

    from .ini_writing import Section
    from .programs import Machine
    from .sources import Source


def blocked(section: Section, settings: Settings) -> str:
    """Why this one would not do its work yet; "" when it would."""
    unset = [name for name in section.settings if not settings.get(name)]
    todo = [f"put {', '.join(unset)} into .env first"] if unset else []
    return "; ".join([*todo, *section.entry.open_ends])


def check(sections: Sequence[Section], settings: Settings, text: bytes) -> None:
    """Raise ConfigError when agent_os.ini with this text would not be read, or a task of these would have a fault."""
    import tempfile

    names = {section.name for section in sections}
    path = os.path.join(settings.home, ini_file.NAME)
    try:
        with tempfile.TemporaryDirectory() as folder:
            draft = os.path.join(folder, ini_file.NAME)
            with open(draft, "wb") as file:
                file.write(text)
            found = ini_file.read(draft)
    except OSError as error:
        raise os_failure(f"looking {path} over before it is changed", error) from error
    except ConfigError as error:
        what = f"with these tasks, {error.message.replace(draft, path)}"
        raise ConfigError(what, hint="nothing was changed") from error
    read = Settings(settings.home, [("environment", settings.environment())], sections=found)
    faults = [fault for task in ini.tasks_of(read) if task.name in names for fault in task.faults]
    if faults:
        raise ConfigError("; ".join(faults), hint="nothing was changed; print it without --take-over, and correct it")


def look_over(sections: Sequence[Section], settings: Settings) -> tuple[Optional[bytes], bytes]:
    """What agent_os.ini holds, None where it is not there, and what it would hold, which was checked."""
    before = _content(os.path.join(settings.home, ini_file.NAME))
    text = (before or b"") + _added(before or b"", sections)
    check(sections, settings, text)
    return before, text


def take_over(sections: Sequence[Section], source: Source, settings: Settings, *, machine: Machine) -> list[str]:
    """Put sections into agent_os.ini and their entries out of force. The paths of what was kept of before.

    Raises ConfigError, or one of the errors of a file, and then nothing is changed. Two at once would each put back
    what the other has changed.
    """
    with alone(machine):
        return _take_over(sections, source, settings, now=f"{machine.clock.now():%Y%m%dT%H%M%SZ}")


def _take_over(sections: Sequence[Section], source: Source, settings: Settings, *, now: str) -> list[str]:
    path = os.path.join(settings.home, ini_file.NAME)
    before, text = look_over(sections, settings)
    kept: list[str] = []

    def keep(name: str, content: bytes) -> None:
        place = os.path.join(settings.home, f"{name}.{now}.bak")
        _write(place, content)
        kept.append(place)

    entries = list({id(section.entry): section.entry for section in sections}.values())
    try:
        if before is not None:
            keep(ini_file.NAME, before)
        _write(path, text)
        source.put_out(entries, keep=keep)
    except BaseException as error:
        _undo(source, path, before, error)
        for place in kept:
            os.unlink(place)
        raise
    return kept


def _undo(source: Source, path: str, before: Optional[bytes], error: BaseException) -> None:
    """Everything as it was, as far as it can be; what cannot is said together with what went wrong."""

    def put_back() -> None:
        if _content(path) == before:
            return
        if before is None:
            os.unlink(path)
        else:
            _write(path, before)

    failures = []
    for step in (source.undo, put_back):
        try:
            step()
        except (AgentOSError, OSError) as failure:
            failures.append(str(failure))
    if failures:
        what = f"{error}; and then not all of it could be undone: {'; '.join(failures)}"
        raise ConfigError(what, hint=f"look at the scheduler and at {path}") from error


def _added(before: bytes, sections: Sequence[Section]) -> bytes:
    """What comes after the present text."""
    gap = "" if not before.strip() else "\n" if before.endswith(b"\n") else "\n\n"
    return (gap + "\n".join(section.text() for section in sections)).encode("utf-8")


def _content(path: str) -> Optional[bytes]:
    """What the file holds; None when it is not there."""
    if not files.check_plain(path, "the settings file"):
        return None
    with os.fdopen(files.open_private(path, os.O_RDONLY), "rb") as file:
        return file.read()


def _write(path: str, content: bytes) -> None:
    """Put it in the place of the file, which keeps its mode."""
    mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0
    with files.atomic_write(path) as file:
        file.write(content)
        if mode and hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), mode)
