"""When something is tried again, how long is waited before, and when it is left at that."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from agent_os.core.clock import Clock
from agent_os.core.errors import ConfigError, PermanentError, TransientError
from agent_os.core.retry import Retry, UnreachableError, asked_wait, should_retry

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=timezone.utc)


class TestClock(Clock):
    """Time that moves only when somebody sleeps or a try takes long."""

    __test__ = False

    def __init__(self):
        self.seconds = 1000.0

    def monotonic(self):
        return self.seconds

    def sleep(self, seconds):
        self.seconds += seconds


class Tries:
    """A call that fails with the given errors one after the other and then succeeds; each try takes `takes` seconds."""

    def __init__(self, clock, *failures, takes=0.0):
        self.clock, self.failures, self.takes, self.count = clock, list(failures), takes, 0

    def __call__(self):
        self.count += 1
        self.clock.seconds += self.takes
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def run(retry, tries, *, chance=0.0, stop=None):
    """The value, and the waits in seconds that led to it."""
    waits = []
    value = retry.call(
        tries, clock=tries.clock, random=lambda: chance, on_wait=lambda wait: waits.append(wait.seconds), stop=stop
    )
    return value, waits


def give_up(retry, tries, **options):
    """The error the last try became."""
    with pytest.raises(TransientError) as caught:
        run(retry, tries, **options)
    return caught.value


def failures(count, **details):
    return [TransientError("busy", **details) for _ in range(count)]


def test_what_works_is_not_repeated():
    """A call that succeeds is made once and nothing is waited for."""
    tries = Tries(TestClock())
    assert run(Retry(), tries) == ("done", [])
    assert tries.count == 1


def test_waits_double_up_to_the_cap():
    """0.5 s, 1, 2, 4, 8, 8 ...: each wait twice the one before, none above the cap."""
    _, waits = run(Retry(attempts=8), Tries(TestClock(), *failures(7)))
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_chance_shortens_a_wait_by_up_to_a_quarter():
    """Jitter is taken off, never put on top."""
    _, waits = run(Retry(), Tries(TestClock(), *failures(2)), chance=0.999999)
    assert waits == pytest.approx([0.375, 0.75], abs=1e-4)


def test_the_wait_is_really_waited():
    """The clock sleeps as long as is announced."""
    clock = TestClock()
    run(Retry(), Tries(clock, *failures(2)))
    assert clock.seconds == 1001.5


def test_five_attempts_and_no_more():
    """After the last attempt the error says how many there were and how long they took."""
    tries = Tries(TestClock(), *failures(9, status=503))
    error = give_up(Retry(), tries)
    assert tries.count == 5
    assert error.message == "busy; gave up after 5 attempts in 8 s"
    assert error.status == 503
    assert "next run catches up" in error.hint


@pytest.mark.parametrize("error", [PermanentError("no"), ConfigError("no"), ValueError("no"), KeyboardInterrupt()])
def test_only_a_transient_error_is_tried_again(error):
    """The error says whether another try is worth it; all others pass at once, as they are."""
    tries = Tries(TestClock(), error)
    with pytest.raises(type(error)) as caught:
        run(Retry(), tries)
    assert caught.value is error
    assert tries.count == 1


def test_the_budget_counts_the_tries_too():
    """Two tries of 50 s and the waits leave room for no third within 101 s."""
    tries = Tries(TestClock(), *failures(9), takes=50.0)
    error = give_up(Retry(budget_seconds=101.0), tries)
    assert tries.count == 2
    assert (
        error.message
        == "busy; gave up after 2 attempts in 100 s: the next one in 1 s would not fit into the 101 s allowed"
    )


def test_a_wait_that_was_asked_for_is_waited_in_full():
    """Chance only adds to it: at least what was asked, a little more so that not all clients return at once."""
    for chance in (0.0, 0.999):
        _, waits = run(Retry(), Tries(TestClock(), *failures(1, retry_after=7.0)), chance=chance)
        assert 7.0 <= waits[0] <= 7.5


def test_an_error_that_ends_it_keeps_what_it_knows():
    """Also that something may have happened: whoever hands in a call that sends is not told less for it."""
    error = give_up(Retry(attempts=2), Tries(TestClock(), *failures(9, may_have_happened=True)))
    assert error.may_have_happened
    assert not give_up(Retry(attempts=2), Tries(TestClock(), *failures(9))).may_have_happened


def test_zero_asked_is_the_usual_wait():
    """`Retry-After: 0` is no leave to hammer."""
    assert run(Retry(), Tries(TestClock(), *failures(1, retry_after=0.0)))[1] == [0.5]


def test_a_wait_beyond_all_patience_ends_it_at_once():
    """More than 120 s asked for: nothing is waited, and the sentence names the wait."""
    clock = TestClock()
    tries = Tries(clock, *failures(1, retry_after=3600.0, status=429))
    error = give_up(Retry(budget_seconds=9999), tries)
    assert (tries.count, clock.seconds) == (1, 1000.0)
    assert error.message == "busy; gave up: a wait of 3600 s was asked for, more than the 120 s that are waited at most"
    assert error.retry_after == 3600.0
    assert "next run catches up" in error.hint


def test_a_wait_beyond_what_is_left_ends_it_at_once():
    """Asked for 60 s with 50 s of the budget left: waiting would only lose time."""
    clock = TestClock()
    error = give_up(Retry(budget_seconds=100.0), Tries(clock, *failures(1, retry_after=60.0), takes=50.0))
    assert clock.seconds == 1050.0
    assert "would not fit into the 100 s allowed" in error.message


def test_the_vendors_hint_is_kept():
    """A hint that says what to do is worth more than the general one."""
    assert give_up(Retry(attempts=1), Tries(TestClock(), *failures(1, hint="top up"))).hint == "top up"


def test_without_a_connection_patience_is_short():
    """Offline is said within half a minute, however large the budget."""
    clock = TestClock()
    error = give_up(Retry(attempts=99), Tries(clock, *[UnreachableError("offline?") for _ in range(99)], takes=10.0))
    assert isinstance(error, UnreachableError)
    assert clock.seconds - 1000.0 < 30


def test_a_stop_ends_a_wait_within_a_quarter_of_a_second():
    """A signal does not wait for the end of a pause, and no further try begins."""
    clock = TestClock()
    tries = Tries(clock, *failures(9, retry_after=100.0))
    error = give_up(Retry(), tries, stop=lambda: clock.seconds >= 1003.0)
    assert tries.count == 1
    assert 1003.0 <= clock.seconds <= 1003.25
    assert error.message == "busy; stopped while waiting to try again"


def test_nothing_is_tried_again_after_a_stop():
    """What fails because it was stopped is not started anew."""
    tries = Tries(TestClock(), *failures(1))
    assert give_up(Retry(), tries, stop=lambda: True).message == "busy; stopped"
    assert tries.count == 1


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
@pytest.mark.parametrize("wish", ["true", "false", ""])
def test_a_wrong_request_is_never_repeated(status, wish):
    """Whatever the header says: asking again cannot help."""
    assert should_retry(status, {"x-should-retry": wish}) is False


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529, 599])
def test_a_passing_failure_is_repeated(status):
    assert should_retry(status, {}) is True


@pytest.mark.parametrize("status", [200, 204, 301, 405, 410, 413, 451])
def test_other_statuses_are_final(status):
    assert should_retry(status, {}) is False


def test_the_servers_wish_wins_over_the_status():
    """`x-should-retry` says yes to a 405 and no to a 429; a value that is neither says nothing."""
    assert should_retry(405, {"x-should-retry": "true"}) is True
    assert should_retry(429, {"x-should-retry": "False"}) is False
    assert should_retry(429, {"x-should-retry": "maybe"}) is True


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, None, id="nothing asked"),
        pytest.param({"retry-after": "7"}, 7.0, id="seconds"),
        pytest.param({"retry-after": " 1.5 "}, 1.5, id="fractions and blanks"),
        pytest.param({"retry-after": "0"}, 0.0, id="zero"),
        pytest.param({"retry-after-ms": "1500"}, 1.5, id="milliseconds"),
        pytest.param({"retry-after-ms": "20", "retry-after": "7"}, 0.02, id="milliseconds first"),
        pytest.param({"retry-after-ms": "soon", "retry-after": "7"}, 7.0, id="unreadable milliseconds"),
        pytest.param({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30.0, id="date"),
        pytest.param({"retry-after": "Sunday, 22-Nov-26 12:00:30 GMT"}, 30.0, id="date of RFC 850"),
        pytest.param({"retry-after": "Sun Nov 22 12:00:30 2026"}, 30.0, id="date of asctime"),
        pytest.param({"retry-after": "Sun, 22 Nov 2026 11:59:59 GMT"}, None, id="date gone by"),
        pytest.param({"retry-after": "-5"}, None, id="negative"),
        pytest.param({"retry-after": "soon"}, None, id="word"),
        pytest.param({"retry-after": "nan"}, None, id="nan"),
        pytest.param({"retry-after": "inf"}, None, id="inf"),
        pytest.param({"retry-after": "1e3"}, None, id="exponent"),
        pytest.param({"retry-after": "1_0"}, None, id="underscore"),
        pytest.param({"retry-after": "٣"}, None, id="arabic digit"),
        pytest.param({"retry-after": ""}, None, id="empty"),
        pytest.param({"retry-after": "Sun, 99 Foo 2026 99:99:99 GMT"}, None, id="no date"),
        pytest.param({"retry-after": "Sun, 22 Nov 99999 12:00:30 GMT"}, None, id="year beyond reason"),
        pytest.param({"retry-after": "9" * 30}, 1e30, id="huge"),
        pytest.param({"retry-after": "9" * 400}, float("inf"), id="beyond all numbers"),
    ],
)
def test_what_a_response_asks_for(headers, seconds):
    """An unreadable wish is no wish, never an exception; a huge one is a reason to give up, which Retry decides."""
    assert asked_wait(headers, NOON) == (pytest.approx(seconds) if seconds is not None else None)
