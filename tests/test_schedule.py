"""`schedule` with programs that have the names of the schedulers' on PATH, and refuse what the real ones refuse."""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
from fakes.environment import bare
from fakes.schedulers import Schedulers
from homes import AppHome

from agent_os.core.clock import Clock, from_iso
from agent_os.core.errors import ConfigError
from agent_os.core.files import bounded
from agent_os.core.opening import open_to_write
from agent_os.core.store import Store
from agent_os.schedulers import Trigger, Undo, cron, ident_of, launchd, usable
from agent_os.schedulers.programs import Machine

if sys.platform == "win32":
    pytest.skip("the programs of this file are scripts with a first line", allow_module_level=True)

BACKENDS = {
    "launchd": ("launchctl",),
    "systemd": ("systemctl", "loginctl"),
    "cron": ("crontab",),
    "windows": ("schtasks",),
}
# The calls that change something, in the order of an installation.
STEPS = {
    "launchd": ("launchctl enable", "launchctl bootstrap"),
    "systemd": ("systemctl daemon-reload", "systemctl enable", "systemctl restart"),
    "cron": ("crontab -",),
    "windows": ("schtasks /Create",),
}
FOREIGN = b"MAILTO=you@example.org\n# mine\n\n*/5 * * * * /usr/bin/true 100\\% \xc3\xa5 \xff\n\t \n"


class Desk(AppHome):
    """A home, a user's folder, and a PATH on which nothing is but what a test has put there."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        home = folder / "a home"
        home.mkdir()
        super().__init__(home, capsys)
        self.user = folder / "user"
        self.user.mkdir()
        self._monkeypatch = monkeypatch
        self._root = folder
        self.system: Schedulers
        monkeypatch.setenv("HOME", str(self.user))
        for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            monkeypatch.delenv(name, raising=False)
        self.have()

    def have(self, *backends: str) -> None:
        """Let the machine have these."""
        number = len(list(self._root.glob("system*")))
        names = [name for backend in backends for name in BACKENDS[backend]]
        self.system = Schedulers(self._root / f"system{number}", *names)
        self._monkeypatch.setenv("PATH", str(self.system.path))

    def schedule(self, *words: str, code: Optional[int] = 0) -> Any:
        """What `schedule` says with --json; standard error where it says nothing else."""
        answer = self.run("schedule", *words, "--json", app=False)
        assert code is None or answer.code == code, answer.err or answer.out
        return json.loads(answer.out) if answer.out else answer.err.splitlines()[0]

    @property
    def ident(self) -> str:
        return ident_of(str(self.folder))

    def everything(self) -> dict[str, bytes]:
        """Every file of the user and of the schedulers, but for what was called; not the home's own."""
        roots = (self.user, self.system.state)
        files = [path for root in roots for path in sorted(root.rglob("*")) if path.is_file()]
        noise = ("calls", "fail", "loaded", "leaving")  # what the manager has read of files is no state of its own
        found = {str(path): path.read_bytes() for path in files if path.name not in noise}
        return {name: content for name, content in found.items() if content not in (b"[]", b"{}")}

    def noted(self) -> dict[str, Any]:
        """What the database remembers; {} where that is nothing."""
        rows = self.rows("SELECT value FROM meta WHERE name = 'schedule'") if self.db.exists() else []
        return json.loads(rows[0][0]) if rows else {}

    @property
    def db(self) -> Path:
        return self.folder / "agent_os.db"


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, capsys, monkeypatch)


@pytest.fixture
def cron_daemon(tmp_path: Path) -> Iterator[None]:
    """A process that is called as cron's daemon is."""
    if not os.path.isdir("/proc/self"):
        yield
        return
    shutil.copy(shutil.which("sleep", path=os.defpath) or "/bin/sleep", tmp_path / "cron")
    process = subprocess.Popen([tmp_path / "cron", "600"])
    yield
    process.kill()
    process.wait()


each_backend = pytest.mark.parametrize("backend", BACKENDS)


# --- install, again, status, remove -----------------------------------------------------------------------------------


@each_backend
def test_what_is_installed_is_in_order(desk: Desk, backend: str, cron_daemon: None) -> None:
    """Once installed, `status` says so: by which scheduler, when next, and that nothing differs."""
    desk.have(backend)
    said = desk.schedule("install", "--backend", backend)
    assert (said["backend"], said["every_seconds"], said["at"]) == (backend, 900, [])
    assert said["command"][0] == sys.executable
    assert said["command"][-5:] == ["tick", "--scheduled", "--home", str(desk.folder), "--quiet"]
    status = desk.schedule("status")
    assert (status["installed"], status["healthy"], status["problems"], status["differs"]) == (True, True, [], False)
    assert (status["backend"], status["id"], status["last_exit"]) == (backend, desk.ident, None)
    assert status["next_at"] == said["next_at"]


@each_backend
def test_installing_twice_is_installing_once(desk: Desk, backend: str) -> None:
    """The same files, the same entry, the same memory."""
    desk.have(backend)
    desk.schedule("install", "--backend", backend)
    before, noted = desk.everything(), desk.noted()
    desk.schedule("install", "--backend", backend)
    assert desk.everything() == before
    assert {**desk.noted(), "installed_at": ""} == {**noted, "installed_at": ""}


@each_backend
def test_other_times_take_the_place_of_the_old_ones(desk: Desk, backend: str, cron_daemon: None) -> None:
    """There is one entry for a home; without a word about times those chosen before stay."""
    desk.have(backend)
    desk.schedule("install", "--backend", backend)
    desk.schedule("install", "--backend", backend, "--at", "06:00,18:30")
    said = desk.schedule("install")
    assert (said["backend"], said["at"], said["every_seconds"]) == (backend, ["06:00", "18:30"], 0)
    assert desk.schedule("status")["healthy"] is True


@each_backend
def test_what_was_removed_is_gone_without_a_trace(desk: Desk, backend: str) -> None:
    """The system is as it was before; the database and the home stay."""
    desk.have(backend)
    if backend == "cron":
        (desk.system.state / "crontab").write_bytes(FOREIGN)
    before = desk.everything()
    desk.schedule("install", "--backend", backend)
    assert len(desk.schedule("remove")["removed"]) == 1
    assert desk.everything() == before
    assert desk.noted() == {}
    assert desk.db.exists()
    assert desk.schedule("status", code=3)["installed"] is False


@each_backend
def test_removing_twice_is_removing_once(desk: Desk, backend: str) -> None:
    """Where nothing is installed, that is said, and is no failure."""
    desk.have(backend)
    assert desk.run("schedule", "remove", app=False).out == f"nothing is installed for {desk.folder}\n"
    assert not desk.db.exists()
    desk.schedule("install", "--backend", backend)
    desk.schedule("remove")
    assert desk.schedule("remove")["removed"] == []


