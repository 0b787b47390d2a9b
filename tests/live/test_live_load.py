"""The generator keeps its rate whatever becomes of the requests, and hides nothing."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.sandbox.traffic.live.leash import Leash
from runbook_lib.sandbox.traffic.live.load import Load
from runbook_lib.sandbox.traffic.live.ports import Ports
from runbook_lib.sandbox.traffic.live.tally import LoadTally

RATE = 50.0
LATE = 0.5  # seconds by which a busy machine may answer one after a later one


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def served(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def well(handler: BaseHTTPRequestHandler, status: int = 200) -> None:
    handler.send_response(status)
    handler.send_header("X-Version", "2.0.0")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def sent(folder: Path, url: str, seconds: float) -> list[list[Any]]:
    """The requests that were due within the first seconds after the first one."""
    leash = Leash()
    load = Load(leash, folder, rate=RATE)
    try:
        load.send_to(url)
        lines: list[list[Any]] = []
        end = time.monotonic() + seconds + 10
        while time.monotonic() < end and not (lines and lines[-1][0] > lines[0][0] + seconds + LATE):
            time.sleep(0.05)
            lines += [json.loads(line) for line in load.lines()]
    finally:
        leash.close()
    first = min(line[0] for line in lines)
    return [line for line in lines if line[0] <= first + seconds]


def test_the_rate_holds(tmp_path: Path) -> None:
    """Fifty a second are fifty a second, each counted with the version that answered."""
    with served(well) as url:
        found = sent(tmp_path, url, 2.0)
    assert len(found) == pytest.approx(2 * RATE, rel=0.1)
    assert {(line[2], line[4]) for line in found} == {(200, "2.0.0")}


def test_a_server_that_stands_still_holds_nobody_back(tmp_path: Path) -> None:
    """Requests go on being sent at their due time, and the wait counts from then: the open loop."""
    began: list[float] = []

    def stand_still(handler: BaseHTTPRequestHandler) -> None:
        began.append(time.monotonic())
        time.sleep(max(0.0, began[0] + 1.0 - time.monotonic()))
        well(handler)

    with served(stand_still) as url:
        found = sent(tmp_path, url, 1.5)
    assert len(found) == pytest.approx(1.5 * RATE, rel=0.15)
    slow = [line[1] for line in found if line[1] > 200]
    assert len(slow) > 0.5 * RATE  # of those due in the second of standing still
    assert max(slow) >= 1000  # the first one's, which was due before the server had it


def test_nobody_there_is_a_failed_request(tmp_path: Path) -> None:
    """Refused, with a time; nothing is left out."""
    found = sent(tmp_path, f"http://127.0.0.1:{Ports().take()}/", 0.5)
    assert {(line[2], line[3]) for line in found} == {(0, "refused")}


def test_a_connection_that_breaks_is_a_failed_request(tmp_path: Path) -> None:
    """An answer that ends in the middle is none."""

    def break_off(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    with served(break_off) as url:
        found = sent(tmp_path, url, 0.3)
    assert {(line[2], line[3]) for line in found} == {(0, "IncompleteReadError")}


def test_what_came_of_it_is_told_by_minute() -> None:
    """Counts from a time on, failures with their time in the world, percentiles of latency."""
    tally = LoadTally()
    tally.begun = 6000.0
    tally.add(6000.0, 10.0, 200, "", "1")
    tally.add(6001.0, 30.0, 503, "", "")
    tally.add(6090.0, 20.0, 0, "refused", "")
    tally.add(6091.0, 5.0, 404, "", "2")
    told = tally.told()
    assert (told["sent"], told["failed"], told["versions"]) == (4, 2, {"1": 1, "2": 1})
    assert told["statuses"] == {"200": 1, "404": 1, "503": 1, "refused": 1}
    assert told["milliseconds"] == {"p50": 10, "p99": 30, "max": 30}
    assert tally.told(since=6060.0)["sent"] == 2
    assert [one["at"] for one in tally.told(since=6060.0)["last_failures"]] == [6090.0]


def test_what_fails_before_anybody_was_healthy_is_counted_apart() -> None:
    """A load balancer without a target hurts nobody who was served before."""
    tally = LoadTally()
    tally.add(6000.0, 1.0, 503, "", "")
    tally.begun = 6010.0
    tally.add(6009.0, 1.0, 502, "", "")
    tally.add(6011.0, 1.0, 502, "", "")
    told = tally.told()
    assert (told["sent"], told["early"], told["failed"]) == (3, 2, 1)
    assert [one["at"] for one in told["last_failures"]] == [6011.0]


def test_the_generator_ends_when_it_is_told(tmp_path: Path) -> None:
    """And sends to another place when it is told another one."""
    leash = Leash()
    load = Load(leash, tmp_path, rate=RATE)
    load.send_to("http://127.0.0.1:1/")
    process = load._process
    assert process is not None
    load.send_to(None)
    assert process.returncode is not None
    assert sys.executable in process.args[0]  # type: ignore[operator,index]
    leash.close()
