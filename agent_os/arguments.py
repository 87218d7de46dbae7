"""The command line: one table of options, read by a quick scan where it is plain and by argparse everywhere else.

argparse takes longer to import than a run with nothing to do takes to run. So the words of a cron line (long options
in full, each value a word of its own) are read here directly; whatever else is written, mistakes too, argparse reads.
"""

from __future__ import annotations

import os
import sys

from .core.clock import Clock
from .core.errors import UsageError
from .core.text import given_twice, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Mapping, Sequence
    from typing import Any, Optional

    from .core.app import Verb
    from .core.home import Home

CHILD = "_child"  # the word with which this program starts itself, for a task that may have to be ended
CRASH = "_crash"  # the same for a run that `selftest` kills
# Verbs, each a module of `commands` (`room_of`).
VERBS = {
    "tick": "run whatever is due now; `tick --watch` stays and looks every minute",
    "schedule": "have the machine start this by itself: `schedule install`, `remove`, `status`, `show`, `import`",
    "watch": "has every task succeeded in time? exit 0 or 1, for any monitor",
    "tasks": "what can be run, and what keeps a task from running",
    "providers": "every source: what it gives, how far back, with which key, and its state on this machine",
    "plan": "what a run would do now, in which order, and how long it would take; nothing is run",
    "results": "tokens and cost by day and provider",
    "history": "the runs of the past, newest first",
    "show": "one run in full: why it failed, its attempts, steps, effects, output and log",
    "cancel": "end a run that is under way",
    "retry": "run what failed again; steps that were done are kept",
    "replay": "do what a run did once more though it succeeded, all of it or from a step on",
    "backfill": "run the days or instants of the past that are missing",
    "import": "take in figures by hand, from a CSV file: what a provider without an API has charged",
    "emit": "tasks for a scheduler that you have: airflow, kubernetes, systemd or cron; nothing is installed",
    "gaps": "what is missing, why, and until when it can still be had",
    "effects": "side effects of which nobody knows whether they happened; `effects settle` settles one",
    "outbox": "messages that were not sent yet; `outbox resend` and `outbox drop` for those that were given up",
    "prices": "what tokens cost; `prices check` looks the list over, `prices import FILE` adds to it",
    "reprice": "estimates of the past with the prices of today; --dry-run only says what would be different",
    "verify": "whether what is stored is whole, and every figure what its lines come to",
    "explain": "where a line or a day comes from: request, answer, run, price, and what it was before",
    "diff": "what has changed between two days of knowledge: restated days, old and new",
    "doctor": "is everything in order, and what to do where it is not",
    "vacuum": "forget old runs now (AGENT_OS_RETENTION_DAYS), and give their room back to the disk",
    "config": "every setting and where it comes from",
    "demo": "the whole thing on invented data, in ten seconds, without a key",
    "self-check": "whether this file is whole",
    "selftest": "whether this machine and its disk let the program keep its promises",
}
# Options of every command, and of `--task`: name -> (metavar or "" for a switch, help).
COMMON = {
    "--home": ("DIR", "folder of the database, log and settings (default: AGENT_OS_HOME, else here)"),
    "--db-path": ("FILE", "the database (AGENT_OS_DB_PATH)"),
    "--log-file": ("FILE", "the log (AGENT_OS_LOG_FILE)"),
    "--json": ("", "print JSON instead of text"),
    "--quiet": ("", "say nothing but warnings and errors"),
    "--verbose": ("", "say more"),
}
RUN = {
    "--task": ("NAME", "the task to run"),
    "--app": ("APP", "an app whose tasks to offer too: a path (./my_app.py) or a module (apps.billing_tracker)"),
    "--key": ("KEY", "exactly this slot: a day, an instant such as 2026-11-22T05:00Z, or any name; done once"),
    "--since": ("DAY", "first UTC day, as 2026-11-21; it is included"),
    "--until": ("DAY", "the UTC day to stop before, not included; alone: 35 days (the look-back) up to it"),
    "--force": ("", "do it again, whatever is stored"),
    "--from-step": ("STEP", "do it again from this step on; the steps before it are read, not run"),
    "--exit-skipped": ("N", "the exit code where nothing had to be run: done already, or disabled (default 0)"),
    "--jobs": ("N", "how many runs go on side by side (AGENT_OS_JOBS; default 8)"),
    "--table": ("TABLE", "export: results (default), lines or runs"),
    "--format": ("FORMAT", "export: csv (default) or jsonl"),
    "--out": ("FILE", "export: where to; - is standard output (default: a name with the time, in the home)"),
}
TICK = {
    "--watch": ("", "stay in the foreground and look every minute (for containers)"),
    "--scheduled": ("", "said by an installed schedule: silent where nothing is due, and never begins a database"),
    "--app": RUN["--app"],
}


