"""Settings: flag, environment, `.env`, `agent_os.ini`, default, in that order, each with where it came from.

The only module that reads the environment. Values of secrets are never shown, and every one found is redacted.
"""

from __future__ import annotations

import os

from . import files
from .errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Optional

SECRET_ENDINGS = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_WEBHOOK_URL", "_PING", "] KEY")  # the last: of an account
REFERENCE = "env:"  # a value that begins so names a setting, which has the value
ACCOUNT = "account:"  # how the sections of accounts begin: what stands there is a setting `[account:work] key`
_FREE_ENDINGS = ("_BASE_URL", "_ORG", "_USER")  # of what collectors may be told beside their keys
_LONGEST_SETTING = 8192


class Setting:
    """A setting the kernel knows: its name, default and what it is for."""

    __slots__ = ("default", "meaning", "name")

    def __init__(self, name: str, default: str, meaning: str) -> None:
        self.name = name
        self.default = default
        self.meaning = meaning


KNOWN = (
    Setting("AGENT_OS_DB_PATH", "agent_os.db", "the database"),
    Setting("AGENT_OS_LOG_FILE", "agent.log", "the log, JSON lines; empty for none"),
    Setting("AGENT_OS_LOOKBACK_DAYS", "35", "how many days back the first run reaches"),
    Setting("AGENT_OS_ALLOWED_HOSTS", "", "further hosts that keys may be sent to, separated by commas"),
    Setting("AGENT_OS_APPS", "", "apps to load: paths or module names, separated by commas or lines"),
    Setting("AGENT_OS_LIMITS", "", "named limits, as openai = 1"),
    Setting("AGENT_OS_JOBS", "8", "how many tasks run side by side"),
    Setting("AGENT_OS_PROJECT_NAMES", "yes", "whether names of project folders are kept from local logs"),
    Setting("AGENT_OS_COLLECT", "daily 00:00", "when `tick` has every collector collect, in UTC: a schedule"),
    Setting("AGENT_OS_PING", "", "where to say that a start of the program began, succeeded or failed"),
    Setting("AGENT_OS_RETENTION_DAYS", "400", "how many days the history is kept; results are kept for ever"),
)


def is_secret(name: str) -> bool:
    """Whether a setting of this name holds something that must never be shown."""
    return name.upper().endswith(SECRET_ENDINGS) or name.upper() == "PING"  # the option of a task


class Settings:
    """The settings of one home. A name is looked up in each source in turn; the first that has it decides.

    `sections`: what else agent_os.ini holds: "task:backup" -> {"command": "...", "env.X": "..."}, read by `ini`.
    """

    def __init__(
        self,
        home: str,
        sources: Sequence[tuple[str, Mapping[str, str]]],
        *,
        warnings: Sequence[str] = (),
        sections: Optional[Mapping[str, Mapping[str, str]]] = None,
    ) -> None:
        self.home = home
        self.warnings = warnings
        self.sections = sections or {}
        self._sources = sources
        self._defaults = {setting.name: setting.default for setting in KNOWN}

    def find(self, name: str) -> tuple[str, str]:
        """The value and where it came from; `("", "not set")` when no source has it. An empty value is an unset one."""
        for source, values in self._sources:
            if name in values:
                return values[name].strip(), source
        return self._defaults.get(name, ""), "default" if name in self._defaults else "not set"

    def get(self, name: str) -> str:
        """The value, or `""` when it is not set."""
        return self.find(name)[0]

    def section_group(self, word: str) -> dict[str, dict[str, str]]:
        """The sections [word:NAME] of agent_os.ini: NAME -> option -> value."""
        start = f"{word}:"
        return {name[len(start) :]: dict(options) for name, options in self.sections.items() if name.startswith(start)}

    def whole(self, name: str, *, least: int, most: int) -> int:
        """The value as a whole number between two bounds. Raises ConfigError."""
        value, source = self.find(name)
        if value.isascii() and value.isdigit() and len(value) <= len(str(most)) and least <= int(value) <= most:
            return int(value)
        raise ConfigError(
            f"{name} is {value[:40]!r} (from {source}), not a whole number from {least} to {most}",
            hint=f"correct {name} or leave it out: the default is {self._defaults.get(name, 'none')}",
        )

    def is_yes(self, name: str) -> bool:
        """The value as yes or no. Raises ConfigError."""
        value, source = self.find(name)
        if value.lower() in ("yes", "true", "on", "1", "no", "false", "off", "0"):
            return value.lower() in ("yes", "true", "on", "1")
        raise ConfigError(f"{name} is {value[:40]!r} (from {source})", hint="it is yes or no")

    def path(self, name: str) -> str:
        """The value as an absolute path; a relative one is meant from the home. `""` stays `""`."""
        value = self.get(name)
        if "\0" in value:
            raise ConfigError(f"{name} holds a NUL character", hint="correct the path")
        return os.path.abspath(os.path.join(self.home, os.path.expanduser(value))) if value else ""

    def secrets(self) -> Iterator[str]:
        """Every secret value of every source, the shadowed ones too, and those written into a section (`env.X`)."""
        for _, values in self._sources:
            for name, value in values.items():
                if is_secret(name) and value.strip():
                    yield value.strip()
        for options in self.sections.values():
            for name, value in options.items():
                if is_secret(name) and value and not value.startswith(REFERENCE):
                    yield value
        for name in self._referenced():  # whatever they are called
            for _, values in self._sources:
                if values.get(name, "").strip():
                    yield values[name].strip()

    def _referenced(self) -> Iterator[str]:
        """The settings that accounts name as their keys, and tasks as where to ping."""
        for section, options in self.sections.items():
            value = options.get("key" if section.startswith(ACCOUNT) else "ping", "").strip()
            if value.startswith(REFERENCE):
                yield value[len(REFERENCE) :].strip()

    def names(self) -> list[str]:
        """The names that the files and flags set, and those the kernel knows; not the whole environment."""
        named = {name for source, values in self._sources if source != "environment" for name in values}
        return sorted(named | set(self._defaults))

    def user_folder(self) -> str:
        """The home directory of the user, where tools keep what is theirs; also where cron gives no HOME."""
        environment = self.environment()
        named = environment.get("USERPROFILE" if os.name == "nt" else "HOME", "")
        return os.path.abspath(named or os.path.expanduser("~"))

    def environment(self) -> Mapping[str, str]:
        """The process environment, for what follows its own conventions there (proxies)."""
        return dict(self._sources)["environment"]


