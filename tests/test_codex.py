"""The log of Codex: its rules one by one as pure calls, and the sums of whole sessions through the collector."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import pytest
from laptop import laptop_of
from logs import MARKER, Line, Logs

from agent_os.core import config
from agent_os.core.log_events import Answer, Counts
from agent_os.plugins.codex import Codex

FOLDER = ".codex/sessions/2026/11/18"
PARENT = "019a9000-0000-7000-8000-00000000000a"  # ids of version 7: the first 48 bits are the millisecond
BORN = "2026-11-18T10:00:00"
BORN_MS = 1_794_996_000_000


def minted(after_ms: int, tail: str = "00000000000b") -> str:
    """An id of version 7 that was made so many milliseconds after 10:00 on 18 November 2026."""
    digits = f"{BORN_MS + after_ms:012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-{tail}"


def line(kind: str, at: str, **payload: Any) -> dict[str, Any]:
    ordinal = {"ordinal": payload.pop("ordinal")} if "ordinal" in payload else {}
    return {"timestamp": at, **ordinal, "type": kind, "payload": payload}


def meta(name: str = minted(0), at: str = f"{BORN}.000Z", **more: Any) -> dict[str, Any]:
    return line("session_meta", at, **{"id": name, "timestamp": at, "cwd": "/home/u/shop", **more})


def turn(at: str, model: str = "gpt-5.5", **more: Any) -> dict[str, Any]:
    return line("turn_context", at, model=model, user_instructions=MARKER, **more)


def usage(sent: int, cached: int, output: int, reasoning: int, written: Optional[int] = None) -> dict[str, int]:
    found = {
        "input_tokens": sent, "cached_input_tokens": cached, "output_tokens": output,
        "reasoning_output_tokens": reasoning, "total_tokens": sent + output,
    }  # fmt: skip
    return found if written is None else {**found, "cache_write_input_tokens": written}


def count(at: str, total: Any = None, last: Any = None, ordinal: Optional[int] = None) -> dict[str, Any]:
    info = {"total_token_usage": total, "last_token_usage": last, "model_context_window": 272000}
    told = {key: value for key, value in info.items() if value is not None}
    return line("event_msg", at, type="token_count", info=told, **({} if ordinal is None else {"ordinal": ordinal}))


ONE = usage(1000, 400, 50, 20)
TWO = usage(3000, 2000, 80, 30)  # 1000 + 2000, 400 + 1600, 50 + 30, 20 + 10
SECOND = usage(2000, 1600, 30, 10)


@pytest.fixture
def logs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Logs:
    monkeypatch.delenv("CODEX_HOME", raising=False)
    return laptop_of(tmp_path, monkeypatch, capsys, kind=Logs)


def answers(*lines: Any) -> list[Answer]:
    """What these lines of one file tell of; what is remembered goes through JSON after each, as between readings."""
    source = Codex(config.load(home=".", environ={"HOME": "/nowhere"}), lambda _: pytest.fail("a request"))
    found, carry = [], {}
    for each in lines:
        answer = source.answer(each, carry, path="/x/rollout-a.jsonl")
        carry = json.loads(json.dumps(carry))
        if answer:
            found.append(answer)
    return found


def counts(*lines: Any) -> list[Counts]:
    return [answer.counts for answer in answers(*lines)]


# --- one answer -------------------------------------------------------------------------------------------------------


def test_input_is_with_the_cache_and_output_with_the_reasoning() -> None:
    """1000 of input of which 400 came from the cache, 50 of output of which 20 were reasoning: 600, 400 and 50."""
    assert counts(meta(), turn(f"{BORN}.100Z"), count(f"{BORN[:-2]}09.000Z", ONE, ONE)) == [
        Counts(input=600, cache_read=400, output=50)
    ]


def test_what_is_written_into_the_cache_is_within_the_input() -> None:
    """Newer versions say it: 1000 = 300 new, 400 read, 300 written."""
    told = usage(1000, 400, 50, 0, written=300)
    assert counts(meta(), count(f"{BORN[:-2]}09.000Z", told, told)) == [
        Counts(input=300, cache_read=400, cache_write=300, output=50)
    ]


def test_the_model_is_that_of_the_turn_before() -> None:
    """And of the latest one; a project is the folder worked in."""
    found = answers(
        meta(), turn("2026-11-18T10:00:01Z", "gpt-5.5"), count("2026-11-18T10:00:09Z", ONE, ONE),
        turn("2026-11-18T10:01:00Z", "gpt-5.5-mini"), count("2026-11-18T10:01:09Z", TWO, SECOND),
    )  # fmt: skip
    assert [(each.model, each.project, each.vendor) for each in found] == [
        ("gpt-5.5", "shop", ""), ("gpt-5.5-mini", "shop", ""),
    ]  # fmt: skip


def test_no_model_is_none() -> None:
    """It is not guessed: tokens of an unknown model stay without a price."""
    assert [each.model for each in answers(meta(), count("2026-11-18T10:00:09Z", ONE, ONE))] == [""]


def test_a_model_of_another_maker_is_not_one_of_openai() -> None:
    """The header names who serves it."""
    found = answers(meta(model_provider="ollama"), count("2026-11-18T10:00:09Z", ONE, ONE))
    assert [each.vendor for each in found] == ["ollama"]


@pytest.mark.parametrize(
    "told",
    [
        {"type": "token_count", "info": None, "rate_limits": {"plan_type": "plus"}},
        {"type": "token_count"},
        {"type": "agent_message", "message": MARKER},
        None,
        [],
    ],
    ids=["no info", "nothing", "text", "null", "list"],
)
def test_what_tells_of_no_answer_counts_nothing(told: Any) -> None:
    """News about rate limits, text, and what nobody knows."""
    line = {"timestamp": f"{BORN}Z", "type": "event_msg", "payload": told}
    assert counts(meta(), line, {"type": "new"}) == []


def test_a_record_of_the_same_answer_is_not_added() -> None:
    """CLI 0.153 writes `token_usage_record` beside each token_count."""
    record = line("token_usage_record", "2026-11-18T10:00:09Z", response_id="r", usage=ONE)
    assert len(counts(meta(), record, count("2026-11-18T10:00:09Z", ONE, ONE), record)) == 1


# --- totals -----------------------------------------------------------------------------------------------------------


def test_the_same_totals_are_the_same_answer() -> None:
    """The event is written again when limits change, with a new time."""
    found = counts(
        meta(), count("2026-11-18T10:00:09Z", ONE, ONE), count("2026-11-18T10:00:10Z", ONE, ONE),
        count("2026-11-18T10:00:20Z", TWO, SECOND), count("2026-11-18T10:00:21Z", TWO, SECOND),
    )  # fmt: skip
    assert found == [Counts(input=600, cache_read=400, output=50), Counts(input=400, cache_read=1600, output=30)]


def test_without_a_last_usage_totals_are_subtracted() -> None:
    """1000 then 3000: 1000 and 2000."""
    found = counts(meta(), count("2026-11-18T10:00:09Z", ONE), count("2026-11-18T10:00:20Z", TWO))
    assert found == [Counts(input=600, cache_read=400, output=50), Counts(input=400, cache_read=1600, output=30)]


def test_totals_that_shrink_are_a_new_count() -> None:
    """Never a negative number: what is counted now is all there is."""
    found = counts(meta(), count("2026-11-18T10:00:09Z", TWO), count("2026-11-18T10:00:20Z", ONE))
    assert found == [Counts(input=1000, cache_read=2000, output=80), Counts(input=600, cache_read=400, output=50)]


def test_totals_may_be_larger_than_any_one_request() -> None:
    """Sessions of milliards of tokens exist; the answer in one is small."""
    total = usage(3_158_656_533, 3_000_000_000, 9_000_000, 1_000_000)
    assert counts(meta(), count("2026-11-18T10:00:09Z", total, ONE)) == [Counts(input=600, cache_read=400, output=50)]


@pytest.mark.parametrize(
    "bad",
    [
        usage(-5, 0, 1, 0), usage(1, 2, 1, 0), usage(10**10, 0, 1, 0), {"input_tokens": "many"},
        {"input_tokens": 1.5}, {"input_tokens": True}, [1, 2], "1",
    ],
    ids=["negative", "more cached than sent", "absurd", "text", "a half", "true", "list", "string"],
)  # fmt: skip
def test_counts_that_cannot_be_are_refused(bad: Any) -> None:
    """They are counted as faults by the reading; nothing of them is added up."""
    with pytest.raises((ValueError, AttributeError)):
        answers(meta(), count("2026-11-18T10:00:09Z", ONE, bad))


def test_an_event_without_tokens_is_no_answer() -> None:
    """What a compaction leaves has only a size."""
    told = {**usage(0, 0, 0, 0), "total_tokens": 51_293}
    assert counts(meta(), count("2026-11-18T10:00:09Z", ONE, told)) == []


# --- the same answer in several files ---------------------------------------------------------------------------------


def keys(*lines: Any) -> list[str]:
    return [answer.message for answer in answers(*lines)]


def test_an_answer_is_known_by_time_model_and_counts_where_turns_have_no_id() -> None:
    """The same line under another session is the same answer; another time, model or count is another."""
    first = keys(meta(), turn("2026-11-18T10:00:01Z"), count("2026-11-18T10:00:09Z", ONE, ONE))
    assert keys(meta(PARENT), turn("2026-11-18T10:00:01Z"), count("2026-11-18T10:00:09Z", ONE, ONE)) == first
    assert keys(meta(), turn("2026-11-18T10:00:01Z"), count("2026-11-18T10:00:10Z", ONE, ONE)) != first
    assert keys(meta(), turn("2026-11-18T10:00:01Z", "o5"), count("2026-11-18T10:00:09Z", ONE, ONE)) != first
    assert keys(meta(), turn("2026-11-18T10:00:01Z"), count("2026-11-18T10:00:09Z", ONE, SECOND)) != first


def test_an_answer_is_known_by_its_turn_and_totals_where_turns_have_one() -> None:
    """A copy may have been given another time; the turn and the totals are copied as they are."""
    begun = turn("2026-11-18T10:00:01Z", turn_id=minted(1000))
    first = keys(meta(), begun, count("2026-11-18T10:00:09Z", ONE, ONE))
    assert keys(meta(), begun, count("2026-11-18T11:11:11Z", ONE, ONE)) == first
    assert keys(meta(), begun, count("2026-11-18T10:00:09Z", TWO, ONE)) != first
    other = turn("2026-11-18T10:00:01Z", turn_id=minted(1001))
    assert keys(meta(), other, count("2026-11-18T10:00:09Z", ONE, ONE)) != first


# --- forks ------------------------------------------------------------------------------------------------------------

FORK = meta(minted(0), forked_from_id=PARENT)
OWN = Counts(input=400, cache_read=1600, output=30)


def test_a_fork_does_not_count_the_history_it_begins_with() -> None:
    """All of it has the time of the copying, over the turn of a second too; the first own answer comes later."""
    assert counts(
        FORK, meta(PARENT, f"{BORN}.985Z"), turn(f"{BORN}.990Z"), count(f"{BORN}.999Z", ONE, ONE),
        count("2026-11-18T10:00:01.005Z", TWO, SECOND),
        turn("2026-11-18T10:00:07.000Z"), count("2026-11-18T10:00:11.000Z", usage(5000, 3600, 110, 40), SECOND),
    ) == [OWN]  # fmt: skip


def test_a_fork_may_be_copied_late() -> None:
    """Its id is made first; the headers and the history may be written seconds later, and take their time."""
    assert counts(
        meta(minted(0), "2026-11-18T10:00:03.000Z", forked_from_id=PARENT), meta(PARENT, "2026-11-18T10:00:03.900Z"),
        count("2026-11-18T10:00:04.500Z", usage(10, 0, 1, 0), usage(10, 0, 1, 0)),
        count("2026-11-18T10:00:05.200Z", ONE, usage(990, 400, 49, 20)), count("2026-11-18T10:00:09Z", TWO, SECOND),

    ) == [OWN]  # fmt: skip


def test_a_fork_whose_history_kept_its_times_does_not_count_it() -> None:
    """What is older than the session is not of it, over hours."""
    assert counts(
        FORK, meta(PARENT, "2026-11-18T07:00:00Z"), turn("2026-11-18T07:00:00Z"),
        count("2026-11-18T07:00:09Z", ONE, ONE), count("2026-11-18T09:00:09Z", TWO, SECOND),
        turn("2026-11-18T10:00:07Z"), count("2026-11-18T10:00:11Z", usage(5000, 3600, 110, 40), SECOND),
    ) == [OWN]  # fmt: skip


def test_the_id_of_a_turn_says_whether_it_is_of_the_fork() -> None:
    """Copied slowly, with a pause of seconds, and gone on with at once: the ids know what the times do not."""
    assert counts(
        FORK, meta(PARENT), turn(f"{BORN}.010Z", turn_id=minted(-9_000_000)), count(f"{BORN}.020Z", ONE, ONE),
        count("2026-11-18T10:00:04.000Z", TWO, SECOND),
        line("event_msg", "2026-11-18T10:00:04.010Z", type="task_started", turn_id=minted(4010)),
        count("2026-11-18T10:00:04.500Z", usage(5000, 3600, 110, 40), SECOND),
    ) == [OWN]  # fmt: skip


def test_an_id_that_holds_no_time_says_nothing() -> None:
    """Ids of version 4 are random; the burst tells."""
    random = "ffffffff-ffff-4000-8000-00000000000a"
    assert counts(
        FORK, meta(PARENT), turn(f"{BORN}.010Z", turn_id=random), count(f"{BORN}.020Z", ONE, ONE),
        turn("2026-11-18T10:00:05Z", turn_id=random[:-1]), count("2026-11-18T10:00:09Z", TWO, SECOND),
    ) == [OWN]  # fmt: skip


def test_a_header_that_names_the_first_own_line_decides() -> None:
    """`subagent_history_start_ordinal`: lines are numbered; times and turns are not asked."""
    header = {**meta(forked_from_id=PARENT, subagent_history_start_ordinal=5), "ordinal": 0}
    assert counts(
        header, count("2026-11-18T10:30:00Z", ONE, ONE, ordinal=3), count(f"{BORN}.100Z", TWO, SECOND, ordinal=5)
    ) == [OWN]  # fmt: skip


def test_a_sub_agent_that_begins_at_zero_is_counted_whole() -> None:
    """Most are given no history: the first answer comes seconds after the header, and is theirs."""
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": PARENT, "depth": 1}}}
    for header in (meta(source=spawned), meta(source=spawned, forked_from_id=PARENT)):
        assert counts(
            header, meta(PARENT, f"{BORN}.010Z"), turn(f"{BORN}.050Z"), count("2026-11-18T10:00:03Z", ONE, ONE),
        ) == [Counts(input=600, cache_read=400, output=50)]  # fmt: skip


def test_a_second_header_makes_a_copy_of_what_follows() -> None:
    """Older versions do not say that a session is a fork; the header of the parent, copied with the rest, does."""
    assert counts(meta(), meta(PARENT, f"{BORN}.001Z"), count(f"{BORN}.010Z", ONE, ONE)) == []


def test_a_session_that_has_gone_on_never_goes_back() -> None:
    """Headers come again when a session is resumed, its own and others', however soon."""
    assert counts(
        meta(), count(f"{BORN}.300Z", ONE, ONE), meta(PARENT, f"{BORN}.400Z"),
        count(f"{BORN}.500Z", TWO, SECOND),
    ) == [Counts(input=600, cache_read=400, output=50), OWN]  # fmt: skip