class Arguments:
    """What was asked for. Opens the home it names, once."""

    def __init__(self) -> None:
        self.verb = ""
        self.task = ""
        self.app = ""
        self.key: Optional[str] = None
        self.from_step: Optional[str] = None
        self.jobs: Optional[str] = None
        self.exit_skipped: Optional[str] = None
        self.home = ""
        self.db_path: Optional[str] = None
        self.log_file: Optional[str] = None
        self.since: Optional[str] = None
        self.until: Optional[str] = None
        self.table: Optional[str] = None
        self.format: Optional[str] = None
        self.out: Optional[str] = None
        self.force = self.json = self.quiet = self.verbose = False
        self.watch = self.scheduled = self.watched = False  # of `tick`
        self.argv: Sequence[str] = ()
        self.clock = Clock()
        self.app_verb: Optional[Verb] = None  # the verb, where an app brings it
        self.hushed = False  # as if quiet on stderr, though results are shown
        self.environ: Optional[Mapping[str, str]] = None  # None: that of the process
        self._opened: Optional[Home] = None

    def open(self, *, warn: bool = True, has_ini: bool = True) -> Home:
        """The home that is meant, with its settings and log; said once if its files can be read by others. Without
        `has_ini` its agent_os.ini is left aside.
        """
        if self._opened is None:
            from .core.home import open_home

            self._opened = open_home(
                self.home,
                flags=self.flags(),
                clock=self.clock,
                stderr=sys.stderr,
                quiet=self.quiet or self.hushed,
                verbose=self.verbose,
                environ=self.environ,
                has_ini=has_ini,
            )
            for warning in self._opened.settings.warnings if warn else ():
                self._opened.log.warning("config.open_to_others", warning)
        return self._opened

    def flags(self) -> dict[str, str]:
        """The settings that stand on the command line; paths there are meant from the current directory."""
        named = {"AGENT_OS_DB_PATH": self.db_path, "AGENT_OS_LOG_FILE": self.log_file}
        return {name: path and os.path.abspath(path) for name, path in named.items() if path is not None}

    def days(self) -> tuple[Optional[str], Optional[str]]:
        """--since (included) and --until (not included), checked. Raises UsageError."""
        from .core.days import parse_day

        try:
            since = parse_day(self.since) if self.since is not None else None
            until = parse_day(self.until) if self.until is not None else None
        except ValueError as error:
            raise UsageError(str(error), hint="--since is included, --until is not") from error
        if since is not None and until is not None and until <= since:
            raise UsageError(f"--until {until} is not after --since {since}", hint="--until is not included")
        return since, until

    def whole(self, option: str, value: Optional[str], *, most: int) -> int:
        """A whole number from 1 to `most`; 0 when it was not given. Raises UsageError."""
        if value is None:
            return 0
        if value.isascii() and value.isdigit() and len(value) <= len(str(most)) and 1 <= int(value) <= most:
            return int(value)
        raise UsageError(f"--{option} is {value[:40]!r}", hint=f"give a whole number from 1 to {most}")

    @property
    def opened(self) -> Optional[Home]:
        """The home, if it was opened."""
        return self._opened


def program() -> str:
    """What the file is called that is run; a checkout is called as ours is."""
    from .core import archive

    return os.path.basename(archive.location()) if archive.is_single_file() else "agent_os.pyz"


def parse(words: Sequence[str]) -> Arguments:
    """The arguments that the words mean. Raises UsageError; `SystemExit(0)` after a verb's own `--help`."""
    if list(words) in ([CHILD], [CRASH]):
        args = Arguments()
        args.verb = words[0][1:]
        return args
    _refuse_twice(words, ("--task", "--app"))
    args = _scan(words) or _parse(words)
    if not args.app_verb:  # whose options mean what the app says
        _refuse_twice(words, ("--key",))
    args.argv = words
    return args


def _refuse_twice(words: Sequence[str], names: Sequence[str]) -> None:
    twice = given_twice(words, names)
    if twice:
        others = (
            ", or name all apps in agent_os.ini: apps = a.py, b.py"
            if twice == "--app"
            else "; another one is another call"
        )
        raise UsageError(f"{twice} is given twice", hint=f"give one{others}")


def room_of(verb: str) -> str:
    """The module of `commands` that a verb is in; `import` can be no module's name, and `emit` is a function there."""
    return {"import": "import_", "emit": "emit_"}.get(verb) or verb.replace("-", "_")


def _scan(words: Sequence[str]) -> Optional[Arguments]:
    """The plain words of a `--task` line; None for anything that argparse should look at."""
    args = Arguments()
    is_tick = bool(words) and words[0] == "tick"
    args.verb = "tick" if is_tick else "run"
    options = {**COMMON, **(TICK if is_tick else RUN)}
    left = iter(words[1:] if is_tick else words)
    for word in left:
        metavar, _ = options.get(word, ("?", ""))
        if metavar == "?":
            return None
        value = next(left, "") if metavar else True
        if not value or (metavar and str(value).startswith("-") and not (word == "--out" and value == "-")):
            return None
        setattr(args, word[2:].replace("-", "_"), value)
    return args if args.task or is_tick else None


