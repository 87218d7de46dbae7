"""Apps: which are loaded and which are not, what their mistakes are called, and what all tasks together come to."""

from __future__ import annotations

import os
import py_compile
import sys
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent_os.core import app_code, apps, config
from agent_os.core.errors import ConfigError
from agent_os.core.spec import Task
from agent_os.main import main
from agent_os.plugins import NAMES
from agent_os.plugins import load as plugins

POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX's own")
APP = 'from agent_os import App\napp = App("{}")\n'


def forget(folder: Path) -> None:
    """Let whatever was imported from this folder be unknown."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(f"{folder}{os.sep}"):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch, tmp_path):
    """What a test imports is unknown to the next one, and sys.path is what it was."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    forget(tmp_path)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)
    return path


def refused(name: object, *, base: object = "") -> str:
    """The sentence with which an app is refused: one line with a hint."""
    with pytest.raises(ConfigError) as caught:
        apps.load(str(name), base=str(base))
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return f"{caught.value.message}; {caught.value.hint}"


# --- by its path ------------------------------------------------------------------------------------------------------


def test_a_file_is_loaded_by_its_path(tmp_path):
    """And knows what loads it again in another process."""
    path = write(tmp_path / "bills.py", APP.format("bills"))
    app = apps.load(str(path), base="")
    assert (app.name, app.loaded_from) == ("bills", str(path))


def test_a_package_is_loaded_by_its_folder(tmp_path):
    """With what is in it, by relative imports and by its own name; all of them get the one module."""
    folder = tmp_path / "bills"
    write(folder / "__init__.py", APP.format("bills") + "from . import one\nfrom bills.two import two\n")
    write(folder / "one.py", "from . import app\n")
    write(folder / "two.py", "from bills import app\ntwo = app\n")
    app = apps.load(str(folder), base="")
    module = sys.modules["bills"]
    assert (app.loaded_from, module.one.app, module.two) == (str(folder), app, app)


@pytest.mark.parametrize("name", ["./bills.py", "bills.py", "x/../bills.py", "bills/", "./bills", "bills"])
def test_a_relative_path_is_meant_from_its_base(name, tmp_path):
    """From the home for the ini; a bare name that is nothing else may be a folder there."""
    (tmp_path / "x").mkdir()
    path = write(tmp_path / ("bills.py" if name.endswith(".py") else "bills/__init__.py"), APP.format("bills"))
    wanted = path if name.endswith(".py") else path.parent
    assert apps.load(name, base=str(tmp_path)).loaded_from == str(wanted)


def test_without_a_base_it_is_the_current_directory(tmp_path, monkeypatch):
    """As `--app` means it."""
    path = write(tmp_path / "bills.py", APP.format("bills"))
    monkeypatch.chdir(tmp_path)
    assert apps.load("./bills.py", base="").loaded_from == str(path)


