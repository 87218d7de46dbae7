"""`schedule import`: what it prints, what `--take-over` changes, and that nothing changes when anything goes wrong."""

from __future__ import annotations

import io
import json
import os
import plistlib
import subprocess
import sys
from pathlib import Path

import pytest
from house import House

from agent_os.core.cron import Schedule

pytestmark = pytest.mark.skipif(os.name == "nt", reason="schedulers of POSIX systems")


def knows(*words):
    """Whether schedules know this already."""
    try:
        Schedule(*words)
    except ValueError:
        return False
    return True


LOCAL = pytest.mark.skipif(not knows("@daily", "local"), reason="needs timezone = local")
EVERY = pytest.mark.skipif(not knows("every 15m"), reason="needs schedule = every 15m")

HEAD = f"""#!{sys.executable}
import os, sys
STATE = {{state!r}}
def path(name): return os.path.join(STATE, name)
def read(name): return open(path(name), "rb").read() if os.path.exists(path(name)) else None
def write(name, content): open(path(name), "wb").write(content)
def lines(name): return (read(name) or b"").decode().split()
def say(text): sys.stdout.write(text)
def refuse(text, code=1): sys.stderr.write(text + "\\n"); sys.exit(code)
with open(path("calls"), "a") as file: file.write(" ".join(sys.argv[1:]) + "\\n")
words = sys.argv[1:]
if read("broken") and any(word in words for word in lines("broken")): refuse("it is broken today", 4)
"""
CRONTAB = """
if words == ["-l"]:
    after = read("crontab.next")
    content = read("crontab")
    if content is None: refuse("no crontab for ann")
    sys.stdout.buffer.write(content)
    if after is not None: write("crontab", after)
elif words == ["-"]:
    content = sys.stdin.buffer.read()
    if not content.endswith(b"\\n"): refuse("new crontab file is missing newline before EOF, can't install.")
    write("crontab", content)
else: refuse("usage error")
"""
SYSTEMCTL = """
scope, verb, *rest = words
if scope != "--user": refuse("Failed to connect to bus")
names = [word for word in rest if not word.startswith("-")]
units = sorted(name for name in os.listdir(STATE) if name.endswith((".timer", ".service")))
if verb == "list-unit-files":
    for name in units:
        if name.endswith(".timer"): say(f"{name} {'enabled' if name in lines('enabled') else 'disabled'} enabled\\n")
elif verb == "cat":
    if names[0] not in units: refuse(f"No files found for {names[0]}.")
    folder = "/usr/lib/systemd/user" if names[0].startswith("vendor") else "/home/ann/.config/systemd/user"
    say(f"# {folder}/{names[0]}\\n" + read(names[0]).decode())
elif verb in ("enable", "disable") and rest[0] == "--now":
    if names[0] not in units: refuse(f"Failed to {verb} unit: Unit file {names[0]} does not exist.")
    if names[0] in lines("stuck"): refuse(f"Failed to {verb} unit: Access denied")
    left = [name for name in lines("enabled") if name != names[0]]
    write("enabled", " ".join([*left, *names] if verb == "enable" else left).encode())
else: refuse("Unknown command verb")
"""
LAUNCHCTL = """
verb, *rest = words
domain = f"gui/{os.getuid()}"
label = rest[0].rpartition("/")[2]
def change(name, has):
    left = [each for each in lines(name) if each != label]
    write(name, " ".join([*left, label] if has else left).encode())
if verb == "print-disabled" and rest == [domain]:
    say("disabled services = {\\n" + "".join(f'\\t"{each}" => disabled\\n' for each in lines("disabled")) + "}\\n")
elif verb in ("enable", "disable") and rest[0].startswith(domain + "/"): change("disabled", verb == "disable")
elif verb == "bootout":
    if label not in lines("loaded"): refuse("Boot-out failed: 3: No such process", 3)
    if label in lines("stuck"): refuse("Boot-out failed: 5: Input/output error", 5)
    change("loaded", False)
elif verb == "print":
    if label not in lines("loaded"): refuse("Could not find service", 113)
elif verb == "bootstrap" and rest[0] == domain:
    label = rest[1].rpartition("/")[2][: -len(".plist")]
    if label in lines("loaded") or label in lines("disabled"): refuse("Bootstrap failed: 5: Input/output error", 5)
    change("loaded", True)
else: refuse("Unrecognized subcommand", 64)
"""


