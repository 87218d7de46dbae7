"""What each scheduler is told, to the letter: golden files, and whether the systems themselves would read them."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest

from agent_os.core.errors import ConfigError, UsageError
from agent_os.schedulers import Trigger, cron, ident_of, launchd, systemd, times, windows

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"


def trigger(
    home: str = "/home/you/agent_os", *, at: times.Times = (), every: int = 0, python: str = "/usr/bin/python3"
) -> Trigger:
    """The trigger of a home, as `schedule install` makes it."""
    separator = "\\" if "\\" in home else "/"
    file = f"{home}{separator}agent_os.pyz"
    command = (python, file, "tick", "--scheduled", "--home", home, "--quiet")
    log = f"{home}{separator}schedule.log"
    return Trigger(ident_of(home), home, command, home, log, at=at, every_seconds=every)


MAC, WINDOWS = "/Users/you/agent_os", "C:\\Users\\you\\agent_os"
ODD = '/home/o\'neil/100% "mine" $HOME'
PYTHONW = "C:\\Python\\pythonw.exe"
SIX, TWICE = ((6, 0),), ((6, 0), (18, 0), (18, 30))


def pieces(rendered: dict[str, bytes]) -> bytes:
    return b"".join(f"--- {name}\n".encode() + content for name, content in rendered.items())


CASES = {
    "launchd_every_15m.plist": lambda: launchd.plist(trigger(MAC, every=900)),
    "launchd_every_6h.plist": lambda: launchd.plist(trigger(MAC, every=6 * 3600)),
    "systemd_every_15m.txt": lambda: pieces(systemd.units(trigger(every=900))),
    "systemd_at.txt": lambda: pieces(systemd.units(trigger(ODD, at=TWICE))),
    "cron_every_15m.txt": lambda: cron.block(trigger(every=900)),
    "cron_every_6h.txt": lambda: cron.block(trigger(every=6 * 3600)),
    "cron_at.txt": lambda: cron.block(trigger(ODD, at=TWICE)),
    "windows_every_15m.xml": lambda: windows.xml(trigger(WINDOWS, every=900, python=PYTHONW)).encode(),
    "windows_at.xml": lambda: windows.xml(trigger(WINDOWS + " & mine", at=TWICE, python=PYTHONW)).encode(),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_rendered_is_the_golden_file(name: str) -> None:
    """What leaves the program for another one changes only where somebody looks at it."""
    file = GOLDEN / f"schedule_{name}"
    if os.environ.get("AGENT_OS_TEST_WRITE_GOLDEN"):
        file.write_bytes(CASES[name]())
    assert CASES[name]() == file.read_bytes()


def test_the_launchd_folder_holds_what_is_rendered() -> None:
    """The file in the repository is what `schedule install --at 06:00` writes for that home, byte for byte."""
    example = trigger(MAC, at=SIX)
    (file,) = (ROOT / "launchd").iterdir()
    if os.environ.get("AGENT_OS_TEST_WRITE_GOLDEN"):
        file.write_bytes(launchd.plist(example))
    assert launchd.plist(example) == file.read_bytes()


# --- what the systems make of it -------------------------------------------------------------------------------------

# From launchd.plist(5): the keys that we use, and the type that launchd wants; an integer as text is passed over there.
KEYS = {
    "Label": str, "ProgramArguments": list, "WorkingDirectory": str, "StartCalendarInterval": list, "RunAtLoad": bool,
    "ProcessType": str, "StandardOutPath": str, "StandardErrorPath": str, "Umask": int,
}  # fmt: skip


@pytest.mark.parametrize("every", [60, 900, 3600, 6 * 3600, 86_400, 0])
def test_a_plist_has_the_keys_and_types_that_launchd_knows(every: int) -> None:
    """launchd says nothing of a key that it does not know, or of one with the wrong type: it does without."""
    given = trigger(MAC, every=every, at=() if every else TWICE)
    found = plistlib.loads(launchd.plist(given))
    assert {name: type(value) for name, value in found.items()} == KEYS
    assert found["ProgramArguments"] == list(given.command)
    assert found["ProcessType"] == "Background"
    assert found["RunAtLoad"] is True
    assert found["Umask"] == 0o77
    for each in found["StartCalendarInterval"]:
        assert set(each) <= {"Minute", "Hour"}
        assert type(each["Minute"]) is int
        assert 0 <= each["Minute"] < 60
        assert 0 <= each.get("Hour", 0) < 24


def test_a_plist_has_each_time_of_day_once() -> None:
    """Every 15 minutes are four entries for each hour; every six hours are four for the day."""
    minutes = plistlib.loads(launchd.plist(trigger(MAC, every=900)))["StartCalendarInterval"]
    assert [sorted(each) for each in minutes] == [["Minute"]] * 4
    hours = plistlib.loads(launchd.plist(trigger(MAC, every=6 * 3600)))["StartCalendarInterval"]
    assert [each["Hour"] for each in hours] == [0, 6, 12, 18]


@pytest.mark.parametrize("every", [60, 720, 3600, 8 * 3600, 86_400, 0])
def test_systemd_finds_nothing_wrong_with_the_units(every: int, tmp_path: Path) -> None:
    """`systemd-analyze verify` reads both: no unknown key, no bad calendar, no missing program."""
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("systemd-analyze is not installed")
    home = tmp_path / 'a "home" of 100%'
    home.mkdir()
    given = trigger(str(home), every=every, at=() if every else TWICE)
    for name, content in systemd.units(given).items():
        (tmp_path / name).write_bytes(content)
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    done = subprocess.run(
        [analyze, "verify", "--user", "--man=no", *systemd.units(given)], cwd=tmp_path,
        env={"XDG_RUNTIME_DIR": str(runtime), "HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "Failed to initialize manager" in done.stderr:
        pytest.skip(f"no user manager can be set up here: {done.stderr.strip()}")
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_reads_the_calendar_as_it_is_meant() -> None:
    """Its own reading of the lines comes to the same times of day."""
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("systemd-analyze is not installed")
    for given in (trigger(every=900), trigger(every=6 * 3600), trigger(at=TWICE)):
        timer = systemd.units(given)[f"{systemd.unit_of(given.ident)}.timer"].decode()
        found = set()
        for line in timer.splitlines():
            if line.startswith("OnCalendar="):
                words = [analyze, "calendar", "--iterations=100", "--base-time=2026-06-01 00:00:00 UTC", line[11:]]
                env = {"TZ": "UTC", "LC_ALL": "C", "PATH": os.environ["PATH"]}
                said = subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout
                found |= {(int(hour), int(minute)) for hour, minute in re.findall(r" (\d\d):(\d\d):00 UTC", said)}
        assert found == set(given.times)


@pytest.mark.parametrize("every", [60, 900, 3600, 86_400, 0])
def test_the_xml_is_what_the_task_scheduler_takes(every: int, tmp_path: Path) -> None:
    """Checked with the published schema, as far as we use it: order, names, values. xmllint reads it as UTF-16."""
    if not shutil.which("xmllint"):
        pytest.skip("xmllint is not installed")
    file = tmp_path / "task.xml"
    given = trigger(WINDOWS, every=every, at=() if every else TWICE, python=PYTHONW)
    file.write_bytes(windows.encoded(windows.xml(given)))
    schema = str(GOLDEN / "task_scheduler.xsd")
    done = subprocess.run(
        ["xmllint", "--noout", "--schema", schema, str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_schema_refuses_what_windows_refuses(tmp_path: Path) -> None:
    """Elements in the wrong order, and a policy that there is not: else the test above would prove nothing."""
    if not shutil.which("xmllint"):
        pytest.skip("xmllint is not installed")
    text = windows.xml(trigger(WINDOWS, at=SIX, python=PYTHONW))
    boundary = "      <StartBoundary>2025-01-01T06:00:00</StartBoundary>\n"
    moved = text.replace(boundary, "").replace("    </CalendarTrigger>", boundary + "    </CalendarTrigger>")
    for number, wrong in enumerate((moved, text.replace("IgnoreNew", "IgnoreAll"), text.replace("PT0S", "for ever"))):
        assert wrong != text
        file = tmp_path / f"{number}.xml"
        file.write_bytes(windows.encoded(wrong))
        words = ["xmllint", "--noout", "--schema", str(GOLDEN / "task_scheduler.xsd"), str(file)]
        assert subprocess.run(words, capture_output=True, check=False).returncode == 3


def test_a_task_is_written_as_schtasks_wants_it() -> None:
    """UTF-16, little end first, with a mark, and lines as Windows ends them; a home's name may be of any script."""
    content = windows.encoded(windows.xml(trigger("C:\\Users\\Åse\\日本", every=900, python=PYTHONW)))
    assert content.startswith(b"\xff\xfe<\0?\0x\0m\0l\0")
    assert content.endswith("</Task>\r\n".encode("utf-16-le"))
    assert "C:\\Users\\Åse\\日本" in windows.decoded(content)


