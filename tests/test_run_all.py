"""The main task, from the command line to the database, against providers that compute their answers from a ledger."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from agent_os.core.clock import Clock, iso
from agent_os.core.lock import RunnerLock
from agent_os.main import main, run_all_collectors
from agent_os.sandbox.server import Sandbox
from tests.world import PROVIDERS, World


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("OPENAI", "ANTHROPIC"):
        for ending in ("ADMIN_KEY", "API_KEY", "BASE_URL"):
            monkeypatch.delenv(f"{name}_{ending}", raising=False)
    with Sandbox(seed=11) as sandbox:
        yield World(tmp_path, sandbox, capsys)


def test_every_day_of_both_providers_is_what_their_ledger_says(world: World) -> None:
    """35 days back and today, tokens and cost exact to the last digit, zero days included."""
    answer = world.collect()
    assert answer.code == 0, answer.err
    for provider in PROVIDERS:
        assert world.stored(provider) == world.truth(provider, world.days())
        assert answer.outcomes[provider]["days_new"] == 36
        assert answer.outcomes[provider]["days_missing"] == 0


@pytest.mark.parametrize("buckets", [1, 4, 7])
def test_small_pages_make_the_same_truth(world: World, buckets: int) -> None:
    """However many pages an answer comes in."""
    world.sandbox.knobs.page_buckets = buckets
    assert world.collect().code == 0
    for provider in PROVIDERS:
        assert world.stored(provider) == world.truth(provider, world.days())


def test_cost_is_the_number_a_shell_would_show(world: World) -> None:
    """`results.cost` is REAL for reading, and what the exact integer rounds to."""
    world.collect()
    for cost, nano in world.rows("SELECT cost, cost_nano FROM results"):
        assert cost == nano / 10**9


def test_a_second_run_doubles_nothing(world: World) -> None:
    """It asks for the last days only, and the database is the same row for row."""
    world.collect()
    asked = len(world.sandbox.journal)
    before = world.rows("SELECT * FROM results"), world.rows("SELECT * FROM result_lines")
    answer = world.collect()
    assert (world.rows("SELECT * FROM results"), world.rows("SELECT * FROM result_lines")) == before
    assert answer.outcomes["openai"]["days_new"] == answer.outcomes["openai"]["days_restated"] == 0
    starts = {
        dict(entry.query)["starting_at"][:10]
        for entry in world.sandbox.journal[asked:]
        if entry.provider == "anthropic"
    }
    assert starts == {world.day(3)}


def test_settled_days_cost_no_request_and_are_skipped(world: World) -> None:
    """A span that was read after it settled is not asked for again, and says so; --force asks all the same."""
    span = ("--since", world.day(80), "--until", world.day(60))
    assert world.collect(*span).code == 0
    asked = len(world.sandbox.journal)
    answer = world.collect(*span)
    assert (answer.code, len(world.sandbox.journal)) == (0, asked)
    assert {each["status"] for each in answer.outcomes.values()} == {"skipped"}
    assert world.rows("SELECT count(*) FROM runs WHERE status = 'skipped'") == [(2,)]
    world.collect(*span, "--force")
    assert len(world.sandbox.journal) > asked


def test_since_is_included_and_until_is_not(world: World) -> None:
    """Exactly the days between."""
    world.collect("--since", world.day(70), "--until", world.day(66))
    assert sorted(world.stored("openai")) == [world.day(number) for number in (70, 69, 68, 67)]


def test_a_restated_day_is_replaced_and_its_old_value_kept(world: World) -> None:
    """Up and down; the line that was taken back vanishes from what is current and stays in what was known."""
    world.collect()
    world.sandbox.ledger.restate("openai", world.day(2), factor="1.5")
    world.sandbox.ledger.restate("anthropic", world.day(1), factor="0.5")
    current = "SELECT count(*) FROM result_lines WHERE date = ? AND line_item = ? AND superseded_at IS {} NULL"
    gone = world.sandbox.ledger.drop_line("openai", world.day(3))
    ((before,),) = world.rows(current.format(""), world.day(3), gone)
    answer = world.collect()
    assert answer.outcomes["openai"]["restated"] == [world.day(3), world.day(2)]
    for provider in PROVIDERS:
        assert world.stored(provider) == world.truth(provider, world.days())
    assert world.rows(current.format(""), world.day(3), gone) == [(before - 1,)]
    assert world.rows(current.format("NOT"), world.day(3), gone) == [(1,)]


def test_a_hole_is_filled_without_being_told(world: World) -> None:
    """Whatever was missed, the next run asks for."""
    world.collect("--since", world.day(30), "--until", world.day(25))
    world.collect("--since", world.day(20), "--until", world.day(10))
    world.collect()
    assert sorted(world.stored("anthropic")) == world.days()


def test_days_missed_in_two_months_off_are_filled(world: World) -> None:
    """The look-back of the first run bounds the first run alone."""
    world.collect("--since", world.day(90), "--until", world.day(88))
    world.collect()
    assert sorted(world.stored("openai")) == world.days(90)


def test_one_request_at_a_time_a_provider(world: World) -> None:
    """Providers side by side, each asked serially on one connection, in whole days, at most 31 a request."""
    world.sandbox.latency = 0.002
    world.collect("--since", world.day(100))
    for provider in PROVIDERS:
        entries = world.sandbox.requests(provider)
        assert world.sandbox.most_at_once(provider) == 1
        assert len({entry.connection for entry in entries}) == 1
    for entry in world.sandbox.requests("openai"):
        query = dict(entry.query)
        seconds = int(query["end_time"]) - int(query["start_time"])
        assert seconds % 86400 == 0
        assert seconds <= 31 * 86400
        assert int(query["limit"]) <= 31


def test_every_page_is_asked_for_with_the_same_parameters(world: World) -> None:
    """A page token is bound to its query."""
    world.sandbox.knobs.page_buckets = 10
    world.collect()
    for provider in PROVIDERS:
        first = {}
        for entry in world.sandbox.requests(provider):
            query = tuple(pair for pair in entry.query if pair[0] != "page")
            first.setdefault((entry.path, query), 0)
            first[entry.path, query] += 1
        assert set(first.values()) == {2}  # 18 days in pages of 10


REFUSED = [
    "captive_portal", "redirect", "cut_json", "trailing_garbage", "byte_order_mark", "bad_utf8", "huge_page", "gzip",
    "not_an_object", "deep_nesting", "duplicate_members", "no_data", "data_is_null", "has_more_is_text",
    "has_more_without_token", "repeated_token", "missing_bucket", "duplicate_bucket", "bucket_out_of_range",
    "bucket_off_midnight", "duplicate_row", "results_is_null", "nan", "infinity", "overflow", "huge_exponent",
    "beyond_int64", "many_digits", "null_number", "bool", "list", "empty_text", "comma", "underscore", "arabic_digit",
    "nan_text", "no_currency", "null_currency", "lone_surrogate", "nul", "bad_request", "payment_required", "not_found",
    "unprocessable", "bad_request_do_retry", "server_error_do_not_retry", "rate_limited_huge", "rate_limited_for_good",
]  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
@pytest.mark.parametrize(
    ("provider", "path", "other"), [("openai", "/costs", "anthropic"), ("anthropic", "cost_report", "openai")]
)
def test_a_wrong_answer_refuses_the_window_and_harms_nothing_else(
    world: World, fault: str, provider: str, path: str, other: str
) -> None:
    """One sentence, exit 1; what was stored stays as it was, and the other provider's figures are complete."""
    if fault == "repeated_token":
        world.sandbox.knobs.page_buckets = 1
    world.collect()
    before = world.stored(provider)
    world.sandbox.ledger.restate(provider, world.day(2), factor="3")
    world.sandbox.fault(provider, path, fault, times=9)
    answer = world.run("--task", "run_all")
    assert answer.code == 1
    assert world.stored(provider) == before
    assert world.stored(other) == world.truth(other, world.days())
    errors = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, answer.err
    assert ";" in errors[0]  # what happened; what to do
    assert "Traceback" not in answer.err
    assert world.rows(
        "SELECT status FROM runs WHERE plugin_name = ? ORDER BY started_at DESC, id DESC LIMIT 1", provider
    ) == [("failed",)]


