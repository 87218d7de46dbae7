"""Local logs: each answer counts once, whatever the tool wrote and whenever it is read; no word of it is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from laptop import Laptop, laptop_of

from agent_os.core.log_events import Copies, Counts, Event, Group, context_of, key_of, moment_of
from agent_os.core.log_tree import BLOCK_BYTES
from agent_os.sandbox.server import Sandbox
from tests.fakes.environment import bare

ONE = ".claude/projects/-home-u-shop/one.jsonl"
TWO = ".claude/projects/-home-u-shop/two.jsonl"
SECRET = "the words of a prompt"


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Laptop:
    return laptop_of(tmp_path, monkeypatch, capsys)


def line(
    message: Any,
    *,
    request: Any = "req_1",
    at: Any = "2026-11-20T10:00:00.000Z",
    model: str = "claude-opus-5-5",
    output: Any = 10,
    side: bool = False,
    usage: Any = None,
    **more: Any,
) -> dict[str, Any]:
    """A line of an answer: 100 tokens in, and `output` out, unless a whole `usage` is given."""
    said = {"id": message, "model": model, "content": [{"type": "text", "text": SECRET}]}
    said["usage"] = {"input_tokens": 100, "output_tokens": output} if usage is None else usage
    found = {
        "type": "assistant", "timestamp": at, "requestId": request, "isSidechain": side, "cwd": "/home/u/shop",
        "message": said, **more,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


# --- each answer once -------------------------------------------------------------------------------------------------


def test_an_answer_that_streams_in_counts_once_with_its_last_usage(laptop: Laptop) -> None:
    """Its line is written again and again while it grows; the day is that of the first."""
    laptop.log(
        ONE,
        line("m1", output=1, at="2026-11-19T23:59:59.900Z"),
        line("m1", output=40, at="2026-11-20T00:00:01.000Z"),
        line("m1", output=431, at="2026-11-20T00:00:02.000Z"),
    )
    laptop.collect()
    assert laptop.tokens("claude_code") == {"2026-11-19": {"input": 100, "output": 431}}


def test_a_copy_in_another_file_is_the_same_answer(laptop: Laptop) -> None:
    """Resumed and forked sessions copy old lines; also when the copy is read first, or in another run."""
    laptop.log(TWO, line("m1", output=431), line("m2", request="req_2", output=5))
    laptop.log(ONE, line("m1", output=431))
    laptop.collect()
    laptop.log(".claude/projects/other/three.jsonl", line("m1", output=431), line("m2", request="req_2", output=5))
    laptop.collect()
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 200, "output": 436}}


def test_of_two_copies_the_fuller_one_counts_whichever_is_read_last(laptop: Laptop) -> None:
    """A copy that was made while the answer was still streaming in takes nothing away; the first one has the day."""
    laptop.log(ONE, line("m1", output=431, at="2026-11-20T10:00:00.000Z"))
    laptop.collect()
    laptop.log(TWO, line("m1", output=12, at="2026-11-19T10:00:00.000Z"))
    laptop.collect()
    assert laptop.tokens("claude_code") == {"2026-11-19": {"input": 100, "output": 431}}


def test_a_day_that_loses_its_last_answer_is_empty(laptop: Laptop) -> None:
    """An earlier copy has the day, also where the other day is older than what the tool keeps."""
    laptop.log(ONE, line("m1", at="2026-10-10T00:00:01.000Z"))
    laptop.collect()
    laptop.log(TWO, line("m1", at="2026-10-09T23:59:59.000Z"))
    laptop.collect()
    assert laptop.tokens("claude_code") == {"2026-10-09": {"input": 100, "output": 10}}
    days = laptop.days("claude_code")
    assert (days["2026-10-09"][0], days["2026-10-10"]) == (110, (0, 0))
    assert laptop.rows("SELECT count(*) FROM log_groups WHERE is_changed") == [(0,)]


def test_a_line_without_a_request_id_is_known_by_its_message(laptop: Laptop) -> None:
    """Gateways and some versions leave it out; a copy that has one is the same answer."""
    laptop.log(ONE, line("m1", request=None, output=3), line("m1", request=None, output=7), line("m1", output=9))
    laptop.log(TWO, line("m2", request="req_2", output=20), line("m2", request=None, output=20))
    laptop.collect()
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 200, "output": 29}}


def test_two_requests_with_one_message_id_are_two_answers(laptop: Laptop) -> None:
    """Some gateways number their messages alike."""
    laptop.log(ONE, line("msg_1", request="req_a", output=3), line("msg_1", request="req_b", output=4))
    laptop.collect()
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 200, "output": 7}}


@pytest.mark.parametrize("names", [(ONE, TWO), (TWO, ONE)], ids=["parent first", "side chain first"])
@pytest.mark.parametrize("runs", [1, 2], ids=["in one run", "in two"])
def test_a_side_chain_that_repeats_its_parent_counts_nothing(laptop: Laptop, names: Any, runs: int) -> None:
    """Same message id, another request id; what only the side chain has counts, once."""
    parent, side = names
    laptop.log(parent, line("m1", output=50))
    if runs == 2:
        laptop.collect()
    laptop.log(
        side, line("m1", request="req_x", output=50, side=True), line("m9", request="req_y", output=6, side=True)
    )
    laptop.log(side, line("m9", request="req_z", output=6, side=True))
    laptop.collect()
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 200, "output": 56}}


def test_lines_of_the_tool_itself_and_of_errors_are_no_answers(laptop: Laptop) -> None:
    """`<synthetic>`, API errors, users, summaries, and lines without figures."""
    laptop.log(
        ONE,
        line("m1", model="<synthetic>"),
        line("m2", isApiErrorMessage=True),
        line("m3", type="user"),
        line("m4", usage={}),
        {"type": "summary", "summary": f"{SECRET} usage"},
        {"type": "assistant", "message": "usage"},
        line("m5", output=1),
    )
    assert laptop.collect()["claude_code"]["notes"] == []
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 100, "output": 1}}


@pytest.mark.parametrize(
    ("usage", "kinds"),
    [
        (
            {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 400,
             "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}},
            {"input": 1, "output": 2, "cache_write_5m": 10, "cache_write_1h": 20, "cache_read": 400},
        ),
        ({"output_tokens": 2, "cache_creation_input_tokens": 30}, {"output": 2, "cache_write_5m": 30}),
        (
            {"output_tokens": 2, "cache_creation": {"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": None}},
            {"output": 2, "cache_write_5m": 7},
        ),
        ({"input_tokens": 5, "output_tokens": None, "cache_creation": None, "iterations": [{"x": 1}]}, {"input": 5}),
    ],
    ids=["split", "no split: 5 minutes", "only split", "nulls and unknown fields"],
)  # fmt: skip
def test_what_goes_into_the_cache_is_told_by_how_long_it_is_kept(laptop: Laptop, usage: Any, kinds: Any) -> None:
    """`input_tokens` is without the cache here, so that no kind is within another."""
    laptop.log(ONE, line("m1", usage=usage))
    laptop.collect()
    assert laptop.tokens("claude_code") == {"2026-11-20": kinds}


def test_lines_may_be_spelled_in_any_way_that_is_json(laptop: Laptop) -> None:
    """Spaces, the order of keys, escapes, unknown fields."""
    spaced = json.dumps(dict(reversed(list(line("m1", output=3).items()))), indent=None, separators=(" ,  ", " :  "))
    laptop.log(ONE, "  " + spaced + "  ", json.dumps(line("m\u00e9", output=4, new={"a": [1]})))
    laptop.collect()
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 200, "output": 7}}


# --- only what was added ----------------------------------------------------------------------------------------------


def test_half_a_line_is_read_when_it_is_whole(laptop: Laptop) -> None:
    """The tool may be in the middle of writing; a last line without a line break that is whole counts once."""
    text = json.dumps(line("m2", request="req_2", output=7))
    laptop.log(ONE, line("m1", output=3))
    laptop.log(ONE, text[:60], whole=False)
    assert laptop.collect()["claude_code"]["notes"] == []
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 100, "output": 3}}
    laptop.log(ONE, text[60:], whole=False)
    for _ in range(2):
        laptop.collect()
        assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 200, "output": 10}}
    laptop.log(ONE, "", line("m3", request="req_3", output=1))
    laptop.collect()
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 300, "output": 11}}


def test_of_a_file_that_has_grown_only_the_tail_is_read(laptop: Laptop) -> None:
    """What stands before is not looked at again, but for its last bytes: they say that it is the same file."""
    path = laptop.log(ONE, "x" * 400, line("m1", output=3))
    notes = laptop.collect()["claude_code"]["notes"]
    assert notes == ["passed over: 1 line that is no JSON"]
    with path.open("r+b") as file:
        file.write(b"y" * 5)
    laptop.log(ONE, line("m2", request="req_2", output=4))
    assert laptop.collect()["claude_code"]["notes"] == []
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 200, "output": 7}}


def test_a_file_that_nothing_happened_to_is_not_opened(laptop: Laptop) -> None:
    """Size and times tell."""
    path = laptop.log(ONE, line("m1", output=3))
    laptop.collect()
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"assistant", b"assistent"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    laptop.collect()
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 100, "output": 3}}


@pytest.mark.parametrize("how", ["shrunk", "replaced by a longer one", "written anew in place"])
def test_a_file_that_is_another_one_now_is_read_from_its_start(laptop: Laptop, how: str) -> None:
    """What was in it before stays: it was used."""
    path = laptop.log(ONE, line("m1", output=3), line("m2", request="req_2", output=4))
    laptop.collect()
    if how == "replaced by a longer one":
        path.unlink()
    else:
        path.write_text("")
    count = 1 if how == "shrunk" else 5
    laptop.log(ONE, *(line(f"n{number}", request=f"req_n{number}", output=10) for number in range(count)))
    laptop.collect()
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 200 + 100 * count, "output": 7 + 10 * count}}


def test_what_the_tool_deletes_stays_collected(laptop: Laptop) -> None:
    """Also when the days are read again: the sweep of a week later, and a run that is forced."""
    path = laptop.log(ONE, line("m1", output=3), line("m2", request="req_2", at="2026-10-30T00:00:00Z", output=4))
    laptop.collect()
    path.unlink()
    laptop.pass_days(8)
    laptop.collect()
    laptop.run("--task", "run_all", "--force", "--since", "2026-10-28")
    assert laptop.tokens("claude_code") == {
        "2026-10-30": {"input": 100, "output": 4}, "2026-11-20": {"input": 100, "output": 3},
    }  # fmt: skip


def test_days_that_are_found_later_are_stored_whatever_their_age(laptop: Laptop) -> None:
    """A run would not ask for them by itself; the log has them."""
    laptop.log(ONE, line("m1", output=3))
    laptop.collect()
    laptop.log(TWO, line("m0", request="req_0", at="2026-06-01T12:00:00Z", output=9))
    laptop.collect()
    assert laptop.tokens("claude_code")["2026-06-01"] == {"input": 100, "output": 9}


@pytest.mark.parametrize("kill", ["before", "after"])
def test_a_reading_that_is_cut_short_goes_on_where_it_was(laptop: Laptop, kill: str) -> None:
    """kill -9 before or after any of its commits: nothing is lost, nothing counts twice."""
    code = (
        "import os, sys; from agent_os.core import db, log_reading, log_tree\n"
        "log_reading.KEPT_AT_ONCE, log_tree.BLOCK_BYTES, left = 50, 16384, [int(sys.argv.pop(1))]\n"
        "def count(when):\n"
        f"    left[0] -= when == {kill!r}\n"
        "    if not left[0]: os.kill(os.getpid(), 9)\n"
        "db.Database.on_commit = staticmethod(count)\n"
        "from agent_os.main import main; sys.exit(main(sys.argv[1:]))"
    )
    today = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime())
    for number in range(8):
        name = f".claude/projects/p/{number}.jsonl"
        laptop.log(name, *(line(f"m{number}-{each}", at=today, output=each) for each in range(250)))
    words = ["--task", "run_all", "--quiet", "--home", str(laptop.folder)]
    codes = []
    for commit in (2, 3, 4, 5, 7, 11, 1000):
        started = subprocess.run([sys.executable, "-c", code, str(commit), *words], env=bare(), check=False)
        codes.append(started.returncode)
    assert codes[-1] == 0
    assert codes.count(-signal.SIGKILL) >= 4
    assert laptop.tokens("claude_code") == {today[:10]: {"input": 8 * 250 * 100, "output": 8 * 250 * 249 // 2}}
    assert laptop.rows("SELECT count(*), sum(output) FROM log_events") == [(2000, 8 * 250 * 249 // 2)]


# --- what is no zero --------------------------------------------------------------------------------------------------


def test_a_day_without_use_is_zero_only_where_the_log_goes_back_to_it(laptop: Laptop) -> None:
    """Before its first answer a log says nothing; and what the tool deletes after 30 days was not nothing."""
    laptop.log(ONE, line("m1", at="2026-11-19T12:00:00Z", output=3), line("m2", request="r", at="2026-11-21T12:00:00Z"))
    laptop.collect()
    assert laptop.days("claude_code") == {
        "2026-11-19": (103, 460_000), "2026-11-20": (0, 0), "2026-11-21": (110, 600_000), "2026-11-22": (0, 0),
    }  # fmt: skip
    laptop.pass_days(60)
    laptop.collect()
    stored = laptop.days("claude_code")
    assert "2026-12-01" not in stored
    assert stored["2027-01-20"] == (0, 0)
    holes = laptop.json("gaps", "--task", "fetch_claude_code")
    assert any("which goes back 30 days" in each["reason"] for each in holes)


def test_a_log_behind_a_link_is_a_log(laptop: Laptop) -> None:
    """The folder of a project may be on another disk."""
    laptop.log("disk/shop/one.jsonl", line("m1"))
    (laptop.user / ".claude/projects").mkdir(parents=True)
    (laptop.user / ".claude/projects/shop").symlink_to(laptop.user / "disk/shop")
    laptop.collect("fetch_claude_code")
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 100, "output": 10}}


def test_where_there_is_no_log_the_source_is_disabled_and_says_where_it_looked(laptop: Laptop) -> None:
    """By itself that fails nothing; asked for by name, it is not set up."""
    laptop.log(ONE, line("m1"))
    (laptop.user / ".claude").rename(laptop.user / "elsewhere")
    answer = laptop.run("--task", "fetch_claude_code")
    assert answer.code == 3
    assert "there is no log at ~/.claude/projects or ~/.config/claude/projects" in answer.err
    states = {each["task"]: each["state"] for each in laptop.json("tasks")}
    assert states["fetch_claude_code"].startswith("disabled: there is no log at ~/.claude/projects")


def test_the_folders_of_the_tool_are_found_as_the_tool_finds_them(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both usual ones; CLAUDE_CONFIG_DIR names others in their place, separated by commas."""
    laptop.log(ONE, line("m1", output=1))
    laptop.log(".config/claude/projects/p/a.jsonl", line("m2", request="r2", output=2))
    laptop.collect()
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 200, "output": 3}}
    laptop.log("one/projects/p/a.jsonl", line("m3", request="r3", output=4))
    laptop.log("two/projects/p/a.jsonl", line("m4", request="r4", output=8))
    laptop.log(".claude/projects/p/b.jsonl", line("m5", request="r5", output=1000))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", f"{laptop.user / 'one'}, ~/two,{laptop.user / 'none'}")
    laptop.collect()
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 400, "output": 15}}


