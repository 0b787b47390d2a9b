"""What each API shows in each phase: roles, enums and keys as in tests/cases/codedeploy/phases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import WaiterError
from codedeploy_stage import ALL_AT_ONCE, CANARY, HOOK, NAME, Stage, fresh, refusal, waits

PHASES = Path(__file__).parents[1] / "cases/codedeploy/phases"
KEYS = json.loads((PHASES / "keys.json").read_text())


@pytest.fixture(scope="module")
def second() -> Stage:
    """A canary with a hook on test traffic and a termination wait, in the middle of nowhere yet."""
    stage = fresh()
    stage.make_group(deploymentConfigName=CANARY, blueGreenDeploymentConfiguration=waits(termination=30))
    stage.hook()
    return stage


def seen(stage: Stage, deployment: str) -> dict[str, Any]:
    """The same view as in the case files."""
    info, target = stage.info(deployment), stage.target(deployment)
    service = stage.client("ecs").describe_services(cluster=NAME, services=[NAME])["services"][0]
    return {
        "deployment": {
            "status": info["status"],
            "overview": {key: count for key, count in info["deploymentOverview"].items() if count},
        },
        "target": {
            "status": target["status"],
            "events": stage.events(deployment),
            "taskSets": {one["taskSetLabel"]: [one["status"], one["trafficWeight"]] for one in target["taskSetsInfo"]},
        },
        "production": stage.weights(),
        "test": stage.weights(stage.test),
        "service": {
            "deployments": service["deployments"],
            "taskSets": stage.sets(),
            "loadBalancer": service["loadBalancers"][0]["targetGroupArn"].split("/")[-2],
        },
    }


def case(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PHASES / f"{name}.json").read_text())
    return found


def test_every_phase_shows_what_the_samples_show(second: Stage) -> None:
    """Install, test traffic, canary, shifted and draining, one after the other."""
    deployment = second.start(hooks={"AfterAllowTestTraffic": HOOK})
    second.until_event(deployment, "Install")
    assert seen(second, deployment) == case("1_install")
    second.until_event(deployment, "AfterAllowTestTraffic")
    assert seen(second, deployment) == case("2_test_traffic")
    second.answer(deployment, "Succeeded")
    second.until_event(deployment, "AllowTraffic")
    assert seen(second, deployment) == case("3_canary_10")
    second.until_event(deployment, "AfterAllowTraffic", "Succeeded")
    assert seen(second, deployment) == case("4_shifted_waiting")
    second.deploy.continue_deployment(deploymentId=deployment, deploymentWaitType="TERMINATION_WAIT")
    second.wait(2)
    assert seen(second, deployment) == case("5_blue_draining")


def test_failed_hook_shows_what_the_samples_show() -> None:
    """A hook that failed, seen while the rollback removes green."""
    stage = fresh()
    stage.make_group(deploymentConfigName=CANARY)
    stage.hook()
    deployment = stage.start(hooks={"AfterAllowTestTraffic": HOOK})
    stage.until_event(deployment, "AfterAllowTestTraffic")
    stage.answer(deployment, "Failed")
    stage.until_over(stage.rollback_of(deployment))
    assert seen(stage, deployment) == case("6_rolled_back")


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, Any]]:
    """GetDeployment of a second deployment in several states, by the name of the state."""
    stage = fresh()
    stage.alarm("OK")
    config = {"enabled": True, "alarms": [{"name": "red"}]}
    stage.make_group(
        deploymentConfigName=ALL_AT_ONCE,
        alarmConfiguration=config,
        blueGreenDeploymentConfiguration=waits(ready=5, termination=5),
    )
    found: dict[str, dict[str, Any]] = {}
    for version in (2, 3):
        deployment = stage.start(version)
        stage.until_event(deployment, "Install")
        found["in_progress"] = stage.info(deployment)
        stage.until_status(deployment, "Ready")
        found["ready"] = stage.info(deployment)
        stage.deploy.continue_deployment(deploymentId=deployment, deploymentWaitType="READY_WAIT")
        stage.until_event(deployment, "AfterAllowTraffic", "Succeeded")
        found["waiting_termination"] = stage.info(deployment)
        if version == 3:
            stage.alarm("ALARM")
        stage.until_over(deployment)
        found["succeeded" if version == 2 else "stopped_alarm"] = stage.info(deployment)
    rollback = stage.rollback_of(deployment)
    stage.until_over(rollback)
    return found | {"rollback": stage.info(rollback)}


@pytest.mark.parametrize("name", ["in_progress", "ready", "waiting_termination", "stopped_alarm", "rollback"])
def test_deployment_has_the_keys_of_the_samples(told: dict[str, dict[str, Any]], name: str) -> None:
    """Not a key more or less than in the sample of that state."""
    assert sorted(told[name]) == KEYS[name]


def test_rollback_and_deployment_name_each_other(told: dict[str, dict[str, Any]]) -> None:
    """The stopped deployment names its rollback, and the rollback what it undoes and to which revision."""
    stopped, rollback = told["stopped_alarm"], told["rollback"]
    assert stopped["rollbackInfo"] == {
        "rollbackDeploymentId": rollback["deploymentId"],
        "rollbackMessage": f"Deployment {stopped['deploymentId']} is rolled back by deployment "
        f"{rollback['deploymentId']}",
    }
    assert rollback["rollbackInfo"] == {
        "rollbackTriggeringDeploymentId": stopped["deploymentId"],
        "rollbackMessage": f"Rolling back deployment {stopped['deploymentId']}",
    }
    assert rollback["creator"] == "codeDeployRollback"
    assert rollback["description"] == f"Deployment {rollback['deploymentId']} rolls back {stopped['deploymentId']}"
    assert rollback["revision"] == stopped["previousRevision"] == told["succeeded"]["revision"]


def test_target_has_the_keys_of_the_samples() -> None:
    """The misspelled identifer included; diagnostics only where an event failed."""
    stage = fresh()
    stage.make_group()
    deployment = stage.start(hooks={"BeforeInstall": "nobody"})
    stage.until_over(deployment)
    target = stage.target(deployment)
    failed = target["lifecycleEvents"][0]
    assert sorted(target) == KEYS["target"]
    assert sorted(target["taskSetsInfo"][0]) == KEYS["taskSet"]
    assert sorted(failed["diagnostics"]) == KEYS["diagnostics"]
    assert sorted({*failed} - {"diagnostics"}) == KEYS["event"]


def test_events_on_the_bus_have_the_keys_of_the_samples() -> None:
    """A state change as EventBridge delivers it."""
    stage = fresh()
    stage.make_group(deploymentConfigName=ALL_AT_ONCE)
    deployment = stage.start()
    stage.until_over(deployment)
    stage.wait(2)  # EventBridge delivers a second later
    event = stage.told()[-1]
    assert sorted(event) == KEYS["eventBridge"]
    assert sorted(event["detail"]) == KEYS["eventBridgeDetail"]
    assert (event["detail"]["state"], event["detail"]["deploymentId"]) == ("SUCCESS", deployment)


def test_waiter_of_botocore_ends_with_the_deployment() -> None:
    """deployment_successful accepts Succeeded and gives up on Stopped."""
    stage = fresh()
    stage.make_group(deploymentConfigName=ALL_AT_ONCE)
    waiter = stage.deploy.get_waiter("deployment_successful")
    deployment = stage.start()
    with pytest.raises(WaiterError, match="Max attempts"):
        waiter.wait(deploymentId=deployment, WaiterConfig={"Delay": 0, "MaxAttempts": 2})
    stage.until_over(deployment)
    waiter.wait(deploymentId=deployment, WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    stopped = stage.start(3)
    stage.deploy.stop_deployment(deploymentId=stopped)
    with pytest.raises(WaiterError, match="terminal failure"):
        waiter.wait(deploymentId=stopped, WaiterConfig={"Delay": 0, "MaxAttempts": 2})


def test_targets_are_unknown_until_the_deployment_starts() -> None:
    """While Created there is no target to ask for."""
    stage = fresh()
    stage.make_group()
    deployment = stage.start()
    assert refusal(stage.deploy.list_deployment_targets, deploymentId=deployment)[0] == "DeploymentNotStartedException"
    stage.wait(5)
    assert stage.deploy.list_deployment_targets(deploymentId=deployment)["targetIds"] == [f"{NAME}:{NAME}"]
