"""What the README says is run here: its commands on the built file, its queries on what they stored."""

from __future__ import annotations

import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from agent_os import exits
from agent_os.arguments import COMMON, TICK, VERBS
from agent_os.sandbox.server import Sandbox
from tests.test_command_line import write_env

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
COMMANDS = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, built once for this module."""
    path = tmp_path_factory.mktemp("built") / "agent_os.pyz"
    subprocess.run([sys.executable, str(ROOT / "build.py"), "--out", str(path)], check=True, capture_output=True)
    return path


def starting(word: str) -> list[str]:
    return [command for command in COMMANDS if command.startswith(word)]


@pytest.mark.slow
def test_the_commands_do_what_they_say(built: Path, tmp_path: Path) -> None:
    """Every line that starts the file, in order, in a folder with it, a .env, and the tasks that the README writes."""
    (tmp_path / "agent_os.pyz").write_bytes(built.read_bytes())
    (tmp_path / "agent_os.pyz").chmod(0o755)
    for name, language in (("my_app.py", "python"), ("agent_os.ini", "ini")):
        (tmp_path / name).write_text(README.partition(f"```{language}\n")[2].partition("```")[0], encoding="utf-8")
    with Sandbox() as sandbox:
        write_env(tmp_path, sandbox)
        for command in (each for each in COMMANDS if each.startswith(("./agent_os.pyz", "printf"))):
            words = [sys.executable, str(tmp_path / "agent_os.pyz"), *shlex.split(command)[1:]]
            if command.startswith("printf"):
                words = ["sh", "-c", command]
            done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (command, done.stderr)
    assert len(list(tmp_path.glob("agent_os-results-*.csv"))) == 1
    for command in starting("sqlite3"):
        _, database, query = shlex.split(command)
        connection = sqlite3.connect(tmp_path / database)
        assert connection.execute(query).fetchall(), query
        connection.close()
    assert len(starting("./agent_os.pyz")) >= 3
    assert len(starting("sqlite3")) >= 4


@pytest.mark.slow
def test_an_app_becomes_its_own_file(tmp_path: Path) -> None:
    """`build.py --app` and the task of the app in it, and the same from the sources."""
    (build,) = starting("python3 build.py --app")
    target = tmp_path / "billing_tracker.pyz"
    words = [sys.executable, *shlex.split(build)[1:], "--out", str(target), "--pythons", "none"]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    with Sandbox() as sandbox:
        write_env(tmp_path, sandbox)
        run = [sys.executable, str(target), "--home", str(tmp_path)]
        subprocess.run([*run, "--task", "run_all", "--quiet"], check=True, capture_output=True)
    summary = subprocess.run([*run, "--task", "billing_summary"], check=True, capture_output=True, text=True).stdout
    assert "anthropic" in summary
    (from_source,) = starting("python3 -m agent_os")
    words = [sys.executable, *shlex.split(from_source)[1:], "--home", str(tmp_path)]
    assert subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout == summary


def test_the_cron_line_is_one_that_cron_takes() -> None:
    """Five fields, absolute paths, the home pinned, and options that exist."""
    (line,) = [line for line in README.splitlines() if line.startswith("*/15 * * * * ")]
    words = shlex.split(line)[5:]
    assert words[0].startswith("/")
    assert words[1].startswith("/")
    assert "%" not in line
    assert {word for word in words if word.startswith("--")} <= {*COMMON, *TICK}


def test_every_exit_code_is_in_the_readme() -> None:
    """The table is the contract."""
    codes = {int(number) for row in re.findall(r"^\| ([0-9, ]+) \|", README, re.MULTILINE) for number in row.split(",")}
    assert codes == {*exits.NAMES, 129, 130, 143}


def test_what_the_readme_names_exists() -> None:
    """Verbs, options and files."""
    for verb in re.findall(r"`\./agent_os\.pyz ([a-z-]+)`", README):
        assert verb in VERBS
    for target in re.findall(r"\]\(((?!http)[^)#]+)\)", README):
        assert (ROOT / target).exists(), target
