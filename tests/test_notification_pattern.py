"""docs/NOTIFICATION_PATTERN.md is run: its senders against servers on this machine that answer as the real ones do."""

from __future__ import annotations

import json
import re
import sqlite3
from email import message_from_string
from pathlib import Path
from typing import Any, Optional

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

import agent_os
from agent_os.arguments import VERBS
from agent_os.main import main
from tests.fakes.channels import MailServer
from tests.guide import ROOT, blocks_of

PAGE = ROOT / "docs" / "NOTIFICATION_PATTERN.md"
BLOCKS = blocks_of(PAGE)
DISCORD, SLACK, TICKETS = "/api/webhooks/1/discord-secret", "/services/T/B/slack-secret", "/tickets"


class Desk:
    """The home of someone who has followed the page, and the other sides."""

    def __init__(self, folder: Path, server: HTTPServer, mail: MailServer) -> None:
        self.folder = folder
        self.mail = mail
        self._settings = {
            "DISCORD_WEBHOOK_URL": server.url_for(DISCORD),
            "SLACK_WEBHOOK_URL": server.url_for(SLACK),
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(mail.server_address[1]),
            "MAIL_FROM": "agent@example.com",
            "MAIL_TO": "you@example.com",
            "TICKETS_URL": server.url_for(TICKETS),
            "TICKETS_TOKEN": "ticket-secret-ticket-secret",
            "AGENT_OS_ALLOWED_HOSTS": "127.0.0.1",
        }
        self.set()
        text = "\n\n".join(block.text for block in BLOCKS if block.file == "notify.py")
        (folder / "notify.py").write_text(text, encoding="utf-8")

    def set(self, **changed: Optional[str]) -> None:
        """Write `.env`, with some settings changed, or (None) left out."""
        values = {**self._settings, **changed}
        path = self.folder / ".env"
        path.write_text("".join(f"{name}={value}\n" for name, value in values.items() if value is not None))
        path.chmod(0o600)

    def run(self, task: str, key: str = "november", *, force: bool = False) -> dict[str, str]:
        """Run a task; what came of each run, outboxes too."""
        with agent_os.open(self.folder, app=self.folder / "notify.py") as home:
            return {each.task: each.status for each in home.run(task, key=key, force=force)}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.folder / "agent_os.db")
        with connection:
            found = connection.execute(sql).fetchall()
        connection.close()
        return found

    @property
    def messages(self) -> dict[str, tuple[str, int]]:
        """outbox -> (status, how often it was tried)."""
        return {
            outbox: (status, tries)
            for outbox, status, tries in self.rows("SELECT outbox, status, attempts FROM outbox")
        }

    def error(self, outbox: str) -> str:
        return str(self.rows(f"SELECT error FROM outbox WHERE outbox = '{outbox}'")[0][0])

    def wait_is_over(self) -> None:
        """Time passes."""
        self.rows("UPDATE outbox SET next_at = '2026-01-01T00:00:00.000Z'")


@pytest.fixture
def mail():
    server = MailServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def desk(tmp_path: Path, httpserver: HTTPServer, mail: MailServer) -> Desk:
    return Desk(tmp_path, httpserver, mail)


def discord(request: Request) -> Response:
    """As Discord answers: refuses what is too long, and gives an id only to those who wait."""
    said = request.get_json()
    if len(said["content"]) > 2000:
        return Response(json.dumps({"content": ["Must be 2000 or fewer in length."]}), 400)
    if request.args.get("wait") != "true":
        return Response(status=204)
    return Response(json.dumps({"id": "1181"}), 200, content_type="application/json")


def slack(_: Request) -> Response:
    return Response("ok", 200, content_type="text/html")


def expect(server: HTTPServer) -> None:
    """Both webhooks, as they are."""
    server.expect_request(DISCORD, method="POST").respond_with_handler(discord)
    server.expect_request(SLACK, method="POST").respond_with_handler(slack)


def sent(server: HTTPServer, path: str) -> list[Request]:
    return [request for request, _ in server.log if request.path == path]


