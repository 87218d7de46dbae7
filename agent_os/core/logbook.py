"""What the log says of one run. It may be missing, torn or full of other things: what is no record is passed over."""

from __future__ import annotations

import json
import os
import stat
from collections import deque
from typing import TYPE_CHECKING, Any

from .logger import OLD_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_RECORDS = 500


def records_of(path: str, run_id: str) -> tuple[list[dict[str, Any]], int]:
    """The last records of a run, oldest first, and how many older ones were left out; rotated files are read too."""
    kept: deque[dict[str, Any]] = deque(maxlen=MOST_RECORDS)
    found = 0
    for name in (*(f"{path}.{number}" for number in range(OLD_FILES, 0, -1)), path):
        for record in _records(name, run_id):
            kept.append(record)
            found += 1
    return list(kept), found - len(kept)


def _records(path: str, run_id: str) -> Iterator[dict[str, Any]]:
    sought = run_id.encode("utf-8", "replace")
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return
        with open(path, "rb") as file:
            for line in file:
                if sought in line:
                    record = _parsed(line)
                    if record.get("run") == run_id:
                        yield record
    except OSError:
        return


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