def test_the_first_totals_of_a_fork_are_not_its_own() -> None:
    """Without a last usage nobody knows what of them is: the answers after them are counted, these are not."""
    assert counts(FORK, count("2026-11-18T10:00:09Z", ONE), count("2026-11-18T10:00:20Z", TWO)) == [OWN]


# --- through the collector --------------------------------------------------------------------------------------------

TURN = minted(-5000)
SESSION: list[Line] = [
    meta(), turn("2026-11-18T10:00:01Z", turn_id=TURN),
    line("event_msg", "2026-11-18T10:00:02Z", type="user_message", message=MARKER),
    count("2026-11-18T10:00:09Z", ONE, ONE), count("2026-11-19T10:00:20Z", TWO, SECOND),
]  # fmt: skip
SUMS = {
    ("2026-11-18", "gpt-5.5", "input"): 600,
    ("2026-11-18", "gpt-5.5", "cache_read"): 400,
    ("2026-11-18", "gpt-5.5", "output"): 50,
    ("2026-11-18", "gpt-5.5", "requests"): 1,
    ("2026-11-19", "gpt-5.5", "input"): 400,
    ("2026-11-19", "gpt-5.5", "cache_read"): 1600,
    ("2026-11-19", "gpt-5.5", "output"): 30,
    ("2026-11-19", "gpt-5.5", "requests"): 1,
}


