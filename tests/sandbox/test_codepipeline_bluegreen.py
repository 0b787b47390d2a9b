"""The blue/green deployment of a pipeline: placeholders, a revision, and CodeDeploy."""

from __future__ import annotations

import json

import codedeploy_stage
import ecs_stage
import pytest
from pipeline_stage import NAME, Stage, action, build, buildspec, furnish, source, stage

OLD, NEW = ecs_stage.IMAGE, "public.ecr.aws/docker/library/httpd:2.6"
BLUE_GREEN = {
    "ApplicationName": NAME,
    "DeploymentGroupName": NAME,
    "TaskDefinitionTemplateArtifact": "Code",
    "AppSpecTemplateArtifact": "Code",
    "Image1ArtifactName": "Code",
    "Image1ContainerName": "IMAGE1_NAME",
}
APPSPEC = """\
version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: <TASK_DEFINITION>
        LoadBalancerInfo: {ContainerName: app, ContainerPort: 8080}
"""


@pytest.fixture
def bluegreen() -> tuple[Stage, codedeploy_stage.Stage]:
    """A service under CodeDeploy with a deployment group that shifts all at once, and what a pipeline needs."""
    deploy = codedeploy_stage.fresh()
    deploy.make_group(deploymentConfigName=codedeploy_stage.ALL_AT_ONCE)
    return Stage(furnish(deploy.world)), deploy


def taskdef(image: str = "<IMAGE1_NAME>", **environment: str) -> str:
    """The file taskdef.json of the repository."""
    role = "arn:aws:iam::123456789012:role/codedeploy"
    told = ecs_stage.definition(role, image, APP_VERSION="2", **environment)
    del told["executionRoleArn"]
    return json.dumps(told)


def release(world: Stage, configuration: dict[str, str] | None = None, **files: str | None) -> str:
    """Runs a pipeline whose source holds all three files; None leaves one out."""
    given: dict[str, str | None] = {
        "taskdef_json": taskdef(),
        "appspec_yaml": APPSPEC,
        "imageDetail_json": json.dumps({"ImageURI": NEW}),
    }
    world.push("release", **{name: text for name, text in (given | files).items() if text is not None})
    deploy = action("Deploy", "CodeDeployToECS", "Code", **BLUE_GREEN | (configuration or {}))
    run = world.create(source(), stage("Deploy", deploy))
    world.settle()
    return run


def external(world: Stage, run: str) -> str:
    """The id of the deployment of a run."""
    found: str = world.actions(run)[-1]["output"]["executionResult"]["externalExecutionId"]
    return found


def test_a_release_replaces_both_placeholders(bluegreen: tuple[Stage, codedeploy_stage.Stage]) -> None:
    """The image's in the task definition, and the new revision's in the AppSpec; then CodeDeploy shifts to it."""
    world, deploy = bluegreen
    run = release(world)
    info = deploy.info(external(world, run))
    ecs = deploy.client("ecs")
    made = ecs.describe_task_definition(taskDefinition=NAME)["taskDefinition"]
    service = ecs.describe_services(cluster=NAME, services=[NAME])["services"][0]
    assert made["containerDefinitions"][0]["image"] == NEW
    assert [one["taskDefinition"] for one in service["taskSets"]] == [made["taskDefinitionArn"]]
    assert (world.status(run), info["status"]) == ("Succeeded", "Succeeded")
    assert deploy.weights() == {"blue": 0, "green": 100}


def test_a_release_is_named_on_both_sides(bluegreen: tuple[Stage, codedeploy_stage.Stage]) -> None:
    """The action has the deployment's id, and the deployment says which run started it."""
    world, deploy = bluegreen
    run = release(world)
    deployment = external(world, run)
    assert deploy.info(deployment)["description"] == f"Pipeline orders execution {run}"
    assert world.action("Deploy", "Deploy")["latestExecution"]["summary"] == f"Deployment {deployment} succeeded"