# --- what is wrong with them ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("not JSON at all", "lines that are no JSON"),
        ('{"usage": tru', "lines that are no JSON"),
        ('{"type":"assistant","usage":' + "[" * 100_000, "lines that are no JSON"),
        (json.dumps(line("m9", output=-1)), "answers with impossible figures"),
        (json.dumps(line("m9", output=10**12)), "answers with impossible figures"),
        (json.dumps(line("m9", output=1.5)), "answers with impossible figures"),
        (json.dumps(line("m9", output=True)), "answers with impossible figures"),
        (json.dumps(line("m9", output="12")), "answers with impossible figures"),
        (json.dumps(line("m9", output=0)).replace('"output_tokens": 0', '"output_tokens": ' + "9" * 200_000),
         "answers with impossible figures"),
        (json.dumps(line(["m9"])), "answers with impossible figures"),
        (json.dumps(line(None)), "answers with impossible figures"),
        (json.dumps(line("m9", at="yesterday")), "answers with impossible figures"),
        (json.dumps(line("m9", at="2026-13-41T00:00:00Z")), "answers with impossible figures"),
        (json.dumps(line("m9", at=None)), "answers with impossible figures"),
        (json.dumps(line("m9", at="2036-01-01T00:00:00Z")), "answers at an impossible time (is the clock right?)"),
        (json.dumps(line("m9", at="1970-01-01T00:00:00Z")), "answers at an impossible time (is the clock right?)"),
        (json.dumps(line("m9", usage=[1, 2])), "answers with impossible figures"),
    ],
    ids=["no JSON", "half", "deep", "negative", "absurd", "fraction", "flag", "text", "digits", "id", "no id", "time",
         "date", "no time", "future", "1970", "list"],
)  # fmt: skip
def test_what_cannot_be_is_counted_and_the_rest_collected(laptop: Laptop, bad: str, said: str) -> None:
    """Said once, with the number; never fatal."""
    laptop.log(ONE, line("m1", output=3), bad, bad, line("m2", request="req_2", output=4))
    told = f"1 {said.replace('answers', 'answer')}" if "impossible time" in said else f"2 {said}"  # one answer, twice
    assert laptop.collect()["claude_code"]["notes"] == [f"passed over: {told}"]
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 200, "output": 7}}
    (run,) = laptop.json("history", "--task", "fetch_claude_code")
    assert told in run["notes"]