class Fakes:
    """Schedulers that keep what they are told in files, on a PATH of their own."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.state = folder / "bin", folder / "state"
        self.bin.mkdir()
        self.state.mkdir()

    def install(self, name, body):
        """Put one there."""
        program = self.bin / name
        program.write_text(HEAD.format(state=str(self.state)) + body)
        program.chmod(0o755)

    def write(self, name, text):
        """What it keeps."""
        (self.state / name).write_bytes(text.encode())

    def read(self, name):
        """What it has kept; "" when it has nothing."""
        path = self.state / name
        return path.read_bytes().decode() if path.exists() else ""


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    made = Fakes(tmp_path)
    monkeypatch.setenv("PATH", str(made.bin))
    return made


@pytest.fixture
def house(tmp_path, capsys):
    home = tmp_path / "home"
    home.mkdir()
    return House(home, capsys)


def files_of(house):
    """Every file of the home but the log."""
    return {path.name: path.read_text() for path in house.home.iterdir() if path.name != "agent.log"}


TABLE = """\
# Ann's
CRON_TZ=UTC
# Says hello.
30 2 * * *\t/bin/echo 'hello  you'
@hourly echo one && echo 50\\% > "$HOME/it"
"""
AFTER = """\
# Ann's
CRON_TZ=UTC
# Says hello.
# taken over by agent_os: 30 2 * * *\t/bin/echo 'hello  you'
# taken over by agent_os: @hourly echo one && echo 50\\% > "$HOME/it"
"""
SECTIONS = """\
# line 4
# note: CRON_TZ is taken as its time zone, though some crons (Debian's) do not know it
[task:echo]
doc = Says hello.
schedule = 30 2 * * *
command = /bin/echo 'hello  you'
cwd = ~

# line 5
# note: CRON_TZ is taken as its time zone, though some crons (Debian's) do not know it
[task:task]
schedule = @hourly
shell = yes
command = echo one && echo 50% > "$HOME/it"
cwd = ~
"""


@pytest.fixture
def crontab(fakes):
    fakes.install("crontab", CRONTAB)
    fakes.write("crontab", TABLE)
    return fakes


# --- printing ---------------------------------------------------------------------------------------------------------


def test_it_prints_and_changes_nothing(house, crontab):
    """What replaces the crontab goes to standard output; neither the crontab nor the home is touched."""
    answer = house.run("schedule", "import", "crontab")
    assert answer.code == 0
    assert answer.out.endswith("\n\n" + SECTIONS)
    assert all(line.startswith("#") for line in answer.out.partition("\n\n")[0].splitlines())
    assert (crontab.read("crontab"), crontab.read("calls")) == (TABLE, "-l\n")
    assert files_of(house) == {}


def test_no_crontab_holds_nothing(house, crontab):
    """Not an error."""
    (crontab.state / "crontab").unlink()
    answer = house.run("schedule", "import", "crontab")
    assert (answer.code, answer.out) == (0, "# the crontab holds nothing to take over\n")


def test_names_that_are_taken_are_left_alone(house, crontab):
    """A task has its name for good; what is read gets another one."""
    house.ini("[task:echo]\ncommand = x\n")
    assert "[task:echo_2]" in house.run("schedule", "import", "crontab").out
    house.ini("[task:echo]\ncommand = x\nbroken = yes\n")
    assert "[task:echo_2]" in house.run("schedule", "import", "crontab").out


def test_how_often_tick_has_to_look_is_said(house, crontab):
    """Where the default of 15 minutes would make a task late."""
    crontab.write("crontab", "CRON_TZ=UTC\n*/10 * * * * x\n")
    assert "schedule install --every 10m" in house.run("schedule", "import", "crontab").out
    crontab.write("crontab", "CRON_TZ=UTC\n*/15 * * * * x\n")
    assert "schedule install" not in house.run("schedule", "import", "crontab").out


def test_json_has_the_same(house, crontab):
    """Options as they would be written, and why what is left is left."""
    crontab.write("crontab", TABLE + "@reboot x\n")
    found = json.loads(house.run("schedule", "import", "crontab", "--json").out)
    assert [task["name"] for task in found["tasks"]] == ["echo", "task"]
    assert found["tasks"][0]["options"]["command"] == "/bin/echo 'hello  you'"
    assert [each["where"] for each in found["not_taken_over"]] == ["line 6"]


def test_a_file_is_read_where_it_lies(house, tmp_path):
    """No scheduler is needed for it."""
    file = tmp_path / "table"
    file.write_text(TABLE)
    assert house.run("schedule", "import", "crontab", "--file", str(file)).out.endswith(SECTIONS)
    answer = house.run("schedule", "import", "crontab", "--file", str(tmp_path / "none"))
    assert (answer.code, answer.out) == (3, "")
    assert "none: No such file" in answer.err


def test_standard_input_is_a_file_too(house, monkeypatch):
    """For what lies on another machine."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TABLE.encode())))
    assert house.run("schedule", "import", "crontab", "--file", "-").out.endswith(SECTIONS)


