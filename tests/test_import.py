"""`import csv`: the days of a file replace those that were imported before, all of it or nothing, and it says so."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from homes import AppHome

from agent_os.core.days import Window
from agent_os.core.db import Database
from agent_os.core.home import open_home
from agent_os.core.ledger import Change
from agent_os.core.model import Batch, Row
from agent_os.core.posting import post

HEADER = "Day,Cost (USD),Model,Note\n"
OCTOBER = HEADER + "2026-10-30,$12.50,gpt-x,=1+1\n2026-10-30,0.50,gpt-x,b\n2026-10-31,2.00,,c\n"
KNOWN = "usage_date_utc,model,token_type,cost_usd\n2026-10-30,Claude Z,output,0.05\n"


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AppHome:
    """It is 2026-11-22."""
    return AppHome(tmp_path, capsys)


class Importer:
    """Writes a file and imports it for `acme`."""

    def __init__(self, home: AppHome) -> None:
        self.home = home

    def __call__(self, text: str, *words: str, provider: str = "acme", code: int = 0) -> Any:
        path = self.home.folder / "costs.csv"
        path.write_text(text, encoding="utf-8")
        answer = self.home.run("import", "csv", str(path), "--provider", provider, *words, app=False)
        assert answer.code == code, answer.out + answer.err
        return answer

    def lines(self) -> list[tuple[Any, ...]]:
        """Day, report, amount in cents and model of every line of money that counts now."""
        return self.home.sql(
            "SELECT date, report, amount_nano / 10000000, model FROM result_lines"
            " WHERE superseded_at IS NULL AND kind = 'cost' ORDER BY date, report, model, amount_nano"
        )

    def counts(self) -> list[int]:
        """How many runs, batches, lines (closed ones too) and headlines there are."""
        tables = ("runs", "batches", "result_lines", "results")
        return [self.home.sql(f"SELECT count(*) FROM {table}")[0][0] for table in tables]


@pytest.fixture
def take(home: AppHome) -> Importer:
    return Importer(home)


# --- what the columns mean --------------------------------------------------------------------------------------------

TABLE = """\
column       meaning       first value
Day          day (UTC)     2026-10-30
Cost (USD)   money         $12.50
Model        model         gpt-x
Note         - (not kept)  =1+1
(every row)  currency      USD
"""


def test_a_guess_is_shown_and_stores_nothing_until_somebody_confirms_it(home: AppHome, take: Importer) -> None:
    """Without a terminal nobody can be asked: the table, and the command that takes it; not even a database is made."""
    answer = take(OCTOBER, code=2)
    assert answer.out == TABLE
    assert "nobody has confirmed it" in answer.err
    assert """--map 'date=Day,amount="Cost (USD)",model=Model,currency:=USD'""" in answer.err
    assert not (home.folder / "agent_os.db").exists()


def test_the_command_that_is_shown_takes_the_guess(take: Importer) -> None:
    """Word for word."""
    take(OCTOBER, "--map", 'date=Day,amount="Cost (USD)",model=Model,currency:=USD')
    assert take.lines() == [("2026-10-30", "import", 1300, "gpt-x"), ("2026-10-31", "import", 200, "")]


def test_what_was_confirmed_is_remembered(home: AppHome, take: Importer) -> None:
    """For this header and provider, with how its days are written; a line says so."""
    take("When,Cost\n03/04/2026,1\n", "--yes", "--currency", "eur", "--dates", "dmy")
    answer = take("When,Cost\n04/04/2026,1\n")
    assert answer.out.startswith("columns as confirmed before: date=When,amount=Cost,currency:=EUR\n")
    assert take.lines() == [("2026-04-03", "import", 100, ""), ("2026-04-04", "import", 100, "")]
    assert home.sql("SELECT task, version FROM state") == [("import", 1)]
    take("When,Cost\n04/04/2026,1\n", provider="other", code=2)


def test_a_map_is_the_whole_of_what_is_kept(take: Importer) -> None:
    """What it does not name is not kept, though it could be guessed; a later one replaces it."""
    take(OCTOBER, "--map", 'date=Day,amount="Cost (USD)"')
    assert {line[3] for line in take.lines()} == {""}
    take(OCTOBER, "--map", "date=#1,amount=#2,model=#4")
    assert {line[3] for line in take.lines()} == {"=1+1", "b", "c"}  # a formula is text here


def test_an_export_that_is_known_needs_no_confirming(home: AppHome, take: Importer) -> None:
    """And nothing has to be remembered of it."""
    answer = take(KNOWN)
    assert answer.out.startswith("columns as in the export 'Anthropic, cost':\n")
    assert home.sql("SELECT token_type, amount_nano FROM result_lines") == [("output", 50_000_000)]
    assert home.sql("SELECT * FROM state") == []


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of POSIX")
@pytest.mark.parametrize(("typed", "code", "runs"), [(b"\n", 0, 1), (b"y\n", 0, 1), (b"n\n", 2, 0)])
def test_on_a_terminal_somebody_is_asked(home: AppHome, program: list[str], typed: bytes, code: int, runs: int) -> None:
    """Enter takes the guess; a no stores nothing."""
    path = home.folder / "costs.csv"
    path.write_text("day,cost\n2026-03-01,$1\n", encoding="utf-8")
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(
            [*program, "import", "csv", str(path), "--provider", "acme", "--home", str(home.folder)],
            stdin=slave, stdout=slave, stderr=subprocess.DEVNULL, cwd=home.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        os.write(master, typed)
        assert process.wait(60) == code
        assert b"Is that what the columns mean? [Y/n]" in os.read(master, 65536)
    finally:
        os.close(slave)
        os.close(master)
    exists = (home.folder / "agent_os.db").exists()
    assert (home.sql("SELECT count(*) FROM runs") if exists else [(0,)]) == [(runs,)]


def test_figures_can_be_typed(home: AppHome, take: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is standard input; it cannot be asked anything, so the guess is taken with --yes."""
    typed = b"date,amount,currency\n2026-10-31,12.50,EUR\n"
    words = ("import", "csv", "-", "--provider", "acme")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
    assert home.run(*words, app=False).code == 2
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
    assert home.run(*words, "--yes", app=False).code == 0
    assert take.lines() == [("2026-10-31", "import", 1250, "")]


