"""`verify`: one value that is not what was stored is found, wherever it is; what was not touched is whole."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any, Optional

import pytest
from fakes.clock import ManualClock

from agent_os.core import migrations, opening
from agent_os.core.audit import Audit
from agent_os.core.clock import iso
from agent_os.core.days import Window
from agent_os.core.home import Home, open_home
from agent_os.core.ledger import Ledger
from agent_os.core.model import Batch, Record
from agent_os.core.opening import open_to_read, open_to_write
from agent_os.core.posting import post
from agent_os.core.price_book import book_of
from agent_os.core.prices import estimate
from agent_os.sandbox.server import Sandbox
from tests.world import World

TABLES = ("batches", "result_lines", "pages", "page_bodies", "results", "prices")
KEYS = {"pages": ("batch_id", "seq"), "page_bodies": ("sha256",)}
BLANK = dict.fromkeys(Record._fields, "")


def record(day: str, **more: Any) -> Record:
    return Record(**{**BLANK, "quantity": None, "amount_nano": None, "date": day, **more})


def usage(day: str, kind: str, tokens: int, *, basis: str = "estimated", model: str = "claude-opus-4-6") -> Record:
    return record(
        day, kind="usage", report="log", account="anthropic", model=model, token_type=kind, context="0-128k",
        quantity=tokens, unit="tokens", basis=basis,
    )  # fmt: skip


def batch(records: list[Record], *, at: str, provider: str = "claude_code", basis: str = "estimated") -> Batch:
    days = sorted({each.date for each in records})
    window = Window("2026-09-01", "2026-10-01")
    return Batch(
        provider=provider, task="it", window=window, days=days, reports={"log", "import"}, observed_at=at,
        records=records, pages=(), currency="USD", notes=(), basis=basis,
    )  # fmt: skip


def post_more(home: Home) -> None:
    """Beside what the providers have: estimates of which one is unpriced, and what was brought by hand, restated."""
    book = book_of(home.settings, None)
    lines = [usage(f"2026-09-0{n}", kind, 1000 * n) for n in range(1, 6) for kind in ("input", "output")]
    lines += [usage("2026-09-03", "input", 77, model=model) for model in ("nobody-knows", "claude-haiku-4-5")]
    priced = list(estimate(lines, book, used={}))
    prices = book.of({each.price for each in priced if each.price})
    assert len(prices) == 2
    for number, records in enumerate((priced, priced[2:])):
        at = iso(home.clock.now()).replace("Z", "")[:-1] + f"{number}Z"
        post(home, batch(records, at=at)._replace(prices=prices), task="it")
    costs = [
        record(
            f"2026-09-1{n}", kind="cost", report="import", amount_nano=10**9 * (n + 1), currency="EUR", basis="imported"
        )
        for n in range(5)
    ]
    post(home, batch(costs, at=iso(home.clock.now()), provider="acme", basis="imported"), task="import")
    # Money by hand beside estimates; the second time what was said of one day is taken back.
    by_hand = [
        record(f"2026-09-0{n}", kind="cost", report="import", amount_nano=5, currency="USD", basis="imported")
        for n in (1, 4)
    ]
    for number, left in enumerate((by_hand, by_hand[:1])):
        told = batch(by_hand, at=f"2026-12-01T00:00:0{number}.000Z", basis="imported")
        post(home, told._replace(records=left, reports={"import"}), task="import")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that has seen both providers, restatements, a line that was taken back, estimates and an import."""
    folder = tmp_path_factory.mktemp("filled")

    class Silent:
        def readouterr(self) -> tuple[str, str]:
            return "", ""

    with Sandbox() as sandbox:
        world = World(folder, sandbox, Silent())  # type: ignore[arg-type]
        world.run("--task", "run_all", "--quiet")
        sandbox.ledger.restate("openai", world.day(5), factor="1.5")
        sandbox.ledger.drop_line("anthropic", next(d for d in world.days() if world.truth("anthropic", [d])[d][1]))
        sandbox.ledger.empty("openai", world.day(9))
        world.run("--task", "run_all", "--force", "--quiet")
        home = open_home(str(folder), clock=world.clock, stderr=None)
        post_more(home)
        home.close()
    return folder / "agent_os.db"