def test_a_secret_is_never_printed(house, crontab):
    """Neither as text nor as JSON."""
    crontab.write("crontab", "NAS_TOKEN=hush\n" + TABLE)
    for more in ([], ["--json"]):
        answer = house.run("schedule", "import", "crontab", *more)
        assert "NAS_TOKEN" in answer.out
        assert "hush" not in answer.out + answer.err


def test_all_has_the_crontabs_of_the_system_too(house, crontab, tmp_path, monkeypatch):
    """Those that cron takes for one, with the user in front of each command."""
    from agent_os.schedulers import sources

    folder = tmp_path / "cron.d"
    folder.mkdir()
    for name in ("backup", "backup.dpkg-old", ".placeholder"):
        (folder / name).write_text("CRON_TZ=UTC\n0 4 * * * root /opt/backup\n")
    monkeypatch.setattr(sources, "_CRON_D", str(folder))
    monkeypatch.setattr(sources, "_CRONTAB", str(tmp_path / "none"))
    monkeypatch.setenv("LOGNAME", "ann")
    crontab.write("crontab", "")
    out = house.run("schedule", "import", "crontab", "--all").out
    assert f"# {folder / 'backup'} line 2\n" in out
    assert "there it runs as root" in out
    assert out.count("command = /opt/backup\n") == 1


def test_schedulers_are_not_told_secrets(house, crontab, monkeypatch):
    """They need none."""
    monkeypatch.setenv("NAS_TOKEN", "hush")
    monkeypatch.setenv("NAS_NAME", "attic")
    crontab.install("crontab", "write('environ', ' '.join(os.environ).encode()); refuse('no crontab for ann')")
    assert house.run("schedule", "import", "crontab").code == 0
    assert "NAS_NAME" in crontab.read("environ").split()
    assert "NAS_TOKEN" not in crontab.read("environ").split()


WRONG = [
    pytest.param(["schedule", "import"], "needs a source", id="no-source"),
    pytest.param(["schedule", "import", "anacron"], "no source 'anacron'", id="unknown-source"),
    pytest.param(["schedule", "import", "crontab", "systemd"], "no source 'crontab systemd'", id="two-sources"),
    pytest.param(["schedule", "import", "crontab", "--take-over", "--file", "x"], "exclude each other", id="of-a-file"),
    pytest.param(["schedule", "import", "crontab", "--take-over", "--all"], "exclude each other", id="of-all"),
]


@pytest.mark.parametrize(("words", "says"), WRONG)
def test_wrong_words_are_said_before_anything_is_read(words, says, house, crontab):
    """Exit 2."""
    answer = house.run(*words)
    assert (answer.code, answer.out, crontab.read("calls")) == (2, "", "")
    assert says in answer.err