def test_a_session_is_summed_by_day(logs: Logs) -> None:
    """Estimated, of OpenAI, in the project's name; and no word of a prompt is kept anywhere."""
    logs.put(f"{FOLDER}/rollout-a.jsonl", *SESSION)
    outcome = logs.read("codex")
    assert (outcome["status"], outcome["notes"]) == ("success", [])
    assert logs.sums("codex") == SUMS
    assert logs.column("codex", "account") == {"openai"}
    assert logs.column("codex", "project") == {"shop"}
    assert logs.column("codex", "basis") == {"estimated"}
    assert MARKER.encode() not in logs.everything_kept()
    for secret in (minted(0), TURN, "/home/u"):
        assert secret.encode() not in logs.everything_kept()


def test_a_session_that_grows_is_read_on(logs: Logs) -> None:
    """Cut at every line, in the middle of one too: what is remembered of model and totals makes the same sums."""
    whole = b"".join(json.dumps(each).encode() + b"\n" for each in SESSION)
    file = logs.put(f"{FOLDER}/rollout-a.jsonl")
    for end in [*(cut + 1 for cut in range(len(whole)) if whole[cut : cut + 1] == b"\n"), len(whole)]:
        file.write_bytes(whole[: end - 20])
        logs.read("codex")
        file.write_bytes(whole[:end])
        logs.read("codex")
    assert logs.sums("codex") == SUMS


