"""OpenRouter, Cursor and GitHub Copilot: what is stored is what their ledgers say, whatever form it comes in."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from agent_os.core.days import Window, add_days, unix
from agent_os.core.home import open_home
from agent_os.sandbox.server import Sandbox
from agent_os.wiring import setup_of
from tests.house import ShiftedClock
from tests.world import World

LEDGERS = {"openrouter": "openrouter", "cursor": "cursor", "github_copilot": "github"}


class Apis(World):
    """A home with the keys of the three, and nothing else."""

    def write_env(self, **more: str) -> None:
        self.keys = {
            "OPENROUTER_MANAGEMENT_KEY": self.sandbox.openrouter_key,
            "CURSOR_ADMIN_KEY": self.sandbox.cursor_key,
            "GITHUB_BILLING_TOKEN": self.sandbox.github_key,
            "GITHUB_BILLING_ORG": "sandbox-org",
            "OPENROUTER_BASE_URL": self.sandbox.openrouter_base_url,
            "CURSOR_BASE_URL": self.sandbox.address("cursor"),
            "GITHUB_BASE_URL": self.sandbox.address("github"),
        }
        super().write_env(**more)

    def fetch(self, provider: str, *words: str):
        """`--task fetch_PROVIDER --json`, and its outcome."""
        answer = self.run("--task", f"fetch_{provider}", "--json", *words)
        return answer, (answer.outcomes.get(provider) if answer.out else None)

    def lines(self, provider: str, what: str, where: str) -> list[tuple[object, ...]]:
        """Columns of what is now known."""
        return self.rows(
            f"SELECT {what} FROM result_lines WHERE provider = ? AND superseded_at IS NULL AND {where}", provider
        )


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Apis]:
    with Sandbox(seed=11) as sandbox:
        yield Apis(tmp_path, sandbox, capsys)


def within(world: Apis, provider: str, newest: int, oldest: int) -> dict[str, tuple[int, int]]:
    """What the ledger says of the days from so many to so many days ago."""
    return world.truth(LEDGERS[provider], [world.day(back) for back in range(oldest, newest - 1, -1)])


# --- the truth --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("newest", "oldest", "provider"), [(1, 30, "openrouter"), (0, 30, "cursor"), (0, 35, "github_copilot")]
)
def test_every_day_is_what_the_ledger_says(world: Apis, newest: int, oldest: int, provider: str) -> None:
    """As far back as the provider answers, tokens and money to the last digit, days without use included."""
    answer, outcome = world.fetch(provider)
    assert answer.code == 0, answer.err
    assert world.stored(provider) == within(world, provider, newest, oldest)
    assert outcome["status"] == "success"
    assert sum(nano for _, nano in world.stored(provider).values()) > 0


@pytest.mark.parametrize("provider", list(LEDGERS))
def test_a_second_run_doubles_nothing(world: Apis, provider: str) -> None:
    """It asks for the last days only, and the database is the same row for row."""
    world.fetch(provider)
    asked = len(world.sandbox.journal)
    before = world.rows("SELECT * FROM results"), world.rows("SELECT * FROM result_lines")
    answer, outcome = world.fetch(provider)
    assert answer.code == 0, answer.err
    assert (world.rows("SELECT * FROM results"), world.rows("SELECT * FROM result_lines")) == before
    assert (outcome["days_new"], outcome["days_restated"]) == (0, 0)
    assert 0 < len(world.sandbox.journal) - asked <= 4


@pytest.mark.parametrize("provider", list(LEDGERS))
def test_a_restated_day_is_replaced(world: Apis, provider: str) -> None:
    """What the provider says now counts; what it said before is kept."""
    world.fetch(provider)
    day = next(world.day(back) for back in (1, 2, 3) if world.stored(provider)[world.day(back)][1])
    world.sandbox.ledger.restate(LEDGERS[provider], day, factor="2")
    world.fetch(provider)
    assert world.stored(provider)[day] == world.truth(LEDGERS[provider], [day])[day]
    assert world.lines(provider, "count(*)", "1") != world.rows("SELECT count(*) FROM result_lines")


@pytest.mark.parametrize(
    ("provider", "fault"),
    [
        (provider, fault)
        for provider in LEDGERS
        for fault in ("rate_limited", "server_error", "reset", "short_body", "unavailable")
    ],
)
def test_a_passing_fault_is_waited_out(world: Apis, provider: str, fault: str) -> None:
    """Also of a POST, which here only asks."""
    world.sandbox.fault(LEDGERS[provider], "", fault)
    answer, _ = world.fetch(provider)
    assert answer.code == 0, answer.err
    assert world.sandbox.requests(LEDGERS[provider])[0].fault == fault
    assert world.stored(provider)[world.day(2)] == world.truth(LEDGERS[provider], [world.day(2)])[world.day(2)]


@pytest.mark.parametrize("provider", list(LEDGERS))
@pytest.mark.parametrize("fault", ["cut_json", "not_an_object", "captive_portal", "empty_body"])
def test_an_answer_that_cannot_be_meant_stores_nothing(world: Apis, provider: str, fault: str) -> None:
    """All or nothing; a day that was not understood is no day without use."""
    world.sandbox.fault(LEDGERS[provider], "", fault, times=20)
    answer, _ = world.fetch(provider)
    assert answer.code != 0
    assert world.stored(provider) == {}


@pytest.mark.parametrize(
    ("provider", "setting", "told"),
    [
        ("openrouter", "OPENROUTER_MANAGEMENT_KEY", "a management key"),
        ("cursor", "CURSOR_ADMIN_KEY", "an Admin API key of a team"),
        ("github_copilot", "GITHUB_BILLING_TOKEN", "a fine-grained token"),
    ],
)
def test_a_refused_key_says_which_key_is_needed(world: Apis, provider: str, setting: str, told: str) -> None:
    """Once, without the key, and without trying again."""
    world.write_env(**{setting: "sk-or-v1-of-the-wrong-kind"})
    answer, _ = world.fetch(provider)
    assert answer.code == 3
    assert f"{provider} refused the key in {setting}" in answer.err
    assert f"it needs {told}" in answer.err
    assert "of-the-wrong-kind" not in answer.err + answer.out
    assert len(world.sandbox.requests(LEDGERS[provider])) == 1


# --- OpenRouter -------------------------------------------------------------------------------------------------------


def test_openrouter_is_asked_once_and_never_for_the_open_day(world: Apis) -> None:
    """One request answers for all days that are over; today is due again tomorrow, also where today is told."""
    world.sandbox.knobs.is_open_day_shown = True
    answer, outcome = world.fetch("openrouter")
    assert answer.code == 0, answer.err
    assert [entry.query for entry in world.sandbox.requests("openrouter")] == [()]
    assert sorted(world.stored("openrouter")) == [world.day(back) for back in range(30, 0, -1)]
    assert outcome["days_new"] == 30


def test_openrouter_never_adds_what_another_provider_bills(world: Apis) -> None:
    """With a key of one's own the provider behind it sends the bill: it is told beside, in a unit that is no money."""
    world.fetch("openrouter")
    told = world.lines("openrouter", "kind, unit, quantity, amount_nano, cost_type", "cost_type = 'byok'")
    assert told
    assert {(kind, unit, amount) for kind, unit, _, amount, _ in told} == {("usage", "USD billed elsewhere", None)}
    days = [world.day(back) for back in range(30, 0, -1)]
    bursts = [burst for day in days for burst in world.sandbox.ledger.day("openrouter", day).traffic]
    assert sum(Decimal(each[2]) for each in told) == sum(Decimal(burst.dimensions["byok"]) for burst in bursts)


