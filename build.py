#!/usr/bin/env python3
"""Build `agent_os.pyz`, one file that any Python from 3.9 on runs in place: the same commit, the same bytes.

`python3 build.py --help` says what can be chosen; docs/adr/0001-one-file-in-place.md says why it is built as it is.
It is longer than a module here should be, because it must run alone, before anything of ours can be imported.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple, Optional

ROOT = Path(__file__).resolve().parent
PACKAGE = "agent_os"
ENTRY_POINT = "agent_os.main:main"
HEAD = b"#!/usr/bin/env python3\n# sha256 of what follows this line: %s\n"
SHIV = "1.0.8"
MINORS = range(9, 15)
EPOCH_WITHOUT_COMMIT = 315532800  # 1980-01-01, the first day a zip can name
MANIFEST = "manifest.txt"
# What `--version` and `--help` need is not deflated: a start of that size would notice the loading of zlib.
AT_ONCE = ["launch", "agent_os", "agent_os._build", "agent_os.main", "agent_os.exits", "agent_os.arguments"]
AT_ONCE += ["agent_os.core", "agent_os.core.archive", "agent_os.core.clock", "agent_os.core.errors"]
AT_ONCE += ["agent_os.commands"]
SELDOM = (
    "__main__.py",
    "site-packages/agent_os/sandbox/",
    "site-packages/agent_os/selftest/",
)  # no bytecode: every start compiles the first, only `demo` and `selftest` the others
GENERATED = "site-packages/agent_os/_build.py"


class BuildError(Exception):
    """The file cannot be built; the message is one sentence that says why."""


class Commit(NamedTuple):
    name: str
    epoch: int
    files: Optional[frozenset[str]]  # what git knows or would add, as paths from ROOT; None where there is no git


class Interpreter(NamedTuple):
    version: str
    path: str


# --- what goes in -----------------------------------------------------------------------------------------------------


def git(*arguments: str) -> Optional[str]:
    """What git answers about ROOT, or None. Variables that point git elsewhere are not handed on."""
    environ = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    settings = ["-c", "safe.directory=*", "-c", "core.fileMode=false"]  # modes do not get into the file
    command = ["git", "--no-optional-locks", *settings, "-C", str(ROOT)]
    try:
        done = subprocess.run([*command, *arguments], env=environ, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.decode("utf-8", "surrogateescape")


def read_commit(folders: list[str]) -> Commit:
    """The commit of this checkout, `+dirty` when what goes in differs from it. A copy without git is `unknown`."""
    top = git("rev-parse", "--show-toplevel")
    head = git("log", "-1", "--format=%H %ct")
    if top is None or head is None or Path(top.strip()).resolve() != ROOT:
        return Commit("unknown", EPOCH_WITHOUT_COMMIT, None)
    paths = ["build.py", "boot", "LICENSE", *folders]
    changed = git("status", "--porcelain", "--untracked-files=all", "--", *paths)
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders)
    name, epoch = head.split()
    return Commit(name + ("+dirty" if changed else ""), int(epoch), frozenset((listed or "").split("\0")))


def belongs(path: Path) -> bool:
    """Whether a file is part of the program: no caches, no tests, nothing hidden, no editor's backup."""
    hidden = any(part.startswith(".") or part in ("__pycache__", "tests") for part in path.parts)
    return not hidden and path.suffix != ".pyc" and not path.name.endswith("~")


