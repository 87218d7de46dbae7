"""The built file: the same bytes for the same commit, and a program that starts wherever a Python is."""

from __future__ import annotations

import importlib.util
import marshal
import os
import runpy
import shutil
import stat
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
HERE = "{}.{}".format(*sys.version_info)

# Stands in for the program: runs the code it is given inside the file, as the program would.
PROBE = """
def main(argv=None):
    import sys
    exec(compile(sys.argv[1], "<probe>", "exec"), {"__name__": "probe"})
    return 0
"""


def load_build():
    spec = importlib.util.spec_from_file_location("build_script", ROOT / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILD = load_build()
PYTHONS = BUILD.find_pythons("all")
OLD_PYTHONS = [
    path
    for version in ("2.7", "3.6", "3.7", "3.8")
    for path in sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
]


def git(folder, *words):
    identity = {"GIT_AUTHOR_DATE": "2026-11-21T05:06:07Z", "GIT_COMMITTER_DATE": "2026-11-21T05:06:07Z"}
    environ = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **identity}
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.invalid", "-C", str(folder), *words]
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout


def new_house(folder):
    """A checkout like ours in `folder`, with the probe as its program, committed at a fixed instant."""
    folder.mkdir(parents=True)
    leave = shutil.ignore_patterns("__pycache__")
    for name in ("agent_os", "boot"):
        shutil.copytree(ROOT / name, folder / name, ignore=leave)
    for name in ("build.py", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "agent_os" / "main.py").write_text(PROBE)
    app = folder / "apps" / "bills"
    app.mkdir(parents=True)
    (folder / "apps" / "__init__.py").write_text("")
    (app / "__init__.py").write_text("NAME = 'bills'\n")
    (app / "words.txt").write_text("words\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "all")
    return folder


def build(house, out, *words, python=sys.executable, env=None, **more):
    """Run build.py of `house` without shiv, with this Python's bytecode alone, unless `words` says otherwise."""
    words = ["--without-shiv", *([] if "--pythons" in words else ["--pythons", sys.executable]), *words]
    command = [str(python), str(house / "build.py"), "--out", str(out), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, **more)


def built(house, out, *words, **more):
    done = build(house, out, *words, **more)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    return new_house(tmp_path_factory.mktemp("house") / "checkout")


@pytest.fixture(scope="module")
def pyz(house, tmp_path_factory):
    """A file with bytecode for the Python that runs the tests."""
    return built(house, tmp_path_factory.mktemp("built") / "agent_os.pyz", "--app", str(house / "apps" / "bills"))


@pytest.fixture(scope="module")
def sources_only(house, tmp_path_factory):
    """The same file without bytecode: what a Python gets that build.py did not know."""
    out = tmp_path_factory.mktemp("plain") / "agent_os.pyz"
    return built(house, out, "--pythons", "none", "--app", str(house / "apps" / "bills"))


def ask(pyz, code, *flags, python=sys.executable, **more):
    """What the code prints when it is run inside the file."""
    done = subprocess.run([str(python), *flags, str(pyz), code], capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# --- the same bytes ---------------------------------------------------------------------------------------------------


def test_circumstances_leave_no_trace(house, pyz, tmp_path):
    """Another folder, umask, time zone, locale, home, hash seed and build variables give the same bytes."""
    second = new_house(tmp_path / "ein anderer Ördner")
    environ = {
        "PATH": os.environ["PATH"], "HOME": "/nowhere", "TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "7",
        "SOURCE_DATE_EPOCH": "5", "GIT_DIR": "/nowhere", "SHIV_ROOT": "/nowhere",
    }  # fmt: skip
    for path in second.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    words = ["--app", str(second / "apps" / "bills")]
    other = built(second, tmp_path / "b.pyz", *words, env=environ, cwd="/", preexec_fn=lambda: os.umask(0o077))
    assert other.read_bytes() == pyz.read_bytes()


@pytest.mark.parametrize("python", PYTHONS, ids=lambda python: python.version)
def test_any_python_builds_the_same(house, pyz, tmp_path, python):
    """Which Python runs build.py does not show; which ones make the bytecode is chosen apart from that."""
    words = ["--app", str(house / "apps" / "bills")]
    assert built(house, tmp_path / "b.pyz", *words, python=python.path).read_bytes() == pyz.read_bytes()


@pytest.mark.skipif(not BUILD.has_shiv(sys.executable), reason="shiv is not installed here")
def test_shiv_and_the_direct_way_agree(house, tmp_path):
    """A machine that cannot have shiv builds what shiv would have built."""
    direct = built(house, tmp_path / "a.pyz")
    command = [sys.executable, str(house / "build.py"), "--out", str(tmp_path / "b.pyz"), "--pythons", sys.executable]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "b.pyz").read_bytes() == direct.read_bytes()


@pytest.mark.skipif(not BUILD.has_shiv(sys.executable), reason="shiv is not installed here")
def test_shiv_can_read_the_file(pyz):
    """`shiv-info` shows what it shows of any file that shiv made."""
    command = [sys.executable, "-c", "import shiv.info; shiv.info.main()", "--json", str(pyz)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert '"entry_point": "agent_os.main:main"' in done.stdout
    assert '"shiv_version": "1.0.8"' in done.stdout


@pytest.mark.parametrize("python", PYTHONS, ids=lambda python: python.version)
def test_bytecode_does_not_tell_what_else_the_compiler_had_in_mind(tmp_path, python):
    """marshal marks shared objects; a process that holds the same names elsewhere must write the same bytes."""
    source = 'def f(self, seldom_used, key):\n    return key in {"b", "a", "cc"}, key.seldom, 2.5, self, "two words"\n'
    (tmp_path / "m.py").write_text(source)
    script = str(ROOT / "boot" / "bytecode.py")
    crowd = (
        "import argparse, json, re, runpy, sys; seldom_used = 1; held = ['seldom', 'two words', 'cc', 'f', 'm.py']; "
    )
    crowd += f"sys.argv[1:] = ['b.bin']; runpy.run_path({script!r}, run_name='__main__')"
    for words in ([script, "a.bin"], ["-c", crowd]):
        command, environ = [python.path, *words], {"PYTHONHASHSEED": "0"}
        subprocess.run(command, input="m m.py", text=True, cwd=tmp_path, env=environ, check=True)
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()


def test_bytecode_keeps_the_docstrings_that_are_shown(tmp_path):
    """The first line of a task's is its description; of ours, nobody reads them in the file but in the sources."""
    (tmp_path / "m.py").write_text('def task():\n    "What it does."\n    assert task\n')
    names = ["apps.mine", "agent_os.plugins.openai", "agent_os.core.spec"]
    command = [sys.executable, str(ROOT / "boot" / "bytecode.py"), "a.bin", *names]
    subprocess.run(command, input="".join(f"{name} m.py\n" for name in names), text=True, cwd=tmp_path, check=True)
    held = marshal.loads((tmp_path / "a.bin").read_bytes())
    assert [b"What it does." in held[name][1] for name in names] == [True, True, False]


def test_a_changed_tree_says_so_and_keeps_the_time_of_its_commit(tmp_path):
    """`+dirty` marks what no commit holds; the time stays, so that the same changes give the same bytes."""
    house = new_house(tmp_path / "house")
    head = git(house, "rev-parse", "HEAD").strip()
    clean = built(house, tmp_path / "a.pyz", "--pythons", "none")
    assert ask(clean, "from agent_os import _build; print(_build.COMMIT)") == head
    (house / "agent_os" / "extra.py").write_text("X = 1\n")
    dirty = built(house, tmp_path / "b.pyz", "--pythons", "none")
    assert ask(dirty, "from agent_os import _build, extra; print(_build.COMMIT)") == head + "+dirty"
    with zipfile.ZipFile(dirty) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2026, 11, 21, 5, 6, 6)}