@each_backend
def test_a_dry_run_changes_nothing(desk: Desk, backend: str) -> None:
    """It prints what would be written, to the letter, and the commands; there is not even a database afterwards."""
    desk.have(backend)
    before = desk.everything()
    said = desk.schedule("install", "--backend", backend, "--dry-run")
    assert desk.everything() == before
    assert desk.files() == {}
    (first, *_) = said["texts"].values()
    assert str(desk.folder) in first
    assert len(said["commands"]) >= len(STEPS[backend])
    text = desk.run("schedule", "install", "--backend", backend, "--dry-run", app=False).out
    assert first.rstrip("\n") in text
    desk.schedule("install", "--backend", backend)
    assert [each["texts"] for each in desk.schedule("show") if backend != "windows"] in ([], [said["texts"]])
    before = desk.everything()
    assert len(desk.schedule("remove", "--dry-run")["removed"]) == 1
    assert desk.everything() == before


# --- nothing half-installed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("backend", "step"), [(backend, step) for backend in STEPS for step in STEPS[backend]])
@pytest.mark.parametrize("before", ["nothing", "something"])
def test_a_step_that_fails_leaves_what_was_there(desk: Desk, backend: str, step: str, before: str) -> None:
    """Whatever the system refuses, it is one sentence and exit 3, and everything is as it was."""
    desk.have(backend)
    if backend == "cron":
        (desk.system.state / "crontab").write_bytes(FOREIGN)
    if before == "something":
        desk.schedule("install", "--backend", backend, "--at", "06:00")
    was, noted = desk.everything(), desk.noted()
    desk.system.fail(step)
    said = desk.schedule("install", "--backend", backend, "--every", "1h", code=3)
    assert "refused, as the test wants it" in said
    assert desk.noted() == noted
    desk.system.fail()
    if (backend, before) == ("launchd", "something"):  # what is refused for good cannot be loaded again, which is said
        assert "could not be put back" in said
        del was[str(desk.system.state / "agents")]
    assert desk.everything() == was


def test_a_refusal_that_passes_leaves_the_old_one_running(desk: Desk) -> None:
    """systemd: where starting the new timer fails once, the old one is enabled and active again."""
    desk.have("systemd")
    desk.schedule("install", "--at", "06:00")
    was = desk.everything()
    desk.system.fail("systemctl restart")  # what puts things back uses `start`
    desk.schedule("install", "--every", "1h", code=3)
    assert desk.everything() == was
    assert desk.system.keeps("active") == [f"agent-os-{desk.ident}.timer"]


def test_an_agent_that_could_not_be_removed_is_as_it_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """launchd does not let go of it: the file is still there, and loaded."""
    monkeypatch.setattr(launchd, "_GONE_SECONDS", 0.1)
    desk.have("launchd")
    desk.schedule("install", "--backend", "launchd")
    was = desk.everything()
    desk.system.fail("launchctl bootout")
    assert "bootout" in desk.schedule("remove", code=3)
    assert desk.everything() == was
    assert desk.noted() != {}


def test_what_was_taken_back_is_not_remembered(desk: Desk) -> None:
    """A database that does not take the tasks: nothing is installed, and nothing says that it was."""
    desk.have("cron")
    desk.ini("[task:a]\ncommand = /bin/true\nschedule = @daily\n")
    open_to_write(str(desk.db), clock=Clock()).close()
    full = "SELECT RAISE(ABORT, 'database or disk is full'); END"
    desk.rows(f"CREATE TRIGGER full BEFORE INSERT ON schedules BEGIN {full}")
    assert "no space" in desk.schedule("install", code=7)
    assert (desk.system.crontab, desk.noted()) == (b"", {})


@each_backend
def test_what_cannot_be_remembered_is_not_installed(desk: Desk, backend: str) -> None:
    """A database that does not take the note: exit as for any database, and the system is as it was."""
    desk.have(backend)
    if backend == "cron":
        (desk.system.state / "crontab").write_bytes(FOREIGN)
    was = desk.everything()
    open_to_write(str(desk.db), clock=Clock()).close()
    desk.rows("CREATE TRIGGER full BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END")
    assert "no space" in desk.schedule("install", "--backend", backend, code=7)
    assert desk.everything() == was


def test_a_folder_that_cannot_be_made_ends_it(desk: Desk) -> None:
    """There is a file in its place: a sentence, and no command was run that changes anything."""
    desk.have("systemd")
    (desk.user / ".config").mkdir()
    (desk.user / ".config" / "systemd").write_text("a file where the folder should be")
    assert "Not a directory" in desk.schedule("install", code=3)
    assert not any("enable" in call for call in desk.system.calls)


def test_a_full_disk_installs_nothing(desk: Desk, program: list[str]) -> None:
    """Where there is no room for a database: exit 7, and the crontab is as it was."""
    import resource

    desk.have("cron")
    (desk.system.state / "crontab").write_bytes(FOREIGN)
    done = subprocess.run(
        [*program, "schedule", "install", "--home", str(desk.folder)], capture_output=True, text=True, check=False,
        env=bare(PATH=str(desk.system.path), PYTHONDONTWRITEBYTECODE="1"), cwd=desk.user,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (7, "")
    assert "free" in done.stderr
    assert desk.system.crontab == FOREIGN


def test_a_home_that_cannot_be_written_is_refused_before_anything(desk: Desk) -> None:
    """No database can be made there: nothing is installed."""
    desk.have("cron")
    desk.db.mkdir()
    desk.schedule("install", code=3)
    assert desk.system.crontab == b""


def test_a_reader_of_the_output_that_left_undoes_nothing(desk: Desk, program: list[str]) -> None:
    """What was installed is, and is remembered, and the exit code says so: a word less was printed, no more."""
    desk.have("cron")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*program, "schedule", "install", "--home", str(desk.folder)], stdout=writer, stderr=subprocess.PIPE,
        env=bare(PATH=str(desk.system.path)), cwd=desk.user, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
    assert desk.noted()["backend"] == "cron"
    assert b"# BEGIN agent_os " in desk.system.crontab


@pytest.mark.parametrize("note", ["{", "[]", '"x"', "{}", '{"home": 7}', "null"])
def test_a_note_that_says_nothing_is_none(desk: Desk, note: str, cron_daemon: None) -> None:
    """Whatever has written it: what is installed is told all the same, and to install writes it anew."""
    desk.have("cron")
    desk.schedule("install")
    desk.rows("UPDATE meta SET value = ? WHERE name = 'schedule'", note)
    said = desk.schedule("status", code=1)
    assert said["installed"] is True
    assert "the database does not know what was chosen" in said["problems"][0]
    desk.schedule("install")
    assert desk.schedule("status")["healthy"] is True


# --- which scheduler --------------------------------------------------------------------------------------------------


def test_a_user_manager_is_better_than_cron(desk: Desk) -> None:
    """It makes up for what was missed."""
    desk.have("cron", "systemd")
    assert desk.schedule("install")["backend"] == "systemd"


def test_cron_does_where_no_user_manager_answers(desk: Desk) -> None:
    """As in a container, or where nobody has ever logged in."""
    desk.have("cron", "systemd")
    desk.system.touch("no_bus")
    said = desk.schedule("install")
    assert said["backend"] == "cron"
    assert any("the next tick does" in note for note in said["notes"])


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_a_mac_has_launchd_and_windows_its_own(desk: Desk, platform: str) -> None:
    """Though both may have a `crontab` too."""
    desk.have("cron", "launchd", "windows")
    machine = Machine({"PATH": str(desk.system.path)}, clock=Clock(), user_folder=str(desk.user), platform=platform)
    assert usable("", machine).name == {"darwin": "launchd", "win32": "windows"}[platform]


