"""What every test has: the package under test under the name `agent_os`, and no connection but to this machine.

AGENT_OS_TEST_PACKAGE names the package to test, `agent_os` unless it is set. With `acme._vendor.agent_os` (importable
through PYTHONPATH) every `import agent_os...` of a test gives that copy's module, the very same object, so tests are
written once and test a vendored copy unchanged. A test that starts a process uses the fixture `program`.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import ipaddress
import os
import random
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Machines are shared: how long an example takes says nothing about the program.
settings.register_profile("shared", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

ROOT = Path(__file__).resolve().parent.parent
SEED = "AGENT_OS_SIMULATION_SEED"
os.environ.setdefault(SEED, str(random.SystemRandom().randrange(10**6)))  # the same for all processes of pytest-xdist
PACKAGE = os.environ.get("AGENT_OS_TEST_PACKAGE", "agent_os")


class OtherName(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes `agent_os.x` another name of `<PACKAGE>.x`."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] != "agent_os":
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec):
        module = importlib.import_module(PACKAGE + spec.name[len("agent_os") :])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = module.__spec__.loader_state  # the import machinery has put the alias's spec there


if PACKAGE != "agent_os":
    sys.meta_path.insert(0, OtherName())


def pytest_terminal_summary(terminalreporter):
    """Which schedules the simulation has played, also where all of them went well."""
    reports = [each for found in terminalreporter.stats.values() for each in found]
    if any("test_every_schedule_keeps" in getattr(each, "nodeid", "") for each in reports):
        terminalreporter.write_line(f"{SEED}={os.environ[SEED]}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means: one more than there are processors, since many a test waits for a process or a clock."""
    return min(8, 1 + (os.cpu_count() or 1))


def pytest_collection_modifyitems(items) -> None:
    """What takes long begins first, so that nobody waits for it alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def program() -> list[str]:
    """The words that start the program under test in a process of its own, from any folder but with our sys.path."""
    return [sys.executable, "-m", PACKAGE]


def is_here(host) -> bool:
    """Whether a host name or address means this machine."""
    try:
        return host in (None, "", "localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _no_key_of_this_machine(monkeypatch):
    """A test sets up what it needs; what whoever runs it has set up is none of it."""
    from agent_os.plugins import load

    for collector in load():
        for name in filter(None, (*collector.needs, *collector.settings, collector.base_url[0])):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch):
    """A test that reaches for another machine fails, whatever the code under test catches."""
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def checked(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_here(address[0]):
            pytest.fail(f"a test tried to connect to {address[0]}")

    def guarded(self, address):
        checked(self, address)
        return connect(self, address)

    def guarded_ex(self, address):
        checked(self, address)
        return connect_ex(self, address)

    def looked_up(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        if name and name.endswith(".invalid"):  # reserved: exists nowhere
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if not is_here(name):
            pytest.fail(f"a test tried to look up {name}")
        return getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_ex)
    monkeypatch.setattr(socket, "getaddrinfo", looked_up)


@pytest.fixture(autouse=True)
def _nobody_at_home(monkeypatch, tmp_path_factory):
    """No log of whoever runs the tests is read: their home directory is an empty one."""
    empty = tmp_path_factory.getbasetemp() / "nobody"
    empty.mkdir(exist_ok=True)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(empty))
    for name in (
        "CLAUDE_CONFIG_DIR",
        "CODEX_HOME",
        "GEMINI_DATA_DIR",
        "OPENCODE_DATA_DIR",
        "XDG_DATA_HOME",
        "XDG_CONFIG_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