def test_what_was_passed_over_is_told_once(laptop: Laptop) -> None:
    """Where the run tells of it, and not again with the figures, whatever else is set up."""
    laptop.log(ONE, line("m1"), "no JSON")
    answer = laptop.run("--task", "run_all")
    assert "not set up: anthropic, openai" in answer.out
    assert (answer.out + answer.err).count("passed over") == 1


def test_folders_and_files_that_cannot_be_read_hide_no_others(laptop: Laptop) -> None:
    """Links in a circle, links to nothing, what is no file, binary bytes, endless lines."""
    laptop.log(ONE, line("m1", output=3))
    folder = laptop.user / ".claude/projects"
    (folder / "circle").symlink_to(folder)
    (folder / "gone.jsonl").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "binary.jsonl").write_bytes(bytes(range(256)) * 500)
    (folder / "empty.jsonl").write_bytes(b"")
    with (folder / "endless.jsonl").open("wb") as file:
        for _ in range(20):
            file.write(b"z" * BLOCK_BYTES)
        file.write(b"\n" + json.dumps(line("m2", request="req_2", output=4)).encode() + b"\n")
    notes = " ".join(laptop.collect()["claude_code"]["notes"])
    assert "passed over: 1 line longer than 32 MB" in notes
    assert "1 file that could not be looked at" in notes
    assert laptop.tokens("claude_code") == {"2026-11-20": {"input": 200, "output": 7}}


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_no_word_of_a_prompt_or_an_answer_is_kept(laptop: Laptop) -> None:
    """Nor an id, but as a hash: what is kept are times, models, counts, and the name of the project's folder."""
    laptop.log(ONE, line("msg_hidden", request="req_hidden"), {"type": "user", "message": {"content": SECRET}}, SECRET)
    laptop.log(ONE, json.dumps({**line("msg_hidden2"), "uuid": "hidden"})[:-5], whole=True)
    laptop.run("--task", "run_all", "--verbose")
    kept = laptop.everything_kept()
    assert b"claude-opus-5-5" in kept
    for word in (SECRET.encode(), b"msg_hidden", b"req_hidden", b"-home-u-shop", b"/home/u"):
        assert word not in kept