def test_a_machine_without_any_is_told_so(desk: Desk) -> None:
    """One sentence with every reason, exit 3, and what does without one; not even a database is made."""
    said = desk.schedule("install", code=3)
    assert "no scheduler" in said
    assert "systemctl is not on PATH" in said
    assert "crontab is not on PATH" in said
    assert "tick --watch" in said
    assert desk.files().keys() <= {"agent.log"}


@each_backend
def test_a_scheduler_that_is_missing_is_named(desk: Desk, backend: str) -> None:
    """Whoever names one that the machine has not: one sentence, exit 3."""
    said = desk.schedule("install", "--backend", backend, code=3)
    assert f"{backend} cannot be used here: {BACKENDS[backend][0]} is not on PATH" in said


def test_launchd_without_a_session_says_where_to_go(desk: Desk) -> None:
    """Over ssh, with nobody at the screen."""
    desk.have("launchd")
    desk.system.touch("no_gui")
    assert "not by ssh" in desk.schedule("install", "--backend", "launchd", code=3)


def test_a_change_of_scheduler_leaves_one(desk: Desk) -> None:
    """The new one is there before the old one goes, which is said; if that fails, the new one goes again."""
    desk.have("cron", "systemd")
    desk.schedule("install", "--backend", "cron")
    was = desk.everything()
    desk.system.fail("crontab -r")
    desk.schedule("install", "--backend", "systemd", code=3)
    assert desk.everything() == was
    assert desk.noted()["backend"] == "cron"
    desk.system.fail()
    said = desk.schedule("install", "--backend", "systemd")
    assert said["removed"] == [f"the block of {desk.ident} in the crontab"]
    assert desk.system.crontab == b""
    assert desk.schedule("status")["backend"] == "systemd"


def test_a_crontab_that_may_not_be_read_does_not_hinder_another_scheduler(desk: Desk) -> None:
    """What is not used need not be allowed."""
    desk.have("cron", "systemd")
    desk.system.touch("denied")
    assert desk.schedule("install")["backend"] == "systemd"
    assert desk.schedule("status")["healthy"] is True
    assert len(desk.schedule("remove")["removed"]) == 1


def test_what_cannot_be_asked_any_more_is_not_called_removed(desk: Desk) -> None:
    """It was installed with systemd, whose manager is away: exit 3 and the reason, and it is remembered."""
    desk.have("systemd")
    desk.schedule("install")
    desk.system.touch("no_bus")
    assert "no user manager answers" in desk.schedule("remove", code=3)
    assert desk.noted()["backend"] == "systemd"
    assert "cannot be asked" in desk.schedule("status", code=3)["problems"][0]


def test_a_block_with_half_its_marks_is_not_called_absent(desk: Desk) -> None:
    """Its lines may be at work though nobody remembers them: `status` says so, and `remove` is refused."""
    desk.have("cron")
    desk.schedule("install")
    whole = desk.system.crontab
    desk.schedule("remove")
    half = b"".join(line for line in whole.splitlines(keepends=True) if not line.startswith(b"# END"))
    (desk.system.state / "crontab").write_bytes(half)
    told = desk.schedule("status", code=1)
    assert told["installed"] is True
    assert "are not a pair" in told["problems"][0]
    assert "are not a pair" in desk.schedule("remove", code=3)
    assert desk.system.crontab == half


# --- the crontab belongs to its user ----------------------------------------------------------------------------------


def test_every_other_byte_of_a_crontab_stays(desk: Desk) -> None:
    """Comments, blank lines, variables, what is no UTF-8: the block is put behind them, replaced where it stands."""
    desk.have("cron")
    (desk.system.state / "crontab").write_bytes(FOREIGN)
    desk.schedule("install")
    assert desk.system.crontab.startswith(FOREIGN + b"# BEGIN agent_os ")
    behind = b"# behind it\n5 5 * * * other\n"
    with (desk.system.state / "crontab").open("ab") as file:
        file.write(behind)
    desk.schedule("install", "--at", "06:00")
    assert desk.system.crontab.startswith(FOREIGN + b"# BEGIN agent_os ")
    assert desk.system.crontab.endswith(behind)
    desk.schedule("remove")
    assert desk.system.crontab == FOREIGN + behind


def test_without_a_crontab_there_is_none_afterwards(desk: Desk) -> None:
    """An empty one would be another thing than none."""
    desk.have("cron")
    desk.schedule("install")
    desk.schedule("remove")
    assert not (desk.system.state / "crontab").exists()


def test_a_crontab_that_may_not_be_read_is_not_overwritten(desk: Desk) -> None:
    """`crontab -l` ends with 1 for "no crontab" and for every other trouble: only the words tell."""
    desk.have("cron")
    (desk.system.state / "crontab").write_bytes(FOREIGN)
    desk.system.touch("denied")
    assert "not allowed to use this program" in desk.schedule("install", code=3)
    assert desk.system.crontab == FOREIGN
    assert not any(call == "crontab -" for call in desk.system.calls)


def test_a_crontab_that_cannot_be_written_is_said(desk: Desk) -> None:
    """No space where crontabs are kept: what was there is there, and the sentence has crontab's own words."""
    desk.have("cron")
    (desk.system.state / "crontab").write_bytes(FOREIGN)
    desk.system.touch("full")
    assert "No space left on device" in desk.schedule("install", code=3)
    assert desk.system.crontab == FOREIGN


def test_homes_share_a_crontab(desk: Desk, tmp_path: Path) -> None:
    """Each has its own block; removing one leaves the other."""
    desk.have("cron")
    desk.schedule("install")
    mine = desk.system.crontab
    first, desk.folder = desk.folder, tmp_path / "other"
    desk.folder.mkdir()
    desk.schedule("install")
    assert desk.system.crontab.count(b"# BEGIN agent_os ") == 2
    desk.schedule("remove")
    assert desk.system.crontab == mine
    desk.folder = first


def slow(system: Schedulers) -> None:
    """Let `crontab` take its time before it writes."""
    program = system.path / "crontab"
    program.rename(system.path / "crontab.real")
    program.write_text(f'#!/bin/sh\n[ "$1" = -l ] || /bin/sleep 0.3\nexec {system.path}/crontab.real "$@"\n')
    program.chmod(0o700)


def test_two_homes_at_once_lose_no_line_of_each_other(tmp_path: Path) -> None:
    """`crontab` has no lock between reading and writing; so we have one."""
    system = Schedulers(tmp_path / "system", "crontab")
    slow(system)
    idents = [f"home-00000{number}" for number in range(3)]

    def install(ident: str) -> None:
        machine = Machine({"PATH": str(system.path)}, clock=Clock(), user_folder=str(tmp_path))
        with Undo() as undo:
            cron.Cron(machine).install(Trigger(ident, "/h", ("/p", "t"), "/h", "/h/log", every_seconds=900), undo)

    threads = [threading.Thread(target=install, args=(ident,)) for ident in idents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ident for ident in idents if f"# BEGIN agent_os {ident}\n".encode() not in system.crontab] == []


