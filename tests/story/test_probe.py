"""Own probes: requests as a user makes them, in this process, through a served world and over the network."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from story_stage import PARAMS, opened

from runbook_lib import balancer, probe
from runbook_lib.account import _visit
from runbook_lib.check import Verdict
from runbook_lib.probe import Probed
from runbook_lib.runs.world import arguments_for, served_world
from runbook_lib.sandbox import connect

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def probed(*statuses: int | None) -> list[Probed]:
    return [Probed(AT, "test", "/", status, "2", None) for status in statuses]


@pytest.mark.parametrize(
    ("statuses", "verdict", "seen"),
    [
        ((200,) * 20, Verdict.OK, "0 of 20 failed"),
        ((200,) * 19 + (500,), Verdict.OK, "1 of 20 failed (/ 500)"),
        ((200,) * 18 + (500, None), Verdict.FAIL, "2 of 20 failed (/ 500, / no answer)"),
        ((404,) * 20, Verdict.OK, "0 of 20 failed"),
        ((None,) * 20, Verdict.INCONCLUSIVE, "no answer to 20 probes"),
        ((), Verdict.INCONCLUSIVE, "no answer to 0 probes"),
    ],
)
def test_probes_answer_or_say_nothing(statuses: tuple[int | None, ...], verdict: Verdict, seen: str) -> None:
    """Nobody at home is never a pass, and never blamed on the version."""
    answer = probe.check(probed(*statuses), most_failed_percent=5)
    assert (answer.verdict, answer.seen) == (verdict, seen)


def test_both_listeners_are_asked_in_this_process() -> None:
    """Each path so many times; what is not there gives no answer."""
    run = opened(probe_paths=("/", "/orders"))
    lb = balancer.read_balancer(run.account, run.system)
    found = probe.send(run.account, run.system, lb, "test", 3)
    assert [one.path for one in found] == ["/"] * 3 + ["/orders"] * 3
    assert {one.status for one in found} <= {200, 500}
    assert run.account.visit is not None
    assert run.account.visit(f"http://{lb.dns_name}:81/").status is None
    assert run.account.visit("http://nowhere.elb.amazonaws.com/").status is None


def test_a_served_world_is_asked_through_its_server(tmp_path: Path) -> None:
    """A name that no load balancer has is refused by the proxy, or unknown: no version answers there."""
    with served_world(arguments_for(PARAMS, []), log=tmp_path / "log") as environment:
        world = connect(environment["RUNBOOK_SANDBOX_URL"])
        status, headers, _ = world.visit("http://nowhere-1.us-east-1.elb.amazonaws.com/")
        assert status in (None, 502)
        assert "X-Version" not in headers
        assert world.status()["region"] == "us-east-1"


class Answering(BaseHTTPRequestHandler):
    """500 on /bad, else 200 with a version."""

    def do_GET(self) -> None:
        self.send_response(500 if self.path == "/bad" else 200)
        self.send_header("X-Version", "3")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_the_network_is_asked_with_its_time() -> None:
    """An answer of 500 is an answer; a closed port is none."""
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    good, bad = _visit(f"{base}/"), _visit(f"{base}/bad")
    server.shutdown()
    server.server_close()
    assert (good.status, good.headers["x-version"], bad.status) == (200, "3", 500)
    assert good.ms is not None
    assert good.ms > 0
    assert _visit(f"{base}/").status is None
