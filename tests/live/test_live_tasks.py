"""Tasks that are processes: how they start, serve, fail and stop, as ECS and the load balancer show it."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from runbook_lib.errors import BadInput
from runbook_lib.sandbox.services.elbv2.health import Answer, Streak, Verdict
from runbook_lib.sandbox.services.elbv2.store import HealthCheck
from runbook_lib.sandbox.settings import Settings, from_texts
from runbook_lib.sandbox.traffic import live
from tests.live.live_stage import LiveStage, live_stage, orders, push
from tests.live.test_live_processes import ends

DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""

SILENT = """
import os, socket, time
one = socket.create_server(("0.0.0.0", int(os.environ["PORT"])))
time.sleep(600)
"""


@pytest.fixture
def stage() -> Iterator[LiveStage]:
    with live_stage() as made:
        yield made


def get(url: str, path: str = "/orders") -> tuple[int, str | None]:
    line = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    line.request("GET", path)
    answer = line.getresponse()
    answer.read()
    line.close()
    return answer.status, answer.headers["X-Version"]


def container(stage: LiveStage, **changes: Any) -> dict[str, Any]:
    """A container that logs into the group /orders."""
    stage.world.client("logs").create_log_group(logGroupName="/orders")
    options = {"awslogs-group": "/orders", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}
    return {"logConfiguration": {"logDriver": "awslogs", "options": options}, **changes}


def test_a_task_serves_and_stops_as_told(stage: LiveStage) -> None:
    """From the image to an answer through the load balancer, its lines in the log, and exit code 0 at the end."""
    stage.deploy(orders(stage.world), container=container(stage), APP_VERSION="7.0.0")
    stage.healthy()
    assert get(stage.url()) == (200, "7.0.0")
    pids = list(stage.plane.tasks.processes())
    stage.stage.ecs.update_service(cluster="orders", service="orders", desiredCount=0)
    task = stage.stopped()
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("ServiceSchedulerInitiated", 0)
    stream = f"web/app/{task['taskArn'].rpartition('/')[2]}"
    events = stage.world.client("logs").get_log_events(logGroupName="/orders", logStreamName=stream)["events"]
    assert "GET /orders" in "".join(event["message"] for event in events)
    assert stage.world.settings.start < events[0]["timestamp"] / 1000 <= stage.world.now
    assert [ends(pid) for pid in pids] == [True]
    assert not list(stage.plane._folder.glob(task["taskArn"].rpartition("/")[2]))


def test_a_crash_is_shown_and_replaced(stage: LiveStage) -> None:
    """Essential container in task exited, with the code of its own; another task comes."""
    stage.deploy(orders(stage.world), APP_CRASH_AFTER_SECONDS="0.5")
    task = stage.stopped()
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert task["containers"][0]["exitCode"] == 1
    stage.wait_for(lambda: stage.stage.tasks())


def test_a_command_that_does_not_exist(stage: LiveStage, capsys: pytest.CaptureFixture[str]) -> None:
    """The task fails to start in the runtime's words, and the sandbox says what it cannot know."""
    stage.deploy(push(stage.world, {"/app/a": "x"}, command=("gunicorn", "app:app"), directory="/app"))
    task = stage.stopped()
    assert task["stopCode"] == "TaskFailedToStart"
    assert "CannotStartContainerError" in task["stoppedReason"]
    assert 'exec: "gunicorn": executable file not found in $PATH' in task["containers"][0]["reason"]
    assert "of the base of an image only its name is known" in capsys.readouterr().err


def test_an_application_that_ignores_its_port(stage: LiveStage, capsys: pytest.CaptureFixture[str]) -> None:
    """The load balancer shows failing checks, a log line says why, and what ignores SIGTERM is killed: 137."""
    image = push(stage.world, {"/app/deaf.py": DEAF}, command=("python", "deaf.py"), directory="/app")
    stage.deploy(image, container={"stopTimeout": 2})
    stage.wait_for(lambda: stage.stage.health()[:1] == ["unhealthy Target.FailedHealthChecks"])
    task = stage.stopped()
    assert "Task failed ELB health checks" in task["stoppedReason"]
    assert task["containers"][0]["exitCode"] == 137
    assert "must listen on the port that its environment variable PORT names" in capsys.readouterr().err


def test_an_application_that_never_answers(stage: LiveStage, capsys: pytest.CaptureFixture[str]) -> None:
    """Its checks time out, it is replaced for that, and a log line says what was waited for."""
    image = push(stage.world, {"/app/silent.py": SILENT}, command=("python", "silent.py"), directory="/app")
    stage.stage.elb.modify_target_group(TargetGroupArn=stage.stage.blue, HealthCheckTimeoutSeconds=2)
    stage.deploy(image)
    assert "Task failed ELB health checks" in stage.stopped()["stoppedReason"]
    assert "due to (reason Request timed out)." in "".join(stage.stage.messages())
    assert "does not answer: GET / was waited for 2 s of the wall, 2 times" in capsys.readouterr().err


