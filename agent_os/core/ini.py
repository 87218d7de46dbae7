"""What agent_os.ini declares beside settings: tasks that are commands, and the limits that tasks share.

A task is read without being judged: whatever is wrong with it is in its `faults`. Values of variables are never shown.
"""

from __future__ import annotations

import os

from . import ini_file
from .config import REFERENCE, is_secret
from .errors import ConfigError
from .spec import Task, is_name
from .text import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .config import Settings

DECLARED = (
    *("after", "schedule", "timezone", "retries", "backoff", "timeout", "catch_up", "overlap", "partition", "needs"),
    *("limits", "cost_limit", "cost", "after_failure"),
    *("dst", "jitter", "period", "grace", "min_duration", "min_output", "ping"),
)  # what every task may say, whatever it is
OPTIONS = ("command", "shell", "cwd", "doc", *DECLARED)
MOST_AT_ONCE = 1000
_TASK = "task:"
_ENV = "env."
_WINDOWS = os.name == "nt"
_SHORTEST_SECRET = 6  # a shorter one equals ordinary values
_TELLING_SECRET = 16  # one of this length is no accident inside a longer value


def tasks_of(settings: Settings) -> list[Task]:
    """The tasks of the sections [task:NAME], in the order of the file. Never raises: their faults say what is wrong."""
    return [
        _task(section, options, settings) for section, options in settings.sections.items() if section.startswith(_TASK)
    ]


def limits_of(settings: Settings) -> dict[str, int]:
    """How many tasks may hold each named limit at once. Raises ConfigError that says all that cannot be meant."""
    value, source = settings.find("AGENT_OS_LIMITS")
    found: dict[str, int] = {}
    faults = []
    for part in filter(None, map(str.strip, value.replace("\n", ",").split(","))):
        name, equals, number = (text.strip() for text in part.partition("="))
        if not is_name(name):
            faults.append(f"{name[:40]!r} is no name")
        elif name in found:
            faults.append(f"{name} is set twice")
        elif not (number.isascii() and number.isdigit() and len(number) <= 4 and 1 <= int(number) <= MOST_AT_ONCE):
            faults.append(f"{name} is {number[:40]!r}" if equals else f"{name} has no number")
        else:
            found[name] = int(number)
    if faults:
        hint = f"write a name, = and a number from 1 to {MOST_AT_ONCE} for each, as in openai = 1"
        raise ConfigError(f"AGENT_OS_LIMITS (from {source}): {'; '.join(faults)}", hint=hint)
    return found


def env_of(task: Task, settings: Settings) -> dict[str, str]:
    """The environment for a command: ours without secrets, and what the task declares, `env:NAME` resolved.

    A secret is what is named as one, and what holds the value of one. Raises ConfigError for a NAME that is not set.
    """
    secrets = [secret for secret in settings.secrets() if len(secret) >= _SHORTEST_SECRET]
    environment = {
        name: value
        for name, value in settings.environment().items()
        if not (is_secret(name) or any(_holds(value, secret) for secret in secrets))
    }
    for name, text in task.env.items():
        environment[name.upper() if _WINDOWS else name] = _resolved(task, name, settings) if _refers(text) else text
    return environment


def command_words(text: str, *, windows: bool) -> list[str]:
    """The words of a command that no shell sees. ValueError for a quote that is not closed.

    By the rules of a POSIX shell, a backslash at the end of a line included; on Windows, where it is part of a path,
    only quotes around words count.
    """
    import shlex

    if not windows:
        return shlex.split(text.replace("\\\n", " "))  # shlex would take the end of the line for a letter
    words = shlex.split(text, posix=False)
    return [word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word for word in words]


def shell_words(text: str, *, comspec: str) -> list[str]:
    """The words that have a shell run the text: /bin/sh, or the `comspec` of Windows, which takes a line at most."""
    if not comspec:
        return ["/bin/sh", "-c", text]
    return [comspec, "/c", " & ".join(filter(None, map(str.strip, text.split("\n"))))]


def _task(section: str, options: Mapping[str, str], settings: Settings) -> Task:
    source = f"{os.path.join(settings.home, ini_file.NAME)} [{section}]"
    task = Task(section[len(_TASK) :], kind="command", source=source)
    for option, value in options.items():
        if option.startswith(_ENV):
            _declare_variable(task, option[len(_ENV) :], value)
        elif option not in OPTIONS:
            close = nearest(option, OPTIONS)
            task.fault(f"{option[:40]} is no option" + (f"; did you mean {close}?" if close else ""))
    task.doc = options.get("doc", "").strip()
    task.cwd = _from_home(options.get("cwd", ""), settings.home)
    task.command = _command(task, options, settings)
    return task.declare({name: options[name] for name in DECLARED if name in options})


def _declare_variable(task: Task, name: str, value: str) -> None:
    """Note a variable for the command, as it is given: what it refers to is looked up when the task runs."""
    if not _is_variable(name):
        task.fault(f"{_ENV}{name[:40]} is not the name of a variable: letters, digits and _ (no digit first)")
    elif _refers(value) and not _is_variable(_referred(value)):
        task.fault(f"{_ENV}{name} begins with {REFERENCE} and names no setting; write {_ENV}{name} = {REFERENCE}NAME")
    else:
        task.env[name] = value


def _command(task: Task, options: Mapping[str, str], settings: Settings) -> tuple[str, ...]:
    text = options.get("command", "").strip()
    if not text:
        task.fault("command is empty" if "command" in options else "it has no command")
    elif _is_shell(task, options.get("shell", "no")):
        comspec = settings.environment().get("COMSPEC") or "cmd.exe"
        return tuple(shell_words(text, comspec=comspec if _WINDOWS else ""))
    else:
        return _program(task, text, settings.home)
    return ()


def _is_shell(task: Task, value: str) -> bool:
    from configparser import ConfigParser

    found = ConfigParser.BOOLEAN_STATES.get(value.lower())
    if found is None:
        task.fault(f"shell is {value[:40]!r}; it is yes or no")
    return bool(found)


def _program(task: Task, text: str, home: str) -> tuple[str, ...]:
    """The words of a command; a program that is named by a path is meant from the home."""
    try:
        words = command_words(text, windows=_WINDOWS)
    except ValueError:
        task.fault("command ends inside a quotation, or in a backslash")
        return ()
    if not words[0]:
        task.fault("command begins with an empty word, which is no program")
        return ()
    is_path = "/" in words[0] or (_WINDOWS and "\\" in words[0])
    return (_from_home(words[0], home) if is_path else words[0], *words[1:])


def _from_home(path: str, home: str) -> str:
    return os.path.normpath(os.path.join(home, os.path.expanduser(path.strip())))


def _is_variable(name: str) -> bool:
    return name.isascii() and name.isidentifier()


def _refers(value: str) -> bool:
    return value.startswith(REFERENCE)


def _referred(value: str) -> str:
    return value[len(REFERENCE) :].strip()


def _resolved(task: Task, name: str, settings: Settings) -> str:
    setting = _referred(task.env[name])
    value = settings.get(setting)
    if not value:
        raise ConfigError(
            f"{_ENV}{name} names {setting}, which is not set",
            hint=f"put {setting}=... into {os.path.join(settings.home, '.env')} (chmod 600)",
        )
    return value


def _holds(value: str, secret: str) -> bool:
    return value.strip() == secret or (len(secret) >= _TELLING_SECRET and secret in value)