def load(
    *,
    home: str = "",
    flags: Optional[Mapping[str, str]] = None,
    environ: Optional[Mapping[str, str]] = None,
    has_ini: bool = True,
) -> Settings:
    """Read the settings of a home: `home`, else AGENT_OS_HOME, else the current directory; without `has_ini` as if it
    had no agent_os.ini.

    Raises ConfigError when the home does not exist, or when `.env` or `agent_os.ini` cannot be read as what they are.
    """
    from . import dotenv

    given = environment(environ)
    folder = find_home(home, given)
    env_path = os.path.join(folder, ".env")
    ini_path = os.path.join(folder, "agent_os.ini")
    dotenv_file = dotenv.read(env_path, given)
    ini_settings, sections = _read_ini(ini_path) if has_ini else ({}, {})
    sources = (
        ("flag", dict(flags or {})),
        ("environment", given),
        (env_path, {name: value for name, value in dotenv_file.pairs if value is not None}),
        (ini_path, ini_settings),
    )
    warnings = _open_to_others(env_path, *([ini_path] if _holds_secrets(ini_settings, sections) else []))
    if dotenv_file.bad_lines:
        lines = ", ".join(map(str, dotenv_file.bad_lines[:5]))
        warnings.append(f"{env_path}: no assignment on line {lines}; passed over")
    return Settings(folder, sources, warnings=warnings, sections=sections)


def environment(environ: Optional[Mapping[str, str]] = None) -> Mapping[str, str]:
    """The environment that was handed in, else that of the process."""
    return os.environ if environ is None else environ


def find_home(flag: str, environ: Mapping[str, str]) -> str:
    """The absolute folder that everything is kept in. Raises ConfigError when there is no such folder."""
    named = flag or environ.get("AGENT_OS_HOME", "")
    if "\0" in named or len(named) > _LONGEST_SETTING:
        raise ConfigError("the home is not a path", hint="give --home a folder")
    try:
        folder = os.path.abspath(os.path.expanduser(named)) if named else os.getcwd()
    except OSError as error:
        raise ConfigError("the current directory no longer exists", hint="give --home a folder") from error
    if not os.path.isdir(folder):
        raise ConfigError(f"the home {folder} is not a folder", hint=f"make it first: mkdir -p {folder}")
    return folder


def _holds_secrets(settings: Mapping[str, str], sections: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether an ini is more than a list of tasks, which anyone may read."""
    given = [*settings.items(), *(item for options in sections.values() for item in options.items())]
    return any(is_secret(name) and value.strip() and not value.startswith(REFERENCE) for name, value in given)


def _open_to_others(*paths: str) -> list[str]:
    """A warning for each file with secrets that other users of the machine can read."""
    if os.name != "posix":
        return []
    found = []
    for path in paths:
        try:
            mode = os.stat(path).st_mode
        except OSError:
            continue
        if mode & 0o077:
            found.append(f"{path} can be read by others (mode {mode & 0o777:o}); run: chmod 600 {path}")
    return found


def _read_ini(path: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The settings of section [agent_os], and the other sections as they are; nothing when there is no such file."""
    if not files.check_plain(path, "the settings file"):
        return {}, {}
    from . import ini_file

    sections = ini_file.read(path)
    options = sections.pop(ini_file.SECTION, {})
    found = ini_file.settings_of(options, path=path, known=[each.name for each in KNOWN], is_free=_is_free)
    for section, given in sections.items():
        if section.startswith(ACCOUNT):
            found.update({f"[{section}] {name}": value for name, value in given.items() if _is_value(value)})
    return found, sections


def _is_value(text: str) -> bool:
    return bool(text.strip()) and not text.strip().startswith(REFERENCE)


def _is_free(name: str) -> bool:
    """Whether the ini may set this, though the kernel does not know it: keys, addresses and owners at providers."""
    return is_secret(name) or name.endswith(_FREE_ENDINGS)