def test_a_release_of_what_was_built(bluegreen: tuple[Stage, codedeploy_stage.Stage]) -> None:
    """The build writes imageDetail.json and hands over all three files."""
    world, _ = bluegreen
    detail = json.dumps({"ImageURI": NEW})
    world.push(
        "all",
        taskdef_json=taskdef(),
        appspec_yaml=APPSPEC,
        buildspec_yml=buildspec(f"printf '%s' '{detail}' > imageDetail.json"),
    )
    told = {key: "Built" if value == "Code" else value for key, value in BLUE_GREEN.items()}
    run = world.create(source(), build(), stage("Deploy", action("Deploy", "CodeDeployToECS", "Built", **told)))
    world.settle()
    assert world.status(run) == "Succeeded"


def test_an_image_without_a_placeholder_is_deployed_as_it_stands(
    bluegreen: tuple[Stage, codedeploy_stage.Stage],
) -> None:
    """Nothing is swapped, and nobody complains."""
    world, deploy = bluegreen
    run = release(world, taskdef_json=taskdef(OLD))
    made = deploy.client("ecs").describe_task_definition(taskDefinition=NAME)["taskDefinition"]
    assert (world.status(run), made["containerDefinitions"][0]["image"]) == ("Succeeded", OLD)


def test_a_release_is_in_progress_until_blue_is_gone(bluegreen: tuple[Stage, codedeploy_stage.Stage]) -> None:
    """The action waits for the termination of the old task set, and a second run waits before the stage."""
    world, deploy = bluegreen
    deploy.deploy.update_deployment_group(
        applicationName=NAME,
        currentDeploymentGroupName=NAME,
        blueGreenDeploymentConfiguration=codedeploy_stage.waits(termination=30),
    )
    world.push("release", taskdef_json=taskdef(), appspec_yaml=APPSPEC, imageDetail_json=json.dumps({"ImageURI": NEW}))
    run = world.create(source(), stage("Deploy", action("Deploy", "CodeDeployToECS", "Code", **BLUE_GREEN)))
    world.wait(600)
    world.start()
    world.wait(60)
    waiting = world.action("Deploy", "Deploy")["latestExecution"]
    assert deploy.weights() == {"blue": 0, "green": 100}
    assert (waiting["status"], waiting["summary"]) == ("InProgress", f"Deployment {external(world, run)} in progress")
    assert "inboundExecution" in world.state("Deploy")


def test_a_deployment_that_was_rolled_back_is_a_failure(bluegreen: tuple[Stage, codedeploy_stage.Stage]) -> None:
    """Blue serves again; the run has failed all the same."""
    world, deploy = bluegreen
    run = release(world, taskdef_json=taskdef(APP_HEALTH="fail"))
    text = f"Deployment {external(world, run)} failed"
    assert world.error(run) == {"code": "JobFailed", "message": text}
    assert (world.status(run), deploy.weights()) == ("Failed", {"blue": 100, "green": 0})


def test_a_placeholder_that_nobody_replaces_fails_the_deployment(
    bluegreen: tuple[Stage, codedeploy_stage.Stage],
) -> None:
    """The names differ: the revision is registered with the placeholder, and its image cannot be pulled."""
    world, deploy = bluegreen
    run = release(world, {"Image1ContainerName": "OTHER"})
    made = deploy.client("ecs").describe_task_definition(taskDefinition=NAME)["taskDefinition"]
    assert made["containerDefinitions"][0]["image"] == "<IMAGE1_NAME>"
    assert (world.status(run), deploy.weights()) == ("Failed", {"blue": 100, "green": 0})


def test_a_second_deployment_of_a_group_is_refused(bluegreen: tuple[Stage, codedeploy_stage.Stage]) -> None:
    """CodeDeploy takes one at a time; the pipeline fails in its words."""
    world, deploy = bluegreen
    first = deploy.start()
    world.push("release", taskdef_json=taskdef(), appspec_yaml=APPSPEC, imageDetail_json=json.dumps({"ImageURI": NEW}))
    run = world.create(source(), stage("Deploy", action("Deploy", "CodeDeployToECS", "Code", **BLUE_GREEN)))
    world.until_at("Deploy", "Failed")
    assert f"already has an active Deployment '{first}' (Service: AmazonCodeDeploy;" in world.error(run)["message"]
    assert "Error Code: DeploymentLimitExceededException" in world.error(run)["message"]