def test_what_is_undone_takes_no_line_of_others_with_it(tmp_path: Path) -> None:
    """Between the installation and its undoing somebody else has written into the crontab."""
    system = Schedulers(tmp_path / "system", "crontab")
    (system.state / "crontab").write_bytes(FOREIGN)
    machine = Machine({"PATH": str(system.path)}, clock=Clock(), user_folder=str(tmp_path))
    given = Trigger("x-000000", "/h", ("/p", "t"), "/h", "/h/log", every_seconds=900)
    undo = Undo()
    cron.Cron(machine).install(given, undo)
    (system.state / "crontab").write_bytes(system.crontab + b"0 5 * * * /usr/bin/theirs\n")
    undo.__exit__(ConfigError, ConfigError("the next step fails"), None)
    assert system.crontab == FOREIGN + b"0 5 * * * /usr/bin/theirs\n"


@pytest.mark.parametrize("is_remembered", [True, False], ids=["remembered", "database-gone"])
def test_a_block_that_was_damaged_by_hand_is_a_problem(desk: Desk, is_remembered: bool, cron_daemon: None) -> None:
    """Its lines are in force still, so nobody says that nothing is installed; and nothing is cut out by guess."""
    desk.have("cron")
    desk.schedule("install")
    damaged = FOREIGN + desk.system.crontab.replace(f"# END agent_os {desk.ident}\n".encode(), b"") + FOREIGN
    (desk.system.state / "crontab").write_bytes(damaged)
    if not is_remembered:
        desk.db.unlink()
    status = desk.schedule("status", code=1)
    assert status["installed"] is True
    assert "are not a pair: remove them (crontab -e)" in status["problems"][0]
    for word in ("install", "remove"):
        assert "are not a pair" in desk.schedule(word, code=3)
    assert desk.system.crontab == damaged


def test_a_block_with_carriage_returns_is_not_what_was_installed(desk: Desk, cron_daemon: None) -> None:
    """As an editor of Windows leaves it: the shell finds no file `&1` with one behind it, and nothing is run."""
    desk.have("cron")
    desk.schedule("install")
    installed = desk.system.crontab
    (desk.system.state / "crontab").write_bytes(installed.replace(b"\n", b"\r\n"))
    assert desk.schedule("status", code=1)["differs"] is True
    desk.schedule("install")
    assert desk.system.crontab == installed


def test_a_machine_without_a_cron_daemon_is_told(tmp_path: Path) -> None:
    """`crontab` alone runs nothing. Where the processes of others are hidden, nobody can tell, and nothing is said."""
    system = Schedulers(tmp_path / "system", "crontab")
    machine = Machine({"PATH": str(system.path)}, clock=Clock(), user_folder=str(tmp_path))
    given = Trigger("x-000000", "/h", ("/p", "t"), "/h", "/h/log", every_seconds=900)
    processes = tmp_path / "proc"
    found = []
    for name in ("", "1/systemd", "77/cron"):
        (processes / name).mkdir(parents=True)
        if name:
            (processes / name).rmdir()
            (processes / name).parent.joinpath("comm").write_text(name.partition("/")[2] + "\n")
        each = cron.Cron(machine, processes=str(processes))
        with Undo() as undo:
            each.install(given, undo)
        found.append(each.status("x-000000").problems)
    assert found == [(), ("no cron daemon is at work on this machine",), ()]


def test_what_a_crontab_says_before_the_block_is_looked_at(desk: Desk, cron_daemon: None) -> None:
    """A shell that reads no such lines, and a zone in which --at would be meant."""
    desk.have("cron")
    (desk.system.state / "crontab").write_bytes(b"SHELL=/usr/bin/csh\nCRON_TZ=Asia/Tokyo\n")
    notes = desk.schedule("install", "--at", "06:00")["notes"]
    assert [note for note in notes if "/usr/bin/csh" in note]
    assert [note for note in notes if "CRON_TZ=Asia/Tokyo" in note]


# --- status tells the truth -------------------------------------------------------------------------------------------


def unit(desk: Desk, kind: str) -> Path:
    return desk.user / ".config" / "systemd" / "user" / f"agent-os-{desk.ident}.{kind}"


def test_a_change_by_hand_is_shown_line_by_line(desk: Desk) -> None:
    """Exit 1, "-" what is there and "+" what would be; installing again puts it right."""
    desk.have("systemd")
    desk.schedule("install", "--at", "06:00")
    file = unit(desk, "timer")
    file.write_text(file.read_text().replace("06:00", "05:00"))
    said = desk.schedule("status", code=1)
    assert (said["differs"], said["healthy"]) == (True, False)
    assert said["difference"] == ["- OnCalendar=*-*-* 05:00:00", "+ OnCalendar=*-*-* 06:00:00"]
    assert any("daemon-reload" in problem for problem in said["problems"])
    desk.schedule("install")
    assert desk.schedule("status")["differs"] is False


@pytest.mark.parametrize(
    ("backend", "file"), [("launchd", "Library/LaunchAgents"), ("systemd", ".config/systemd/user"), ("cron", "")]
)
def test_each_scheduler_notices_a_change(desk: Desk, backend: str, file: str, cron_daemon: None) -> None:
    """Whatever is not as it would be written."""
    desk.have(backend)
    desk.schedule("install", "--backend", backend)
    paths = (
        [path for path in (desk.user / file).iterdir() if path.is_file()] if file else [desk.system.state / "crontab"]
    )
    paths = [path for path in paths if b"--quiet" in path.read_bytes()]
    paths[0].write_bytes(paths[0].read_bytes().replace(b"--quiet", b"--verbose"))
    said = desk.schedule("status", code=1)
    assert any("--verbose" in line for line in said["difference"] if line[0] == "-")


def test_windows_own_additions_are_no_difference_but_a_change_is(desk: Desk) -> None:
    """The Task Scheduler leaves defaults out and adds what it likes."""
    desk.have("windows")
    desk.schedule("install", "--backend", "windows")
    assert desk.schedule("status")["differs"] is False
    (name, text), *_ = desk.system.keeps("tasks").items()
    desk.system.say("tasks", {name: text.replace("PT15M", "PT1H")})
    said = desk.schedule("status", code=1)
    assert said["difference"] == [
        "- Triggers/CalendarTrigger/Repetition/Interval = PT1H",
        "+ Triggers/CalendarTrigger/Repetition/Interval = PT15M",
    ]
    desk.system.say("tasks", {name: text.replace("<Settings>", "<Settings><Enabled>false</Enabled>")})
    assert "the task is disabled" in desk.schedule("status", code=1)["problems"]


def test_a_second_action_of_a_task_is_a_difference(desk: Desk) -> None:
    """Somebody has added a program of his own."""
    desk.have("windows")
    desk.schedule("install", "--backend", "windows")
    (name, text), *_ = desk.system.keeps("tasks").items()
    action = "<Exec><Command>C:\\other.exe</Command></Exec></Actions>"
    desk.system.say("tasks", {name: text.replace("</Actions>", action)})
    difference = desk.schedule("status", code=1)["difference"]
    assert difference == ["- Actions/Exec#2/Command = C:\\other.exe"]


