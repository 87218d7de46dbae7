"""Pages that are run: their blocks, in order, in an empty folder, by a reader who types what is there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, Optional

from agent_os.arguments import VERBS

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(.*)\n((?:(?!```).*\n)*)```$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: what is written behind its fence, its text, its line in the page."""

    info: str
    text: str
    line: int

    @property
    def language(self) -> str:
        return self.info.partition(" ")[0]

    @property
    def file(self) -> str:
        """The file that it belongs into; "" for none."""
        return self.info.partition(" ")[2].strip()


def blocks_of(page: Path) -> list[Block]:
    """Every block of a page."""
    text = page.read_text(encoding="utf-8")
    found = [Block(each[1], each[2], text.count("\n", 0, each.start()) + 1) for each in BLOCK.finditer(text)]
    assert len(found) * 2 == len(re.findall("^```", text, re.MULTILINE)), f"a fence of {page.name} has no other"
    return found


class Reader:
    """Someone with an empty folder, `agent_os.pyz` in it, and a shell."""

    def __init__(self, folder: Path, *, built: Optional[Path] = None) -> None:
        self.folder = folder
        self.environ = {"PATH": f"{folder / '.bin'}{os.pathsep}/usr/bin{os.pathsep}/bin", "LC_ALL": "C.UTF-8"}
        self.environ["HOME"] = str(folder)  # and no log of whoever runs the tests
        self.skipped: list[str] = []
        self.is_built = built is not None
        (folder / ".bin").mkdir(parents=True)
        python = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n'
        self._write_program(folder / ".bin" / "python3", python)
        program = folder / "agent_os.pyz"
        if built:
            program.write_bytes(built.read_bytes())
            program.chmod(0o755)
        else:
            self._write_program(
                program, f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec python3 -m agent_os "$@"\n'
            )
        self._path = "agent_os.pyz/site-packages" if built else str(ROOT)

    def _write_program(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def write(self, block: Block) -> None:
        """Make a file of a block, or add to it."""
        path = self.folder / block.file
        before = path.read_text(encoding="utf-8") + "\n\n" if path.exists() else ""
        path.write_text(before + block.text, encoding="utf-8")
        if path.suffix != ".py":
            path.chmod(0o600)

    def type(self, block: Block) -> Optional[str]:
        """Run each line; what they print, or None where one of them is of a verb that does not exist yet."""
        said = ""
        is_whole = True
        for line in block.text.splitlines():
            command, _, remark = line.partition("  # ")
            if self._is_unknown(command):
                self.skipped.append(command)
                is_whole = False
                continue
            expected = int(remark[5:]) if remark.startswith("exit ") else 0
            said += self.run(command.replace("agent_os.pyz/site-packages", self._path), expected=expected)
        return said if is_whole else None

    def _is_unknown(self, command: str) -> bool:
        words = shlex.split(command)
        is_verb = words[:1] == ["./agent_os.pyz"] and len(words) > 1 and not words[1].startswith("-")
        return is_verb and words[1] not in VERBS

    def run(self, command: str, *, expected: int = 0) -> str:
        """What one line prints, on both streams; it must end with the code that the page says."""
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == expected, f"{command}\nended with {done.returncode}:\n{done.stdout}"
        return "".join(line for line in done.stdout.splitlines(True) if not line.startswith("database "))


def is_like(shown: str, said: str) -> bool:
    """Whether the page shows what was said; a word with a digit stands for any word with one, a space for several."""

    def words(text: str) -> list[list[str]]:
        return [["#" if re.search(r"\d", word) else word for word in line.split()] for line in text.splitlines()]

    return words(shown) == words(said)