def test_an_archived_session_counts_once(logs: Logs) -> None:
    """Moved after it was read, or lying in both places."""
    active, archived = f"{FOLDER}/rollout-a.jsonl", ".codex/archived_sessions/rollout-a.jsonl"
    logs.put(active, *SESSION[:4])
    logs.read("codex")
    (logs.user / active).unlink()
    logs.put(archived, *SESSION)
    logs.read("codex")
    assert logs.sums("codex") == SUMS
    logs.put(active, *SESSION)
    logs.read("codex")
    assert logs.sums("codex") == SUMS


def test_what_was_read_stays_when_the_file_is_gone(logs: Logs) -> None:
    """The tool may tidy up; a day that was told stays told."""
    logs.put(f"{FOLDER}/rollout-a.jsonl", *SESSION)
    logs.read("codex")
    (logs.user / FOLDER / "rollout-a.jsonl").unlink()
    logs.read("codex")
    assert logs.sums("codex") == SUMS


def test_a_fork_adds_only_what_is_its_own(logs: Logs) -> None:
    """Parent and fork, the fork read first; the same sums when the parent is gone, but for what only it had."""
    own = count("2026-11-18T10:00:11Z", usage(5000, 3600, 110, 40), SECOND)
    copies = [{**each, "timestamp": f"{BORN}.{number:03}Z"} for number, each in enumerate(SESSION)]  # type: ignore[dict-item]
    copies[0] = {**copies[0], "payload": {**copies[0]["payload"], "id": PARENT}}
    logs.put(f"{FOLDER}/rollout-fork.jsonl", FORK, *copies, turn("2026-11-18T10:00:05Z"), own)
    logs.read("codex")
    mine = {
        ("2026-11-18", "gpt-5.5", "input"): 400,
        ("2026-11-18", "gpt-5.5", "cache_read"): 1600,
        ("2026-11-18", "gpt-5.5", "output"): 30,
        ("2026-11-18", "gpt-5.5", "requests"): 1,
    }
    assert logs.sums("codex") == mine
    logs.put(f"{FOLDER}/rollout-a.jsonl", *SESSION)
    logs.read("codex")
    assert logs.sums("codex") == {key: figure + mine.get(key, 0) for key, figure in SUMS.items()}


