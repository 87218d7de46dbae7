"""When a budget is worth a message: a state machine with explicit inputs. Pure.

What was said is `told`: "actual/80" -> what is kept of it, for one budget and one period. A level is said once in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from .periods import add_days, periods_since
from .spans import days_in

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .budgets import Budget
    from .periods import Period

    Told = Mapping[str, Mapping[str, Any]]

SETTLED_AFTER = 2  # days: what is older is no longer expected to change
FIRST_FORECAST = 3  # settled days that a forecast needs
LATE_DAYS = 3  # a period that is over is looked at for so long, since its last days come late
LONGEST_ABSENCE = 40  # days without an evaluation after which earlier periods are left alone


class Forecast(NamedTuple):
    """What a period will come to: as its settled days go on, and if all went as the low or the high ones did."""

    nano: int
    low: int
    high: int


class Verdict(NamedTuple):
    """What there is to say. `level` 0: nothing, the levels of `closes` are only closed.

    `was` is what was said before of a figure that is restated, `of` the key of the message that said it.
    """

    kind: str  # actual, forecast, restated
    level: int
    closes: tuple[int, ...]
    nano: int
    forecast: Optional[Forecast] = None
    was: int = 0
    of: str = ""


def periods_to_judge(word: str, *, seen: str, today: str) -> list[Period]:
    """The periods that may have something new; of a budget that is new (`seen` is "") only the one under way."""
    if not seen:
        return periods_since(word, today, today)
    first = max(min(seen, today), add_days(today, -LONGEST_ABSENCE))
    return periods_since(word, add_days(first, -LATE_DAYS), today)


def forecast_of(period: Period, days: Mapping[str, int], missing: Collection[str], *, today: str) -> Optional[Forecast]:
    """None while there are too few settled days, one of them is missing, or the period is over."""
    settled = list(days_in(period.start, max(period.start, min(period.end, add_days(today, 1 - SETTLED_AFTER)))))
    count, left = len(settled), period.days - len(settled)
    if count < FIRST_FORECAST or today >= period.end or set(settled) & set(missing):
        return None
    values = sorted(days.get(day, 0) for day in settled)
    so_far, known = sum(values), sum(days.values())
    expected = max(so_far * period.days // count, known)
    low = so_far + left * values[(count - 1) // 4]
    high = so_far + left * values[(3 * (count - 1) + 3) // 4]
    return Forecast(expected, max(min(low, expected), known), max(high, expected))


def rearmed(budget: Budget, told: Told, *, total: int, forecast: Optional[Forecast]) -> list[str]:
    """After the terms of a budget have changed: the keys of what was said and is not true under the new ones."""
    expected = forecast.nano if forecast else 0
    true = {f"actual/{level}" for level in budget.reached(total)}
    true |= {f"forecast/{level}" for level in budget.reached(max(expected, total))}
    return [key for key in told if key not in true]


def judge(  # noqa: PLR0913 (what is known, all by name)
    budget: Budget,
    period: Period,
    *,
    days: Mapping[str, int],
    missing: Collection[str],
    told: Told,
    today: str,
) -> list[Verdict]:
    """What there is to say of a budget in a period, at most one thing of each kind."""
    total = sum(days.values())
    reached = budget.reached(total)
    found = []
    if "actual" in budget.kinds:
        restated = _restated(days, missing, told)
        found += [restated] if restated else []
        found += _fresh("actual", reached, told, nano=total)
    forecast = forecast_of(period, days, missing, today=today) if "forecast" in budget.kinds else None
    if forecast:
        found += _fresh("forecast", budget.reached(forecast.nano), told, nano=total, forecast=forecast, past=reached)
    return found


def _fresh(  # noqa: PLR0913 (what a verdict is made of)
    kind: str,
    reached: Collection[int],
    told: Told,
    *,
    nano: int,
    forecast: Optional[Forecast] = None,
    past: Collection[int] = (),
) -> list[Verdict]:
    """The levels that are reached and were not said: the highest is, unless a higher one was; all are closed.

    `past` are levels that are no news, since the money has already been spent.
    """
    fresh = tuple(level for level in reached if f"{kind}/{level}" not in told)
    if not fresh:
        return []
    said = max((int(key.partition("/")[2]) for key in told if key.startswith(f"{kind}/")), default=0)
    is_news = fresh[-1] > max(said, max(past, default=0))
    return [Verdict(kind, fresh[-1] if is_news else 0, fresh, nano, forecast)]


def _restated(days: Mapping[str, int], missing: Collection[str], told: Told) -> Optional[Verdict]:
    """Whether the days that the newest message was about come to less than it said; never where one went missing."""
    said = [key for key, each in told.items() if key.startswith("actual/") and each.get("id")]
    newest = max(said, key=lambda key: (told[key]["at"], int(key.partition("/")[2])), default="")
    if not newest:
        return None
    last, was = told[newest]["until"], told[newest]["nano"]
    if any(day <= last and day not in told[newest]["missing"] for day in missing):
        return None
    now = sum(nano for day, nano in days.items() if day <= last)
    return Verdict("restated", int(newest.partition("/")[2]), (), now, was=was, of=newest) if now < was else None