def test_what_git_ignores_does_not_get_in(tmp_path):
    """A database or a cache lying in the package folder neither changes the bytes nor travels with them."""
    house = new_house(tmp_path / "house")
    clean = built(house, tmp_path / "a.pyz", "--pythons", "none").read_bytes()
    (house / "agent_os" / "__pycache__").mkdir()
    (house / "agent_os" / "__pycache__" / "main.cpython-39.pyc").write_bytes(b"x")
    (house / "agent_os" / "old.pyc").write_bytes(b"x")
    (house / "notes.txt").write_text("no part of the program")
    assert built(house, tmp_path / "b.pyz", "--pythons", "none").read_bytes() == clean


def test_a_copy_without_git_is_of_an_unknown_commit(tmp_path):
    """A source archive builds too, at the first instant that a zip can name, even inside somebody else's checkout."""
    house = new_house(tmp_path / "outer" / "house")
    shutil.rmtree(house / ".git")
    git(tmp_path / "outer", "init", "-q")
    out = built(house, tmp_path / "a.pyz", "--pythons", "none")
    assert ask(out, "from agent_os import _build; print(_build.COMMIT)") == "unknown"
    with zipfile.ZipFile(out) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_build_id_is_that_of_the_program(pyz, sources_only, house, tmp_path):
    """The same program has the same id whatever bytecode was made of it; another program has another."""
    code = "from agent_os import _build; print(_build.BUILD_ID, _build.BUILT_WITH or 'none')"
    here = ".".join(map(str, sys.version_info[:3]))
    with_id, made_with = ask(pyz, code).split()
    without_id, made_without = ask(sources_only, code).split()
    assert len(with_id) == 16
    assert (with_id, made_with, made_without) == (without_id, here, "none")
    without_app = built(house, tmp_path / "b.pyz", "--pythons", "none")
    assert ask(without_app, code).split()[0] != with_id


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_the_layout_is_plain(pyz):
    """Sorted, one time, plain modes, nothing compressed, executable, the shebang that every system understands."""
    assert stat.S_IMODE(pyz.stat().st_mode) == 0o755
    assert pyz.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(pyz) as archive:
        entries = archive.infolist()
    names = [entry.filename for entry in entries]
    assert names == sorted(set(names))
    assert {(entry.external_attr >> 16, entry.compress_type, entry.create_system) for entry in entries} == {
        (0o100644, zipfile.ZIP_STORED, 3)
    }
    assert {name.partition("/")[0] for name in names} == {
        "LICENSE", "__main__.py", "bytecode", "environment.json", "launch.py", "manifest.txt", "site-packages",
    }  # fmt: skip


