"""`show RUN`: everything that is known of one run."""

from __future__ import annotations

import json

from .. import exits
from ..core import lock
from ..core.chronicle import Chronicle
from ..core.logbook import records_of
from ..core.text import cut, plural, safe, span, thousands
from . import emit, emit_json, emit_table, emit_text
from .runs import WHICH, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Optional

    from ..core.chronicle import Run
    from ..core.home import Home

VALUE_COLUMNS = 60  # of a value on a screen; --json has all of it
MOST_ROWS = 200  # of a table on a screen: the last ones


def add_arguments(parser: ArgumentParser) -> None:
    """RUN, --task."""
    parser.add_argument("run", metavar="RUN", help=WHICH)
    parser.add_argument("--task", dest="of_task", metavar="NAME", default="", help="with `last`: of this task")


def execute(args: Any) -> int:
    """Print the run."""
    home = args.open()
    chronicle = Chronicle(home.store().db)
    run = find(chronicle, args.run, task=args.of_task)
    facts = hidden({**about(run, chronicle, home), **left_by(run, chronicle, home)}, home.redactor.text)
    if args.json:
        emit_json(facts)
    else:
        show(facts)
    return exits.OK


def hidden(value: Any, hide: Callable[[str], str]) -> Any:
    """The same without secrets, which a task may have put anywhere."""
    if isinstance(value, dict):
        return {name: hidden(each, hide) for name, each in value.items()}
    if isinstance(value, list):
        return [hidden(each, hide) for each in value]
    return hide(value) if isinstance(value, str) else value


# what is known


def about(run: Run, chronicle: Chronicle, home: Home) -> dict[str, Any]:
    """The run itself, and what its slot and its runner are now."""
    slot = chronicle.slot(run.task, run.slot) if run.slot else None
    return {
        "run": run.id, "task": run.task, "provider": run.provider, "slot": run.slot or None, "status": run.status,
        "error": run.error, "hint": run.hint or None, "notes": run.notes or None,
        "slot_now": {"status": slot[0], "run": slot[1]} if slot else None,
        "window": {"start": run.window_start, "end": run.window_end} if run.window_start else None,
        "started_at": run.started_at, "finished_at": run.finished_at, "seconds": run.seconds,
        "retry_at": run.retry_at, "cancel_at": run.cancel_at, "requests": run.requests,
        "runner": runner_of(run, home),
    }  # fmt: skip


def runner_of(run: Run, home: Home) -> dict[str, Any]:
    """Who had the run: its name; and while it is running, whether that one still lives, and in which process."""
    known: dict[str, Any] = {"name": run.owner, "is_alive": None, "process": None}
    if run.status == "running":
        known["is_alive"] = not lock.is_gone(home.db_path, run.owner)
        known["process"] = (lock.holder(home.db_path, run.owner) or None) if known["is_alive"] else None
    return known


def left_by(run: Run, chronicle: Chronicle, home: Home) -> dict[str, Any]:
    """What the run has left: attempts, steps of its slot, effects, messages, output, and records of the log."""
    path = home.settings.path("AGENT_OS_LOG_FILE")
    records, left_out = records_of(path, run.id) if path else ([], 0)
    steps = chronicle.steps(run.task, run.slot) if run.slot else []
    return {
        "attempts": attempts_of(run, chronicle),
        "steps": [
            {"name": name, "done_at": done_at, "run": by, "value": parsed(value)} for name, done_at, by, value in steps
        ],
        "effects": [
            {
                "key": key, "status": status, "policy": policy, "intent_at": intent_at, "outcome_at": outcome_at,
                "error": error or None, "outcome": parsed(outcome),
            }
            for key, status, policy, intent_at, outcome_at, error, outcome in chronicle.effects(run.task, run.id)
        ],
        "messages": [
            {
                "id": number, "outbox": outbox, "key": key, "status": status, "attempts": tries, "error": error or None,
                "payload": parsed(payload),
            }
            for number, outbox, key, status, tries, error, payload in chronicle.messages(run.id)
        ],
        "output": chronicle.output(run.id),
        "log": records,
        "log_left_out": left_out,
    }  # fmt: skip


def attempts_of(run: Run, chronicle: Chronicle) -> list[dict[str, Any]]:
    """Every attempt; the last one is what the run came to."""
    found: list[dict[str, Any]] = [
        {
            "number": number, "status": "failed", "started_at": started_at, "ended_at": ended_at, "error": error,
            "retry_at": retry_at,
        }
        for number, started_at, ended_at, error, retry_at in chronicle.attempts(run.id)
    ]  # fmt: skip
    if run.attempts > len(found):
        found.append(
            {
                "number": run.attempts, "status": run.status,
                "started_at": found[-1]["retry_at"] if found else run.started_at, "ended_at": run.finished_at,
                "error": run.error, "retry_at": None,
            }
        )  # fmt: skip
    return found