def test_the_names_of_projects_can_be_left_out(laptop: Laptop) -> None:
    """AGENT_OS_PROJECT_NAMES=no."""
    (laptop.folder / ".env").write_text("AGENT_OS_PROJECT_NAMES=no\n")
    laptop.log(ONE, line("m1"))
    laptop.collect()
    assert laptop.rows("SELECT DISTINCT project FROM result_lines") == [("",)]
    assert b"shop" not in laptop.everything_kept()


@pytest.mark.parametrize(
    ("cwd", "project"),
    [("/home/u/shop", "shop"), ("/home/u/shop/", "shop"), ("C:\\Users\\u\\shop", "shop"), ("", ""), ("/", "")],
)
def test_a_project_is_the_last_folder_of_where_the_work_was_done(laptop: Laptop, cwd: str, project: str) -> None:
    """On every system that wrote the log."""
    laptop.log(ONE, line("m1", cwd=cwd))
    laptop.collect()
    assert laptop.rows("SELECT DISTINCT project FROM result_lines") == [(project,)]


# --- what it would have cost ------------------------------------------------------------------------------------------


def test_an_estimate_is_tokens_at_list_prices(laptop: Laptop) -> None:
    """Opus 5.5: 4 in, 20 out, 0.20 cache read, 5 and 8 cache write, in dollars per million; 10 per 1000 searches."""
    usage = {
        "input_tokens": 1000, "output_tokens": 2000, "cache_read_input_tokens": 40_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 3000, "ephemeral_1h_input_tokens": 500},
        "server_tool_use": {"web_search_requests": 3},
    }  # fmt: skip
    laptop.log(ONE, line("m1", usage=usage))
    money = laptop.collect()["claude_code"]["money"]
    cents = 0.004 + 0.04 + 0.008 + 0.015 + 0.004 + 0.03
    assert money == [{"basis": "estimated", "currency": "USD", "amount": "0.101"}]
    assert round(cents, 9) == 0.101
    lines = laptop.rows(
        "SELECT cost_type, token_type, amount_nano, basis, price <> '' FROM result_lines WHERE kind = 'cost'"
        " ORDER BY 3, 2"
    )
    assert lines == [
        ("api_equivalent", "cache_write_1h", 4_000_000, "estimated", 1),
        ("api_equivalent", "input", 4_000_000, "estimated", 1),
        ("api_equivalent", "cache_read", 8_000_000, "estimated", 1),
        ("api_equivalent", "cache_write_5m", 15_000_000, "estimated", 1),
        ("api_equivalent", "", 30_000_000, "estimated", 1),
        ("api_equivalent", "output", 40_000_000, "estimated", 1),
    ]
    assert "estimated = API-equivalent" in laptop.run("results").out