def test_every_member_is_in_the_manifest_with_its_sum(pyz):
    """`sha256sum -c manifest.txt` works on the unpacked file, and line two holds the sum of all that follows."""
    with zipfile.ZipFile(pyz) as archive:
        expected = dict(reversed(line.split("  ")) for line in archive.read("manifest.txt").decode().splitlines())
        assert set(archive.namelist()) == {*expected, "manifest.txt"}
        assert all(sha256(archive.read(name)).hexdigest() == digest for name, digest in expected.items())
    _, line, rest = pyz.read_bytes().split(b"\n", 2)
    assert line == b"# sha256 of what follows this line: " + sha256(rest).hexdigest().encode()


def test_an_app_comes_along_under_its_own_name(house, tmp_path, pyz):
    """`--app apps/bills` makes bills.pyz, in which `apps.bills` and its data are importable and named."""
    code = "import pkgutil, apps.bills; from agent_os import _build; "
    code += "print(apps.bills.NAME, _build.APPS, pkgutil.get_data('apps.bills', 'words.txt'))"
    assert ask(pyz, code) == "bills ('apps.bills',) b'words\\n'"
    done = subprocess.run(
        [sys.executable, "build.py", "--without-shiv", "--pythons", "none", "--app", "apps/bills"],
        cwd=house,
        check=False,
    )
    assert done.returncode == 0
    assert (house / "bills.pyz").is_file()


