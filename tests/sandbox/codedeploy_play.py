"""Plays the stories of tests/cases/codedeploy/stories: every way in which a deployment can go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from codedeploy_stage import HOOK, LINEAR, NAME, Stage, fresh, waits

STORIES = Path(__file__).parents[1] / "cases/codedeploy/stories"
SETTLE = 120  # seconds after the end, in which a rollback is over and drained tasks are gone
BEFORE: dict[str, Callable[[Stage, dict[str, int]], None]] = {
    "test": lambda stage, weights: stage.point(stage.test, weights),
    "rule": lambda stage, weights: stage.add_rule(weights),
}


@dataclass
class Play:
    """A story on its stage; id is that of the deployment that is followed."""

    stage: Stage
    id: str


def begin(told: dict[str, Any]) -> Play:
    """Sets the stage as the story says and starts its deployment."""
    stage = fresh()
    for step in told.get("before", []):
        for name, weights in step.items():
            BEFORE[name](stage, weights)
    group = told.get("group", {})
    for alarm, state in group.get("alarms", {}).items():
        if state:
            stage.alarm(state, alarm)
    role = {"serviceRoleArn": stage.limited_role(told["role"])} if "role" in told else {}
    stage.make_group(**settings(stage, group), **role)
    if HOOK in told.get("hooks", {}).values():
        function = told.get("function", {})
        stage.hook(**{key: tuple(value) if key == "may" else value for key, value in function.items()})
    if told.get("version") == "broken":
        stage.break_version(2)
    return Play(stage, stage.start(hooks=told.get("hooks"), **told.get("deployment", {})))


def settings(stage: Stage, group: dict[str, Any]) -> dict[str, Any]:
    """The parameters of the deployment group that a story asks for."""
    alarms = [{"name": name} for name in group.get("alarms", {})]
    found: dict[str, Any] = {
        "deploymentConfigName": group.get("config", LINEAR),
        "blueGreenDeploymentConfiguration": waits(group.get("ready", 0), group.get("termination", 0)),
    }
    if alarms:
        ignore = group.get("ignore", False)
        found["alarmConfiguration"] = {"enabled": True, "alarms": alarms, "ignorePollAlarmFailure": ignore}
    if "rollback" in group:
        found["autoRollbackConfiguration"] = {"enabled": True, "events": group["rollback"]}
    if group.get("test") is False:
        found["loadBalancerInfo"] = stage.without_test_listener()
    return found


def shifted(play: Play, _: None) -> None:
    play.stage.until_event(play.id, "AfterAllowTraffic", "Succeeded")
    assert play.stage.info(play.id)["status"] == "InProgress"


def stop(play: Play, how: list[Any]) -> None:
    rollback, answer = how
    given = {} if rollback is None else {"autoRollbackEnabled": rollback}
    assert play.stage.deploy.stop_deployment(deploymentId=play.id, **given)["status"] == answer


def expect(listener: str) -> Callable[[Play, dict[str, int]], None]:
    def check(play: Play, wanted: dict[str, int]) -> None:
        assert play.stage.weights(getattr(play.stage, listener)) == wanted

    return check


def follow(play: Play, _: None) -> None:
    play.id = play.stage.rollback_of(play.id)


STEPS: dict[str, Callable[[Play, Any], Any]] = {
    "until": lambda play, event: play.stage.until_event(play.id, event),
    "wait": lambda play, seconds: play.stage.wait(seconds),
    "over": lambda play, _: play.stage.until_over(play.id),
    "ready": lambda play, _: play.stage.until_status(play.id, "Ready"),
    "shifted": shifted,
    "terminating": lambda play, _: play.stage.until(lambda: play.stage.kept(play.id).past_stopping),
    "alarm": lambda play, state: play.stage.alarm(state),
    "stop": stop,
    "result": lambda play, status: play.stage.answer(play.id, status),
    "continue": lambda play, kind: play.stage.deploy.continue_deployment(deploymentId=play.id, deploymentWaitType=kind),
    "follow": follow,
    "weights": expect("production"),
    "rule_weights": expect("rule"),
    "scale": lambda play, n: play.stage.client("ecs").update_service(cluster=NAME, service=NAME, desiredCount=n),
    "delete": lambda play, what: play.stage.delete(what),
}


def rollback(play: Play) -> str:
    """How the rollback ended, "none" where there is none."""
    other = play.stage.info(play.id).get("rollbackInfo", {}).get("rollbackDeploymentId")
    return play.stage.info(other)["status"] if other else "none"


SEEN: dict[str, Callable[[Play], Any]] = {
    "status": lambda play: play.stage.info(play.id)["status"],
    "error": lambda play: play.stage.info(play.id)["errorInformation"]["code"],
    "message": lambda play: play.stage.info(play.id)["errorInformation"]["message"],
    "refused": lambda play: play.stage.info(play.id)["rollbackInfo"]["rollbackMessage"].replace(play.id, "{id}"),
    "target": lambda play: play.stage.target(play.id)["status"],
    "count": lambda play: len(play.stage.events(play.id)),
    "rollback": rollback,
    "production": lambda play: play.stage.weights(),
    "test": lambda play: play.stage.weights(play.stage.test),
    "rule": lambda play: play.stage.weights(play.stage.rule),
    "sets": lambda play: play.stage.sets(),
    "notices": lambda play: play.stage.notices(),
    "log": lambda play: play.stage.log(),
}


def stories(folder: str) -> list[Path]:
    """The stories of a folder."""
    return sorted((STORIES / folder).glob("*.yaml"))


def assert_ends_as_told(story: Path) -> None:
    """Plays a story; deployment, rollback, listeners, task sets and notices are then as its file says."""
    told = yaml.safe_load(story.read_text())
    play = begin(told)
    for step in told["steps"]:
        for verb, value in ({step: None} if isinstance(step, str) else step).items():
            STEPS[verb](play, value)
    play.stage.wait(SETTLE)
    wanted = told["wanted"]
    events, diagnostics = wanted.pop("events", {}), wanted.pop("diagnostics", None)
    assert {key: SEEN[key](play) for key in wanted} == wanted
    assert play.stage.events(play.id).items() >= events.items()
    if diagnostics:
        assert diagnostics in [event.get("diagnostics") for event in play.stage.target(play.id)["lifecycleEvents"]]