# --- what is stored ---------------------------------------------------------------------------------------------------


def test_imported_money_is_a_basis_of_its_own(home: AppHome, take: Importer) -> None:
    """In the headline as `imported`, with a run in the history that says which file it was."""
    answer = take(OCTOBER, "--yes")
    assert answer.out == TABLE + (
        "acme: 3 rows of costs.csv, 2 days (2026-10-30 to 2026-10-31)\n"
        "  15.00 USD\n"
        "2 days new, 0 replaced, 0 unchanged; days that are not in the file stay as they are\n"
    )
    rows = home.json("results", "--since", "2026-10-01", app=False)
    assert [(row["date"], row["cost"], row["basis"]) for row in rows] == [
        ("2026-10-30", "13.00", "imported"),
        ("2026-10-31", "2.00", "imported"),
    ]
    [(task, provider, start, end, notes)] = home.sql(
        "SELECT task, plugin_name, window_start, window_end, notes FROM runs"
    )
    assert (task, provider, start, end) == ("import", "acme", "2026-10-30", "2026-11-01")
    assert notes.startswith("costs.csv, sha256 ")


def test_the_same_file_twice_changes_nothing(take: Importer) -> None:
    """No run, no batch, no line."""
    take(OCTOBER, "--yes")
    before = take.counts()
    answer = take(OCTOBER)
    assert answer.out.endswith("nothing changed: all 2 days are as before\n")
    assert take.counts() == before


