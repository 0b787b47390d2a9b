"""A build does what its role allows and no more: its commands, and CodeBuild itself."""

from __future__ import annotations

import json

import pytest
from codebuild_stage import (
    ACCOUNT,
    COMMIT,
    LOGIN,
    NAME,
    REGISTRY,
    RESULTS,
    S3,
    Stage,
    fresh,
    phases,
    policy,
    reason,
    spec,
)

from runbook_lib.sandbox.settings import Settings

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.fixture
def stage() -> Stage:
    return fresh()


def test_docker_cannot_push_what_the_role_may_not(stage: Stage) -> None:
    """ECR's denial stands in the log, and in the record of calls."""
    stage.deny("ecr")
    build = stage.built(LOGIN, f"docker build -q -t {REGISTRY}:v .", f"docker push {REGISTRY}:v")
    words = "\n".join(stage.output(build))
    assert "Login Succeeded" in words
    assert "denied: User: arn:aws:sts::123456789012:assumed-role/build/AWSCodeBuild-" in words
    action = "ecr:BatchCheckLayerAvailability"
    resource = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{NAME}"
    assert f"is not authorized to perform: {action} on resource: {resource} because no identity-based policy" in words
    assert stage.calls()[-1] == ("ecr", "BatchCheckLayerAvailability", "AccessDeniedException")


def test_without_a_token_there_is_no_login(stage: Stage) -> None:
    """The right to the token is one on everything."""
    stage.deny("token")
    build = stage.built(LOGIN)
    words = "\n".join(stage.output(build))
    assert "calling the GetAuthorizationToken operation: User: " in words
    assert "Cannot perform an interactive login" in words
    assert phases(build)["BUILD"] == "FAILED"


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("aws ecs list-clusters", ("ecs", "ListClusters", "AccessDeniedException")),
        (f"aws s3 cp s3://{RESULTS}/x -", ("s3", "HeadObject", "AccessDenied")),
        ("aws s3api put-object --bucket elsewhere --key k", ("s3", "PutObject", "AccessDenied")),
        ("aws s3api list-buckets", ("s3", "ListBuckets", "AccessDenied")),
        ("aws ssm get-parameter --name /others/p", ("ssm", "GetParameter", "AccessDeniedException")),
        ("aws elbv2 describe-load-balancers", ("elbv2", "DescribeLoadBalancers", "AccessDenied")),
        ("aws ec2 describe-vpcs", ("ec2", "DescribeVpcs", "AccessDenied")),
        ("aws iam list-roles", ("iam", "ListRoles", "AccessDenied")),
    ],
)
def test_the_cli_is_denied_what_the_role_may_not(stage: Stage, command: str, error: tuple[str, str, str]) -> None:
    """In the protocol of each service."""
    if "HeadObject" in error:
        stage.deny("s3")
    build = stage.tried(command)
    assert phases(build)["BUILD"] == "FAILED"
    assert stage.calls()[-1] == error
    assert "AccessDenied" in "\n".join(stage.output(build)) or "403" in "\n".join(stage.output(build))


def test_an_explicit_denial_wins(stage: Stage) -> None:
    """Over whatever is allowed."""
    denial = {"Effect": "Deny", "Action": "ecr:PutImage", "Resource": "*"}
    stage.allow(EVERYTHING, denial)
    build = stage.built(LOGIN, f"docker build -q -t {REGISTRY}:v .", f"docker push {REGISTRY}:v")
    assert "not authorized to perform: ecr:PutImage" in "\n".join(stage.output(build))
    assert stage.images() == {}


def test_a_world_without_realism_asks_nobody(stage: Stage) -> None:
    """What hurts on a real account can be turned off."""
    stage.allow({"Effect": "Allow", "Action": "sts:TagSession", "Resource": "*"})
    stage.world.settings = Settings(realism=False)
    stage.succeeded(stage.built(LOGIN, f"docker build -q -t {REGISTRY}:v .", f"docker push {REGISTRY}:v"))
    assert list(stage.images()) == ["v"]


@pytest.mark.parametrize(
    ("service", "phase", "code", "words"),
    [
        (
            "logs",
            "PROVISIONING",
            "ACCESS_DENIED",
            "does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams for build arn:aws:codebuild:",
        ),
        ("s3", "DOWNLOAD_SOURCE", "CLIENT_ERROR", "AccessDenied: Access Denied status code: 403 for primary source"),
        (
            "ssm",
            "DOWNLOAD_SOURCE",
            "Decrypted Variables Error",
            "not authorized to perform: ssm:GetParameters on resource:",
        ),
        (
            "secretsmanager",
            "DOWNLOAD_SOURCE",
            "Secrets Manager Error",
            "not authorized to perform: secretsmanager:GetSecretValue on resource:",
        ),
    ],
)
def test_codebuild_itself_does_what_the_role_allows(
    stage: Stage, service: str, phase: str, code: str, words: str
) -> None:
    """Logs, sources and secrets are reached with the role of the project."""
    stage.world.client("ssm").put_parameter(Name="/orders/p", Value="p", Type="String")
    stage.world.client("secretsmanager").create_secret(Name="orders-s", SecretString="s")
    stage.deny(service)
    env = {"parameter-store": {"P": "/orders/p"}, "secrets-manager": {"S": "orders-s"}}
    build = stage.built("true", env=env)
    assert phases(build)[phase] == "FAILED"
    told = reason(build, phase)
    assert (told[0], words in told[1]) == (code, True), told


def test_a_commit_and_an_artifact_need_the_role_too(stage: Stage) -> None:
    """GitPull for the one, PutObject for the other."""
    stage.push(buildspec__yml=spec("touch x", artifacts={"files": ["x"]}))
    stage.create(source={"type": "CODECOMMIT", "location": COMMIT}, artifacts=S3)
    stage.deny("s3")
    assert reason(stage.run(), "UPLOAD_ARTIFACTS") == (
        "CLIENT_ERROR",
        "Error in UPLOAD_ARTIFACTS phase: [AccessDenied: Access Denied status code: 403]",
    )
    stage.deny("codecommit")
    assert reason(stage.run(), "DOWNLOAD_SOURCE")[1].startswith("authorization failed for primary source")


def test_the_policy_of_the_samples_is_enough(stage: Stage) -> None:
    """Nothing that a build of the seed does needs more than that."""
    assert "PutImage" in json.dumps(policy())
    stage.succeeded(stage.built(LOGIN, f"docker build -q -t {REGISTRY}:v .", f"docker push {REGISTRY}:v"))
    assert [error for *_, error in stage.calls() if error] == []