def test_windows_says_what_the_last_run_ended_with(desk: Desk) -> None:
    """By its number, whatever the language; the number for "never" is no exit code."""
    desk.have("windows")
    desk.schedule("install", "--backend", "windows")
    assert desk.schedule("status")["last_exit"] is None
    desk.system.say("result", 3)
    said = desk.schedule("status", code=1)
    assert said["last_exit"] == 3
    assert "it last ended with 3: not set up" in said["problems"]


def test_what_systemd_says_is_passed_on(desk: Desk) -> None:
    """Next and last trigger, and the last exit; a failed task (1) is no fault of the schedule, a missing folder is."""
    desk.have("systemd")
    desk.schedule("install", "--at", "06:00")
    said = {
        "NextElapseUSecRealtime": "Mon 2026-11-23 06:00:12 UTC", "LastTriggerUSec": "Sun 2026-11-22 06:00:09 UTC",
        "ExecMainStatus": "1", "ExecMainExitTimestamp": "Sun 2026-11-22 06:00:10 UTC",
    }  # fmt: skip
    desk.system.say("said", said)
    status = desk.schedule("status")
    assert status["next_at"] == "2026-11-23T06:00:12.000Z"
    assert status["last_at"] == "2026-11-22T06:00:09.000Z"
    assert status["last_exit"] == 1
    assert status["late_seconds"] == 0.0
    killed = {**said, "ExecMainCode": "2", "ExecMainStatus": "4"}  # by SIGILL; exit code 4 would be "busy"
    desk.system.say("said", killed)
    assert desk.schedule("status", code=1)["last_exit"] == 132
    desk.system.say("said", {**said, "ExecMainStatus": "200"})
    assert "it last ended with 200: its folder is gone" in desk.schedule("status", code=1)["problems"]


def test_a_timer_that_is_stopped_or_forgotten_is_a_problem(desk: Desk) -> None:
    """Its files alone start nothing."""
    desk.have("systemd")
    desk.schedule("install")
    desk.system.say("active", [])
    assert desk.schedule("status", code=1)["problems"] == ["its timer is stopped"]
    unit(desk, "service").unlink()
    assert "one of its two files is gone" in desk.schedule("status", code=1)["problems"]


def test_launchd_says_its_last_exit_and_whether_it_is_loaded(desk: Desk) -> None:
    """It does not say when; the next time is worked out from the plist's own times."""
    desk.have("launchd")
    desk.schedule("install", "--backend", "launchd", "--at", "06:00")
    desk.system.say("exit", 78)
    said = desk.schedule("status", code=1)
    assert (said["last_exit"], said["last_at"]) == (78, "")
    desk.system.say("agents", {})
    assert desk.schedule("status", code=1)["problems"] == ["its file is there, but launchd has not loaded it"]


def test_what_was_taken_out_by_hand_is_not_installed(desk: Desk) -> None:
    """Exit 3, though the database remembers it, which is said."""
    desk.have("cron")
    desk.schedule("install")
    (desk.system.state / "crontab").unlink()
    said = desk.schedule("status", code=3)
    assert said["problems"] == ["it was installed with cron, which does not have it any more"]


def test_what_it_starts_must_be_there(desk: Desk, cron_daemon: None) -> None:
    """A Python that was updated away, or a file that was moved: it would fail each time."""
    desk.have("cron")
    desk.schedule("install")
    noted = desk.noted()
    noted["command"][0] = "/gone/python3"
    desk.rows("UPDATE meta SET value = ? WHERE name = 'schedule'", json.dumps(noted))
    content = desk.system.crontab.replace(sys.executable.encode(), b"/gone/python3")
    (desk.system.state / "crontab").write_bytes(content)
    said = desk.schedule("status", code=1)
    assert said["problems"] == ["it starts /gone/python3, which is not there"]
    assert said["differs"] is False
    assert sys.executable in said["notes"][-1]


WRONG: list[dict[str, object]] = [{"at": ["soon"]}, {"at": 7}, {"at": ["25:00"]}, {"every_seconds": 0}, {"ident": "z"}]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_note_that_makes_no_sense_is_none(desk: Desk, cron_daemon: None, wrong: dict[str, object]) -> None:
    """Somebody has changed it by hand: `status` says so, and `install` writes it anew."""
    desk.have("cron")
    desk.schedule("install")
    desk.rows("UPDATE meta SET value = ? WHERE name = 'schedule'", json.dumps({**desk.noted(), **wrong}))
    said = desk.schedule("status", code=1)
    assert said["problems"] == ["the database does not know what was chosen; `schedule install` writes it anew"]
    desk.schedule("install")
    assert desk.schedule("status")["healthy"] is True


@each_backend
def test_an_ini_that_cannot_be_read_blocks_neither_status_nor_remove(
    desk: Desk, backend: str, cron_daemon: None
) -> None:
    """What is installed is known without it; `status` says what is wrong with it, since each tick will stumble."""
    desk.have(backend)
    desk.schedule("install", "--backend", backend)
    (desk.folder / "agent_os.ini").write_text("[task:backup\ncommand = true\n")
    said = desk.schedule("status", code=1)
    assert (said["installed"], said["differs"], said["healthy"]) == (True, False, False)
    assert [problem for problem in said["problems"] if "agent_os.ini" in problem] == said["problems"]
    assert desk.schedule("install", code=3).startswith("error: ")
    assert len(desk.schedule("remove")["removed"]) > 0
    assert (desk.everything(), desk.noted()) == ({}, {}) or backend == "launchd"
    assert desk.schedule("status", code=3)["installed"] is False


def test_a_home_that_is_none_is_still_refused(desk: Desk) -> None:
    """Only agent_os.ini may be left aside."""
    desk.have("cron")
    desk.folder.rmdir()
    answer = desk.run("schedule", "status", app=False)
    assert (answer.code, "is not a folder" in answer.err) == (3, True)


# --- what the doctor says of it ---------------------------------------------------------------------------------------


def checked(desk: Desk, name: str, *, code: int = 0) -> list[tuple[str, str]]:
    """What the doctor says of one thing: state and message."""
    checks = desk.json("doctor", app=False, code=code)["checks"]
    return [(each["state"], each["message"]) for each in checks if each["check"] == name]


def test_the_doctor_tells_of_tasks_that_nobody_looks_after(desk: Desk) -> None:
    """As a note: a person, or an entry of one's own, may look. A tick of the last day is enough."""
    desk.have("cron")
    assert checked(desk, "schedule") == [("ok", "none is installed, and no task has a time of its own")]
    (desk.folder / "agent_os.ini").write_text("[task:backup]\ncommand = true\nschedule = 0 5 * * *\ncatch_up = all\n")
    assert checked(desk, "schedule") == [
        ("note", "none is installed, and no tick has ever looked: 1 task with a time of its own")
    ]
    assert desk.run("tick", app=False).code == 0
    seen(desk, "2026-11-22T09:00:00.000Z")
    assert checked(desk, "schedule") == [("ok", "none is installed, but a tick has looked at 2026-11-22T09:00Z")]
    desk.pass_days(2)
    assert checked(desk, "schedule", code=1) == [
        ("note", "none is installed, and no tick has looked for 2 d 0 h: 1 task with a time of its own")
    ]


