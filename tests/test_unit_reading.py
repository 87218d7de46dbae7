"""Timers of systemd and agents of launchd as entries."""

from __future__ import annotations

import plistlib
import subprocess

import pytest

from agent_os.schedulers import launchd_reading, unit_reading
from agent_os.schedulers.unit_words import commands_of, parse, specified, values, words_of

KNOWN = {"h": "/home/ann", "u": "ann", "cwd": "~"}


def timer(text="OnCalendar=daily UTC\nPersistent=true", service="ExecStart=/usr/bin/x\n", *, name="it.timer"):
    """The entry of a timer whose sections [Timer] and [Service] hold these lines."""
    return unit_reading.read(name, f"[Timer]\n{text}\n", f"[Service]\n{service}\n", known=KNOWN)


# --- units as text ----------------------------------------------------------------------------------------------------

WORDS = [
    pytest.param("a  b\tc", ["a", "b", "c"], id="blanks"),
    pytest.param("'a b' \"c d\"", ["a b", "c d"], id="quotations"),
    pytest.param("a'b c'd", ["ab cd"], id="a-quotation-inside-a-word"),
    pytest.param("'' \"\"", ["", ""], id="empty-words"),
    pytest.param(r"a\x20b\tc\sd\\e\"f", ['a b\tc d\\e"f'], id="escapes"),
    pytest.param(r"'a\nb' \101 \u00e9", ["a\nb", "A", "é"], id="escapes-in-quotations-and-by-number"),
    pytest.param(r"\q \xzz", [r"\q", r"\xzz"], id="escapes-that-mean-nothing"),
    pytest.param('"it\'s"', ["it's"], id="the-other-quote"),
    pytest.param("", [], id="nothing"),
    pytest.param("a\\", ["a\\"], id="a-backslash-at-the-end"),
]


@pytest.mark.parametrize(("text", "words"), WORDS)
def test_words_are_split_as_systemd_splits_them(text, words):
    """Quotations of both kinds, escapes in them and outside."""
    assert words_of(text) == words


def test_a_quotation_without_an_end_is_refused():
    """As systemd does."""
    assert "does not end" in timer(service="ExecStart=/usr/bin/x 'a").refusals[0]


def test_a_unit_is_read_line_by_line():
    """Comments, lines that go on, what is set twice, and what an empty value takes back."""
    unit = parse(
        "# a\n[Timer]\n; b\nOnCalendar=Mon\nOnCalendar = Tue \\\n# c\n  6:00\nnonsense\n[Install]\nX=1\n[Timer]\nY=\n"
    )
    assert unit == {"Timer": [("OnCalendar", "Mon"), ("OnCalendar", "Tue  6:00"), ("Y", "")], "Install": [("X", "1")]}
    assert values(parse("[A]\nX=1\nX=\nX=2\nX=3"), "A", "X") == ["2", "3"]


def test_specifiers_are_filled_in_or_refused():
    """What is not known here is no text."""
    assert specified("%h/x %%h 100%% %%%u", KNOWN) == "/home/ann/x %h 100% %ann"
    with pytest.raises(ValueError, match="%b is not known"):
        specified("%b", KNOWN)
    entry = timer(service="ExecStart=/usr/bin/x %i %n %N", name="it@a.timer")
    assert entry.words == ("/usr/bin/x", "a", "it@a.service", "it@a")
    assert "template" in timer(name="it@.timer").refusals[0]
    assert timer(service="ExecStart=/x %i %I %P", name=r"it\x2dis@home-a\x2db\xc3\xa5.timer").words == (
        "/x",
        r"home-a\x2db\xc3\xa5",
        "home/a-bå",
        "it-is",
    )


def test_a_service_may_be_named_by_the_instance_of_its_timer():
    """Its own specifiers are made of its own name then."""
    text = "Unit=save@%i.service"
    assert unit_reading.service_of("nightly@home.timer", f"[Timer]\n{text}\n") == "save@home.service"
    entry = timer(f"OnCalendar=daily\n{text}", "ExecStart=/x %n %p", name="nightly@home.timer")
    assert entry.words == ("/x", "save@home.service", "save")