@pytest.mark.parametrize(
    ("source", "program"), [("crontab", "crontab"), ("systemd", "systemctl"), ("launchd", "launchctl")]
)
def test_a_scheduler_that_is_missing_is_one_sentence(source, program, house, fakes):
    """Exit 3."""
    for more in ([], ["--take-over"]):
        answer = house.run("schedule", "import", source, *more)
        assert (answer.code, answer.out, answer.err.count("\n")) == (3, "", 1)
        assert f"this machine has no {program}" in answer.err


def test_another_failure_of_crontab_is_not_an_empty_crontab(house, crontab):
    """Only what says that there is none means that."""
    crontab.write("broken", "-l")
    answer = house.run("schedule", "import", "crontab", "--take-over")
    assert (answer.code, answer.out) == (3, "")
    assert "`crontab -l` failed (4): it is broken today" in answer.err


# --- taking over ------------------------------------------------------------------------------------------------------


def kept(house, name):
    """What the copies of this file hold."""
    return [path.read_text() for path in sorted(house.home.glob(f"{name}.*.bak"))]


def test_lines_are_taken_over_once(house, crontab):
    """They go to the end of agent_os.ini and are comments in the crontab; a second time finds nothing."""
    house.ini("[task:own]\ncommand = x")
    (house.home / "agent_os.ini").chmod(0o640)
    answer = house.run("schedule", "import", "crontab", "--take-over")
    assert answer.code == 0, answer.err
    assert "echo: taken over from line 4, 30 2 * * *" in answer.out
    assert (house.home / "agent_os.ini").read_text() == "[task:own]\ncommand = x\n\n" + SECTIONS
    assert (house.home / "agent_os.ini").stat().st_mode & 0o777 == 0o640
    assert crontab.read("crontab") == AFTER
    assert (kept(house, "crontab"), kept(house, "agent_os.ini")) == ([TABLE], ["[task:own]\ncommand = x"])
    again = house.run("schedule", "import", "crontab", "--take-over")
    assert (again.code, again.out) == (0, "the crontab holds nothing to take over\n")
    assert crontab.read("crontab") == AFTER


def test_a_dry_run_only_says_what_would_be_done(house, crontab):
    """It reads and checks, and changes nothing."""
    answer = house.run("schedule", "import", "crontab", "--take-over", "--dry-run")
    assert answer.code == 0
    assert "echo: would be taken over from line 4, 30 2 * * *" in answer.out
    assert (crontab.read("crontab"), files_of(house)) == (TABLE, {})


def test_what_was_taken_over_runs(house, crontab, monkeypatch):
    """The task does what the line did."""
    monkeypatch.setenv("HOME", str(house.home))
    assert house.run("schedule", "import", "crontab", "--take-over").code == 0
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert house.task("task").code == 0
    assert (house.home / "it").read_text() == "50%\n"


def test_an_ini_that_was_not_there_is_made(house, crontab):
    """For its owner alone."""
    assert house.run("schedule", "import", "crontab", "--take-over").code == 0
    assert (house.home / "agent_os.ini").read_text() == SECTIONS
    assert (house.home / "agent_os.ini").stat().st_mode & 0o777 == 0o600
    assert kept(house, "agent_os.ini") == []


def test_what_cannot_be_carried_over_stays(house, crontab):
    """Each with its reason, and exit 1; what starts without a time is nobody's failure."""
    crontab.write("crontab", TABLE + "@reboot y\n")
    answer = house.run("schedule", "import", "crontab", "--take-over")
    assert answer.code == 0
    assert "line 6 (y) stays where it is: @reboot is no time" in answer.err
    assert crontab.read("crontab") == AFTER + "@reboot y\n"
    crontab.write("crontab", TABLE + "0 0 31 2 * y\n")
    answer = house.run("schedule", "import", "crontab", "--take-over")
    assert answer.code == 1
    assert "line 6 (y) stays where it is: " in answer.err
    assert crontab.read("crontab") == AFTER + "0 0 31 2 * y\n"