def test_the_doctor_tells_who_is_late_as_watch_does(desk: Desk) -> None:
    """The same words; before anything is owed all is well."""
    desk.have("cron")
    (desk.folder / "agent_os.ini").write_text(
        f"[task:backup]\ncommand = {sys.executable} -c pass\nschedule = 0 5 * * *\n"
    )
    desk.run("tick", app=False)
    assert checked(desk, "lateness") == [("ok", "1 task on time")]
    desk.pass_days(1)
    late = desk.run("watch", app=False).out.splitlines()[1]
    assert late == "backup: due 2026-11-23T05:00Z, 4 h 0 min ago; no success yet; it never ran"
    assert checked(desk, "lateness", code=1) == [("problem", late)]
    desk.run("tick", app=False)
    assert checked(desk, "lateness") == [("ok", "1 task on time")]


def test_the_doctor_tells_what_is_wrong_with_an_installed_schedule(desk: Desk, cron_daemon: None) -> None:
    """What `schedule status` says: nothing, or that it differs, starts what is gone, or was taken out by hand."""
    desk.have("cron")
    next_at = desk.schedule("install")["next_at"]
    assert checked(desk, "schedule") == [("ok", f"installed with cron, every 15m; next {next_at[:16]}Z")]
    content = desk.system.crontab
    (desk.system.state / "crontab").write_bytes(content.replace(b"--quiet", b"--verbose"))
    differs = ("problem", "it is not what would be installed today; `schedule install` replaces it")
    assert checked(desk, "schedule", code=1) == [differs]
    noted = desk.noted()
    noted["command"][0] = "/gone/python3"
    desk.rows("UPDATE meta SET value = ? WHERE name = 'schedule'", json.dumps(noted))
    (desk.system.state / "crontab").write_bytes(content.replace(sys.executable.encode(), b"/gone/python3"))
    assert checked(desk, "schedule", code=1) == [("problem", "it starts /gone/python3, which is not there")]
    (desk.system.state / "crontab").write_bytes(b"")
    (gone,) = checked(desk, "schedule", code=1)
    assert gone == ("problem", "it was installed with cron, which does not have it any more")


def seen(desk: Desk, text: str) -> None:
    """Let this be when a tick has looked last."""
    at = from_iso(text).timestamp()
    note = desk.folder / "agent_os.db.idle"
    note.touch()
    os.utime(note, (at, at))


def test_how_late_counts_from_the_first_time_that_left_no_sign(desk: Desk, cron_daemon: None) -> None:
    """Every hour, the last tick at nine, now three days on: late since ten of then, not since an hour ago."""
    desk.have("cron")
    minute = int(desk.schedule("install", "--every", "1h")["next_at"][14:16])
    seen(desk, f"2026-11-22T09:{minute:02}:03.000Z")
    assert desk.schedule("status")["late_seconds"] == 0.0
    desk.pass_days(3)  # nine on Wednesday
    said = desk.schedule("status", code=1)
    assert said["last_sign_at"] == f"2026-11-22T09:{minute:02}:03.000Z"
    assert said["late_seconds"] == 3 * 86_400 - 3600 - 60 * minute
    assert [problem for problem in said["problems"] if "it is late by 2 d 2" in problem]
    seen(desk, "2026-11-25T08:59:59.000Z")
    assert desk.schedule("status")["late_seconds"] == 0.0


def test_one_that_has_never_fired_is_late_since_it_was_installed(desk: Desk, cron_daemon: None) -> None:
    """As where the daemon does not read this user's crontab: a look would have left a note."""
    desk.have("cron")
    desk.schedule("install", "--at", "10:00")
    desk.pass_days(1)
    assert desk.schedule("status", code=1)["late_seconds"] == 23 * 3600


def test_the_schedulers_own_last_time_is_a_sign_too(desk: Desk) -> None:
    """systemd says when the timer fired."""
    desk.have("systemd")
    desk.schedule("install", "--at", "06:00")
    seen(desk, "2026-11-22T09:00:00.000Z")
    desk.pass_days(2)
    assert desk.schedule("status", code=1)["late_seconds"] == 86_400 + 3 * 3600
    desk.system.say("said", {"LastTriggerUSec": "Tue 2026-11-24 06:00:09 UTC"})
    assert desk.schedule("status")["late_seconds"] == 0.0


def test_a_run_by_hand_does_not_hide_a_dead_schedule(desk: Desk, cron_daemon: None) -> None:
    """It resolves slots; the schedule is late all the same."""
    desk.have("cron")
    desk.write("@app.task\ndef one(ctx): pass\n")
    desk.schedule("install", "--at", "06:00")
    desk.pass_days(2)
    desk.run("--task", "one", "--key", "a")
    said = desk.schedule("status", code=1)
    assert said["last_slot"]["task"] == "one"
    assert said["late_seconds"] > 86_400


def test_a_scheduled_tick_leaves_a_sign_and_keeps_its_log_small(desk: Desk, cron_daemon: None) -> None:
    """Also where nothing is due. In the place of the log a link is not followed, and stops nobody."""
    desk.have("cron")
    desk.schedule("install", "--at", "06:00")
    desk.pass_days(2)
    log = desk.folder / "schedule.log"
    log.write_bytes(b"a line that nobody wanted\n" * 50_000)
    assert desk.run("tick", "--scheduled", "--quiet", app=False).code == 0
    assert (desk.folder / "agent_os.db.idle").stat().st_mtime > time.time() - 600  # by the machine's own clock
    assert 400_000 < log.stat().st_size <= 500_000
    target = log.rename(desk.user / "target")
    target.write_bytes(b"x\n" * 1_000_000)
    log.symlink_to(target)
    assert desk.run("tick", "--scheduled", "--quiet", app=False).code == 0
    assert target.stat().st_size == 2_000_000


def test_the_last_slot_is_the_one_that_was_resolved_last(desk: Desk, cron_daemon: None) -> None:
    """Whichever task it is of, and however it ended."""
    desk.have("cron")
    desk.write("@app.task\ndef one(ctx): pass\n@app.task\ndef two(ctx): raise PermanentError('no')\n")
    desk.run("--task", "one", "--key", "a")
    desk.pass_days(1 / 24)
    desk.run("--task", "two", "--key", "b")
    desk.schedule("install")
    slot = desk.schedule("status")["last_slot"]
    assert (slot["task"], slot["key"], slot["status"]) == ("two", "b", "failed")
    assert slot["changed_at"].startswith("2026-11-22T10:00")


def test_status_says_the_same_to_people(desk: Desk) -> None:
    """A line each; where nothing is installed, what to do."""
    desk.have("systemd")
    answer = desk.run("schedule", "status", app=False)
    assert answer.out == f"not installed for {desk.folder}; `schedule install` does it\n"
    assert answer.code == 3
    installed = desk.run("schedule", "install", "--at", "06:00", app=False)
    assert installed.out.splitlines()[0].startswith("installed with systemd, at 06:00: a-home-")
    lines = desk.run("schedule", "status", app=False).out.splitlines()
    assert [line.split()[0] for line in lines] == ["installed", "next", "last", "last", "last", "differs"]
    assert lines[0].startswith("installed   with systemd, at 06:00: a-home-")


