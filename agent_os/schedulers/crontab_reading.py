"""A crontab: text in, entries out. As Debian's cron reads it; where others differ, a remark says so. Pure.

A user's crontab, or one of the system, which names a user in front of each command.
"""

from __future__ import annotations

from .entries import LOCAL, Entry, Found, assignment, name_of, plain_words, tells_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Optional

TAKEN = "# taken over by agent_os: "  # stands in front of what `--take-over` has put out of force
_BEGIN, _END = "# BEGIN agent_os", "# END agent_os"
_SHELLS = ("/bin/sh", "/usr/bin/sh", "sh", "/bin/dash", "/usr/bin/dash")
_NAMES = {"@every_minute": "* * * * *"}  # FreeBSD's; the others are known to `core.crontab`


def read(text: str, *, has_user: bool = False, user: str = "") -> Found:
    """Every entry of a crontab. `has_user`: its sixth field is a user; `user`: who is asking."""
    reading = _Reading(has_user=has_user, user=user)
    for number, line in _foreign(text, reading.found):
        reading.take(number, line)
    return reading.found


def put_out_of_force(text: str, numbers: set[int]) -> str:
    """The same crontab with these lines, counted from 1, as comments; every other byte stays."""
    lines = text.split("\n")
    return "\n".join(TAKEN + line if number in numbers else line for number, line in enumerate(lines, start=1))


def _foreign(text: str, found: Found) -> Iterator[tuple[int, str]]:
    """The lines that are not of our own blocks, with their numbers."""
    begun = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith(_BEGIN):
            begun = number
        elif line.startswith(_END):
            begun = 0
        elif not begun:
            yield number, line
    if begun:
        found.remarks.append(f"line {begun}: this block of agent_os has no end; what follows is left out")


class _Reading:
    """What is in force from one line to the next."""

    def __init__(self, *, has_user: bool, user: str) -> None:
        self.found = Found()
        self._has_user = has_user
        self._user = user
        self._variables: dict[str, str] = {}
        self._comments: list[str] = []

    def take(self, number: int, line: str) -> None:
        """One line."""
        bare = line.strip()
        if not bare:
            self._comments = []
        elif bare.startswith("#"):
            if not _is_put_away(bare):
                self._comments.append(bare.lstrip("# \t").rstrip())
        else:
            variable = _variable(line)
            if variable:
                self._set(number, *variable)
            else:
                self._add(number, line)
            self._comments = []

    def _set(self, number: int, name: str, value: str) -> None:
        self._variables[name] = value
        if name == "MAILTO":
            whom = f"mail to {value}" if value else "no mail"
            says = "here `show` has what a task says, and `watch` or ping = URL tell of failures"
            self.found.remarks.append(f"line {number}: MAILTO: {whom}; {says}")
        elif name in ("LOGNAME", "USER"):
            self.found.remarks.append(f"line {number}: {name} is not cron's to set; left out")
        elif name == "TZ":
            says = "the commands get it; cron itself goes by the machine's zone, and so do the tasks (timezone = local)"
            self.found.remarks.append(f"line {number}: TZ: {says}")

    def _add(self, number: int, line: str) -> None:
        entry = Entry(f"line {number}")
        entry.handle = str(number)
        entry.doc = _documentation(self._comments)
        self.found.entries.append(entry)
        if line.endswith("\r"):
            entry.remarks.append("the line ends in a carriage return, which is left out")
        times, rest = _split(line.rstrip("\r").lstrip(" \t"))
        user = ""
        if self._has_user:
            user, _, rest = _word(rest)
        command, standard_input = _at_percent(rest)
        entry.name = name_of(command)
        if any("\ud800" <= letter <= "\udfff" for letter in line):
            entry.refusals.append("it is not UTF-8")
        self._time(entry, times)
        if not command.strip() and times:
            entry.refusals.append("it has no command")
        if user and user != self._user:
            entry.remarks.append(f"there it runs as {user[:40]}, here as whoever runs agent_os")
        if "\\\\" in rest:
            entry.remarks.append("two backslashes are one, as Debian's cron and macOS read them; cronie keeps both")
        self._environment(entry)
        self._command(entry, command, standard_input)

    def _time(self, entry: Entry, times: str) -> None:
        zone = self._variables.get("CRON_TZ", LOCAL) or LOCAL
        if zone != LOCAL:
            entry.remarks.append("CRON_TZ is taken as its time zone, though some crons (Debian's) do not know it")
        if times.lower() == "@reboot":
            entry.has_time = False
            entry.refusals.append("@reboot is no time: a task is due by the clock; leave the line where it is")
        elif not times:
            entry.refusals.append("it cannot be read: neither five fields and a command nor NAME=value")
        else:
            entry.schedule(_NAMES.get(times.lower(), times), zone=zone)

    def _environment(self, entry: Entry) -> None:
        """What cron sets for each command: what stands above it, and the folder it starts in."""
        for name, value in self._variables.items():
            if name == "RANDOM_DELAY" and value.isdigit() and int(value):
                entry.options["jitter"] = f"{int(value)}m"
            elif name not in _OF_CRON:
                entry.set_env(name, value)
        entry.cwd = self._variables.get("HOME") or "~"

    def _command(self, entry: Entry, command: str, standard_input: Optional[str]) -> None:
        command = _without_secrets(entry, command)
        shell = self._variables.get("SHELL") or "/bin/sh"
        words = plain_words(command)
        if standard_input is not None:
            import shlex

            said = "printf " + shlex.quote(_format(standard_input))
            entry.script = f"{said} | {command.strip() if words else shlex.join([shell, '-c', command])}"
        elif words:
            entry.words = words
        elif shell in _SHELLS:
            entry.script = command
        else:
            entry.words = (shell, "-c", command)