def test_an_app_from_elsewhere_is_named_from_its_outermost_package(house, tmp_path):
    """A package that lies in no other package is importable by its own name."""
    (tmp_path / "elsewhere" / "tools").mkdir(parents=True)
    (tmp_path / "elsewhere" / "tools" / "__init__.py").write_text("X = 7\n")
    out = built(house, tmp_path / "t.pyz", "--pythons", "none", "--app", str(tmp_path / "elsewhere" / "tools"))
    assert ask(out, "import tools; from agent_os import _build; print(tools.X, _build.APPS)") == "7 ('tools',)"


@pytest.mark.parametrize(
    ("make", "words", "sentence"),
    [
        pytest.param("", ["--app", "apps/none"], "is not an app: it has no __init__.py", id="no app"),
        pytest.param("apps/a-b/__init__.py", ["--app", "apps/a-b"], "cannot be imported", id="not a name"),
        pytest.param("agent_os/deep/er/x.py", [], "agent_os/deep/er/ has no __init__.py", id="no package"),
        pytest.param("agent_os/wrong.py", ["--pythons", sys.executable], "SyntaxError", id="not Python"),
        pytest.param("", ["--pythons", "2.7"], "--pythons: no released CPython for '2.7'", id="no such Python"),
    ],
)
def test_what_cannot_be_built_is_refused_in_a_sentence(tmp_path, make, words, sentence):
    """build.py ends with 1 and says why; a file that was there before stays as it was."""
    house = new_house(tmp_path / "house")
    if make:
        (house / make).parent.mkdir(parents=True, exist_ok=True)
        (house / make).write_text("def (:\n")
    (tmp_path / "a.pyz").write_text("old")
    done = build(house, tmp_path / "a.pyz", *(words or ["--pythons", "none"]), cwd=house)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr or "SyntaxError" in sentence
    assert (tmp_path / "a.pyz").read_text() == "old"


# --- it starts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("python", OLD_PYTHONS, ids=lambda path: path.parts[-3])
def test_an_old_python_is_refused_in_a_sentence(pyz, python):
    """Below 3.9 the file says what it needs and what this is, and ends with 3."""
    done = subprocess.run([str(python), str(pyz), "x"], capture_output=True, text=True, check=False)
    version = python.parts[-3]
    assert done.returncode == 3
    assert done.stderr == f"Agent OS needs Python 3.9 or newer; this is {version} at {python}\n"


@pytest.mark.parametrize("python", PYTHONS, ids=lambda python: python.version)
def test_every_python_runs_the_same_file(house, tmp_path_factory, pyz, sources_only, python):
    """With bytecode where there is some, from the sources elsewhere."""
    code = "import agent_os.core.errors as e; print(bool(e.__loader__.held), e.__spec__.name)"
    expected = str(python.version.rpartition(".")[0] == HERE)
    assert ask(pyz, code, python=python.path) == f"{expected} agent_os.core.errors"
    assert ask(sources_only, code, python=python.path) == "False agent_os.core.errors"


@pytest.mark.parametrize(
    "flags",
    [["-I"], ["-s"], ["-S"], ["-E"], ["-B"], ["-O"], ["-OO"], ["-X", "utf8"], ["-W", "error"], ["-b"], ["-u"]]
    + ([["-P"]] if sys.version_info >= (3, 11) else []),
    ids="".join,
)
def test_flags_of_python_change_nothing(pyz, flags):
    """Whatever a scheduler hands to Python, the first place to import from is ours."""
    code = "import sys, agent_os.core.errors as e; print(sys.path[0] == sys.argv[0] + '/site-packages', e.__file__)"
    assert ask(pyz, code, *flags) == f"True {pyz}/site-packages/agent_os/core/errors.py"