def test_a_longer_export_of_the_same_time_doubles_nothing(take: Importer) -> None:
    """Days that were there are as they were, days that are new are added."""
    take(OCTOBER, "--yes")
    answer = take(OCTOBER + "2026-11-01,1.00,gpt-x,d\n")
    assert "1 day new, 0 replaced, 2 unchanged" in answer.out
    assert [line[:3] for line in take.lines()] == [
        ("2026-10-30", "import", 1300), ("2026-10-31", "import", 200), ("2026-11-01", "import", 100)
    ]  # fmt: skip


def test_days_that_are_not_in_the_file_stay(take: Importer) -> None:
    """A file replaces its own days alone, also between two of them."""
    take(OCTOBER + "2026-11-01,1.00,gpt-x,d\n", "--yes")
    take(HEADER + "2026-10-30,9,gpt-x,\n2026-11-01,9,gpt-x,\n")
    assert [line[:3] for line in take.lines()] == [
        ("2026-10-30", "import", 900), ("2026-10-31", "import", 200), ("2026-11-01", "import", 900)
    ]  # fmt: skip


def test_what_gets_less_is_said(take: Importer) -> None:
    """A sum that goes down, and a line that is no longer there; the old lines are kept as closed."""
    take(OCTOBER, "--yes")
    answer = take(HEADER + "2026-10-30,1,gpt-x,\n2026-10-31,3.00,gpt-x,\n")
    assert "2026-10-30: 13.00 USD were imported before, now 1.00" in answer.err
    assert "2026-10-31: 1 line of before is not in this file" in answer.err
    assert take.counts() == [2, 2, 4, 2]


def test_files_with_labels_of_their_own_stand_side_by_side(home: AppHome, take: Importer) -> None:
    """Two files of the same days but of different things."""
    take(OCTOBER, "--yes", "--account", "team-a")
    take(HEADER + "2026-10-30,5,gpt-x,\n", "--account", "team-b")
    assert [line[:3] for line in take.lines()] == [
        ("2026-10-30", "import:team-a", 1300), ("2026-10-30", "import:team-b", 500),
        ("2026-10-31", "import:team-a", 200),
    ]  # fmt: skip
    assert home.sql("SELECT date, cost_nano FROM results ORDER BY date")[0] == ("2026-10-30", 18_000_000_000)
    assert "1 replaced" in take(HEADER + "2026-10-30,6,gpt-x,\n", "--account", "team-b").out
    assert home.sql("SELECT date, cost_nano FROM results ORDER BY date")[0] == ("2026-10-30", 19_000_000_000)


def test_the_costs_and_the_usage_of_a_console_stand_side_by_side(home: AppHome, take: Importer) -> None:
    """They are two exports of the same days: neither replaces the other, and each replaces itself."""
    usage = "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_output_tokens\n2026-10-30,claude-z,10,5\n"
    take(KNOWN, provider="claude")
    take(usage, provider="claude")
    take(usage.replace(",5", ",6"), provider="claude")
    assert home.sql("SELECT tokens, cost_nano FROM results") == [(16, 50_000_000)]
    assert home.sql("SELECT DISTINCT report FROM result_lines") == [("import",), ("import/usage",)]


def test_a_day_without_figures_is_a_day_of_the_file(take: Importer) -> None:
    """An export that has a day with nothing in it takes back what was there; again, it changes nothing."""
    take(OCTOBER, "--yes")
    emptied = HEADER + "2026-10-30,,,\n2026-10-31,2.00,,c\n"
    take(emptied)
    assert take.lines() == [("2026-10-31", "import", 200, "")]
    assert "nothing changed" in take(emptied).out


def test_tokens_without_money_have_no_cost(home: AppHome, take: Importer) -> None:
    """Nobody said that they were free."""
    take("date,input_tokens,output_tokens\n2026-10-30,10,5\n", "--yes")
    take("date,requests\n2026-10-31,5\n", "--yes")
    assert home.sql("SELECT tokens, cost_nano, basis FROM results") == [(15, None, "imported"), (0, None, "imported")]


