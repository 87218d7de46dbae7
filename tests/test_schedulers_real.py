"""The schedulers that Linux has, the real ones, start the built file: Debian's cron, and systemd for a user.

Each runs in a namespace of its own, so the machine's crontabs and units are neither seen nor changed; that takes root.
`.ci/run` runs these with one Python alone (AGENT_OS_TEST_SCHEDULERS=no leaves them out): they wait for real timers.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from .namespaces import Namespace, libfaketime, missing, namespace

ROOT = Path(__file__).resolve().parent.parent
SPEED = 20  # how much faster cron's clock runs: its minute is three seconds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("AGENT_OS_TEST_SCHEDULERS") == "no", reason="AGENT_OS_TEST_SCHEDULERS=no: left out"
    ),
]


class Place:
    """The built file, a home for it, and what its tasks have written, under a path that no scheduler likes."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "a home"
        self.home.mkdir(parents=True, mode=0o700)
        self.user = folder / "nobody"  # HOME: whoever runs the tests has logs of AI tools in theirs
        self.user.mkdir()
        self.pyz = folder / "agent_os.pyz"
        words = ["--out", str(self.pyz), "--without-shiv", "--pythons", sys.executable]
        subprocess.run([sys.executable, str(ROOT / "build.py"), *words], check=True, capture_output=True)

    def ini(self, text: str, **scripts: str) -> None:
        """Write agent_os.ini, and shell scripts beside it."""
        path = self.home / "agent_os.ini"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        for name, source in scripts.items():
            script = self.home / name
            script.write_text("#!/bin/sh\n" + source, encoding="utf-8")
            script.chmod(0o700)

    @property
    def tick(self) -> list[str]:
        """What an installed schedule runs."""
        return [sys.executable, str(self.pyz), "tick", "--scheduled", "--home", str(self.home), "--quiet"]

    def run(self, *words: str, code: int = 0) -> str:
        """Run the built file by hand; what it says on standard output."""
        command = [sys.executable, str(self.pyz), *words, "--home", str(self.home)]
        env = {"HOME": str(self.user), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database answers; nothing while there is none."""
        path = self.home / "agent_os.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(sql, values).fetchall()

    def lines(self, name: str) -> list[str]:
        """The lines of a file of the home."""
        path = self.home / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def done(self, task: str) -> int:
        """How many slots of a task are resolved as success."""
        found = self.rows("SELECT status FROM slots WHERE task = ?", task)
        return found.count(("success",))


# --- cron

CRON_MISSING = missing("cron", "crontab")

# $1 is the crontab. cron forgets the environment before it starts anything, so only its own clock is a faster one.
CRON = """
mount -t tmpfs tmpfs /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
chgrp crontab /var/spool/cron/crontabs 2>/dev/null || true
[ ! -d /etc/cron.d ] || mount -t tmpfs tmpfs /etc/cron.d
[ ! -e /etc/crontab ] || mount --bind /run/nothing /etc/crontab
crontab "$1"
LD_PRELOAD=$2 FAKETIME="+0 x$3" cron -f -L 15
"""
ENVIRONMENT = """
[task:environment]
command = ./environment
schedule = * * * * *

[task:slow]
command = ./slow
schedule = * * * * *
catch_up = all
"""


def crontab_words(words: list[str]) -> str:
    """A command line for a crontab, in which an unescaped % is the end of it."""
    return shlex.join(words).replace("%", r"\%")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "50% off")


@pytest.mark.skipif(bool(CRON_MISSING), reason=f"cron: {CRON_MISSING}")
@pytest.mark.skipif(not libfaketime(), reason="libfaketime is not installed: cron's minutes would last as long as ours")
def test_cron_resolves_each_slot_once(place: Place, tmp_path: Path) -> None:
    """With cron's bare environment, a % in the path, at boot and every minute, twice at once, over a slow task."""
    place.ini(
        ENVIRONMENT,
        environment='cd "$AGENT_OS_HOME" && env > seen.new && mv seen.new seen\n',
        slow='cd "$AGENT_OS_HOME"; echo "$AGENT_OS_SLOT" >> begun; sleep 4; echo "$AGENT_OS_SLOT" >> ended\n',
    )
    place.run("tick", "--quiet")  # an installed schedule begins no database
    log = shlex.quote(str(tmp_path / "cron.log"))
    line = f"{crontab_words(place.tick)} >> {log} 2>&1"
    table = tmp_path / "crontab"
    table.write_text(f"HOME={place.user}\n@reboot {line}\n* * * * * {line}\n* * * * * {line}\n", encoding="utf-8")
    with namespace(CRON, str(table), libfaketime() or "", str(SPEED), log=tmp_path / "said") as room:
        room.wait_for("two slots of the slow task", lambda: place.done("slow") > 1, seconds=90)
        room.wait_for("two slots of the other", lambda: place.done("environment") > 1)
    assert (tmp_path / "cron.log").read_text() == ""
    begun = place.lines("begun")
    assert sorted(set(begun)) == begun
    assert begun[:2] == place.lines("ended")[:2]
    twice = "SELECT task, slot_key FROM runs WHERE status = 'success' GROUP BY 1, 2 HAVING count(*) > 1"
    assert place.rows(twice) == []
    seen = dict(line.partition("=")[::2] for line in place.lines("seen") if "=" in line)
    assert seen["PATH"] == "/usr/bin:/bin"
    assert not {"LANG", "LC_ALL", "TERM", "DISPLAY", "DBUS_SESSION_BUS_ADDRESS"} & seen.keys()


# --- systemd

SYSTEMD = "/lib/systemd/systemd"
SYSTEMD_MISSING = missing("systemctl", "dbus-daemon") or ("" if os.path.exists(SYSTEMD) else f"no {SYSTEMD}")

# $1 is HOME. `systemctl --user` looks for its manager in XDG_RUNTIME_DIR, and for any systemd at all in /run/systemd.
MANAGER = f"""
mkdir -p /run/systemd/system /run/user/0
chmod 700 /run/user/0
HOME=$1 XDG_RUNTIME_DIR=/run/user/0 {SYSTEMD} --user --log-target=console &
wait
"""
SERVICE = """
[Unit]
Description=Agent OS, by hand

[Service]
Type=oneshot
ExecStart={command}
"""
TIMER = """
[Unit]
Description=Agent OS, by hand

[Timer]
OnActiveSec=100ms
OnUnitActiveSec=2s
AccuracySec=100ms

[Install]
WantedBy=timers.target
"""
MINUTELY = """
[task:minutely]
command = ./minutely
schedule = * * * * *
"""
BUS = {"XDG_RUNTIME_DIR": "/run/user/0", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/0/bus"}


def unit_words(words: list[str]) -> str:
    """A command line for a unit."""
    return " ".join('"' + word.replace("%", "%%").replace("$", "$$") + '"' for word in words)


def systemctl(room: Namespace, place: Place, *words: str) -> str:
    done = room.run(["systemctl", "--user", *words], HOME=str(place.user), **BUS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def manager(place: Place, tmp_path: Path):
    """A systemd for a user who lives in `place.user`."""
    return namespace(MANAGER, str(place.user), log=tmp_path / "systemd.log")


def begin(room: Namespace, place: Place) -> None:
    """Until the manager answers."""

    def is_up() -> bool:
        asked = room.run(["systemctl", "--user", "is-system-running"], HOME=str(place.user), **BUS)
        return asked.stdout.strip() in ("running", "degraded")

    room.wait_for("systemd --user", is_up)


@pytest.mark.skipif(bool(SYSTEMD_MISSING), reason=f"systemd --user: {SYSTEMD_MISSING}")
def test_a_timer_of_systemd_resolves_each_slot_once(place: Place, tmp_path: Path) -> None:
    """A unit as an administrator writes it: the service succeeds each time, also when there is nothing to do."""
    place.ini(MINUTELY, minutely='env > "$AGENT_OS_HOME/seen"\n')
    place.run("tick", "--quiet")
    place.rows("SELECT 1")
    units = place.user / ".config" / "systemd" / "user"
    units.mkdir(parents=True)
    (units / "by-hand.service").write_text(SERVICE.format(command=unit_words(place.tick)), encoding="utf-8")
    (units / "by-hand.timer").write_text(TIMER, encoding="utf-8")
    with manager(place, tmp_path) as room:
        begin(room, place)
        systemctl(room, place, "enable", "--now", "by-hand.timer")
        before = place.done("minutely")
        room.wait_for("a new slot", lambda: place.done("minutely") > before, seconds=90)
        shown = systemctl(room, place, "show", "by-hand.service", "-p", "Result", "-p", "ExecMainStatus")
    assert shown.split() == ["Result=success", "ExecMainStatus=0"]
