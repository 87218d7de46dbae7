"""Everything one home consists of, put together once: settings, secrets to hide, log, database."""

from __future__ import annotations

import os
import stat

from . import config, files
from .errors import ConfigError
from .logger import Log, Redactor
from .opening import open_to_read, open_to_write
from .store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Optional, TextIO

    from .clock import Clock
    from .http_client import HttpClient


class Home:
    """A home that is open: where its files are, its settings, its log, and its database when it is asked for."""

    def __init__(self, settings: config.Settings, *, clock: Clock, log: Log, redactor: Redactor) -> None:
        self.settings = settings
        self.clock = clock
        self.log = log
        self.redactor = redactor
        self.db_path = settings.path("AGENT_OS_DB_PATH")
        self._store: Optional[Store] = None

    def store(self, *, write: bool = False) -> Store:
        """The database of this home: opened once, to read or to write; made by the first writer."""
        self.refuse_no_path()
        if self._store is None:
            opened = open_to_write if write else open_to_read
            self._store = Store(opened(self.db_path, clock=self.clock))
        return self._store

    def refuse_no_path(self) -> None:
        """Raise ConfigError where no database is named."""
        if not self.db_path:
            source = self.settings.find("AGENT_OS_DB_PATH")[1]
            raise ConfigError(
                f"AGENT_OS_DB_PATH is empty (from {source})",
                hint="let it name a file, or leave it out: the default is agent_os.db",
            )

    def reading(self) -> Reading:
        """`with home.reading() as store:` a connection of its own, to read from any thread while a run goes on."""
        return Reading(self)

    def connect(self, hosts: Sequence[str], *, log: Log, deadline: float = 60.0) -> HttpClient:
        """An HTTP client for one thread: its own connections, to these hosts and to those that the user allowed.

        No request takes longer than `deadline` seconds.
        """
        from .. import __version__
        from .http_client import HttpClient
        from .retry import Retry

        extra = [host.strip() for host in self.settings.get("AGENT_OS_ALLOWED_HOSTS").split(",") if host.strip()]
        return HttpClient(
            agent=f"agent-os/{__version__} (local-first workflow engine)",
            clock=self.clock,
            retry=Retry(budget_seconds=180.0),  # an asked wait of two minutes fits in
            log=log,
            redactor=self.redactor,
            allowed_hosts=[*hosts, *extra],
            environ=self.settings.environment(),
            timeout=min(20.0, deadline),
            deadline=deadline,
        )

    def reopen(self) -> None:
        """Close the database, so that it is opened anew: to write, where it was open to be read."""
        if self._store is not None:
            self._store.db.close()
            self._store = None

    def close(self) -> None:
        """Close the database and the log."""
        self.reopen()
        self.log.close()

    def where(self) -> str:
        """Where the files of this home are, in one line for people."""
        settings = self.settings
        found = [name for name in (".env", "agent_os.ini") if os.path.exists(os.path.join(settings.home, name))]
        log = settings.path("AGENT_OS_LOG_FILE") or "none"
        return f"database {self.db_path}, log {log}, settings {settings.home} ({', '.join(found) or 'no .env'})"


class Reading:
    """The database, open for reading alone, in the thread that enters."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._store: Optional[Store] = None

    def __enter__(self) -> Store:
        self._home.refuse_no_path()
        self._store = Store(open_to_read(self._home.db_path, clock=self._home.clock))
        return self._store

    def __exit__(self, *_: object) -> None:
        if self._store is not None:
            self._store.db.close()


def _refuse_planted(path: str) -> None:
    """Refuse a log that is a link, has a second name or another owner: someone else may have put it there.

    Whatever else cannot be written (a folder, a FIFO, a full disk) costs the log alone, with one note.
    """
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if stat.S_ISLNK(mode) or stat.S_ISREG(mode):
        files.check_plain(path, "the log file")


def open_home(  # noqa: PLR0913 (each is a choice of whoever starts the program, made in one place)
    folder: str = "",
    *,
    flags: Optional[Mapping[str, str]] = None,
    clock: Clock,
    stderr: Optional[TextIO],
    quiet: bool = False,
    verbose: bool = False,
    environ: Optional[Mapping[str, str]] = None,
    has_ini: bool = True,
) -> Home:
    """Read the settings of a home and start its log. Touches no file but to read. Raises ConfigError."""
    settings = config.load(home=folder, flags=flags, environ=environ, has_ini=has_ini)
    redactor = Redactor()
    for secret in settings.secrets():
        redactor.add(secret)
    path = settings.path("AGENT_OS_LOG_FILE") or None
    if path:
        _refuse_planted(path)
    log = Log(path, clock=clock, redactor=redactor, stderr=stderr, quiet=quiet, verbose=verbose)
    return Home(settings, clock=clock, log=log, redactor=redactor)