COMMANDS = [
    pytest.param("/x a 'b c'", ("/x", "a", "b c"), "", id="plain"),
    pytest.param("/x $$HOME 5%%", ("/x", "$HOME", "5%"), "", id="escaped-dollar-and-percent"),
    pytest.param("/x a$B", (), "/x 'a$B'", id="a-dollar-inside-a-word-is-one"),
    pytest.param(":/x $A", ("/x", "$A"), "", id="nothing-is-filled-in"),
    pytest.param("/x ${A}/b $B", (), 'set -f; /x "${A}"/b $B', id="variables"),
    pytest.param("-/x a", (), "{ /x a || :; }", id="may-fail"),
    pytest.param("/x a ; /y b", (), "/x a && /y b", id="two-on-a-line"),
    pytest.param("/x a \\; b", ("/x", "a", ";", "b"), "", id="a-semicolon-as-a-word"),
    pytest.param("/bin/sh -c 'a && b'", ("/bin/sh", "-c", "a && b"), "", id="a-shell"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "words", "script"), COMMANDS)
def test_execstart_is_words_or_a_script_that_means_the_same(line, words, script):
    """A shell only where something is to be filled in, may fail, or is one of several."""
    entry = timer(service=f"ExecStart={line}")
    assert (entry.words, entry.script, entry.refusals) == (words, script, [])


def test_a_script_gives_the_program_what_systemd_would():
    """$X alone is split and no pattern, ${X} is one word, $$ is a dollar."""
    (command,) = commands_of("printf '[%%s]' $A ${A} x${B}y $$A '*'", KNOWN)
    env = {"A": "* 1  2", "B": " b ", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["/bin/sh", "-c", f"set -f; {command.shell()}"], capture_output=True, text=True, env=env, check=True
    )
    assert done.stdout == "[*][1][2][* 1  2][x b y][$A][*]"


def test_what_runs_before_and_after_is_part_of_it():
    """In order, each only if the one before it has succeeded."""
    entry = timer(service="ExecStart=/b\nExecStart=/c\nExecStartPre=/a\nExecStartPost=-/d")
    assert entry.script == "/a && /b && /c && { /d || :; }"


# --- times ------------------------------------------------------------------------------------------------------------


def test_several_times_are_several_schedules():
    """An empty one takes back what stands above it, as a drop-in does."""
    entry = timer("OnCalendar=Mon\nOnCalendar=\nOnCalendar=6:00\nOnCalendar=18:30:10")
    assert (entry.schedules, entry.zone) == (["0 6 * * *", "30 18 * * *"], "local")
    assert "it comes at the full minute, not 10 seconds later" in entry.remarks


TIMES = [
    pytest.param("OnCalendar=daily", {"catch_up": "none"}, id="not-persistent"),
    pytest.param("OnCalendar=daily\nPersistent=yes", {}, id="persistent"),
    pytest.param("OnUnitActiveSec=1h", {}, id="interval"),
    pytest.param("OnCalendar=daily\nPersistent=1\nRandomizedDelaySec=1h 30min", {"jitter": "90m"}, id="delay"),
]


@pytest.mark.parametrize(("text", "options"), TIMES)
def test_what_a_timer_does_late_becomes_options(text, options):
    """Without Persistent= what was missed is missed, with systemd and here."""
    assert timer(text).options == options


INTERVALS = [
    pytest.param("OnBootSec=5min\nOnUnitActiveSec=1h", "every 1h", id="after-boot-and-then"),
    pytest.param("OnUnitInactiveSec=90min", "every 90m", id="after-its-end"),
    pytest.param("OnUnitActiveSec=1d", "every 1d", id="days"),
]


@pytest.mark.parametrize(("text", "schedule"), INTERVALS)
def test_an_interval_becomes_every(text, schedule):
    """Counted by the clock, which is said."""
    entry = timer(text)
    assert entry.schedules == [schedule]
    assert "counted by the clock" in entry.remarks[0]


