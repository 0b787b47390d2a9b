"""A served world that is killed, and served again as if nothing had been."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pipeline_stage import NAME
from served_stage import STEPS, Served, lay_down, play, shown, waiting_approval

from runbook_lib.errors import BadInput
from runbook_lib.sandbox import connect
from runbook_lib.sandbox.errors import SandboxError
from runbook_lib.sandbox.remote import RemoteSandbox

Story = tuple[dict[str, Any], str]
SCALE = 300.0
TELLING = {"until it builds", "REST while a child sleeps", "into the shift", "stop"}


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state file of a world with a release pipeline."""
    state = tmp_path_factory.mktemp("laid") / "world.state"
    lay_down(state)
    return state


@pytest.fixture
def state(laid: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(laid, tmp_path / "world.state"))


@pytest.fixture(scope="module")
def untouched(laid: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The release in a world that nobody kills."""
    copy = Path(shutil.copy(laid, tmp_path_factory.mktemp("untouched") / "world.state"))
    return play(copy, kill_after=set())


def test_a_world_that_is_killed_in_a_release_goes_on_as_one_that_was_not(state: Path, untouched: Story) -> None:
    """Each answer, each id and the end: killed while a build sleeps, in mid-shift and in a rollback."""
    answers, told = play(state, kill_after=TELLING)
    assert answers == untouched[0]
    assert told == untouched[1]


@pytest.mark.long
def test_a_world_that_is_killed_after_every_step_goes_on_as_one_that_was_not(state: Path, untouched: Story) -> None:
    """The same, with a kill after each of the steps."""
    answers, told = play(state, kill_after=set(STEPS))
    assert answers == untouched[0]
    assert told == untouched[1]


def test_the_release_that_is_killed_is_one_worth_it(untouched: Story) -> None:
    """It was stopped in mid-shift and rolled back: otherwise the tests above would prove little."""
    deployments = json.loads(untouched[1])[2]["deploymentsInfo"]
    assert sorted(one["status"] for one in deployments) == ["Stopped", "Succeeded"]
    assert {one["creator"] for one in deployments} == {"user", "codeDeployRollback"}


def _ask_and_leave(url: str, name: str, content: Any) -> threading.Thread:
    """Asks for something on another thread, which bears that nobody answers."""

    def ask() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, SandboxError, BadInput):
            connect(url).line.ask(name, content)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


@pytest.mark.parametrize("delay", [0.02, 0.1, 0.3])
def test_a_wait_that_was_cut_off_by_a_kill_can_be_waited_again(state: Path, untouched: Story, delay: float) -> None:
    """Nobody was told that it was over; it happened as a whole or not at all."""
    served = Served("--state", str(state))
    first = connect(served.url)
    STEPS["query to moto"](first)
    STEPS["start"](first)
    now = first.status()["now"]
    asked = _ask_and_leave(served.url, "advance", {"until": now + 30})
    asked.join(delay)
    served.kill()
    asked.join()
    served = Served("--state", str(state))
    world = connect(served.url)
    assert world.status()["now"] in (now, now + 30)
    world.line.ask("advance", {"until": now + 30})
    for name in list(STEPS)[3:]:
        STEPS[name](world)
    assert shown(world) == untouched[1]
    assert served.end() == 0


def test_a_kill_in_a_save_loses_nothing(state: Path) -> None:
    """Wherever it strikes: each time one more topic, a save, and the end in the middle of it."""
    names = [f"topic-{number}" for number in range(6)]
    for number, name in enumerate(names):
        served = Served("--state", str(state))
        connect(served.url).client("sns").create_topic(Name=name)
        asked = _ask_and_leave(served.url, "save", {})
        asked.join(0.012 * number)
        served.kill()
        asked.join()
    served = Served("--state", str(state))
    topics = connect(served.url).client("sns").list_topics()["Topics"]
    assert [each["TopicArn"].rpartition(":")[2] for each in topics] == names
    assert served.end() == 0


def test_the_lock_of_a_killed_server_is_free_and_its_build_is_no_obstacle(state: Path) -> None:
    """A second server is refused while the first lives, by its number; a child that sleeps holds nothing."""
    served = Served("--state", str(state))
    for name in list(STEPS)[:3]:
        STEPS[name](connect(served.url))
    second = Served("--state", str(state))
    assert second.process.wait(20) == 6
    assert f"process {served.process.pid} serves it" in second.said()
    served.kill()
    third = Served("--state", str(state))
    assert connect(third.url).status()["children"] == 1
    assert third.end() == 0


def test_a_stop_in_the_middle_of_a_build_loses_nothing(state: Path, untouched: Story) -> None:
    """A process cannot be saved: the journal is kept instead, and the build is run again from its beginning."""
    served = Served("--state", str(state))
    for name in list(STEPS)[:3]:
        STEPS[name](connect(served.url))
    assert served.end() == 0
    served = Served("--state", str(state))
    for name in list(STEPS)[3:]:
        STEPS[name](connect(served.url))
    assert shown(connect(served.url)) == untouched[1]
    assert served.end() == 0


def test_on_the_scaled_clock_what_was_seen_to_happen_has_happened(tmp_path: Path) -> None:
    """Killed in mid-shift, a deployment has the events and the times that somebody saw, and goes on to its end."""
    state = tmp_path / "world.state"
    lay_down(state, clock="scaled", scale=SCALE)
    served = Served("--state", str(state))
    world = connect(served.url)
    STEPS["start"](world)
    _until(world, lambda: bool(waiting_approval(world)))
    STEPS["approve"](world)
    _until(world, lambda: _seen(world).get("AllowTraffic", ("",))[0] == "InProgress")
    before, now = _seen(world), world.status()["now"]
    served.kill()
    served = Served("--state", str(state))
    world = connect(served.url)
    assert world.status()["now"] >= now - SCALE
    assert {name: when for name, (_, when) in _seen(world).items() if name in before} == {
        name: when for name, (_, when) in before.items()
    }
    _until(world, lambda: _seen(world).get("AfterAllowTraffic", ("",))[0] == "Succeeded")
    assert served.end() == 0


def _until(world: RemoteSandbox, true: Callable[[], bool]) -> None:
    """Lets the wall move a scaled world."""
    for _ in range(200):
        if true():
            return
        world.clock.sleep(20)
    pytest.fail("it did not happen")


def _seen(world: RemoteSandbox) -> dict[str, tuple[str, Any]]:
    """The lifecycle events of the deployment that have begun: name -> status and when."""
    deploy = world.client("codedeploy")
    ids = deploy.list_deployments(applicationName=NAME, deploymentGroupName=NAME)["deployments"]
    if not ids:
        return {}
    try:
        found = deploy.batch_get_deployment_targets(deploymentId=ids[0], targetIds=[f"{NAME}:{NAME}"])[
            "deploymentTargets"
        ]
    except deploy.exceptions.DeploymentNotStartedException:  # it is Created for a moment
        return {}
    events = found[0]["ecsTarget"]["lifecycleEvents"] if found else []
    return {one["lifecycleEventName"]: (one["status"], one["startTime"]) for one in events if "startTime" in one}