def test_every_message_arrives_and_its_receipt_is_kept(desk: Desk, httpserver: HTTPServer) -> None:
    """One task, three ways; the texts are those of the page."""
    expect(httpserver)
    assert desk.run("report") == {"report": "success", "discord": "success", "slack": "success", "email": "success"}
    (to_discord,), (to_slack,) = sent(httpserver, DISCORD), sent(httpserver, SLACK)
    assert to_discord.get_json() == {"content": "Report november: all is well.", "allowed_mentions": {"parse": []}}
    assert to_discord.query_string == b"wait=true"
    assert to_slack.get_json() == {"text": "Report november: all is well."}
    (mail,) = map(message_from_string, desk.mail.mails)
    assert (mail["From"], mail["To"], mail["Subject"]) == ("agent@example.com", "you@example.com", "Report november")
    assert mail.get_payload().strip() == "Report november: all is well."
    assert desk.messages == {"discord": ("sent", 1), "slack": ("sent", 1), "email": ("sent", 1)}
    ((receipt,),) = desk.rows("SELECT receipt_json FROM outbox WHERE outbox = 'discord'")
    assert json.loads(receipt) == {"id": "1181"}


def test_the_same_key_is_the_same_message(desk: Desk, httpserver: HTTPServer) -> None:
    """The task runs twice, the message goes out once."""
    expect(httpserver)
    desk.run("report")
    assert desk.run("report", force=True) == {"report": "success"}
    assert len(sent(httpserver, DISCORD)) == len(sent(httpserver, SLACK)) == len(desk.mail.mails) == 1


def test_a_long_text_is_cut_to_what_discord_takes(desk: Desk, httpserver: HTTPServer) -> None:
    """2,000 characters, the last of which says that something is missing."""
    expect(httpserver)
    path = desk.folder / "notify.py"
    path.write_text(path.read_text(encoding="utf-8").replace("all is well.", "x" * 3000), encoding="utf-8")
    desk.run("report")
    (request,) = sent(httpserver, DISCORD)
    text = request.get_json()["content"]
    assert len(text) == 2000
    assert text.endswith("x…")
    assert desk.messages["discord"] == ("sent", 1)


def test_no_text_calls_everybody_in_slack(desk: Desk, httpserver: HTTPServer) -> None:
    """What Slack would read as a command is text."""
    expect(httpserver)
    path = desk.folder / "notify.py"
    path.write_text(path.read_text(encoding="utf-8").replace("all is well.", "<!channel> & co"), encoding="utf-8")
    desk.run("report")
    assert sent(httpserver, SLACK)[0].get_json()["text"].endswith(": &lt;!channel&gt; &amp; co")


def test_what_is_asked_to_wait_waits_and_is_sent_by_a_later_start(desk: Desk, httpserver: HTTPServer) -> None:
    """429 with Retry-After: the task has succeeded, the others are sent, and no request is made before the time."""
    httpserver.expect_oneshot_request(DISCORD).respond_with_data("slow down", 429, headers={"Retry-After": "7200"})
    httpserver.expect_request(SLACK).respond_with_handler(slack)
    runs = desk.run("report")
    assert (runs["report"], runs["discord"]) == ("success", "success")
    assert desk.messages == {"discord": ("waiting", 1), "slack": ("sent", 1), "email": ("sent", 1)}
    ((wait,),) = desk.rows("SELECT (julianday(next_at) - julianday(changed_at)) * 86400 FROM outbox WHERE id = 1")
    assert 7190 < wait < 7210
    assert desk.run("report") == {"report": "skipped"}
    assert len(sent(httpserver, DISCORD)) == 1
    desk.wait_is_over()
    httpserver.expect_request(DISCORD).respond_with_handler(discord)
    assert desk.run("report") == {"report": "skipped", "discord": "success"}
    assert desk.messages["discord"] == ("sent", 2)


def test_what_is_refused_is_parked_and_says_why_without_the_secret(desk: Desk, httpserver: HTTPServer) -> None:
    """A webhook that was deleted: nobody tries again, the secret of the address is nowhere."""
    httpserver.expect_request(DISCORD).respond_with_json({"message": "Unknown Webhook", "code": 10015}, 404)
    httpserver.expect_request(SLACK).respond_with_data("no_team", 403)
    desk.run("report")
    assert {desk.messages["discord"], desk.messages["slack"]} == {("parked", 1)}
    assert "404: Unknown Webhook" in desk.error("discord")
    told = desk.error("discord") + desk.error("slack") + (desk.folder / "agent.log").read_text()
    assert "discord-secret" not in told
    assert "slack-secret" not in told
    desk.wait_is_over()
    assert desk.run("report") == {"report": "skipped"}


@pytest.mark.parametrize(
    ("answer", "status"),
    [("450 4.7.1 greylisted, come back", "waiting"), ("550 5.1.1 nobody of that name", "parked")],
    ids=["later", "never"],
)
def test_a_mail_server_may_say_later_or_never(
    desk: Desk, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, answer: str, status: str
) -> None:
    """4xx waits, 5xx is parked."""
    monkeypatch.setattr("agent_os.core.bodies.PATIENCE_SECONDS", 0.0)  # leave short waits to the next start too
    expect(httpserver)
    desk.mail.answers = [answer]
    desk.run("report")
    assert desk.messages["email"] == (status, 1)
    assert f"SMTPRecipientsRefused, {answer[:3]}" in desk.error("email")
    assert desk.mail.mails == []


