"""The program's own file: where it is, what it was built from, how to start it again, whether it is whole."""

from __future__ import annotations

import os
import sys

from .errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Optional
    from zipfile import ZipFile

HEAD = b"#!/usr/bin/env python3\n# sha256 of what follows this line: %s\n"
MANIFEST = "manifest.txt"
PACKAGE = __name__.rpartition(".core.")[0]


def built_from() -> dict[str, str]:
    """`commit`, `build_id` and `bytecode` (the Pythons that start fast); `source` and empty in a checkout."""
    return {"commit": _build("COMMIT", "source"), "build_id": _build("BUILD_ID"), "bytecode": _build("BUILT_WITH")}


def bundled_apps() -> tuple[str, ...]:
    """Import names of the apps that were built into this file."""
    found: tuple[str, ...] = _build("APPS", ())
    return found


def is_single_file() -> bool:
    """Whether this is a file that build.py made, and not a checkout or a vendored copy."""
    return bool(_build("BUILD_ID") and _archive())


def location() -> str:
    """The absolute path of the single file, or of the package's folder. Symbolic links are kept as they were given."""
    return (is_single_file() and _archive()) or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def self_command() -> list[str]:
    """What starts this program again, under this very Python. A checkout must be importable where it is run."""
    python = sys.executable or "python3"
    return [python, location()] if is_single_file() else [python, "-m", PACKAGE]


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which `self_command` finds the same program, whatever folder it is started in."""
    found = dict(environ)
    if not is_single_file():
        root = location()
        for _ in PACKAGE.split("."):
            root = os.path.dirname(root)
        found["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [found.get("PYTHONPATH", "")])])
    return found


def preload() -> int:
    """Have all our modules in memory, so that replacing the file under a long run changes nothing.

    Bytecode is read as a whole at the start; only where there is none are the modules imported. Returns how many.
    Raises StoreError for one that cannot be read; one that lacks a part of the standard library is left to its verb.
    """
    from importlib import import_module

    held = getattr(_loader(), "held", None)
    if held:
        _know_folders(held)
        return 0

    before = len(sys.modules)
    for top in (PACKAGE, *bundled_apps()):
        for name in _modules(top):
            try:
                import_module(name)
            except (ImportError, SyntaxError, ValueError, EOFError) as error:
                missing = getattr(error, "name", None) or name
                if missing.partition(".")[0] == name.partition(".")[0] or not isinstance(error, ImportError):
                    hint = "copy the file again under a new name and rename it; self-check says what is wrong with it"
                    raise StoreError(f"reading {name} from {location()}: {error}", hint=hint) from error
    return len(sys.modules) - before


def self_check() -> list[str]:
    """What differs from the file that was built, a sentence each. Finds damage, not an attacker.

    Nothing for a checkout, which has nothing to compare with: ask `is_single_file` first and say so.
    """
    if not is_single_file():
        return []
    path = location()
    try:
        with open(path, "rb") as file:
            return list(_differences(file.read()))
    except OSError as error:
        return [f"{path} cannot be read: {error.strerror or error}"]


def _build(name: str, otherwise: Any = "") -> Any:
    """A constant of the module that build.py writes into the file; a checkout has none."""
    try:
        from .. import _build as written  # type: ignore[attr-defined, unused-ignore]  # made by build.py
    except ImportError:
        return otherwise
    return getattr(written, name)


def _loader() -> object:
    return getattr(__spec__, "loader", None)


def _archive() -> Optional[str]:
    archive = getattr(_loader(), "archive", None)
    return os.path.abspath(archive) if archive else None


def _know_folders(names: Iterable[str]) -> None:
    """Have the importer of every package made, which looks at the file once."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    importer: Any = type(_loader())  # that of launch.py
    for package in {name.rpartition(".")[0] for name in names}:
        folder = os.path.join(root, *package.split("."))
        if folder not in sys.path_importer_cache:
            sys.path_importer_cache[folder] = importer(folder)


def _modules(top: str) -> Iterator[str]:
    """The names of a package and of all modules in it, but for `__main__`, which would run."""
    import pkgutil
    from importlib import import_module

    yield top
    for module in pkgutil.walk_packages(import_module(top).__path__, f"{top}."):
        if module.name.rpartition(".")[2] != "__main__":
            yield module.name


def _differences(content: bytes) -> Iterator[str]:
    import hashlib
    import io
    import zipfile

    found = False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for sentence in _member_differences(archive):
                found = True
                yield sentence
    except zipfile.BadZipFile as error:
        yield f"the file is not a readable zip any more: {error}"
        return
    head = HEAD % hashlib.sha256(content[len(HEAD % (b"0" * 64)) :]).hexdigest().encode()
    if not found and not content.startswith(head):
        yield "the members are whole, but the bytes around them differ from those that were built"


def _member_differences(archive: ZipFile) -> Iterator[str]:
    import hashlib

    entries = archive.namelist()
    if MANIFEST not in entries:
        yield f"the file has no {MANIFEST}"
        return
    expected = {}
    for line in (_read(archive, MANIFEST) or b"").decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        expected[name] = digest
    for name in sorted(expected.keys() - set(entries)):
        yield f"{name} is missing"
    for name in sorted(set(entries) - expected.keys() - {MANIFEST}):
        yield f"{name} was added"
    for name in sorted({name for name in entries if entries.count(name) > 1}):
        yield f"{name} is there more than once"
    for name in sorted(expected.keys() & set(entries)):
        data = _read(archive, name)
        if data is None or hashlib.sha256(data).hexdigest() != expected[name]:
            yield f"{name} is damaged"


def _read(archive: ZipFile, name: str) -> Optional[bytes]:
    """A member's bytes, or None when the zip says that it cannot be read."""
    import zipfile
    import zlib

    try:
        return archive.read(name)
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, zlib.error):
        return None
