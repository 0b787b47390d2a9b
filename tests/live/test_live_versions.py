"""Bad versions under real load: each ends as on AWS, and how many requests it hurt can be told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live_release import NAME, Release, lay_down

ERRORS = {"APP_ERROR_RATE": "0.3"}
SLOW = {"APP_LATENCY_MS": "1500"}
CRASHING = {"APP_CRASH_AFTER_SECONDS": "2"}
ILL = {"APP_HEALTH": "fail"}
QUICK = 240.0  # times the wall: an hour in fifteen seconds


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[list[Release]]:
    """The worlds that a test serves; they end with it."""
    made: list[Release] = []
    yield made
    assert [one.served.end() for one in made] == [0] * len(made)


def released(releases: list[Release], folder: Path, bad: dict[str, str], *, scale: float = 60.0) -> tuple[Release, str]:
    """A bad version 2 was released after a good version 1; the world and the deployment, which is over."""
    release = Release(folder / "state", lay_down(folder / "state", bad, scale=scale))
    releases.append(release)
    release.until_quiet()
    assert release.load()["failed"] == 0, release.load()
    deployment = release.start(2)
    release.until_over(deployment)
    return release, deployment


@pytest.mark.parametrize(
    ("bad", "alarm", "hurt"),
    [
        pytest.param(ERRORS, "green-errors", {"500"}, id="errors"),
        pytest.param(SLOW, "green-slow", set[str](), id="slow", marks=pytest.mark.long),
        pytest.param(CRASHING, "unanswered", {"502", "503"}, id="crashing", marks=pytest.mark.long),
    ],
)
def test_an_alarm_takes_a_bad_version_back(
    releases: list[Release], tmp_path: Path, bad: dict[str, str], alarm: str, hurt: set[str]
) -> None:
    """The deployment is stopped by its alarm and rolled back; what failed meanwhile failed as that version fails."""
    release, deployment = released(releases, tmp_path, bad)
    found = release.info(deployment)
    assert (found["status"], found["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert f"<{alarm}>" in found["errorInformation"]["message"]
    assert release.until_over(found["rollbackInfo"]["rollbackDeploymentId"]) == "Succeeded"
    assert release.weights() == {"blue": 100, "green": 0}
    load = release.load()
    assert {one["status"] for one in load["last_failures"]} <= {int(status) for status in hurt}
    assert bool(load["failed"]) == bool(hurt), load
    assert load["failed"] < load["sent"] / 3


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(ILL, "Task failed ELB health checks in (target-group", id="failing health checks"),
        pytest.param(
            {"APP_CRASH_AFTER_SECONDS": "0"},
            "Essential container in task exited",
            id="crashing from the beginning",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_version_that_never_gets_well_hurts_nobody(
    releases: list[Release], tmp_path: Path, bad: dict[str, str], reason: str
) -> None:
    """CodeDeploy waits an hour for its tasks and gives up; ECS says of each why it stopped."""
    release, deployment = released(releases, tmp_path, bad, scale=QUICK)
    error = release.info(deployment)["errorInformation"]
    assert error["code"] == "TIMEOUT"
    assert error["message"].endswith("This time out period is 60 minutes.")
    ecs = release.client("ecs")
    arns = ecs.list_tasks(cluster=NAME, desiredStatus="STOPPED")["taskArns"]
    reasons = {one["stoppedReason"] for one in ecs.describe_tasks(cluster=NAME, tasks=arns)["tasks"]}
    assert any(one.startswith(reason) for one in reasons), reasons
    assert release.load()["failed"] == 0, release.load()
    assert "2" not in release.load()["versions"]
