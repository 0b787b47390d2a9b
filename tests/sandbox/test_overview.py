"""What goes on in a world, as `runbook sandbox status` tells it."""

from __future__ import annotations

import re

from pipeline_stage import Stage
from release_stage import begin

from runbook_lib.cli.sandbox import DESCRIBE
from runbook_lib.sandbox import Settings
from runbook_lib.sandbox.overview import overview_of
from runbook_lib.sandbox.world import World


def _lines(stage: Stage) -> list[str]:
    told = overview_of(stage.world)
    lines = [DESCRIBE[kind](one, stage.world.now) for kind in DESCRIBE for one in told[kind]]
    return [re.sub(r"[0-9a-f-]{36}", "ID", re.sub(r"d-\w{9}", "d-ID", line)) for line in lines]


def test_a_release_is_shown_in_its_build_and_in_its_deployment() -> None:
    """In AWS's words, with how long a deployment takes already; the alarm that is red besides."""
    stage = begin()
    stage.until_at("DockerBuild")
    assert _lines(stage) == [
        "orders  Build/DockerBuild  InProgress",
        "orders:ID  QUEUED",
        "orders/orders  ACTIVE  2 of 2 tasks run",
    ]
    stage.settle()
    stage.answer(stage="Deploy")
    stage.until_at("BlueGreen")
    stage.wait(30)
    _alarm(stage)
    assert _lines(stage) == [
        "d-ID  orders/orders  InProgress  for 0:28",  # CodePipeline takes two seconds to begin it
        "orders  Deploy/BlueGreen  InProgress",
        "orders/orders  ACTIVE  2 of 2 tasks run",
        "red  ALARM  for 0:00",
    ]


def _alarm(stage: Stage) -> None:
    watch = stage.client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="red", Namespace="Test", MetricName="Errors", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
    )  # fmt: skip
    watch.set_alarm_state(AlarmName="red", StateValue="ALARM", StateReason="by hand")


def test_looking_makes_nothing() -> None:
    """A world that nobody has used has no stores afterwards either, and its time has not moved."""
    world = World(Settings())
    assert overview_of(world) == {kind: [] for kind in DESCRIBE}
    assert not world.has("ecs")
    assert world.now == world.settings.start
