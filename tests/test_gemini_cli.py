"""The log of Gemini CLI: its rules one by one as pure calls, and the sums of whole chats through the collector."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from laptop import laptop_of
from logs import MARKER, Logs

from agent_os.core import config
from agent_os.core.log_events import Answer, Counts
from agent_os.plugins.gemini_cli import GeminiCli

HASH = "5eb97eaffa8e54844d59a44d0c1a399d7e11eff9b0dbdc4f65d4ab7faecd90e1"
CHATS = f".gemini/tmp/{HASH}/chats"
HEAD: dict[str, Any] = {"sessionId": "3bacc8a0-24d6-4415-9b2e-a2635c02e54c", "projectHash": HASH, "kind": "main"}
FIRST, OTHER = "26522e6d-0b73-434e-a65d-bb783dab2738", "26522e6d-0b73-434e-a65d-bb783dab2739"


def message(name: str = FIRST, at: str = "2026-11-18T10:00:09.123Z", **tokens: Any) -> dict[str, Any]:
    return {
        "id": name, "timestamp": at, "type": "gemini", "content": MARKER, "model": "gemini-3-pro",
        "thoughts": [{"subject": MARKER}], "tokens": tokens,
    }  # fmt: skip


SAID = {"id": "1", "timestamp": "2026-11-18T10:00:00Z", "type": "user", "content": MARKER}
ONE = message(input=1000, output=50, cached=400, thoughts=20, tool=0, total=1070)
TWO = message(OTHER, "2026-11-19T10:00:00Z", input=10, output=5, cached=0, thoughts=0, tool=7, total=22)
SUMS = {
    ("2026-11-18", "gemini-3-pro", "input"): 600,
    ("2026-11-18", "gemini-3-pro", "cache_read"): 400,
    ("2026-11-18", "gemini-3-pro", "output"): 70,
    ("2026-11-18", "gemini-3-pro", "requests"): 1,
    ("2026-11-19", "gemini-3-pro", "input"): 17,
    ("2026-11-19", "gemini-3-pro", "output"): 5,
    ("2026-11-19", "gemini-3-pro", "requests"): 1,
}


@pytest.fixture
def logs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Logs:
    monkeypatch.delenv("GEMINI_DATA_DIR", raising=False)
    return laptop_of(tmp_path, monkeypatch, capsys, kind=Logs)


def answers(*lines: Any, path: str = f"/u/{CHATS}/session-1.jsonl") -> list[Answer]:
    """What these lines of one file tell of; what is remembered goes through JSON after each, as between readings."""
    source = GeminiCli(config.load(home=".", environ={"HOME": "/nowhere"}), lambda _: pytest.fail("a request"))
    found, carry = [], {}
    for data in lines:
        for each in source.messages(data):
            answer = source.answer(each, carry, path=path)
            carry = json.loads(json.dumps(carry))
            if answer:
                found.append(answer)
    return found


# --- one answer -------------------------------------------------------------------------------------------------------


def test_input_is_with_the_cache_and_thoughts_are_output() -> None:
    """1000 of input with 400 from the cache, 50 of output and 20 of thoughts beside it: 600, 400 and 70."""
    (answer,) = answers(HEAD, SAID, ONE)
    assert answer.counts == Counts(input=600, cache_read=400, output=70)
    assert (answer.model, answer.moment) == ("gemini-3-pro", ("2026-11-18", 1_794_996_009))


def test_what_tools_gave_is_input() -> None:
    """It is no part of `input`: 10 and 7."""
    assert [each.counts for each in answers(HEAD, TWO)] == [Counts(input=17, output=5)]


@pytest.mark.parametrize(
    "told",
    [SAID, {**ONE, "type": "info"}, {**ONE, "tokens": None}, {**ONE, "tokens": {}}, {"$rewindTo": FIRST}, {"$set": {}}],
    ids=["user", "info", "null", "none", "rewind", "set"],
)
def test_what_tells_of_no_answer_counts_nothing(told: Any) -> None:
    """What the user said, what is only shown, an answer that is still coming, changes of the chat."""
    assert answers(HEAD, told) == []


@pytest.mark.parametrize(
    "tokens", [{"input": -1}, {"input": 1, "cached": 2}, {"output": 10**10}, {"input": "1"}, {"thoughts": 1.5}]
)
def test_counts_that_cannot_be_are_refused(tokens: dict[str, Any]) -> None:
    """They are counted as faults by the reading; nothing of them is added up."""
    with pytest.raises(ValueError, match="cannot be"):
        answers(HEAD, message(**tokens))


def test_a_line_may_set_all_messages() -> None:
    """`$set` with messages, as a resumed or compressed chat writes it."""
    assert [each.message for each in answers(HEAD, {"$set": {"messages": [SAID, ONE, TWO]}})] == [FIRST, OTHER]


def test_an_id_is_the_only_one_of_its_kind_or_one_of_its_chat() -> None:
    """A chat that was copied or moved brings the same long ids; short ones count within their chat."""
    other = {**HEAD, "sessionId": "another"}
    assert answers(HEAD, ONE)[0].message == answers(other, ONE)[0].message
    short = {**ONE, "id": "2"}
    assert answers(HEAD, short)[0].message != answers(other, short)[0].message
    assert answers(HEAD, short)[0].message == answers(HEAD, short)[0].message


@pytest.mark.parametrize(
    ("folder", "head", "project"),
    [
        (HASH, HEAD, ""), ("my-shop", HEAD, "my-shop"), (HASH, {**HEAD, "directories": ["/home/u/Shop"]}, "Shop"),
        ("my-shop", {**HEAD, "directories": []}, "my-shop"),
    ],
    ids=["hash", "name", "path", "no path"],
)  # fmt: skip
def test_a_project_is_what_the_log_names(folder: str, head: dict[str, Any], project: str) -> None:
    """The path in the header, else the folder, unless that is only a hash."""
    assert [each.project for each in answers(head, ONE, path=f"/u/.gemini/tmp/{folder}/chats/s.jsonl")] == [project]


# --- through the collector --------------------------------------------------------------------------------------------


def document(*messages: Any) -> dict[str, Any]:
    return {**HEAD, "startTime": "2026-11-18T10:00:00Z", "messages": list(messages)}


def test_a_chat_is_summed_by_day(logs: Logs) -> None:
    """One document; estimated, of Google; no word of a prompt and no id is kept anywhere."""
    logs.put(f"{CHATS}/session-a.json", json.dumps(document(SAID, ONE, TWO), indent=2))
    outcome = logs.read("gemini_cli")
    assert (outcome["status"], outcome["notes"]) == ("success", [])
    assert logs.sums("gemini_cli") == SUMS
    assert logs.column("gemini_cli", "account") == {"google"}
    assert logs.column("gemini_cli", "basis") == {"estimated"}
    kept = logs.everything_kept()
    for secret in (MARKER, FIRST, HEAD["sessionId"], HASH):
        assert secret.encode() not in kept


def test_a_message_that_is_written_again_counts_as_the_last_time(logs: Logs) -> None:
    """In a file of lines, with a reading between; with fewer tokens too. What was rewound was answered."""
    early = message(input=9000, output=900, cached=0)
    logs.put(f"{CHATS}/session-a.jsonl", HEAD, SAID, early)
    logs.read("gemini_cli")
    logs.put(f"{CHATS}/session-a.jsonl", ONE, {"$rewindTo": FIRST}, TWO, more=True)
    logs.read("gemini_cli")
    assert logs.sums("gemini_cli") == SUMS


def test_a_document_that_changed_is_read_again(logs: Logs) -> None:
    """It is written whole each time; a half-written one is read the next time."""
    whole = json.dumps(document(SAID, ONE, TWO)).encode()
    file = logs.put(f"{CHATS}/session-a.json", document(SAID, ONE))
    logs.read("gemini_cli")
    file.write_bytes(whole[:-30])
    assert logs.read("gemini_cli")["notes"] == ["passed over: 1 line that is no JSON"]
    file.write_bytes(whole)
    assert logs.read("gemini_cli")["notes"] == []
    assert logs.sums("gemini_cli") == SUMS


def test_both_forms_of_a_chat_count_once(logs: Logs) -> None:
    """The tool has changed from documents to lines, and moved chats to folders with a name; sub-agents lie deeper."""
    logs.put(f"{CHATS}/session-a.json", document(SAID, ONE))
    logs.put(".gemini/tmp/shop/chats/session-a.jsonl", HEAD, SAID, ONE)
    logs.put(".gemini/tmp/shop/chats/3bacc8a0/sub.jsonl", {**HEAD, "kind": "subagent"}, TWO)
    logs.put(".gemini/tmp/shop/logs.json", message("x" * 40, input=1))
    logs.put(".gemini/tmp/shop/other/chats/session-b.jsonl", HEAD, message("x" * 40, input=5))
    logs.read("gemini_cli")
    assert logs.sums("gemini_cli") == SUMS


def test_what_is_broken_is_counted_and_the_rest_collected(logs: Logs) -> None:
    """Said once with its number; other files and the lines around it count."""
    logs.put(f"{CHATS}/session-a.jsonl", HEAD, ONE, '{"tokens": ', '["tokens"]', message(input=-1), TWO)
    logs.put(f"{CHATS}/session-b.json", b"\x00\xff\x80")
    logs.put(f"{CHATS}/session-c.json", '{"messages": 5, "sessionId": "c"}')
    logs.put(f"{CHATS}/session-d.json", "[" * 100_000 + '"tokens"')
    (logs.user / CHATS / "session-e.json").write_bytes(b"")
    (logs.user / CHATS / "session-f.json").symlink_to("nothing")
    (logs.user / CHATS / "round").symlink_to(logs.user / CHATS, target_is_directory=True)
    assert logs.read("gemini_cli")["notes"] == [
        "passed over: 3 answers with impossible figures",
        "passed over: 3 lines that are no JSON",
        "passed over: 1 file that could not be looked at",
    ]
    assert logs.sums("gemini_cli") == SUMS


def test_gemini_data_dir_is_obeyed(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of ~/.gemini."""
    logs.put(f"there/tmp/{HASH}/chats/session-a.jsonl", HEAD, ONE, TWO)
    logs.put(f"{CHATS}/session-b.jsonl", HEAD, message("x" * 40, input=5))
    monkeypatch.setenv("GEMINI_DATA_DIR", f"{logs.user}/there")
    logs.read("gemini_cli")
    assert logs.sums("gemini_cli") == SUMS


def test_without_a_log_the_reason_is_said(logs: Logs) -> None:
    """Where it was looked for."""
    assert "gemini_cli is disabled: there is no log at ~/.gemini/tmp" in logs.refused("gemini_cli")
