"""OpenRouter: what an account was charged each day, with its tokens, by model and the provider that served it."""

from __future__ import annotations

from .. import Collector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .. import Page, Record, Row, Window


class OpenRouter(Collector):
    """Daily costs and tokens of an OpenRouter account, of the last 30 days that are over."""

    name = "openrouter"
    vendor = "openrouter"
    gives = "money, tokens and requests by model and by the provider that served it"
    fresh = "when the day is over"
    needs = ("OPENROUTER_MANAGEMENT_KEY", "OPENROUTER_API_KEY")
    key_help = (
        "a management key, made at https://openrouter.ai/settings/management-keys; it can also make and delete keys,"
        " so keep it safe; an ordinary API key cannot read the activity"
    )
    base_url = ("OPENROUTER_BASE_URL", "https://openrouter.ai/api/v1")
    hosts = ("openrouter.ai", ".openrouter.ai")
    history_days = 30
    tells_open_day = False

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def fetch(self, window: Window) -> Iterator[Page]:
        """One request: it answers for all 30 days, whichever of them are asked for, and never for the open one."""
        for over in self.split(window)[0]:
            yield from self.row_pages("activity", "/activity", window=over, rows="data", day="date", is_wider=True)

    def normalize(self, page: Page) -> Iterator[Record]:
        for row in page.rows():
            where = {
                "model": row.text("model"),
                "line_item": row.text("provider_name"),
                "context": row.text("endpoint_id"),  # a model may be served by one provider in several ways
            }
            yield row.cost(row.value("usage"), "USD", where)  # dollars, as a number
            # With a key of your own for the provider behind it, that provider sends the bill: what it comes to is told
            # beside, but it is none of this account's money, and it may stand in that provider's own report.
            elsewhere = row.quantity("byok_usage_inference")
            if elsewhere:
                yield row.usage(elsewhere, "USD billed elsewhere", {**where, "cost_type": "byok"})
            yield from usage(row, where)


def usage(row: Row, where: dict[str, str]) -> Iterator[Record]:
    """Tokens and requests. The prompt includes what was read from cache (seen to exceed it), the completion the
    reasoning.
    """
    read = row.count("cached_tokens")
    kinds = (
        ("input", max(row.count("prompt_tokens", required=True) - read, 0)),
        ("cache_read", read),
        ("output", row.count("completion_tokens", required=True)),
    )
    for kind, count in kinds:
        if count:
            yield row.usage(count, "tokens", {**where, "token_type": kind})
    if requests := row.count("requests"):
        yield row.usage(requests, "requests", where)