def test_asserts_run_as_python_was_asked(house, tmp_path):
    """The bytecode was made with asserts; with -O the sources are compiled without them."""
    app = tmp_path / "strict"
    app.mkdir()
    (app / "__init__.py").write_text("def f():\n    assert False\n    return 1\n")
    out = built(house, tmp_path / "t.pyz", "--app", str(app))
    code = "import strict\ntry: print(strict.f())\nexcept AssertionError: print('asserted')"
    assert (ask(out, code), ask(out, code, "-O")) == ("asserted", "1")


def test_a_module_of_another_loader_is_not_ours(pyz):
    """`runpy.run_path` runs the file as the command line does."""
    code = "import agent_os.core.errors as e; print('ran', e.__file__)"
    outer = f"import runpy, sys; sys.argv = ['x', {code!r}]; runpy.run_path({str(pyz)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", outer], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == f"ran {pyz}/site-packages/agent_os/core/errors.py"


@pytest.mark.parametrize("start", ["./agent_os.pyz", "link.pyz", "a föl der/renamed"], ids=["dot", "link", "renamed"])
def test_its_own_path_is_absolute_however_it_was_started(pyz, tmp_path, start):
    """What is written into a schedule must hold after the folder was left."""
    (tmp_path / "a föl der").mkdir()
    shutil.copy(pyz, tmp_path / "a föl der" / "renamed")
    shutil.copy(pyz, tmp_path / "agent_os.pyz")
    (tmp_path / "link.pyz").symlink_to("agent_os.pyz")
    code = "import sys, os; os.chdir('/'); from agent_os.core.archive import location; "
    code += "print(sys.argv[0], sys.path[0], location(), sep='|')"
    path = os.path.normpath(tmp_path / start)
    assert ask(start, code, cwd=tmp_path) == f"{path}|{path}/site-packages|{path}"


PLANTED = "print('planted'); raise SystemExit(9)\n"


@pytest.mark.parametrize("way", ["cwd", "pythonpath", "empty pythonpath", "beside"])
def test_planted_modules_are_not_run(pyz, tmp_path, way):
    """A json.py or an agent_os/ in the current folder, on PYTHONPATH or beside the file shadows nothing."""
    for name in ("json", "agent_os", "apps", "decimal"):
        (tmp_path / f"{name}.py").write_text(PLANTED)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environ.update({"pythonpath": {"PYTHONPATH": str(tmp_path)}, "empty pythonpath": {"PYTHONPATH": ":"}}.get(way, {}))
    target = pyz
    if way == "beside":
        target = shutil.copy(pyz, tmp_path / "agent_os.pyz")
    code = "import json, decimal, agent_os.core.errors, apps.bills, sys; print('clean', '' in sys.path)"
    cwd = tmp_path if way in ("cwd", "empty pythonpath") else "/"
    assert ask(target, code, cwd=cwd, env=environ) == "clean False"


def test_the_current_folder_is_never_a_place_to_import_from(pyz, tmp_path):
    """Not even for names that nobody else has: an optional driver must not come from where someone happens to stand."""
    (tmp_path / "optional_driver.py").write_text(PLANTED)
    code = "import importlib.util; print(importlib.util.find_spec('optional_driver'))"
    assert ask(pyz, code, cwd=tmp_path, env={**os.environ, "PYTHONPATH": ":"}) == "None"
    assert ask(pyz, code, cwd=tmp_path) == "None"


def test_pythonpath_still_serves_for_extras(pyz, tmp_path):
    """After ours and the standard library, before what is installed."""
    (tmp_path / "optional_driver.py").write_text("X = 5\n")
    code = "import sys, optional_driver; places = [p.endswith('-packages') for p in sys.path[1:]]; "
    code += f"print(optional_driver.X, sys.path.index({str(tmp_path)!r}) < 1 + (places + [True]).index(True))"
    assert ask(pyz, code, cwd="/", env={**os.environ, "PYTHONPATH": str(tmp_path)}) == "5 True"


