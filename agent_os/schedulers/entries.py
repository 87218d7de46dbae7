"""What a scheduler of this machine starts, in our words: the value that the readers make and `ini_writing` writes down.

Pure. Nothing is ever dropped without a word: what cannot be carried over stands in `refusals`, what is left for people
to do in `open_ends`, and what they should know in `remarks`.
"""

from __future__ import annotations

import posixpath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Optional

LOCAL = "local"  # as a time zone: that of the machine
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
PLAIN = frozenset(_LETTERS + "0123456789_./:=@%+,-")  # what means itself in a shell
# What a shell does itself, or what is no command at all.
_OF_SHELLS = frozenset(
    (
        *("!", ".", ":", "[", "[[", "{", "alias", "bg", "break", "builtin", "case", "cd", "command", "continue", "do"),
        *("done", "echo", "elif", "else", "esac", "eval", "exec", "exit", "export", "false", "fg", "fi", "for"),
        *("function", "getopts", "hash", "if", "in", "jobs", "kill", "let", "local", "printf", "pwd", "read"),
        *("readonly", "return", "select", "set", "shift", "source", "test", "then", "time", "times", "trap", "true"),
        *("type", "typeset", "ulimit", "umask", "unalias", "unset", "until", "wait", "while", "}"),
    )
)
_PASSED_OVER = frozenset(
    (
        *(".", ":", "[", "[[", "case", "cd", "chmod", "date", "done", "echo", "elif", "esac", "exit", "export"),
        *("false", "fi", "for", "mkdir", "printf", "read", "set", "sleep", "source", "test", "true", "ulimit"),
        *("umask", "until", "wait", "while", "}"),
    )
)  # what does not say what a line is for
_WRAPPERS = {
    **dict.fromkeys(("chronic", "command", "env", "eval", "exec", "nohup", "setsid", "sudo", "time"), 0),
    **dict.fromkeys(("nice", "ionice", "taskset", "chrt"), 0),
    **dict.fromkeys(("caffeinate", "if", "then", "do", "else", "!", "{", "systemd-cat", "stdbuf", "unbuffer"), 0),
    **dict.fromkeys(("timeout", "flock", "chroot", "su", "runuser"), 1),
}  # program -> how many words of its own follow its options
_WITH_VALUE = {
    "env": "-u",
    "flock": "-w -E",
    "ionice": "-c -n -p",
    "nice": "-n",
    "runuser": "-u -g",
    "sudo": "-u -g",
    "systemd-cat": "-t -p",
    "time": "-o -f",
    "timeout": "-k -s",
}  # options of those that take a word
_RUN_SCRIPTS = ("python", "perl", "ruby", "node", "php", "bash", "sh", "zsh", "dash", "ksh", "fish", "Rscript", "pwsh")
_ENDINGS = (".sh", ".bash", ".py", ".pl", ".rb", ".js", ".php", ".exe", ".bat", ".r", ".R")


class Entry:
    """One entry. Either `words` (a program and its arguments) or `script` (text for /bin/sh) says what is run.

    `schedules` has a text of `core.cron` each; more than one become as many tasks. `zone` is theirs.
    """

    def __init__(self, where: str) -> None:
        self.where = where  # "line 12", "backup.timer": for people
        self.handle = ""  # what its scheduler knows it by: the number of a line, a unit, a label
        self.has_time = True  # False: what starts it is no time, and nobody expects it to be taken over
        self.name = ""
        self.doc = ""
        self.schedules: list[str] = []
        self.zone = LOCAL
        self.words: tuple[str, ...] = ()
        self.script = ""
        self.cwd = "~"
        self.env: dict[str, str] = {}
        self.secrets: dict[str, str] = {}  # variables of which the value is never written
        self.options: dict[str, str] = {}  # further options of the task: timeout, catch_up, jitter
        self.remarks: list[str] = []
        self.open_ends: list[str] = []  # it can be written down, but is not complete before someone has done this
        self.refusals: list[str] = []  # why it cannot be written down

    def __repr__(self) -> str:
        return f"<{self.where}: {self.name}>"

    def set_env(self, name: str, value: str) -> None:
        """Give its command a variable."""
        (self.secrets if tells_secret(name) else self.env)[name] = value
        if not (name.isascii() and name.isidentifier()):
            self.env.pop(name, None)
            self.secrets.pop(name, None)
            self.open_ends.append(f"the variable {name[:40]!r} cannot be set: env.X takes letters, digits and _")

    def schedule(self, *texts: str, zone: str = LOCAL) -> None:
        """When it is due; what our schedules cannot mean is a refusal."""
        from ..core.cron import Schedule

        self.zone = zone
        for text in texts:
            try:
                if not text.startswith("every "):
                    Schedule(text)
                if zone != LOCAL:
                    Schedule("@daily", zone)
            except ValueError as error:
                self.refusals.append(str(error))
            self.schedules.append(text)


