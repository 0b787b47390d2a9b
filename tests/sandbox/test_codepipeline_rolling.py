"""The rolling deployment of a pipeline: ECS runs the images that the source names."""

from __future__ import annotations

import json

import ecs_stage
import pytest
from pipeline_stage import NAME, Stage, action, furnish, source, stage

NEW = "public.ecr.aws/docker/library/httpd:2.6"
ROLLING = {"ClusterName": NAME, "ServiceName": NAME}


@pytest.fixture
def rolling() -> tuple[Stage, ecs_stage.Stage]:
    """A service of two tasks with the ECS controller, and what a pipeline needs."""
    ecs = ecs_stage.fresh(whole=True)
    ecs.serve("ECS")
    ecs.settle()
    return Stage(furnish(ecs.world)), ecs


def images(**named: str) -> str:
    return json.dumps([{"name": name, "imageUri": uri} for name, uri in named.items()])


def roll(world: Stage, definitions: str | None = images(app=NEW), **changes: str) -> str:
    """Runs a pipeline whose source holds the image definitions."""
    if definitions is not None:
        world.push("images", imagedefinitions_json=definitions)
    deploy = action("Deploy", "ECS", "Code", **ROLLING | changes)
    run = world.create(source(), stage("Deploy", deploy))
    world.settle()
    return run


def test_a_rolling_deployment_swaps_the_image(rolling: tuple[Stage, ecs_stage.Stage]) -> None:
    """A new revision of what the service runs now; the action ends when the service has settled."""
    world, ecs = rolling
    run = roll(world)
    revision = ecs.shown()["taskDefinition"]
    made = ecs.ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
    assert world.status(run) == "Succeeded"
    assert (made["revision"], made["containerDefinitions"][0]["image"]) == (2, NEW)
    assert {task["taskDefinitionArn"] for task in ecs.tasks()} == {revision}


def test_a_rolling_deployment_is_in_progress_until_the_service_has_settled(
    rolling: tuple[Stage, ecs_stage.Stage],
) -> None:
    """While tasks of the former revision run, the action runs."""
    world, ecs = rolling
    world.push("images", imagedefinitions_json=images(app=NEW))
    world.create(source(), stage("Deploy", action("Deploy", "ECS", "Code", **ROLLING)))
    world.until_at("Deploy")
    world.wait(30)
    assert len(ecs.shown()["deployments"]) == 2
    assert world.told()[-1][2] == "InProgress"


def test_a_revision_registered_meanwhile_is_not_used(rolling: tuple[Stage, ecs_stage.Stage]) -> None:
    """The pipeline starts from what the service runs, not from the newest of the family."""
    world, ecs = rolling
    ecs.define(APP_VERSION="9")
    roll(world)
    made = ecs.ecs.describe_task_definition(taskDefinition=ecs.shown()["taskDefinition"])["taskDefinition"]
    assert made["containerDefinitions"][0]["environment"] == [{"name": "APP_VERSION", "value": "1"}]


MISSING = "Did not find the image definition file imagedefinitions.json in the input artifacts ZIP file."
ROLLING_FAULTS: list[tuple[str | None, dict[str, str], str, str]] = [
    (None, {}, "ConfigurationError", MISSING),
    (images(app=NEW), {"FileName": "images.json"}, "ConfigurationError", "the image definition file images.json"),
    ("{", {}, "ConfigurationError", "The image definition file imagedefinitions.json contains invalid JSON format"),
    ('{"ImageURI": "x"}', {}, "ConfigurationError", "imagedefinitions.json contains invalid JSON format"),
    (images(app=NEW) + " " * 100 * 1024, {}, "ConfigurationError", "is larger than 102400 bytes"),
    (images(web=NEW), {}, "JobFailed", "The container web does not exist in the task definition."),
    (images(app=NEW), {"ServiceName": "nothing"}, "JobFailed", "Error Code: ServiceNotFoundException"),
    (images(app=NEW), {"DeploymentTimeout": "61"}, "ConfigurationError", "DeploymentTimeout '61' is not a number"),
]


