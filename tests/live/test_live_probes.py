"""Own probes in a world with live traffic: requests over HTTP to where the listeners really are."""

from __future__ import annotations

from pathlib import Path

from live_release import Release, lay_down

from runbook_lib.sandbox import connect
from tests.live.live_stage import GRACE, LiveStage, live_stage, orders


def name_of(live: LiveStage) -> str:
    """The name of the load balancer."""
    found: str = live.stage.elb.describe_load_balancers()["LoadBalancers"][0]["DNSName"]
    return found


def test_a_probe_is_answered_by_the_process_itself() -> None:
    """A path that the application does not know is its own 404, which no model of it answers; its time is real."""
    with live_stage() as live:
        live.deploy(orders(live.world), APP_VERSION="7", APP_LATENCY_MS="60", APP_LATENCY_SIGMA="0")
        live.healthy()
        live.url()
        base = f"http://{name_of(live)}"
        status, headers, ms = live.sandbox.visit(f"{base}/orders?sort=item")
        assert (status, headers["X-Version"]) == (404, "7")  # the application knows no query
        assert live.sandbox.visit(f"{base}:80/orders")[0] == 200
        assert ms is not None
        assert ms >= 60
        assert live.sandbox.visit(f"{base}:81/")[0] is None
        assert live.sandbox.visit("http://nowhere.elb.amazonaws.com/")[0] is None


def test_the_world_stands_still_while_a_probe_is_made() -> None:
    """At thirty times the wall's pace a slow answer would cost a release its minutes."""
    with live_stage() as live:
        slow = orders(live.world)
        arn = live.stage.define(slow, {}, APP_LATENCY_MS="1500", APP_LATENCY_SIGMA="0")
        live.stage.serve("ECS", taskDefinition=arn, desiredCount=1, healthCheckGracePeriodSeconds=GRACE)
        live.healthy()
        live.url()
        live.sandbox.clock.now()
        before = live.world.now
        assert live.sandbox.visit(f"http://{name_of(live)}/")[0] == 200
        live.sandbox.clock.now()
        assert live.world.now - before < 30 * 1.0


def test_a_served_world_tells_where_its_listeners_are(tmp_path: Path) -> None:
    """Both listeners are asked over HTTP by another process; what fails there is the application's own failure."""
    release = Release(tmp_path / "state", lay_down(tmp_path / "state"))
    try:
        release.until_answered("1")
        world = connect(release.served.url)
        told = world.traffic()
        ports = sorted(int(key.rpartition(":")[2]) for key in told["entrances"])
        assert sorted(told["entrances"].values()) == sorted(told["addresses"].values())
        name = next(iter(told["entrances"])).rpartition(":")[0]
        found = [world.visit(f"http://{name}:{port}/unknown") for port in ports]
        assert [status for status, _, _ in found] == [404] * len(ports)
        assert {headers["X-Version"] for _, headers, _ in found} == {"1"}
        assert world.visit(f"http://{name}:1/")[0] is None
    finally:
        assert release.served.end() == 0
