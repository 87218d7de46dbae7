"""Anthropic: what an organization was charged each day, and its tokens, from the admin reports."""

from __future__ import annotations

from .. import Collector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .. import Page, Record, Row, Window

REPORTS = {
    "cost_report": ("workspace_id", "description"),
    "usage_report/messages": ("api_key_id", "workspace_id", "model", "service_tier", "context_window"),  # 5 at most
}


class Anthropic(Collector):
    """Daily costs and tokens of an Anthropic organization. Priority Tier is in no cost report."""

    name = "anthropic"
    vendor = "anthropic"
    gives = "money by workspace and description (no Priority Tier); tokens by workspace, key and model"
    fresh = "within hours; a day may still change for a month"
    is_expected = True
    needs = ("ANTHROPIC_ADMIN_KEY", "ANTHROPIC_API_KEY")
    key_help = (
        "an admin key of an organization (sk-ant-admin01-...), made by an admin at https://console.anthropic.com/"
        "settings/admin-keys; it has no narrower scope, so keep it safe; a workspace key cannot read costs"
    )
    base_url = ("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
    hosts = (".anthropic.com",)
    bucket_fields = ("starting_at", "ending_at")

    def headers(self) -> dict[str, str]:
        return {"x-api-key": self.key, "anthropic-version": "2023-06-01"}

    def fetch(self, window: Window) -> Iterator[Page]:
        return self.daily_pages(window, REPORTS, path="/v1/organizations/", required=tuple(REPORTS), span=span)

    def normalize(self, page: Page) -> Iterator[Record]:
        for row in page.rows():
            yield from [cost(row)] if page.report == "cost_report" else usage(row)


def span(part: Window) -> list[tuple[str, str]]:
    """A range as this provider asks for one: RFC 3339, the end not included."""
    return [("starting_at", f"{part.start}T00:00:00Z"), ("ending_at", f"{part.end}T00:00:00Z")]


def dimensions(row: Row) -> dict[str, str]:
    """Who and what a row is about, in our words."""
    return {
        "project": row.text("workspace_id"),
        "api_key": row.text("api_key_id"),
        "model": row.text("model"),
        "tier": row.text("service_tier"),
        "context": row.text("context_window"),
        "region": row.text("inference_geo"),
    }


def cost(row: Row) -> Record:
    """`amount` is in cents, as decimal text with a fraction: "123.78912" is $1.2378912. A bare number is not it."""
    amount = row.value("amount")
    if not isinstance(amount, str):
        raise row.wrong("amount", amount)
    what = {
        "line_item": row.text("description"),
        "cost_type": row.text("cost_type"),
        "token_type": row.text("token_type"),
    }
    return row.cost(amount, row.value("currency"), {**what, **dimensions(row)}, shift=-2)


def usage(row: Row) -> Iterator[Record]:
    """Tokens by kind (none of them within another here), and web searches."""
    where, created = dimensions(row), row.part("cache_creation")
    kinds = (
        ("input", row.count("uncached_input_tokens", required=True)),
        ("cache_write_5m", created.count("ephemeral_5m_input_tokens")),
        ("cache_write_1h", created.count("ephemeral_1h_input_tokens")),
        ("cache_read", row.count("cache_read_input_tokens")),
        ("output", row.count("output_tokens", required=True)),
    )
    for kind, count in kinds:
        if count:
            yield row.usage(count, "tokens", {**where, "token_type": kind})
    if searches := row.part("server_tool_use").count("web_search_requests"):
        yield row.usage(searches, "calls", {**where, "cost_type": "web_search"})
