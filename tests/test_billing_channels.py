"""The channels of alerts against servers that misbehave: none lost, and no second copy wherever the server answered."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from email import message_from_string
from email.header import decode_header, make_header
from pathlib import Path

import pytest
from alerting import APP, Bills, bills_in, cost, month
from fakes.channels import GENERIC, HOOK, SLACK, TOPIC, size

from tests.conftest import PACKAGE
from tests.fakes.environment import bare

NOVEMBER = "ALERT_THRESHOLD/2026-11-01/actual/100"
OWN_PROCESS = pytest.mark.skipif(PACKAGE != "agent_os", reason="the app imports agent_os by that name")


@pytest.fixture
def bills(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bills]:
    with bills_in(tmp_path, capsys, monkeypatch) as made:
        yield made


def over(bills: Bills, **env: str) -> None:
    """Spending that is over the threshold."""
    bills.env(ALERT_THRESHOLD="100", **env)
    bills.bill(month("104.20"))


def everywhere(bills: Bills) -> dict[str, tuple[str, int]]:
    """channel -> (status, how often it was tried)."""
    found = bills.rows("SELECT outbox, status, attempts FROM outbox")
    return {outbox[len("alerts_") :]: (status, tries) for outbox, status, tries in found}


# --- what each channel is sent ----------------------------------------------------------------------------------------


def test_every_channel_that_is_set_gets_the_alert_and_its_id(bills: Bills) -> None:
    """One alert, five ways."""
    over(bills, **bills.all_channels(), NTFY_TOKEN="tk_ntfy_secret")
    bills.check()
    assert everywhere(bills) == dict.fromkeys(("discord", "slack", "ntfy", "email", "webhook"), ("sent", 1))
    by_path = {each.path: each for each in bills.channels.taken}
    assert by_path[HOOK].body["embeds"][0]["footer"] == {"text": f"alert {NOVEMBER}"}
    assert by_path[HOOK].body["allowed_mentions"] == {"parse": []}
    assert by_path[SLACK].body["text"].endswith(f"\nalert {NOVEMBER}")
    assert by_path[TOPIC].body.startswith("Budget ALERT_THRESHOLD: 100 % of 100.00 USD a month\n104.20 USD were spent")
    assert by_path[TOPIC].headers["Authorization"] == "Bearer tk_ntfy_secret"
    assert by_path[GENERIC].headers["Idempotency-Key"] == NOVEMBER
    assert by_path[GENERIC].body["id"] == NOVEMBER
    (letter,) = map(message_from_string, bills.mail.mails)
    assert str(make_header(decode_header(letter["Subject"]))) == "Budget ALERT_THRESHOLD: 100 % of 100.00 USD a month"
    assert (letter["From"], letter["To"]) == ("agent@example.com", "you@example.com, me@example.com")
    assert re.fullmatch(r"<[0-9a-f]{64}@agent-os\.invalid>", letter["Message-ID"])
    assert f"alert {NOVEMBER}" in letter.get_payload()


def test_a_budget_may_name_its_channels(bills: Bills) -> None:
    """The others hear nothing of it."""
    bills.env(ALERT_THRESHOLD=None, **bills.all_channels())
    bills.ini("[budget:a]\namount = 5\nchannels = ntfy, webhook\n")
    bills.bill(month("6"))
    bills.check()
    assert set(everywhere(bills)) == {"ntfy", "webhook"}


def test_no_secret_of_a_channel_is_anywhere(bills: Bills) -> None:
    """Not in the database, the log or what is printed, whatever went wrong."""
    over(bills, **bills.all_channels())
    bills.channels.moods = ["404", "403", "500", "429"]
    answer = bills.check()
    told = answer.out + answer.err + (bills.folder / "agent.log").read_text()
    told += (bills.folder / "agent_os.db").read_bytes().decode("latin-1")
    for secret in ("discord-secret-token", "slack-secret", "topic-secret", "generic-secret"):
        assert secret not in told, secret


def test_a_message_of_any_length_keeps_the_limits_of_each_channel(bills: Bills) -> None:
    """6,000 for all of an embed, 1,024 a value, 4,096 bytes for ntfy; names may be long and of any script."""
    over(bills, **bills.all_channels())
    names = ["💶" * 250, "ü" * 499, "x" * 490]
    bills.bills([cost("2026-11-01", "50", project=f"p{name}", model=f"m{name}", line_item=name) for name in names])
    bills.check()
    assert everywhere(bills) == dict.fromkeys(("discord", "slack", "ntfy", "email", "webhook"), ("sent", 1))
    embed = bills.channels.messages["1180000000000001000"]["embeds"][0]
    assert max(size(each["value"]) for each in embed["fields"]) <= 1024
    assert embed["footer"]["text"] == f"alert {NOVEMBER}"
    (told,) = (each.body for each in bills.channels.taken if each.path == TOPIC)
    assert told.endswith(f"…\nalert {NOVEMBER}")


def test_no_name_rings_everybody_in_slack(bills: Bills) -> None:
    """What Slack would read as a call is text."""
    bills.env(ALERT_THRESHOLD="100", SLACK_WEBHOOK_URL=bills.channels.url(SLACK))
    bills.bills([cost("2026-11-01", "200", project="<!channel> & co")])
    bills.check()
    (told,) = (each.body["text"] for each in bills.channels.taken if each.path == SLACK)
    assert "&lt;!channel&gt; &amp; co" in told
    assert "<!channel>" not in told


# --- what each may answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mood", ["429", "500", "503", "refuse"])
def test_what_is_not_taken_is_sent_later_and_once(bills: Bills, mood: str) -> None:
    """Nobody has seen it: it waits, and goes out when its time has come."""
    over(bills)
    bills.channels.moods = [mood]
    bills.check()
    assert everywhere(bills) == {"discord": ("waiting", 1)}
    assert bills.channels.alerts() == []
    bills.pass_days(1)
    bills.check()
    bills.check()
    assert everywhere(bills) == {"discord": ("sent", 2)}
    assert bills.channels.alerts() == [NOVEMBER]


def test_the_wait_that_discord_asks_for_is_kept_to_the_fraction(bills: Bills) -> None:
    """`retry_after` is a float of seconds: nothing is sent before."""
    over(bills)
    bills.channels.moods = ["429"]
    bills.check()
    ((wait,),) = bills.rows("SELECT (julianday(next_at) - julianday(changed_at)) * 86400 FROM outbox")
    assert 7200.2 < wait < 7200.3
    bills.clock.pass_by(7200)
    bills.check()
    assert bills.channels.asked == 1
    bills.clock.pass_by(1)
    bills.check()
    assert bills.channels.alerts() == [NOVEMBER]


@pytest.mark.parametrize("mood", ["401", "403", "404"])
def test_a_webhook_that_is_gone_parks_and_is_not_asked_again(bills: Bills, mood: str) -> None:
    """Each further try would only bring a ban nearer; the other channels have told."""
    over(bills, SLACK_WEBHOOK_URL=bills.channels.url(SLACK))
    bills.channels.moods = [mood]
    bills.check()
    assert sorted(everywhere(bills).values()) == [("parked", 1), ("sent", 1)]
    bills.pass_days(1)
    bills.check()
    assert bills.channels.asked == 2


def test_an_answer_without_an_id_is_not_taken_for_a_message_that_is_there(bills: Bills, monkeypatch) -> None:
    """204 means that nobody knows: it is parked for a person, and not doubled."""
    monkeypatch.setattr("fakes.channels.Exchange._discord", lambda *_: (204,))
    over(bills)
    bills.check()
    assert everywhere(bills) == {"discord": ("parked", 1)}
    assert "without the id of a message" in bills.verb("list").out


@pytest.mark.parametrize("mood", ["cut"])
def test_where_no_answer_came_the_copy_has_the_same_id(bills: Bills, mood: str) -> None:
    """Nobody can know whether it arrived: Discord shows it twice, with one id; who heeds keys has it once."""
    over(bills, ALERT_WEBHOOK_URL=bills.channels.url(GENERIC))
    bills.channels.moods = [mood, mood]
    bills.check()
    bills.pass_days(1)
    bills.check()
    assert bills.channels.alerts() == [NOVEMBER, NOVEMBER]
    assert [each.body["id"] for each in bills.channels.taken if each.path == GENERIC] == [NOVEMBER]


@pytest.mark.parametrize(
    ("mood", "status"), [("450 4.7.1 come back", "waiting"), ("554 5.7.1 spam", "parked")], ids=["later", "never"]
)
def test_a_mail_server_may_say_later_or_never(bills: Bills, mood: str, status: str) -> None:
    """4xx waits, 5xx is parked; the mail that follows is the same one."""
    bills.env(**{**bills.all_channels(), "DISCORD_WEBHOOK_URL": None, "SLACK_WEBHOOK_URL": None, "NTFY_URL": None,
                 "ALERT_WEBHOOK_URL": None, "ALERT_THRESHOLD": "100"})  # fmt: skip
    bills.bill(month("104.20"))
    bills.mail.moods = [mood]
    bills.check()
    assert everywhere(bills) == {"email": (status, 1)}
    bills.pass_days(1)
    bills.check()
    assert len(bills.mail.mails) == (status == "waiting")


def test_a_mail_whose_answer_was_lost_is_the_same_mail_again(bills: Bills) -> None:
    """One Message-ID."""
    over(bills, **bills.all_channels())
    bills.mail.moods = ["cut"]
    bills.check()
    bills.pass_days(1)
    bills.check()
    first, second = map(message_from_string, bills.mail.mails)
    assert first["Message-ID"] == second["Message-ID"]


def test_a_password_goes_over_nothing_but_tls(bills: Bills) -> None:
    """A server without STARTTLS is not logged in to."""
    over(bills, **bills.all_channels(), SMTP_USER="me", SMTP_PASSWORD="mail-password-1")
    bills.check()
    assert everywhere(bills)["email"] == ("parked", 1)
    assert bills.mail.mails == []


# --- kill -9 ----------------------------------------------------------------------------------------------------------

KILLED = (
    "import os, sys; from agent_os.core import db\n"
    "left, when = [int(sys.argv.pop(1))], sys.argv.pop(1)\n"
    "def count(moment):\n"
    "    left[0] -= moment == when\n"
    "    if not left[0]: os.kill(os.getpid(), 9)\n"
    "db.Database.on_commit = staticmethod(count)\n"
    "from agent_os.main import main; sys.exit(main(sys.argv[1:]))"
)


class Crashing:
    """The program in processes of its own, by the clock of the machine, in a home that is over its budget."""

    def __init__(self, bills: Bills) -> None:
        self.bills = bills
        today = time.strftime("%Y-%m-%d", time.gmtime())
        bills.move_to(f"{today}T00:00:00")
        bills.env(ALERT_THRESHOLD="100")
        bills.bill({today: "104.20"})
        self.words = ["--task", "check_budgets", "--app", str(APP), "--quiet", "--home", str(bills.folder)]
        self.copy = (bills.folder / "agent_os.db").read_bytes()

    def begin_anew(self) -> None:
        for path in Path(self.bills.folder).glob("agent_os.db*"):
            path.unlink()
        (self.bills.folder / "agent_os.db").write_bytes(self.copy)
        self.bills.channels.messages.clear()
        self.bills.channels.taken.clear()

    def run(self, commit: int, when: str) -> int:
        words = [sys.executable, "-c", KILLED, str(commit), when, *self.words]
        return subprocess.run(words, env=bare(), check=False).returncode

    def is_in_doubt(self) -> bool:
        """Whether the server has the message and the database does not know."""
        connection = sqlite3.connect(self.bills.folder / "agent_os.db")
        done = connection.execute("SELECT count(*) FROM effects WHERE status = 'done'").fetchone()[0]
        connection.close()
        return bool(self.bills.channels.taken) and not done


@OWN_PROCESS
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_any_commit_loses_no_alert_and_doubles_none_that_is_known(bills: Bills, when: str) -> None:
    """State and message come together; the only second copy is of a message whose answer was never written down."""
    crashing = Crashing(bills)
    doubts = 0
    for commit in range(1, 40):
        crashing.begin_anew()
        code = crashing.run(commit, when)
        is_in_doubt = code != 0 and crashing.is_in_doubt()
        doubts += is_in_doubt
        assert code in (0, -signal.SIGKILL)
        assert crashing.run(1000, when) == 0
        ids = bills.channels.alerts()
        assert len(set(ids)) == 1, (commit, ids)
        assert len(ids) == 1 + is_in_doubt, (commit, ids)
        assert set(bills.statuses().values()) == {"sent"}
        if code == 0:
            break
    else:
        pytest.fail("it never came to its end")
    assert commit > 6
    assert doubts <= 1


@OWN_PROCESS
@pytest.mark.parametrize(("mood", "copies"), [("hang", 2), ("stall", 1)])
def test_a_kill_while_the_server_says_nothing_loses_nothing(bills: Bills, mood: str, copies: int) -> None:
    """Taken or not, nobody heard: it is sent again; a second copy has the same id."""
    crashing = Crashing(bills)
    bills.channels.moods = [mood]
    asked = bills.channels.asked
    running = subprocess.Popen([sys.executable, "-m", "agent_os", *crashing.words], env=bare())
    deadline = time.monotonic() + 60
    while bills.channels.asked == asked or (mood == "hang" and not bills.channels.taken):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.kill()
    running.wait()
    bills.channels.let_go.set()
    assert crashing.run(1000, "after") == 0
    ids = bills.channels.alerts()
    assert (len(ids), len(set(ids))) == (copies, 1)