def test_show_prints_what_the_system_has_and_what_would_be(desk: Desk) -> None:
    """Without a word what is there; with times or another scheduler what that would look like, of any system."""
    desk.have("systemd")
    assert desk.run("schedule", "show", app=False).code == 3
    desk.schedule("install", "--at", "06:00")
    text = desk.run("schedule", "show", app=False).out
    assert f"--- systemd: {unit(desk, 'timer')}\n" in text
    assert "OnCalendar=*-*-* 06:00:00\n" in text
    assert "OnCalendar=*-*-* 07:30:00\n" in desk.run("schedule", "show", "--at", "07:30", app=False).out
    assert "<key>StartCalendarInterval</key>" in desk.run("schedule", "show", "--backend", "launchd", app=False).out
    assert "<Interval>PT5M</Interval>" in desk.run(
        "schedule", "show", "--backend", "windows", "--every", "5m", app=False
    ).out  # fmt: skip
    assert "OnCalendar=*-*-* 06:00:00\n" in unit(desk, "timer").read_text()


def test_a_copy_of_a_home_has_no_schedule(desk: Desk, tmp_path: Path) -> None:
    """Its database remembers that of another folder; removing there removes nothing here."""
    desk.have("cron")
    desk.schedule("install")
    copy = tmp_path / "copy"
    shutil.copytree(desk.folder, copy)
    first, desk.folder = desk.folder, copy
    assert desk.schedule("status", code=3)["installed"] is False
    assert desk.schedule("remove")["removed"] == []
    desk.folder = first
    assert desk.schedule("status", code=None)["installed"] is True


def test_a_home_by_another_name_is_the_same_home(desk: Desk, tmp_path: Path, cron_daemon: None) -> None:
    """Through a link: the same entry, not a second one."""
    desk.have("cron")
    desk.schedule("install")
    link = tmp_path / "link"
    link.symlink_to(desk.folder)
    desk.folder = link
    assert desk.schedule("status", code=None)["installed"] is True
    desk.schedule("install")
    assert desk.system.crontab.count(b"# BEGIN agent_os ") == 1


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("install", "--at", "06:00", "--every", "15m"), "--at and --every exclude each other"),
        (("install", "--every", "7m"), "--every is '7m'"),
        (("install", "--at", "25:00"), "--at is '25:00'"),
        (("install", "--backend", "upstart"), "--backend is 'upstart'"),
        (("remove", "--at", "06:00"), "schedule remove takes no --at"),
        (("status", "--dry-run"), "schedule status takes no --dry-run"),
        (("instal",), "did you mean install?"),
        (("install", "now"), "schedule install takes no 'now'"),
        ((), "install|remove|status|show|import"),
    ],
)
def test_what_cannot_be_meant_is_refused(desk: Desk, words: tuple[str, ...], said: str) -> None:
    """Exit 2, before anything is looked at."""
    desk.have("cron")
    answer = desk.run("schedule", *words, app=False)
    assert (answer.code, said in answer.err) == (2, True)
    assert desk.system.calls == []


def test_options_may_stand_before_the_word(desk: Desk) -> None:
    """As everywhere."""
    desk.have("cron")
    assert desk.run("schedule", "--dry-run", "--every", "1h", "install", app=False).code == 0