def test_openrouter_cache_may_exceed_the_prompt(world: Apis) -> None:
    """Then nothing of the prompt was uncached; never less than nothing."""
    world.fetch("openrouter")
    kinds = dict(world.lines("openrouter", "token_type, min(quantity)", "unit = 'tokens' GROUP BY token_type"))
    assert set(kinds) == {"input", "cache_read", "output"}
    assert min(kinds.values()) > 0


def test_a_day_that_openrouter_forgets_has_a_deadline(world: Apis) -> None:
    """`gaps` names the day from which on the oldest day is lost, and what is lost already."""
    world.sandbox.fault("openrouter", "activity", "bad_request", times=9)
    assert world.fetch("openrouter")[0].code == 1
    found = json.loads(world.run("gaps", "--json", "--task", "fetch_openrouter", "--since", world.day(33)).out)
    lost, had = [(hole["since"], hole["last"], hole["lost_on"], hole["is_lost"]) for hole in found]
    assert lost == (world.day(33), world.day(31), world.day(2), True)
    assert had == (world.day(30), world.day(1), add_days(world.today, 1), False)


def test_the_oldest_day_that_openrouter_answers_for_is_had(world: Apis) -> None:
    """The thirtieth before today, which is lost tomorrow; it refuses the one before it, and today."""
    world.fetch("openrouter")
    answered, first = sorted(world.stored("openrouter")), world.day(30)
    assert answered[0] == first
    for day, status in ((first, 200), (world.day(31), 400), (world.today, 400), (world.day(1), 200)):
        key = {"Authorization": f"Bearer {world.sandbox.openrouter_key}"}
        assert asked(f"{world.sandbox.openrouter_base_url}/activity?date={day}", **key)[0] == status


