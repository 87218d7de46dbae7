"""`demo`: the main work of the program on invented data, from a sandbox on this machine, in a home soon thrown away."""

from __future__ import annotations

import os
import sys

from .. import exits
from ..arguments import Arguments
from . import emit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser

    from ..sandbox.server import Sandbox

PROGRAM = "agent_os.pyz"


def add_arguments(parser: ArgumentParser) -> None:
    """--seed."""
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="invent other data (default: 7)")


def execute(args: Arguments) -> int:
    """Run everything, run it again, restate a day, run it again, export; prove the sum each time."""
    import tempfile

    from ..core.days import add_days
    from ..sandbox.server import Sandbox

    emit("All figures below are INVENTED. A sandbox on this machine answers as OpenAI and Anthropic would;")
    emit("nothing leaves the machine, no key is used, and the home of the demo is removed at the end.")
    with (
        tempfile.TemporaryDirectory(prefix="agent_os-demo-") as home,
        Sandbox(seed=getattr(args, "seed", 7)) as sandbox,
    ):
        _write_settings(home, sandbox)
        today = args.clock.today()
        codes = [_step("The first run goes back 35 days.", home, task="run_all")]
        codes.append(_step("The second reads only the last days again; nothing is doubled.", home, task="run_all"))
        day = add_days(today, -2)
        sandbox.ledger.restate("openai", day, factor="0.9")
        codes.append(
            _step(f"OpenAI now takes 10 % off {day}: replaced, and the old figure kept.", home, task="run_all")
        )
        codes.append(_step("Everything as CSV.", home, task="export", out=os.path.join(home, "demo.csv")))
        codes.append(_prove(home, sandbox, today))
    emit("Now with your own figures: ./agent_os.pyz --task run_all reads the logs of your coding tools;")
    emit("with a key in .env it asks the providers what they really charged.")
    return exits.worst(codes)


def _write_settings(home: str, sandbox: Sandbox) -> None:
    """The `.env` of the demo's home."""
    lines = (
        f"OPENAI_ADMIN_KEY={sandbox.openai_key}", f"OPENAI_BASE_URL={sandbox.openai_base_url}",
        f"ANTHROPIC_ADMIN_KEY={sandbox.anthropic_key}", f"ANTHROPIC_BASE_URL={sandbox.anthropic_base_url}",
    )  # fmt: skip
    from ..core.files import atomic_write

    with atomic_write(os.path.join(home, ".env")) as file:
        file.write("".join(line + "\n" for line in lines).encode("ascii"))


def _step(title: str, home: str, *, task: str, out: str = "") -> int:
    """Run one command as a user would, but with an empty environment: no real key, proxy or base URL takes part."""
    from .run import execute as run

    emit(f"\n{title}\n$ {PROGRAM} --task {task}" + (f" --out {os.path.basename(out)}" if out else ""))
    if sys.stdout:
        sys.stdout.flush()
    step = Arguments()
    step.home, step.task, step.quiet = home, task, False
    step.environ = {"HOME": home, "USERPROFILE": home}  # and no log of this user
    step.out = out or None
    step.hushed = True
    try:
        return run(step)
    finally:
        if step.opened:
            step.opened.close()


def _prove(home: str, sandbox: Sandbox, today: str) -> int:
    """Compare three sums to the last digit: the file's, the database's, and what the sandbox's ledger says."""
    import csv
    from decimal import Decimal

    from ..core.clock import Clock
    from ..core.days import Window, add_days
    from ..core.money import decimal_text
    from ..core.opening import open_to_read

    with open(os.path.join(home, "demo.csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    db = open_to_read(os.path.join(home, "agent_os.db"), clock=Clock())
    stored = db.one("SELECT sum(cost_nano), count(*) FROM results") or (0, 0)
    db.close()
    days = Window(add_days(today, -35), add_days(today, 1))
    truth = sum(sandbox.ledger.truth(provider, day)[1] for provider in ("openai", "anthropic") for day in days)
    written = sum(Decimal(row["cost"]) for row in rows)
    emit("\nThe sums, to the last digit:")
    emit(f"  the CSV                {written:f} USD in {len(rows)} rows")
    emit(f"  the database           {decimal_text(stored[0])} USD in {stored[1]} rows")
    emit(f"  the sandbox's ledger   {decimal_text(truth)} USD\n")
    return exits.OK if written * 10**9 == stored[0] == truth else exits.FAILED
