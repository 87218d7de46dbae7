"""The house and its walls: who may import whom, who may touch what, and how long anything may get.

Everything here reads the sources with `ast`; only the last rule imports them, in a process of its own.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOUSE = ROOT / "agent_os"

# The kernel, lowest rank first: a module imports only modules that stand above its own line.
RANKS = (
    "callables clock consoles crontab errors groups idle local_zone migrations money price_table redactor text",
    "archive capture columns cron days files http_target http_tls http_wire json_value keeper machine progress"
    " reasons sheet signals strict_json",
    "app_code db dotenv foreign_db http_request ini_file lock log_events log_tree logger model printing process spec",
    "cells config due log_reading log_store opening prices retry schedules seals",
    "chronicle export headings http_answer http_connector ini journal lateness ledger line_store logbook pings"
    " price_facts repricing retention slots store survey",
    "audit_chain batch_store figures http_client paging ping_book price_import price_store provenance",
    "audit home imports price_book",
    "app_values collector posting",
    "app estimates log_source",
    "accounts apps context holes",
    "bodies living plan",
    "mail operations",
    "agenda child courier desk ticking",
    "crew",
    "loop",
    "runner",
    "doctor outlook",
)
RANK = {name: rank for rank, line in enumerate(RANKS) for name in line.split()}

# What every start imports. Modules here load nothing of HEAVY, neither themselves nor through others of ours.
LEAN = (
    *("", "core", "commands", "plugins"),
    *("main", "arguments", "exits", "wiring", "commands.run", "commands.report", "commands.self_check"),
    *(
        "plugins.anthropic",
        "plugins.claude_code",
        "plugins.codex",
        "plugins.cursor",
        "plugins.gemini_cli",
        "plugins.github_copilot",
        "plugins.openai",
        "plugins.opencode",
        "plugins.openrouter",
    ),
    *("core.app_code", "core.apps", "core.ini", "core.spec", "core.desk"),
    *("core.due", "core.journal", "core.machine", "core.plan", "core.retention", "core.slots"),
    *(
        "core.archive",
        "core.clock",
        "core.collector",
        "core.log_source",
        "core.paging",
        "core.config",
        "core.days",
        "core.db",
        "core.dotenv",
        "core.errors",
    ),
    *(
        "core.files",
        "core.home",
        "core.lock",
        "core.logger",
        "core.opening",
        "core.redactor",
        "core.runner",
        "core.store",
    ),
    *(
        "core.agenda",
        "core.app",
        "core.bodies",
        "core.callables",
        "core.capture",
        "core.context",
        "core.json_value",
        "core.text",
    ),
)
HEAVY = {
    *(
        "argparse",
        "asyncio",
        "collections",
        "concurrent",
        "configparser",
        "csv",
        "dataclasses",
        "decimal",
        "email",
        "enum",
    ),
    *("hashlib", "hmac", "html", "http", "inspect", "json", "logging", "multiprocessing", "pathlib", "random", "re"),
    *(
        "secrets",
        "shutil",
        "socket",
        "ssl",
        "string",
        "subprocess",
        "tempfile",
        "threading",
        "typing",
        "urllib",
        "uuid",
    ),
    "zipfile",
}

SOCKETS = {"socket", "ssl", "socketserver", "http", "http.client", "http.server", "urllib.request", "ftplib", "smtplib"}
SQL = re.compile(
    r"\s*(SELECT\s.+\sFROM|INSERT\s|UPDATE\s+\w+\s+SET|DELETE\s+FROM|PRAGMA\s|CREATE\s+(TABLE|INDEX|VIEW))", re.DOTALL
)
CLOCKS = {
    *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.localtime"),
    *("time.gmtime", "time.sleep", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
}

# Exceptions, each with its reason. An exception that is no longer needed fails too.
LONG_MODULES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
MAY = {
    "sockets": r"core/http_\w+\.py|sandbox/.*|web/.*",
    # opening asks before there is a store; demo compares the file as a stranger would read it.
    "SQL": r"core/(db|migrations|store|chronicle|slots|journal|ledger|line_store|batch_store|log_store|opening|columns"
    r"|export|survey|retention|schedules|price_store|foreign_db|seals|audit|audit_chain"
    r"|provenance|ping_book)\.py"
    r"|commands/demo\.py|selftest/verdict\.py",
    "environ": r"core/config\.py",
    "clock": r"core/clock\.py",
    "print": r"commands/.*",
    "exit": r"(main|__main__|core/signals)\.py",  # signals: the second signal means now
    "__file__": r"core/archive\.py",
}


class Module:
    """One source file, parsed; `name` is `core.db`, and empty for the package itself."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.path = file.relative_to(HOUSE).as_posix()
        self.name = self.path.removesuffix(".py").removesuffix("__init__").strip("/").replace("/", ".")
        self.tree = ast.parse(file.read_text(encoding="utf-8"))
        self.package = self.name if file.name == "__init__.py" else self.name.rpartition(".")[0]

    def imports(self, *, top_only: bool = False):
        """Every import as (target, level, line). Relative ones are resolved: `core.db`. With `top_only`, what importing
        the module executes, which leaves out functions and `if TYPE_CHECKING`."""
        for node in self._executed(self.tree) if top_only else ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, 0, node.lineno
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                yield node.module or "", 0, node.lineno
            elif isinstance(node, ast.ImportFrom):
                parts = self.package.split(".") if self.package else []
                parts = parts[: len(parts) - (node.level - 1)]
                base = ".".join([*parts, *([node.module] if node.module else [])])
                for alias in node.names:
                    inner = f"{base}.{alias.name}" if base else alias.name
                    yield inner if inner in BY_NAME else base, node.level, node.lineno

    def _executed(self, node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            yield child
            yield from self._executed(child)

    def calls(self):
        """Every call as (dotted name of what is called, node)."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield dotted(node.func), node


def dotted(node) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


MODULES = [Module(file) for file in sorted(HOUSE.rglob("*.py")) if file.name != "_build.py"]
BY_NAME: dict[str, Module] = {}
BY_NAME.update({module.name: module for module in MODULES})
CORE = [module for module in MODULES if module.path.startswith("core/") and module.name != "core"]
PLUGINS = [module for module in MODULES if module.path.startswith("plugins/") and module.name != "plugins"]
APPS = sorted((ROOT / "apps").rglob("*.py"))


def each(modules):
    return pytest.mark.parametrize("module", modules, ids=lambda module: module.path)


def allowed(module: Module, what: str) -> bool:
    return re.fullmatch(MAY[what], module.path) is not None


def fail(module: Module, line: int, sentence: str) -> None:
    pytest.fail(f"agent_os/{module.path}:{line}: {sentence}", pytrace=False)


# --- who may import whom ----------------------------------------------------------------------------------------------


@each(CORE)
def test_the_kernel_imports_downwards_only(module):
    """Ranks keep the kernel free of cycles and readable from the bottom."""
    name = module.name.removeprefix("core.")
    if name not in RANK:
        fail(module, 1, "has no rank: give it one in RANKS, as low as what it imports allows")
    for target, level, line in module.imports():
        if level and target not in ("", "core"):
            other = target.removeprefix("core.")
            if not target.startswith("core."):
                fail(module, line, f"the kernel does not know {target}: main brings the two together")
            if RANK.get(other, -1) >= RANK[name]:
                fail(module, line, f"imports {other}, which does not rank below it")


@each(PLUGINS)
def test_a_plugin_sees_the_public_interface_only(module):
    """A provider is one file that imports names of the package itself: no room of the kernel, no other provider."""
    for target, level, line in module.imports():
        if level and target != "":
            fail(module, line, f"imports {target}; a plugin writes `from .. import Name`")


@each([module for module in MODULES if module.name.partition(".")[0] == "schedulers"])
def test_a_scheduler_sees_the_kernel_only(module):
    """What an operating system is told is a matter of values; whoever installs brings them."""
    for target, level, line in module.imports():
        if level and target.partition(".")[0] not in ("core", "schedulers"):
            fail(module, line, f"imports {target or 'the public interface'}; a scheduler sees core alone")


@each([module for module in MODULES if module.name.partition(".")[0] not in ("commands", "schedulers")])
def test_schedulers_are_for_commands(module):
    """A run knows nothing of what started it."""
    for target, level, line in module.imports():
        if level and target.partition(".")[0] == "schedulers":
            fail(module, line, f"imports {target}: only commands install anything")


@each(MODULES)
def test_imports_are_relative_or_from_the_standard_library(module):
    """The folder works under any package path, and nothing else needs to be installed."""
    known = getattr(sys, "stdlib_module_names", None)
    for target, level, line in module.imports():
        if level == 0 and target.split(".")[0] == "agent_os":
            fail(module, line, "imports agent_os by name; vendored, it has another one: import it relatively")
        if level == 0 and known and target.split(".")[0] not in {*known, "__future__"}:
            fail(module, line, f"imports {target}, which is not in the standard library")


@each(MODULES)
def test_nothing_is_looked_up_by_the_name_of_the_package(module):
    """Resources, loggers and modules are named from `__name__` and `__package__`."""
    for name, node in module.calls():
        if name.rpartition(".")[2] in {"import_module", "__import__", "getLogger", "files", "get_data", "find_spec"}:
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and str(argument.value).startswith("agent_os"):
                    fail(module, node.lineno, f"{name}({argument.value!r}): a vendored copy has another name")


@pytest.mark.parametrize("file", APPS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_an_app_uses_the_public_interface_only(file):
    """Apps import names of `agent_os` itself, the standard library and their own modules."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
        inner = [name for name in names if name.startswith("agent_os.")]
        assert not inner, f"{file.name}:{node.lineno}: imports {inner[0]}; an app writes `from agent_os import Name`"


@each([module for module in MODULES if module.name in LEAN])
def test_what_every_start_imports_is_light(module):
    """One heavy import in a module that every start loads costs every start, for ever."""
    seen, waiting = set(), [(module.name, "")]
    while waiting:
        name, way = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for target, level, line in BY_NAME[name].imports(top_only=True):
            if level and target in BY_NAME:
                waiting.append((target, f"{way}{name} -> "))
            elif not level and target.split(".")[0] in HEAVY:
                fail(BY_NAME[name], line, f"imports {target} at its top ({way}{name}); a start would load it each time")


# --- who may touch what -----------------------------------------------------------------------------------------------


@each(MODULES)
def test_sockets_have_their_rooms(module):
    """Only the HTTP client and the servers talk to anybody."""
    for target, level, line in module.imports():
        if not level and target in SOCKETS and not allowed(module, "sockets"):
            fail(module, line, f"imports {target}: only http_client and the servers open sockets")


@each(MODULES)
def test_sql_has_its_rooms(module):
    """A query is a named method of the store, not a string in a command."""
    for node in ast.walk(module.tree):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if SQL.match(text) and not allowed(module, "SQL"):
            fail(module, node.lineno, f"holds SQL ({' '.join(text.split())[:40]}…): give the store a method")


@each(MODULES)
def test_the_environment_is_read_in_one_place(module):
    """Settings have an order and a source; a variable read elsewhere has neither."""
    for node in ast.walk(module.tree):
        name = dotted(node) if isinstance(node, ast.Attribute) else ""
        if name in ("os.environ", "os.environb", "os.getenv", "os.putenv") and not allowed(module, "environ"):
            fail(module, node.lineno, f"{name}: only config reads the environment")


@each(MODULES)
def test_time_is_asked_in_one_place(module):
    """Everything else is handed a clock, so that a test can hand in another."""
    for name, node in module.calls():
        if ".".join(name.split(".")[-2:]) in CLOCKS and not allowed(module, "clock"):
            fail(module, node.lineno, f"{name}(): ask the Clock that was handed in")


@each(MODULES)
def test_printing_is_for_commands(module):
    """stdout is data that somebody asked for."""
    for name, node in module.calls():
        if name == "print" and not allowed(module, "print"):
            fail(module, node.lineno, "print(): only commands write to stdout")


@each(MODULES)
def test_exit_codes_are_decided_in_main(module):
    """Everything else raises an error that says what happened."""
    for node in ast.walk(module.tree):
        raised = node.exc if isinstance(node, ast.Raise) else None
        name = dotted(raised.func if isinstance(raised, ast.Call) else raised) if raised else ""
        if isinstance(node, ast.Call) and dotted(node.func) in ("sys.exit", "os._exit", "exit", "quit"):
            name = dotted(node.func)
        if name in ("SystemExit", "sys.exit", "os._exit", "exit", "quit") and not allowed(module, "exit"):
            fail(module, node.lineno, f"{name}: raise one of core.errors; main makes an exit code of it")


@each(MODULES)
def test_no_file_is_found_by_file_name(module):
    """There is no `__file__` to look beside in a zip: `importlib.resources` and `archive.location` know better."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name) and node.id == "__file__" and not allowed(module, "__file__"):
            fail(module, node.lineno, "__file__: it names no file inside the built one")


@each(MODULES)
def test_checks_are_not_asserts(module):
    """`python -O` removes asserts, and an AssertionError says nothing to a person."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assert):
            fail(module, node.lineno, "assert: raise an error that says what was wrong")


# --- how long anything may get ----------------------------------------------------------------------------------------


@each(MODULES)
def test_a_module_has_at_most_400_lines(module):
    """At 300 look for the seam; 400 is the wall."""
    lines = len(module.file.read_text(encoding="utf-8").splitlines())
    if lines > 400 and module.path not in LONG_MODULES:
        fail(module, lines, f"has {lines} lines: split it, or give a reason in LONG_MODULES")
    if lines <= 400 and module.path in LONG_MODULES:
        fail(module, lines, "stands in LONG_MODULES and needs no exception any more")


@each(MODULES)
def test_a_function_has_at_most_40_lines(module):
    """Of body: ten are normal. Decorators, parameters and docstring do not count."""
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            lines, name = node.end_lineno - first.lineno + 1, f"{module.path}:{node.name}"
            if lines > 40 and name not in LONG_FUNCTIONS:
                fail(
                    module, node.lineno, f"{node.name} has {lines} lines: split it, or give a reason in LONG_FUNCTIONS"
                )
            if lines <= 40 and name in LONG_FUNCTIONS:
                fail(module, node.lineno, f"{node.name} stands in LONG_FUNCTIONS and needs no exception any more")


# --- importing does nothing -------------------------------------------------------------------------------------------

WATCHER = """
import importlib, json, os, signal, sys, threading
import argparse, logging, ssl, sqlite3, http.server, urllib.request, email.utils, encodings.idna  # done before we look
seen, now = {}, None
EVENTS = tuple("socket. subprocess. os.system os.mkdir os.remove os.rename os.chdir os.chmod os.exec os.fork os.kill"
               " os.putenv os.unsetenv sqlite3.connect shutil. tempfile. signal.".split())
def watch(event, args):
    if now is None:
        return
    if event == "open":
        path, mode, flags = args
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) or not str(path).endswith((".py", ".pyc", ".so", ".pyd")):
            seen[now].append(f"opened {path}")
    elif event.startswith(EVENTS):
        seen[now].append(f"{event} {args!r:.100}")
def state():
    handlers = [str(signal.getsignal(n)) for n in signal.valid_signals()]
    return [dict(os.environ), os.getcwd(), handlers, len(logging.root.handlers), threading.active_count(), sys.path[:]]
sys.dont_write_bytecode = True
sys.addaudithook(watch)
for name in json.load(sys.stdin):
    before, seen[name], now = state(), [], name
    importlib.import_module(name)
    now = None
    if state() != before:
        seen[name].append("changed the environment, the folder, a signal, the logging, the threads or sys.path")
json.dump(seen, sys.stdout)
"""


@pytest.fixture(scope="module")
def deeds():
    """Module name -> what importing it did, each noticed where it is imported first."""
    names = [f"agent_os.{module.name}".rstrip(".") for module in MODULES if module.file.name != "__main__.py"]
    names.sort(key=lambda name: RANK.get(name.removeprefix("agent_os.core."), len(RANKS)))
    done = subprocess.run(
        [sys.executable, "-c", WATCHER], input=json.dumps(names), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@each([module for module in MODULES if module.file.name != "__main__.py"])
def test_importing_a_module_does_nothing(module, deeds):
    """It opens no file and no socket, starts nothing, and changes nothing of the process."""
    name = f"agent_os.{module.name}".rstrip(".")
    if deeds[name]:
        fail(module, 1, f"importing it {'; '.join(deeds[name])}")


def test_the_lists_of_this_file_name_what_exists():
    """A rule about a module that is gone rules nothing."""
    gone = [name for name in [*(f"core.{name}" for name in RANK), *LEAN] if name not in BY_NAME]
    assert not gone, f"not in agent_os/ any more: {', '.join(gone)}"


def test_the_architecture_page_shows_these_ranks():
    """Who reads docs/ARCHITECTURE.md sees the house as it stands."""
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for rank, names in enumerate(RANKS):
        assert f"    {rank}  {names}\n" in page