@pytest.mark.parametrize("count", ["negative_tokens", "half_tokens", "bool", "list", "beyond_int64", "nan"])
@pytest.mark.parametrize(("provider", "path"), [("openai", "completions"), ("anthropic", "messages")])
def test_a_wrong_count_refuses_the_window(world: World, count: str, provider: str, path: str) -> None:
    """Usage is held to the same standard as money."""
    world.sandbox.fault(provider, path, count, times=9)
    assert world.run("--task", "run_all").code == 1
    assert world.stored(provider) == {}


RECOVERED = [
    "rate_limited", "rate_limited_date", "rate_limited_ms", "rate_limited_silent", "rate_limited_garbage",
    "rate_limited_negative", "timeout", "conflict", "server_error", "bad_gateway_html", "unavailable",
    "gateway_timeout", "overloaded", "reset", "reset_mid_body", "no_answer", "short_body", "empty_body", "slow_start",
    "unknown_field", "unknown_cost_type", "hostile_name",
]  # fmt: skip


@pytest.mark.parametrize("fault", RECOVERED)
@pytest.mark.parametrize(("provider", "path"), [("openai", "/costs"), ("anthropic", "cost_report")])
def test_what_passes_is_tried_again_and_what_is_strange_is_kept(
    world: World, fault: str, provider: str, path: str
) -> None:
    """One passing fault changes nothing in what is stored; an unknown field or type loses no money."""
    world.sandbox.fault(provider, path, fault)
    answer = world.collect()
    assert answer.code == 0, answer.err
    assert world.stored(provider) == world.truth(provider, world.days())