def test_an_abandoned_deployment_goes_on(bluegreen: tuple[Stage, codedeploy_stage.Stage]) -> None:
    """CodeDeploy ends it as if nothing had happened; the run stays stopped."""
    world, deploy = bluegreen
    world.push("release", taskdef_json=taskdef(), appspec_yaml=APPSPEC, imageDetail_json=json.dumps({"ImageURI": NEW}))
    run = world.create(source(), stage("Deploy", action("Deploy", "CodeDeployToECS", "Code", **BLUE_GREEN)))
    world.until_at("Deploy")
    world.wait(5)
    world.pipe.stop_pipeline_execution(pipelineName=NAME, pipelineExecutionId=run, abandon=True)
    world.settle()
    assert deploy.info(external(world, run))["status"] == "Succeeded"
    assert (world.status(run), world.told(run)[-1][2]) == ("Stopped", "Abandoned")


def test_a_deployment_that_has_not_begun_never_does(bluegreen: tuple[Stage, codedeploy_stage.Stage]) -> None:
    """Abandoned before CodeDeploy was told."""
    world, deploy = bluegreen
    world.push("release", taskdef_json=taskdef(), appspec_yaml=APPSPEC, imageDetail_json=json.dumps({"ImageURI": NEW}))
    run = world.create(source(), stage("Deploy", action("Deploy", "CodeDeployToECS", "Code", **BLUE_GREEN)))
    world.until_at("Deploy")
    world.pipe.stop_pipeline_execution(pipelineName=NAME, pipelineExecutionId=run, abandon=True)
    world.settle()
    assert deploy.deploy.list_deployments(applicationName=NAME, deploymentGroupName=NAME)["deployments"] == []


def test_a_retried_release_makes_a_new_revision_and_a_new_deployment(
    bluegreen: tuple[Stage, codedeploy_stage.Stage],
) -> None:
    """What failed stays as it was."""
    world, _ = bluegreen
    run = release(world, taskdef_json=taskdef(APP_HEALTH="fail"))
    first = external(world, run)
    world.pipe.retry_stage_execution(
        pipelineName=NAME, stageName="Deploy", pipelineExecutionId=run, retryMode="FAILED_ACTIONS"
    )
    world.settle()
    assert external(world, run) != first
    assert [told[2] for told in world.told(run)] == ["Succeeded", "Failed", "Failed"]


