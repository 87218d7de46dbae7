"""docs/YOUR_FIRST_APP.md is run: every block, in order, in an empty folder, and what it shows is what is said."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent_os.arguments import COMMON, RUN, VERBS
from tests.conftest import PACKAGE
from tests.guide import ROOT, Block, Reader, blocks_of, is_like

PAGE = ROOT / "docs" / "YOUR_FIRST_APP.md"
BLOCKS = blocks_of(PAGE)

pytestmark = [
    pytest.mark.skipif(shutil.which("sh") is None or os.name == "nt", reason="the page is for a POSIX shell"),
    pytest.mark.skipif(PACKAGE != "agent_os", reason="a reader of the page has the package itself"),
]


def read(reader: Reader) -> None:
    """Do what the page says, block by block."""
    said = None
    for block in BLOCKS:
        where = f"{PAGE.name}, line {block.line}"
        if block.file:
            reader.write(block)
        elif block.language == "sh":
            said = reader.type(block)
        elif block.language == "cron":
            for line in block.text.splitlines():
                reader.run(typed(line, reader))
        elif block.language == "":
            assert said is None or is_like(block.text, said), f"{where} shows:\n{block.text}\nbut this is said:\n{said}"
        else:
            pytest.fail(f"{where}: nobody knows what to do with a block of {block.info!r}")


def typed(line: str, reader: Reader) -> str:
    """The command of a cron line, as it is on this machine."""
    command = line.split(None, 5)[5].replace("/home/you/first", shlex.quote(str(reader.folder)))
    return command.replace("/usr/bin/python3 ", "" if not reader.is_built else "python3 ")


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    """Every block, with the program of this checkout."""
    reader = Reader(tmp_path / "first")
    read(reader)
    assert {line.split()[1] for line in reader.skipped} <= {"show", "plan", "backfill", "retry", "doctor"} - set(VERBS)


@pytest.mark.slow
def test_the_page_does_what_it_says_with_the_built_file(tmp_path: Path) -> None:
    """The same with the file that the reader has."""
    built = tmp_path / "agent_os.pyz"
    words = [sys.executable, str(ROOT / "build.py"), "--out", str(built), "--without-shiv", "--pythons", "none"]
    subprocess.run(words, check=True, capture_output=True)
    read(Reader(tmp_path / "first", built=built))


def test_the_effect_on_the_page_happened_once(tmp_path: Path) -> None:
    """What the page claims of steps and effects is seen outside: one order, though its task ran twice."""
    reader = Reader(tmp_path / "first")
    read(reader)
    assert (reader.folder / "orders.txt").read_text() == "tea\n"
    assert (reader.folder / "numbers.txt").read_text() == "17\n17\n"  # one a slot, though one of them was run twice
    assert (reader.folder / "my_app.bak").exists()


def test_the_cron_line_is_one_that_cron_takes() -> None:
    """Five fields, absolute paths, the home pinned, options that exist, no % (which cron takes for a new line)."""
    (line,) = [line for block in BLOCKS if block.language == "cron" for line in block.text.splitlines()]
    words = shlex.split(line)[5:]
    assert words[0].startswith("/")
    assert words[1].startswith("/")
    assert "%" not in line
    assert {word for word in words if word.startswith("--")} <= {*COMMON, *RUN}


def test_an_output_is_compared_word_by_word() -> None:
    """Words with digits (times, ids) may differ, all others may not: otherwise this file proves nothing."""
    assert is_like("load  success  0.1 s\n", "load success 2.7 s\n")
    assert not is_like("load  success  0.1 s\n", "load failed 0.1 s\n")
    assert not is_like("one\n", "one\ntwo\n")
    assert not is_like("", "one\n")


def test_a_block_knows_its_file() -> None:
    """`python my_app.py` behind the fence means: this is added to my_app.py."""
    assert Block("python my_app.py", "x = 1\n", 1).file == "my_app.py"
    assert Block("sh", "true\n", 1).file == ""