def test_a_secret_has_to_be_in_place_first(house, crontab):
    """A task without it would fail; so its line stays until .env has it."""
    crontab.write("crontab", "NAS_TOKEN=hush\n" + TABLE)
    answer = house.run("schedule", "import", "crontab", "--take-over")
    assert answer.code == 1
    assert "line 5 (echo) stays where it is: put NAS_TOKEN into .env first" in answer.err
    assert crontab.read("crontab") == "NAS_TOKEN=hush\n" + TABLE
    assert files_of(house) == {}
    (house.home / ".env").write_text("NAS_TOKEN=hush\n")
    (house.home / ".env").chmod(0o600)
    assert house.run("schedule", "import", "crontab", "--take-over").code == 0
    assert "env.NAS_TOKEN = env:NAS_TOKEN" in (house.home / "agent_os.ini").read_text()
    assert crontab.read("crontab") == "NAS_TOKEN=hush\n" + AFTER


@pytest.mark.parametrize("before", [None, "[task:own]\ncommand = x\n"], ids=["no-ini", "an-ini"])
def test_a_crontab_that_cannot_be_written_leaves_everything_as_it_was(before, house, crontab):
    """The ini comes first, and goes back when the source does not follow."""
    if before:
        house.ini(before)
    crontab.write("broken", "-")
    answer = house.run("schedule", "import", "crontab", "--take-over")
    assert (answer.code, answer.out) == (3, "")
    assert "`crontab -` failed (4): it is broken today" in answer.err
    assert crontab.read("crontab") == TABLE
    assert files_of(house) == ({"agent_os.ini": before} if before else {})


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes")
def test_an_ini_that_cannot_be_written_leaves_no_copy_of_it(house, crontab):
    """There is room for the copy of the old one, and none for the new one."""
    import resource

    house.ini(f"# {'x' * 30_000}\n[task:own]\ncommand = x\n")
    had = files_of(house)
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(had["agent_os.ini"]) + 20, hard))
    try:
        answer = house.run("schedule", "import", "crontab", "--take-over")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (answer.code, answer.out) == (7, "")
    assert (crontab.read("crontab"), files_of(house)) == (TABLE, had)


def test_two_at_once_lose_no_task(house, crontab, program):
    """One takes them over; the other finds them there, or gone from the crontab, and puts nothing back."""
    words = [*program, "schedule", "import", "crontab", "--take-over", "--home", str(house.home)]
    started = [subprocess.Popen(words, env=dict(os.environ), stderr=subprocess.DEVNULL) for _ in range(4)]
    codes = [each.wait() for each in started]
    assert 0 in codes
    text = (house.home / "agent_os.ini").read_text()
    assert text.count("[task:") == crontab.read("crontab").count("# taken over by agent_os: ") > 0


def test_a_crontab_that_is_changed_meanwhile_is_not_overwritten(house, crontab):
    """Whoever edits it does not lose a line."""
    crontab.write("crontab.next", TABLE + "@daily z\n")
    answer = house.run("schedule", "import", "crontab", "--take-over")
    assert answer.code == 3
    assert "was changed meanwhile" in answer.err
    assert crontab.read("crontab") == TABLE + "@daily z\n"
    assert files_of(house) == {}


def test_an_ini_with_a_fault_is_not_added_to(house, crontab):
    """It would keep everything from running."""
    house.ini("[task:own]\ncommand = x\nbroken = yes\n")
    answer = house.run("schedule", "import", "crontab", "--take-over")
    assert answer.code == 3
    assert "broken is no option" in answer.err
    assert crontab.read("crontab") == TABLE
    assert list(files_of(house)) == ["agent_os.ini"]


def test_an_ini_that_could_not_be_read_afterwards_is_not_written(house, crontab):
    """The sections are read in the file that they would be in, before anything changes."""
    house.ini("# " + "x" * 999_900 + "\n")
    answer = house.run("schedule", "import", "crontab", "--take-over")
    assert answer.code == 3
    assert (
        f"with these tasks, {house.home / 'agent_os.ini'} is larger than a megabyte; nothing was changed" in answer.err
    )
    assert crontab.read("crontab") == TABLE
    assert list(files_of(house)) == ["agent_os.ini"]


