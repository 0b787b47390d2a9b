"""What goes in and out of the gateway, by clients in this process."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook_lib.sandbox import Sandbox, Settings, embedded, services
from runbook_lib.sandbox.errors import AwsError, SandboxError, UnknownErrorCode
from runbook_lib.sandbox.gateway import Call

Serve = Callable[..., Any]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Let a service be served by the operations given."""
    real = services.module

    def put(service: str, moto: tuple[str, ...] = (), **operations: Callable[[Call], dict[str, Any]]) -> None:
        made: Any = ModuleType(service)
        made.OPERATIONS, made.MOTO = operations, moto
        monkeypatch.setattr(services, "module", lambda name: made if name == service else real(name))

    return put


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str, int]:
    """Code, message and status of the error that a call answers."""
    with pytest.raises(ClientError) as raised:
        call(**params)
    told = raised.value.response
    return told["Error"]["Code"], told["Error"]["Message"], told["ResponseMetadata"]["HTTPStatusCode"]


def test_a_handler_gets_what_boto3_was_given(fresh: Sandbox, serve: Serve) -> None:
    """Absent keys are absent, and the call says who asks for what, where."""
    seen: list[Call] = []
    serve("codedeploy", ListApplications=lambda call: seen.append(call) or {"applications": ["a"]})
    assert fresh.client("codedeploy").list_applications(nextToken="x")["applications"] == ["a"]
    call = seen[0]
    assert (call.params, call.region, call.account) == ({"nextToken": "x"}, "us-east-1", "123456789012")
    assert call.caller == "arn:aws:iam::123456789012:user/operator"


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("codedeploy", "GetDeployment", "DeploymentDoesNotExistException"),  # JSON
        ("elbv2", "DescribeTargetGroups", "TargetGroupNotFound"),  # query
        ("lambda", "GetFunction", "ResourceNotFoundException"),  # REST with JSON
    ],
)
def test_an_error_reaches_the_caller_in_aws_shape(
    fresh: Sandbox, serve: Serve, service: str, operation: str, code: str
) -> None:
    """Code, message and status arrive in every protocol."""

    def refuse(call: Call) -> dict[str, Any]:
        raise AwsError(code, "it is <not> there", 404)

    serve(service, **{operation: refuse})
    call, params = {
        "GetDeployment": ("get_deployment", {"deploymentId": "d-1"}),
        "DescribeTargetGroups": ("describe_target_groups", {"Names": ["x"]}),
        "GetFunction": ("get_function", {"FunctionName": "f"}),
    }[operation]
    assert refusal(getattr(fresh.client(service), call), **params) == (code, "it is <not> there", 404)


def test_a_code_that_aws_does_not_have_is_a_mistake_of_the_service(fresh: Sandbox, serve: Serve) -> None:
    """It is raised as itself, with the codes that the operation has."""

    def refuse(call: Call) -> dict[str, Any]:
        raise AwsError("NoSuchThing", "x")

    serve("codedeploy", GetDeployment=refuse)
    with pytest.raises(UnknownErrorCode, match=r"NoSuchThing; it has .*DeploymentDoesNotExistException"):
        fresh.client("codedeploy").get_deployment(deploymentId="d-1")


def test_an_answer_that_does_not_fit_the_model_is_a_mistake_of_the_service(fresh: Sandbox, serve: Serve) -> None:
    """A misspelt key would otherwise be dropped in silence."""
    serve("codedeploy", ListApplications=lambda call: {"aplications": []})
    with pytest.raises(SandboxError, match="aplications"):
        fresh.client("codedeploy").list_applications()


def test_a_crash_of_a_service_is_raised_as_itself(fresh: Sandbox, serve: Serve) -> None:
    """A bug is never shown as an answer of AWS."""
    serve("codedeploy", ListApplications=lambda call: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fresh.client("codedeploy").list_applications()


def test_an_operation_that_nobody_serves_is_named(fresh: Sandbox, serve: Serve) -> None:
    """501 with the operation's name, asked for once."""
    serve("codedeploy")
    code, message, status = refusal(fresh.client("codedeploy").list_applications)
    assert (code, status) == ("NotImplemented", 501)
    assert "codedeploy.ListApplications" in message
    assert [call.operation for call in fresh.world.calls] == ["ListApplications"]


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("iam", "generate_service_last_accessed_details", {"Arn": "arn:aws:iam::123456789012:role/x"}),
        ("codestar-notifications", "list_targets", {}),
        ("logs", "start_live_tail", {"logGroupIdentifiers": ["x"]}),
    ],
)
def test_what_moto_lacks_is_named_too(fresh: Sandbox, service: str, operation: str, params: dict[str, Any]) -> None:
    """A missing operation and a missing service both answer 501, in the protocol of the service."""
    code, message, status = refusal(getattr(fresh.client(service), operation), **params)
    assert (code, status) == ("NotImplemented", 501)
    assert message.startswith(f"{service}.")