def test_variables_of_shiv_mean_nothing(pyz, tmp_path):
    """Stock shiv would run another program or unpack into a folder that others may write to."""
    environ = {"SHIV_INTERPRETER": "1", "SHIV_ENTRY_POINT": "os:getcwd", "SHIV_ROOT": str(tmp_path / "root")}
    environ.update(SHIV_FORCE_EXTRACT="1", SHIV_MODULE="this", PATH=os.environ["PATH"], HOME=str(tmp_path))
    assert ask(pyz, "print('ours')", env=environ) == "ours"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_closed_streams_are_opened_on_nothing(pyz, tmp_path, closed):
    """Otherwise the first file opened would become standard output, and a print would write into it."""
    code = "import os, sys, subprocess\nprint('to nobody'); sys.stderr.write('x')\n"
    code += "with open('out', 'w') as f: f.write('%d %r' % (f.fileno(), None in (sys.stdin, sys.stdout, sys.stderr)))\n"
    code += "subprocess.run([sys.executable, '-c', 'import os; [os.fstat(n) for n in (0, 1, 2)]'], check=True)\n"
    redirects = " ".join({0: "<&-", 1: ">&-", 2: "2>&-"}[number] for number in closed)
    command = ["sh", "-c", f'exec "$0" "$1" "$2" {redirects}', sys.executable, str(pyz), code]
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    number, lacking = (tmp_path / "out").read_text().split()
    assert int(number) > 2
    assert lacking == "False"


def test_the_exit_code_is_that_of_main(pyz):
    """What main returns, and what it raises, is what the shell sees."""
    done = subprocess.run([sys.executable, str(pyz), "raise SystemExit(41)"], check=False)
    assert done.returncode == 41


# --- modules are whole, with or without bytecode ----------------------------------------------------------------------


@pytest.fixture(params=["bytecode", "sources"])
def either(request, pyz, sources_only):
    return pyz if request.param == "bytecode" else sources_only


def test_a_traceback_names_the_file_and_shows_the_line(either):
    """The code carries a neutral name in the file and gets its real one when it is loaded."""
    code = "import traceback, agent_os.core.clock as c\n"
    code += "try: c.from_iso('x')\nexcept ValueError: print(traceback.format_exc())"
    shown = ask(either, code)
    assert f'File "{either}/site-packages/agent_os/core/clock.py", line ' in shown
    assert 'return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")' in shown


def test_introspection_works(either):
    """Source, data, resources, packages and pickles, by the standard library's own means."""
    code = """
import importlib.resources, inspect, pickle, pkgutil, agent_os.core.clock as c, agent_os.core as core, apps.bills as b
assert inspect.getsource(c.Clock.today).strip().startswith("def today"), "getsource"
assert pkgutil.get_data("agent_os.core", "clock.py").startswith(b'"'), "get_data"
assert (importlib.resources.files("apps.bills") / "words.txt").read_text() == "words\\n", "files"
assert isinstance(pickle.loads(pickle.dumps(c.Clock())), c.Clock), "pickle"
assert "agent_os.core.clock" in [m.name for m in pkgutil.walk_packages(core.__path__, "agent_os.core.")], "walk"
assert core.__loader__.is_package("agent_os.core") and not c.__loader__.is_package("agent_os.core.clock")
assert c.__loader__.get_source("agent_os.core.clock").count("class Clock") == 1
assert c.__loader__.get_code("agent_os.core.clock").co_filename == c.__file__
assert core.__path__ == [core.__file__[: -len("/__init__.py")]] and core.__package__ == "agent_os.core"
print("all")
"""
    assert ask(either, code) == "all"


