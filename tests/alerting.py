"""A home with the billing tracker, whose costs the test writes, and channels that are fakes on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

import pytest
from fakes.channels import GENERIC, HOOK, SLACK, TOPIC, Channels, MailServer
from homes import AppHome, MovableClock
from house import Answer

from agent_os.core.days import Window, add_days
from agent_os.core.home import open_home
from agent_os.core.model import Batch, Record, Row
from agent_os.core.posting import post
from tests.conftest import ROOT

APP = ROOT / "apps" / "billing_tracker"


def cost(day: str, amount: str, *, basis: str = "reported", code: str = "USD", **names: str) -> Record:
    """A line of a bill."""
    record = Row({}, day=day, report="costs").cost(amount, code, {"line_item": "tokens", **names})
    return record._replace(basis=basis)


class Bills(AppHome):
    """It is 2026-11-22, 09:00 UTC, unless the test moves the clock."""

    clock: MovableClock

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], channels: Channels, mail: MailServer) -> None:
        super().__init__(folder, capsys)
        self._app = APP
        self.channels = channels
        self.mail = mail
        self.env(ALERT_THRESHOLD="100")

    def env(self, **values: Optional[str]) -> None:
        """Write `.env`: Discord, and whatever else is given (None: not)."""
        known: dict[str, Optional[str]] = {"DISCORD_WEBHOOK_URL": self.channels.url(HOOK), **values}
        path = self.folder / ".env"
        path.write_text("".join(f"{name}={value}\n" for name, value in known.items() if value is not None))
        path.chmod(0o600)

    def all_channels(self) -> dict[str, str]:
        """The settings of the other channels."""
        url = self.channels.url
        return {
            "SLACK_WEBHOOK_URL": url(SLACK), "NTFY_URL": url(TOPIC), "ALERT_WEBHOOK_URL": url(GENERIC),
            "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(self.mail.server_address[1]),
            "SMTP_FROM": "agent@example.com", "SMTP_TO": "you@example.com, me@example.com",
        }  # fmt: skip

    @property
    def today(self) -> str:
        return self.clock.today()

    def bill(self, days: dict[str, str], *, provider: str = "acme", basis: str = "reported", **names: str) -> None:
        """Store what a provider has cost, by day; each day is replaced."""
        self.bills([cost(day, amount, basis=basis, **names) for day, amount in days.items()], provider=provider)

    def bills(self, records: list[Record], *, provider: str = "acme") -> None:
        """The same, line by line."""
        home = open_home(str(self.folder), clock=self.clock, stderr=None)
        days = sorted({record.date for record in records})
        try:
            for day in days:
                lines = tuple(record for record in records if record.date == day)
                batch = Batch(
                    provider=provider, task="import", window=Window(day, add_days(day, 1)), days=[day],
                    reports={"costs"}, observed_at=self.clock.now().isoformat(timespec="milliseconds")[:-6] + "Z",
                    records=lines, pages=(), currency=lines[0].currency, notes=(),
                    basis=lines[0].basis,
                )  # fmt: skip
                post(home, batch, task="import")
        finally:
            home.close()

    def check(self, code: int = 0) -> Answer:
        """`--task check_budgets`."""
        answer = self.run("--task", "check_budgets")
        assert answer.code == code, answer.out + answer.err
        return answer

    def verb(self, *words: str, code: int = 0) -> Answer:
        """`alerts …`."""
        answer = self.run("alerts", *words, "--app", str(APP))
        assert answer.code == code, answer.out + answer.err
        return answer

    def posted(self) -> list[str]:
        """The ids of all alerts to Discord, whatever became of them."""
        return [key for (key,) in self.rows("SELECT key FROM outbox WHERE outbox = 'alerts_discord' ORDER BY id")]

    def statuses(self) -> dict[str, str]:
        """key -> status of the messages to Discord."""
        return dict(self.rows("SELECT key, status FROM outbox WHERE outbox = 'alerts_discord'"))

    def state(self) -> dict[str, Any]:
        """What is remembered."""
        found = self.rows("SELECT name, value_json FROM state WHERE task = 'check_budgets'")
        return {name: json.loads(value) for name, value in found}

    def embed(self, place: int = -1) -> dict[str, Any]:
        """What Discord shows: an embed, its fields by name."""
        shown = list(self.channels.messages.values())[place]["embeds"][0]
        return {**shown, "fields": {each["name"]: each["value"] for each in shown["fields"]}}

    def move_to(self, moment: str) -> None:
        """Let it be this instant."""
        self.clock.moment = self.clock.moment.fromisoformat(moment).replace(tzinfo=self.clock.moment.tzinfo)


def month(*amounts: str, first: int = 1) -> dict[str, str]:
    return {f"2026-11-{first + number:02}": amount for number, amount in enumerate(amounts)}


@contextmanager
def bills_in(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bills]:
    """A home and its fakes."""
    monkeypatch.setattr("agent_os.core.bodies.PATIENCE_SECONDS", 0.0)  # short waits too are for the next start
    channels, mail = Channels(), MailServer()
    try:
        yield Bills(folder, capsys, channels, mail)
    finally:
        channels.close()
        mail.close()
