"""A note that nothing is due before an instant, so that a tick with nothing to do ends before anything is opened.

It counts only as long as all is as it was: the program, the settings files, the environment, the words of the command,
the database and the number of its last commit, the zone of the machine, and a clock that has not gone back. And never
for longer than an hour, for what else may change. Losing it costs a look, no more.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAME = "agent_os.db.idle"
LONGEST_SECONDS = 3600
_LARGEST = 16_384
_LARGEST_READ = 1 << 20  # of a file of settings; what comes after it is told by length and time alone
_SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_VOLATILE = ("PWD", "OLDPWD", "SHLVL", "_", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "MANAGERPID")


def mark_of(words: Sequence[str], environ: Mapping[str, str], *, program: str, zone_seconds: int) -> str:
    """What a note is good for: this program, these words, this environment, in this zone."""
    from zlib import crc32

    kept = sorted((name, value) for name, value in environ.items() if name not in _VOLATILE)
    text = repr((list(words), kept, zone_seconds, program)).encode("utf-8", "surrogatepass")
    return f"{crc32(text):08x}-{_stamp(program)}"


def state_of(home: str, db_path: str) -> str:
    """The path of the database, and what it and the files of settings are like now, in two lines."""
    settings = (os.path.join(home, ".env"), os.path.join(home, "agent_os.ini"))
    seen = [*map(_content, settings), _stamp(db_path), _length(db_path + "-wal"), _commits(db_path)]
    return "\n".join([db_path, " ".join(seen)])


def next_at(home: str, *, mark: str, now: str) -> str:
    """When something is due next, "never" where nothing ever is; `""` where no note says that nothing is due now."""
    try:
        fd = os.open(os.path.join(home, NAME), os.O_RDONLY | _SAFELY)
        try:
            text = os.read(fd, _LARGEST).decode("utf-8")
        finally:
            os.close(fd)
        written_at, until, following, theirs, db_path, state, end = text.split("\n")
    except (OSError, ValueError):
        return ""
    if (
        not mark
        or theirs != mark
        or end
        or not written_at <= now < until
        or state_of(home, db_path) != f"{db_path}\n{state}"
    ):
        return ""
    return following


def write(home: str, *, mark: str, state: str, span: tuple[str, str], following: str) -> None:
    """Leave a note, good from the first instant of `span` up to the second. What cannot be written is done without.

    One with an empty mark says nothing but that somebody has looked.
    """
    text = "\n".join([*span, following, mark, state, ""])
    path = os.path.join(home, NAME)
    part = f"{path}.{os.getpid()}.part"
    try:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError:
        return
    try:
        try:
            os.write(fd, text.encode("utf-8"))
        finally:
            os.close(fd)
        os.replace(part, path)
    except (OSError, UnicodeError):
        try:
            os.unlink(part)
        except OSError:
            return


def _stamp(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return "-"
    return f"{found.st_mtime_ns}.{found.st_size}.{found.st_ino}"


def _content(path: str) -> str:
    """A file of settings: also what is in it, since two edits may be of the same length and, for the clock of a file
    system, at the same time.
    """
    from zlib import crc32

    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return _stamp(path)
    try:
        found = os.fstat(fd)
        text = os.read(fd, min(found.st_size + 1, _LARGEST_READ))
    except OSError:
        return _stamp(path)
    finally:
        os.close(fd)
    return f"{found.st_mtime_ns}.{found.st_size}.{found.st_ino}.{crc32(text):x}"


def looked(home: str) -> None:
    """Leave a sign that somebody has looked just now, for `schedule status`: the time of the note, if there is one."""
    try:
        os.utime(os.path.join(home, NAME))
    except OSError:
        return


def looked_at(home: str) -> float:
    """When somebody has looked last, in seconds since 1970; 0.0 where nobody has left a sign."""
    try:
        return os.stat(os.path.join(home, NAME)).st_mtime
    except OSError:
        return 0.0


def _length(path: str) -> str:
    """How long a file is; those who only read make an empty log anew each time."""
    try:
        return str(os.stat(path).st_size)
    except OSError:
        return "0"


def _commits(db_path: str) -> str:
    """The id of the database and the number of its last commit, as its note has them."""
    try:
        with open(db_path + ".id", "rb") as file:
            return repr(file.read(200))
    except OSError:
        return "-"
