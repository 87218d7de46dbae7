"""Airflow: one DAG file for the named tasks, in the order in which they come after each other. Pure.

A task of Airflow calls the program with the key of its slot, so that a run that Airflow clears, repeats or fills back
does the work of that slot, and once. Nothing of ours has to be installed in Airflow's Python.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from .calls import DAY, INSTANT, NAME
from .five_fields import AIRFLOW, fields_of, zone_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.cron import Schedule
    from .calls import Call, Outline

SKIPPED = 99
_WEEK_SECONDS = 7 * 86_400
_SPARE_SECONDS = 60.0  # for a start, and for an orderly end
_MOST_DOUBLED = 20  # waits before a retry are doubled; more than that is longer than a week
_KEYS = {
    DAY: '{{ data_interval_end.in_timezone("UTC").subtract(days=1).strftime("%Y-%m-%d") }}',
    INSTANT: '{{ data_interval_end.in_timezone("UTC").strftime("%Y-%m-%dT%H:%MZ") }}',
    NAME: "{{ run_id }}",
}
_FILE = '''\
"""{doc}

Written by `agent_os.pyz emit airflow {names}`; put it into the folder of the DAGs. It reads the same on
Airflow 2 and 3.

- Each task calls Agent OS with the key of its slot: the instant at which the run is due, the UTC day before it for a
  task of days, or the id of the run. A slot is done once, whoever asks again.
- Exit 0 is success. {skipped} (nothing was left to do) is shown as skipped. Everything else fails, and Airflow tries
  again where there are `retries`: right for 1 (failed), 4 (busy) and 7 (no space), useless for 2 (wrong command line),
  3 (not set up) and 6 (data damaged). BashOperator knows no exit code that forbids a retry.
- Agent OS tries again by itself within a run; the retries here are for a machine that died, or was busy.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow 2 without that provider
    from airflow.operators.bash import BashOperator

with DAG(
    dag_id={dag_id},
    schedule={schedule},
    start_date=pendulum.datetime({start}, tz={zone}),
    catchup={catchup},
    max_active_runs=1,
    tags=["agent_os"],
):
    tasks = {{}}
{tasks}{edges}'''
_TASK = """\
    tasks[{name}] = BashOperator(
        task_id={name},
        bash_command={command},
        skip_on_exit_code={skipped},
        retries={retries},
        retry_delay=timedelta(seconds={delay}),
{more}    )
"""


def dag_of(outlines: Sequence[Outline], call: Call, *, today: str) -> str:
    """The text of the file; its first day is `today`. Raises ValueError with a sentence."""
    schedule = _common(outlines)
    names = [outline.task for outline in outlines]
    edges = "".join(
        f"    tasks[{_text(before)}] >> tasks[{_text(outline.task)}]\n"
        for outline in outlines
        for before in outline.after
    )
    doc = "The task" + (f" {names[0]}" if len(names) == 1 else f"s {', '.join(names)}") + " of Agent OS."
    year, month, day = map(int, today.split("-"))
    return _FILE.format(
        doc=doc,
        names=" ".join(names),
        skipped=SKIPPED,
        dag_id=_text("agent_os_" + "_".join(names)[:200]),
        schedule=_text(fields_of(schedule, AIRFLOW)) if schedule else None,
        start=f"{year}, {month}, {day}",
        zone=_text(zone_of(schedule, AIRFLOW) if schedule else "UTC"),
        catchup=any(outline.slot in (DAY, INSTANT) and outline.catch_up == "all" for outline in outlines),
        tasks="".join(_task(outline, call) for outline in outlines),
        edges=edges,
    )


def _common(outlines: Sequence[Outline]) -> Schedule | None:
    """The times that the tasks share: those that were declared, else the latest of ours; None without any."""
    declared = [outline for outline in outlines if outline.schedule and not outline.is_ours]
    for outline in declared[1:]:
        first, other = declared[0].schedule, outline.schedule
        if first and other and (first.text, first.zone) != (other.text, other.zone):  # `dst` cannot be handed on
            times = f"{first.text!r} {first.zone} and {outline.task} at {other.text!r} {other.zone}"
            what = f"{declared[0].task} comes at {times}"
            raise ValueError(f"a DAG has one schedule, but {what}: print one at a time, or schedule them alike")
    if declared:
        return declared[0].schedule
    ours = [outline.schedule for outline in outlines if outline.schedule]
    return max(ours, key=lambda each: each.calendar.hours if each.calendar else [], default=None)


def _task(outline: Outline, call: Call) -> str:
    words = [shlex.quote(word) for word in call.words(outline.task)]
    if any(mark in word for word in words for mark in ("{{", "{%", "{#")):
        raise ValueError("a path with {{, {% or {# in it would be a template to Airflow: call the folder otherwise")
    key = ["--key", f"'{_KEYS[outline.slot]}'"] if outline.slot else []
    command = " ".join([*words[:-1], *key, "--exit-skipped", str(SKIPPED), words[-1]])
    longest = _longest_seconds(outline)
    more = [f"execution_timeout=timedelta(seconds={longest})"] if longest else []
    if outline.after:  # what had nothing to do is shown as skipped, and holds up nobody
        more.append('trigger_rule="none_failed"')
    return _TASK.format(
        name=_text(outline.task),
        command=_text(command),
        skipped=SKIPPED,
        retries=max(1, outline.retries),
        delay=round(outline.backoff_seconds) or 10,
        more="".join(f"        {line},\n" for line in more),
    )


def _longest_seconds(outline: Outline) -> int:
    """How long a run with all of its attempts may take; 0 for no limit, and for one that is longer than a week."""
    if outline.timeout_seconds is None:
        return 0
    waits = outline.backoff_seconds * (2 ** min(outline.retries, _MOST_DOUBLED) - 1)
    longest = outline.timeout_seconds * (outline.retries + 1) + waits * 2 + _SPARE_SECONDS
    return round(longest) if longest < _WEEK_SECONDS else 0


def _text(text: str) -> str:
    """A literal of Python, ASCII only, in double quotes where it can be."""
    literal = ascii(text)
    return f'"{literal[1:-1]}"' if literal.startswith("'") and '"' not in literal and "\\'" not in literal else literal