def _parse(words: Sequence[str]) -> Arguments:
    """The same by argparse."""
    args = Arguments()
    verb, of_apps = _verb_of(words), {}
    if not verb and _bare_word(words):
        of_apps = _verbs_of_apps(words)
        verb = _bare_word(words)
    parser = _parser(verb, of_apps)
    try:
        parser.parse_args(list(words), namespace=args)
    except _WrongWordsError as error:
        _, is_no_verb, rest = str(error).partition("argument VERB: invalid choice: '")
        if is_no_verb:
            word = rest.partition("'")[0]
            close = nearest(word, (*VERBS, *of_apps, "export", "run_all"))
            hint = (
                f"did you mean {close}?"
                if close in (*VERBS, *of_apps)
                else f"a task is run by --task {close or word[:60]};"
            )
            raise UsageError(f"there is no verb {word[:60]!r}", hint=f"{hint} `--help` lists everything") from error
        hint = _advice(words) if "unrecognized" in str(error) else "`--help` lists everything"
        raise UsageError(str(error), hint=hint) from error
    if not args.verb:
        if not args.task:
            raise UsageError("neither a task nor a verb was given", hint="`--help` lists both")
        args.verb = "run"
    args.app_verb = of_apps.get(args.verb)
    if args.verb != "run" and args.task:
        raise UsageError(f"--task and the verb {args.verb} exclude each other", hint="give one of them")
    return args


def _verb_of(words: Sequence[str]) -> str:
    """The verb among the words; a word after an option that takes a value is that value."""
    options = {**COMMON, **RUN}
    before = ""
    for word in words:
        if word in VERBS and not options.get(before, ("", ""))[0]:
            return word
        before = word
    return ""


def _bare_word(words: Sequence[str]) -> str:
    """The first word that is neither an option nor the value of one."""
    options = {**COMMON, **RUN}
    before = ""
    for word in words:
        if not word.startswith("-") and not options.get(before, ("", ""))[0]:
            return word
        before = word
    return ""


def _verbs_of_apps(words: Sequence[str]) -> dict[str, Verb]:
    """The verbs that apps bring: those that are built in, that the home names, and the one after --app."""
    from .core import config
    from .core.apps import apps_of

    values = dict(zip(words, words[1:]))
    settings = config.load(home=values.get("--home", ""))
    return {name: verb for app in apps_of(settings, values.get("--app", "")) for name, verb in app.verbs.items()}


class _WrongWordsError(Exception):
    """What argparse says of words that it cannot read."""


def _parser(verb: str, of_apps: Mapping[str, Verb]) -> ArgumentParser:
    """Argparse's parser of all options, with the sub-parser of the one verb that was named."""
    import argparse

    known = Arguments()

    class Parser(argparse.ArgumentParser):
        def add_argument(self, *names: Any, **options: Any) -> Any:
            dest = options.get("dest") or names[0].lstrip("-").replace("-", "_")
            if hasattr(known, dest):  # where it is not given, what was said before the verb stands
                options["default"] = argparse.SUPPRESS
            return super().add_argument(*names, **options)

        def error(self, message: str) -> Any:
            raise _WrongWordsError(message)

        def print_help(self, file: Any = None) -> None:
            if " " not in self.prog:
                _print_help()
            else:
                super().print_help(file)

    parser = Parser(prog=program(), allow_abbrev=False)
    add_options(parser, {**COMMON, **RUN})
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    for name, text in VERBS.items():
        sub = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)
        add_options(sub, COMMON)
        if name == verb:
            module = __import__(f"{__package__}.commands.{room_of(name)}", fromlist=["add_arguments"])
            module.add_arguments(sub)
    if verb in of_apps:
        from .commands import add_app

        brought = of_apps[verb]
        sub = verbs.add_parser(verb, help=brought.doc, description=brought.doc, allow_abbrev=False)
        add_options(sub, COMMON)
        add_app(sub)
        if brought.arguments:
            brought.arguments(sub)
    return parser


def _print_help() -> None:
    from .help_page import help_text

    if sys.stdout:
        sys.stdout.write(help_text())


def add_options(parser: ArgumentParser, table: dict[str, tuple[str, str]]) -> None:
    """Add options of a table; absent ones leave the namespace as it is."""
    import argparse

    for name, (metavar, text) in table.items():
        if metavar:
            parser.add_argument(name, metavar=metavar, help=text, default=argparse.SUPPRESS)
        else:
            parser.add_argument(name, action="store_true", help=text, default=argparse.SUPPRESS)


def _advice(words: Sequence[str]) -> str:
    """The option that was probably meant, else where to look."""
    known = (*COMMON, *RUN, "--version", "--help")
    for word in words:
        close = nearest(word, known) if word.startswith("-") and word not in known else None
        if close:
            return f"did you mean {close}? `--help` lists everything"
    return "`--help` lists everything"