def test_midnight_between_the_plan_and_the_answer_makes_no_day_without_use(world: Apis) -> None:
    """The oldest day was forgotten meanwhile, and the open day is over: neither is taken for one that was answered."""
    clock = ShiftedClock()
    home = open_home(str(world.home), clock=clock, stderr=None, environ={})
    collector = setup_of(home).collectors["fetch_openrouter"]
    clock.ahead = timedelta(days=1)
    world.sandbox.ledger.set_today(add_days(world.today, 1))
    batch = collector.collect(Window(world.day(30), add_days(world.today, 1)), open_day=world.today)
    collector.close()
    home.close()
    assert batch.days == [world.day(back) for back in range(29, 0, -1)]


# --- Cursor -----------------------------------------------------------------------------------------------------------


def test_cursor_is_asked_in_milliseconds_page_by_page(world: Apis) -> None:
    """The days that are over, all pages of them, then the open day alone; the pages kept say what was asked."""
    world.fetch("cursor")
    told = [url.partition(" ")[2] for (url,) in world.rows("SELECT url FROM pages ORDER BY seq")]
    midnight = unix(world.today) * 1000
    assert f"'startDate': {midnight - 30 * 86_400_000}, 'endDate': {midnight - 1}" in told[0]
    assert f"'startDate': {midnight}, 'endDate': {midnight + 86_400_000 - 1}" in told[-1]
    assert len(told) > 3
    assert [text.rpartition("'page': ")[2] for text in told[:3]] == ["1}", "2}", "3}"]


def test_cursor_is_asked_no_more_than_twenty_times_a_minute(world: Apis) -> None:
    """A pause between two requests, none before the first."""
    world.fetch("cursor")
    pauses = len(world.sandbox.requests("cursor")) - 1
    assert sum(world.clock.slept) == pytest.approx(3.0 * pauses, abs=0.01 * pauses)


def test_what_a_seat_covers_is_no_money(world: Apis) -> None:
    """An event that is not charged costs nothing, though it tells a price; the price stands beside."""
    world.fetch("cursor")
    covered = "cost_type IN ('Included in Business', 'Errored, Not Charged')"
    assert world.lines("cursor", "sum(abs(amount_nano))", f"kind = 'cost' AND {covered}") == [(0,)]
    assert world.lines("cursor", "count(*) > 0", f"unit = 'cents covered by the seat' AND {covered}") == [(1,)]


def test_events_that_arrive_while_they_are_read_leave_the_open_day_alone(world: Apis) -> None:
    """Pages that move hold an event twice or not at all: the days that are over are stored, today is due again."""
    for _ in range(150):
        world.sandbox.ledger.grow_today()
    world.sandbox.knobs.is_moving = True
    answer, outcome = world.fetch("cursor")
    assert answer.code == 0, answer.err
    assert sorted(world.stored("cursor")) == [world.day(back) for back in range(30, 0, -1)]
    assert "changed while it was read" in outcome["notes"][0]
    world.sandbox.knobs.is_moving = False
    world.fetch("cursor")
    assert world.stored("cursor")[world.today] == world.truth("cursor", [world.today])[world.today]


# --- GitHub Copilot ---------------------------------------------------------------------------------------------------


def test_github_is_asked_day_by_day_for_copilot_alone(world: Apis) -> None:
    """A request adds up what it spans; whatever else GitHub bills is left out."""
    world.fetch("github_copilot")
    entries = world.sandbox.requests("github")
    assert len(entries) == 36
    year, month, day = map(int, world.today.split("-"))
    assert entries[-1].query == (("year", str(year)), ("month", str(month)), ("day", str(day)))
    skus = {sku for (sku,) in world.lines("github_copilot", "DISTINCT line_item", "1")}
    assert skus == {"Copilot Business", "Copilot Premium Request", "Copilot AI Credits"}


