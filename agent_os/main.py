"""Composition root: reads the command line, calls one verb, and turns whatever comes of it into an exit code.

The error boundary is here and nowhere else. `--version` must be there at once: it imports nothing.
"""

from __future__ import annotations

import sys

from . import __version__, exits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Optional

    from .arguments import Arguments
    from .core.clock import Clock
    from .core.errors import AgentOSError


def main(argv: Optional[Sequence[str]] = None, *, clock: Optional[Clock] = None) -> int:
    """Run one command and return its exit code. No exception leaves."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if "--version" in words or words == ["-V"]:
        return _Boundary().call(_version)
    if not words or words in (["--help"], ["-h"]):
        return _Boundary().call(lambda: _help(exits.OK if words else exits.USAGE))
    return _Boundary(clock).execute(words)


def run_all_collectors(home: str = "") -> int:
    """Collect whatever is due, as `--task run_all --quiet` does, and return the exit code; for whoever vendors us."""
    words = ["--task", "run_all", "--quiet"]
    return _Boundary().execute([*words, "--home", home] if home else words)


def _help(code: int) -> int:
    from .help_page import help_text

    if sys.stdout:
        sys.stdout.write(help_text())
    return code


def _version() -> int:
    from _sqlite3 import sqlite_version  # the library alone: the package sqlite3 takes ten times as long to import

    from .core.archive import built_from

    built = built_from()
    python = ".".join(map(str, sys.version_info[:3]))
    made = f"commit {built['commit'][:12]}, build {built['build_id'] or 'none'}"
    if sys.stdout:
        sys.stdout.write(f"agent_os {__version__} ({made}), Python {python}, SQLite {sqlite_version}\n")
    return exits.OK


class _Boundary:
    """Where every command ends: an exception becomes one sentence on stderr, and an exit code."""

    def __init__(self, clock: Optional[Clock] = None) -> None:
        self.args: Optional[Arguments] = None
        self._clock = clock
        self._is_json = False

    def execute(self, words: Sequence[str]) -> int:
        """Run the verb that the words name."""
        self._is_json = "--json" in words  # also where the rest of them cannot be read

        def verb() -> int:
            from .arguments import parse, room_of

            args = self.args = parse(words)
            args.clock = self._clock or args.clock
            room = "app_verb" if args.app_verb else room_of(args.verb)
            module = __import__(f"{__package__}.commands.{room}", fromlist=["execute"])
            return int(module.execute(args))

        from .core.signals import StopSignals

        with StopSignals() as signals:
            return self.call(verb, ended=signals.over)

    def call(self, command: Callable[[], int], *, ended: Callable[[], None] = lambda: None) -> int:
        """The exit code of the command, after its output has left. `ended` hears of the end of its work."""
        try:
            try:
                code = command()
                if sys.stdout:
                    sys.stdout.flush()
            finally:
                ended()
            if code in exits.NAMES and code != exits.OK:
                self._say_json(code, "not everything was done", "the lines above say what failed")
            elif code != exits.OK:  # the one that --exit-skipped asked for
                self._say_json(code, "nothing had to be run", "")
        except BaseException as error:  # noqa: BLE001 (the boundary: nothing may pass)
            code = self._judge_anyhow(error)
        finally:
            self._close()
            _drop_output()
        return code

    def _judge_anyhow(self, error: BaseException) -> int:
        """As `_judge`; where even that finds no memory or opens no file, that is what has to be said."""
        try:
            return self._judge(error)
        except Exception as worse:  # noqa: BLE001 (the last resort: there is nobody left to pass it to)
            ours = as_ours(worse)
            _write_error(f"error: {ours.message if ours else f'{type(error).__name__}: {error}'}")
            return exits.of(ours) if ours else exits.BUG

    def _judge(self, error: BaseException) -> int:
        """The exit code that an exception comes to; whatever has to be said of it is said."""
        from .core.errors import Stopped
        from .core.signals import is_left_to_parent

        if isinstance(error, SystemExit):  # argparse, after it printed a verb's help
            return int(error.code or 0)
        if isinstance(error, BrokenPipeError):
            return exits.PIPE
        if isinstance(error, (Stopped, KeyboardInterrupt)):
            number = error.signal_number if isinstance(error, Stopped) else 2
            if is_left_to_parent():
                return exits.SIGNAL + number
            return self._say(exits.SIGNAL + number, f"stopped by signal {number}", "what was not finished is due again")
        home = self.args and self.args.opened
        ours = as_ours(error, home.db_path if home else "the database")
        if ours is None:
            return self._fault(error)
        return self._say(exits.of(ours), ours.message, ours.hint)

    def _fault(self, error: BaseException) -> int:
        """A fault of the program: the traceback goes to the log, a sentence to the person."""
        import traceback

        home = self.args and self.args.opened
        if home:
            trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            home.log.debug("fault", f"{type(error).__name__}: {error}", traceback=trace)
        where = "the log has the traceback; please report it" if home else "please report it"
        return self._say(exits.BUG, f"a fault in Agent OS: {type(error).__name__}: {error}", where)

    def _say(self, code: int, message: str, hint: str) -> int:
        """One line on stderr, and in the log when there is a home."""
        home = self.args and self.args.opened
        from .core.errors import sentence

        if home:
            home.log.error("exit", sentence(message, hint), code=code)
        elif sys.stderr:
            from .core.redactor import Redactor
            from .core.text import safe

            _write_error("error: " + safe(Redactor().text(sentence(message, hint))))
        self._say_json(code, message, hint)
        return code

    def _say_json(self, code: int, message: str, hint: str) -> None:
        """With --json the last line of stderr is the exit, for programs."""
        if not (self._is_json and sys.stderr):
            return
        import json

        home = self.args and self.args.opened
        redact = home.redactor.text if home else str
        name = exits.NAMES.get(code, f"SIGNAL {code - exits.SIGNAL}" if code > exits.SIGNAL else "SKIPPED")
        record = {"type": "exit", "code": code, "name": name, "message": redact(message), "hint": redact(hint)}
        _write_error(json.dumps(record))

    def _close(self) -> None:
        home = self.args and self.args.opened
        if home:
            try:
                home.close()
            except Exception as error:  # noqa: BLE001 (everything is stored by now; the exit code must stand)
                _write_error(f"warning: closing the database: {error}")


def as_ours(error: BaseException, db_path: str = "the database") -> Optional[AgentOSError]:
    """The error of ours that an exception amounts to; None for one that only a fault of the program explains."""
    from .core.errors import AgentOSError, import_failure, os_failure, out_of_memory

    if isinstance(error, AgentOSError):
        return error
    if isinstance(error, MemoryError):
        return out_of_memory()
    if isinstance(error, ImportError):
        return import_failure(error)
    if isinstance(error, OSError):
        return os_failure(f"using {error.filename}" if error.filename else "writing the output", error)
    if type(error).__module__ == "sqlite3" and isinstance(error, Exception):
        from .core.db import failure

        return failure(error, db_path)
    return None


def _write_error(line: str) -> None:
    try:
        if sys.stderr:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
    except (OSError, ValueError):
        pass  # nobody is listening; the exit code says it too


def _drop_output() -> None:
    from .commands import drop_output

    try:
        drop_output()
    except OSError:
        return  # no file can be opened any more; the exit code stands
