"""A crontab as entries: what is read, what is refused, what is said; as Debian's cron does it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_os.core import ini_file
from agent_os.schedulers.crontab_reading import TAKEN, put_out_of_force, read
from agent_os.schedulers.ini_writing import Written


def only(text, **more):
    """The one entry of a crontab."""
    (entry,) = read(text, **more).entries
    return entry


COMMANDS = [
    pytest.param(r"date +\%F", ("date", "+%F"), "", id="percent"),
    pytest.param("cat%a%b", (), "printf 'a\\nb\\n' | cat", id="standard-input"),
    pytest.param("cat%a%b%", (), "printf 'a\\nb\\n' | cat", id="standard-input-with-an-end"),
    pytest.param("cat%", (), "printf '' | cat", id="nothing"),
    pytest.param("cat%%", (), "printf '\\n' | cat", id="an-empty-line"),
    pytest.param("cat%-n x", (), "printf '\\055n x\\n' | cat", id="what-printf-would-take-for-an-option"),
    pytest.param(r"cat%5\%\n%x", (), "printf '5%%\\\\n\\nx\\n' | cat", id="signs-of-printf-in-it"),
    pytest.param("a; b%it's", (), "printf 'it'\"'\"'s\\n' | /bin/sh -c 'a; b'", id="for-a-whole-line"),
    pytest.param(r"echo 'a\\b'", (), r"echo 'a\b'", id="two-backslashes-are-one"),
    pytest.param(r"echo a\b", (), r"echo a\b", id="one-backslash-stays"),
    pytest.param(r"cat\\%x", (), "printf 'x\\n' | /bin/sh -c 'cat\\'", id="a-backslash-before-the-percent"),
    pytest.param("x '%'", (), "printf ''\"'\"'\\n' | /bin/sh -c 'x '\"'\"''", id="percent-in-a-quotation-counts"),
    pytest.param("/x  'a b'\tc", ("/x", "a b", "c"), "", id="plain-words"),
    pytest.param("cd /x && ./y", (), "cd /x && ./y", id="a-shell-is-needed"),
    pytest.param("./y", (), "./y", id="relative-to-the-folder"),
    pytest.param("X=1 y", (), "X=1 y", id="assignment"),
    pytest.param("x # y", (), "x # y", id="comment-of-the-shell"),
]


@pytest.mark.parametrize(("command", "words", "script"), COMMANDS)
def test_a_command_is_what_cron_would_run(command, words, script):
    """Plain words where no shell is needed, else text for /bin/sh; what follows a bare % is its input."""
    entry = only(f"0 5 * * * {command}\n")
    assert (entry.words, entry.script) == (words, script)
    assert entry.schedules == ["0 5 * * *"]


def test_the_input_arrives_as_cron_would_give_it():
    """Measured with Debian's cron 3.0: `one%two\\%x\\\\%y\\z%` is these two lines."""
    entry = only(r"* * * * * cat%one%two\%x\\%y\z%")
    done = subprocess.run(["/bin/sh", "-c", entry.script], capture_output=True, check=True)
    assert done.stdout == b"one\ntwo%x\\%y\\z\n"


def test_another_shell_is_asked_by_name():
    """SHELL= decides what reads the command; a command without signs of a shell needs none."""
    found = read("SHELL=/bin/bash\n0 5 * * * a && b\n0 6 * * * /bin/c d\nSHELL=/bin/sh\n0 7 * * * a && b\n").entries
    assert [(entry.words, entry.script) for entry in found] == [
        (("/bin/bash", "-c", "a && b"), ""),
        (("/bin/c", "d"), ""),
        ((), "a && b"),
    ]
    assert found[0].env == {"SHELL": "/bin/bash"}


VARIABLES = [
    pytest.param("A=1", {"A": "1"}, id="plain"),
    pytest.param("  A =  b c  ", {"A": "b c"}, id="blanks-around"),
    pytest.param("A=' b '", {"A": " b "}, id="single-quotes-keep-blanks"),
    pytest.param('A="it\'s"', {"A": "it's"}, id="double-quotes"),
    pytest.param('A="b', {"A": '"b'}, id="a-quote-without-its-other"),
    pytest.param("'A' = b", {"A": "b"}, id="quoted-name"),
    pytest.param("A=", {"A": ""}, id="empty"),
    pytest.param("A=$HOME/x", {"A": "$HOME/x"}, id="nothing-is-expanded"),
    pytest.param("A=1\nA=2", {"A": "2"}, id="the-last-counts"),
    pytest.param("LOGNAME=x", {}, id="not-crons-to-set"),
    pytest.param("MAILTO=x", {}, id="for-cron-itself"),
    pytest.param("TZ=Asia/Tokyo", {"TZ": "Asia/Tokyo"}, id="the-commands-zone"),
]