@POSIX
def test_a_tilde_is_the_users_folder(tmp_path, monkeypatch):
    """No shell reads the ini."""
    path = write(tmp_path / "bills.py", APP.format("bills"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert apps.load("~/bills.py", base="/").loaded_from == str(path)


def test_a_file_runs_once_whatever_it_is_called(tmp_path):
    """By another spelling, and through a link."""
    path = write(tmp_path / "bills.py", APP.format("bills"))
    app = apps.load(str(path), base="")
    assert apps.load("x/../bills.py", base=str(tmp_path)) is app
    if os.name == "posix":
        (tmp_path / "link.py").symlink_to(path)
        assert apps.load("link.py", base=str(tmp_path)) is app


def test_files_of_one_name_do_not_meet(tmp_path):
    """Two folders may both have an app.py, and neither is the module `app` of the other."""
    for name in ("one", "two"):
        write(tmp_path / name / "app.py", APP.format(name))
    assert [apps.load(f"./{name}/app.py", base=str(tmp_path)).name for name in ("one", "two")] == ["one", "two"]


def test_what_stands_beside_a_file_can_be_imported(tmp_path):
    """And what is imported from there gets this very module when it imports the file by its name."""
    path = write(tmp_path / "bills.py", APP.format("bills") + "import bills_tasks\n")
    write(tmp_path / "bills_tasks.py", "from bills import app\nSEEN = app\n")
    assert sys.modules.get("bills") is None
    app = apps.load(str(path), base="")
    assert sys.modules["bills_tasks"].SEEN is app


def test_a_module_that_is_there_already_stays(tmp_path):
    """Whoever imported it by its name keeps what he has."""
    path = write(tmp_path / "bills.py", APP.format("bills"))
    sys.path.append(str(tmp_path))
    by_name = import_module("bills")
    assert apps.load(str(path), base="") is not by_name.app
    assert sys.modules["bills"] is by_name


def test_what_stands_beside_a_file_hides_nothing(tmp_path, monkeypatch):
    """Its folder comes last: a planted json.py, or a file that is called as a standard module is, changes no import."""
    write(tmp_path / "json.py", "raise RuntimeError('planted')")
    path = write(tmp_path / "colorsys.py", APP.format("bills") + "import json\nimport colorsys as real\n")
    monkeypatch.delitem(sys.modules, "json")
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    before = list(sys.path)
    apps.load(str(path), base="")
    assert sys.path == [*before, str(tmp_path)]
    assert not hasattr(sys.modules["colorsys"], "app")


def test_a_planted_cache_beside_a_file_is_not_executed(tmp_path):
    """Python would take bytecode from __pycache__ whose date and size fit, whoever owns it."""
    path = write(tmp_path / "bills.py", APP.format("aaaaa"))
    stamp = path.stat()
    py_compile.compile(str(path), doraise=True)
    path.write_text(APP.format("bills"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert apps.load(str(path), base="").name == "bills"


# --- what is refused --------------------------------------------------------------------------------------------------


def make_foreign(path: Path, monkeypatch) -> None:
    """Let the file belong to a user who is neither us nor root."""
    if os.geteuid() == 0:
        os.chown(path, 4242, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)


@POSIX
@pytest.mark.parametrize("name", ["bills.py", "bills"])
def test_what_everybody_may_write_is_refused(name, tmp_path):
    """A file, and the folder of a package."""
    path = tmp_path / name
    write(path if name.endswith(".py") else path / "__init__.py", "raise RuntimeError('executed')")
    path.chmod(0o777)
    assert f"{path} is writable by everybody" in refused(path)


@POSIX
@pytest.mark.parametrize("name", ["bills.py", "bills"])
def test_what_belongs_to_another_user_is_refused(name, tmp_path, monkeypatch):
    """Whoever owns it decides what it does."""
    path = tmp_path / name
    write(path if name.endswith(".py") else path / "__init__.py", "raise RuntimeError('executed')")
    make_foreign(path, monkeypatch)
    assert "belongs to another user (uid" in refused(path)


@POSIX
def test_nothing_is_imported_from_a_folder_that_everybody_may_write(tmp_path):
    """An app in /tmp can be tried, but what others put beside it is not found; the sentence says why."""
    folder = tmp_path / "open"
    path = write(folder / "bills.py", APP.format("bills") + "try:\n    import planted\nexcept ImportError: pass\n")
    write(folder / "planted.py", "raise RuntimeError('planted')")
    other = write(folder / "other.py", "import planted")
    folder.chmod(0o1777)
    assert apps.load(str(path), base="").name == "bills"
    assert str(folder) not in sys.path
    assert f"nothing beside it is imported, since {folder} is writable by everybody" in refused(other)


MISSING = [
    pytest.param("none.py", ["none.py", "No such file"], id="no-file"),
    pytest.param("none/", ["none", "No such file"], id="no-folder"),
    pytest.param("empty/", [os.path.join("empty", "__init__.py"), "No such file"], id="folder-without-init"),
    pytest.param("bills.py/x.py", ["x.py", "directory"], id="below-a-file"),
    pytest.param("a\0.py", ["NUL"], id="NUL"),
    pytest.param("none", ["no app 'none'", "no such module", "agent_os.apps", "./my_app.py"], id="nothing-at-all"),
    pytest.param("empty", ["no app 'empty'", "no package"], id="bare-folder-without-init"),
    pytest.param("no.such.module", ["no app 'no.such.module'"], id="no-parent-of-a-module"),
    pytest.param("json.none", ["no app 'json.none'"], id="no-such-part-of-a-module"),
    pytest.param("json.decoder.none", ["no app 'json.decoder.none'"], id="a-module-is-no-package"),
    pytest.param("", ["no app ''"], id="empty"),
    pytest.param("..", ["no app '..'"], id="dots"),
    pytest.param("not-a-name", ["no app 'not-a-name'"], id="hyphens"),
    pytest.param("json", ["json has no `app`"], id="a-module-that-is-no-app"),
]


@pytest.mark.parametrize(("name", "says"), MISSING)
def test_an_app_that_is_not_there_is_a_sentence(name, says, tmp_path):
    """It says what was looked for."""
    (tmp_path / "empty").mkdir()
    write(tmp_path / "bills.py", "")
    text = refused(name, base=tmp_path)
    assert [part for part in says if part not in text] == []


@POSIX
def test_a_pipe_is_not_waited_for(tmp_path):
    """Opening one would hang for ever."""
    os.mkfifo(tmp_path / "pipe.py")
    assert "is a device or a pipe" in refused(tmp_path / "pipe.py")


@POSIX
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path):
    """With what the system said."""
    path = write(tmp_path / "bills.py", "")
    path.chmod(0)
    assert "Permission denied" in refused(path)


@POSIX
def test_a_current_directory_that_is_gone_is_a_sentence(tmp_path, monkeypatch):
    """A relative path has nothing to be relative to."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "give an absolute path" in refused("./bills.py")
    monkeypatch.chdir(tmp_path)


BROKEN = [
    pytest.param("x = 1\ny = (\n", ["{path}, line 2: SyntaxError: "], id="syntax"),
    pytest.param("if 1:\nx = 1\n", ["{path}, line 2: IndentationError: "], id="indent"),
    pytest.param("x = '\udce9'", ["{path}", "SyntaxError"], id="not-UTF-8"),
    pytest.param("\0", ["null bytes"], id="NUL"),
    pytest.param("\n1/0\n", ["{path}, line 2: ZeroDivisionError: division by zero; correct it"], id="exception"),
    pytest.param("def f(): raise KeyError('k')\n\nf()", ["{path}, line 1: KeyError: 'k'"], id="in-a-function"),
    pytest.param("raise ValueError", ["{path}, line 1: ValueError; correct"], id="without-a-text"),
    pytest.param("raise ValueError('a\\nb ' + 'c' * 999)", ["ValueError: a b ccc"], id="long-and-with-lines"),
    pytest.param("\nimport sys\nsys.exit(3)", ["{path}, line 3: SystemExit: 3"], id="exit"),
    pytest.param("def f(): f()\nf()", ["line 1: RecursionError"], id="recursion"),
    pytest.param("import no_such_thing", ["line 1: ModuleNotFoundError: No module named 'no", "install"], id="missing"),
    pytest.param("from json import nothing", ["line 1: ImportError: cannot import name 'nothing'"], id="no-such-name"),
    pytest.param("\nimport json\njson.loads('x')", ["{path}, line 3: JSONDecodeError"], id="inside-the-library"),
    pytest.param("import beside", ["{folder}{sep}beside.py, line 2: NameError"], id="in-what-stands-beside"),
    pytest.param("import worse", ["{folder}{sep}worse.py, line 1: SyntaxError"], id="syntax-of-what-stands-beside"),
    pytest.param("eval('1+')", ["{path}, line 1: SyntaxError"], id="syntax-of-what-is-in-no-file"),
    pytest.param(
        "from agent_os import ConfigError\nraise ConfigError('no lid', hint='find it')",
        ["{path}, line 2: no lid; find it"],
        id="an-error-of-ours",
    ),
    pytest.param("app = 3", ["has no `app`", 'app = App("its_name")'], id="app-is-none"),
    pytest.param(
        "from agent_os import App\none, two = App('a'), App('b')", ["several apps (a, b)", "`app`"], id="several-apps"
    ),
]


@pytest.mark.parametrize(("source", "says"), BROKEN)
def test_what_goes_wrong_in_an_app_is_a_sentence_with_the_place(source, says, tmp_path):
    """The last line of the app itself on the way to it; no traceback."""
    path = tmp_path / "bills.py"
    path.write_bytes(source.encode("utf-8", "surrogateescape"))
    write(tmp_path / "beside.py", "\nnobody\n")
    write(tmp_path / "worse.py", "(")
    text = refused(path)
    assert str(path) in text
    assert [part for part in says if part.format(path=path, folder=tmp_path, sep=os.sep) not in text] == []
    assert len(text) < 1000


def test_an_app_that_failed_is_not_kept(tmp_path):
    """Once it is corrected it is read anew, under all its names."""
    path = write(tmp_path / "bills.py", "1/0")
    refused(path)
    assert "bills" not in sys.modules
    path.write_text(APP.format("bills"))
    assert apps.load(str(path), base="").name == "bills"


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_what_is_no_mistake_of_an_app_is_not_called_one(error, tmp_path):
    """Ctrl-C, and no memory, mean the whole program."""
    for name in (str(write(tmp_path / "bills.py", f"raise {error.__name__}")), "bills"):
        with pytest.raises(error):
            apps.load(name, base="")
        sys.path.append(str(tmp_path))


def test_the_only_app_needs_no_special_name(tmp_path):
    """Nor does it matter how often it is named."""
    path = write(tmp_path / "bills.py", "from agent_os import App\nbills = again = App('bills')")
    assert apps.load(str(path), base="").name == "bills"


# --- by a name --------------------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A folder of sys.path, as site-packages is one."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_a_module_is_loaded_by_its_name(installed):
    """A dotted one too; it is loaded again by the same name."""
    write(installed / "acme_apps" / "__init__.py", "")
    write(installed / "acme_apps" / "bills.py", APP.format("bills"))
    app = apps.load("acme_apps.bills", base="")
    assert (app.name, app.loaded_from) == ("bills", "acme_apps.bills")
    assert apps.load("acme_apps.bills", base="") is app


def test_code_of_the_current_directory_is_not_loaded_by_a_name(tmp_path, monkeypatch):
    """Neither a module there, nor a folder in the place of what is installed."""
    write(tmp_path / "planted.py", "raise RuntimeError('planted')")
    write(tmp_path / "json" / "__init__.py", "raise RuntimeError('planted')")
    monkeypatch.chdir(tmp_path)
    assert "there is no app 'planted'" in refused("planted")
    assert "json has no `app`" in refused("json")


FAILING = [
    pytest.param("import no_such_thing", ["bills.py, line 1: ModuleNotFoundError", "no_such_thing"], id="missing"),
    pytest.param("import bills.part", ["bills.py, line 1: ModuleNotFoundError", "bills.part"], id="missing-below-it"),
    pytest.param("import bills_x", ["bills.py, line 1: ModuleNotFoundError"], id="missing-with-a-like-name"),
    pytest.param("1/0", ["bills.py, line 1: ZeroDivisionError"], id="exception"),
    pytest.param("(", ["bills.py, line 1: SyntaxError"], id="syntax"),
    pytest.param("raise SystemExit", ["bills.py, line 1: SystemExit"], id="exit"),
]


@pytest.mark.parametrize(("source", "says"), FAILING)
def test_a_module_that_fails_is_told_from_one_that_is_not_there(source, says, installed):
    """ "No such module" about a module that one sees lying there sends people the wrong way."""
    write(installed / "bills.py", source)
    text = refused("bills")
    assert text.startswith("the app bills cannot be loaded: ")
    assert [part for part in says if part not in text] == []


def test_a_package_that_fails_on_the_way_to_a_module_is_said_too(installed):
    """The parent of what was named is imported first; it may even be the one that misses it."""
    for number, missing in enumerate(("no_such_thing", "acme_apps1.bills")):
        write(installed / f"acme_apps{number}" / "__init__.py", f"\nimport {missing}")
        assert "__init__.py, line 2: ModuleNotFoundError" in refused(f"acme_apps{number}.bills")


def test_what_a_compiled_module_misses_is_not_taken_for_the_module(monkeypatch):
    """No line of Python is on the way to that exception."""
    loader = SimpleNamespace(create_module=lambda _: None, exec_module=partial(__import__, "no_such_thing"))
    finder = SimpleNamespace(find_spec=lambda name, *_: ModuleSpec(name, loader) if name == "compiled" else None)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, finder])
    assert "the app compiled cannot be loaded: ModuleNotFoundError: No module named 'no_such_thing'" in refused(
        "compiled"
    )


def entry_point(folder: Path, name: str, value: str, group: str = "agent_os.apps") -> None:
    write(folder / "acme-1.dist-info" / "METADATA", "Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    write(folder / "acme-1.dist-info" / "entry_points.txt", f"[{group}]\n{name} = {value}\n")


@pytest.mark.parametrize("value", ["acme_apps:bills", "acme_apps : bills [more]", "acme_apps:holder.inner"])
def test_an_entry_point_is_found_by_its_name(value, installed):
    """Of the group agent_os.apps; it may name one of several apps, and is loaded again by its name."""
    source = "from agent_os import App\nclass holder: inner = App('bills')\nbills, other = holder.inner, App('other')"
    write(installed / "acme_apps.py", source)
    entry_point(installed, "acme-bills", value)
    app = apps.load("acme-bills", base="")
    assert (app.name, app.loaded_from) == ("bills", "acme-bills")


def test_a_module_comes_before_an_entry_point(installed):
    """And without attribute an entry point names a module."""
    write(installed / "acme_apps.py", APP.format("bills"))
    entry_point(installed, "bills", "acme_apps")
    assert apps.load("bills", base="").name == "bills"
    write(installed / "json5.py", APP.format("real"))
    entry_point(installed, "json5", "acme_apps")
    assert apps.load("json5", base="").name == "real"


@pytest.mark.parametrize(
    ("value", "group", "says"),
    [
        ("acme_apps:none", "agent_os.apps", "bills has no `none`"),
        ("no_such:app", "agent_os.apps", "the entry point bills names no_such, which is no module"),
        ("acme_apps.broken", "agent_os.apps", "ZeroDivisionError"),
        ("acme_apps:app", "console_scripts", "there is no app 'bills'"),
    ],
    ids=["attribute", "module", "failing", "group"],
)
def test_an_entry_point_that_leads_nowhere_is_a_sentence(value, group, says, installed):
    """With what it names."""
    write(installed / "acme_apps" / "__init__.py", APP.format("bills"))
    write(installed / "acme_apps" / "broken.py", "1/0")
    entry_point(installed, "bills", value, group)
    assert says in refused("bills")


# --- which of them ----------------------------------------------------------------------------------------------------


def settings(home: Path, ini: str = "", **environ: str) -> config.Settings:
    write(home / "agent_os.ini", ini).chmod(0o600)
    return config.load(home=str(home), environ=environ)


def test_apps_come_from_the_file_then_the_settings_then_the_command_line(tmp_path, installed, monkeypatch):
    """Those of the settings are meant from the home, the named one from the current directory; each once."""
    home, here = tmp_path / "home", tmp_path / "here"
    for folder, name in ((home, "one"), (home, "two"), (here, "one"), (installed, "built_in")):
        write(folder / f"{name}.py", APP.format(f"{folder.name}-{name}"))
    monkeypatch.setattr(app_code.archive, "bundled_apps", lambda: ("built_in",))
    monkeypatch.chdir(here)
    found = settings(home, "[agent_os]\napps =\n  ./one.py, built_in,\n  two.py\n  one.py\n")
    names = ["site-built_in", "home-one", "home-two"]
    assert [app.name for app in apps.apps_of(found, "")] == names
    assert [app.name for app in apps.apps_of(found, "./one.py")] == [*names, "here-one"]
    assert [app.name for app in apps.apps_of(found, str(home / "two.py"))] == names


def test_no_app_is_loaded_unless_it_is_named(tmp_path, monkeypatch):
    """Whatever lies in the home and where one is."""
    write(tmp_path / "app.py", "raise RuntimeError('planted')")
    write(tmp_path / "apps" / "__init__.py", "raise RuntimeError('planted')")
    monkeypatch.chdir(tmp_path)
    assert apps.apps_of(settings(tmp_path), "") == []


def test_all_apps_that_cannot_be_loaded_are_said_at_once(tmp_path):
    """Two mistakes are one message, not two starts."""
    write(tmp_path / "one.py", "def (:\n")
    write(tmp_path / "two.py", "import no_such_module_of_mine\n")
    found = settings(tmp_path, "[agent_os]\napps = one.py, two.py\n")
    with pytest.raises(ConfigError) as caught:
        apps.apps_of(found, "")
    assert caught.value.message.startswith("2 apps cannot be loaded: 1. the app ")
    for word in ("one.py, line 1: SyntaxError", "2. the app ", "No module named 'no_such_module_of_mine'"):
        assert word in caught.value.message


def test_the_tasks_of_an_app_in_the_settings_are_offered(tmp_path, capsys):
    """End to end: a file beside the ini, a line in it."""
    source = APP.format("bills") + '@app.task\ndef bill_all(ctx):\n    """Write bills."""\n    return "done"\n'
    write(tmp_path / "bills.py", source)
    settings(tmp_path, "[agent_os]\napps = bills.py")
    assert main(["tasks", "--home", str(tmp_path)]) == 0
    assert "bill_all" in capsys.readouterr().out
    write(tmp_path / "bills.py", "1/0")
    forget(tmp_path)
    assert main(["tasks", "--home", str(tmp_path)]) == 3
    assert f"{tmp_path / 'bills.py'}, line 1: ZeroDivisionError" in capsys.readouterr().err


# --- all tasks --------------------------------------------------------------------------------------------------------


def task(name: str, source: str = "here", **options: object) -> Task:
    return Task(name, kind="command", source=source).declare(options)


def app_of(*tasks: Task, name: str = "bills", loaded_from: str = "/x/bills.py") -> SimpleNamespace:
    return SimpleNamespace(name=name, tasks={each.name: each for each in tasks}, outboxes={}, loaded_from=loaded_from)


def check(tasks, *, faults=(), limits=(), cost_limits=()) -> str:
    """What is said of these tasks."""
    with pytest.raises(ConfigError) as caught:
        apps.check(tasks, faults=faults, limits=limits, cost_limits=cost_limits)
    return f"{caught.value.message}; {caught.value.hint}"


def test_all_tasks_are_in_one_table():
    """The providers', the apps', the ini's; each knows what loads its function again."""
    one, two = task("one", "app bills"), task("two", "ini")
    found = apps.registry([app_of(one)], [two], plugins())
    assert list(found) == [*(f"fetch_{name}" for name in NAMES), "one", "two"]
    assert {name: each.app for name, each in found.items() if each.app} == {"one": "/x/bills.py"}
    apps.check(found, faults=[], limits=[], cost_limits=[])


def test_a_provider_is_a_task_with_its_class():
    """As `--task fetch_openai` has always run it."""
    found = apps.registry([], [], plugins())["fetch_openai"]
    assert (found.kind, found.collector.name, found.faults) == ("collector", "openai", [])
    assert found.doc == "Daily costs and usage of an OpenAI organization."
    assert found.collector in plugins()


TAKEN = [
    pytest.param([app_of(task("a", "app x"))], [task("a", "ini")], "ini: task a: the name is taken by a task of app x"),
    pytest.param(
        [app_of(task("a", "app x")), app_of(task("a", "app y"), name="y")], [], "app y: task a: the name is taken"
    ),
    pytest.param([], [task("fetch_openai", "ini")], "ini: task fetch_openai: the name is taken by a task of"),
    pytest.param([app_of(task("fetch_openai", "app x"))], [], "app x: task fetch_openai: the name is taken by"),
    pytest.param([], [task("run_all", "ini")], "ini: task run_all: the name belongs to a task of the kernel"),
    pytest.param([app_of(task("export", "app x"))], [], "app x: task export: the name belongs to a task of the kernel"),
]


@pytest.mark.parametrize(("given", "ini_tasks", "says"), TAKEN)
def test_a_name_is_taken_once(given, ini_tasks, says):
    """Silently preferring one of two tasks would run the wrong one; said once, however often they are looked at."""
    for _ in range(2):
        text = check(apps.registry(given, ini_tasks, plugins()))
        assert says in text
        assert text.startswith("1 fault in the tasks: ")


def test_every_fault_is_said_at_once():
    """Those of apps, of each task, and of all together; nothing was run."""
    tasks = apps.registry([], [task("a", retries=-1), task("export"), task("b", after="ghost", limits="gpu")], [])
    assert check(tasks, faults=["the app x has two outboxes named y"], limits=["cpu"]) == (
        "5 faults in the tasks: 1. the app x has two outboxes named y;"
        " 2. here: task a: retries is -1; give a whole number from 0 to 100;"
        " 3. here: task export: the name belongs to a task of the kernel; choose another;"
        " 4. here: task b comes after ghost, which is no task;"
        " 5. here: task b uses the limit gpu, which `limits` does not set (did you mean cpu?);"
        " correct them; nothing was run"
    )


@pytest.mark.parametrize(
    ("tasks", "given", "says"),
    [
        ([task("a", after="b"), task("b", after="a")], {}, "in a circle"),
        ([task("a", cost_limit="month", cost=1)], {"cost_limits": ["monthly"]}, "did you mean monthly?"),
        ([task("a")], {"faults": ["x"]}, "1 fault in the tasks: x; correct it; nothing was run"),
    ],
    ids=["circle", "cost-limit", "of-an-app"],
)
def test_what_is_wrong_with_tasks_is_an_error(tasks, given, says):
    """Before anything runs."""
    assert says in check({each.name: each for each in tasks}, **given)


def test_tasks_without_a_fault_pass():
    """With the limits that they use."""
    tasks = {"a": task("a", limits="gpu", cost_limit="month", cost=1), "b": task("b", after="a")}
    apps.check(tasks, faults=[], limits=["gpu"], cost_limits=["month"])