def copy(source: Path, target: Path) -> Path:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
    return target


def audited(path: Path) -> Audit:
    db = open_to_read(str(path), clock=ManualClock())
    try:
        audit = Audit(db)
        audit.walk()
        return audit
    finally:
        db.close()


# --- what was not touched ---------------------------------------------------------------------------------------------


def test_what_nobody_touched_is_whole(filled: Path) -> None:
    """Every batch, line and page is counted, and the head of the chain is the newest link."""
    audit = audited(filled)
    assert (audit.first, audit.faults, audit.unsealed) == (None, 0, [])
    with closing(sqlite3.connect(filled)) as db:
        counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES[:3]]
        [head] = db.execute("SELECT chain FROM batches ORDER BY id DESC LIMIT 1").fetchone()
        [closed] = db.execute("SELECT count(*) FROM result_lines WHERE superseded_by IS NOT NULL").fetchone()
    assert [audit.batches, audit.lines, audit.pages] == counts
    assert audit.head == head
    assert min(*counts, closed) > 5


def test_a_home_without_a_run_is_whole(tmp_path: Path) -> None:
    """Nothing is stored, so nothing is wrong."""
    open_to_write(str(tmp_path / "agent_os.db"), clock=ManualClock()).close()
    audit = audited(tmp_path / "agent_os.db")
    assert (audit.faults, audit.head, audit.batches) == (0, "", 0)


