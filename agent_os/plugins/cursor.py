"""Cursor: what a team was charged beyond its seats each day, with its tokens, by model and by who used it."""

from __future__ import annotations

from .. import Collector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .. import Page, Record, Row, Window

PAGE_SIZE = 100  # the most that is known to be taken
TOKENS = (
    ("input", "inputTokens"), ("cache_write", "cacheWriteTokens"), ("cache_read", "cacheReadTokens"),
    ("output", "outputTokens"),
)  # fmt: skip


class Cursor(Collector):
    """Daily costs and tokens of a Cursor team. What the seats cost is in no report."""

    name = "cursor"
    vendor = "cursor"
    gives = "money beyond the seats, tokens and requests by model and person"
    fresh = "within hours"
    needs = ("CURSOR_ADMIN_KEY", "CURSOR_API_KEY")
    key_help = (
        "an Admin API key of a team (crsr_... or key_...), made by a team admin at https://cursor.com/dashboard under"
        " API Keys; Cursor has no narrower one, and none for single users"
    )
    base_url = ("CURSOR_BASE_URL", "https://api.cursor.com")
    hosts = ("api.cursor.com",)
    most_days = 30  # that one question may span
    # How far back the events go is written nowhere. Days that it has forgotten would look like days without use, so
    # none is asked for that is older than what one question may span.
    history_days = 30
    pause_seconds = 3.0  # 20 requests a minute are taken of a team
    sums_events = True

    def headers(self) -> dict[str, str]:
        from base64 import b64encode

        return {"Authorization": "Basic " + b64encode(f"{self.key}:".encode("ascii")).decode("ascii")}

    def fetch(self, window: Window) -> Iterator[Page]:
        """The days that are over, then the open one alone: its events come in while they are read."""
        over, still_open = self.split(window)
        for span in (*(part for each in over for part in each.parts(self.most_days)), *still_open):
            # Both ends are milliseconds, and the last one belongs to it.
            body = {"startDate": span.start_unix * 1000, "endDate": span.end_unix * 1000 - 1, "pageSize": PAGE_SIZE}
            yield from self.row_pages(
                "usage_events", "/teams/filtered-usage-events", body=body, window=span, rows="usageEvents",
                day="timestamp", tally=tally,
            )  # fmt: skip

    def normalize(self, page: Page) -> Iterator[Record]:
        for row in page.rows():
            where = {
                "model": row.text("model"),
                "api_key": row.text("serviceAccountName") or row.text("userEmail"),  # who has spent it
                "cost_type": row.text("kind"),
                "tier": "max mode" if row.value("maxMode") is True else "",
            }
            yield from charge(row, where)
            used = row.part("tokenUsage")  # none of the four is within another
            for kind, name in TOKENS:
                if count := used.count(name):
                    yield row.usage(count, "tokens", {**where, "token_type": kind})
            yield row.usage(1, "requests", where)


def tally(answer: dict[str, Any]) -> tuple[object, object]:
    """How many events there are on all pages, and whether another page follows."""
    pages = answer.get("pagination")
    return answer.get("totalUsageEventsCount"), pages.get("hasNextPage") if isinstance(pages, dict) else None


def charge(row: Row, where: dict[str, str]) -> Iterator[Record]:
    """`chargedCents` (cents, with a fraction; Cursor's own fee included) where the event is charged.

    An event that is not is covered by the seat: it tells a price all the same, which nobody pays.
    """
    is_charged = row.value("isChargeable")
    if not isinstance(is_charged, bool):  # older answers have the words alone
        is_charged = not any(word in where["cost_type"].lower() for word in ("included", "not charged", "free"))
    if is_charged:
        yield row.cost(row.value("chargedCents"), "USD", where, shift=-2)
        return
    yield row.cost("0", "USD", where)
    if cents := row.quantity("chargedCents"):
        yield row.usage(cents, "cents covered by the seat", where)
