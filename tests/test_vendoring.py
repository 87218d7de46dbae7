"""The folder agent_os/ copied into another project works unchanged, beside another copy, and under the same tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
VENDORED = "acme._vendor.agent_os"

# What takes longest, or looks at the checkout itself; `make vendored` runs all but the latter against the copy.
CHECKOUT_ONLY = ("test_build.py", "test_archive.py", "test_architecture.py", "test_vendoring.py")
LONG = (
    *("test_tasks.py", "test_many.py", "test_crash.py", "test_simulation.py", "test_process.py", "test_guide.py"),
    *("test_verbs_look.py", "test_verbs_runs.py", "test_retention.py", "test_killed_runners.py", "test_left_out.py"),
    "test_command_line.py",
    "test_run_all.py",
    "test_sandbox.py",
    "test_sandbox_reports.py",
    "test_http_client.py",
    "test_http_post.py",
    "test_opening.py",
    *("test_clock_jumps.py", "test_schedulers_real.py", "test_schedule.py", "test_schedule_import.py", "test_pings.py"),
)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project that vendors us: `acme/_vendor/agent_os`, a plain copy."""
    folder = tmp_path_factory.mktemp("project")
    inner = folder / "acme" / "_vendor"
    shutil.copytree(ROOT / "agent_os", inner / "agent_os", ignore=shutil.ignore_patterns("__pycache__"))
    for package in (folder / "acme", inner):
        (package / "__init__.py").write_text("")
    return folder


def run(project, *words, cwd=None, **variables):
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AGENT_OS_", "PYTHONPATH"))}
    environ.update(PYTHONPATH=str(project), PYTHONDONTWRITEBYTECODE="1", **variables)
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=cwd or project, env=environ, capture_output=True, text=True, check=False)


def test_a_vendored_copy_needs_no_other(project, tmp_path):
    """Every module can be imported under its new name, and none asks for a package called agent_os."""
    code = f"""
import importlib, pkgutil, sys
import {VENDORED} as us
for module in pkgutil.walk_packages(us.__path__, us.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(sorted(name for name in sys.modules if name.partition(".")[0] == "agent_os"))
"""
    done = run(project, "-c", code, cwd=tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_vendored_copy_runs_as_a_program(project, tmp_path):
    """`python -m acme._vendor.agent_os` answers as ours does."""
    done = run(project, "-m", VENDORED, "--version", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("agent_os ")
    assert list(tmp_path.iterdir()) == []


def test_a_vendored_copy_starts_itself_under_its_own_name(project):
    """A child process is started as the copy, not as whatever agent_os there may be."""
    code = f"from {VENDORED}.core.archive import self_command; print(*self_command(), sep='|')"
    assert run(project, "-c", code).stdout.strip() == f"{sys.executable}|-m|{VENDORED}"


def test_two_copies_live_in_one_process(project, tmp_path):
    """They share no module, no class and no state: each collects into its own home and fails with its own errors."""
    shutil.copytree(project / "acme" / "_vendor" / "agent_os", tmp_path / "agent_os")
    code = f"""
import importlib, sys
copies = [importlib.import_module(name + ".main") for name in ("agent_os", {VENDORED!r})]
for name in [name for name in sys.modules if name.startswith("agent_os.")]:
    other = sys.modules.get({VENDORED!r} + name[len("agent_os"):])
    assert other is not sys.modules[name], name
for at, copy in enumerate(copies):
    code = copy.run_all_collectors(home=f"home{{at}}")
    print(code, copy.__name__)
errors = [importlib.import_module(name + ".core.errors").AgentOSError for name in ("agent_os", {VENDORED!r})]
assert not issubclass(errors[0], errors[1]) and not issubclass(errors[1], errors[0])
"""
    done = run(project, "-c", code, cwd=tmp_path)
    assert done.stdout.splitlines() == ["3 agent_os.main", f"3 {VENDORED}.main"], done.stderr


def test_the_tests_pass_against_a_vendored_copy(project):
    """The quick part of this very suite, with every `import agent_os` giving the copy."""
    chosen = [f"tests/{path.name}" for path in sorted((ROOT / "tests").glob("test_*.py"))]
    chosen = [name for name in chosen if Path(name).name not in CHECKOUT_ONLY + LONG]
    words = ["-m", "pytest", "-x", "-m", "not slow", "-p", "no:cacheprovider", "--tb=short", *chosen]
    done = run(project, *words, cwd=ROOT, AGENT_OS_TEST_PACKAGE=VENDORED)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def test_the_switch_tests_the_copy_and_nothing_else(project, tmp_path):
    """With the variable set, a test's `agent_os` is the copy: otherwise the rule above would prove nothing."""
    (tmp_path / "test_which.py").write_text(
        "import agent_os.core.errors as errors\nfrom agent_os.core import clock\n\n"
        "def test_which():\n"
        f"    assert errors.__name__ == '{VENDORED}.core.errors'\n"
        f"    assert errors.__spec__.name == '{VENDORED}.core.errors'\n"
        f"    assert errors.AgentOSError.__module__ == '{VENDORED}.core.errors'\n"
        f"    assert clock.Clock.__module__ == '{VENDORED}.core.clock'\n"
        f"    import {VENDORED}.core.errors as same\n"
        "    assert same is errors\n"
    )
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    words = ["-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "-c", os.devnull, str(tmp_path)]
    done = run(project, *words, AGENT_OS_TEST_PACKAGE=VENDORED)
    assert done.returncode == 0, done.stdout


def test_the_licence_travels_with_the_folder():
    """Who copies agent_os/ alone has the terms beside it."""
    assert (ROOT / "agent_os" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