@pytest.mark.parametrize(("definitions", "changes", "code", "words"), ROLLING_FAULTS)
def test_what_keeps_a_rolling_deployment_from_beginning(
    rolling: tuple[Stage, ecs_stage.Stage], definitions: str | None, changes: dict[str, str], code: str, words: str
) -> None:
    """The action says what is wrong, and the service runs what it ran."""
    world, ecs = rolling
    run = roll(world, definitions, **changes)
    assert (world.error(run)["code"], words in world.error(run)["message"]) == (code, True)
    assert ecs.shown()["taskDefinition"].endswith(":1")


def test_a_service_of_codedeploy_is_not_rolled() -> None:
    """The rolling action is left behind after the move: ECS refuses it."""
    ecs = ecs_stage.fresh(whole=True)
    ecs.serve()
    ecs.settle()
    world = Stage(furnish(ecs.world))
    run = roll(world)
    assert "on services with a CODE_DEPLOY deployment controller" in world.error(run)["message"]


def test_a_service_that_does_not_settle_fails_the_action_in_time(rolling: tuple[Stage, ecs_stage.Stage]) -> None:
    """DeploymentTimeout is in minutes; the deployment itself goes on."""
    world, ecs = rolling
    ecs.ecs.update_service(cluster=NAME, service=NAME, taskDefinition=ecs.define(APP_HEALTH="fail"))
    world.push("images", imagedefinitions_json=images(app=NEW))
    deploy = action("Deploy", "ECS", "Code", DeploymentTimeout="2", **ROLLING)
    run = world.create(source(), stage("Deploy", deploy))
    world.until_at("Deploy")
    ecs.ecs.update_service(cluster=NAME, service=NAME, taskDefinition=ecs.define(APP_HEALTH="fail"))
    world.wait(140)
    assert world.error(run)["message"] == "The Amazon ECS service did not become stable within the deployment timeout."


def test_a_deployment_that_ecs_gives_up_fails_the_action(rolling: tuple[Stage, ecs_stage.Stage]) -> None:
    """The circuit breaker brings the former revision back; the run has failed all the same."""
    world, ecs = rolling
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    ecs.ecs.update_service(cluster=NAME, service=NAME, deploymentConfiguration=breaker)
    run = roll(world, images(app="public.ecr.aws/docker/library/httpd:<none>"))
    text = "Deployment failed: the Amazon ECS deployment failed and was rolled back."
    assert world.error(run) == {"code": "JobFailed", "message": text}
    assert ecs.shown()["taskDefinition"].endswith(":1")


@pytest.mark.parametrize(("seconds", "revision"), [(0, 1), (30, 2)])
def test_an_abandoned_rolling_deployment(rolling: tuple[Stage, ecs_stage.Stage], seconds: float, revision: int) -> None:
    """What ECS has begun goes on; what it has not been told of is never begun."""
    world, ecs = rolling
    world.push("images", imagedefinitions_json=images(app=NEW))
    run = world.create(source(), stage("Deploy", action("Deploy", "ECS", "Code", **ROLLING)))
    world.until_at("Deploy")
    world.wait(seconds)
    world.pipe.stop_pipeline_execution(pipelineName=NAME, pipelineExecutionId=run, abandon=True)
    world.settle()
    assert ecs.shown()["taskDefinition"].endswith(f":{revision}")
    assert (world.status(run), world.told(run)[-1][2]) == ("Stopped", "Abandoned")


def test_a_reference_to_a_commit_cannot_be_rolled(rolling: tuple[Stage, ecs_stage.Stage]) -> None:
    """CODEBUILD_CLONE_REF is for CodeBuild alone: no deploy action finds a file in it."""
    world, _ = rolling
    world.push("images", imagedefinitions_json=images(app=NEW))
    cloned = source(OutputArtifactFormat="CODEBUILD_CLONE_REF")
    run = world.create(cloned, stage("Deploy", action("Deploy", "ECS", "Code", **ROLLING)))
    world.settle()
    assert MISSING in world.error(run)["message"]