def test_a_model_without_a_price_is_unpriced_and_never_free(laptop: Laptop) -> None:
    """The total is at least what is priced; a day that is not priced at all has no cost."""
    laptop.log(ONE, line("m1", model="claude-next", output=900), line("m2", request="r2", output=0))
    laptop.log(ONE, line("m3", request="r3", model="claude-next", at="2026-11-21T00:00:00Z", output=900))
    found = laptop.collect()["claude_code"]
    assert (found["tokens"], found["unpriced_tokens"]) == (2100, 2000)
    assert laptop.days("claude_code")["2026-11-20"] == (1100, 400_000)
    assert laptop.days("claude_code")["2026-11-21"] == (1000, None)
    text = laptop.run("--task", "run_all").out
    assert "≥ 0.0004 USD estimated, 2,000 tokens unpriced" in text
    rows = [each for each in laptop.json("results") if each["tokens"]]
    assert [(each["cost"], each["unpriced_tokens"]) for each in rows] == [("0.0004", 1000), (None, 1000)]
    assert "2026-11-21  claude_code   1,000  unpriced" in laptop.run("results").out
    csv = laptop.run("--task", "export", "--out", "-").out
    assert "2026-11-21,claude_code,1000,,USD,estimated" in csv
    for table in ("results", "lines"):
        path = str(laptop.folder / f"{table}.csv")
        answer = laptop.run("--task", "export", "--table", table, "--out", path)
        assert "≥ 0.0004 USD estimated, 2,000 tokens unpriced, written to" in answer.err
        assert laptop.json("--task", "export", "--table", table, "--out", path)["unpriced_tokens"] == 2000