def test_github_costs_what_is_left_after_the_plan(world: Apis) -> None:
    """The price before discounts stands beside, in a unit that is no money."""
    world.fetch("github_copilot")
    assert world.lines("github_copilot", "DISTINCT unit, currency", "kind = 'usage'") == [("USD before discount", "")]
    ((spent,),) = world.lines("github_copilot", "sum(amount_nano)", "kind = 'cost'")
    assert spent == sum(nano for _, nano in world.stored("github_copilot").values())


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"GITHUB_BILLING_ORG": "sandbox-org"}, "/organizations/sandbox-org/settings/billing/usage"),
        (
            {"GITHUB_BILLING_ORG": "", "GITHUB_BILLING_USER": "sandbox-user"},
            "/users/sandbox-user/settings/billing/usage",
        ),
    ],
)
def test_the_bill_is_of_an_organization_or_of_a_person(world: Apis, settings: dict[str, str], path: str) -> None:
    """Whichever is set; the organization when both are."""
    world.write_env(**settings)
    answer, _ = world.fetch("github_copilot")
    assert answer.code == 0, answer.err
    assert {entry.path for entry in world.sandbox.requests("github")} == {path}


def test_whose_bill_it_is_may_stand_in_the_ini(world: Apis) -> None:
    """It is no secret."""
    world.write_env(GITHUB_BILLING_ORG="")
    (world.home / "agent_os.ini").write_text("[agent_os]\ngithub_billing_user = sandbox-user\n", encoding="utf-8")
    text = (world.home / ".env").read_text(encoding="utf-8")
    (world.home / ".env").write_text(text.replace("GITHUB_BILLING_ORG=\n", ""), encoding="utf-8")
    answer, _ = world.fetch("github_copilot")
    assert answer.code == 0, answer.err


def test_a_token_without_anyone_to_ask_about_is_not_enough(world: Apis) -> None:
    """It says which setting is missing, and which one to write."""
    world.write_env(GITHUB_BILLING_ORG="")
    answer, _ = world.fetch("github_copilot")
    assert answer.code == 3
    assert "disabled: GITHUB_BILLING_ORG or GITHUB_BILLING_USER is not set" in answer.err
    assert "put GITHUB_BILLING_ORG=... into" in answer.err


def test_what_github_does_not_show_is_a_matter_of_the_token(world: Apis) -> None:
    """It answers 404 for an organization that the token may not see."""
    world.write_env(GITHUB_BILLING_ORG="someone else's/org")
    answer, _ = world.fetch("github_copilot")
    assert answer.code == 3
    assert "Administration: read" in answer.err
    assert "/organizations/someone%20else%27s%2Forg/" in answer.err or "404" in answer.err


def test_the_token_of_other_things_is_not_taken(world: Apis) -> None:
    """Many have GITHUB_TOKEN set, for whatever."""
    world.write_env(GITHUB_BILLING_TOKEN="", GITHUB_TOKEN=world.sandbox.github_key)
    answer, _ = world.fetch("github_copilot")
    assert "disabled: GITHUB_BILLING_TOKEN is not set" in answer.err
    assert not world.sandbox.requests("github")


# --- the fakes are as strict as what they stand for -------------------------------------------------------------------


def asked(url: str, *, body: object = None, **headers: str) -> tuple[int, dict[str, object]]:
    """Status and JSON of a request that no collector sends."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    if data is not None:
        headers = {"Content-Type": "application/json", **headers}
    try:
        with urlopen(Request(url, data=data, headers=headers)) as reply:
            return int(reply.status), json.load(reply)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.parametrize(
    ("key", "query", "status", "told"),
    [
        ("", "", 401, "No auth credentials found"),
        ("sk-or-v1-of-a-kind-that-may-only-infer", "", 403, "Only management keys can fetch activity for an account"),
        ("nonsense", "", 401, "User not found."),
        (Sandbox.openrouter_key, "?date=21.11.2026", 400, "Invalid date format. Use YYYY-MM-DD"),
        (Sandbox.openrouter_key, "?date=2020-01-01", 400, "Date must be within the last 30 (completed) UTC days"),
    ],
)
def test_what_openrouter_refuses(world: Apis, key: str, query: str, status: int, told: str) -> None:
    """In its own shape."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = f"{world.sandbox.openrouter_base_url}/activity{query}"
    assert asked(url, **headers) == (status, {"error": {"code": status, "message": told}})