def test_small_hours_and_this_shells_own_variables_are_warned_of(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock change may leave 02:30 out; no scheduler sees a key that only this shell has."""
    desk.have("cron")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin-secret-0000")
    notes = desk.schedule("install", "--at", "02:30")["notes"]
    assert any("01:00 to 03:59" in note for note in notes)
    assert any("OPENAI_ADMIN_KEY: set in this shell alone" in note for note in notes)
    assert not any("secret" in note for note in notes)
    assert b"secret" not in desk.system.crontab


def test_paths_of_this_shell_are_pinned(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that only this shell's variable names would be another one for the scheduler."""
    desk.have("cron")
    monkeypatch.setenv("AGENT_OS_DB_PATH", str(tmp_path / "elsewhere.db"))
    command = desk.schedule("install")["command"]
    assert command[command.index("--db-path") + 1] == str(tmp_path / "elsewhere.db")
    assert (tmp_path / "elsewhere.db").exists()


def test_a_path_that_no_scheduler_takes_is_refused(desk: Desk, tmp_path: Path) -> None:
    """A line break in it would be a second line of a crontab."""
    desk.have("cron")
    desk.folder = tmp_path / "two\n* * * * * lines"
    desk.folder.mkdir()
    assert "no scheduler takes a path such as" in desk.schedule("install", code=3)
    assert desk.system.crontab == b""


def test_folders_that_macos_guards_are_warned_of(desk: Desk) -> None:
    """A background program that reads there is refused, or waits for an answer for hours."""
    machine = Machine({}, clock=Clock(), user_folder="/Users/you")
    guarded, free = "/Users/you/Documents/agent_os", "/Users/you/Documents2/agent_os"
    for home, count in ((guarded, 1), (free, 0), ("/Users/you/Library/Mobile Documents/x", 1)):
        given = Trigger("x-000000", home, ("/usr/bin/python3", "/opt/a.pyz"), home, "/l", at=((6, 0),))
        assert len(launchd.of(machine).remarks(given)) == count


def test_linger_is_mentioned_where_it_is_not_on(desk: Desk) -> None:
    """A user manager ends with the last session."""
    desk.have("systemd")
    assert any("enable-linger" in note for note in desk.schedule("install")["notes"])
    desk.system.say("linger", "yes")
    (desk.system.state / "linger").write_text('"yes"')
    assert not any("enable-linger" in note for note in desk.schedule("install")["notes"])


def test_launchd_is_given_the_time_to_let_go(desk: Desk) -> None:
    """`bootout` returns at once: loading under the same label is an I/O error until `print` no longer finds it."""
    desk.have("launchd")
    desk.schedule("install", "--backend", "launchd")
    before = len(desk.system.calls)
    desk.schedule("install", "--backend", "launchd", "--at", "06:00")
    verbs = [call.split()[1] for call in desk.system.calls[before:]]
    assert "load" not in verbs
    assert verbs.index("bootout") < len(verbs) - 1 - verbs[::-1].index("bootstrap")
    (file,) = (desk.user / "Library" / "LaunchAgents").iterdir()
    assert plistlib.loads(file.read_bytes())["StartCalendarInterval"] == [{"Hour": 6, "Minute": 0}]
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_scheduler_that_says_nothing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute, then a sentence."""
    from agent_os.schedulers import programs

    monkeypatch.setattr(programs, "PATIENCE_SECONDS", 0.2)
    (tmp_path / "crontab").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    (tmp_path / "crontab").chmod(0o700)
    machine = Machine({"PATH": str(tmp_path)}, clock=Clock(), user_folder=str(tmp_path))
    with pytest.raises(ConfigError, match="did not answer"):
        machine.ask("crontab", "-l")


def test_a_program_that_speaks_no_utf8_is_understood(tmp_path: Path) -> None:
    """What cannot be decoded becomes a mark; nothing fails over it."""
    (tmp_path / "crontab").write_text("#!/bin/sh\nprintf 'gr\\374n' >&2\nexit 1\n")
    (tmp_path / "crontab").chmod(0o700)
    machine = Machine({"PATH": str(tmp_path)}, clock=Clock(), user_folder=str(tmp_path))
    with pytest.raises(ConfigError, match="gr\ufffdn"):
        machine.tell("crontab", "-l")


def test_no_scheduler_is_told_a_secret(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs none."""
    monkeypatch.setenv("NAS_TOKEN", "hush")
    monkeypatch.setenv("NAS_NAME", "attic")
    machine = Machine(os.environ, clock=Clock(), user_folder=str(desk.user))
    assert machine.environ["NAS_NAME"] == "attic"
    assert "NAS_TOKEN" not in machine.environ


# --- homes with odd names, and homes that move ------------------------------------------------------------------------


@each_backend
@pytest.mark.parametrize("name", [b"a\nb", b"n\xffx"], ids=["newline", "no-text"])
def test_a_path_that_cannot_be_written_down_is_a_sentence(desk: Desk, backend: str, name: bytes) -> None:
    """Also where it would only be shown."""
    folder = os.path.join(os.fsencode(desk.folder), name)
    os.mkdir(folder)
    desk.folder = Path(os.fsdecode(folder))
    assert "rename it" in desk.schedule("show", "--backend", backend, code=3)


def test_windows_would_fill_in_what_stands_between_percent_signs(desk: Desk) -> None:
    """Task Scheduler knows no way to write them as they are; one alone is no name."""
    for name, code in (("100%", 0), ("a%PATH%b", 3), ("a$(Arg0)", 3)):
        desk.folder = desk.user / name
        desk.folder.mkdir()
        desk.schedule("show", "--backend", "windows", code=code)


@pytest.mark.parametrize("word", ["install", "remove"])
def test_a_home_that_was_moved_leaves_no_entry_behind(desk: Desk, word: str) -> None:
    """That entry would look for it at the old place for ever, and nobody could remove it."""
    desk.have("cron")
    (desk.system.state / "crontab").write_bytes(FOREIGN)
    desk.schedule("install")
    there, desk.folder = desk.folder, desk.folder.rename(desk.user / "moved")
    assert "not installed" in desk.run("schedule", "status", app=False).out
    assert str(there) in desk.run("schedule", "status", app=False).out
    assert desk.schedule("remove", "--dry-run")["removed"] != []
    assert f"the block of {ident_of(str(there))} in the crontab" in desk.schedule(word)["removed"]
    desk.schedule("remove")
    assert desk.system.crontab == FOREIGN


def test_a_copy_of_a_home_leaves_the_entry_of_the_other_one(desk: Desk) -> None:
    """Both are there: each has its own."""
    desk.have("cron")
    desk.schedule("install")
    mine = desk.system.crontab
    shutil.copytree(desk.folder, desk.user / "copy")
    desk.folder = desk.user / "copy"
    assert desk.schedule("install")["removed"] == []
    desk.schedule("remove")
    assert desk.system.crontab == mine


# --- the log of what a scheduler started; notes -----------------------------------------------------------------------


def test_a_log_keeps_its_last_half_in_whole_lines(tmp_path: Path) -> None:
    """In place: whoever has it open to append goes on writing behind what was kept."""
    log = tmp_path / "schedule.log"
    assert bounded(str(log)) is False
    with log.open("ab", buffering=0) as file:
        file.write(b"".join(b"line %04d\n" % number for number in range(100)))
        assert bounded(str(log), most=1000) is False
        file.write(b"one more\n")
        assert bounded(str(log), most=1000) is True
        file.write(b"after\n")
    lines = log.read_bytes().splitlines()
    assert lines[0].startswith(b"line 00")
    assert len(lines[0]) == 9
    assert lines[-2:] == [b"one more", b"after"]
    assert len(log.read_bytes()) <= 500 + len(b"after\n")


def test_a_link_in_the_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    """Somebody else may have put it there."""
    target = tmp_path / "target"
    target.write_bytes(b"x\n" * 1000)
    (tmp_path / "schedule.log").symlink_to(target)
    with pytest.raises(ConfigError, match="symbolic link"):
        bounded(str(tmp_path / "schedule.log"), most=10)
    assert target.read_bytes() == b"x\n" * 1000


def test_a_note_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """Under one name one text; an empty one is none."""
    store = Store(open_to_write(str(tmp_path / "agent_os.db"), clock=Clock()))
    assert store.note("schedule") == ""
    store.take_note("schedule", "a")
    store.take_note("schedule", "b")
    assert store.note("schedule") == "b"
    store.take_note("schedule", "")
    assert store.note("schedule") == ""
    store.db.close()


@pytest.mark.skipif(not os.environ.get("AGENT_OS_TEST_REAL_CRON"), reason="AGENT_OS_TEST_REAL_CRON is not set")
def test_the_real_crontab_takes_the_block_and_gives_it_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With Debian's own program: installed, and afterwards as it was."""
    monkeypatch.setenv("PATH", os.defpath)
    before = subprocess.run(["crontab", "-l"], capture_output=True, check=False)
    desk.schedule("install", "--backend", "cron")
    desk.schedule("install", "--backend", "cron", "--at", "06:00,18:30")
    during = subprocess.run(["crontab", "-l"], capture_output=True, check=True).stdout
    assert during.count(b"# BEGIN agent_os a-home-") == 1
    desk.schedule("remove")
    after = subprocess.run(["crontab", "-l"], capture_output=True, check=False)
    assert (after.returncode, after.stdout) == (before.returncode, before.stdout)


@each_backend
def test_a_dry_run_says_what_any_scheduler_would_be_told(desk: Desk, backend: str) -> None:
    """Also one that this machine has not: it is printed, and said that it cannot be used here."""
    said = desk.schedule("install", "--backend", backend, "--dry-run", "--at", "06:00")
    (first, *_) = said["texts"].values()
    assert str(desk.folder) in first
    assert any(note.startswith(f"{backend} cannot be used here: ") for note in said["notes"])


def test_tasks_that_are_due_more_often_than_it_is_looked_are_named(desk: Desk) -> None:
    """Every five minutes, looked every quarter of an hour: two of three slots would only be caught up."""
    desk.have("cron")
    often = (
        "[task:often]\ncommand = true\nschedule = */5 * * * *\n[task:daily]\ncommand = true\nschedule = daily 06:00\n"
    )
    (desk.folder / "agent_os.ini").write_text(often, encoding="utf-8")
    told = "due more often than it is looked: often; with a smaller --every no slot is missed"
    assert told in desk.schedule("install", "--backend", "cron", "--dry-run")["notes"]
    assert told not in desk.schedule("install", "--backend", "cron", "--dry-run", "--every", "5m")["notes"]
    both = desk.schedule("install", "--backend", "cron", "--dry-run", "--at", "06:00,18:00")["notes"]
    assert told in both
