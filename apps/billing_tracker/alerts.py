"""The verb `alerts`: what was said and what is armed; a test of a channel; an alert once more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agent_os import ConfigError, UsageError, decimal_text, table

from .budgets import THRESHOLD, Budget, budgets_of, meant
from .channels import NEEDS
from .channels.settings import set_up
from .checking import TOLD
from .periods import add_days, period_of
from .registration import OUTBOX
from .spending import BY, LOOK_BACK, Spending
from .wording import message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent_os import OpenHome, Posted

CHECK, SEND = "check_budgets", "send_alert"
MOST = 100_000


def execute(home: OpenHome, args: Any) -> int:
    """Do what the words say. Raises UsageError."""
    word, *rest = args.words or ["list"]
    if word == "list" and not rest:
        return show(home, as_json=args.json)
    if word == "test" and len(rest) == 1:
        return test(home, rest[0])
    if word == "resend" and len(rest) == 1:
        return resend(home, rest[0])
    if word in ("test", "resend"):
        raise UsageError(f"alerts {word} takes one word", hint="alerts test CHANNEL, alerts resend ID")
    raise UsageError(
        f"alerts does not know {word[:40]!r}{meant(word, ('list', 'test', 'resend'))}", hint="it has list, test, resend"
    )


# list


def show(home: OpenHome, *, as_json: bool) -> int:
    """Print the budgets with what is armed, and what was said with what became of it."""
    channels = set_up(home.setting)
    budgets = budgets_of(home.setting(THRESHOLD), home.sections("budget"), channels=channels)
    kept = home.kept(CHECK)
    armed = [_armed(home, budget, kept) for budget in budgets]
    said = _said(home)
    if as_json:
        print(json.dumps({"channels": list(channels), "budgets": armed, "alerts": said}, indent=2))
        return 0
    print(f"channels: {', '.join(channels) or 'none is set up'}")
    rows = [_row(each) for each in armed]
    if rows:
        print(table(("budget", "period", "spent", "of", "", "missing", "said", "armed"), rows, right={2, 3, 5}))
    else:
        print("no budget: ALERT_THRESHOLD=100 in .env sets one, and so does [budget:NAME] in agent_os.ini")
    if said:
        print(table(("when", "alert", "channels"), [(each["at"][:16], each["id"], _states(each)) for each in said]))
    return 0


def _armed(home: OpenHome, budget: Budget, kept: dict[str, Any]) -> dict[str, Any]:
    """A budget in the period under way: what is spent, which levels were said, which are armed."""
    period = period_of(budget.period, home.today)
    since = add_days(period.start, -LOOK_BACK)
    spending = Spending(home.sums(*BY, since=since, until=period.end), home.results(since=since, until=period.end))
    start = f"{TOLD}{budget.name}/{period.start}/"
    days = spending.days(budget, period)
    levels = [(kind, level) for kind in budget.kinds for level in budget.levels]
    said = [each for each in levels if f"{start}{each[0]}/{each[1]}" in kept]
    return {
        "budget": budget.name, "period": f"{budget.period} {period.start}",
        "spent": decimal_text(sum(days.values())) if days else None, "amount": decimal_text(budget.nano),
        "currency": budget.currency, "said": said, "armed": [each for each in levels if each not in said],
        "missing": sorted(spending.missing(budget, period, today=home.today)),
    }  # fmt: skip


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    """A budget for people."""
    levels = (_levels(each["said"]), _levels(each["armed"]))
    spent = each["spent"] or "unknown"
    return (each["budget"], each["period"], spent, each["amount"], each["currency"], str(len(each["missing"])), *levels)


def _levels(levels: Sequence[tuple[str, int]]) -> str:
    """As actual 50 80 %, forecast 100 %."""
    kinds = dict.fromkeys(kind for kind, _ in levels)
    told = (" ".join([kind, *(str(level) for each, level in levels if each == kind)]) for kind in kinds)
    return ", ".join(f"{each} %" for each in told)


def _said(home: OpenHome) -> list[dict[str, Any]]:
    """Every alert that was put into an outbox, newest first, with what became of it in each channel."""
    found: dict[str, dict[str, Any]] = {}
    for each in _messages(home):
        alert = found.setdefault(each.key, {"id": each.key, "at": each.created_at, "run": each.run_id, "channels": {}})
        alert["channels"][each.outbox[len(OUTBOX) :]] = {"status": each.status, "error": each.error}
    return list(found.values())


def _messages(home: OpenHome) -> list[Posted]:
    return [each for each in home.messages(limit=MOST) if each.outbox.startswith(OUTBOX)]


def _states(alert: dict[str, Any]) -> str:
    told = alert["channels"].items()
    return ", ".join(
        f"{name} {each['status']}" + (f" ({each['error']})" if each["status"] != "sent" and each["error"] else "")
        for name, each in sorted(told)
    )


# test and resend


def test(home: OpenHome, channel: str) -> int:
    """Send a message now, and say what came back; 1 where it was not taken."""
    if channel not in NEEDS:
        raise UsageError(
            f"there is no channel {channel[:40]!r}{meant(channel, NEEDS)}", hint=f"it is one of {_names()}"
        )
    if channel not in set_up(home.setting):
        raise ConfigError(f"{channel} is not set up: {NEEDS[channel][0]} is not set", hint="put it into .env")
    key = f"test/{channel}/{max((each.id for each in _messages(home)), default=0) + 1}"
    text = "This is a test of the billing tracker's alerts. Nothing has happened."
    body = message(key, "test", "A test", text, facts=[], command=f"alerts test {channel}", run="none")
    return _send(home, body, [channel])


def resend(home: OpenHome, key: str) -> int:
    """Send an alert once more: where it waits or was parked, that message; where it was sent, a copy."""
    mine = [each for each in _messages(home) if each.key == key]
    if not mine:
        known = [each.key for each in _messages(home)]
        raise UsageError(f"there is no alert {key[:120]!r}{meant(key, known)}", hint="`alerts list` has them")
    unsent = [each for each in mine if each.status != "sent"]
    if unsent:
        home.resend(*(each.id for each in unsent))
        home.run(SEND, key=f"deliver/{key}"[:150], force=True)
        return _tell(home, key)
    count = sum(each.key.startswith(f"{key}/again/") for each in _messages(home)) + 1
    channels = [channel for channel in set_up(home.setting) if any(each.outbox == OUTBOX + channel for each in mine)]
    if not channels:
        raise ConfigError("no channel that it went to is set up any more", hint=f"channels are {_names()}")
    return _send(home, {**mine[0].body, "id": f"{key}/again/{count}", "edits": ""}, channels)


def _send(home: OpenHome, body: dict[str, Any], channels: Sequence[str]) -> int:
    slot = body["id"]
    home.keep(SEND, {slot: {"body": body, "channels": list(channels)}}, note=f"to be sent: {slot}")
    home.run(SEND, key=slot)
    return _tell(home, slot)


def _tell(home: OpenHome, key: str) -> int:
    """Print what became of an alert in each channel; 1 unless all have it."""
    found = [each for each in _messages(home) if each.key == key]
    for each in found:
        print(f"{each.outbox[len(OUTBOX) :]}: {each.status}" + (f": {each.error}" if each.error else ""))
    return 0 if found and all(each.status == "sent" for each in found) else 1


def _names() -> str:
    return ", ".join(NEEDS)