def test_what_is_broken_is_counted_and_the_rest_collected(logs: Logs) -> None:
    """Said once with its number, whatever it is; other files and the lines around it count."""
    logs.put(f"{FOLDER}/rollout-a.jsonl", *SESSION[:3], "no json", '{"type": "token_count", ', *SESSION[3:])
    logs.put(f"{FOLDER}/rollout-b.jsonl", b"\x00\xff\x80" * 100, b"")
    logs.put(f"{FOLDER}/rollout-c.jsonl")
    logs.put(
        f"{FOLDER}/rollout-d.jsonl", meta(minted(5)), count("2026-11-18T12:00:00Z", usage(-1, 0, 0, 0), ONE),
        count("2031-01-01T12:00:00Z", TWO, TWO), '["token_count"]', '3 "token_count"',
    )  # fmt: skip
    (logs.user / FOLDER / "rollout-e.jsonl").mkdir()
    (logs.user / FOLDER / "round").symlink_to(logs.user / ".codex", target_is_directory=True)
    outcome = logs.read("codex")
    assert outcome["notes"] == [
        "passed over: 4 lines that are no JSON",
        "passed over: 2 answers with impossible figures",
        "passed over: 1 answer at an impossible time (is the clock right?)",
    ]
    assert logs.sums("codex") == SUMS