TASKDEF = "Exception while trying to read the task definition artifact file from: Code"
APPSPEC_FILE = "Exception while trying to read the AppSpec artifact file from: Code"
DETAIL = "Exception while trying to read the image artifact file from the artifact: Code"
Fault = tuple[dict[str, str], dict[str, str | None], str, str]
FAULTS: dict[str, Fault] = {
    "no_taskdef": ({}, {"taskdef_json": None}, "ConfigurationError", TASKDEF),
    "no_appspec": ({}, {"appspec_yaml": None}, "ConfigurationError", APPSPEC_FILE),
    "no_detail": ({}, {"imageDetail_json": None}, "ConfigurationError", DETAIL),
    "another_path": ({"TaskDefinitionTemplatePath": "deploy/taskdef.json"}, {}, "ConfigurationError", TASKDEF),
    "an_artifact_that_is_no_input": (
        {"AppSpecTemplateArtifact": "Built"},
        {},
        "ConfigurationError",
        "file from: Built",
    ),
    "an_image_of_no_input": ({"Image1ArtifactName": "Built"}, {}, "ConfigurationError", "from the artifact: Built"),
    "a_detail_of_the_rolling_action": (
        {},
        {"imageDetail_json": '[{"imageUri": "x"}]'},
        "ConfigurationError",
        DETAIL,
    ),
    "a_taskdef_that_is_no_json": ({}, {"taskdef_json": "{"}, "ConfigurationError", "is not valid JSON"),
    "a_taskdef_that_is_a_list": ({}, {"taskdef_json": "[]"}, "ConfigurationError", "is not a JSON object"),
    "a_large_artifact": ({}, {"more_txt": "x" * 3 * 1024 * 1024}, "ConfigurationError", TASKDEF),
    "an_appspec_of_nothing": ({}, {"appspec_yaml": "{"}, "JobFailed", "Error Code: InvalidRevisionException"),
    "a_group_of_nobody": ({"DeploymentGroupName": "x"}, {}, "JobFailed", "DeploymentGroupDoesNotExistException"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_what_keeps_a_release_from_beginning(bluegreen: tuple[Stage, codedeploy_stage.Stage], fault: Fault) -> None:
    """The action says what is wrong, and no deployment is made."""
    world, deploy = bluegreen
    configuration, files, code, words = fault
    run = release(world, configuration, **files)
    assert (world.error(run)["code"], words in world.error(run)["message"]) == (code, True)
    assert deploy.deploy.list_deployments(applicationName=NAME, deploymentGroupName=NAME)["deployments"] == []


def test_a_reference_to_a_commit_cannot_be_released(bluegreen: tuple[Stage, codedeploy_stage.Stage]) -> None:
    """CODEBUILD_CLONE_REF is for CodeBuild alone: no deploy action finds a file in it."""
    world, _ = bluegreen
    world.push("all", taskdef_json=taskdef(), appspec_yaml=APPSPEC)
    cloned = source(OutputArtifactFormat="CODEBUILD_CLONE_REF")
    run = world.create(cloned, stage("Deploy", action("Deploy", "CodeDeployToECS", "Code", **BLUE_GREEN)))
    world.settle()
    assert world.error(run) == {"code": "ConfigurationError", "message": TASKDEF}


@pytest.mark.parametrize("body", [b"PK", b"PK\x05\x06" + b"\0" * 18])
def test_a_source_that_is_no_archive_cannot_be_released(
    bluegreen: tuple[Stage, codedeploy_stage.Stage], body: bytes
) -> None:
    """An object that is no ZIP, and a ZIP without a file."""
    world, _ = bluegreen
    s3, told = world.client("s3"), {"S3Bucket": "sources", "S3ObjectKey": "k", "PollForSourceChanges": "false"}
    s3.create_bucket(Bucket="sources")
    s3.put_bucket_versioning(Bucket="sources", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="sources", Key="k", Body=body)
    fetch = stage("Source", action("Fetch", "S3", outputs="Code", **told))
    run = world.create(fetch, stage("Deploy", action("Deploy", "CodeDeployToECS", "Code", **BLUE_GREEN)))
    world.settle()
    assert world.error(run)["message"] == TASKDEF


def test_a_taskdef_that_is_no_text_cannot_be_released(bluegreen: tuple[Stage, codedeploy_stage.Stage]) -> None:
    """It must be UTF-8."""
    world, _ = bluegreen
    git = world.client("codecommit")
    head = git.get_branch(repositoryName=NAME, branchName="main")["branch"]["commitId"]
    git.put_file(
        repositoryName=NAME, branchName="main", filePath="taskdef.json", fileContent=b"\xff\xfe", parentCommitId=head
    )
    run = world.create(source(), stage("Deploy", action("Deploy", "CodeDeployToECS", "Code", **BLUE_GREEN)))
    world.settle()
    assert world.error(run)["message"] == TASKDEF


def test_nothing_is_registered_while_a_file_is_missing(bluegreen: tuple[Stage, codedeploy_stage.Stage]) -> None:
    """Both files are read before the first change."""
    world, deploy = bluegreen
    before = deploy.client("ecs").list_task_definitions()["taskDefinitionArns"]
    release(world, appspec_yaml=None)
    assert deploy.client("ecs").list_task_definitions()["taskDefinitionArns"] == before