def test_a_search_is_not_free_where_a_price_of_ones_own_does_not_name_it(laptop: Laptop) -> None:
    """Anthropic's is the same for all of its models: 10 for 1000."""
    (laptop.folder / "agent_os.ini").write_text("[price:nova]\nvendor = anthropic\ninput = 1\noutput = 1\n")
    usage = {"input_tokens": 0, "output_tokens": 100, "server_tool_use": {"web_search_requests": 2}}
    laptop.log(ONE, line("m1", model="nova", usage=usage))
    assert laptop.collect()["claude_code"]["money"] == [{"basis": "estimated", "currency": "USD", "amount": "0.0201"}]


def test_what_was_priced_is_not_priced_again(laptop: Laptop) -> None:
    """A new price is for days that have none yet; `reprice --dry-run` says what it would change."""
    laptop.log(ONE, line("m1", output=0))
    laptop.collect()
    (laptop.folder / "agent_os.ini").write_text("[price:claude-opus-5-5]\nvendor = anthropic\ninput = 40\noutput = 1\n")
    laptop.log(ONE, line("m2", request="r2", output=0), line("m3", request="r3", at="2026-11-21T00:00:00Z", output=0))
    laptop.collect()
    days = laptop.days("claude_code")
    assert (days["2026-11-20"], days["2026-11-21"]) == ((200, 800_000), (100, 4_000_000))
    assert "0.008" in laptop.run("reprice", "--dry-run").out
    assert laptop.days("claude_code") == days


def test_an_estimate_in_another_currency_is_told(laptop: Laptop) -> None:
    """It is in no headline of dollars."""
    (laptop.folder / "agent_os.ini").write_text(
        "[price:ours]\nvendor = anthropic\ncurrency = EUR\ninput = 40\noutput = 1\n"
    )
    laptop.log(ONE, line("m1", output=0), line("m2", request="r2", model="ours", output=0))
    found = laptop.collect()["claude_code"]
    assert [(each["currency"], each["amount"]) for each in found["money"]] == [("EUR", "0.004"), ("USD", "0.0004")]
    assert found["notes"] == ["amounts in EUR are kept apart from USD"]
    assert laptop.days("claude_code")["2026-11-20"] == (200, 400_000)


def test_a_price_that_is_used_is_no_newer_import(laptop: Laptop) -> None:
    """Of two imports the newer one wins from its day on, also once a day before it was priced with the older one."""
    for since, rate in (("2026-01-01", "1"), ("2026-11-20", "2")):
        facts = {"vendor": "anthropic", "model": "ours", "from": since, "input": rate, "output": "0"}
        path = laptop.folder / "list.json"
        path.write_text(json.dumps({"form": "agent_os prices", "prices": [facts]}))
        assert laptop.run("prices", "import", str(path)).code == 0
        laptop.clock.sleep(1)
    laptop.log(ONE, line("m1", model="ours", at="2026-11-19T00:00:00Z", output=0))
    laptop.collect()
    laptop.log(ONE, line("m2", request="r2", model="ours", output=0))
    laptop.collect()
    days = laptop.days("claude_code")
    assert (days["2026-11-19"], days["2026-11-20"]) == ((100, 100_000), (100, 200_000))


