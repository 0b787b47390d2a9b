"""What a minute of traffic looks like in CloudWatch, modelled or seen."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import ecs_stage
import pytest
from cloudwatch_stage import case
from ecs_stage import NAME, Stage
from logs_stage import record

from runbook_lib.errors import BadInput
from runbook_lib.sandbox import moto_state, traffic
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.settings import Settings, from_texts

ELB = "AWS/ApplicationELB"
FIXED = {"StatusCode": "404", "ContentType": "text/plain"}


@pytest.fixture
def stage() -> Stage:
    return ecs_stage.fresh()


@pytest.fixture
def live() -> Stage:
    """A world with real traffic, in which nothing is drawn; its tasks began before it, so they are no processes."""
    stage = ecs_stage.fresh()
    modelled = stage.world.settings
    stage.world.settings = modelled.with_(requests_per_second=0.0)
    stage.serve()
    stage.settle()
    stage.wait(60 - stage.world.now % 60)
    stage.world.settings = modelled.with_(traffic="live", clock="scaled")
    return stage


def points(stage: Stage, name: str, stat: str = "Sum", namespace: str = ELB, **dimensions: str) -> list[float]:
    """The values of a metric since the test began, oldest first; of the load balancer unless told otherwise."""
    named = dimensions or {"LoadBalancer": stage.balancer.partition("loadbalancer/")[2]}
    metric = {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in named.items()],
    }
    query = {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}
    times = {"StartTime": stage.world.datetime(stage.world.settings.start), "EndTime": stage.world.datetime()}
    asked = {"MetricDataQueries": [query], "ScanBy": "TimestampAscending", **times}
    values: list[float] = stage.world.client("cloudwatch").get_metric_data(**asked)["MetricDataResults"][0]["Values"]
    return values


def of_blue(stage: Stage, **more: str) -> dict[str, str]:
    """The dimensions of blue."""
    own = {"LoadBalancer": stage.balancer.partition("loadbalancer/")[2], "TargetGroup": stage.blue.rpartition(":")[2]}
    return own | more


# ---- modelled


def test_every_metric_has_all_its_dimensions(stage: Stage) -> None:
    """And there is no metric that the table of the guides does not have."""
    stage.serve()
    stage.wait(600)
    found: dict[str, dict[str, set[tuple[str, ...]]]] = defaultdict(lambda: defaultdict(set))
    for page in stage.world.client("cloudwatch").get_paginator("list_metrics").paginate():
        for one in page["Metrics"]:
            found[one["Namespace"]][one["MetricName"]].add(tuple(sorted(each["Name"] for each in one["Dimensions"])))
    wanted = {name: table for name, table in case("dimensions.json").items() if name != "source"}
    assert {space: dict(names) for space, names in found.items()} == {
        space: {name: {tuple(sorted(each)) for each in sets} for name, sets in table.items()}
        for space, table in wanted.items()
    }


def test_the_zones_of_a_load_balancer_add_up(stage: Stage) -> None:
    """Every request went through one node."""
    stage.serve()
    stage.wait(300)
    whole = points(stage, "RequestCount")
    balancer = stage.balancer.partition("loadbalancer/")[2]
    zones = [
        points(stage, "RequestCount", LoadBalancer=balancer, AvailabilityZone=zone)
        for zone in ("us-east-1a", "us-east-1b")
    ]
    assert len(whole) > 3
    assert [sum(both) for both in zip(*zones, strict=True)] == whole


def test_without_traffic_there_is_no_point_at_all(stage: Stage) -> None:
    """Not a zero: not even the healthy hosts are reported."""
    stage.world.settings = stage.world.settings.with_(requests_per_second=0)
    stage.serve()
    stage.wait(300)
    namespaces = {one["Namespace"] for one in stage.world.client("cloudwatch").list_metrics()["Metrics"]}
    assert namespaces == {"AWS/ECS"}


def test_a_service_reports_its_use_without_a_request(stage: Stage) -> None:
    """From its running tasks on; the count of live tasks begins when they activate."""
    stage.world.settings = stage.world.settings.with_(requests_per_second=0)
    stage.serve(desiredCount=3)
    stage.wait(180)
    own = {"ClusterName": NAME, "ServiceName": NAME}
    assert points(stage, "CPUUtilization", "Average", "AWS/ECS", **own)[-1] == 2.0
    assert points(stage, "LiveTaskCount", "Average", "AWS/ECS", **own)[-1] == 3


def test_requests_per_target_are_those_of_a_healthy_one(stage: Stage) -> None:
    """Read by its Sum, it is an average: half of the requests with two targets."""
    stage.serve()
    stage.wait(300)
    requests, each = (points(stage, name, **of_blue(stage)) for name in ("RequestCount", "RequestCountPerTarget"))
    assert each[-1] == requests[-1] / 2


def test_every_node_reports_the_healthy_hosts(stage: Stage) -> None:
    """Minimum and maximum are over the nodes' reports; a zone has its own targets."""
    stage.serve()
    stage.wait(300)
    shown = [points(stage, "HealthyHostCount", stat, **of_blue(stage))[-1] for stat in ("Minimum", "SampleCount")]
    zone = points(stage, "HealthyHostCount", "Average", **of_blue(stage, AvailabilityZone="us-east-1a"))[-1]
    assert (shown, zone) == ([2, 2], 1)


