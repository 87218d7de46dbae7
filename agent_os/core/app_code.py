"""The Python code of an app, brought into this process: a module by its name, or a file or package by its path.

An app is as trusted as the user: a file that others may have written is refused, and nothing beside it comes before
what Python finds without it. Whatever the code raises becomes one sentence with the place.
"""

from __future__ import annotations

import os
import stat
import sys

from . import archive
from .errors import AgentOSError, ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType
    from typing import Any, Optional

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_LONGEST_REASON = 300
_REPLACED: list[Any] = []  # what code has put in the place of standard output: let go, it would close what it is around
_ADVICE = "name a .py file or the folder of a package"
# Whose frames are not the app's own.
_NOT_ITS_OWN = (f"{archive.PACKAGE}.", "importlib.", "_frozen_importlib")


def imported(name: str) -> Optional[ModuleType]:
    """The module of this name; None when there is none, ConfigError when there is one and it fails."""
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    from importlib import import_module

    try:
        with _Talk():
            return import_module(name)
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:  # code that is not ours: whatever it raises is its failure
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}.") and not list(_places(error)):
            return None
        raise _failed(name, error) from error


def from_file(path: str) -> ModuleType:
    """The module in a file, or in a package's folder, of this absolute path; executed once a process.

    Its name is one that nothing else has. Its folder goes to the end of sys.path. Raises ConfigError.
    """
    name = f"agent_os_app_{os.path.normcase(path).encode('utf-8', 'surrogateescape').hex()}"
    if name in sys.modules:
        return sys.modules[name]
    file = os.path.join(path, "__init__.py") if os.path.isdir(path) else path
    source = _trusted_source(file)
    if file != path:
        _refuse_others(os.stat(path), f"the folder {path}")
    folder = os.path.dirname(path)
    others = _others(os.stat(folder))
    if not others and folder not in sys.path:
        sys.path.append(folder)
    hint = f"nothing beside it is imported, since {folder} {others}" if others else ""
    return _executed(name, path, file, source, hint=hint)


def _executed(name: str, path: str, file: str, source: bytes, *, hint: str) -> ModuleType:
    """The module that this source makes; known while it runs, by its own name too where that means this very file."""
    from importlib.machinery import SourceFileLoader
    from importlib.util import module_from_spec, spec_from_file_location

    class Checked(SourceFileLoader):
        """Executes the bytes that were checked, not what the file or a cache beside it holds by now."""

        def get_code(self, fullname: str) -> Any:  # noqa: ARG002 (the loader is for one module)
            return compile(source, file, "exec", dont_inherit=True)

    inner = [path] if file != path else None
    spec = spec_from_file_location(name, file, loader=Checked(name, file), submodule_search_locations=inner)
    if spec is None or spec.loader is None:
        raise ConfigError(f"the app {path} cannot be imported", hint=_ADVICE)
    module = module_from_spec(spec)
    names = [name, *_own_name(path, file)]
    sys.modules.update(dict.fromkeys(names, module))
    try:
        with _Talk():
            spec.loader.exec_module(module)
    except BaseException as error:
        for each in names:
            sys.modules.pop(each, None)
        if isinstance(error, (Exception, SystemExit)) and not isinstance(error, MemoryError):
            raise _failed(path, error, hint) from error
        raise
    return module


class _Talk:
    """While code is imported, what it prints is talk: standard output is for what was asked for.

    What the code keeps of standard output (`def show(out=sys.stdout)`) is this, and is standard output from then on.
    """

    def __enter__(self) -> None:
        self._pid, self._stdout, self._stream = os.getpid(), sys.stdout, sys.stderr
        sys.stdout = self if sys.stdout and sys.stderr else sys.stderr

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __exit__(self, *_: object) -> None:
        if os.getpid() != self._pid:
            os.kill(os.getpid(), 9)  # a fork that came back: what there is to do is its parent's
        if sys.stdout not in (self, self._stream):
            _REPLACED.append(sys.stdout)
        sys.stdout, self._stream = self._stdout, self._stdout


def _own_name(path: str, file: str) -> list[str]:
    """The name by which what stands beside an app would import it: it must get this module, not a second one."""
    from importlib.util import find_spec

    own = os.path.splitext(os.path.basename(path))[0]
    if not own.isidentifier() or own in sys.modules:
        return []
    found = find_spec(own)
    return [own] if found and found.origin and os.path.realpath(found.origin) == os.path.realpath(file) else []


def _trusted_source(file: str) -> bytes:
    """What the file holds. Raises ConfigError for one that others may have written: the one that was opened."""
    try:
        with os.fdopen(os.open(file, _FLAGS), "rb") as opened:
            found = os.fstat(opened.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ConfigError(f"the app {file} is a device or a pipe", hint=_ADVICE)
            _refuse_others(found, f"the app {file}")
            return opened.read()
    except OSError as error:
        raise ConfigError(f"no app could be read from {file}: {error.strerror}", hint=_ADVICE) from error


def _refuse_others(found: os.stat_result, what: str) -> None:
    reason = _others(found)
    if reason:
        raise ConfigError(f"{what} {reason}", hint="run what you own and nobody else can change (chown, chmod o-w)")


def _others(found: os.stat_result) -> str:
    """Why it may be the work of others, where a system tells; root's counts as ours."""
    if sys.platform == "win32":
        return ""
    if found.st_uid not in (os.geteuid(), 0):
        return f"belongs to another user (uid {found.st_uid})"
    return "is writable by everybody" if found.st_mode & stat.S_IWOTH else ""


def _failed(name: str, error: BaseException, hint: str = "") -> ConfigError:
    """What an exception becomes that the code raised while it was imported: one line with the place in the app."""
    places = list(_places(error))
    folder = os.path.join(os.path.dirname(places[0][0]), "") if places else ""
    file, line = next((place for place in reversed(places) if place[0].startswith(folder)), ("", 0))
    text = " ".join(str(error).split())
    if isinstance(error, SyntaxError) and error.filename and not error.filename.startswith("<"):
        file, line, text = error.filename, error.lineno or 0, error.msg
    what = text if isinstance(error, AgentOSError) else f"{type(error).__name__}: {text}".rstrip(": ")
    if isinstance(error, ModuleNotFoundError):
        hint = hint or f"install it for {sys.executable}, or correct the import"
    elif isinstance(error, AgentOSError):
        hint = error.hint
    where = f"{file}, line {line}: " if file else ""
    return ConfigError(
        f"the app {name} cannot be loaded: {where}{what[:_LONGEST_REASON]}",
        hint=hint or "correct it; nothing was run",
    )


def _places(error: BaseException) -> Iterator[tuple[str, int]]:
    """(file, line) of each call on the way to the exception that is neither ours nor the import system's."""
    trace = error.__traceback__
    while trace is not None:
        if not f"{trace.tb_frame.f_globals.get('__name__')}.".startswith(_NOT_ITS_OWN):
            yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