def test_no_task_waits_for_the_mains_or_is_doubled() -> None:
    """What Windows would otherwise do: skip on battery, kill when unplugged, forget what was missed."""
    text = windows.xml(trigger(WINDOWS, every=900, python=PYTHONW))
    for line in (
        "<StartWhenAvailable>true", "<DisallowStartIfOnBatteries>false", "<StopIfGoingOnBatteries>false",
        "<MultipleInstancesPolicy>IgnoreNew", "<LogonType>InteractiveToken", "<RunLevel>LeastPrivilege",
    ):  # fmt: skip
        assert line in text


def test_the_shell_reads_a_line_of_the_crontab_as_it_is_meant(tmp_path: Path) -> None:
    """Quotes, dollars and spaces come through; a percent sign is escaped for cron, which takes the backslash away."""
    home = tmp_path / 'o\'neil 100% $HOME "x"'
    home.mkdir()
    show = tmp_path / "show"
    show.write_text('#!/bin/sh\npwd\numask\nfor word in "$@"; do echo "$word"; done\n')
    show.chmod(0o700)
    given = trigger(str(home), every=900, python=str(show))
    lines = cron.block(given).decode().splitlines()
    assert "%" not in lines[2].replace("\\%", "")
    command = lines[2].split(None, 5)[5].replace("\\%", "%")
    subprocess.run(["/bin/sh", "-c", command], check=True)
    said = (home / "schedule.log").read_text().splitlines()
    assert said == [str(home), "0077", *given.command[1:]]
    assert lines[3] == lines[2].replace(" ".join(lines[2].split(" ")[:5]), "@reboot")