@pytest.mark.parametrize(("lines", "env"), VARIABLES)
def test_variables_are_those_of_the_entries_below(lines, env):
    """And of none above."""
    before, after = read(f"@daily a\n{lines}\n@daily b\n").entries
    assert (before.env, after.env) == ({}, env)
    assert after.refusals == []


def test_home_is_where_commands_start():
    """cron starts them in HOME, so the tasks do."""
    before, after = read("@daily a\nHOME=/srv\n@daily b\n").entries
    assert (before.cwd, after.cwd, after.env) == ("~", "/srv", {"HOME": "/srv"})


def test_the_time_zone_is_the_machines_unless_cron_was_told():
    """CRON_TZ is about the times; TZ is only a variable of the commands."""
    first, second = read("TZ=Asia/Tokyo\n@daily a\nCRON_TZ=Europe/Oslo\n@daily b\n").entries
    assert (first.zone, second.zone) == ("local", "Europe/Oslo")
    assert "CRON_TZ is taken" in second.remarks[0]


REFUSED = [
    pytest.param("@reboot /x", "no time", id="reboot"),
    pytest.param("@sometimes /x", "'@sometimes' is not known", id="unknown-name"),
    pytest.param("61 * * * * /x", "minute", id="minute"),
    pytest.param("0 4 31 2 * /x", "never comes", id="an-impossible-day"),
    pytest.param("0~30 4 * * * /x", "minute", id="a-random-minute"),
    pytest.param("*/0 4 * * * /x", "step", id="no-step"),
    pytest.param("nonsense", "cannot be read", id="one-word"),
    pytest.param("* * * * *", "no command", id="no-command"),
    pytest.param("1 2 3 4 mon", "no command", id="nothing-after-the-fields"),
    pytest.param("@daily", "no command", id="a-name-alone"),
    pytest.param("@daily %input", "no command", id="input-alone"),
    pytest.param("@daily echo \udcff", "UTF-8", id="bytes"),
    pytest.param("CRON_TZ=Moon/Base\n@daily x", "time zone 'Moon/Base'", id="unknown-zone"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_what_cannot_be_carried_over_is_said(text, why):
    """With the number of the line; nothing is dropped silently."""
    entry = only(text)
    assert why in "; ".join(entry.refusals)
    (reason,) = Written(read(text), ()).reasons()
    assert reason.startswith(f"line {text.count(chr(10)) + 1} (")


def test_comments_right_above_document():
    """Not what is put away as a comment, which may hold a secret, and not the legend of a fresh crontab."""
    text = "# far\n\n# Backs up.\n#  Ask Ann.\n# NAS_TOKEN=hush\n#*/5 * * * * /old\n# 5 minutes is enough\n@daily a\n"
    assert only(text).doc == "Backs up. Ask Ann. 5 minutes is enough"
    assert only("# m h  dom mon dow   command\n@daily a\n").doc == ""
    assert only("# Example:\n# .------ minute\n# |  .--- hour\n@daily a\n").doc == ""


def test_our_own_blocks_and_what_was_taken_over_are_left_out():
    """What `schedule install` has written is no entry."""
    block = "# BEGIN agent_os home-1a2b3c\n*/15 * * * * x\n# END agent_os home-1a2b3c\n"
    assert read(f"{block}{TAKEN}1 2 3 4 5 y\n").entries == []
    assert only(f"{block}@daily z\n").where == "line 4"
    found = read("# BEGIN agent_os home-1a2b3c\n@daily x\n")
    assert (found.entries, found.remarks) == (
        [],
        ["line 1: this block of agent_os has no end; what follows is left out"],
    )


def test_a_system_crontab_names_users():
    """The sixth field is no part of the command."""
    entry = only("17 * * * *\troot  cd / && x\n", has_user=True, user="ann")
    assert entry.script == "cd / && x"
    assert entry.remarks == ["there it runs as root, here as whoever runs agent_os"]
    assert only("17 * * * * ann /x\n", has_user=True, user="ann").remarks == []


def test_secrets_are_kept_apart():
    """Those of variables, and those in front of a command; a secret inside of one is told of."""
    found = read("NAS_TOKEN='hush 1'\nPGPASSWORD=hush-2\n@daily API_KEY=hush-3 LANG=C x > y\n@daily z --api-key=hush\n")
    first, second = found.entries
    assert first.secrets == {"NAS_TOKEN": "hush 1", "PGPASSWORD": "hush-2", "API_KEY": "hush-3"}
    assert (first.env, first.script) == ({}, "LANG=C x > y")
    assert "seems to hold a secret" in second.remarks[0]


def test_a_random_delay_becomes_jitter():
    """cronie's RANDOM_DELAY is in minutes."""
    assert only("RANDOM_DELAY=30\n@daily x\n").options == {"jitter": "30m"}


def test_a_line_that_ends_in_a_carriage_return_is_read_without():
    """And says so."""
    entry = only("@daily x\r\n")
    assert (entry.words, entry.remarks) == (("x",), ["the line ends in a carriage return, which is left out"])


def test_only_the_lines_that_are_taken_over_change():
    """The rest stays byte for byte, with or without an end."""
    text = "# a\r\n\n@daily x\n \t@hourly y %\n@reboot z"
    assert put_out_of_force(text, {3, 4}) == f"# a\r\n\n{TAKEN}@daily x\n{TAKEN} \t@hourly y %\n@reboot z"
    assert put_out_of_force(text, set()) == text
    assert [entry.where for entry in read(put_out_of_force(text, {3, 4})).entries] == ["line 5"]


TOKENS = [
    "*",
    "5",
    "*/5",
    "@daily",
    "@reboot",
    "X",
    "=",
    "'",
    '"',
    "%",
    "\\%",
    "\\",
    "#",
    ";",
    "\n",
    "\n",
    " ",
    " ",
    "\t",
    "\r",
]
TOKENS += [
    "* * * * *",
    "SHELL=/bin/bash\n",
    "HOME=",
    "CRON_TZ=UTC\n",
    "NAS_TOKEN=x",
    "[task:x]",
    "# BEGIN agent_os",
    "\0",
]


@given(st.lists(st.sampled_from(TOKENS), max_size=25).map("".join))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_crontab_holds_is_a_section_or_a_reason(text):
    """No line is lost, nothing fails, and what is written can be read."""
    found = read(text)
    result = Written(found, ())
    assert len(result.sections) + len(result.left) == len(found.entries)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "agent_os.ini")
        path.write_bytes(result.text().encode())
        assert list(ini_file.read(str(path))) == [f"task:{section.name}" for section in result.sections]


UGLY = r"""# m h dom mon dow command
SHELL=/bin/bash
MAILTO="ann"
PATH = /usr/local/bin:/usr/bin:/bin
BACKUP_TOKEN='s3cr3t value'

# The nightly backup.
# Ask Ann before you move it.
30 2 * * *   /home/ann/bin/backup.sh --to /mnt/nas >/dev/null 2>&1
#*/5 * * * * /old/thing
*/10 * * * * cd /srv/app && ./manage.py clearsessions
0 6 * * 1-5 /usr/bin/printf 'on \%d\n' 5
@daily /usr/bin/env python3 -m reports.daily --on "$(date +\%F)"
@reboot /home/ann/bin/tunnel
0 4 31 2 * /bin/never
1 * * * *
SHELL=/bin/sh
15 9 1 * * mail -s "It's the first" ann%Hello,%%rent is 5\% up.%
	0 0 * * Sun	flock -n /tmp/l /opt/x/rotate.pl
0 7 * * * API_KEY=abc LANG=C /opt/report --csv
HOME=/srv/data
CRON_TZ=Europe/Oslo
5 4 * * * ./relative --flag
@every_minute [ -x /usr/bin/probe ] && /usr/bin/probe
nonsense here
# BEGIN agent_os home-123abc
*/15 * * * * /usr/bin/python3 /x/agent_os.pyz tick
# END agent_os home-123abc
# taken over by agent_os: 1 2 3 4 5 old
0 5 * * 7 tar czf '/b/a b.tgz' "x y"
"""

GOLDEN = r"""# line 3: MAILTO: mail to ann; here `show` has what a task says, and `watch` or ping = URL tell of failures
# to do: put BACKUP_TOKEN=... into .env; its value is not shown here
# to do: put API_KEY=... into .env; its value is not shown here

# not taken over: line 14 (tunnel): @reboot is no time: a task is due by the clock; leave the line where it is
# not taken over: line 15 (never): the schedule '0 4 31 2 *' never comes: no such day is in any year
# not taken over: line 16 (task): it has no command
# not taken over: line 25 (nonsense): it cannot be read: neither five fields and a command nor NAME=value

# line 9
[task:backup]
doc = The nightly backup. Ask Ann before you move it.
schedule = 30 2 * * *
timezone = local
command = /bin/bash -c '/home/ann/bin/backup.sh --to /mnt/nas >/dev/null 2>&1'
cwd = ~
env.SHELL = /bin/bash
env.PATH = /usr/local/bin:/usr/bin:/bin
env.BACKUP_TOKEN = env:BACKUP_TOKEN

# line 11
[task:manage]
schedule = */10 * * * *
timezone = local
command = /bin/bash -c 'cd /srv/app && ./manage.py clearsessions'
cwd = ~
env.SHELL = /bin/bash
env.PATH = /usr/local/bin:/usr/bin:/bin
env.BACKUP_TOKEN = env:BACKUP_TOKEN

# line 12
[task:printf]
schedule = 0 6 * * 1-5
timezone = local
command = /usr/bin/printf 'on %d\n' 5
cwd = ~
env.SHELL = /bin/bash
env.PATH = /usr/local/bin:/usr/bin:/bin
env.BACKUP_TOKEN = env:BACKUP_TOKEN

# line 13
[task:reports.daily]
schedule = @daily
timezone = local
command = /bin/bash -c '/usr/bin/env python3 -m reports.daily --on "$(date +%F)"'
cwd = ~
env.SHELL = /bin/bash
env.PATH = /usr/local/bin:/usr/bin:/bin
env.BACKUP_TOKEN = env:BACKUP_TOKEN

# line 18
[task:mail]
schedule = 15 9 1 * *
timezone = local
shell = yes
command = printf 'Hello,\n\nrent is 5%% up.\n' | mail -s "It's the first" ann
cwd = ~
env.SHELL = /bin/sh
env.PATH = /usr/local/bin:/usr/bin:/bin
env.BACKUP_TOKEN = env:BACKUP_TOKEN

# line 19
[task:rotate]
schedule = 0 0 * * Sun
timezone = local
command = flock -n /tmp/l /opt/x/rotate.pl
cwd = ~
env.SHELL = /bin/sh
env.PATH = /usr/local/bin:/usr/bin:/bin
env.BACKUP_TOKEN = env:BACKUP_TOKEN

# line 20
[task:report]
schedule = 0 7 * * *
timezone = local
shell = yes
command = LANG=C /opt/report --csv
cwd = ~
env.SHELL = /bin/sh
env.PATH = /usr/local/bin:/usr/bin:/bin
env.BACKUP_TOKEN = env:BACKUP_TOKEN
env.API_KEY = env:API_KEY

# line 23
# note: CRON_TZ is taken as its time zone, though some crons (Debian's) do not know it
[task:relative]
schedule = 5 4 * * *
timezone = Europe/Oslo
shell = yes
command = ./relative --flag
cwd = /srv/data
env.SHELL = /bin/sh
env.PATH = /usr/local/bin:/usr/bin:/bin
env.HOME = /srv/data
env.BACKUP_TOKEN = env:BACKUP_TOKEN

# line 24
# note: CRON_TZ is taken as its time zone, though some crons (Debian's) do not know it
[task:probe]
schedule = * * * * *
timezone = Europe/Oslo
shell = yes
command = [ -x /usr/bin/probe ] && /usr/bin/probe
cwd = /srv/data
env.SHELL = /bin/sh
env.PATH = /usr/local/bin:/usr/bin:/bin
env.HOME = /srv/data
env.BACKUP_TOKEN = env:BACKUP_TOKEN

# line 30
# note: CRON_TZ is taken as its time zone, though some crons (Debian's) do not know it
[task:tar]
schedule = 0 5 * * 7
timezone = Europe/Oslo
command = tar czf '/b/a b.tgz' 'x y'
cwd = /srv/data
env.SHELL = /bin/sh
env.PATH = /usr/local/bin:/usr/bin:/bin
env.HOME = /srv/data
env.BACKUP_TOKEN = env:BACKUP_TOKEN
"""


def test_an_ugly_crontab_is_replaced_by_these_sections():
    """Thirty lines as people have them, and all that comes of them."""
    assert Written(read(UGLY), ()).text() == GOLDEN