def test_an_ini_that_is_a_link_is_left_alone(house, crontab, tmp_path):
    """Where it leads is not ours."""
    (tmp_path / "elsewhere").write_text("")
    (house.home / "agent_os.ini").symlink_to(tmp_path / "elsewhere")
    answer = house.run("schedule", "import", "crontab", "--take-over")
    assert answer.code == 3
    assert "symbolic link" in answer.err
    assert (tmp_path / "elsewhere").read_text() == ""
    assert crontab.read("crontab") == TABLE


def test_bytes_that_are_no_text_stay_bytes(house, crontab):
    """A comment in Latin-1 is none of our business."""
    (crontab.state / "crontab").write_bytes(b"# caf\xe9\n" + TABLE.encode())
    assert house.run("schedule", "import", "crontab", "--take-over").code == 0
    assert (crontab.state / "crontab").read_bytes() == b"# caf\xe9\n" + AFTER.encode()


# --- systemd ----------------------------------------------------------------------------------------------------------

SERVICE = "[Unit]\nDescription=Saves it\n[Service]\nType=oneshot\nExecStart=/bin/echo 'a b'\n"


@pytest.fixture
def systemd(fakes):
    fakes.install("systemctl", SYSTEMCTL)
    for name, time in (("a", "6:00 UTC"), ("b", "hourly UTC"), ("off", "daily UTC"), ("vendor", "daily UTC")):
        fakes.write(f"{name}.timer", f"[Timer]\nOnCalendar={time}\nPersistent=true\n")
        fakes.write(f"{name}.service", SERVICE)
    fakes.write("agent-os-home-1a2b3c.timer", "[Timer]\nOnCalendar=*:0/15\n")
    fakes.write("enabled", "a.timer b.timer vendor.timer agent-os-home-1a2b3c.timer")
    return fakes


def test_enabled_timers_of_the_user_are_read(house, systemd):
    """Not ours, not those that are off, and those of the distribution only with --all."""
    answer = house.run("schedule", "import", "systemd")
    assert answer.code == 0, answer.err
    assert [line for line in answer.out.splitlines() if line.startswith("[")] == ["[task:a]", "[task:b]"]
    assert "left out (--all has them): vendor.timer" in answer.out
    assert "\n# a.timer\n# note: OnCalendar=6:00 UTC\n[task:a]\ndoc = Saves it\nschedule = 0 6 * * *\n" in answer.out


def test_timers_are_taken_over_once(house, systemd):
    """They are stopped and disabled; their files stay."""
    answer = house.run("schedule", "import", "systemd", "--take-over")
    assert answer.code == 0, answer.err
    assert systemd.read("enabled") == "vendor.timer agent-os-home-1a2b3c.timer"
    assert "[task:b]" in (house.home / "agent_os.ini").read_text()
    again = house.run("schedule", "import", "systemd", "--take-over")
    assert (again.code, again.out) == (0, "systemd holds nothing to take over\n")


def test_a_timer_that_cannot_be_disabled_brings_the_others_back(house, systemd):
    """All of them or none."""
    systemd.write("stuck", "b.timer")
    systemd.write("calls", "")
    answer = house.run("schedule", "import", "systemd", "--take-over")
    assert answer.code == 3
    assert "b.timer` failed (1): Failed to disable unit: Access denied" in answer.err
    assert "a.timer" in systemd.read("enabled").split()
    assert "b.timer" in systemd.read("enabled").split()
    assert "--user enable --now a.timer" in systemd.read("calls")


