"""Row 6: a year of both providers at 20 ms a request, beside a bare keep-alive loop over the same pages.

    python3 -m bench.collect [DAYS [ROUNDS]]

The floor fetches the pages that ours fetched, from both providers side by side, one request at a time each, and throws
the bytes away. Ours is the built file: it starts, parses, checks, stores with every sync, and prints its table.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from agent_os.core.clock import Clock
from agent_os.core.days import add_days
from agent_os.sandbox.server import Sandbox
from bench.table import apart, measure

LATENCY_SECONDS = 0.02
PYZ = Path(__file__).resolve().parent.parent / "agent_os.pyz"

Asked = list[tuple[str, str]]


def serve(pipe: multiprocessing.connection.Connection) -> None:
    """The sandbox in a process of its own; answers "asked" with what it was asked since the last time."""
    with Sandbox() as sandbox:
        sandbox.latency = LATENCY_SECONDS
        pipe.send((sandbox.openai_base_url, sandbox.anthropic_base_url))
        while pipe.recv():
            pipe.send([(entry.provider, f"{entry.path}?{urlencode(entry.query)}") for entry in sandbox.journal])
            sandbox.journal.clear()


def loop(bases: dict[str, str], asked: Asked) -> None:
    """The floor: a thread a provider, a connection each, every page in turn."""

    def fetch(provider: str) -> None:
        connection = http.client.HTTPConnection(urlsplit(bases[provider]).netloc)
        key = {"Authorization": f"Bearer {Sandbox.openai_key}"} if provider == "openai" else {}
        key = key or {"x-api-key": Sandbox.anthropic_key, "anthropic-version": "2023-06-01"}
        for name, target in asked:
            if name == provider:
                connection.request("GET", target, headers=key)
                answer = connection.getresponse()
                if not answer.read() or answer.status != 200:
                    raise SystemExit(f"{target} answered {answer.status}")
        connection.close()

    threads = [threading.Thread(target=fetch, args=(name,)) for name in bases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ours(home: str, since: str) -> None:
    """The built file in a fresh home."""
    for name in os.listdir(home):
        if name != ".env":
            Path(home, name).unlink()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    words = ["--task", "run_all", "--since", since, "--home", home, "--quiet"]
    os.execv(sys.executable, [sys.executable, str(PYZ), *words])


def main(days: int, rounds: int) -> None:
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=serve, args=(there,), daemon=True)
    server.start()
    openai, anthropic = here.recv()
    since = add_days(Clock().today(), -days + 1)
    with tempfile.TemporaryDirectory() as home:
        Path(home, ".env").write_text(
            f"OPENAI_ADMIN_KEY={Sandbox.openai_key}\nOPENAI_BASE_URL={openai}\n"
            f"ANTHROPIC_ADMIN_KEY={Sandbox.anthropic_key}\nANTHROPIC_BASE_URL={anthropic}\n",
            encoding="ascii",
        )
        os.chmod(Path(home, ".env"), 0o600)
        apart(partial(ours, home, since))
        here.send(True)
        asked: Asked = here.recv()
        bases = {"openai": openai, "anthropic": anthropic}
        title = f"{days} days from both providers, {len(asked)} requests of {LATENCY_SECONDS * 1000:.0f} ms"
        works = {"bare keep-alive loop": partial(loop, bases, asked), "run_all, built file": partial(ours, home, since)}
        measure(works, rounds=rounds, floor="bare keep-alive loop", title=title)
    here.send(False)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 365, int(sys.argv[2]) if sys.argv[2:] else 5)