def test_systemd_gets_back_the_words_that_were_meant() -> None:
    """Percent and dollar are doubled, quotes and backslashes escaped; the program's own path has no variables."""
    given = trigger(ODD, every=900, python="/opt/$x/python3")
    service = systemd.units(given)[f"{systemd.unit_of(given.ident)}.service"].decode()
    (line,) = [each for each in service.splitlines() if each.startswith("ExecStart=")]
    assert line == (
        'ExecStart="/opt/$x/python3" "/home/o\'neil/100%% \\"mine\\" $$HOME/agent_os.pyz" "tick" "--scheduled" "--home"'
        ' "/home/o\'neil/100%% \\"mine\\" $$HOME" "--quiet"'
    )
    assert 'WorkingDirectory=/home/o\'neil/100%% "mine" $HOME\n' in service


def test_a_blank_at_the_end_of_a_folder_is_kept() -> None:
    """systemd drops what stands at the end of a line, and knows no quotation there."""
    given = trigger("/home/a ", every=900)
    assert b"\nWorkingDirectory=/home/a /.\n" in systemd.units(given)[f"{systemd.unit_of(given.ident)}.service"]


# --- when ------------------------------------------------------------------------------------------------------------


def test_each_home_of_a_machine_has_minutes_of_its_own() -> None:
    """They follow from its path: the same each time it is installed, and rarely those of another home."""
    seen = {trigger(f"/home/you/{name}", every=900).times[0] for name in "abcdefgh"}
    assert len(seen) > 3
    assert trigger(every=900).times == trigger(every=900).times
    assert len(trigger(every=900).times) == 96
    assert {minute % 15 for _, minute in trigger(every=900).times} == {trigger(every=900).seed % 15}


