"""A Python task with a timeout, in a process of its own: the same program, started again, that can be ended.

Both speak JSON, a line each: the child calls for what has to be kept, the parent's writer keeps it. When the parent is
gone, the child ends at once.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from .archive import child_environment, self_command
from .bodies import End, Printed, Work, failure_of
from .context import Facts
from .errors import AgentOSError, ConfigError, FencedError, PermanentError, TaskError, TransientError
from .reasons import why

if TYPE_CHECKING:
    from typing import BinaryIO, Optional

WORD = "_child"  # the word that starts this program as a child; arguments.py knows it
_KINDS: dict[str, type[AgentOSError]] = {
    each.__name__: each for each in (AgentOSError, ConfigError, FencedError, PermanentError, TransientError)
}


def run_in_child(work: Work) -> End:
    """Run a task's function in a child, within its timeout."""
    from .process import run_process

    task, home = work.task, work.home
    if not task.app:
        raise ConfigError(
            f"task {task.name} has a timeout, but its app was not loaded by name, so no other process can find it",
            hint='keep it in a file and name that: --app FILE, `apps = FILE` in agent_os.ini, app="FILE" in Python',
        )
    last: dict[str, Any] = {}

    def talk(line: bytes) -> Optional[bytes]:
        said = json.loads(line)
        if "call" not in said:
            last.update(said)
            return None
        try:
            answer = {"value": work.call(said["call"], **said["with"])}
        except AgentOSError as error:
            answer = {"error": _as_json(error)}
        return json.dumps(answer).encode("ascii")

    env = child_environment(home.settings.environment())
    log_file, db_path = home.settings.path("AGENT_OS_LOG_FILE"), home.db_path
    order = {
        "home": home.settings.home, "db_path": db_path, "log_file": log_file, "app": task.app, "task": task.name,
        "facts": {**vars(work.facts)}, "hosts": list(work.hosts), "path": [entry for entry in sys.path if entry],
    }  # fmt: skip
    ended = run_process(
        [*self_command(), WORD], env=env, cwd=home.settings.home, clock=home.clock,
        timeout_seconds=task.timeout_seconds, stop=work.stopped, talk=talk,
        first_input=json.dumps(order).encode("ascii") + b"\n",
    )  # fmt: skip
    output = home.redactor.text(ended.output)
    if "error" in last and not (ended.stopped or ended.timed_out):
        raise Printed(_as_error(last["error"]), output)
    failure = failure_of(task, ended._replace(output=output))
    if failure or "end" not in last:
        raise Printed(failure or TransientError("its process ended without a word"), output)
    return End(last["end"]["value"], task=work.task.name, output=output, remembered=last["end"]["remembered"])


def serve(stdin: BinaryIO, stdout: BinaryIO, *, open_home: Any, load_task: Any) -> int:
    """The child's side: read the order, run the task, say what came of it. The exit code only says that it was said."""
    order = json.loads(stdin.readline())
    sys.path[:] = [*sys.path, *(entry for entry in order["path"] if entry not in sys.path)]
    talk = _Talk(stdin, stdout)
    try:
        home = open_home(order)
        task = load_task(order, home)
        facts = Facts(**order["facts"])
        work = Work(task, facts, home=home, hosts=order["hosts"])
        work.call = talk.call
        ctx = work.context()
        try:
            value = task.function(ctx)
            from .json_value import to_json

            to_json(value, f"what task {task.name} returns")
            talk.say({"end": {"value": value, "remembered": ctx.remembered()}})
        finally:
            ctx.close()
            home.close()
    except BaseException as error:  # noqa: BLE001 (the run boundary of this process)
        talk.say({"error": _as_json(error)})
    return 0


class _Talk:
    """The child's end of the two pipes."""

    def __init__(self, stdin: BinaryIO, stdout: BinaryIO) -> None:
        from _thread import allocate_lock
        from queue import SimpleQueue
        from threading import Thread

        self._stdout = stdout
        self._turn = allocate_lock()
        self._answers: SimpleQueue[Any] = SimpleQueue()
        Thread(target=self._listen, args=(stdin,), daemon=True).start()

    def _listen(self, stdin: BinaryIO) -> None:
        """Hand on answers; when the parent is gone, this process and whatever it started goes too."""
        for line in iter(stdin.readline, b""):
            self._answers.put(json.loads(line))
        if os.name == "posix":
            import signal

            if os.getpgid(0) == os.getpid():
                os.killpg(0, signal.SIGKILL)
        os.kill(os.getpid(), 9)

    def say(self, what: Any) -> None:
        """Send a line."""
        self._stdout.write(json.dumps(what).encode("ascii") + b"\n")
        self._stdout.flush()

    def call(self, operation: str, **given: Any) -> Any:
        """Have the parent do something, from any thread of the task."""
        with self._turn:
            self.say({"call": operation, "with": given})
            answer = self._answers.get()
        if "error" in answer:
            raise _as_error(answer["error"])
        return answer["value"]


def _as_json(error: BaseException) -> dict[str, Any]:
    from traceback import format_exception

    ours = isinstance(error, AgentOSError)
    kind = next((name for name in reversed(list(_KINDS)) if isinstance(error, _KINDS[name])), "")
    return {
        "kind": kind,
        "message": error.message if isinstance(error, AgentOSError) else why(error),
        "hint": getattr(error, "hint", "") or "",
        "retry_after": getattr(error, "retry_after", None),
        "may_have_happened": getattr(error, "may_have_happened", False),
        "trace": "" if ours else "".join(format_exception(type(error), error, error.__traceback__)),
    }


class ForeignError(Exception):
    """An error of a task that is none of ours, told by another process: its name and text, and where it came from."""

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message)
        self.trace = trace


def _as_error(said: dict[str, Any]) -> Exception:
    kind = _KINDS.get(said["kind"])
    if kind is None:
        return ForeignError(said["message"], said["trace"])
    error = kind(said["message"], hint=said["hint"])
    if isinstance(error, TaskError):
        error.retry_after, error.may_have_happened = said["retry_after"], said["may_have_happened"]
    return error
