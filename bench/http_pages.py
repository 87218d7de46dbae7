"""Twelve and sixty pages in a chain at 20 ms a round trip: a bare keep-alive loop (the floor), our client, urllib.

`python bench/http_pages.py [ROUNDS]` from the root prints the table. Each run is a process of its own, in turns
A B C A B C; figures are medians, ratios those of paired runs. Not named http.py: that would hide the library's http.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUND_TRIP = 0.02
COUNTS = (12, 60)
WAYS = ("floor", "ours", "urllib")


def page_body() -> bytes:
    """A page of usage such as OpenAI answers for 31 days: about 40 KB."""
    result = {"object": "organization.usage.completions.result", "input_tokens": 120345, "output_tokens": 9876}
    result.update(input_cached_tokens=5000, num_model_requests=77, project_id="proj_abc", model="gpt-5", batch=False)
    buckets = [
        {"object": "bucket", "start_time": 1763769600 + 86400 * day, "results": [result] * 6} for day in range(31)
    ]
    return json.dumps({"object": "page", "data": buckets, "has_more": True, "next_page": "page_x"}).encode()


class Pages(BaseHTTPRequestHandler):
    """Answers every GET with the same page after a round trip, and keeps the connection; a new one costs another."""

    protocol_version = "HTTP/1.1"
    body = page_body()
    disable_nagle_algorithm = True

    def setup(self) -> None:
        time.sleep(ROUND_TRIP)
        super().setup()

    def do_GET(self) -> None:
        time.sleep(ROUND_TRIP)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(self.body)}\r\n\r\n"
        self.wfile.write(head.encode() + self.body)

    def log_message(self, *_args: object) -> None:
        return


def ask_floor(port: int, pages: int) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port)
    for number in range(pages):
        connection.request("GET", f"/v1/usage?page={number}", headers={"Authorization": "Bearer k"})
        json.loads(connection.getresponse().read())
    connection.close()


def ask_urllib(port: int, pages: int) -> None:
    import urllib.request

    for number in range(pages):
        url = f"http://127.0.0.1:{port}/v1/usage?page={number}"
        request = urllib.request.Request(url, headers={"Authorization": "Bearer k"})
        with urllib.request.urlopen(request, timeout=20) as response:
            json.loads(response.read())


def ask_ours(port: int, pages: int) -> None:
    sys.path.insert(0, str(ROOT))
    from agent_os.core.clock import Clock
    from agent_os.core.http_client import HttpClient
    from agent_os.core.logger import Log, Redactor
    from agent_os.core.retry import Retry

    clock, redactor = Clock(), Redactor()
    redactor.add("sk-admin-0123456789")
    log = Log(os.devnull, clock=clock, redactor=redactor, stderr=None)
    client = HttpClient(
        agent="bench", clock=clock, retry=Retry(), log=log, redactor=redactor, allowed_hosts=(), environ={}
    )
    for number in range(pages):
        url = f"http://127.0.0.1:{port}/v1/usage"
        _ = client.get(url, query=[("page", str(number))], headers={"Authorization": "Bearer k"}).data
    client.close()
    log.close()


def child(way: str, port: int, pages: int) -> None:
    """Do it one way and print the seconds of the pages alone, imports included."""
    began = time.perf_counter()
    {"floor": ask_floor, "ours": ask_ours, "urllib": ask_urllib}[way](port, pages)
    print(time.perf_counter() - began)


def measure(way: str, port: int, pages: int) -> tuple[float, float, float]:
    """Seconds for the pages, CPU seconds and peak MB of the whole process."""
    command = [sys.executable, "-I", __file__, "--child", way, str(port), str(pages)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        seconds = float(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
    megabytes = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return seconds, usage.ru_utime + usage.ru_stime, megabytes


def table(port: int, pages: int, rounds: int) -> None:
    runs = [{way: measure(way, port, pages) for way in WAYS} for _ in range(rounds)]
    print(f"\n{pages} pages of {len(Pages.body) // 1000} KB in a chain, 20 ms a round trip, {rounds} rounds")
    print(f"{'':8}{'ms':>8}{'x floor':>9}{'CPU ms':>8}{'x floor':>9}{'MB':>6}")
    for way in WAYS:
        wall, cpu, memory = (statistics.median(run[way][part] for run in runs) for part in range(3))
        ratios = [statistics.median(run[way][part] / run["floor"][part] for run in runs) for part in range(2)]
        print(f"{way:8}{wall * 1e3:8.0f}{ratios[0]:9.2f}{cpu * 1e3:8.0f}{ratios[1]:9.2f}{memory:6.0f}")


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--child"]:
        child(arguments[1], int(arguments[2]), int(arguments[3]))
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for pages in COUNTS:
        table(server.server_address[1], pages, int(arguments[0]) if arguments else 7)
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main(sys.argv[1:])