def test_a_server_that_keeps_failing_is_given_up_after_five_attempts(world: World) -> None:
    """Attempts and time are bounded; the next run catches up."""
    world.sandbox.fault("openai", "costs", "server_error", times=99)
    assert world.collect().code == 1
    assert len(world.sandbox.requests("openai")) == 5
    world.sandbox.clear_faults()
    assert world.collect().code == 0
    assert world.stored("openai") == world.truth("openai", world.days())


def test_an_asked_wait_is_kept(world: World) -> None:
    """Never shorter than what the provider asked for."""
    world.sandbox.fault("openai", "costs", "rate_limited")
    world.collect()
    assert sum(world.clock.slept) >= 1


def test_euros_stand_beside_dollars(world: World) -> None:
    """Kept, noted, never added."""
    world.sandbox.fault("openai", "costs", "euro")
    answer = world.collect()
    assert answer.code == 0
    money = answer.outcomes["openai"]["money"]
    assert sorted(each["currency"] for each in money) == ["EUR", "USD"]
    assert any("EUR" in note for note in answer.outcomes["openai"]["notes"])


def test_a_report_the_organization_lacks_is_noted_and_not_fatal(world: World) -> None:
    """403 or 404 on a sibling report."""
    world.sandbox.knobs.absent_reports = {"images": 404, "vector_stores": 403}
    answer = world.collect()
    assert answer.code == 0
    assert world.stored("openai") == world.truth("openai", world.days())
    assert len(answer.outcomes["openai"]["notes"]) == 2
    assert "images" in world.rows("SELECT notes FROM runs WHERE plugin_name = 'openai'")[0][0]


def test_a_report_that_is_lost_takes_no_day_and_no_figure_with_it(world: World) -> None:
    """What was known of it stays and counts; a day is not lost because the report failed for a part of the window."""
    world.collect()
    before = world.stored("openai")
    world.sandbox.knobs.absent_reports = {"embeddings": 403}
    answer = world.collect("--force")
    assert answer.outcomes["openai"]["days_restated"] == 0
    assert world.stored("openai") == before
    world.sandbox.knobs.absent_reports = {}
    world.sandbox.fault("openai", "images", "not_found", nth=2)
    answer = world.collect("--since", world.day(80), "--until", world.day(40))
    assert answer.outcomes["openai"]["days_new"] == 40


def test_a_clock_that_was_ahead_settles_nothing(world: World) -> None:
    """Days read by a run of the future are read again once the clock is right."""
    now = world.clock.now
    world.clock.now = lambda: now() + timedelta(days=60)
    world.collect("--since", world.day(20))
    world.clock.now = now
    answer = world.collect()
    assert "read later than now" in answer.err
    assert answer.outcomes["openai"]["days_missing"] == 0
    statuses = "SELECT DISTINCT day_status FROM results WHERE date > ? AND date <= ?"
    assert world.rows(statuses, world.day(30), world.day(1)) == [("provisional",)]