def test_a_mail_server_that_is_not_there_is_asked_later(
    desk: Desk, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the mail that is sent then is the same one: its Message-ID comes from the key."""
    monkeypatch.setattr("agent_os.core.bodies.PATIENCE_SECONDS", 0.0)
    expect(httpserver)
    desk.set(SMTP_PORT="1")
    desk.run("report")
    assert desk.messages["email"] == ("waiting", 1)
    desk.set()
    desk.wait_is_over()
    desk.run("report")
    (mail,) = map(message_from_string, desk.mail.mails)
    assert re.fullmatch(r"<[0-9a-f]{64}@agent-os\.invalid>", mail["Message-ID"])


def test_without_its_setting_a_message_waits_and_nothing_fails(desk: Desk, httpserver: HTTPServer) -> None:
    """The address may be set later; then it is sent."""
    expect(httpserver)
    desk.set(DISCORD_WEBHOOK_URL=None)
    assert desk.run("report") == {"report": "success", "slack": "success", "email": "success"}
    assert desk.messages["discord"] == ("waiting", 0)
    desk.set()
    assert desk.run("report") == {"report": "skipped", "discord": "success"}


def test_a_key_makes_the_second_copy_the_same_ticket(desk: Desk, httpserver: HTTPServer) -> None:
    """A request whose answer is lost is made again, with the same key: the other side sees it is the same."""
    tickets: dict[str, str] = {}

    def answer(request: Request) -> Response:
        key = request.headers["Idempotency-Key"]
        is_first = key not in tickets
        number = tickets.setdefault(key, f"T{len(tickets) + 1}")
        if is_first:
            return Response("the answer is lost", 502, headers={"Retry-After": "7200"})
        return Response(json.dumps({"ticket": number}), 200, content_type="application/json")

    httpserver.expect_request(TICKETS, method="POST").respond_with_handler(answer)
    desk.run("complain")
    assert desk.messages == {"tickets": ("waiting", 1)}
    desk.wait_is_over()
    desk.run("complain")
    assert desk.messages == {"tickets": ("sent", 2)}
    assert tickets == {"complaint-november": "T1"}
    first, second = sent(httpserver, TICKETS)
    assert first.headers["Authorization"] == second.headers["Authorization"] == "Bearer ticket-secret-ticket-secret"


def test_a_run_that_fails_sends_nothing(desk: Desk, httpserver: HTTPServer) -> None:
    """Messages are committed with the success of the run, or not at all."""
    path = desk.folder / "notify.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text + '\n\n@app.task\ndef half(ctx):\n    ctx.send("slack", "k", {"text": "no"})\n    raise ValueError\n'
    )
    assert desk.run("half") == {"half": "failed"}
    assert desk.rows("SELECT * FROM outbox") == []
    assert httpserver.log == []


def test_the_commands_of_the_page_are_commands(
    desk: Desk, httpserver: HTTPServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line is run, but for verbs that do not exist yet."""
    expect(httpserver)
    lines = [line for block in BLOCKS if block.info == "sh" for line in block.text.splitlines()]
    assert len(lines) == 2
    for line in lines:
        words = line.replace("notify.py", str(desk.folder / "notify.py")).split()[1:]
        if words[0].startswith("--") or words[0] in VERBS:
            assert main([*words, "--home", str(desk.folder)]) == 0, capsys.readouterr().err
    assert desk.messages == {"discord": ("sent", 1), "slack": ("sent", 1), "email": ("sent", 1)}


def test_the_settings_of_the_page_are_those_of_its_senders(desk: Desk) -> None:
    """Whoever fills in the block has set what `needs` asks for."""
    (block,) = [block for block in BLOCKS if block.file == ".env"]
    names = {line.partition("=")[0] for line in block.text.splitlines()}
    with agent_os.open(desk.folder, app=desk.folder / "notify.py"):
        from agent_os.core.apps import load

        app = load(str(desk.folder / "notify.py"), base="")
    needed = {name for outbox in ("discord", "slack", "email") for name in app.outboxes[outbox].needs}
    assert needed == names - {"SMTP_PORT"}


def test_the_page_has_no_block_that_is_not_run() -> None:
    """Every block is a part of notify.py, the settings, or commands."""
    assert {block.info for block in BLOCKS} == {"python notify.py", "sh .env", "sh"}