def test_what_a_log_saw_and_what_the_provider_reports_stand_side_by_side(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be the same traffic: never added, and said."""
    laptop.log(ONE, line("m1"))
    with Sandbox(today="2026-11-22", clock=laptop.clock) as sandbox:
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", sandbox.anthropic_key)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.anthropic_base_url)
        answer = laptop.run("--task", "run_all")
    assert "claude_code and anthropic may see the same traffic: they stand side by side, never added." in answer.out
    text = laptop.run("results").out
    assert "claude_code and anthropic may see the same traffic" in text
    bases = {(each["provider"], each["basis"]) for each in laptop.json("results")}
    assert bases == {("anthropic", "reported"), ("claude_code", "estimated")}


def test_figures_by_hand_that_are_taken_back_hide_no_estimate(laptop: Laptop) -> None:
    """While there are any they are the headline, whichever came first; an empty row of the day takes them back."""
    laptop.log(ONE, line("m1", output=0))
    laptop.collect()
    file = laptop.folder / "costs.csv"
    for text, headline in (("20", (100, 20 * 10**9)), ("", (100, 400_000))):
        file.write_text(f"date,amount,currency\n2026-11-20,{text},USD\n")
        assert laptop.run("import", "csv", str(file), "--provider", "claude_code", "--yes", app=False).code == 0
        assert laptop.days("claude_code")["2026-11-20"] == headline
        laptop.collect()
        assert laptop.days("claude_code")["2026-11-20"] == headline


# --- the parts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokens", "label"),
    [
        (0, "0-100k"), (100_000, "0-100k"), (100_001, "100k-128k"), (128_000, "100k-128k"), (128_001, "128k-200k"),
        (200_000, "128k-200k"), (200_001, "200k-272k"), (272_000, "200k-272k"), (272_001, "272k+"),
    ],
)  # fmt: skip
def test_the_size_of_a_request_has_a_label(tokens: int, label: str) -> None:
    """More than a threshold is above it; the threshold itself is not."""
    assert context_of(tokens) == label


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01T09:12:44.101Z", ("2026-11-01", 1793524364)),
        ("2026-11-01T00:30:00+02:00", ("2026-10-31", 1793485800)),
        ("2026-12-31T23:59:60Z", ("2026-12-31", 1798761599)),
    ],
    ids=["utc", "another zone", "leap second"],
)
def test_an_instant_has_a_utc_day(text: str, moment: tuple[str, int]) -> None:
    """Whatever zone the log is written in."""
    assert moment_of(text) == moment


@pytest.mark.parametrize("text", [None, 5, "", "2026-11-01", "2026-11-01T09:12:44", "2026-11-01T25:00:00Z", "x" * 99])
def test_what_is_no_instant_is_refused(text: Any) -> None:
    """A time without a zone is none: it could be another day."""
    with pytest.raises((ValueError, TypeError)):
        moment_of(text)


def test_a_day_is_written_in_one_way() -> None:
    """From 3.11 on Python reads the days of weeks, too."""
    try:
        day = moment_of("2025-W47-5T09:12:44Z")[0]
    except ValueError:
        day = "2025-11-21"
    assert day == "2025-11-21"


def test_the_order_in_which_copies_are_found_makes_no_difference() -> None:
    """All orders of a handful of copies of three answers, one of them a side chain's, come to the same."""
    from itertools import permutations

    def event(message: str, request: str, output: int, at: int, *, side: bool = False) -> Event:
        group = Group(f"2026-11-{20 + at % 2}", "anthropic", "p", "m", "", "0-100k", "")
        return Event(key_of("x", message, request), at, side, group, Counts(output=output))

    copies = [
        event("a", "1", 5, 10), event("a", "1", 9, 11), event("a", "2", 9, 12, side=True),
        event("b", "3", 4, 9, side=True), event("b", "4", 4, 8, side=True), event("c", "5", 7, 13),
    ]  # fmt: skip
    found = set()
    for order in permutations(copies):
        known = Copies()
        for each in order:
            known.add(each)
        found.add(frozenset((each.at, each.is_side, each.group, each.counts) for each in known.events()))
    assert len(found) == 1
    assert sorted(each[3].output for each in found.pop()) == [4, 7, 9]


def test_every_source_says_what_it_passed_over_once(laptop: Laptop) -> None:
    """In the report, whichever source it was, and not on the way there as well."""
    laptop.log(ONE, "no JSON", line("m1"))
    laptop.log(".codex/sessions/2026/11/20/rollout-1.jsonl", "no JSON")
    found = laptop.run("--task", "run_all", app=False)
    for name in ("claude_code", "codex"):
        assert f"{name}: passed over: 1 line that is no JSON" in found.out.splitlines()
    assert "passed over" not in found.err


def test_a_day_that_was_read_is_no_gap_though_the_tool_no_longer_keeps_it(laptop: Laptop) -> None:
    """Files that outlived their time are collected: what stands in `results` is not lost."""
    laptop.log(ONE, line("m1", at="2026-10-20T10:00:00Z"), line("m2", request="req_2"))
    assert laptop.collect()["claude_code"]["days_missing"] == 0  # nobody had asked for the others while they were there
    holes = [(each["since"], each["last"]) for each in laptop.json("gaps", "--task", "fetch_claude_code")]
    assert holes == [("2026-10-18", "2026-10-19"), ("2026-10-21", "2026-10-22")]


def test_the_folders_of_logs_are_settings_like_others(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    """`config` says what is set, and a source without a log who says that it lies there."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(laptop.user / "nowhere"))
    told = {each["name"]: each for each in laptop.json("config")}
    assert told["CLAUDE_CONFIG_DIR"]["value"] == str(laptop.user / "nowhere")
    assert told["CODEX_HOME"]["source"] == "not set"
    assert "" not in told
    (state,) = [each["state"] for each in laptop.json("providers") if each["provider"] == "claude_code"]
    assert state == ("disabled: there is no log at ~/nowhere/projects, where CLAUDE_CONFIG_DIR says that it is")


def test_every_account_that_may_have_seen_the_same_traffic_is_named(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several accounts of a vendor report; which of them a log's requests were made with is not known."""
    laptop.log(ONE, line("m1"))
    with Sandbox(today="2026-11-22", clock=laptop.clock) as sandbox:
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", sandbox.anthropic_key)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.anthropic_base_url)
        ini = "[account:work]\nprovider = anthropic\nkey = env:ANTHROPIC_ADMIN_KEY\n"
        (laptop.folder / "agent_os.ini").write_text(ini, encoding="utf-8")
        answer = laptop.run("--task", "run_all", app=False)
    assert "claude_code and anthropic or work may see the same traffic: they stand side by side" in answer.out


def test_results_are_added_up_by_whatever_is_asked_for(laptop: Laptop) -> None:
    """By day, model and project; what has no price is said of the model it belongs to, and is never 0."""
    laptop.log(ONE, line("m1"), line("m2", request="r2", at="2026-11-21T10:00:00Z", cwd="/home/u/blog"))
    laptop.log(ONE, line("m3", request="r3", model="claude-unheard-of"))
    told = laptop.run("--task", "run_all", app=False).out
    assert "`results --by model,project` adds up by model and project." in told
    assert "--by" not in laptop.run("--task", "run_all", app=False).out
    assert laptop.run("results", "--by", "model", app=False).out.splitlines()[:3] == [
        "provider     model              tokens      cost  currency  basis",
        "claude_code  claude-opus-5-5       220    0.0012  USD       estimated",
        "claude_code  claude-unheard-of     110  unpriced            estimated",
    ]
    by = laptop.json("results", "--by", "day,project", "--provider", "claude_code")
    assert [(each["day"], each["project"], each["tokens"], each["unpriced_tokens"]) for each in by] == [
        ("2026-11-20", "shop", 220, 110), ("2026-11-21", "blog", 110, 0),
    ]  # fmt: skip
    assert by[1]["money"] == [{"currency": "USD", "amount": "0.0006"}]
    assert "--by knows day, month, model" in laptop.run("results", "--by", "colour", app=False).err


def test_what_a_source_needs_is_told_within_the_width_of_the_terminal(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of a log also how to say that it lies elsewhere."""
    monkeypatch.setattr("agent_os.commands.providers.terminal_width", lambda: 60)
    told = laptop.run("providers", app=False).out
    assert "\n  elsewhere  CLAUDE_CONFIG_DIR names other folders," in told
    assert all(len(each) <= 60 or "https://" in each for each in told.partition("\n\nWhat has no API")[0].splitlines())


def test_what_had_no_price_was_not_0_before(laptop: Laptop) -> None:
    """What is unpriced says how it gets a price for its days, and what `reprice` makes of it is told from nothing."""
    laptop.log(ONE, line("m1", model="claude-unheard-of"))
    laptop.collect()
    told = laptop.run("prices", "check", app=False).out
    assert "give these a price from their first day on" in told
    assert "--valid-from DAY; then `reprice`" in told
    ini = "[price:claude-unheard-of]\nvendor = anthropic\ninput = 1\noutput = 2\n"
    (laptop.folder / "agent_os.ini").write_text(ini, encoding="utf-8")
    told = laptop.run("reprice", "--dry-run", app=False).out
    assert told.endswith("\nunpriced would become 0.00012 USD\n110 tokens had no price before\n")