def test_the_day_that_ends_while_we_ask_may_be_left_out(world: World) -> None:
    """Planned before midnight, answered after it: what was open when the asking began need not be there."""
    real = world.clock.now
    last_second = real().replace(hour=23, minute=59, second=59) - timedelta(days=1)
    world.clock.now = lambda: real() if world.sandbox.journal else last_second
    world.sandbox.fault("openai", "costs", "missing_last_bucket", times=9)
    answer = world.collect("--since", world.day(5))
    assert answer.code == 0, answer.err
    assert sorted(world.stored("openai")) == [world.day(number) for number in (5, 4, 3, 2)]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("name", "key", "provider", "says"),
    [
        ("OPENAI_ADMIN_KEY", "sk-proj-abcdefgh1234567890", "openai", "api.usage.read"),
        ("ANTHROPIC_ADMIN_KEY", "sk-ant-api03-abcdefgh1234567890", "anthropic", "sk-ant-admin01-"),
    ],
)
def test_a_key_of_the_wrong_kind_is_told_once_and_not_tried_again(
    world: World, status: int, name: str, key: str, provider: str, says: str
) -> None:
    """Which setting, which key it must be, where to make it, which scope; the key itself is nowhere."""
    world.sandbox.knobs.wrong_key_status = status
    world.write_env(**{name: key})
    answer = world.run("--task", "run_all")
    assert answer.code == 1
    (line,) = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    assert name in line
    assert says in line
    assert "https://" in line
    assert len(world.sandbox.requests(provider)) == 1
    assert key not in answer.err + (world.home / "agent.log").read_text()
    assert world.run("--task", f"fetch_{provider}").code == 3


def test_a_key_revoked_between_two_pages_stores_nothing(world: World) -> None:
    """All pages or nothing."""
    world.sandbox.knobs.page_buckets = 5
    world.sandbox.fault("anthropic", "cost_report", "key_revoked", nth=2)
    assert world.run("--task", "run_all").code == 1
    assert world.stored("anthropic") == {}


def test_a_provider_without_a_key_is_disabled_and_the_run_is_green(world: World) -> None:
    """It is named in a line of its own; the reason is in the JSON and in the database."""
    world.keys = {"OPENAI_API_KEY": world.sandbox.openai_key}
    world.write_env()
    answer = world.run("--task", "run_all")
    assert answer.code == 0
    assert [line.split()[0] for line in answer.out.splitlines() if "success" in line] == ["openai"]
    assert "disabled" not in answer.out
    assert answer.out.splitlines()[-1] == "not set up: anthropic (`providers` tells how)"
    reason = "disabled: ANTHROPIC_API_KEY or ANTHROPIC_ADMIN_KEY is not set"
    assert world.rows("SELECT status, error FROM runs WHERE plugin_name = 'anthropic'") == [("skipped", reason)]
    assert world.collect().outcomes["anthropic"]["reason"] == reason


def test_that_a_provider_is_disabled_is_written_down_once(world: World) -> None:
    """Until something else becomes of it: another reason, a key, and then none again."""
    key = {"ANTHROPIC_ADMIN_KEY": world.sandbox.anthropic_key}
    world.keys = {"OPENAI_ADMIN_KEY": world.sandbox.openai_key}
    for more, runs in (({}, 1), ({}, 1), (key, 2), ({}, 3), ({}, 3)):
        world.write_env(**more)
        assert world.collect().code == 0
        assert world.rows("SELECT count(*) FROM runs WHERE task = 'fetch_anthropic'") == [(runs,)]


def test_nothing_set_up_is_told_with_what_to_do(world: World) -> None:
    """Exit 3, one sentence however many providers there are, the keys that most people have, and no database."""
    world.keys = {}
    world.write_env()
    answer = world.run("--task", "run_all")
    assert answer.code == 3
    assert (
        "nothing to collect from: neither OPENAI_API_KEY nor ANTHROPIC_API_KEY is set, and no log was found"
        in answer.err
    )
    for word in ("OPENAI_ADMIN_KEY", "ANTHROPIC_ADMIN_KEY", ".env", "`providers`", "`demo`"):
        assert word in answer.err
    assert not (world.home / "agent_os.db").exists()
    answer = world.run("--task", "fetch_anthropic")
    assert answer.code == 3
    assert "anthropic is disabled: ANTHROPIC_API_KEY or ANTHROPIC_ADMIN_KEY is not set" in answer.err


