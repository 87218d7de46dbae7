"""Where a statement goes: a folder or a zip that is there whole or not at all, and replaces only one of its kind."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Optional

from agent_os import ConfigError, ResourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

KIND = "agent_os statement"
MANIFEST = "manifest.json"
_OTHER = "name another place with --out"


@contextmanager
def published(out: str, name: str, *, about: Mapping[str, str]) -> Iterator[str]:
    """A folder to write to in a `with` block, which is put in its place at the end.

    With a name that ends in .zip it is put there as a zip. It takes the place of a statement that is about the same,
    and of nothing else. After any exception nothing has changed.
    """
    target = os.path.abspath(out)
    parent = os.path.dirname(target)
    _refuse_other(target, about)
    try:
        rooms = tempfile.mkdtemp(prefix=".statement-", dir=parent)
    except OSError as error:
        raise ConfigError(f"writing {target}: {error.strerror}", hint=_OTHER) from error
    try:
        folder = os.path.join(rooms, name)
        os.mkdir(folder, 0o700)
        yield folder
        _sync(folder)
        if target.endswith(".zip"):
            packed = os.path.join(rooms, "packed.zip")
            _pack(folder, packed, name)
            os.replace(packed, target)
        else:
            _put(folder, target, aside=os.path.join(rooms, "old"))
    except OSError as error:
        raise ResourceError(f"writing {target}: {error.strerror or error}", hint="nothing was written") from error
    finally:
        shutil.rmtree(rooms, ignore_errors=True)


def opened(folder: str, name: str) -> TextIO:
    """A file of the statement to write to: UTF-8, line ends as they are given, 0600."""

    def private(path: str, flags: int) -> int:
        return os.open(path, flags, 0o600)

    return open(os.path.join(folder, name), "w", encoding="utf-8", newline="", opener=private)


def read(folder: str, name: str) -> TextIO:
    """The same to read."""
    return open(os.path.join(folder, name), encoding="utf-8", newline="")


def hashes(folder: str) -> dict[str, dict[str, Any]]:
    """Every file there: its size, and the SHA-256 of its bytes."""
    found = {}
    for name in sorted(os.listdir(folder)):
        digest, size = sha256(), 0
        with open(os.path.join(folder, name), "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
                size += len(block)
        found[name] = {"sha256": digest.hexdigest(), "size": size}
    return found


def _refuse_other(target: str, about: Mapping[str, str]) -> None:
    """Raise ConfigError where something stands that no statement is, or one about something else."""
    if not os.path.lexists(target):
        return
    try:
        found = _statement_at(target)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        found = None
    if found is None:
        raise ConfigError(f"{target} is there already and is no statement", hint=f"it stays as it is; {_OTHER}")
    if any(found.get(word) != value for word, value in about.items()):
        what = " of ".join(filter(None, (str(found.get("period")), found.get("provider"))))
        raise ConfigError(f"{target} is the statement for {what}", hint=f"it stays as it is; {_OTHER}")


def _statement_at(target: str) -> Optional[dict[str, Any]]:
    """The manifest of a statement; None for what is none."""
    if os.path.islink(target):
        return None
    if os.path.isdir(target):
        if target.endswith(".zip"):
            return None
        with read(target, MANIFEST) as file:
            manifest = json.load(file)
        names = set(os.listdir(target))
    elif target.endswith(".zip"):
        with zipfile.ZipFile(target) as packed:
            inside = {name.rpartition("/")[2]: name for name in packed.namelist()}
            manifest = json.loads(packed.read(inside[MANIFEST]))
            names = set(inside)
    else:
        return None
    is_ours = manifest["kind"] == KIND and names <= {MANIFEST, *manifest["files"]}
    return manifest if is_ours else None


def _pack(folder: str, path: str, name: str) -> None:
    """All files as a zip of always the same bytes: sorted, not compressed, no time of its own."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
        for each in sorted(os.listdir(folder)):
            entry = zipfile.ZipInfo(f"{name}/{each}", (1980, 1, 1, 0, 0, 0))
            entry.external_attr, entry.create_system = 0o100644 << 16, 3
            entry.file_size = os.path.getsize(os.path.join(folder, each))  # so that one beyond 2 GB has its room
            with open(os.path.join(folder, each), "rb") as source, packed.open(entry, "w") as into:
                shutil.copyfileobj(source, into, 1 << 20)
    os.chmod(path, 0o600)
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _put(folder: str, target: str, *, aside: str) -> None:
    """The folder in its place; what stood there goes first, and comes back if that fails."""
    if os.path.lexists(target):
        os.rename(target, aside)
    try:
        os.rename(folder, target)
    except OSError:
        with suppress(OSError):
            os.rename(aside, target)
        raise


def _sync(folder: str) -> None:
    """Everything on the disk before it has its name."""
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file, suppress(OSError):
            os.fsync(file.fileno())
