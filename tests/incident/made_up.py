"""Facts of an incident that are made up, so that the answer is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from runbook_lib.accesslog.window import Window
from runbook_lib.deployment import Deployment, LifecycleEvent, TrafficShare
from runbook_lib.incident import harm
from runbook_lib.incident.causes import Facts
from runbook_lib.incident.damage import damage
from runbook_lib.incident.roles import tenures
from runbook_lib.incident.told import Entry, Told, timeline
from runbook_lib.metric import Metrics, Minute
from runbook_lib.sections import Objective

T = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
PAIR = ("a", "b")
WINDOW = Window(T, T + timedelta(minutes=30))
DEPLOYMENT = Deployment(
    id="d-1",
    status="Stopped",
    creator="user",
    config="",
    revision_sha=None,
    created=T + timedelta(minutes=10),
    completed=T + timedelta(minutes=16),
    error=None,
    rolled_back_by=None,
    rolls_back=None,
    description="",
    events=(LifecycleEvent("AllowTraffic", "Succeeded", T + timedelta(minutes=11), None, None),),
    shares=(TrafficShare("Blue", "PRIMARY", "a", 50, 2, 2), TrafficShare("Green", "ACTIVE", "b", 50, 2, 2)),
)


def minute(number: int, group: str, requests: float, failed: float, p99: float = 0.09, p50: float = 0.04) -> Minute:
    return Minute(T + timedelta(minutes=number), group, requests, failed, failed, p50, p99, p99, 2, 0)


def facts(minutes: list[Minute], *deployments: Deployment, told: tuple[Entry, ...] = ()) -> Facts:
    measured = Metrics(WINDOW.start, WINDOW.end, tuple(sorted(minutes, key=lambda m: (m.at, m.group))))
    found = harm.find(measured, Objective())
    assert found is not None
    who = tenures(deployments, {"d-1": "orders:4"}, pair=PAIR, live="a", former="orders:3", window=WINDOW)
    hurt = damage(measured, who, found, Objective(), requests_in_days=1_000_000)
    line = timeline([Told("x", told)])
    return Facts(found, measured, who, hurt, line, deployments, (), None)


def quiet(group: str = "a", *, but: range = range(0)) -> list[Minute]:
    return [minute(n, group, 3000, 3) for n in range(30) if n not in but]