def test_a_day_of_unknown_cost_is_not_nothing_in_a_sum(home: AppHome, take: Importer) -> None:
    """The sum says how many days it lacks."""
    take("date,input_tokens\n2026-11-20,1000\n", "--yes")
    assert home.run("results").out.splitlines()[-1].split() == ["sum", "acme", "1,000", "unknown", "USD", "imported"]
    take("date,amount,currency\n2026-11-21,2.00,USD\n", "--yes")
    assert "2.00 + 1 day unknown" in home.run("results").out


def test_a_currency_that_no_headline_shows_is_said(home: AppHome, take: Importer) -> None:
    """Two currencies of a day are not added, and a headline has one."""
    text = "date,amount,currency\n2026-10-30,12.50,USD\n2026-10-30,10.00,EUR\n2026-10-31,1.00,EUR\n"
    answer = take(text, "--yes")
    assert "1 day has amounts in several currencies: `results` shows one of them" in answer.err
    assert home.sql("SELECT cost_nano / 10000000, currency FROM results ORDER BY date") == [(1250, "USD"), (100, "EUR")]


def report(home: AppHome, provider: str, amount: str, *, seen_at: str = "2026-11-22T09:00:00.000Z") -> Change:
    """Store a reported amount of 2026-10-30, as a collector does."""
    opened = open_home(str(home.folder), clock=home.clock, stderr=None)
    line = Row({}, day="2026-10-30", report="costs").cost(amount, "USD", {})
    _, change = post(
        opened,
        Batch(
            provider=provider, task="fetch", window=Window("2026-10-30", "2026-10-31"), days=["2026-10-30"],
            reports={"costs"}, observed_at=seen_at, records=[line], pages=(), currency="USD", notes=(),
        ),
        task="fetch",
    )  # fmt: skip
    opened.close()
    return change


def test_what_is_reported_of_an_imported_day_is_new_at_first_and_restated_later(home: AppHome, take: Importer) -> None:
    """Figures by hand are none that the provider takes back."""
    take(OCTOBER, "--yes")
    change = report(home, "acme", "7.00")
    assert (change.new_days, change.restated_days) == (["2026-10-30"], [])
    change = report(home, "acme", "8.00")
    assert (change.new_days, change.restated_days) == ([], ["2026-10-30"])


def test_an_import_does_not_settle_what_was_reported(home: AppHome, take: Importer) -> None:
    """The provider was not asked again."""
    report(home, "acme", "7.00")
    home.clock.pass_by(30 * 86_400)
    take(OCTOBER, "--yes")
    status = home.sql("SELECT date, basis, day_status FROM results ORDER BY date")
    assert status == [("2026-10-30", "reported", "provisional"), ("2026-10-31", "imported", "settled")]


@pytest.mark.parametrize("provider", ["openai", "openai-work"])
def test_what_a_provider_reports_by_itself_is_never_added_to(home: AppHome, take: Importer, provider: str) -> None:
    """The headline stays what was reported, both bases stand in the lines, and the verb says so."""
    report(home, provider, "7.00")
    answer = take(OCTOBER, "--yes", provider=provider)
    assert f"{provider} has figures of its own, too: imported ones are shown apart, never added" in answer.err
    assert home.sql("SELECT date, cost_nano / 1000000000, basis FROM results ORDER BY date") == [
        ("2026-10-30", 7, "reported"),
        ("2026-10-31", 2, "imported"),
    ]
    assert home.sql("SELECT basis, sum(amount_nano) / 1000000000 FROM result_lines GROUP BY basis ORDER BY basis") == [
        ("imported", 15),
        ("reported", 7),
    ]


def test_a_dry_run_says_what_would_change(home: AppHome, take: Importer) -> None:
    """And makes nothing, not even a database; it needs no confirming."""
    answer = take(OCTOBER, "--dry-run")
    assert "2 days would be new, 0 would be replaced, 0 unchanged" in answer.out
    assert not (home.folder / "agent_os.db").exists()
    take(OCTOBER, "--yes")
    before = take.counts()
    assert "1 day would be new, 0 would be replaced, 2 unchanged" in take(OCTOBER + "2026-11-01,1,,\n", "--dry-run").out
    assert take.counts() == before


