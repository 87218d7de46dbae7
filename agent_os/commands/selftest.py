"""`selftest`: whether this machine and its disk let the program keep its promises; with --crash, by crashing often."""

from __future__ import annotations

import sys

from .. import exits
from ..core.errors import Stopped, StoreError
from . import emit, emit_json, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Iterator
    from typing import Optional

    from ..arguments import Arguments
    from ..selftest.rounds import Rounds

MOST_CRASHES = 1_000_000
MOST_POINTS = 64  # a few more than a run of the scenario has


class Tally:
    """What came of all crashes so far."""

    def __init__(self) -> None:
        self.kills = self.recovered = self.once = self.kept = self.lost = self.doubled = 0
        self.faults: list[str] = []


def add_arguments(parser: ArgumentParser) -> None:
    """--crash, --seed and --keep."""
    parser.add_argument("--crash", metavar="N", help="kill a run N times, at one commit after the other, and recover")
    parser.add_argument("--seed", metavar="N", help="kill at moments drawn by chance instead, the same for one number")
    parser.add_argument("--keep", action="store_true", help="leave the files behind that were made for it")


def execute(args: Arguments) -> int:
    """Test in a folder of its own inside the home: it is the user's disk that has to keep its word."""
    from shutil import rmtree
    from tempfile import mkdtemp

    crashes = args.whole("crash", getattr(args, "crash", None), most=MOST_CRASHES)
    seed = args.whole("seed", getattr(args, "seed", None), most=MOST_CRASHES)
    home = args.open()
    folder = mkdtemp(prefix="selftest-", dir=home.settings.home)
    is_kept = getattr(args, "keep", False)
    try:
        faults = _crash(args, folder, crashes, seed) if crashes else _check(args, folder)
        is_kept = is_kept or bool(faults)
    except StoreError:
        is_kept = True  # what went wrong can be seen there
        raise
    finally:
        if not is_kept:
            rmtree(folder, ignore_errors=True)
    if faults:
        raise StoreError(f"the self-test failed: {'; '.join(faults[:3])}", hint=f"{folder} has the files; report it")
    if is_kept and not args.json:
        emit(f"the files are in {folder}")
    return exits.OK


def _check(args: Arguments, folder: str) -> list[str]:
    """The quick test: a line for each thing that was looked at. What is not as it has to be."""
    from ..selftest.checks import checks

    found = []
    for check in checks(folder, clock=args.clock, environ=args.open().settings.environment()):
        found.append(check)
        if not args.json:
            emit(f"{'ok    ' if check.is_good else 'FAILED'}  {check.what + ':':<20} {check.found}")
    if args.json:
        emit_json({"checks": [check._asdict() for check in found], "good": all(check.is_good for check in found)})
    return [f"{check.what}: {check.found}" for check in found if not check.is_good]


def _crash(args: Arguments, folder: str, crashes: int, seed: int) -> list[str]:
    """The long test: crash, recover, look; a table at the end. What broke, if anything did: then it ends at once."""
    from ..selftest.rounds import Rounds

    begin = args.clock.monotonic()
    rounds = Rounds(folder, clock=args.clock, environ=args.open().settings.environment())
    tally = Tally()
    show = _progress(args)
    try:
        for point, instant in _by_chance(rounds, seed) if seed else _in_turn(rounds):
            _add(tally, rounds, point, instant)
            if tally.faults or tally.kills == crashes:
                break
            show(f"{tally.kills} of {crashes} crashes, {tally.recovered} recovered")
    except Stopped:  # what has been seen by then is worth being told
        _tell(args, tally, show, begin)
        raise
    _tell(args, tally, show, begin)
    return tally.faults


def _in_turn(rounds: Rounds) -> Iterator[tuple[int, Optional[float]]]:
    """The first half of a commit, the second, the third …; from the first again when there are no more."""
    point = 0
    while True:
        point = point + 1 if rounds.was_killed else 1
        yield point, None


def _by_chance(rounds: Rounds, seed: int) -> Iterator[tuple[int, Optional[float]]]:
    """Half of a commit, or an instant."""
    from random import Random

    chance = Random(seed)  # noqa: S311 (the same for the same number: nothing secret)
    while True:
        is_instant = chance.random() < 0.5
        yield (0, rounds.seconds * chance.random()) if is_instant else (chance.randint(1, MOST_POINTS), None)


def _add(tally: Tally, rounds: Rounds, point: int, instant: Optional[float]) -> None:
    """One crash more; none where the process was faster."""
    seen = rounds.kill(at=point, after_seconds=instant)
    if seen is None:
        return
    verdict = rounds.recover(seen)
    tally.kills += 1
    tally.recovered += not verdict.faults
    tally.once += verdict.is_once
    tally.kept += verdict.kept
    tally.lost += verdict.lost
    tally.doubled += verdict.doubled
    where = f"killed after {instant:.3f} s" if instant is not None else f"killed at half {point} of its commits"
    tally.faults += [f"{where}, {fault}" for fault in verdict.faults]


def _progress(args: Arguments) -> Callable[[str], None]:
    """Says on a terminal how far it is."""
    is_live = not (args.quiet or args.json) and bool(sys.stderr and sys.stderr.isatty())

    def show(line: str) -> None:
        if is_live and sys.stderr:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()

    return show


def _tell(args: Arguments, tally: Tally, show: Callable[[str], None], begin: float) -> None:
    show("")
    figures = {
        "kills": tally.kills, "recovered": tally.recovered, "effects called at most once": tally.once,
        "steps kept": tally.kept, "lost": tally.lost, "doubled": tally.doubled,
        "seconds": round(args.clock.monotonic() - begin, 1),
    }  # fmt: skip
    if args.json:
        emit_json({**{name.replace(" ", "_"): value for name, value in figures.items()}, "faults": tally.faults})
    else:
        emit_table(list(figures), [[str(value) for value in figures.values()]], right=set(range(len(figures))))
