"""`effects`: side effects of which nobody knows whether they happened; `effects settle` takes a person's word."""

from __future__ import annotations

from .. import exits
from . import emit, emit_json, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence
    from typing import Any, Optional

    from ..core.home import Home
    from ..core.survey import Effect, Survey

USAGE = """agent_os.pyz effects [--all] [--json]
       agent_os.pyz effects settle TASK KEY --done [--outcome JSON]
       agent_os.pyz effects settle TASK KEY --not-done"""
BY_HAND = "settled by hand"


def add_arguments(parser: ArgumentParser) -> None:
    """TASK and KEY to settle, --done, --outcome, --not-done, --all."""
    parser.usage = USAGE
    parser.add_argument("words", nargs="*", metavar="settle TASK KEY", help="settle one effect of a task, by its key")
    parser.add_argument("--done", action="store_true", help="it did happen: it is never called again")
    parser.add_argument("--outcome", metavar="JSON", help="with --done: what the effect gives back from now on")
    parser.add_argument("--not-done", action="store_true", help="it did not happen: the next attempt calls it again")
    parser.add_argument("--all", action="store_true", help="list the settled ones too")


def execute(args: Any) -> int:
    """List effects, or settle one."""
    from ..core.errors import UsageError
    from ..core.text import nearest

    verb, *names = args.words or [""]
    if verb == "settle":
        return settle(args, names)
    if verb:
        close = nearest(verb, ["settle"])
        raise UsageError(
            f"effects does not know {verb[:40]!r}",
            hint=f"did you mean {close}?" if close else USAGE.split("\n")[1].strip(),
        )
    if args.done or args.not_done or args.outcome is not None:
        raise UsageError("which effect is meant?", hint="effects settle TASK KEY --done, or --not-done")
    return show(args)


def show(args: Any) -> int:
    """Print the effects, oldest first."""
    from ..core.survey import Survey

    found = Survey(args.open().store().db).effects(settled=args.all)
    if args.json:
        emit_json([as_json(each) for each in found])
    elif not found:
        emit("no effect is recorded" if args.all else "every effect is settled")
    else:
        rows = [
            (each.task, each.key, each.status, each.intent_at[:19] + "Z", each.policy, each.slot, each.error)
            for each in found
        ]
        emit_table(("task", "key", "status", "called", "policy", "slot", "what was said"), rows)
        if any(each.status in ("intent", "ambiguous") for each in found):
            emit("find out whether it happened, then: effects settle TASK KEY --done, or --not-done")
    return exits.OK


def as_json(effect: Effect) -> dict[str, Any]:
    """An effect; its outcome is what it gave back, null for nothing."""
    import json

    return {
        "task": effect.task, "key": effect.key, "status": effect.status, "policy": effect.policy,
        "intent_at": effect.intent_at, "outcome_at": effect.outcome_at,
        "outcome": json.loads(effect.outcome) if effect.outcome else None, "error": effect.error,
        "run": effect.run_id, "slot": effect.slot or None,
    }  # fmt: skip


def settle(args: Any, names: Sequence[str]) -> int:
    """Write down by hand whether an effect happened, and say what that means."""
    from ..core.errors import UsageError
    from ..core.journal import Journal
    from ..core.slots import Slots
    from ..core.survey import Survey

    if len(names) != 2 or args.done == args.not_done:
        raise UsageError("an effect is settled by its task and key, as done or as not done", hint=_how(args, names))
    if args.outcome is not None and not args.done:
        raise UsageError("--outcome means nothing with --not-done", hint="what did not happen gives nothing back")
    outcome = outcome_of(args.outcome)
    home = args.open()
    with home.reading() as store:  # whether there is such an effect is known before anything is opened for writing
        find(Survey(store.db), *names)
    db = home.store(write=True).db
    with db.atomic():
        effect = find(Survey(db), *names)
        refuse_under_way(effect, home)
        if effect.status == "done" and effect.error != BY_HAND:
            raise UsageError(
                f"effect {effect.key} of task {effect.task} is done, and its outcome is known",
                hint="nothing is open about it; a task that has to do it again needs another key",
            )
        status = "done" if args.done else "failed"
        Journal(db).conclude(effect.task, effect.key, status, outcome=outcome, error=BY_HAND)
        slot_status = Slots(db).of(effect.task, (effect.slot,)).status(effect.slot)
    home.log.debug("effect.settled", f"{effect.task} {effect.key}: was {effect.status}, {BY_HAND}: {status}")
    if args.json:
        emit_json({"task": effect.task, "key": effect.key, "before": effect.status, "status": status})
    else:
        emit(told(effect, status, slot_status))
    return exits.OK


def told(effect: Effect, status: str, slot_status: str) -> str:
    """What a settled effect comes to, in a sentence."""
    if status == "done":
        return f"{effect.task} {effect.key}: done; it is never called again"
    sentence = f"{effect.task} {effect.key}: not done; the next attempt of {effect.task} calls it again"
    if slot_status in ("success", "skipped"):
        return f"{sentence}. Its slot {effect.slot} is over, so that takes --force"
    return sentence


def _how(args: Any, names: Sequence[str]) -> str:
    if len(names) == 2:
        return "give --done or --not-done" + (", not both" if args.done else "")
    return "effects settle TASK KEY --done (or --not-done); `effects` lists both"


def outcome_of(text: Optional[str]) -> Optional[str]:
    """The JSON text of an outcome as it is stored; None where none was given. Raises UsageError for what is no JSON."""
    if text is None:
        return None
    import json

    from ..core.errors import AgentOSError, UsageError
    from ..core.json_value import to_json

    try:
        return to_json(json.loads(text), "the outcome")
    except (ValueError, RecursionError, AgentOSError) as error:
        raise UsageError(f"--outcome is no JSON: {text[:60]!r}", hint="text is written as '\"sent\"'") from error


def find(survey: Survey, task: str, key: str) -> Effect:
    """The effect that is meant. Raises UsageError that names the nearest one."""
    from ..core.errors import UsageError
    from ..core.text import nearest

    effects = {each.key: each for each in survey.effects(settled=True, task=task)}
    if key in effects:
        return effects[key]
    if effects:
        raise UsageError(f"task {task} has no effect {key[:60]!r}", hint=_meant(nearest(key, effects)))
    close = nearest(task, survey.tasks_with_effects())
    raise UsageError(f"no task {task[:60]!r} has an effect", hint=_meant(close))


def _meant(close: Optional[str]) -> str:
    return f"did you mean {close}?" if close else "`effects --all` lists every effect"


def refuse_under_way(effect: Effect, home: Home) -> None:
    """Raise BusyError while a run that lives is at it: it may be happening at this moment."""
    from ..core import lock
    from ..core.errors import BusyError

    if effect.owner and not lock.is_gone(home.db_path, effect.owner):
        holder = lock.holder(home.db_path, effect.owner)
        raise BusyError(
            f"a run of {effect.task} is under way, and this effect is its own ({holder})",
            hint="wait until it has ended; nothing was changed",
        )
