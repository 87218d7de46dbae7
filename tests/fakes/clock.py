"""A clock that a test moves; it never waits."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from agent_os.core.clock import Clock


class ManualClock(Clock):
    """Starts at an instant; `sleep` moves it, and so does the test."""

    def __init__(self, start: str = "2026-11-22T09:00:00") -> None:
        self.moment = datetime.fromisoformat(start).replace(tzinfo=timezone.utc)
        self.ticks = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.ticks

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        """Let time go by, on both clocks."""
        self.moment += timedelta(seconds=seconds)
        self.ticks += max(0.0, seconds)
