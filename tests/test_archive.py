"""The program's own file: how it starts itself again, what it knows of its build, and that damage is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from agent_os.core import archive

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = archive.__name__.rpartition(".core.")[0]

# --- a checkout or a vendored copy ------------------------------------------------------------------------------------


def test_a_checkout_is_started_as_a_module():
    """`python -m` the package, under whatever name it was imported."""
    assert archive.self_command() == [sys.executable, "-m", PACKAGE]


def test_a_checkout_says_that_it_was_not_built():
    """No commit, no build id, no apps; its location is the package's folder."""
    assert archive.built_from() == {"commit": "source", "build_id": "", "bytecode": ""}
    assert archive.bundled_apps() == ()
    assert not archive.is_single_file()
    assert os.path.samefile(archive.location(), Path(archive.__file__).parent.parent)


def test_a_checkout_has_nothing_to_check():
    """Without a manifest there is nothing that could differ."""
    assert archive.self_check() == []


def test_preloading_imports_every_module():
    """All of the package is in memory afterwards, but for `__main__`, which would run."""
    code = "import sys, json; from agent_os.core.archive import preload; preload(); "
    code += "json.dump(sorted(sys.modules), sys.stdout)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    files = {path.relative_to(ROOT) for path in (ROOT / "agent_os").rglob("*.py")} - {Path("agent_os/__main__.py")}
    names = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in files}
    missing = {name for name in names if f'"{name}"' not in done.stdout}
    assert not missing
    assert '"agent_os.__main__"' not in done.stdout


def vendored(tmp_path, name, source):
    """A copy of the package under another name, with one more module in it; its `archive` module."""
    shutil.copytree(ROOT / "agent_os", tmp_path / name / "agent_os", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "agent_os" / "core" / "extra.py").write_text(source)
    sys.path.insert(0, str(tmp_path))
    try:
        __import__(f"{name}.agent_os.core.archive")
        return sys.modules[f"{name}.agent_os.core.archive"]
    finally:
        sys.path.remove(str(tmp_path))


def test_preloading_a_broken_module_fails_at_once(tmp_path):
    """Better before the first task than in the middle of it."""
    copy = vendored(tmp_path, "broken_copy", "def (:\n")
    with pytest.raises(sys.modules["broken_copy.agent_os.core.errors"].StoreError, match=r"core\.extra from .*syntax"):
        copy.preload()


def test_preloading_leaves_a_missing_part_of_the_standard_library_to_its_verb(tmp_path):
    """A Python built without ssl can still run what needs no ssl."""
    assert vendored(tmp_path, "poor_copy", "import no_such_part_of_python\n").preload() > 0


# --- the built file ---------------------------------------------------------------------------------------------------

PROBE = """
def main(argv=None):
    import sys
    from .core import archive
    if sys.argv[1:] == ["where"]:
        print(*archive.self_command(), archive.location(), archive.is_single_file(), archive.bundled_apps(), sep="\\n")
        print(*archive.built_from().values(), sep="|")
    else:
        print(*archive.self_check(), sep="\\n")
    return 0
"""


@pytest.fixture(scope="module")
def pyz(tmp_path_factory):
    """A built file whose program prints what `archive` says."""
    house = tmp_path_factory.mktemp("archive") / "house"
    house.mkdir()
    for name in ("agent_os", "boot"):
        shutil.copytree(ROOT / name, house / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("build.py", "LICENSE"):
        shutil.copy(ROOT / name, house / name)
    (house / "agent_os" / "main.py").write_text(PROBE)
    out = house / "agent_os.pyz"
    command = [sys.executable, "build.py", "--without-shiv", "--pythons", sys.executable, "--out", str(out)]
    subprocess.run(command, cwd=house, check=True, capture_output=True)
    return out


def said(pyz, *words):
    done = subprocess.run([sys.executable, str(pyz), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_file_is_started_by_its_absolute_path(pyz):
    """What goes into a schedule or a child process: this Python, this file."""
    here = ".".join(map(str, sys.version_info[:3]))
    *where, built_from = said(pyz, "where")
    assert where == [sys.executable, str(pyz), str(pyz), "True", "()"]
    commit, build_id, bytecode = built_from.split("|")
    assert (commit, len(build_id), bytecode) == ("unknown", 16, here)


def test_a_whole_file_has_no_faults(pyz, tmp_path):
    """Neither where it was built nor anywhere else, under any name."""
    shutil.copy(pyz, tmp_path / "renamed")
    assert said(pyz) == [""]
    assert said(tmp_path / "renamed") == [""]


def flipped(pyz, target, offset):
    content = bytearray(pyz.read_bytes())
    content[offset] ^= 0x01
    target.write_bytes(content)
    return target


def data_of(pyz, member):
    with zipfile.ZipFile(pyz) as file:
        entry = file.getinfo(member)
    return entry.header_offset + 30 + len(member)


@pytest.mark.parametrize("member", ["LICENSE", "environment.json", "site-packages/agent_os/core/text.py"])
def test_one_flipped_bit_in_a_member_is_named(pyz, tmp_path, member):
    """The sentence says which member is damaged."""
    assert said(flipped(pyz, tmp_path / "a.pyz", data_of(pyz, member) + 3)) == [f"{member} is damaged"]


def test_one_flipped_bit_in_the_bytecode_is_named(pyz, tmp_path):
    """Even in that of the Python that runs: the damaged piece is not used, so the check itself still runs."""
    member = next(name for name in zipfile.ZipFile(pyz).namelist() if name.startswith("bytecode/"))
    for distance in (5, 1000, 20000, 100000):
        assert said(flipped(pyz, tmp_path / "a.pyz", data_of(pyz, member) + distance)) == [f"{member} is damaged"]


def test_one_flipped_bit_between_the_members_is_found(pyz, tmp_path):
    """The members are whole then, but the file is not the one that was built."""
    with zipfile.ZipFile(pyz) as file:
        directory, last = file.start_dir, file.infolist()[-1].header_offset
    for offset in (last + 10, directory + 12, 30):
        faults = said(flipped(pyz, tmp_path / "a.pyz", offset))
        assert faults == ["the members are whole, but the bytes around them differ from those that were built"]


def test_members_added_missing_and_doubled_are_named(pyz, tmp_path):
    """Whoever rewrites the zip leaves a trace in each case."""
    target = tmp_path / "a.pyz"
    with zipfile.ZipFile(pyz) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if name != "site-packages/agent_os/core/retry.py":
                new.writestr(name, old.read(name))
        new.writestr("site-packages/agent_os/core/planted.py", "x = 1\n")
        with pytest.warns(UserWarning, match="Duplicate name"):
            new.writestr("LICENSE", "mine\n")
    assert said(target) == [
        "site-packages/agent_os/core/retry.py is missing",
        "site-packages/agent_os/core/planted.py was added",
        "LICENSE is there more than once",
        "LICENSE is damaged",
    ]


def test_a_file_without_its_manifest_is_not_whole(pyz, tmp_path):
    """There is nothing to compare with, and that is a fault."""
    target = tmp_path / "a.pyz"
    with zipfile.ZipFile(pyz) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if name != "manifest.txt":
                new.writestr(name, old.read(name))
    assert said(target) == ["the file has no manifest.txt"]
