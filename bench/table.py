"""Paired measurements, A B A B, and the table they become: ratios first, since an absolute time means nothing here.

Each work is one argv, or one callable; either runs in a process of its own, whose user and system time and peak memory
the kernel counts. A child counts its parent's memory as its own peak, so keep what imports this small: make large
data in a child too (`apart`).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Callable, Union

Work = Union[Callable[[], object], Sequence[str]]


@dataclass(frozen=True)
class Sample:
    """One run of one work: wall and processor (user + system) seconds, peak resident memory in MB."""

    wall: float
    cpu: float
    megabytes: float


def _child(work: Work) -> None:
    """The forked side; never returns into the caller's code."""
    status = 1
    try:
        if callable(work):
            work()
            status = 0
        else:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.execvp(work[0], list(work))
    except BaseException as error:  # noqa: BLE001 - whatever it was, this process must end here and say so
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def apart(work: Work) -> Sample:
    """Run `work` in a child process. Raises RuntimeError when it fails: that is no measurement."""
    sys.stdout.flush()
    began = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        _child(work)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise RuntimeError(f"{work!r} ended with status {status}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return Sample(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def measure(works: Mapping[str, Work], *, rounds: int = 5, floor: str, title: str = "") -> dict[str, list[Sample]]:
    """Run all works in turn, `rounds` times, print the table and return the samples of each.

    A ratio is the median over the rounds of work / floor *within* the round; a noisy minute then weighs on both.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            samples[name].append(apart(work))
    _print(samples, floor=floor, title=title)
    return samples


def ratio(samples: Mapping[str, Sequence[Sample]], name: str, floor: str, *, of: str = "cpu") -> float:
    """The median of the paired ratios of "wall" or "cpu"."""
    pairs = zip(samples[name], samples[floor])
    return median(getattr(ours, of) / max(getattr(theirs, of), 1e-9) for ours, theirs in pairs)


def _print(samples: Mapping[str, Sequence[Sample]], *, floor: str, title: str) -> None:
    width = max(len(name) for name in samples)
    rounds = len(samples[floor])
    print(f"\n{title or 'measured'} (median of {rounds} paired rounds; x = times the floor, {floor!r})")
    print(f"  {'':{width}}  {'x wall':>7}  {'x cpu':>7}  {'wall s':>8}  {'cpu s':>8}  {'peak MB':>8}")
    for name, runs in samples.items():
        times = [ratio(samples, name, floor, of=kind) for kind in ("wall", "cpu")]
        middle = [median(getattr(run, kind) for run in runs) for kind in ("wall", "cpu")]
        peak = max(run.megabytes for run in runs)
        print(
            f"  {name:{width}}  {times[0]:7.2f}  {times[1]:7.2f}  {middle[0]:8.3f}  {middle[1]:8.3f}  {peak:8.1f}",
            flush=True,
        )
