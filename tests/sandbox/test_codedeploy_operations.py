"""What an operator asks of CodeDeploy beside the plain way, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from codedeploy_stage import ALL_AT_ONCE, HOOK, NAME, Stage, fresh, refusal, waits

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services import codedeploy, elbv2

GROUP = {"applicationName": NAME, "deploymentGroupName": NAME}


@pytest.fixture
def stage() -> Stage:
    """A stage with a group that shifts all at once."""
    made = fresh()
    made.make_group(deploymentConfigName=ALL_AT_ONCE)
    return made


def content(text: str) -> dict[str, Any]:
    return {"revisionType": "AppSpecContent", "appSpecContent": {"content": text}}


def in_s3(stage: Stage, body: bytes, bundle: str) -> dict[str, Any]:
    """A revision of that body in a bucket."""
    s3 = stage.client("s3")
    s3.create_bucket(Bucket="revisions")
    s3.put_object(Bucket="revisions", Key="appspec", Body=body)
    return {"revisionType": "S3", "s3Location": {"bucket": "revisions", "key": "appspec", "bundleType": bundle}}


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return buffer.getvalue()


# ---- creating


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"revision": None}, "RevisionRequiredException", "RevisionLocation must be specified"),
        (
            {"revision": content("Resources: [")},
            "InvalidRevisionException",
            "The AppSpec file must be valid JSON or YAML. The input AppSpec file is a not well-formed yaml.",
        ),
        ({"revision": {"revisionType": "GitHub"}}, "InvalidRevisionException", "S3 or AppSpecContent"),
        ({"deploymentGroupName": "other"}, "DeploymentGroupDoesNotExistException", "other"),
        ({"deploymentConfigName": "Fast"}, "DeploymentConfigDoesNotExistException", "Fast"),
        ({"deploymentConfigName": "CodeDeployDefault.AllAtOnce"}, "InvalidDeploymentConfigNameException", "Server"),
        ({"description": "x" * 257}, "DescriptionTooLongException", "257"),
        (
            {"fileExistsBehavior": "OVERWRITE"},
            "InvalidFileExistsBehaviorException",
            "fileExistsBehavior can not be specified",
        ),
        (
            {"autoRollbackConfiguration": {"enabled": True}},
            "InvalidAutoRollbackConfigException",
            "no event types were listed",
        ),
    ],
)
def test_bad_deployment_is_refused(stage: Stage, changes: dict[str, Any], code: str, words: str) -> None:
    """A call that CodeDeploy refuses makes no deployment."""
    params = {**GROUP, "revision": content(stage.appspec(2)), **changes}
    given = {key: value for key, value in params.items() if value is not None}
    refused, message = refusal(stage.deploy.create_deployment, **given)
    assert (refused, words in message) == (code, True), message
    assert stage.deploy.list_deployments()["deployments"] == []


def test_second_deployment_is_refused_with_the_id_of_the_first(stage: Stage) -> None:
    """One deployment a group; the message carries the active one's id, its rollback's too."""
    first = stage.start()
    code, message = refusal(stage.start)
    assert code == "DeploymentLimitExceededException"
    assert message == f"The Deployment Group '{NAME}' already has an active Deployment '{first}'"
    stage.until_event(first, "Install")
    stage.deploy.stop_deployment(deploymentId=first, autoRollbackEnabled=True)
    stage.until_over(first)
    assert stage.rollback_of(first) in refusal(stage.start)[1]


def test_deployment_can_override_configuration_alarms_and_rollback(stage: Stage) -> None:
    """What the call names holds for this deployment, and GetDeployment shows it."""
    override = {"enabled": False, "alarms": []}
    rollback = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    config = "CodeDeployDefault.ECSCanary10Percent5Minutes"
    info = stage.info(
        stage.start(
            deploymentConfigName=config,
            overrideAlarmConfiguration=override,
            autoRollbackConfiguration=rollback,
            description="fix forward",
        )
    )
    assert (info["deploymentConfigName"], info["description"]) == (config, "fix forward")
    assert (info["overrideAlarmConfiguration"], info["autoRollbackConfiguration"]) == (override, rollback)


def test_appspec_in_s3_is_deployed(stage: Stage) -> None:
    """A YAML object, and a zip that holds one."""
    deployment = stage.start(revision=in_s3(stage, zipped(appspec_yaml=stage.appspec(2)), "zip"))
    assert stage.until_over(deployment) == "Succeeded"
    assert stage.info(deployment)["revision"]["s3Location"]["key"] == "appspec"


def test_archive_without_an_appspec_fails_the_deployment(stage: Stage) -> None:
    """The file has another name than CodeDeploy looks for."""
    deployment = stage.start(revision=in_s3(stage, zipped(app_yml="x"), "zip"))
    assert stage.until_over(deployment) == "Failed"
    assert stage.info(deployment)["errorInformation"] == {
        "code": "INVALID_REVISION",
        "message": "An AppSpec file is required, but could not be found in the revision",
    }


def test_revision_that_vanished_fails_the_deployment(stage: Stage) -> None:
    """Deleted between creation and start."""
    deployment = stage.start(revision=in_s3(stage, b"", "YAML"))
    stage.client("s3").delete_object(Bucket="revisions", Key="appspec")
    assert stage.until_over(deployment) == "Failed"
    assert stage.info(deployment)["errorInformation"]["code"] == "REVISION_MISSING"


def test_container_that_the_task_definition_lacks_fails_the_deployment(stage: Stage) -> None:
    """ECS refuses the task set; the deployment fails in Install and is rolled back."""
    text = stage.appspec(2).replace('"app"', '"web"')
    deployment = stage.start(revision=content(text))
    assert stage.until_over(deployment) == "Failed"
    error = stage.info(deployment)["errorInformation"]
    assert error["code"] == "ECS_UPDATE_ERROR"
    assert "The container web does not exist in the task definition." in error["message"]
    assert stage.events(deployment)["Install"] == "Failed"


def test_past_revision_is_deployed_again_by_its_sha256(stage: Stage) -> None:
    """After blue is gone going back is a whole deployment of the old revision, on the other target group."""
    first = stage.start(1)
    assert stage.until_over(first) == "Succeeded"
    assert stage.until_over(stage.start(2)) == "Succeeded"
    stage.wait(120)
    digest = hashlib.sha256(stage.appspec(1).encode()).hexdigest()
    again = stage.start(revision={"revisionType": "AppSpecContent", "appSpecContent": {"sha256": digest}})
    assert stage.until_over(again) == "Succeeded"
    assert stage.info(again)["creator"] == "user"
    assert stage.weights() == {"blue": 0, "green": 100}
    service = stage.client("ecs").describe_services(cluster=NAME, services=[NAME])["services"][0]
    assert service["taskDefinition"] == stage.definitions[0]


def test_creator_of_a_pipeline_is_told_of_the_end(stage: Stage) -> None:
    """create() is what CodePipeline calls; its handler gets the id and the status appended."""
    made = codedeploy.create(
        stage.world, application=NAME, group=NAME, appspec=stage.appspec(2), on_done=("sts.told", "x", 1)
    )
    stage.deploy.stop_deployment(deploymentId=made)
    due = [(handler, args) for _, _, handler, args, _ in stage.world._heap if handler == "sts.told"]
    assert due == [("sts.told", ("x", 1, made, "Stopped"))]


def test_create_raises_what_the_call_raises(stage: Stage) -> None:
    """A bad AppSpec of a pipeline is refused like that of a user."""
    with pytest.raises(AwsError, match="InvalidRevisionException"):
        codedeploy.create(stage.world, application=NAME, group=NAME, appspec="version: 0.0")


# ---- the trap of all-at-once, and what a stopped deployment leaves behind


def test_all_at_once_cannot_see_that_a_first_green_is_broken() -> None:
    """A group behind no listener is not checked: Install passes, and production goes down while all seems well."""
    stage = fresh()
    for listener in (stage.production, stage.test):
        stage.point(listener, {"blue": 1})
    stage.make_group(deploymentConfigName=ALL_AT_ONCE, loadBalancerInfo=stage.without_test_listener())
    stage.break_version(2)
    deployment = stage.start(2)
    assert stage.until_over(deployment) == "Succeeded"
    stage.wait(120)
    states = {elbv2.target_state(stage.world, stage.green, ip=one.id, port=one.port) for one in stage.targets("green")}
    assert "healthy" not in states


def test_all_at_once_sees_it_when_the_idle_group_stands_behind_the_listener() -> None:
    """Since the idle group stays at weight 0, the same broken version is caught in Install."""
    stage = fresh()
    stage.make_group(deploymentConfigName=ALL_AT_ONCE)
    stage.break_version(2)
    deployment = stage.start(2)
    stage.wait(600)
    assert stage.events(deployment)["Install"] == "InProgress"


def test_next_deployment_removes_what_a_stopped_one_left() -> None:
    """Both task sets and a share of the traffic stay after a stop without rollback, until the next deployment."""
    stage = fresh()
    stage.make_group()
    first = stage.start(2)
    stage.until_event(first, "AllowTraffic")
    stage.deploy.stop_deployment(deploymentId=first, autoRollbackEnabled=False)
    stage.until_over(first)
    assert stage.weights() == {"blue": 90, "green": 10}
    stage.point(stage.test, {"blue": 100, "green": 0})
    second = stage.start(3)
    stage.until_event(second, "Install")
    assert stage.weights() == {"blue": 100, "green": 0}
    assert stage.until_over(second) == "Succeeded"
    stage.wait(120)
    assert stage.sets() == {"green": "PRIMARY"}


# ---- listing


def test_deployments_are_listed_newest_first_and_filtered(stage: Stage) -> None:
    """By group, status and time of creation; an application alone is refused."""
    first = stage.start()
    stage.deploy.stop_deployment(deploymentId=first)
    stage.wait(60)
    second = stage.start()
    listed = stage.deploy.list_deployments
    assert listed()["deployments"] == listed(**GROUP)["deployments"] == [second, first]
    assert listed(includeOnlyStatuses=["Stopped"])["deployments"] == [first]
    since = stage.world.datetime() - timedelta(seconds=30)
    assert listed(createTimeRange={"start": since})["deployments"] == [second]
    assert refusal(listed, applicationName=NAME)[0] == "DeploymentGroupNameRequiredException"
    assert refusal(listed, deploymentGroupName=NAME)[0] == "ApplicationNameRequiredException"
    assert refusal(listed, includeOnlyStatuses=["Done"])[0] == "InvalidDeploymentStatusException"
    found = stage.deploy.batch_get_deployments(deploymentIds=[first, "d-NOTHINGXX"])["deploymentsInfo"]
    assert [info["deploymentId"] for info in found] == [first]


def test_unknown_deployments_and_targets_are_refused(stage: Stage) -> None:
    """A malformed id, an unknown one, and a target of somebody else."""
    deployment = stage.start()
    stage.wait(10)
    get, target = stage.deploy.get_deployment, stage.deploy.get_deployment_target
    assert refusal(get, deploymentId="x")[0] == "InvalidDeploymentIdException"
    assert refusal(get, deploymentId="d-NOTHINGXX")[0] == "DeploymentDoesNotExistException"
    assert refusal(target, deploymentId=deployment, targetId="a:b")[0] == "DeploymentTargetDoesNotExistException"
    found = stage.deploy.list_deployment_targets
    assert found(deploymentId=deployment, targetFilters={"TargetStatus": ["Failed"]})["targetIds"] == []


# ---- hooks, waits and stops


def test_result_of_a_hook_is_taken_once_and_checked(stage: Stage) -> None:
    """Wrong statuses, foreign ids and late answers are refused."""
    stage.hook()
    deployment = stage.start(hooks={"BeforeInstall": HOOK})
    stage.until_event(deployment, "BeforeInstall")
    waiting = stage.kept(deployment).hook
    assert waiting is not None
    put = stage.deploy.put_lifecycle_event_hook_execution_status
    given = {"deploymentId": deployment, "lifecycleEventHookExecutionId": waiting.execution_id}
    assert refusal(put, **given, status="Skipped")[0] == "InvalidLifecycleEventHookExecutionStatusException"
    foreign = given | {"lifecycleEventHookExecutionId": "bm9uc2Vuc2U=", "status": "Succeeded"}
    assert refusal(put, **foreign)[0] == "InvalidLifecycleEventHookExecutionIdException"
    assert put(**given, status="Succeeded")["lifecycleEventHookExecutionId"] == waiting.execution_id
    assert refusal(put, **given, status="Failed")[0] == "LifecycleEventAlreadyCompletedException"


def test_waits_are_continued_only_while_they_last() -> None:
    """Too early, the wrong kind, and too late."""
    stage = fresh()
    stage.make_group(deploymentConfigName=ALL_AT_ONCE, blueGreenDeploymentConfiguration=waits(termination=5))
    deployment = stage.start()
    go_on = stage.deploy.continue_deployment
    assert refusal(go_on, deploymentId=deployment)[0] == "DeploymentIsNotInReadyStateException"
    assert refusal(go_on, deploymentId=deployment, deploymentWaitType="X")[0] == "InvalidDeploymentWaitTypeException"
    skip = stage.deploy.skip_wait_time_for_instance_termination
    assert refusal(skip, deploymentId=deployment)[0] == "DeploymentNotStartedException"
    stage.until_event(deployment, "AfterAllowTraffic", "Succeeded")
    began = stage.world.now
    skip(deploymentId=deployment)
    stage.until_over(deployment)
    assert stage.world.now - began < 60
    assert refusal(go_on, deploymentId=deployment)[0] == "DeploymentAlreadyCompletedException"


def test_stop_answers_pending_then_succeeded_then_is_refused(stage: Stage) -> None:
    """While something runs the answer is Pending; once it is stopped, Succeeded; a finished deployment refuses."""
    deployment = stage.start()
    stage.until_event(deployment, "Install")
    stop = stage.deploy.stop_deployment
    assert stop(deploymentId=deployment, autoRollbackEnabled=False)["status"] == "Pending"
    stage.until_over(deployment)
    assert stop(deploymentId=deployment)["status"] == "Succeeded"
    done = stage.start(3)
    assert stage.until_over(done) == "Succeeded"
    assert refusal(stop, deploymentId=done)[0] == "DeploymentAlreadyCompletedException"


def test_topics_get_the_notices_that_they_asked_for() -> None:
    """A trigger on success and rollback hears nothing of the start; the message has the documented form."""
    stage = fresh()
    topic = stage.client("sns").create_topic(Name="CodeDeployTopic_orders")["TopicArn"]
    queue = stage.client("sqs").create_queue(QueueName="topic")["QueueUrl"]
    stage.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=stage.world.arn("sqs", "topic"))
    trigger = {"triggerName": "t", "triggerTargetArn": topic, "triggerEvents": ["DeploymentSuccess"]}
    stage.make_group(deploymentConfigName=ALL_AT_ONCE, triggerConfigurations=[trigger])
    deployment = stage.start()
    stage.until_over(deployment)
    got = stage.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    message = json.loads(json.loads(got[0]["Body"])["Message"])
    assert len(got) == 1
    assert (message["deploymentId"], message["status"], message["eventTriggerName"]) == (deployment, "Succeeded", "t")


def test_a_topic_that_the_role_may_not_publish_to_hears_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The deployment goes on all the same."""
    stage = fresh()
    topic = stage.client("sns").create_topic(Name="orders")["TopicArn"]
    trigger = {"triggerName": "t", "triggerTargetArn": topic, "triggerEvents": ["DeploymentStart"]}
    role = stage.limited_role(["ecs", "elasticloadbalancing", "cloudwatch", "iam"])
    stage.make_group(deploymentConfigName=ALL_AT_ONCE, triggerConfigurations=[trigger], serviceRoleArn=role)
    assert stage.until_over(stage.start()) == "Succeeded"
    assert f"does not allow sns:Publish on {topic}" in caplog.text


def test_application_renamed_in_mid_deployment_keeps_it(stage: Stage) -> None:
    """A new name moves the running deployment along."""
    deployment = stage.start()
    stage.deploy.update_application(applicationName=NAME, newApplicationName="shop")
    assert stage.until_over(deployment) == "Succeeded"
    assert stage.info(deployment)["applicationName"] == "shop"
