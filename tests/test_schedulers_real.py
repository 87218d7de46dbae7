"""The schedulers that Linux has, the real ones, start the built file: Debian's cron, and systemd for a user.

Each runs in a namespace of its own, so the machine's crontabs and units are neither seen nor changed; that takes root.
`.ci/run` runs these with one Python alone (AGENT_OS_TEST_SCHEDULERS=no leaves them out): they wait for real timers.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from .namespaces import libfaketime, missing, namespace

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
        return self.words("tick", "--scheduled", "--quiet")

    @property
    def log(self) -> Path:
        """Where an installed schedule puts what is said where cron starts it."""
        return self.home / "schedule.log"

    def words(self, *words: str) -> list[str]:
        """The words that start the built file for this home."""
        return [sys.executable, str(self.pyz), *words, "--home", str(self.home)]

    def run(self, *words: str, code: int = 0) -> str:
        """Run the built file by hand; what it says on standard output."""
        env = {"HOME": str(self.user), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(self.words(*words), env=env, cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout

    def begin(self) -> None:
        """A database, in which the tasks have been looked after for a minute: a slot of each is due at once."""
        self.run("tick", "--quiet")
        moment = datetime.now(timezone.utc) - timedelta(minutes=1, seconds=1)
        with closing(sqlite3.connect(self.home / "agent_os.db")) as connection, connection:
            connection.execute("UPDATE schedules SET since = ?", (moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),))

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


def told(done: subprocess.CompletedProcess[str]) -> str:
    """What a program that succeeded has said."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- cron

CRON_MISSING = missing("cron", "crontab")

# cron forgets the environment before it starts anything, so only its own clock is a faster one.
CRON = """
mount -t tmpfs tmpfs /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
chgrp crontab /var/spool/cron/crontabs 2>/dev/null || true
[ ! -d /etc/cron.d ] || mount -t tmpfs tmpfs /etc/cron.d
[ ! -e /etc/crontab ] || mount --bind /run/nothing /etc/crontab
: > /run/ready
while [ ! -e /run/begin ]; do sleep 0.05; done
LD_PRELOAD=$1 FAKETIME="+0 x$2" cron -f -L 15
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
    place.begin()
    table = tmp_path / "crontab"
    table.write_text(f"# mine\nHOME={place.user}\n", encoding="utf-8")
    with namespace(CRON, libfaketime() or "", str(SPEED), log=tmp_path / "said") as room:
        room.wait_for("the namespace", lambda: room.run(["test", "-e", "/run/ready"]).returncode == 0)
        told(room.run(["crontab", str(table)]))
        told(room.run(place.words("schedule", "install", "--backend", "cron", "--every", "1m")))
        installed = told(room.run(["crontab", "-l"]))
        again = next(line for line in installed.splitlines(keepends=True) if line.startswith("* * * * * "))
        theirs = table.read_text(encoding="utf-8") + again  # somebody has the same line once more: two ticks at once
        table.write_text(installed + again, encoding="utf-8")
        told(room.run(["crontab", str(table)]))
        told(room.run(["touch", "/run/begin"]))
        room.wait_for("two slots of the slow task", lambda: place.done("slow") > 1, seconds=90)
        room.wait_for("two slots of the other", lambda: place.done("environment") > 1)
        status = json.loads(told(room.run(place.words("schedule", "status", "--json"))))
        told(room.run(place.words("schedule", "remove")))
        assert told(room.run(["crontab", "-l"])) == theirs
    assert (status["installed"], status["healthy"], status["backend"]) == (True, True, "cron")
    assert place.log.read_text() == ""
    begun = place.lines("begun")
    assert len(set(begun)) == len(begun)
    assert set(place.lines("ended")) <= set(begun)
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


class Manager:
    """A systemd for a user who lives in `place.user`, at work for as long as the block lasts."""

    def __init__(self, place: Place, tmp_path: Path) -> None:
        self._env = {"HOME": str(place.user), **BUS}
        self._made = namespace(MANAGER, str(place.user), log=tmp_path / "systemd.log")

    def __enter__(self) -> Manager:  # noqa: PYI034 (Self needs a newer Python)
        self.room = self._made.__enter__()
        self.room.wait_for("systemd --user", self._is_up)
        return self

    def __exit__(self, *error: object) -> None:
        self._made.__exit__(None, None, None)

    def _is_up(self) -> bool:
        state = self.room.run(["systemctl", "--user", "is-system-running"], **self._env).stdout.strip()
        return state in ("running", "degraded")

    def run(self, words: list[str]) -> str:
        """A program that has to succeed; what it says."""
        return told(self.room.run(words, **self._env))

    def systemctl(self, *words: str) -> str:
        """`systemctl --user`."""
        return self.run(["systemctl", "--user", *words])

    def ended(self, service: str) -> dict[str, str]:
        """What the last run of a service came to."""
        names = ("Result", "ExecMainStatus", "ExecMainExitTimestampMonotonic")
        shown = self.systemctl("show", service, *(f"-p{name}" for name in names))
        return dict(line.split("=", 1) for line in shown.splitlines())


@pytest.mark.skipif(bool(SYSTEMD_MISSING), reason=f"systemd --user: {SYSTEMD_MISSING}")
def test_a_timer_of_systemd_resolves_slots(place: Place, tmp_path: Path) -> None:
    """A unit as an administrator writes it: the service succeeds each time, also when there is nothing to do."""
    place.ini(MINUTELY, minutely='env > "$AGENT_OS_HOME/seen"\n')
    place.begin()
    units = place.user / ".config" / "systemd" / "user"
    units.mkdir(parents=True)
    (units / "by-hand.service").write_text(SERVICE.format(command=unit_words(place.tick)), encoding="utf-8")
    (units / "by-hand.timer").write_text(TIMER, encoding="utf-8")
    with Manager(place, tmp_path) as manager:
        manager.systemctl("enable", "--now", "by-hand.timer")
        manager.room.wait_for("a slot", lambda: place.done("minutely") > 0)
        first = manager.ended("by-hand.service")
        manager.room.wait_for("another tick", lambda: manager.ended("by-hand.service") != first)
        manager.systemctl("stop", "by-hand.timer")
        last = manager.ended("by-hand.service")
    assert (last["Result"], last["ExecMainStatus"]) == ("success", "0")
    assert "LANG=" not in "".join(place.lines("seen"))


@pytest.mark.skipif(bool(SYSTEMD_MISSING), reason=f"systemd --user: {SYSTEMD_MISSING}")
def test_an_installed_timer_runs_is_told_of_and_is_removed(place: Place, tmp_path: Path) -> None:
    """The real manager takes the units, fires the timer, makes up once for weeks off, and forgets all of it again."""
    place.ini(MINUTELY, minutely='env > "$AGENT_OS_HOME/seen"\n')
    place.begin()
    at = time.strftime("%H:%M", time.localtime(time.time() + 12 * 3600))
    install = place.words("schedule", "install", "--backend", "systemd", "--at", at, "--json")
    with Manager(place, tmp_path) as manager:
        made = json.loads(manager.run(install))
        unit = f"agent-os-{made['id']}"
        assert made["backend"] == "systemd"
        assert json.loads(manager.run(install))["id"] == made["id"]
        manager.systemctl("stop", f"{unit}.timer")
    stamp = place.user / ".local" / "share" / "systemd" / "timers" / f"stamp-{unit}.timer"
    assert stamp.exists()
    weeks_ago = time.time() - 21 * 86_400
    os.utime(stamp, (weeks_ago, weeks_ago))
    units = place.user / ".config" / "systemd" / "user"
    quick = units / f"{unit}.timer.d"
    quick.mkdir()
    (quick / "quick.conf").write_text("[Timer]\nRandomizedDelaySec=0\nAccuracySec=100ms\n", encoding="utf-8")
    with Manager(place, tmp_path) as manager:
        service = f"{unit}.service"
        manager.room.wait_for("a tick", lambda: manager.ended(service)["ExecMainExitTimestampMonotonic"] != "0")
        status = json.loads(manager.run(place.words("schedule", "status", "--json")))
        manager.run(place.words("schedule", "remove"))
        left = manager.systemctl("show", f"{unit}.timer", f"{unit}.service", "-pLoadState")
    assert (status["installed"], status["healthy"], status["problems"]) == (True, True, [])
    assert status["last_exit"] == 0
    assert status["last_at"]
    assert status["next_at"] > status["last_at"]
    assert status["last_slot"]["task"] == "minutely"
    assert set(left.split()) == {"LoadState=not-found"}
    assert not stamp.exists()
    assert list(units.iterdir()) == [quick]


BESIDE = """
[task:slow]
command = ./slow
schedule = * * * * *