def read_package(folder: Path, base: Path, known: Optional[frozenset[str]]) -> dict[str, bytes]:
    """The files of a package, named from `base`. What git ignores stays out, so that it cannot change the bytes."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(base).as_posix()
        if path.is_file() and belongs(path.relative_to(base)) and (known is None or name in known):
            files[name] = path.read_bytes()
    for name in files:
        above = name.rpartition("/")[0]
        if name.endswith(".py") and f"{above}/__init__.py" not in files:
            raise BuildError(f"{above}/ has no __init__.py: a package inside a zip needs one")
    return files


def locate_app(folder: Path) -> tuple[str, Path]:
    """The import name of an app and the folder that name starts from: the first one upwards that is not a package."""
    folder = folder.resolve()
    if not (folder / "__init__.py").is_file():
        raise BuildError(f"{folder} is not an app: it has no __init__.py")
    base = folder.parent
    while (base / "__init__.py").is_file():
        base = base.parent
    name = ".".join(folder.relative_to(base).parts)
    if not all(part.isidentifier() for part in name.split(".")):
        raise BuildError(f"{name} cannot be imported: rename the folder so that it is a Python name")
    if name.split(".")[0] == PACKAGE:
        raise BuildError(f"{folder} lies inside the {PACKAGE} package; an app has a folder of its own")
    return name, base


def read_app(name: str, base: Path, known: Optional[frozenset[str]]) -> dict[str, bytes]:
    """The files of an app, with the __init__.py of every package above it."""
    parts = name.split(".")
    files = {f"{'/'.join(parts[:n])}/__init__.py": b"" for n in range(1, len(parts))}
    for path in files:
        files[path] = (base / path).read_bytes()
    return {**files, **read_package(base.joinpath(*parts), base, known if base == ROOT else None)}


# --- bytecode ---------------------------------------------------------------------------------------------------------


def places(minor: int) -> list[Path]:
    """Where a CPython 3.<minor> may live, best first. Fixed places only: neither PATH nor HOME may change the bytes."""
    found: list[tuple[int, Path]] = []
    try:
        import pwd

        versions = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".pyenv" / "versions"
        for folder in versions.iterdir():
            match = re.fullmatch(rf"3\.{minor}\.(\d+)", folder.name)
            if match:
                found.append((int(match[1]), folder / "bin" / f"python3.{minor}"))
    except (ImportError, KeyError, OSError):
        pass  # no such thing on this machine
    fixed = (
        "/usr/local/bin",
        "/usr/bin",
        "/opt/homebrew/bin",
        f"/Library/Frameworks/Python.framework/Versions/3.{minor}/bin",
    )
    others = [Path(folder) / f"python3.{minor}" for folder in fixed]
    return (
        [path for _, path in sorted(found, reverse=True)]
        + others
        + [Path(f"C:/Program Files/Python3{minor}/python.exe")]
    )


def run_bare(python: Path, *arguments: str, text: str = "", cwd: Optional[Path] = None) -> str:
    """Run a Python with nothing of this machine's settings: no site, no variables, a fixed hash seed.

    Without debug ranges (the carets of a traceback) code takes a fifth less room; its lines stay.
    """
    environ = {"PYTHONHASHSEED": "0", **{name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}}
    command = [str(python), "-S", "-s", "-B", "-X", "no_debug_ranges", *arguments]
    done = subprocess.run(command, input=text, env=environ, cwd=cwd, capture_output=True, text=True, timeout=300)  # noqa: PLW1510 judged below
    if done.returncode:
        raise BuildError(f"{python} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


def probe(path: Path) -> Optional[Interpreter]:
    """The released CPython at `path`, if there is one."""
    question = "import sys; print(sys.implementation.name, sys.version_info[3], '%d.%d.%d' % sys.version_info[:3])"
    if not path.is_file():
        return None
    try:
        name, level, version = run_bare(path, "-c", question).split()
    except (OSError, ValueError, BuildError, subprocess.TimeoutExpired):
        return None
    return Interpreter(version, str(path)) if (name, level) == ("cpython", "final") else None


def find_pythons(wanted: str) -> list[Interpreter]:
    """The Pythons to make bytecode with, one a minor version. `wanted`: all, none, or `3.11,/path/to/python`."""
    if wanted == "none":
        return []
    minors = [f"3.{minor}" for minor in MINORS]
    chosen: dict[str, Interpreter] = {}
    for item in minors if wanted == "all" else wanted.split(","):
        candidates = places(int(item[2:])) if item in minors else [Path(item)]
        found = next(filter(None, map(probe, candidates)), None)
        if found:
            chosen[found.version.rpartition(".")[0]] = found
        elif wanted != "all":
            raise BuildError(f"--pythons: no released CPython for {item!r} in the places where build.py looks")
    return [chosen[minor] for minor in minors if minor in chosen]


def module_of(path: str) -> str:
    """`site-packages/agent_os/core/__init__.py` -> `agent_os.core`."""
    return path.removeprefix("site-packages/").removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def compile_modules(scratch: Path, names: list[str], pythons: list[Interpreter]) -> dict[str, bytes]:
    """One blob of bytecode a Python, named by the magic number it is for."""
    modules = [f"{module_of(name)} {name}" for name in names if name.endswith(".py") and not name.startswith(SELDOM)]
    magic = "import importlib.util as u; print(int.from_bytes(u.MAGIC_NUMBER[:2], 'little'))"
    blobs = {}
    for python in pythons:
        path, target = Path(python.path), scratch / f"{python.version}.bin"
        number = run_bare(path, "-c", magic).strip()
        script = str(ROOT / "boot" / "bytecode.py")
        run_bare(path, script, str(target), *AT_ONCE, text="\n".join(modules), cwd=scratch)
        blobs[f"bytecode/{number}.bin"] = target.read_bytes()
    return blobs


# --- shiv -------------------------------------------------------------------------------------------------------------


def has_shiv(python: str) -> bool:
    """Whether that Python can import the one release of shiv that is used."""
    question = "import shiv.cli; from shiv import __version__; print(__version__)"
    done = subprocess.run([python, "-c", question], capture_output=True, text=True)  # noqa: PLW1510 the answer is what counts
    return done.returncode == 0 and done.stdout.strip() == SHIV


def find_shiv() -> Optional[str]:
    """A Python that has shiv: this one, or that of a private environment under build/, made when needed."""
    if importlib.util.find_spec("shiv") and has_shiv(sys.executable):
        return sys.executable
    folder = ROOT / "build" / f"shiv-{SHIV}-python{sys.version_info[0]}.{sys.version_info[1]}"
    python = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    if Path(python).exists() and has_shiv(python):
        return python
    say(f"fetching shiv {SHIV} into {folder.relative_to(ROOT)} (once)")
    pip = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--retries",
        "1",
        "--timeout",
        "15",
    ]
    try:
        for command in ([sys.executable, "-m", "venv", "--clear", str(folder)], [*pip, f"shiv=={SHIV}"]):
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return python if has_shiv(python) else None


def run_shiv(python: str, stage: Path, epoch: int) -> bytes:
    """What shiv writes beside the modules about the file. The modules must have come through unchanged."""
    target = stage.parent / "shiv.pyz"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHIV_")}
    environ.update(SOURCE_DATE_EPOCH=str(epoch), PYTHONWARNINGS="ignore")
    command = [python, "-m", "shiv.cli", "--site-packages", str(stage), "-e", ENTRY_POINT, "-o", str(target)]
    options = ["--reproducible", "--uncompressed"]
    done = subprocess.run([*command, *options], env=environ, cwd=stage.parent, capture_output=True, text=True)  # noqa: PLW1510 judged below
    if done.returncode:
        raise BuildError(f"shiv failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    with zipfile.ZipFile(target) as made:
        for path in (path for path in stage.rglob("*") if path.is_file()):
            if made.read(f"site-packages/{path.relative_to(stage).as_posix()}") != path.read_bytes():
                raise BuildError(f"shiv changed {path.relative_to(stage)}")
        return made.read("environment.json")


def shiv_layout(stage: Path, epoch: int) -> bytes:
    """The same description, written without shiv, for a machine that cannot have it. A test compares the two."""
    contents = hashlib.sha256()
    for path in sorted((path for path in stage.rglob("*") if path.is_file()), key=str):
        contents.update(path.read_bytes() + str(path.relative_to(stage)).encode())
    environment = {
        "shiv_version": SHIV,
        "always_write_cache": False,
        "build_id": contents.hexdigest(),
        "built_at": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(epoch)),
        "hashes": {},
        "no_modify": False,
        "reproducible": True,
        "preamble": None,
        "entry_point": ENTRY_POINT,
        "compile_pyc": False,
        "extend_pythonpath": False,
        "prepend_pythonpath": None,
        "root": None,
        "script": None,
    }
    return json.dumps(environment).encode()


# --- the file ---------------------------------------------------------------------------------------------------------


def generated(commit: Commit, members: dict[str, bytes], pythons: list[Interpreter], apps: list[str]) -> bytes:
    """`agent_os/_build.py`: what the file says about itself. The build id covers the program, not its bytecode."""
    digest = hashlib.sha256()
    for name in sorted(members.keys() - {GENERATED}):
        digest.update(f"{hashlib.sha256(members[name]).hexdigest()}  {name}\n".encode())
    lines = [
        '"""Written by build.py: what this file was built from."""',
        "",
        f"COMMIT = {json.dumps(commit.name)}",
        f"BUILD_ID = {json.dumps(digest.hexdigest()[:16])}",
        f"BUILT_WITH = {json.dumps(' '.join(python.version for python in pythons))}",
        f"APPS = {tuple(apps)!r}",
    ]
    return ("\n".join(lines) + "\n").encode()


def write_stage(scratch: Path, members: dict[str, bytes]) -> Path:
    """Write the members out; the folder that becomes site-packages."""
    for name, data in members.items():
        target = scratch / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return scratch / "site-packages"


def write_file(out: Path, members: dict[str, bytes], epoch: int) -> None:
    """What could differ is fixed here: order, times, modes, no compression (its bytes depend on the zlib)."""
    manifest = "".join(f"{hashlib.sha256(members[name]).hexdigest()}  {name}\n" for name in sorted(members))
    members = {**members, MANIFEST: manifest.encode()}
    head = len(HEAD % (b"0" * 64))
    buffer = io.BytesIO()
    buffer.seek(head)  # the offsets in the zip count from the start of the file
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, date_time=time.gmtime(max(epoch, EPOCH_WITHOUT_COMMIT))[:6])
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, members[name])
    content = buffer.getvalue()[head:]
    content = HEAD % hashlib.sha256(content).hexdigest().encode() + content
    beside = out.with_name(f"{out.name}.{os.getpid()}.tmp")  # renamed over: a running copy keeps its old file
    try:
        beside.write_bytes(content)
        beside.chmod(0o755)
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)


def build(out: Path, *, app: Optional[Path], pythons: list[Interpreter], shiv: Optional[str]) -> Commit:
    """Build the file at `out`. `shiv`: the Python to run shiv with; None writes its layout directly."""
    name, base = locate_app(app) if app else ("", ROOT)
    inside = [app.resolve().relative_to(ROOT).as_posix(), "apps/__init__.py"] if app and base == ROOT else []
    commit = read_commit([PACKAGE, *inside])
    package = read_package(ROOT / PACKAGE, ROOT, commit.files)
    package.update(read_app(name, base, commit.files) if app else {})
    members = {f"site-packages/{path}": data for path, data in package.items()}
    members.update({name: (ROOT / "boot" / name).read_bytes() for name in ("__main__.py", "launch.py")})
    members["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    members[GENERATED] = generated(commit, members, pythons, [name] if app else [])
    with tempfile.TemporaryDirectory(prefix="agent-os-build-") as scratch:
        stage = write_stage(Path(scratch), members)
        describe = run_shiv(shiv, stage, commit.epoch) if shiv else shiv_layout(stage, commit.epoch)
        members["environment.json"] = describe
        members.update(compile_modules(Path(scratch), sorted(members), pythons))
    write_file(out, members, commit.epoch)
    return commit


def say(sentence: str) -> None:
    print(f"build.py: {sentence}", file=sys.stderr)


def parse(argv: Optional[list[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="build.py", description="Build agent_os.pyz, or an app's own file.")
    parser.add_argument("--app", type=Path, metavar="DIR", help="add this app package and name the file after it")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write (default: beside build.py)")
    text = (
        "whose bytecode to carry: all (every CPython 3.9-3.14 found in fixed places), none, or a list such as 3.11,3.13"
    )
    parser.add_argument("--pythons", default="all", metavar="LIST", help=text)
    parser.add_argument(
        "--without-shiv", action="store_true", help="write shiv's layout directly; the bytes are the same"
    )
    return parser.parse_args(argv)


def main(argv: Optional[list[str]] = None) -> int:
    options = parse(argv)
    out = options.out or ROOT / f"{options.app.resolve().name if options.app else PACKAGE}.pyz"
    try:
        pythons = find_pythons(options.pythons)
        shiv = None if options.without_shiv else find_shiv()
        if not shiv and not options.without_shiv:
            say(
                f"shiv {SHIV} cannot be had (no package index?); its layout is written directly: the bytes are the same"
            )
        commit = build(out, app=options.app, pythons=pythons, shiv=shiv)
    except (BuildError, OSError) as error:
        say(str(error))
        return 1
    made = out.read_bytes()
    print(f"{out}: {len(made):,} bytes, commit {commit.name}")
    print(f"bytecode for {' '.join(python.version for python in pythons) or 'no Python'}")
    print(f"sha256 {hashlib.sha256(made).hexdigest()}")
    return 0


if __name__ == "__main__":
    if sys.version_info < (3, 9):  # noqa: UP036 an older one may read this
        sys.exit("build.py needs Python 3.9 or newer; this is %d.%d.%d" % sys.version_info[:3])  # noqa: UP031 likewise
    sys.exit(main())