DAY = 86_400_000
START = 1_795_219_200_000


@pytest.mark.parametrize(
    ("login", "body", "status", "told"),
    [
        ("", {}, 401, "Unauthorized"),
        ("wrong:", {}, 401, "Unauthorized"),
        (f"{Sandbox.cursor_key}:password", {}, 401, "Unauthorized"),
        (f"{Sandbox.cursor_key}:", b"{", 400, "Request body is not valid JSON"),
        (f"{Sandbox.cursor_key}:", {"startDate": "2026-11-21", "endDate": START}, 400, "startDate must be a number"),
        (
            f"{Sandbox.cursor_key}:", {"startDate": START // 1000, "endDate": START // 1000 + 86_400}, 400,
            "startDate and endDate must be in epoch milliseconds",
        ),
        (
            f"{Sandbox.cursor_key}:", {"startDate": START, "endDate": START + 31 * DAY}, 400,
            "Date range cannot exceed 30 days",
        ),
        (
            f"{Sandbox.cursor_key}:", {"startDate": START, "endDate": START + DAY, "pageSize": 101}, 400,
            "page must be at least 1, pageSize from 1 to 100",
        ),
    ],
)  # fmt: skip
def test_what_cursor_refuses(world: Apis, login: str, body: object, status: int, told: str) -> None:
    """The key is a user name without a password; a span is of milliseconds."""
    headers = {"Authorization": "Basic " + b64encode(login.encode()).decode()} if login else {}
    url = f"{world.sandbox.address('cursor')}/teams/filtered-usage-events"
    assert asked(url, body=body, **headers) == (status, {"error": told})


@pytest.mark.parametrize(
    ("token", "path", "more", "status", "told"),
    [
        ("", "/organizations/sandbox-org", {}, 401, "Requires authentication"),
        ("nonsense", "/organizations/sandbox-org", {}, 401, "Bad credentials"),
        (
            "github_pat_without_the_right", "/organizations/sandbox-org", {}, 403,
            "Resource not accessible by personal access token",
        ),
        (Sandbox.github_key, "/organizations/another", {}, 404, "Not Found"),
        (Sandbox.github_key, "/organizations/sandbox-org", {"query": "?year=2026&month=13"}, 400, "month is not valid"),
        (
            Sandbox.github_key, "/organizations/sandbox-org", {"query": "?year=2020&month=1&day=1"}, 400,
            "Only data from the past 24 months is accessible via this endpoint.",
        ),
        (
            Sandbox.github_key, "/organizations/sandbox-org", {"version": "1999-01-01"}, 400,
            "'1999-01-01' is not a supported version of the REST API.",
        ),
    ],
)  # fmt: skip
def test_what_github_refuses(world: Apis, token: str, path: str, more: dict[str, str], status: int, told: str) -> None:
    """What a token may not see is not there."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if "version" in more:
        headers["X-GitHub-Api-Version"] = more["version"]
    url = f"{world.sandbox.address('github')}{path}/settings/billing/usage{more.get('query', '')}"
    answered, said = asked(url, **headers)
    assert (answered, said["message"], said["status"]) == (status, told, str(status))


def test_a_month_of_github_is_its_days(world: Apis) -> None:
    """Without a day it tells the items of all days of the month, each with its date."""
    key = {"Authorization": f"Bearer {world.sandbox.github_key}"}
    year, month, _ = world.day(1).split("-")
    url = f"{world.sandbox.address('github')}/users/sandbox-user/settings/billing/usage?year={year}&month={int(month)}"
    _, whole = asked(url, **key)
    items = [item for day in range(1, 32) for item in asked(f"{url}&day={day}", **key)[1].get("usageItems", [])]
    assert whole["usageItems"] == items
    assert items


def test_a_day_that_is_not_over_is_no_gap_where_it_is_never_told(world: Apis) -> None:
    """OpenRouter answers for days that are over: no run can bring the open one, so it is not missing yet."""
    outcome = world.fetch("openrouter", "--since", world.day(3))[1]
    assert outcome["days_missing"] == 0
    assert json.loads(world.run("gaps", "--json", "--task", "fetch_openrouter", "--since", world.day(3)).out) == []
