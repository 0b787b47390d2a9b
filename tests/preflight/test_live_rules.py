"""Rules over the account: all well on a good system, and each failure mode is found when the picture shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from runbook_lib.check import Verdict
from runbook_lib.preflight import report
from runbook_lib.preflight.live import Deployment, Live, Route, Scaling
from runbook_lib.preflight.picture import Picture, Trouble

Change = Callable[[Live], Live]
FAIL, UNKNOWN = Verdict.FAIL, Verdict.INCONCLUSIVE


def service(**changes: Any) -> Change:
    return lambda live: replace(live, service=replace(live.service, **changes))  # type: ignore[type-var]


def group(**changes: Any) -> Change:
    return lambda live: replace(live, group=replace(live.group, **changes))  # type: ignore[type-var]


def alarms(**changes: Any) -> Change:
    return lambda live: replace(live, alarms=tuple(replace(alarm, **changes) for alarm in live.alarms or ()))


def groups(**changes: Any) -> Change:
    return lambda live: replace(live, target_groups=tuple(replace(one, **changes) for one in live.target_groups or ()))


def routes(change: Callable[[Route], Route]) -> Change:
    return lambda live: replace(live, routes=tuple(map(change, live.routes or ())))


def swapped(route: Route) -> Route:
    """The other group gets what the live one had."""
    weights = list(route.weights.values())
    return replace(route, weights=dict(zip(route.weights, reversed(weights), strict=True)))


def subnets(**changes: Any) -> Change:
    return lambda live: replace(live, subnets=tuple(replace(subnet, **changes) for subnet in live.subnets or ()))


def definition(**changes: Any) -> Change:
    return lambda live: replace(live, definition=replace(live.definition, **changes))  # type: ignore[type-var]


def balancer(kind: str) -> Change:
    return lambda live: replace(live, balancers=dict.fromkeys(live.balancers, kind))


def twice(live: Live) -> Live:
    """A service behind both groups."""
    assert live.service is not None
    return service(target_groups=live.service.target_groups * 2)(live)


def two_balancers(live: Live) -> Live:
    """A listener of another load balancer."""
    assert live.routes
    other = replace(live.routes[0], balancer="arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/other/1")
    return replace(live, routes=(other, *live.routes[1:]))


def second_set(live: Live) -> Live:
    assert live.service is not None
    old = live.service.task_sets[0]
    return service(task_sets=(old, replace(old, status="ACTIVE")))(live)


def project(**changes: Any) -> Change:
    return lambda live: replace(live, project=replace(live.project, **changes))  # type: ignore[type-var]


def registry(**changes: Any) -> Change:
    return lambda live: replace(live, registry=replace(live.registry, **changes))  # type: ignore[type-var]


CASES: dict[str, tuple[str, Change, Verdict]] = {
    "other branch": ("A15", lambda live: replace(live, event_pattern={"detail": {"referenceName": ["other"]}}), FAIL),
    "no rule": ("A15", lambda live: replace(live, event_pattern=None), FAIL),
    "edited since": ("A17", lambda live: replace(live, returnable=0), UNKNOWN),
    "no privileges": ("B2", project(privileged=False), FAIL),
    "expired image": ("B6", registry(digests=frozenset(), tags=frozenset()), FAIL),
    "built on arm": ("B7", project(environment="ARM_CONTAINER"), UNKNOWN),
    "a stack's": ("E6", lambda live: replace(live, stack="orders"), UNKNOWN),
    "rolling controller": ("C1", service(controller="ECS"), FAIL),
    "server's style": ("C2", group(kind="IN_PLACE"), FAIL),
    "no pair": ("C3", group(pair=(), production=()), FAIL),
    "application for servers": ("C4", group(platform="Server"), FAIL),
    "one group": ("C5", group(pair=("orders-a",)), FAIL),
    "network load balancer": ("C6", balancer("network"), FAIL),
    "wait without stop": ("C7", group(ready_wait=5), FAIL),
    "blue is kept": ("C8", group(ending="KEEP_ALIVE"), FAIL),
    "behind no listener": ("C10", routes(lambda route: replace(route, weights={})), FAIL),
    "target type": ("C11", groups(kind="instance"), FAIL),
    "two groups": ("C12", twice, FAIL),
    "two load balancers": ("C13", two_balancers, FAIL),
    "daemon": ("C15", service(scheduling="DAEMON"), FAIL),
    "service connect": ("C15", service(connects=True), FAIL),
    "no grace": ("C16", service(grace=0), UNKNOWN),
    "listeners swapped": ("D1", routes(swapped), FAIL),
    "unhealthy": ("D2", groups(states=("healthy", "unhealthy")), FAIL),
    "ready wait": ("D4", group(ready_action="STOP_DEPLOYMENT", ready_wait=30), UNKNOWN),
    "active": ("D9", lambda live: replace(live, active=(Deployment("d-ABC", "InProgress"),)), FAIL),
    "no way out": ("D14", subnets(way_out=False), UNKNOWN),
    "no room": ("D15", subnets(free=0), FAIL),
    "scaling": ("D16", lambda live: replace(live, scaling=Scaling(1, 4, suspended=False)), UNKNOWN),
    "too many tasks": ("D17", service(running=5), FAIL),
    "all at once": ("D18", group(config="CodeDeployDefault.ECSAllAtOnce"), FAIL),
    "flows": ("D19", balancer("network"), UNKNOWN),
    "second set": ("D21", second_set, FAIL),
    "red": ("D22", alarms(state="ALARM"), FAIL),
    "no data": ("D22", alarms(state="INSUFFICIENT_DATA"), UNKNOWN),
    "slow alarm": ("D23", alarms(period=3600), FAIL),
    "own configuration": ("D23", group(config="orders-canary"), UNKNOWN),
    "one colour": ("D24", alarms(groups=frozenset({"targetgroup/orders-a/1"})), FAIL),
    "no alarm": ("D24", lambda live: replace(live, alarms=()), FAIL),
    "unread": ("D25", group(ignores_unread_alarms=True), FAIL),
    "long wait": ("E1", group(termination_wait=600), FAIL),
    "no rollback": ("E2", group(rollback=frozenset()), FAIL),
    "gone": ("E4", definition(status="INACTIVE"), FAIL),
}


def verdict(picture: Picture, id: str) -> Verdict:
    """What one rule says."""
    return next(one.verdict for one in report.examine(picture).asked if one.story.id == id)


def test_a_good_system_has_nothing_to_mend(good: Picture) -> None:
    """The world that the runbooks make passes, but for what its own buildspec leaves open."""
    asked = report.examine(good).asked
    assert {one.story.id for one in asked if one.verdict > Verdict.SKIP} == {"B4"}
    assert sum(one.verdict is Verdict.OK for one in asked) > 45


@pytest.mark.parametrize("case", CASES)
def test_a_failure_mode_is_found(good: Picture, case: str) -> None:
    """One thing is wrong, and its rule says so."""
    id, change, wanted = CASES[case]
    assert good.live is not None
    assert verdict(good, id) is Verdict.OK or id in ("D16",)
    assert verdict(replace(good, live=change(good.live)), id) is wanted


def test_a_part_that_cannot_be_read_is_an_error(good: Picture) -> None:
    """A denied call is not taken for a good answer."""
    trouble = Trouble("live.alarms", "DescribeAlarms", "AccessDenied", "an answer", "allow it")
    picture = replace(good, live=replace(good.live, alarms=None), troubles=(trouble,))  # type: ignore[type-var]
    assert verdict(picture, "D22") is Verdict.ERROR


def test_a_hook_after_test_traffic_needs_a_test_listener(good: Picture) -> None:
    """D8 joins the AppSpec and the group."""
    from runbook_lib.documents.appspec.text import document_of

    text = good.files.appspec.source.text + "Hooks:\n  - AfterAllowTestTraffic: smoke\n"  # type: ignore[union-attr]
    files = replace(good.files, appspec=document_of(text, "appspec.yaml"))  # type: ignore[type-var]
    assert verdict(replace(good, files=files), "D8") is Verdict.OK
    assert good.live is not None
    assert verdict(replace(good, files=files, live=group(test=())(good.live)), "D8") is FAIL