def parsed(text: Optional[str]) -> Any:
    """A value that was kept as JSON; text that is none, as somebody else may have put there, as it is."""
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return text


# how it is shown


def show(facts: Mapping[str, Any]) -> None:
    """The facts that there are, one a line, then a section for each thing that the run has left."""
    rows = [(name, text) for name, text in headline(facts) if text]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        emit_text(f"{name:<{width}}  {safe(text)}", indent=width + 2)
    attempts, steps, effects, messages = (facts[name] for name in ("attempts", "steps", "effects", "messages"))
    if len(attempts) > 1:
        section("attempts", ("attempt", "began", "result", "what was said"), [
            (str(each["number"]), moment(each["started_at"]), each["status"], each["error"] or "") for each in attempts
        ])  # fmt: skip
    section("steps of this slot", ("step", "done", "by run", "value"), [
        (each["name"], moment(each["done_at"]), "this one" if each["run"] == facts["run"] else each["run"],
         short(each["value"])) for each in steps
    ])  # fmt: skip
    section("effects", ("effect", "intended", "came to", "outcome"), [
        (each["key"], moment(each["intent_at"]), each["status"], each["error"] or short(each["outcome"]))
        for each in effects
    ])  # fmt: skip
    section("messages", ("outbox", "key", "status", "message"), [
        (each["outbox"], each["key"], each["status"], each["error"] or short(each["payload"])) for each in messages
    ])  # fmt: skip
    lines("output", facts["output"].rstrip("\n").split("\n") if facts["output"] else [])
    left_out = facts["log_left_out"]
    before = [f"({plural(left_out, 'older line')} left out)"] if left_out else []
    lines("log", [*before, *(line for record in facts["log"] for line in log_lines(record))])


def headline(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the run was, and what came of it."""
    now, window, runner = facts["slot_now"], facts["window"], facts["runner"]
    is_other = now and (now["run"] not in (None, facts["run"]) or now["status"] != facts["status"])
    since = f", by run {now['run']}" if is_other and now["run"] not in (None, facts["run"]) else ""
    seconds = facts["seconds"]
    who = runner["name"]
    if facts["status"] == "running":
        who += f", {runner['process']}" if runner["process"] else "" if runner["is_alive"] else ", which is gone"
    return [
        ("run", facts["run"]),
        ("task", facts["task"]),
        ("slot", facts["slot"] or ""),
        ("status", facts["status"]),
        ("error" if facts["status"] == "failed" else "reason", facts["error"] or ""),
        ("hint", facts["hint"] or ""),
        ("slot now", f"{now['status']}{since}" if is_other else ""),
        ("window", f"{window['start']} up to {window['end']}" if window else ""),
        ("started", moment(facts["started_at"])),
        ("finished", moment(facts["finished_at"])),
        ("took", "" if seconds is None or facts["status"] == "skipped" else span(seconds)),
        ("next try", moment(facts["retry_at"])),
        ("cancel", f"asked for at {moment(facts['cancel_at'])}" if facts["cancel_at"] else ""),
        ("runner", who),
        ("requests", str(facts["requests"] or "")),
        ("notes", facts["notes"] or ""),
    ]


def section(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table with a title, if there is anything in it."""
    if rows:
        left_out = len(rows) - MOST_ROWS
        emit(f"\n{title}:" + (f" the last {MOST_ROWS} of {thousands(len(rows))}" if left_out > 0 else ""))
        emit_table(header, rows[-MOST_ROWS:])


def lines(title: str, texts: Iterable[str]) -> None:
    """Lines with a title, if there are any, as a terminal may show them."""
    for number, text in enumerate(texts):
        if not number:
            emit(f"\n{title}:")
        emit(f"  {safe(text.expandtabs())}".rstrip())


def log_lines(record: Mapping[str, Any]) -> Iterable[str]:
    """A record of the log: when, how grave, what; and a traceback as it is."""
    yield f"{moment(str(record.get('time', '')))} {record.get('level', '')}: {record.get('message', '')}"
    trace = record.get("traceback")
    yield from (f"  {line}" for line in str(trace).rstrip("\n").split("\n")) if trace else ()


def moment(text: Optional[str]) -> str:
    """An instant to the second; parts of it are of no use to a reader."""
    return f"{text[:19]}Z" if text else ""


def short(value: Any) -> str:
    """A value in a few words."""
    return "" if value is None else cut(safe(json.dumps(value, ensure_ascii=False)), VALUE_COLUMNS)
