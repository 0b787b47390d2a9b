"""Reads botocore's models before they are needed: where a process is forked many times, once is enough."""

from __future__ import annotations

from runbook_lib.sandbox.clients import load_models

# The services that the runbooks call.
CALLED = (
    "application-autoscaling",
    "cloudwatch",
    "codebuild",
    "codecommit",
    "codedeploy",
    "codepipeline",
    "ec2",
    "ecr",
    "ecs",
    "elbv2",
    "events",
    "iam",
    "logs",
    "s3",
    "service-quotas",
    "ssm",
    "sts",
)


def clients() -> None:
    """Read what is known of the services that the runbooks call."""
    load_models(CALLED)
