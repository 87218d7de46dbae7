"""GitHub Copilot: what an organization or a person was billed for it each day, by product and repository."""

from __future__ import annotations

from .. import Collector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .. import Page, Record, Row, Window

ORG, USER = "GITHUB_BILLING_ORG", "GITHUB_BILLING_USER"
# The bill holds everything that GitHub sells; these words stand in the product or the unit of what Copilot comes to.
WORDS = ("copilot", "ai credit", "ai_credit", "premium request", "premium_request")


class GitHubCopilot(Collector):
    """Daily costs of GitHub Copilot, seats included, after what the plan gives. No tokens."""

    name = "github_copilot"
    vendor = "github"
    gives = "money and quantities (seats, credits, requests) by product and repository; no tokens"
    fresh = "within a day"
    needs = ("GITHUB_BILLING_TOKEN",)  # not GITHUB_TOKEN, which many have for other things
    key_help = (
        "a fine-grained token, made at https://github.com/settings/personal-access-tokens, with the one permission"
        f" Administration: read of the organization in {ORG}, or Plan: read of the person in {USER}; GitHub answers 404"
        " where the token may not see it"
    )
    settings = (ORG, USER)
    base_url = ("GITHUB_BASE_URL", "https://api.github.com")
    hosts = ("api.github.com",)
    most_days = 1  # the answer adds up what it spans
    history_days = 730  # "24 months"
    refused = (401, 403, 404)
    sums_events = True  # lines that differ only in what is not shown (a cost center) are one

    @property
    def disabled(self) -> str:
        is_said = self.setting(ORG) or self.setting(USER)
        return super().disabled or ("" if is_said else f"disabled: {ORG} or {USER} is not set")

    def headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.key}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def fetch(self, window: Window) -> Iterator[Page]:
        from urllib.parse import quote

        org = self.setting(ORG)
        owner = f"/organizations/{quote(org, safe='')}" if org else f"/users/{quote(self.setting(USER), safe='')}"
        for day in window.parts(self.most_days):
            date = [(name, str(int(part))) for name, part in zip(("year", "month", "day"), day.start.split("-"))]
            path = f"{owner}/settings/billing/usage"
            yield from self.row_pages("usage", path, date, window=day, rows="usageItems", day="date")

    def normalize(self, page: Page) -> Iterator[Record]:
        for row in page.rows():
            product, sku = row.text("product"), row.text("sku")
            if any(word in f"{product} {sku}".lower() for word in WORDS):
                yield from lines(row, {"line_item": sku or product, "project": row.text("repositoryName")})


def lines(row: Row, where: dict[str, str]) -> Iterator[Record]:
    """What is paid (`netAmount`, dollars) with how much of what was used; beside it the price before discounts and what
    the plan includes, which nobody pays.
    """
    quantity, unit = row.quantity("quantity"), row.text("unitType")
    yield row.cost(row.value("netAmount"), "USD", where, quantity=quantity, unit=unit)
    gross = row.quantity("grossAmount")
    if gross and gross != row.quantity("netAmount"):
        yield row.usage(gross, "USD before discount", where)
