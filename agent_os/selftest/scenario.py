"""Three tasks, an outbox and a cost limit that use all there is to use; what they do outside is a line in a file.

Whoever reads that file afterwards knows how often each thing was done. Uses the public interface alone, as an app does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .. import App, Context, TransientError

if TYPE_CHECKING:
    from .. import Ask, Message

app = App("selftest")
TASKS = ("selftest_first", "selftest_second", "selftest_third")
OUTBOX = "selftest_letters"
OUTSIDE = "outside.txt"  # in the home
SLOT = "round"
RESERVED = 5  # by the second task, under its cost limit
SPENT = 3
STEPS = ("read", "add", "double", "render")
# What may be done at most once, exactly once (by asking the outside), and at least once.
AT_MOST_ONCE, ASKED, AT_LEAST_ONCE = "pay", "order", "publish"
LETTER = f"send letter {SLOT}"


@app.limit("selftest_budget")
def budget(ask: Ask) -> int:
    """What is left of a thousand."""
    return 1000 - ask.spent()


def selftest_first(ctx: Context) -> int:
    """Two steps, and an effect that nobody can ask about."""
    one = ctx.step("read", lambda: did(ctx, "read", 1))
    two = ctx.step("add", lambda value: did(ctx, "add", value + 1), one)
    ctx.effect(AT_MOST_ONCE, lambda: did(ctx, AT_MOST_ONCE), policy="at_most_once")
    count(ctx)
    return int(one + two)


def selftest_second(ctx: Context) -> int:
    """A step, a failed attempt, an effect that can be asked about, one that may be repeated, and what it has cost."""
    double = ctx.step("double", lambda value: did(ctx, "double", 2 * value), ctx.outputs["selftest_first"])
    if ctx.attempt == 1:
        raise TransientError("the first attempt fails")
    ctx.effect(ASKED, lambda: did(ctx, ASKED), reconcile=lambda: ASKED in happened(ctx.settings.home) or None)
    ctx.effect(AT_LEAST_ONCE, lambda: did(ctx, AT_LEAST_ONCE), policy="at_least_once")
    ctx.spend(SPENT)
    count(ctx)
    return int(double)


def selftest_third(ctx: Context) -> str:
    """A step and a message."""
    text = ctx.step("render", lambda value: did(ctx, "render", f"the sum is {value}"), ctx.outputs["selftest_second"])
    ctx.send(OUTBOX, f"letter {SLOT}", text)
    count(ctx)
    return str(text)


app.task(selftest_first)
app.task(selftest_second, after=selftest_first, retries=1, backoff=0.02, cost_limit="selftest_budget", cost=RESERVED)
app.task(selftest_third, after=selftest_second)


@app.outbox(OUTBOX)
def letters(ctx: Context, message: Message) -> int:
    """Send a letter."""
    did(ctx, f"send {message.key}")
    return message.attempt


def did(ctx: Context, what: str, value: Any = True) -> Any:
    """Do it: a line outside, which is there before anyone can know. Gives the value."""
    fd = os.open(os.path.join(ctx.settings.home, OUTSIDE), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, f"{what}\n".encode("ascii"))
        os.fsync(fd)
    finally:
        os.close(fd)
    return value


def happened(home: str) -> list[str]:
    """What was done outside, in order."""
    try:
        with open(os.path.join(home, OUTSIDE), encoding="ascii") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def count(ctx: Context) -> None:
    """Count this run in the task's state."""
    ctx.state["runs"] = ctx.state.get("runs", 0) + 1