def test_an_import_tells_programs_the_same(home: AppHome, take: Importer) -> None:
    """As JSON: money exact by currency, the days, the run, and what is bad."""
    said = take(OCTOBER + "x,1,,\n", "--yes", "--skip-bad", "--json").json
    assert said["money"] == {"USD": "15.00"}
    assert (said["new"], said["replaced"], said["unchanged"]) == (["2026-10-30", "2026-10-31"], [], [])
    assert said["bad"] == [{"line": 5, "column": "Day", "message": "'x' is not a day (as 2026-11-21 is)"}]
    assert home.sql("SELECT id FROM runs") == [(said["run"],)]
    assert take(OCTOBER, "--json", "--dry-run").json["run"] is None


# --- bad rows ---------------------------------------------------------------------------------------------------------


def test_a_bad_row_stores_nothing_of_the_file(home: AppHome, take: Importer) -> None:
    """It names the line, the column and what is wrong."""
    answer = take(OCTOBER + "2026-13-01,1,,\n2026-11-01,abc,,\n", "--yes", code=1)
    assert "line 5, column 'Day': '2026-13-01' is not a day (as 2026-11-21 is)\n" in answer.out
    assert "line 6, column 'Cost (USD)': 'abc' is not an amount (as 12.50 is)\n" in answer.out
    assert "nothing of costs.csv was stored: 2 bad rows of 5; correct them, or leave them out" in answer.err
    assert not (home.folder / "agent_os.db").exists()


def test_bad_rows_may_be_left_out(home: AppHome, take: Importer) -> None:
    """They are counted, here and in the run's notes; a file of nothing else is refused."""
    answer = take(OCTOBER + "2026-11-23,1,,\n", "--yes", "--skip-bad")
    assert "acme: 3 rows of costs.csv, " in answer.out
    assert "left out: line 5, column 'Day': 2026-11-23 is in the future: today is 2026-11-22 (UTC)" in answer.out
    assert "1 bad row left out" in home.sql("SELECT notes FROM runs")[0][0]
    assert len(take.lines()) == 2
    assert "no row of costs.csv is good" in take(HEADER + "x,1,,\n", "--skip-bad", code=1).err


