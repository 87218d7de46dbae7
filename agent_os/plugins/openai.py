"""OpenAI: what an organization was charged each day, with its tokens and other usage, from the admin API."""

from __future__ import annotations

from .. import Collector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .. import Page, Record, Row, Window

KEYED = ("project_id", "api_key_id", "model")
# Each report with the finest grouping that is valid for every organization; `costs` and completions must answer.
REPORTS = {
    "costs": ("project_id", "line_item"),
    "usage/completions": (*KEYED, "batch", "service_tier"),
    "usage/embeddings": KEYED,
    "usage/moderations": KEYED,
    "usage/images": (*KEYED, "size", "source"),
    "usage/audio_speeches": KEYED,
    "usage/audio_transcriptions": KEYED,
    "usage/vector_stores": ("project_id",),
    "usage/code_interpreter_sessions": ("project_id",),
    "usage/file_search_calls": ("project_id", "api_key_id", "vector_store_id"),
    "usage/web_search_calls": (*KEYED, "context_level"),
}
COUNTS = (
    ("num_model_requests", "requests"), ("num_requests", "calls"), ("images", "images"), ("characters", "characters"),
    ("seconds", "seconds"), ("num_sessions", "sessions"), ("usage_bytes", "bytes"),
)  # fmt: skip


class OpenAI(Collector):
    """Daily costs and usage of an OpenAI organization."""

    name = "openai"
    vendor = "openai"
    gives = "money by project and line item; tokens and other usage by project, key and model"
    fresh = "within hours; a day may still change for a month"
    is_expected = True
    needs = ("OPENAI_ADMIN_KEY", "OPENAI_API_KEY")
    key_help = (
        "an organization's admin key (sk-admin-...), made by an owner at https://platform.openai.com/settings/"
        "organization/admin-keys with the one scope api.usage.read (Usage: Read); a project key cannot read costs"
    )
    base_url = ("OPENAI_BASE_URL", "https://api.openai.com/v1")
    hosts = (".openai.com",)
    bucket_fields = ("start_time", "end_time")

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def fetch(self, window: Window) -> Iterator[Page]:
        required = ("costs", "usage/completions")
        return self.daily_pages(window, REPORTS, path="/organization/", required=required, span=span)

    def normalize(self, page: Page) -> Iterator[Record]:
        for row in page.rows():
            if page.report == "costs":
                amount = row.part("amount")  # `value` is in whole units of `currency` (dollars): a number or its text
                where = {"project": row.text("project_id"), "line_item": row.text("line_item")}
                quantity = row.quantity("quantity")
                unit = row.text("quantity_unit")
                yield row.cost(amount.value("value"), amount.value("currency"), where, quantity=quantity, unit=unit)
                continue
            where = dimensions(row)
            if page.report == "usage/completions" or row.value("input_tokens") is not None:
                yield from tokens(row, where)
            for name, unit in COUNTS:
                if count := row.count(name):
                    yield row.usage(count, unit, where)


def span(part: Window) -> list[tuple[str, str]]:
    """A range as this provider asks for one: Unix seconds, the end not included."""
    return [("start_time", str(part.start_unix)), ("end_time", str(part.end_unix))]


def dimensions(row: Row) -> dict[str, str]:
    """Who and what a usage row is about, in our words."""
    tier = row.text("service_tier")
    details = [row.text(name) for name in ("size", "source", "context_level", "vector_store_id")]
    return {
        "project": row.text("project_id"),
        "api_key": row.text("api_key_id"),
        "model": row.text("model"),
        "tier": f"batch {tier}".strip() if row.value("batch") is True else tier,
        "context": " ".join(detail for detail in details if detail),
    }


def tokens(row: Row, where: dict[str, str]) -> Iterator[Record]:
    """Token records that add up to input + output: `input_tokens` includes what was read from and written to cache."""
    read, written = row.count("input_cached_tokens"), row.count("input_cache_write_tokens")
    rest = row.count("input_tokens", required=True) - read - written
    if rest < 0:
        raise row.wrong("input_tokens, less than its cached part,", row.value("input_tokens"))
    output = row.count("output_tokens", required=row.report == "usage/completions")
    kinds = (("input", rest), ("cache_read", read), ("cache_write", written), ("output", output))
    for kind, count in kinds:
        if count:
            yield row.usage(count, "tokens", {**where, "token_type": kind})