def test_failing_checks_name_the_status(stage: LiveStage) -> None:
    """An application that answers 503 to its checks is shown with that code."""
    check = {"HealthCheckPath": "/health", "TargetGroupArn": stage.stage.blue}
    stage.stage.elb.modify_target_group(**check)
    stage.deploy(orders(stage.world), APP_HEALTH="fail")
    found = stage.wait_for(lambda: [one for one in descriptions(stage) if one["State"] == "unhealthy"])
    assert found[0]["Reason"] == "Target.ResponseCodeMismatch"
    assert found[0]["Description"] == "Health checks failed with these codes: [503]"
    assert get(stage.url())[0] == 200  # no target is healthy: the load balancer fails open


def descriptions(stage: LiveStage) -> list[dict[str, Any]]:
    found = stage.stage.elb.describe_target_health(TargetGroupArn=stage.stage.blue)["TargetHealthDescriptions"]
    return [one["TargetHealth"] for one in found]


def test_a_saved_world_starts_its_tasks_anew(stage: LiveStage, tmp_path: Path) -> None:
    """Processes cannot be saved: those of the old world end, and the loaded one has its own."""
    stage.deploy(orders(stage.world), APP_VERSION="7.0.0")
    stage.healthy()
    old = list(stage.plane.tasks.processes())
    stage.sandbox.save(tmp_path / "world")
    stage.sandbox.load(tmp_path / "world")
    stage.stage.world = stage.sandbox.world
    assert [ends(pid) for pid in old] == [True]
    assert set(stage.plane.tasks.processes()).isdisjoint(old)
    url = stage.wait_for(lambda: stage.plane.addresses(stage.world).get("production :80"))
    stage.wait_for(lambda: answers(url) == (200, "7.0.0"))


def answers(url: str) -> tuple[int, str | None] | None:
    try:
        return get(url)
    except OSError:
        return None


def test_a_release_hurts_nobody() -> None:
    """A task more, another revision, a task less: at 100 requests a second none fails, and both versions answered."""
    with live_stage(requests_per_second=100.0) as stage:
        image = orders(stage.world)
        stage.deploy(image, count=2, APP_VERSION="1.0.0")
        stage.healthy(2)
        stage.wait_for(lambda: live.told(stage.world)["load"]["versions"].get("1.0.0"))
        before = live.told(stage.world)["load"]
        revision = stage.stage.define(image, None, APP_VERSION="2.0.0")
        stage.stage.ecs.update_service(cluster="orders", service="orders", taskDefinition=revision)
        stage.wait_for(lambda: stage.stage.shown()["deployments"][0]["rolloutState"] == "COMPLETED", 40)
        stage.stage.ecs.update_service(cluster="orders", service="orders", desiredCount=1)
        stage.wait_for(lambda: len(stage.plane.tasks.arns()) == 1)
        stage.sandbox.clock.sleep(60)
        told = live.told(stage.world)["load"]
    assert told["sent"] > before["sent"] + 100
    assert told["failed"] == before["failed"], told  # before its first task came the load balancer had nobody to ask
    assert set(told["versions"]) == {"1.0.0", "2.0.0"}


def test_everything_ends_with_the_world() -> None:
    """Closing it leaves no process and no file."""
    with live_stage() as stage:
        stage.deploy(orders(stage.world))
        stage.healthy()
        assert stage.plane.balancer is not None
        pids = [*stage.plane.tasks.processes(), stage.plane.balancer._process.pid]
        folder = stage.plane._folder
    started = time.monotonic()
    assert [ends(pid) for pid in pids] == [True, True]
    assert time.monotonic() - started < 5
    assert not folder.exists()


@pytest.mark.parametrize(
    ("state", "answered", "states"),
    [
        ("initial", [None, 200], ["initial", "healthy"]),
        ("initial", [500, 500], ["initial", "unhealthy"]),
        ("healthy", [500, 200, 500, 500], ["healthy", "healthy", "healthy", "unhealthy"]),
        ("unhealthy", [200, 200, 500, 200, 200, 200], ["unhealthy"] * 5 + ["healthy"]),
    ],
)
def test_thresholds_count_checks_in_a_row(state: str, answered: list[int | None], states: list[str]) -> None:
    """A new target is healthy after one; the others after as many in a row as the group says."""
    check = HealthCheck("HTTP", "traffic-port", "/", 10, 5, 3, 2, "200", True)
    streak, found = Streak(state), []
    for status in answered:
        answer = Answer(0.0, status)
        streak = streak.after(Verdict(0.0, None if answer.status == 200 else "Target.FailedHealthChecks"))
        found.append(streak.turns_to(check))
    assert found == states


def test_live_traffic_needs_the_scaled_clock() -> None:
    """It is chosen where nobody chose, and another one is refused."""
    assert from_texts(["traffic=live"]).clock == "scaled"
    with pytest.raises(BadInput, match="clock: seen: 'virtual'; wanted: scaled, because live traffic"):
        Settings(traffic="live")
    with pytest.raises(BadInput, match="wanted: modelled or live"):
        from_texts(["traffic=real"])