@pytest.mark.parametrize(
    ("every", "hours"),
    [
        ("1h", list(range(24))), ("2h", list(range(0, 24, 2))), ("6h", [0, 6, 12, 18]), ("8h", [6, 14, 22]),
        ("12h", [6, 18]), ("1d", [6]),
    ],
)  # fmt: skip
def test_hours_begin_at_midnight_or_at_six(every: str, hours: list[int]) -> None:
    """What comes once or twice a day does not come in the hours in which clocks are changed."""
    assert [hour for hour, _ in times.spread_times(times.parse_every(every), 7)] == hours


@pytest.mark.parametrize("word", times.EVERY)
def test_whatever_divides_an_hour_or_a_day_can_be_said(word: str) -> None:
    """Each day has the same times, equally far apart."""
    seconds = times.parse_every(word)
    assert times.every_word(seconds) == word
    minutes = [60 * hour + minute for hour, minute in times.spread_times(seconds, 0xABCDEF)]
    assert len(minutes) == 86_400 // seconds
    assert {after - before for before, after in zip(minutes, minutes[1:])} <= {seconds // 60}


@pytest.mark.parametrize("word", ["7m", "0m", "90m", "5h", "2d", "m", "", "15", "-1h", "1.5h", "15m 1h"])
def test_what_divides_neither_is_refused(word: str) -> None:
    """No scheduler could say it without a jump at the end of the hour or day."""
    with pytest.raises(UsageError, match="--every"):
        times.parse_every(word)


def test_times_of_day_are_sorted_and_taken_once() -> None:
    """However they are written."""
    assert times.parse_at("18:30, 6:00,06:00") == ((6, 0), (18, 30))


@pytest.mark.parametrize("text", ["24:00", "6", "06:60", "6:0", "", "06:00,", "\u0660\u0666:00", "06:00:00", "-1:00"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    """With the words that would do."""
    with pytest.raises(UsageError, match="--at") as caught:
        times.parse_at(text)
    assert "06:00" in caught.value.hint


def test_next_and_last_are_of_the_local_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """06:00 in Oslo is 05:00 UTC in winter and 04:00 in summer."""
    import time

    monkeypatch.setenv("TZ", "Europe/Oslo")
    time.tzset()
    try:
        now = datetime(2026, 3, 28, 12, tzinfo=timezone.utc)  # the day before the clocks go forward
        assert times.last_of(SIX, now) == datetime(2026, 3, 28, 5, tzinfo=timezone.utc)
        assert times.next_of(SIX, now) == datetime(2026, 3, 29, 4, tzinfo=timezone.utc)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("home", "start"),
    [
        ("/home/you/agent_os", "agent_os-"), ("/srv/Ünïcode Home!", "n-code-home-"), ("/", "home-"), ("/---", "home-"),
        ("/x/" + "a" * 60, "a" * 32 + "-"),
    ],
)  # fmt: skip
def test_an_id_is_plain_and_says_which_home(home: str, start: str) -> None:
    """Letters, digits, - and _: it is a file's name, a task's and a mark in a crontab."""
    found = ident_of(home)
    assert found.startswith(start)
    assert len(found) == len(start) + 6
    assert found.replace("-", "").replace("_", "").isalnum()
    assert found.isascii()


def test_homes_of_one_name_have_ids_of_their_own() -> None:
    """By the whole path."""
    assert ident_of("/a/home") != ident_of("/b/home")


# --- the block in a crontab ------------------------------------------------------------------------------------------


def test_marks_that_are_no_pair_are_refused() -> None:
    """What stands between them may be somebody else's line."""
    begin, end = b"# BEGIN agent_os x-000000\n", b"# END agent_os x-000000\n"
    for crontab in (begin, end, begin + begin + end, end + begin, begin + end + begin + end):
        with pytest.raises(ConfigError, match="not a pair"):
            cron.without_block(b"1 2 * * * mine\n" + crontab, "x-000000")


def test_a_block_of_another_home_is_a_foreign_line() -> None:
    """Each home has its own."""
    other = cron.block(trigger("/home/you/other", every=900))
    assert cron.without_block(other, trigger().ident) == (other, b"", b"")