def test_names_of_columns_and_cells_cannot_steer_the_terminal(take: Importer) -> None:
    """Whatever is shown of a hostile file is escaped."""
    answer = take("day,cost,\x1b[2Jmodel\n2026-10-30,$1,\x1b[31mred\n", "--map", "date=#1,amount=#2,model=#3", code=1)
    assert "\x1b" not in answer.out + answer.err
    assert r"line 2, column '\x1b[2Jmodel'" in answer.out


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_import_that_is_killed_is_there_whole_or_not_at_all(
    take: Importer, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Run, lines, headlines and what is remembered are one transaction; the next import of the file makes it good."""
    take(OCTOBER, "--yes")
    before = take.counts()

    def die(at: str) -> None:
        if at == moment:
            raise KeyboardInterrupt

    longer = OCTOBER + "2026-11-01,1.00,gpt-x,d\n"
    with monkeypatch.context() as patched:
        patched.setattr(Database, "on_commit", staticmethod(die))
        take(longer, code=130)
    assert take.counts() == (before if moment == "before" else [2, 2, 3, 3])
    take(longer)
    assert take.counts() == [2, 2, 3, 3]


# --- what cannot be meant ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["import"], "takes `csv` and one file"),
        (["import", "tsv", "x"], "takes `csv` and one file"),
        (["import", "csv", "x"], "it is not said whose figures these are"),
        (["import", "csv", "x", "--provider", "Ac me"], "--provider 'Ac me' is no name"),
        (["import", "csv", "x", "--provider", "acme", "--account", "../x"], "--account '../x' is no name"),
        (["import", "csv", "x", "--provider", "acme", "--currency", "euro"], "not a currency code"),
        (["import", "csv", "x", "--provider", "acme", "--dates", "ymd"], "invalid choice"),
    ],
)
def test_a_command_line_that_cannot_be_meant_is_refused(home: AppHome, words: list[str], why: str) -> None:
    """Before any file is read."""
    answer = home.run(*words, app=False)
    assert (answer.code, why in answer.err) == (2, True), answer.err


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        ("day,cost\n2026-10-30,1\n", 2, "nothing says which currency column 'cost' is in; say --currency USD"),
        ("day,cost chf\n2026-10-30,1\n", 2, "--currency is SEK, and the columns say CHF"),
        ("2026-10-30,$1\n2026-10-31,$2\n", 2, "the first line has figures where names should be"),
        ("day,cost usd\n", 1, "has a line of names and no figures"),
        ("<html></html>", 1, "costs.csv is a web page or XML, not CSV"),
        ("", 1, "costs.csv is empty"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(take: Importer, text: str, code: int, why: str) -> None:
    """In one sentence, with what to do."""
    words = ("--yes", "--currency", "SEK") if "SEK" in why else ("--yes",)
    assert why in take(text, *words, code=code).err


def test_a_file_that_is_not_there_is_refused(home: AppHome) -> None:
    """As any path."""
    answer = home.run("import", "csv", str(home.folder / "none.csv"), "--provider", "acme", app=False)
    assert (answer.code, "none.csv: No such file" in answer.err) == (3, True), answer.err
    assert home.run("import", "csv", str(home.folder), "--provider", "acme", app=False).code == 3


def test_the_help_says_what_is_replaced(home: AppHome) -> None:
    """And how to type figures."""
    out = home.run("import", "--help", app=False).out
    for part in ("replace the days that were imported before", "import csv - --provider acme --yes <<END", "--map"):
        assert part in out


@pytest.mark.slow
def test_a_large_file_takes_no_memory(tmp_path: Path, program: list[str]) -> None:
    """70 MB of requests: sums are held, rows are not."""
    path = tmp_path / "big.csv"
    row = "gen-{:012d},2026-{:02d}-{:02d} 10:00:00,0.0000123,1000,100,10,a/b-{},k,padding{}\n"
    with path.open("w", encoding="ascii") as file:
        file.write("generation_id,created_at,cost_total,tokens_prompt,tokens_completion,tokens_cached,model_permaslug,")
        file.write("api_key_name,other\n")
        for number in range(300_000):
            file.write(row.format(number, 1 + number % 10, 1 + number % 28, number % 7, "x" * 160))
    assert path.stat().st_size > 68_000_000
    words = ["import", "csv", str(path), "--provider", "openrouter", "--home", str(tmp_path)]
    code = (
        "import re, resource, sys\n"
        f"from {program[-1]}.main import main\n"
        f"code = main({words!r})\n"
        "own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"  # on Linux it counts whoever has started us
        "if sys.platform == 'linux':\n"
        "    own = int(re.search('VmHWM:[^0-9]+([0-9]+)', open('/proc/self/status').read())[1])\n"
        "print('peak', own)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    path.unlink()
    assert done.returncode == 0, done.stderr
    assert "300,000 rows of big.csv" in done.stdout
    peak = int(done.stdout.rpartition("peak ")[2]) * (1 if sys.platform == "darwin" else 1024)
    assert peak < 60 * 2**20


# --- what no row of `results` shows -----------------------------------------------------------------------------------


def test_money_that_no_row_shows_is_said_below_them(home: AppHome, take: Importer) -> None:
    """A row is of one basis and one currency; what a day has beside it is in no sum, and is not hidden."""
    report(home, "openai", "7.00")
    take(OCTOBER, "--yes", provider="openai")
    take("date,amount,currency\n2026-10-30,5,USD\n2026-10-30,1234.5,EUR\n", "--yes")
    told = home.run("results", "--since", "2026-10-01", app=False).out
    assert "\nopenai: 13.00 USD imported stand beside the rows above, and are in no sum\n" in told
    assert "\nacme: 1,234.50 EUR imported stand beside the rows above, and are in no sum\n" in told
    assert told.count("in no sum") == 2