def test_a_task_that_runs_elsewhere_is_busy(world: World) -> None:
    """Exit 4 at once, the holder named, nothing asked, nothing written."""
    world.collect()
    asked = len(world.sandbox.journal)
    runs = world.rows("SELECT count(*) FROM runs")
    lock = RunnerLock(str(world.home / "agent_os.db"), clock=Clock())
    lock.acquire()
    lease = iso(world.clock.now() + timedelta(minutes=2))
    take = "UPDATE slots SET status = 'due', owner = ?, lease_until = ? WHERE task = 'fetch_openai' AND key = ?"
    world.change(take, lock.owner, lease, world.today)
    answer = world.run("--task", "run_all")
    lock.release()
    assert answer.code == 4
    assert "fetch_openai is already running (process" in answer.err
    assert (len(world.sandbox.journal), world.rows("SELECT count(*) FROM runs")) == (asked, runs)


def test_what_another_run_read_meanwhile_is_not_asked_for_again(world: World) -> None:
    """Promise: two runs make one set of requests, even when the second gets the lock afterwards."""
    began = iso(world.clock.now())
    world.collect()
    asked = len(world.sandbox.journal)
    from agent_os.arguments import Arguments
    from agent_os.commands.run import order_of
    from agent_os.wiring import runner_of, setup_of

    args = Arguments()
    args.home, args.quiet = str(world.home), True
    home = args.open()
    setup = setup_of(home)
    units = runner_of(home, setup).run(list(setup.collectors), order_of(args, home), began_at=began)
    home.close()
    assert {unit.status for unit in units} == {"skipped"}
    assert len(world.sandbox.journal) == asked


def test_an_interrupted_run_is_closed_by_the_next(world: World) -> None:
    """Nothing stays running for ever."""
    world.collect()
    world.change("UPDATE runs SET status = 'running', finished_at = NULL WHERE plugin_name = 'openai'")
    world.collect()
    assert world.rows("SELECT status, count(*) FROM runs GROUP BY 1 ORDER BY 1") == [("failed", 1), ("success", 3)]
    assert world.rows("SELECT error FROM runs WHERE status = 'failed'")[0][0].startswith("interrupted")


def test_no_secret_is_anywhere_but_in_the_request(world: World) -> None:
    """Not in the output, the log, the database or an export."""
    world.sandbox.fault("openai", "usage", "bad_key")
    answer = world.run("--task", "run_all", "--verbose")
    world.run("--task", "export", "--table", "runs")
    found = (
        answer.out
        + answer.err
        + "".join(file.read_bytes().decode("latin-1") for file in world.home.iterdir() if file.name != ".env")
    )
    for key in world.keys.values():
        assert key not in found
        assert key[-12:] not in found


def test_offline_is_one_sentence(world: World) -> None:
    """Nobody listens: the provider and what to do, exit 1."""
    world.sandbox.stop("openai")
    answer = world.run("--task", "run_all")
    assert answer.code == 1
    (line,) = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    assert "127.0.0.1" in line
    assert world.stored("anthropic") == world.truth("anthropic", world.days())


def test_the_log_is_json_lines(world: World) -> None:
    """Time, level, event, message first."""
    world.collect()
    for line in (world.home / "agent.log").read_text().splitlines():
        assert list(json.loads(line))[:4] == ["time", "level", "event", "message"]


def test_a_program_that_vendors_it_gets_an_exit_code(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`from agent_os.main import run_all_collectors`."""
    monkeypatch.chdir(world.home)
    assert run_all_collectors() == 0
    assert world.stored("openai") == world.truth("openai", world.days())


def test_two_runs_in_two_threads_of_one_program_are_two_runs(world: World) -> None:
    """One works, the other is busy; both end."""
    world.sandbox.latency = 0.02
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda: codes.append(main(["--task", "run_all", "--quiet", "--home", str(world.home)])))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) in ([0, 4], [0, 0])
    assert world.rows("SELECT count(*) FROM results") == [(72,)]