_OF_CRON = (
    "MAILTO",
    "MAILFROM",
    "CONTENT_TYPE",
    "CONTENT_TRANSFER_ENCODING",
    "CRON_TZ",
    "LOGNAME",
    "USER",
    "RANDOM_DELAY",
)


def _documentation(comments: list[str]) -> str:
    """What the comments right above an entry say of it; the legend that crontabs come with says nothing."""
    if any(comment.startswith(("|", ".--")) or "dom mon dow" in comment for comment in comments):
        return ""
    return " ".join(filter(None, comments))


def _is_put_away(comment: str) -> bool:
    """Whether a comment is an entry or a variable that is out of force: it documents nothing, and may hold a secret."""
    bare = comment.lstrip("# \t")
    first = bare.partition("=")[0].strip()
    is_variable = "=" in bare and first.isidentifier()
    times, command = _split(bare)
    return comment.startswith(TAKEN.strip()) or is_variable or bool(times and command and _is_time(times))


def _is_time(text: str) -> bool:
    return text.startswith("@") or all(set(field) <= set("0123456789*,-/") for field in text.split()[:2])


def _variable(line: str) -> Optional[tuple[str, str]]:
    """Name and value of a line that sets a variable; None for any other."""
    left = line.strip()
    if left[:1] in "'\"":
        name, end, rest = left[1:].partition(left[0])
        rest = rest.lstrip()
        if not end or not rest.startswith("="):
            return None
        value = rest[1:]
    else:
        name, equals, value = left.partition("=")
        name = name.rstrip()
        if not equals or not name or any(letter.isspace() for letter in name):
            return None
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return name, value


def _split(line: str) -> tuple[str, str]:
    """The time of an entry, a name or five fields, and the rest; ("", line) where there are not so many."""
    if line.startswith("@"):
        name, _, rest = _word(line)
        return name, rest
    fields, rest = [], line
    for _ in range(5):
        field, _, rest = _word(rest)
        if field:
            fields.append(field)
    return (" ".join(fields), rest) if len(fields) == 5 else ("", line)


def _word(text: str) -> tuple[str, str, str]:
    """The first word, the blanks after it, and what follows those."""
    end = next((place for place, letter in enumerate(text) if letter in " \t"), len(text))
    rest = text[end:].lstrip(" \t")
    return text[:end], text[end : len(text) - len(rest)], rest


def _at_percent(text: str) -> tuple[str, Optional[str]]:
    r"""The command, and what it finds on its standard input: all after the first bare %. `\%` is a %, `\\` is a `\`."""
    command, place = "", 0
    while place < len(text):
        letter = text[place]
        if letter == "%":
            return command, _input(text[place + 1 :])
        if letter == "\\" and text[place + 1 : place + 2] in ("%", "\\"):
            place += 1
            letter = text[place]
        command += letter
        place += 1
    return command, None


def _input(text: str) -> str:
    r"""What stands after the first %: each further one ends a line, and so does the end; `\%` is a %."""
    lines = text.replace("\\%", "\0").replace("%", "\n").replace("\0", "%")
    return lines if lines.endswith("\n") or not lines else f"{lines}\n"


def _format(text: str) -> str:
    """A format of `printf` that writes this text."""
    said = text.replace("\\", "\\\\").replace("%", "%%").replace("\r", "\\r").replace("\n", "\\n")
    return f"\\055{said[1:]}" if said.startswith("-") else said  # else it would be an option


def _without_secrets(entry: Entry, command: str) -> str:
    """Secrets that are set in front of the command become variables of the task; others are told of."""
    left = command.strip()
    kept = []
    while True:
        name, value, rest = assignment(left)
        if not name:
            break
        if tells_secret(name):
            entry.set_env(name, value)
        else:
            kept.append(left[: len(left) - len(rest)])
        left = rest
    if entry.secrets and kept:
        left = "".join(kept) + left
    elif not entry.secrets:
        left = command
    if any(tells_secret(word.rpartition("=")[0].lstrip("-").replace("-", "_")) for word in left.split() if "=" in word):
        entry.remarks.append("its command seems to hold a secret: better put that into .env, and env.X = env:X here")
    return left