class Found:
    """What one source holds. `remarks` are about all of it."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.remarks: list[str] = []


def tells_secret(name: str) -> bool:
    """Whether a variable of this name holds something that must never be shown; more careful than with our settings."""
    from ..core.config import is_secret

    return is_secret(f"_{name}") or name.upper().endswith(("PASSWORD", "PASSWD", "APIKEY"))


def every(seconds: float) -> str:
    """`every 15m` for an interval; "" for one that is not of whole minutes."""
    minutes = int(seconds // 60)
    if minutes < 1 or minutes * 60 != seconds:
        return ""
    for unit, length in (("d", 1440), ("h", 60)):
        if minutes % length == 0:
            return f"every {minutes // length}{unit}"
    return f"every {minutes}m"


def duration(seconds: float) -> str:
    """A duration as the options of a task take it: `90s`, `5m`."""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{int(seconds) // length}{unit}"
    return f"{seconds:g}s" if seconds < 100_000 else f"{int(seconds)}s"


# --- commands ---------------------------------------------------------------------------------------------------------


def plain_words(text: str) -> tuple[str, ...]:
    """The words of a command that no shell is needed for; () when one is.

    That is when every character means itself, quoted or not, and the first word is a program that is found without
    the folder it is started in.
    """
    import shlex

    bare = _without_quotations(text)
    if bare is None or not set(bare) <= PLAIN | {" ", "\t"}:
        return ()
    words = tuple(shlex.split(text))
    if not words or not words[0] or words[0] in _OF_SHELLS or not set(words[0]) <= PLAIN - {"="}:
        return ()
    return words if "/" not in words[0] or words[0].startswith("/") else ()


def _without_quotations(text: str) -> Optional[str]:
    """The text with every quotation as one letter; None where one holds what means something, or does not end."""
    bare, left = "", text
    while left:
        head, quote, rest = _partition_any(left, "'\"")
        bare += head + ("q" if quote else "")
        inner, end, left = rest.partition(quote) if quote else ("", "", "")
        if (quote and not end) or "\n" in inner or (quote == '"' and set(inner) & set("$`\\!")):
            return None
    return bare


def _partition_any(text: str, letters: str) -> tuple[str, str, str]:
    place = min((text.find(letter) for letter in letters if letter in text), default=-1)
    return (text, "", "") if place < 0 else (text[:place], text[place], text[place + 1 :])


def assignment(text: str) -> tuple[str, str, str]:
    """`NAME=value rest` as its three parts, where the value is plain or one quotation; ("", "", text) otherwise."""
    name, equals, rest = text.partition("=")
    if not (equals and name.isascii() and name.isidentifier()):
        return "", "", text
    quote = rest[:1] if rest[:1] in ("'", '"') else ""
    if quote:
        value, end, after = rest[1:].partition(quote)
        is_clean = bool(end) and (quote == "'" or not set(value) & set("$`\\"))
    else:
        value, _, after = rest.partition(" ")
        after = f" {after}"
        is_clean = set(value) <= PLAIN
    if not is_clean or not after.startswith((" ", "\t")) or not after.strip():
        return "", "", text
    return name, value, after.strip()


# --- names ------------------------------------------------------------------------------------------------------------


def name_of(text: str) -> str:
    """What a task with this command may be called: its program or script, without folder and ending."""
    for part in _simple_commands(text):
        name = _telling(part)
        if name:
            return name_from(name)
    return "task"


def name_from(text: str) -> str:
    """A name for a task, made of any text."""
    from ..core.spec import LONGEST_NAME

    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_-.") else "_" for letter in text)
    kept = kept.strip("_-.") or "task"
    return (kept if kept[0].isalpha() else f"task_{kept}")[: LONGEST_NAME - 6].rstrip("_-.")


def unique(name: str, taken: Collection[str]) -> str:
    """The name itself, or the first of `name_2`, `name_3`... that nobody has."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def _simple_commands(text: str) -> Iterable[list[str]]:
    """The commands of a shell line, roughly: good enough to name it."""
    import shlex

    reader = shlex.shlex(text, posix=True, punctuation_chars="();<>|&")
    reader.whitespace_split = True
    reader.commenters = ""
    words: list[str] = []
    try:
        for word in reader:
            if word and set(word) <= set("();|&"):
                yield words
                words = []
            else:
                words.append(word)
    except ValueError:  # a quotation that does not end
        words = words or text.split()
    yield words


def _telling(words: Sequence[str]) -> str:
    """The word of a command that says what it does; "" where none does."""
    left = list(words)
    while left:
        word = left.pop(0)
        base = posixpath.basename(word)
        if set(word) <= set("<>"):  # a redirection and its file
            left[:1] = []
        elif base in _WRAPPERS:
            _drop_options(left, base)
        elif word in _PASSED_OVER:
            return ""
        elif base.rstrip("0123456789.").lower() in {name.lower() for name in _RUN_SCRIPTS}:
            return _script(left) or base
        elif not word.startswith("-") and not ("=" in word and word.partition("=")[0].isidentifier()):
            return _stem(base)
    return ""


def _drop_options(words: list[str], wrapper: str) -> None:
    own = _WRAPPERS[wrapper]
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option in _WITH_VALUE.get(wrapper, "").split() and words:
            words.pop(0)
    while words and "=" in words[0]:
        words.pop(0)
    if len(words) > own:
        words[:own] = []


def _script(words: Sequence[str]) -> str:
    """What an interpreter runs: a file, or the module after -m; what stands after -c is looked into."""
    for number, word in enumerate(words):
        if word == "-m" and number + 1 < len(words):
            return words[number + 1]
        if word.startswith("-") and word.endswith("c") and not word.startswith("--") and number + 1 < len(words):
            return name_of(words[number + 1]) if " " in words[number + 1] else words[number + 1]
        if not word.startswith("-"):
            return _stem(posixpath.basename(word))
    return ""


def _stem(base: str) -> str:
    return next((base[: -len(ending)] for ending in _ENDINGS if base.endswith(ending) and base != ending), base)