def made_by_schema_2(filled: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same figures as the program of schema 2 has stored them: without prices, unpriced tokens and seals."""
    with monkeypatch.context() as older:
        older.setattr(opening, "MIGRATIONS", migrations.MIGRATIONS[:2])
        open_to_write(str(path), clock=ManualClock()).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("ATTACH ? AS new", (str(filled),))
        for table in ("runs", "batches", "result_lines", "page_bodies", "pages", "results"):
            names = ", ".join(row[1] for row in db.execute(f"PRAGMA main.table_info({table})"))
            # Batches of estimates came with schema 3 only; those of the providers are the first.
            which = {"batches": "id <= ?1", "results": "provider IN ('openai', 'anthropic') OR ?1 = 0"}.get(table, "?1")
            which = "batch_id <= ?1" if table in ("result_lines", "pages") else which
            [last] = db.execute("SELECT max(id) FROM new.batches WHERE provider IN ('openai', 'anthropic')").fetchone()
            db.execute(f"INSERT INTO {table}({names}) SELECT {names} FROM new.{table} WHERE {which}", (last,))
    return path


def head_by_hand(path: Path) -> str:
    """The head of the chain as anybody computes it: a line of JSON for each part of a batch, 18 values in a line."""
    names = ", ".join(Record._fields[:18])
    link = ""
    with closing(sqlite3.connect(path)) as db:
        for row in db.execute("SELECT * FROM batches ORDER BY id").fetchall():
            added = db.execute(f"SELECT {names} FROM result_lines WHERE batch_id = ? ORDER BY id", row[:1]).fetchall()
            closed = db.execute("SELECT id FROM result_lines WHERE superseded_by = ? ORDER BY id", row[:1]).fetchall()
            parts = [list(row[1:7]), added, [number for (number,) in closed]]
            text = "".join(json.dumps(part, separators=(",", ":")) + "\n" for part in parts)
            link = hashlib.sha256(f"{link}\n{text}".encode()).hexdigest()
    return link


def test_a_database_of_schema_2_is_whole_once_it_was_migrated(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its links were made of lines that had no price; what is sealed is sealed from the next batch on."""
    path = made_by_schema_2(filled, tmp_path / "agent_os.db", monkeypatch)
    db = open_to_write(str(path), clock=ManualClock())
    db.close()
    audit = audited(path)
    assert (audit.first, audit.unsealed) == (None, ["results", "prices"])
    assert audit.lines > 100
    assert audit.head == head_by_hand(path)
    home = open_home(str(tmp_path), clock=ManualClock(), stderr=None)
    post_more(home)
    home.close()
    audit = audited(path)
    assert (audit.first, audit.unsealed) == (None, [])


def test_a_seal_is_void_where_an_older_program_has_stored_since(filled: Path, tmp_path: Path) -> None:
    """It knew no seals: nothing is wrong, and the next batch seals what there is then."""
    path = copy(filled, tmp_path / "agent_os.db")
    with closing(sqlite3.connect(path)) as kept:
        seals = kept.execute("SELECT name, value FROM meta WHERE name LIKE 'seal:%'").fetchall()
    home = open_home(str(tmp_path), clock=ManualClock(), stderr=None)
    late = [record("2026-09-20", kind="cost", report="import", amount_nano=1, currency="USD", basis="imported")]
    post(home, batch(late, at="2026-11-30T00:00:00.000Z", provider="late", basis="imported"), task="import")
    home.close()
    with closing(sqlite3.connect(path)) as db, db:  # as that program has left them
        db.executemany("UPDATE meta SET value = ?2 WHERE name = ?1", seals)
    assert (audited(path).first, audited(path).unsealed) == (None, ["results", "prices"])
    home = open_home(str(tmp_path), clock=ManualClock(), stderr=None)
    post(home, batch(late, at="2026-11-30T00:00:01.000Z", provider="later", basis="imported"), task="import")
    post_more(home)
    home.close()
    assert (audited(path).first, audited(path).unsealed) == (None, [])


def test_what_is_stored_meanwhile_is_not_looked_at(filled: Path, tmp_path: Path) -> None:
    """All of it is read in one snapshot: a run that goes on beside it disturbs nothing."""
    path = copy(filled, tmp_path / "agent_os.db")

    class Slow(Audit):
        def _walk_bodies(self) -> None:
            home = open_home(str(tmp_path), clock=ManualClock(), stderr=None)
            line = record("2026-09-20", kind="cost", report="import", amount_nano=1, currency="USD", basis="imported")
            post(home, batch([line], at="2026-11-30T00:00:00.000Z", provider="late", basis="imported"), task="import")
            home.close()
            super()._walk_bodies()

    before = audited(path)
    db = open_to_read(str(path), clock=ManualClock())
    audit = Slow(db)
    audit.walk()
    db.close()
    assert (audit.faults, audit.batches, audit.head) == (0, before.batches, before.head)
    assert audited(path).batches == before.batches + 1


# --- what was touched -------------------------------------------------------------------------------------------------


class Vandal:
    """Changes one thing in a database, at random."""

    def __init__(self, path: Path, draw: random.Random) -> None:
        self._db = sqlite3.connect(path)
        self._draw = draw

    def strike(self) -> str:
        """Change something that changes something; what was done."""
        while True:
            table = self._draw.choice(TABLES)
            before = self._rows(table)
            try:
                with self._db:
                    done = self._draw.choice((self._change, self._change, self._delete, self._swap))(table)
            except sqlite3.IntegrityError:  # SQLite itself refuses it
                continue
            if done and before != self._rows(table):
                self._db.close()
                return f"{table}: {done}"

    def _rows(self, table: str) -> list[Any]:
        """All of it; a page as what is in it, since how it is packed says nothing."""
        rows = self._db.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid").fetchall()
        return [(row[1], _unpacked(row[2])) for row in rows] if table == "page_bodies" else rows

    def _pick(self, table: str, count: int = 1) -> list[int]:
        rows = [row[0] for row in self._db.execute(f"SELECT rowid FROM {table} ORDER BY rowid")]
        return self._draw.sample(rows, count)

    def _change(self, table: str) -> str:
        [row, other] = self._pick(table, 2)
        names = [each[1] for each in self._db.execute(f"PRAGMA table_info({table})")]
        name = self._draw.choice(names)
        one, two = (
            self._db.execute(f"SELECT {name} FROM {table} WHERE rowid = ?", (each,)).fetchone()[0]
            for each in (row, other)
        )
        value = two if self._draw.random() < 0.3 else self._other(one)
        self._db.execute(f"UPDATE {table} SET {name} = ? WHERE rowid = ?", (value, row))
        return f"{name} of row {row} from {one!r:.60} to {value!r:.60}"

    def _other(self, value: Any) -> Any:
        draw = self._draw
        if isinstance(value, bytes):
            place = draw.randrange(len(value))
            return value[:place] + bytes([value[place] ^ (1 << draw.randrange(8))]) + value[place + 1 :]
        if isinstance(value, str) and value:
            place = draw.randrange(len(value))
            return value[:place] + draw.choice("0123456789abcdefXYZ ") + value[place + 1 :]
        if isinstance(value, (int, float)):
            return draw.choice((value + 1, value - 1, -value, value * 10, None))
        return draw.choice((1, "x", "2026-11-01"))

    def _delete(self, table: str) -> str:
        [row] = self._pick(table)
        self._db.execute(f"DELETE FROM {table} WHERE rowid = ?", (row,))
        return f"row {row} is gone"

    def _swap(self, table: str) -> str:
        one, two = self._pick(table, 2)
        names = KEYS.get(table, ("id",))
        keys = [
            self._db.execute(f"SELECT {', '.join(names)} FROM {table} WHERE rowid = ?", (row,)).fetchone()
            for row in (one, two)
        ]
        is_row = names == ("id",) and table != "prices"
        hidden = (-1,) if is_row else tuple("nobody" if isinstance(key, str) else -1 for key in keys[0])
        marks = ", ".join(f"{name} = ?" for name in names)
        where = " AND ".join(f"{name} = ?" for name in names)
        for to, of in ((hidden, keys[0]), (keys[0], keys[1]), (keys[1], hidden)):
            self._db.execute(f"UPDATE {table} SET {marks} WHERE {where}", (*to, *of))
        return f"rows {one} and {two} have each other's place"


def _unpacked(packed: Any) -> Optional[bytes]:
    try:
        return zlib.decompress(packed, 31)
    except (zlib.error, TypeError):
        return repr(packed).encode()


def test_100_of_100_random_changes_are_found(filled: Path, tmp_path: Path) -> None:
    """A value changed, a row taken away, two rows in each other's place: none goes unnoticed."""
    seed = random.SystemRandom().randrange(10**9)
    draw = random.Random(seed)
    pristine = copy(filled, tmp_path / "pristine.db")
    missed, struck = [], set()
    for _ in range(100):
        path = Path(shutil.copy(pristine, tmp_path / "agent_os.db"))
        done = Vandal(path, draw).strike()
        struck.add(done.partition(":")[0])
        audit = audited(path)
        if not audit.faults or not (audit.first and audit.first.table and audit.first.what):
            missed.append(done)
    print(f"seed {seed}; struck {sorted(struck)}")  # noqa: T201
    assert missed == [], f"seed {seed}"


AT_FIRST = "SELECT min(id) FROM result_lines WHERE superseded_by IS NOT NULL"


@pytest.mark.parametrize(
    ("change", "table", "says"),
    [
        ("UPDATE result_lines SET amount_nano = amount_nano + 1 WHERE id = 3", "batches", "link of the chain"),
        ("UPDATE result_lines SET provider = 'acme' WHERE id = 3", "result_lines", "is of acme"),
        ("UPDATE result_lines SET id = 999999 WHERE id = 3", "result_lines", "the last row is 999999"),
        ("UPDATE result_lines SET id = 0 WHERE id = 1", "result_lines", "in the place of line 1"),
        ("UPDATE result_lines SET batch_id = 2 WHERE id = 3", "result_lines", "batch 2"),
        (f"UPDATE result_lines SET superseded_by = NULL WHERE id = ({AT_FIRST})", "result_lines", "by batch None"),
        (
            "UPDATE result_lines SET superseded_at = NULL, superseded_by = NULL WHERE superseded_by IS NOT NULL",
            "batches", "and closed 0",
        ),
        ("DELETE FROM result_lines WHERE id = (SELECT max(id) FROM result_lines)", "result_lines", "the last id"),
        ("DELETE FROM batches WHERE id = (SELECT max(id) FROM batches)", "result_lines", "not there"),
        ("UPDATE batches SET observed_at = '2026-01-01T00:00:00.000Z' WHERE id = 2", "result_lines", "seen at"),
        ("UPDATE batches SET chain = 'ff' WHERE id = 2", "batches", "link of the chain"),
        ("UPDATE pages SET url = 'https://example.com/' WHERE batch_id = 1 AND seq = 1", "batches", "pages"),
        ("DELETE FROM pages WHERE batch_id = 1 AND seq = 1", "pages", "is page 1"),
        ("UPDATE page_bodies SET gzip = (SELECT max(gzip) FROM page_bodies) WHERE rowid = 1", "page_bodies", "SHA-256"),
        ("UPDATE page_bodies SET gzip = substr(gzip, 1, 40) WHERE rowid = 1", "page_bodies", "unpacked"),
        ("UPDATE results SET cost_nano = cost_nano + 1 WHERE cost_nano > 0", "results", "its lines come to"),
        ("UPDATE results SET cost = cost + 0.01 WHERE cost > 0", "results", "its cost"),
        ("UPDATE results SET day_status = 'settled'", "results", "was provisional"),
        ("UPDATE results SET updated_at = '2026-01-01T00:00:00.000Z'", "results", "brought it"),
        ("UPDATE results SET created_at = '2026-01-01T00:00:00.000Z'", "results", "said to have come"),
        ("UPDATE results SET basis = 'reported' WHERE basis = 'estimated'", "results", "its lines come to 0 tokens"),
        ("UPDATE results SET id = id + 1000 WHERE id = 1", "results", "no other table"),
        ("DELETE FROM results WHERE tokens > 0", "results", "has no row"),
        ("DELETE FROM results WHERE tokens = 0 AND cost_nano = 0", "results", "no other table"),
        ("UPDATE prices SET facts = replace(facts, '\"input\":\"5\"', '\"input\":\"4\"')", "prices", "its facts are"),
        ("UPDATE prices SET added_at = 'x'", "prices", "no other table"),
        ("DELETE FROM prices", "prices", "was priced with it"),
        ("UPDATE result_lines SET line_item = CAST(x'61ff62' AS TEXT) WHERE id = 3", "batches", "link of the chain"),
        ("UPDATE result_lines SET provider = CAST(x'61ff62' AS TEXT) WHERE id = 3", "result_lines", "is of a"),
    ],
)  # fmt: skip
def test_the_first_bad_row_is_named(filled: Path, tmp_path: Path, change: str, table: str, says: str) -> None:
    """With what is wrong about it."""
    path = copy(filled, tmp_path / "agent_os.db")
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute(change).rowcount, "the test changes nothing"
    first = audited(path).first
    assert first
    assert (first.table, says in first.what) == (table, True), first


def test_a_line_twice_is_found(filled: Path, tmp_path: Path) -> None:
    """Two lines that say the same of one day count twice, whoever has put them there, chain and all."""
    path = copy(filled, tmp_path / "agent_os.db")
    db = open_to_write(str(path), clock=ManualClock())
    line = record("2026-09-25", kind="cost", report="import", amount_nano=5, currency="USD", basis="imported")
    both = batch([line, line._replace(amount_nano=6)], at="2026-11-30T00:00:00.000Z", provider="x", basis="imported")
    with db.atomic():
        [run] = db.one("SELECT id FROM runs LIMIT 1") or ("",)
        Ledger(db).store(both, run_id=run)
    db.close()
    first = audited(path).first
    assert first
    assert (first.table, first.day, first.provider, first.what) == ("result_lines", "2026-09-25", "x", "is there twice")


# --- the verb ---------------------------------------------------------------------------------------------------------


def test_the_verb_says_what_it_has_proven(filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 and the head of the chain where all is whole; 6 and the first bad row where it is not."""
    from agent_os.main import main

    path = copy(filled, tmp_path / "agent_os.db")
    assert main(["verify", "--home", str(tmp_path)]) == 0
    head = audited(path).head
    assert capsys.readouterr().out.startswith("whole: ")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE results SET cost_nano = 7 WHERE provider = 'acme' AND date = '2026-09-11'")
    assert main(["verify", "--home", str(tmp_path)]) == 6
    out = capsys.readouterr().out
    assert "(acme 2026-09-11): its lines come to unknown tokens and 2000000000 nano EUR imported, it says" in out
    assert head in out
    assert main(["verify", "--home", str(tmp_path), "--json"]) == 6
    found = json.loads(capsys.readouterr().out)
    assert (found["whole"], found["faults"], found["first"]["day"]) == (False, 2, "2026-09-11")
    assert found["chain_head"] == head
