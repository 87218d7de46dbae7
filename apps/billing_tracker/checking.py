"""The task `check_budgets`: reads what is stored, judges it, and leaves state and messages for one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import silences, wording
from .budgets import THRESHOLD, Budget, budgets_of
from .channels.settings import set_up
from .evaluation import forecast_of, judge, periods_to_judge, rearmed
from .periods import Period, add_days
from .spending import BY, LOOK_BACK, Spending
from .spikes import FEWEST, spike_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_os import Context

TOLD = "told "  # + NAME/period/kind/level: what was said, or closed
BUDGET = "budget "  # + NAME: its terms when it was last judged
COLLECTOR = "collector "  # + task: what is wrong with it
SEEN = "evaluated"  # the day of the last evaluation
KEPT_DAYS = 60  # after the end of a period, what was said of it
HISTORY = 120  # days of spikes and collectors; a spike may need as many to find observed ones
MOST_RUNS = 5000


class Check:
    """One evaluation. `messages` are (channels, body); nothing of the context is changed but its state."""

    def __init__(self, ctx: Context) -> None:
        settings = ctx.settings
        channels = set_up(settings.get)
        self.ctx = ctx
        self.budgets = budgets_of(settings.get(THRESHOLD), settings.section_group("budget"), channels=channels)
        self.today = ctx.today
        self.state = dict(ctx.state)
        self.messages: list[tuple[tuple[str, ...], dict[str, Any]]] = []
        self.channels = channels

    def run(self) -> str:
        """Judge everything, then send; what was said, in a line each."""
        seen = self.state.get(SEEN, "")
        plans = [(each, period) for each in self.budgets for period in self._periods(each)]
        since = min([add_days(self.today, -HISTORY), *(add_days(period.start, -LOOK_BACK) for _, period in plans)])
        until = max([add_days(self.today, 1), *(period.end for _, period in plans)])
        spending = Spending(
            self.ctx.sums(*BY, since=since, until=until), self.ctx.results(since=since, until=until)
        )  # fmt: skip
        for budget, period in plans:
            self._judge(budget, period, spending)
        for budget in self.budgets:
            revision = self._revision(budget)[0]
            self.state[BUDGET + budget.name] = {"terms": terms(budget), "revision": revision, "seen": self.today}
        self._spikes(spending, seen)
        self._collectors(spending, is_first=not seen)
        self.state[SEEN] = self.today
        self._prune()
        return self._send()

    # budgets

    def _revision(self, budget: Budget) -> tuple[int, bool]:
        """How many terms a budget has had, and whether these are new ones."""
        kept = self.state.get(BUDGET + budget.name)
        if not kept:
            return 1, False
        is_changed = kept["terms"] != terms(budget)
        return kept["revision"] + is_changed, is_changed

    def _periods(self, budget: Budget) -> list[Period]:
        seen = self.state.get(BUDGET + budget.name, {}).get("seen", "")
        return periods_to_judge(budget.period, seen=seen, today=self.today)

    def _judge(self, budget: Budget, period: Period, spending: Spending) -> None:
        start = f"{TOLD}{budget.name}/{period.start}/"
        told = {name[len(start) :]: value for name, value in self.state.items() if name.startswith(start)}
        days = spending.days(budget, period)
        missing = spending.missing(budget, period, today=self.today)
        revision, is_changed = self._revision(budget)
        if is_changed:
            forecast = forecast_of(period, days, missing, today=self.today)
            for key in rearmed(budget, told, total=sum(days.values()), forecast=forecast):
                del told[key], self.state[start + key]
            for key, value in told.items():  # true under the new terms too; what it said was of the old ones
                told[key] = self.state[start + key] = {**value, "id": ""}
        for verdict in judge(budget, period, days=days, missing=missing, told=told, today=self.today):
            key = f"{budget.name}/{period.start}/{verdict.kind}/{verdict.level}"
            key += f"/r{revision}" if revision > 1 else ""
            if verdict.kind == "restated":
                key = self._restate(start + verdict.of, verdict.nano)
            for level in verdict.closes:
                is_told = level == verdict.level
                self.state[f"{start}{verdict.kind}/{level}"] = {
                    "id": key if is_told else "", "nano": verdict.nano, "until": min(self.today, period.end),
                    "at": self.ctx.now, "run": self.ctx.run_id, "end": period.end, "restated": 0,
                    "missing": sorted(missing) if is_told else [],
                }  # fmt: skip
            if verdict.level:
                body = wording.about_budget(
                    key, budget, period, verdict, spending=spending, today=self.today, run=self.ctx.run_id,
                    unread=self._unread(budget, spending),
                )  # fmt: skip
                self.messages.append((budget.channels, body))

    def _unread(self, budget: Budget, spending: Spending) -> list[str]:
        """The providers in scope whose collector has failed and of which nothing is known: none of their days is."""
        troubles = self._troubles(spending, {})
        failed = [task[len("fetch_") :] for task, trouble in troubles if trouble and trouble.kind == "failed"]
        return [name for name in failed if budget.provider in ("", name) and name not in spending.providers()]

    def _restate(self, name: str, nano: int) -> str:
        """Keep what is said now of a figure; the id of the message that says so."""
        kept = self.state[name]
        self.state[name] = {**kept, "nano": nano, "restated": kept["restated"] + 1}
        return f"{kept['id']}/restated/{kept['restated'] + 1}"

    # days that stand out, and collectors

    def _spikes(self, spending: Spending, seen: str) -> None:
        """Settled days that were not looked at yet; none of those before the first evaluation."""
        settled = add_days(self.today, -2)
        first = settled if not seen else max(add_days(seen, -2), add_days(settled, -FEWEST))
        for (provider, currency), days in sorted(spending.daily().items()):
            for day in sorted(each for each in days if first < each <= settled):
                spike = spike_of(day, days)
                if spike and spike.nano:  # a zero is a matter of the collector
                    key = f"spike/{provider}/{day}/{currency}"
                    body = wording.about_spike(
                        key, day, spike, provider=provider, currency=currency, run=self.ctx.run_id
                    )
                    self.messages.append(((), body))
                    self.state[TOLD + key] = {
                        "id": key, "nano": spike.nano, "at": self.ctx.now, "run": self.ctx.run_id, "end": day,
                    }  # fmt: skip

    def _collectors(self, spending: Spending, *, is_first: bool) -> None:
        kept = {
            name[len(COLLECTOR) :]: value for name, value in self.state.items() if name.startswith(COLLECTOR)
        }  # fmt: skip
        troubles = dict(self._troubles(spending, kept))
        words, changes = silences.told_of(troubles, kept, now=self.ctx.now, is_first=is_first)
        for task, change in changes.items():
            self.state.pop(COLLECTOR + task, None)
            if change:
                self.state[COLLECTOR + task] = change
        self.messages += [((), wording.about_collector(word, run=self.ctx.run_id)) for word in words]

    def _troubles(self, spending: Spending, kept: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """Each collector that has run lately, or was in trouble, with what is wrong with it."""
        ended: dict[str, Any] = {}
        skipped: dict[str, str] = {}
        for run in self.ctx.runs(since=add_days(self.today, -HISTORY), limit=MOST_RUNS):  # the newest first
            if not run.task.startswith("fetch_") or run.task in ended:
                continue
            if run.status == "skipped":
                skipped.setdefault(run.task, run.error or "")
            elif run.status != "running":
                ended[run.task] = run
        headlines = spending.providers()
        for task in sorted({*ended, *skipped, *kept}):
            provider = task[len("fetch_") :]
            last = ended.get(task)
            if last is None and task in kept and kept[task]["kind"] == "failed":
                failure = kept[task]["reason"]  # nothing has shown yet that it is over
            else:
                failure = (last.error or "it failed") if last and last.status == "failed" else ""
            days = headlines.get(provider, [])
            yield (
                task,
                silences.trouble_of(failure, days, provider=provider, today=self.today, skipped=skipped.get(task, "")),
            )

    # the end

    def _prune(self) -> None:
        """Forget what was said of periods that nobody looks at any more."""
        oldest = add_days(self.today, -KEPT_DAYS)
        for name in [name for name in self.state if name.startswith(TOLD)]:
            if self.state[name]["end"] < oldest:
                del self.state[name]

    def _send(self) -> str:
        """Into the outboxes of the channels, those of the budget or all that are set."""
        from .registration import OUTBOX

        for channels, body in self.messages:
            for channel in channels or self.channels:
                self.ctx.send(OUTBOX + channel, body["id"], body)
        self.ctx.state.clear()
        self.ctx.state.update(self.state)
        lines = [f"{body['title']}: {body['text']}" for _, body in self.messages]
        if lines and not self.channels:
            lines.append("no channel is set up, so nobody was told: DISCORD_WEBHOOK_URL=… in .env sets one")
        return "\n".join(lines) or "nothing to tell"


def terms(budget: Budget) -> str:
    """What was agreed: when it changes, what was said of it is about something else."""
    return f"{budget.nano} {budget.currency} {budget.basis} {budget.period} {budget.scope}"