def test_processes_can_be_spawned_from_inside(either):
    """multiprocessing finds our modules again in the child, without the launcher."""
    code = """
import multiprocessing, agent_os.core.clock as c
with multiprocessing.get_context("spawn").Pool(1) as pool:
    print(pool.apply(c.from_iso, ("2026-11-21T05:06:07.000Z",)).year)
"""
    assert ask(either, code) == "2026"


def test_a_missing_module_is_missing(either):
    """An import that fails fails as everywhere, and no traceback of the loader comes with it."""
    code = "try:\n    import agent_os.core.none\nexcept ModuleNotFoundError as e: print(e, e.name, e.__context__)"
    assert ask(either, code) == "No module named 'agent_os.core.none' agent_os.core.none None"


def damaged(pyz, target, member, flip):
    """A copy of the file with one byte of one member changed; `flip` maps its length to an offset."""
    content = bytearray(pyz.read_bytes())
    with zipfile.ZipFile(pyz) as archive:
        entry = archive.getinfo(member)
    start = entry.header_offset + 30 + len(member)
    content[start + flip(entry.file_size)] ^= 0x20
    target.write_bytes(content)
    return target


def blob(pyz):
    with zipfile.ZipFile(pyz) as archive:
        return next(name for name in archive.namelist() if name.startswith("bytecode/"))


def test_damaged_bytecode_is_not_run(pyz, tmp_path):
    """Bytecode that is not what was built could crash the interpreter: the source is compiled instead."""
    code = (
        "import agent_os.core.clock as c, agent_os.core.strict_json; print(c.from_iso('2026-11-21T05:06:07.000Z').year)"
    )
    name = blob(pyz)
    with zipfile.ZipFile(pyz) as archive:
        place = archive.read(name).index(b"strptime")
        length = archive.getinfo(name).file_size
    for n, offset in enumerate([place, 0, 1, length // 3, length // 2, length - 1]):
        assert ask(damaged(pyz, tmp_path / f"{n}.pyz", name, lambda _, at=offset: at), code) == "2026"


def test_what_every_start_needs_is_not_deflated(program):
    """`--version` loads these modules of ours and no others, so that it starts without loading zlib."""
    code = "import sys; from agent_os.main import main; main(['--version']); "
    code += "print([m for m in sys.modules if m.split('.')[0] == 'agent_os'], 'zlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded, zlib = done.stdout.splitlines()[-1].rsplit(" ", 1)
    assert zlib == "False"
    assert {name.strip(" []'") for name in loaded.split(",")} <= set(BUILD.AT_ONCE)


# --- the file is replaced while it runs -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["renamed over", "written over", "removed"])
def test_replacing_the_file_leaves_a_running_program_whole(either, tmp_path, how):
    """After `preload`, every module of the old version comes from memory, whatever lies at its place now."""
    target = tmp_path / "agent_os.pyz"
    shutil.copy(either, target)
    new = tmp_path / "new.pyz"
    new.write_bytes(b"#!/usr/bin/env python3\n" + os.urandom(500_000))
    code = f"""
import os, shutil
from agent_os.core.archive import preload
preload()
{{"renamed over": lambda: os.replace({str(new)!r}, {str(target)!r}),
  "written over": lambda: shutil.copyfile({str(new)!r}, {str(target)!r}),
  "removed": lambda: os.remove({str(target)!r})}}[{how!r}]()
import agent_os.core.model, agent_os.core.retry, agent_os.plugins.openai, apps.bills
print(apps.bills.NAME)
"""
    assert ask(target, code) == "bills"


def test_the_places_to_look_for_pythons_are_fixed():
    """Neither PATH nor HOME decides whose bytecode is carried."""
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import build; "
    script += "print([python.path for python in build.find_pythons('all')])"
    environ = {"PATH": "/nowhere", "HOME": "/nowhere"}
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([python.path for python in PYTHONS])


def test_build_py_is_found_by_nobody_by_accident():
    """`build.py` in the root is a script: running it as a module does nothing but define."""
    assert "main" in runpy.run_path(str(ROOT / "build.py"), run_name="build")