def test_a_unit_file_is_read_with_its_service(house, tmp_path):
    """The service is beside it, or in the same text as `systemctl cat` prints it."""
    (tmp_path / "it.timer").write_text("[Timer]\nOnCalendar=6:00 UTC\n")
    answer = house.run("schedule", "import", "systemd", "--file", str(tmp_path / "it.timer"))
    assert "# not taken over: it.timer (it): the service that it.timer starts is not there" in answer.out
    (tmp_path / "it.service").write_text(SERVICE)
    assert "[task:it]" in house.run("schedule", "import", "systemd", "--file", str(tmp_path / "it.timer")).out
    (tmp_path / "both").write_text("[Timer]\nOnCalendar=6:00 UTC\n" + SERVICE)
    assert "[task:task]" in house.run("schedule", "import", "systemd", "--file", str(tmp_path / "both")).out


def test_units_are_found_where_no_manager_runs(house, systemd, monkeypatch, tmp_path):
    """`systemctl cat` needs one; the files do not. What was added to a unit counts."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    units = tmp_path / "systemd" / "user"
    (units / "a.timer.d").mkdir(parents=True)
    (units / "a.timer").write_text("[Timer]\nOnCalendar=6:00 UTC\n")
    (units / "a.timer.d" / "more.conf").write_text("[Timer]\nOnCalendar=\nOnCalendar=7:00 UTC\n")
    (units / "a.service").write_text(SERVICE)
    systemd.write("broken", "cat")
    out = house.run("schedule", "import", "systemd").out
    assert "schedule = 0 7 * * *" in out
    assert "schedule = 0 6 * * *" not in out
    assert "# b.timer is left out" in out


@LOCAL
def test_a_timer_without_a_zone_keeps_to_the_machines(house, systemd):
    """As systemd does."""
    systemd.write("a.timer", "[Timer]\nOnCalendar=6:00\n")
    assert house.run("schedule", "import", "systemd", "--take-over").code == 0
    assert "timezone = local" in (house.home / "agent_os.ini").read_text()


# --- launchd ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def launchd(fakes, monkeypatch):
    fakes.install("launchctl", LAUNCHCTL)
    user = fakes.state / "user"
    monkeypatch.setenv("HOME", str(user))
    folder = user / "Library" / "LaunchAgents"
    folder.mkdir(parents=True)
    for label, more in (
        ("org.a", {"StartInterval": 900}),
        ("org.b", {"StartInterval": 3600}),
        ("org.kept", {"KeepAlive": True}),
    ):
        content = {"Label": label, "ProgramArguments": ["/bin/echo", label], **more}
        (folder / f"{label}.plist").write_bytes(plistlib.dumps(content))
    (folder / "com.agent-os.home-1a2b3c.plist").write_bytes(plistlib.dumps({"Label": "com.agent-os.home-1a2b3c"}))
    fakes.write("loaded", "org.a org.b org.kept")
    return fakes


def test_agents_of_the_user_are_read(house, launchd):
    """Not ours; one that is no matter of time is named."""
    answer = house.run("schedule", "import", "launchd")
    assert answer.code == 0, answer.err
    assert [line for line in answer.out.splitlines() if line.startswith("[")] == ["[task:a]", "[task:b]"]
    assert "# not taken over: org.kept.plist (kept): cannot be taken over: KeepAlive" in answer.out


@EVERY
def test_agents_are_taken_over_once(house, launchd):
    """They are unloaded, and disabled so that no login loads them again; their files stay."""
    answer = house.run("schedule", "import", "launchd", "--take-over")
    assert answer.code == 0, answer.err
    assert (launchd.read("loaded"), launchd.read("disabled")) == ("org.kept", "org.a org.b")
    again = house.run("schedule", "import", "launchd", "--take-over")
    assert (again.code, again.out) == (0, "launchd holds nothing to take over\n")


@EVERY
def test_an_agent_that_will_not_go_brings_the_others_back(house, launchd):
    """All of them or none."""
    launchd.write("stuck", "org.b")
    answer = house.run("schedule", "import", "launchd", "--take-over")
    assert answer.code == 3
    assert "Boot-out failed: 5" in answer.err
    assert sorted(launchd.read("loaded").split()) == ["org.a", "org.b", "org.kept"]
    assert launchd.read("disabled") == ""
    assert "agent_os.ini" not in files_of(house)