[task:quick]
command = ./quick
schedule = * * * * *
"""


@pytest.mark.skipif(bool(SYSTEMD_MISSING), reason=f"systemd --user: {SYSTEMD_MISSING}")
def test_a_long_run_under_systemd_holds_up_no_other_task(place: Place, tmp_path: Path) -> None:
    """The manager fires the timer into a service that is still under way, which does nothing: the tick looks itself.
    Stopping the service then ends both runs in order.
    """
    place.ini(
        BESIDE,
        slow='cd "$AGENT_OS_HOME"; echo "$AGENT_OS_SLOT" >> slow-begun; exec sleep 600\n',
        quick='cd "$AGENT_OS_HOME"; echo "$AGENT_OS_SLOT" >> quick-begun; [ ! -e long ] || sleep 600\n',
    )
    place.begin()
    with Manager(place, tmp_path) as manager:
        install = place.words("schedule", "install", "--backend", "systemd", "--every", "1m", "--json")
        service = f"agent-os-{json.loads(manager.run(install))['id']}.service"
        manager.systemctl("start", "--no-block", service)
        manager.room.wait_for("the slow task", lambda: place.lines("slow-begun"))
        manager.room.wait_for("the first of the quick one", lambda: place.done("quick") > 0)
        (place.home / "long").touch()
        begun = len(place.lines("quick-begun"))
        manager.room.wait_for("another of the quick one", lambda: len(place.lines("quick-begun")) > begun, seconds=90)
        manager.systemctl("stop", service)
        ended = manager.ended(service)
    assert len(place.lines("slow-begun")) == 1
    running = place.rows("SELECT task, status, error FROM runs WHERE status <> 'success' ORDER BY task")
    assert running == [(task, "failed", "interrupted: stopped by signal 15") for task in ("quick", "slow")]
    assert (ended["Result"], ended["ExecMainStatus"]) == ("exit-code", "143")