REFUSED = [
    pytest.param("OnBootSec=5min", "comes once after a start", id="only-after-boot"),
    pytest.param("OnUnitActiveSec=90", "no interval of whole minutes", id="seconds"),
    pytest.param("OnUnitActiveSec=1h\nOnCalendar=daily", "beside another time", id="interval-and-calendar"),
    pytest.param("OnCalendar=6:00 UTC\nOnCalendar=7:00", "several time zones", id="two-zones"),
    pytest.param("OnCalendar=Fri *-*-13", "certain weekday", id="unspeakable"),
    pytest.param("OnCalendar=*-2-30", "never comes", id="an-impossible-day"),
    pytest.param("OnCalendar=6:00 Moon/Base", "Moon/Base", id="unknown-zone"),
    pytest.param("OnUnitActiveSec=often", "no time span", id="no-span"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_a_time_that_cannot_be_meant_is_refused(text, why):
    """With the setting it is about."""
    assert why in "; ".join(timer(text).refusals)


# --- services ---------------------------------------------------------------------------------------------------------


def test_a_service_brings_folder_variables_and_time_limit():
    """Environment= is split into words; the secrets among them are kept apart."""
    entry = timer(
        service="Type=oneshot\nExecStart=/x\nWorkingDirectory=-%h/data\nTimeoutStartSec=5min\n"
        "Environment=A=1 \"B=x y\" 'C=%u'\nEnvironment=D= NAS_TOKEN=hush"
    )
    assert (entry.cwd, entry.options) == ("/home/ann/data", {"timeout": "5m"})
    assert (entry.env, entry.secrets) == ({"A": "1", "B": "x y", "C": "ann", "D": ""}, {"NAS_TOKEN": "hush"})
    assert timer().cwd == "~"
    assert timer(service="ExecStart=/x\nTimeoutStartSec=5min\nRuntimeMaxSec=infinity").options == {}
    assert timer(service="ExecStart=/x\nRuntimeMaxSec=90").options == {"timeout": "90s"}


def test_what_people_have_to_do_is_said():
    """Such an entry is printed and not taken over."""
    assert "EnvironmentFile=/etc/x" in timer(service="ExecStart=/x\nEnvironmentFile=/etc/x").open_ends[0]
    assert "Type=notify" in timer(service="ExecStart=/x\nType=notify").open_ends[0]
    assert "begins with +" in timer(service="ExecStart=+/x").open_ends[0]


def test_what_is_not_carried_over_is_named():
    """Nothing is dropped silently; what means nothing here is not worth a word."""
    entry = timer(
        service="ExecStart=/x\nUser=bob\nNice=5\nProtectHome=yes\nStandardOutput=append:/x\nSyslogIdentifier=x"
    )
    assert entry.remarks == [
        "OnCalendar=daily UTC",
        "there it runs as bob, here as whoever runs agent_os",
        "StandardOutput=append:/x is not carried over; `show` has what a task says",
        "not carried over: Nice, ProtectHome",
    ]


def test_a_timer_without_its_service_is_refused():
    """There is nothing to run."""
    assert "is not there" in unit_reading.read("a.timer", "[Timer]\nOnCalendar=daily\n", None, known=KNOWN).refusals[0]
    assert "no ExecStart=" in timer(service="Type=oneshot").refusals[0]
    assert unit_reading.service_of("a.timer", "[Timer]\nUnit=b.service\n") == "b.service"
    assert unit_reading.service_of("a.timer", "[Timer]\n") == "a.service"


# --- launchd ----------------------------------------------------------------------------------------------------------


def agent(**keys):
    """The entry of an agent with these keys."""
    content = {"Label": "org.example.it", "ProgramArguments": ["/usr/bin/x", "a b"], **keys}
    return launchd_reading.read(plistlib.dumps(content), where="it.plist")


def test_an_agent_without_a_label_is_none():
    """Nobody could disable it by its name either."""
    assert "has no Label" in agent(Label="").refusals[0]


CALENDARS = [
    pytest.param({"Hour": 6, "Minute": 0}, ["0 6 * * *"], id="daily"),
    pytest.param({"Hour": 6}, ["* 6 * * *"], id="no-minute-is-every-minute"),
    pytest.param({}, ["* * * * *"], id="nothing-is-always"),
    pytest.param({"Minute": 5, "Hour": 4, "Weekday": 7}, ["5 4 * * 0"], id="seven-is-Sunday"),
    pytest.param({"Minute": 0, "Hour": 0, "Day": 13, "Weekday": 5}, ["0 0 13 * 5"], id="either-day-is-enough"),
    pytest.param({"Minute": 0, "Hour": 0, "Day": 1, "Month": 7}, ["0 0 1 7 *"], id="month"),
    pytest.param([{"Hour": 6, "Minute": 0}, {"Hour": 18, "Minute": 30}], ["0 6 * * *", "30 18 * * *"], id="several"),
]


@pytest.mark.parametrize(("calendar", "schedules"), CALENDARS)
def test_a_calendar_of_launchd_is_crons_in_another_form(calendar, schedules):
    """In the zone of the machine."""
    entry = agent(StartCalendarInterval=calendar)
    assert (entry.schedules, entry.zone, entry.refusals) == (schedules, "local", [])


def test_an_agent_becomes_an_entry():
    """Words, folder, variables; what is not carried over is named."""
    entry = agent(
        StartInterval=900, EnvironmentVariables={"A": "1", "API_KEY": "hush"}, WorkingDirectory="/srv", Nice=5,
        StandardOutPath="/tmp/o", RunAtLoad=True, ProcessType="Background",
    )  # fmt: skip
    assert (entry.name, entry.handle, entry.where) == ("it", "org.example.it", "it.plist")
    assert (entry.words, entry.schedules, entry.cwd) == (("/usr/bin/x", "a b"), ["every 15m"], "/srv")
    assert (entry.env, entry.secrets, entry.refusals) == ({"A": "1"}, {"API_KEY": "hush"}, [])
    assert entry.remarks == [
        "launchd calls it org.example.it",
        "RunAtLoad is not carried over: what was missed is caught up by itself",
        "StandardOutPath /tmp/o is not carried over; `show` has what a task says",
        "not carried over: Nice, ProcessType",
    ]
    assert agent(StartInterval=60).cwd == "/"
    assert agent(StartInterval=60, Program="/opt/y").words == ("/opt/y", "a b")


AGENTS_REFUSED = [
    pytest.param({"KeepAlive": True}, "cannot be taken over: KeepAlive", False, id="keep-alive"),
    pytest.param({"WatchPaths": ["/x"]}, "cannot be taken over: WatchPaths", False, id="watch-paths"),
    pytest.param({"Sockets": {"a": {}}, "StartInterval": 60}, "cannot be taken over: Sockets", True, id="sockets"),
    pytest.param({"StartInterval": 90}, "no interval of whole minutes", True, id="seconds"),
    pytest.param({"StartInterval": "60"}, "no interval of whole minutes", True, id="text"),
    pytest.param({"StartInterval": 60, "StartCalendarInterval": {}}, "beside another time", True, id="two-times"),
    pytest.param({"StartCalendarInterval": {"Hour": 24}}, "Hour is 24; it is 0 to 23", True, id="hour"),
    pytest.param({"StartCalendarInterval": {"Hour": "6"}}, "Hour is '6'", True, id="text-for-a-number"),
    pytest.param({"StartCalendarInterval": {"Hour": True}}, "Hour is True", True, id="yes-for-a-number"),
    pytest.param({"StartCalendarInterval": {"Day": 31, "Month": 2}}, "never comes", True, id="an-impossible-day"),
    pytest.param({"StartCalendarInterval": {"Second": 1}}, "Second is not known", True, id="seconds-of-a-calendar"),
    pytest.param({"StartCalendarInterval": [6]}, "is not known", True, id="a-number-for-a-dictionary"),
    pytest.param({"StartInterval": 60, "Disabled": True}, "disabled", True, id="disabled"),
    pytest.param({"StartInterval": 60, "RootDirectory": "/x"}, "RootDirectory", True, id="another-root"),
    pytest.param({"StartInterval": 60, "ProgramArguments": "x"}, "list of texts", True, id="words-as-text"),
]


@pytest.mark.parametrize(("keys", "why", "has_time"), AGENTS_REFUSED)
def test_an_agent_that_a_task_cannot_replace_is_refused(keys, why, has_time):
    """One that has no time at all is nothing that anyone would expect here."""
    entry = agent(**keys)
    assert why in "; ".join(entry.refusals)
    assert entry.has_time is has_time


@pytest.mark.parametrize("content", [b"", b"x", b"<plist>", b"bplist00", plistlib.dumps([1])])
def test_what_is_no_agent_is_refused(content):
    """One sentence, no traceback."""
    assert launchd_reading.read(content, where="x.plist").refusals[0].startswith("it is no ")