def test_a_saved_world_goes_on_counting(stage: Stage) -> None:
    """In the middle of a minute, with the same numbers."""
    stage.serve()
    stage.wait(210)
    saved = moto_state.dump(stage.world)
    stage.wait(150)
    counted = points(stage, "RequestCount")
    stage.world = moto_state.load(saved)
    stage.wait(150)
    assert points(stage, "RequestCount") == counted


# ---- seen


def test_in_live_mode_nothing_is_drawn(live: Stage) -> None:
    """Without an observed request there is no traffic."""
    live.wait(300)
    assert points(live, "RequestCount") == []


def test_requests_that_were_seen_are_measured(live: Stage) -> None:
    """In the minute in which they ended, whatever minute they began in."""
    now = live.world.now
    slow = record(live, now + 60.5, began=now + 50, target_processing=10.4)
    traffic.observe(live.world, live.balancer, [record(live, now + 59.9), record(live, now + 1), slow])
    live.wait(120)
    assert points(live, "RequestCount") == [2, 1]
    assert points(live, "TargetResponseTime", "Maximum", **of_blue(live)) == [0.042, 10.4]


def test_requests_of_a_minute_that_is_over_come_late(live: Stage) -> None:
    """They are added to their minute, once late points become visible."""
    live.world.settings = Settings(traffic="live", clock="scaled")
    now = live.world.now
    traffic.observe(live.world, live.balancer, [record(live, now + 10)])
    live.wait(70)
    traffic.observe(live.world, live.balancer, [record(live, now + 20)])
    seen = []
    for _ in range(2):
        live.wait(115)
        seen.append(points(live, "RequestCount"))
    assert seen == [[1], [2]]


@pytest.mark.parametrize(
    ("changes", "metrics"),
    [
        ({"status": 404, "target_status": 404}, {"HTTPCode_Target_4XX_Count"}),
        ({"status": 502, "target_status": None}, {"HTTPCode_ELB_502_Count", "TargetConnectionErrorCount"}),
        ({"status": 504, "target_status": None}, {"HTTPCode_ELB_504_Count"}),
        ({"status": 503, "target_status": None, "target": None}, {"HTTPCode_ELB_503_Count"}),
    ],
)
def test_who_answered_decides_what_is_counted(live: Stage, changes: dict[str, Any], metrics: set[str]) -> None:
    """The target, or the load balancer in its place."""
    traffic.observe(live.world, live.balancer, [record(live, live.world.now + 1, **changes)])
    live.wait(60)
    found = {one["MetricName"] for one in live.world.client("cloudwatch").list_metrics()["Metrics"]}
    assert metrics <= found
    assert ("RequestCount" in found) is (changes.get("target", "some") is not None)


def test_what_a_rule_answers_itself_has_no_group(live: Stage) -> None:
    """A fixed response is counted as such, with the load balancer's own code."""
    path = {"Field": "path-pattern", "Values": ["/gone"]}
    action = {"Type": "fixed-response", "FixedResponseConfig": FIXED}
    live.elb.create_rule(ListenerArn=live.production, Priority=3, Conditions=[path], Actions=[action])
    nobody = dict.fromkeys(("group", "target", "target_status", "target_processing"))
    traffic.observe(
        live.world, live.balancer, [record(live, live.world.now + 1, rule_priority=3, status=404, **nobody)]
    )
    live.wait(60)
    names = ("HTTP_Fixed_Response_Count", "HTTPCode_ELB_4XX_Count", "RequestCount")
    assert [points(live, name) for name in names] == [[1], [1], []]


def test_a_load_balancer_that_is_not_there_saw_nothing(live: Stage) -> None:
    """Its ARN is told in the error."""
    with pytest.raises(AwsError, match="LoadBalancerNotFound: Load balancer 'arn:nobody' not found"):
        traffic.observe(live.world, "arn:nobody", [])


def test_the_kind_of_traffic_is_a_setting() -> None:
    """Modelled or live, and nothing else."""
    assert from_texts(["traffic=live"]).traffic == "live"
    with pytest.raises(BadInput, match="modelled or live"):
        from_texts(["traffic=none"])