def test_an_operation_left_to_moto_is_answered_by_moto(fresh: Sandbox, serve: Serve) -> None:
    """Only operations that the module lists."""
    serve("sqs", moto=("CreateQueue",))
    sqs = fresh.client("sqs")
    assert sqs.create_queue(QueueName="q")["QueueUrl"].endswith("/123456789012/q")
    assert refusal(sqs.list_queues)[0] == "NotImplemented"


def test_a_service_can_extend_what_moto_answers(fresh: Sandbox, serve: Serve) -> None:
    """call.moto() gives moto's answer, and its errors as AwsError."""
    serve("sns", CreateTopic=lambda call: {"TopicArn": call.moto()["TopicArn"] + "-x"}, GetTopicAttributes=Call.moto)
    sns = fresh.client("sns")
    assert sns.create_topic(Name="t")["TopicArn"].endswith(":t-x")
    assert refusal(sns.get_topic_attributes, TopicArn="arn:aws:sns:us-east-1:123456789012:no")[0] == "NotFound"


def test_calls_are_recorded_and_those_of_aws_itself_are_not(fresh: Sandbox) -> None:
    """Time, caller, service, operation and error code."""
    fresh.clock.sleep(5)
    fresh.client("s3").list_buckets()
    refusal(fresh.client("iam").get_role, RoleName="nobody")
    fresh.world.client("s3").list_buckets()
    operator = "arn:aws:iam::123456789012:user/operator"
    start = fresh.world.settings.start + 5
    told = [(c.time, c.caller, c.service, c.operation, c.error) for c in fresh.world.calls]
    assert told == [(start, operator, "s3", "ListBuckets", ""), (start, operator, "iam", "GetRole", "NoSuchEntity")]


def test_sts_tells_who_calls(fresh: Sandbox) -> None:
    """The account is the settings', also for a role that was assumed."""
    trust = '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}]}'
    fresh.client("iam").create_role(RoleName="judge", AssumeRolePolicyDocument=trust)
    sts = fresh.client("sts")
    wanted = {"RoleArn": "arn:aws:iam::123456789012:role/judge", "RoleSessionName": "now"}
    assert refusal(sts.assume_role, **wanted)[0] == "AccessDenied"
    fresh.clock.sleep(8)
    assert sts.assume_role(**wanted)["AssumedRoleUser"]["Arn"].endswith(":assumed-role/judge/now")
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/operator"


def test_the_account_of_the_settings_is_used_by_moto() -> None:
    """Another account in the settings shows in every ARN."""
    sandbox = Sandbox.new(Settings(account="000011112222", region="eu-central-1"))
    try:
        assert sandbox.client("sts").get_caller_identity()["Account"] == "000011112222"
        assert sandbox.client("sns").create_topic(Name="t")["TopicArn"] == "arn:aws:sns:eu-central-1:000011112222:t"
    finally:
        sandbox.close()


def test_nothing_of_this_machine_reaches_a_client(fresh: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile, an endpoint or a proxy in the environment changes nothing."""
    for name, value in {"AWS_PROFILE": "missing", "AWS_ENDPOINT_URL": "http://x", "HTTPS_PROXY": "http://y"}.items():
        monkeypatch.setenv(name, value)
    assert fresh.client("kms").list_keys()["Keys"] == []


def test_s3_keeps_objects_and_versions(fresh: Sandbox) -> None:
    """Put, get, list and versions, dated by the world."""
    s3 = fresh.client("s3")
    s3.create_bucket(Bucket="artifacts")
    s3.put_bucket_versioning(Bucket="artifacts", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="artifacts", Key="a/b c.zip", Body=b"1")["VersionId"]
    s3.put_object(Bucket="artifacts", Key="a/b c.zip", Body=b"2")
    assert s3.get_object(Bucket="artifacts", Key="a/b c.zip", VersionId=first)["Body"].read() == b"1"
    assert s3.list_objects_v2(Bucket="artifacts")["Contents"][0]["LastModified"] == fresh.clock.now()
    assert len(s3.list_object_versions(Bucket="artifacts")["Versions"]) == 2


def test_embedded_gives_one_sandbox_a_process() -> None:
    """Equal settings give the same one, others are refused until it is closed."""
    first = embedded(Settings())
    try:
        assert embedded(Settings()) is first
        with pytest.raises(Exception, match="one world a process"):
            embedded(Settings(seed=2))
    finally:
        first.close()
    second = embedded(Settings(seed=2))
    assert second is not first
    second.close()
