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
_NO_WORDS = ("http.refused",)  # which say it all in a field of their own
TAIL_BYTES = 65_536  # of the newest file, for whoever has no time for more


def records_of(path: str, run_id: str) -> tuple[list[dict[str, Any]], int]:
    """The last records of a run, oldest first, and how many older ones were left out; rotated files are read too."""
    kept: deque[dict[str, Any]] = deque(maxlen=MOST_RECORDS)
    found = 0
    for name in (*(f"{path}.{number}" for number in range(OLD_FILES, 0, -1)), path):
        for record in _records(name, run_id):
            kept.append(record)
            found += 1
    return list(kept), found - len(kept)


def tail_of(path: str, run_id: str, task: str) -> str:
    """What the newest file says of a run in its last bytes: a line a record, oldest first. Reads no more than those.

    Records of its task that name no run count too, from its beginning on: a collector's requests are such.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return ""
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            lines = file.read(TAIL_BYTES).splitlines()
    except OSError:
        return ""
    sought = (run_id.encode("utf-8", "replace"), json.dumps(task).encode("ascii"))
    records = [_parsed(line) for line in lines if sought[0] in line or sought[1] in line]
    began_at = run_id.partition("-")[0]  # ids begin with the time, to the second

    def is_of_run(record: dict[str, Any]) -> bool:
        if record.get("event") in _NO_WORDS:
            return False
        if "run" in record:
            return bool(record["run"] == run_id)
        at = str(record.get("time"))[:19].replace("-", "").replace(":", "")
        return bool(record.get("task") == task) and at >= began_at

    return "\n".join(
        f"{str(each.get('time'))[11:19]} {each.get('level')}: {each.get('message')}"
        for each in records
        if is_of_run(each)
    )


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
