"""The text of `--help`, in 80 columns: what tasks, verbs and options there are, those of built-in apps too."""

from __future__ import annotations

from .arguments import COMMON, RUN, VERBS, program
from .core.text import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TASKS = {
    "run_all": "collect every day that is missing: from local logs, and from every provider with a key",
    "fetch_openai": "the same for OpenAI alone; every source and account has a task of its own (`tasks`)",
    "export": "write a CSV of what is stored",
}
WIDTH = 80
HELP = """\
Agent OS runs your tasks when they are due and knows what you use of AI, and
what it costs.

usage: agent_os.pyz --task NAME [options]   run a task
       agent_os.pyz VERB [options]          look and manage; see VERB --help

tasks:
{tasks}

verbs:
{verbs}
{apps}
options of --task:
{run}

options everywhere:
{common}
  --version          version, commit, build, Python and SQLite
  -h, --help         this text

Exit codes: 0 done, 1 something failed, 2 wrong command line, 3 not set up,
4 busy, 6 data damaged or gone, 7 no space or permission, 70 a fault of the
program, 128+n stopped by signal n.
"""


def help_text() -> str:
    """The text of `--help`."""

    def listed(table: dict[str, Any]) -> str:
        rows = [
            (f"{name} {what[0]}".strip(), what[1]) if isinstance(what, tuple) else (name, what)
            for name, what in table.items()
        ]
        return "\n".join(line for name, text in rows for line in _entry(name, text, column=21))

    text = HELP.format(
        tasks=listed(TASKS), verbs=listed(VERBS), run=listed(RUN), common=listed(COMMON), apps=_help_of_apps()
    )
    return text.replace("agent_os.pyz", program())


def _entry(name: str, text: str, *, column: int) -> list[str]:
    """A name and what it means, in lines of at most 80 columns."""
    first, *rest = wrapped(text, WIDTH - column)
    return [f"  {name:<{column - 3}} {first}", *(" " * column + line for line in rest)]


def _help_of_apps() -> str:
    """The tasks and verbs of the apps that are built into this file; "" where there are none."""
    from .core import apps, archive

    text = ""
    for name in archive.bundled_apps():
        app = apps.load(name, base="")
        tasks = {f"--task {task}": each.doc.partition("\n")[0] for task, each in app.tasks.items()}
        verbs = {verb: each.doc.partition("\n")[0] for verb, each in app.verbs.items()}
        width = max(map(len, (*tasks, *verbs)), default=0)
        entries = (_entry(each, doc, column=width + 4) for each, doc in (*tasks.items(), *verbs.items()))
        rows = "".join(f"{line}\n" for lines in entries for line in lines)
        text += f"\nof the app {app.name}:\n{rows}"
    return text