def test_of_a_header_nothing_is_remembered_but_what_it_is_for(logs: Logs) -> None:
    """Where the number of a line should be, a text is none."""
    logs.put(f"{FOLDER}/rollout-a.jsonl", meta(subagent_history_start_ordinal=MARKER), *SESSION[1:])
    logs.read("codex")
    assert MARKER.encode() not in logs.everything_kept()


def test_a_vendor_that_is_no_text_ends_no_run(logs: Logs) -> None:
    """JSON can hold half a character, a database cannot."""
    logs.put(f"{FOLDER}/rollout-a.jsonl", meta(model_provider="half \ud83d"), *SESSION[1:])
    assert logs.read("codex")["status"] == "success"
    assert {kind: count for (_, _, kind), count in logs.sums("codex").items() if kind == "output"} != {}
    assert logs.column("codex", "account") == {"half ?"}


def test_spaces_and_the_order_of_keys_do_not_matter(logs: Logs) -> None:
    """Whoever writes JSON may write it so."""
    spaced = [json.dumps(dict(reversed(each.items())), indent=None, separators=(" , ", " : ")) for each in SESSION]  # type: ignore[union-attr]
    logs.put(f"{FOLDER}/rollout-a.jsonl", *spaced)
    logs.read("codex")
    assert logs.sums("codex") == SUMS


def test_sessions_that_were_compressed_unread_are_told(logs: Logs) -> None:
    """Codex packs what rests for a week; what was read before is not missing, though there is nothing else any more."""
    file = logs.put(f"{FOLDER}/rollout-a.jsonl", *SESSION)
    logs.read("codex")
    file.rename(file.with_name("rollout-a.jsonl.zst"))
    assert logs.read("codex")["notes"] == []
    logs.put(f"{FOLDER}/rollout-old.jsonl.zst", b"(\xb5/\xfd")
    assert logs.read("codex")["notes"] == ["passed over: 1 session compressed by Codex before anybody had read them"]


def test_days_whose_sessions_may_be_packed_are_not_called_empty(logs: Logs) -> None:
    """Only the last days are known whole while there are sessions that nobody could read."""
    early = [meta(minted(-(10**9))), count("2026-11-01T10:00:00Z", ONE, ONE)]
    logs.put(f"{FOLDER}/rollout-early.jsonl", *early)
    logs.put(f"{FOLDER}/rollout-old.jsonl.zst", b"(\xb5/\xfd")
    logs.read("codex")
    assert [day for (day,) in logs.rows("SELECT date FROM results ORDER BY date")] == [
        "2026-11-01", *(f"2026-11-{day}" for day in range(16, 23)),
    ]  # fmt: skip


def test_names_of_projects_can_be_left_out(logs: Logs) -> None:
    """Then they are nowhere, also not in what is remembered of a file; the sums are the same, read on or at once."""
    (logs.folder / ".env").write_text("AGENT_OS_PROJECT_NAMES=no\n", encoding="utf-8")
    (logs.folder / ".env").chmod(0o600)
    logs.put(f"{FOLDER}/rollout-a.jsonl", *SESSION[:4])
    logs.read("codex")
    logs.put(f"{FOLDER}/rollout-a.jsonl", *SESSION[4:], more=True)
    logs.read("codex")
    assert logs.sums("codex") == SUMS
    assert logs.column("codex", "project") == {""}
    assert b"shop" not in logs.everything_kept()


def test_codex_home_is_obeyed(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may name several folders; the usual one is then left alone."""
    logs.put(f"{FOLDER}/rollout-a.jsonl", meta(), count("2026-11-18T10:00:09Z", TWO, TWO))
    logs.put("there/sessions/rollout-a.jsonl", *SESSION)
    monkeypatch.setenv("CODEX_HOME", f"{logs.user}/nowhere, {logs.user}/there")
    logs.read("codex")
    assert logs.sums("codex") == SUMS


def test_without_a_log_the_reason_is_said(logs: Logs) -> None:
    """Where it was looked for."""
    assert "codex is disabled: there is no log at ~/.codex/sessions" in logs.refused("codex")
