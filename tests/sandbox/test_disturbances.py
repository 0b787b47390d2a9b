"""What happens to all versions alike, and a version that becomes slower with its age."""

from __future__ import annotations

from typing import Any

import ecs_stage
import pytest
from test_traffic_metrics import of_blue, points

from runbook_lib import params
from runbook_lib.errors import BadInput
from runbook_lib.sandbox import disturbance
from runbook_lib.sandbox.disturbance import NONE, Disturbance
from runbook_lib.sandbox.settings import Settings, from_texts
from runbook_lib.sandbox.traffic.behaviour import Behaviour


def serving(*disturbances: Disturbance) -> ecs_stage.Stage:
    """A world that served until its twelfth minute, while the disturbances were felt."""
    stage = ecs_stage.fresh()
    stage.world.settings = stage.world.settings.with_(disturbances=disturbances)
    stage.serve()
    stage.settle()
    stage.wait(720 - (stage.world.now - stage.world.settings.start))
    return stage


def test_a_dependency_that_fails_is_felt_for_its_minutes() -> None:
    """Before and after them the version has its own errors alone."""
    stage = serving(Disturbance(after_minutes=7, minutes=2, error_rate=0.5))
    errors = points(stage, "HTTPCode_Target_5XX_Count", **of_blue(stage))
    requests = points(stage, "RequestCount", **of_blue(stage))
    high = [count for count in errors if count > 0.3 * max(requests)]
    assert len(high) == 2
    assert all(0.45 < count / 3000 < 0.55 for count in high)


def test_a_burst_multiplies_the_requests_and_a_slow_dependency_the_time() -> None:
    """The minutes beside it are as ever."""
    stage = serving(Disturbance(after_minutes=6, minutes=1, requests_factor=3.0, latency_factor=4.0))
    requests = points(stage, "RequestCount", **of_blue(stage))
    latency = points(stage, "TargetResponseTime", "p50", **of_blue(stage))
    assert sum(1 for count in requests if count > 8000) == 1
    assert max(latency) == pytest.approx(4 * sorted(latency)[0], rel=0.1)


def test_the_first_that_covers_a_minute_holds() -> None:
    """The world begins at a minute that is not whole: its minute counts as the first."""
    stage = ecs_stage.fresh()
    start = stage.world.settings.start
    one, two = Disturbance(1, 2, error_rate=0.1), Disturbance(2, 9, error_rate=0.2)
    stage.world.settings = stage.world.settings.with_(disturbances=(one, two))
    found = [disturbance.now(stage.world, start + 60 * minute) for minute in (0, 1, 2, 3, 10, 11)]
    assert found == [NONE, one, one, two, two, NONE]


def test_a_leak_makes_a_version_slower_with_its_age() -> None:
    """So much a minute."""
    told = Behaviour.of({"APP_LATENCY_MS": "40", "APP_LEAK_MS_PER_MINUTE": "5"})
    assert told.aged(0).latency_ms == 40
    assert told.aged(12).latency_ms == 100


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("3", "a list"),
        ([{"since": 3}], "after_minutes"),
        ([{"minutes": -1}], "at least 0"),
        ([{"minutes": 1.5}], "whole minutes"),
        ([{"error_rate": 2}], "between 0 and 1"),
    ],
)
def test_a_wrong_disturbance_is_refused(given: Any, wanted: str) -> None:
    """With what is wanted."""
    with pytest.raises(BadInput, match=wanted):
        Settings(disturbances=given)


def test_real_processes_cannot_be_disturbed() -> None:
    """It is said, not left out silently."""
    with pytest.raises(BadInput, match="real processes"):
        from_texts(["traffic=live", 'disturbances=[{"after_minutes": 1, "minutes": 2}]'])


def test_the_parameters_tell_the_sandbox() -> None:
    """As a list of mappings."""
    one = {"after_minutes": 3, "minutes": 2, "error_rate": 0.1}
    chosen = params.load("sandbox", {"sandbox.disturbances": (one,)})
    assert chosen.sandbox.disturbances[0].error_rate == 0.1
    assert Settings(disturbances=tuple(d.model_dump() for d in chosen.sandbox.disturbances)).disturbances == (
        Disturbance(3, 2, 0.1),
    )
