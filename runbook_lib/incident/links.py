"""Where the console shows a thing; the addresses that AWS's answers carry themselves are preferred."""

from __future__ import annotations

from urllib.parse import quote

from runbook_lib.system import System

# Partitions have consoles of their own (general AWS reference, "Service endpoints and quotas").
HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def deployment(system: System, found: str) -> str:
    return _at(system, f"codesuite/codedeploy/deployments/{found}")


def run(system: System, execution: str) -> str:
    return _at(system, f"codesuite/codepipeline/pipelines/{system.pipeline}/executions/{execution}")


def alarm(system: System, name: str) -> str:
    return _at(system, f"cloudwatch/home#alarmsV2:alarm/{quote(name)}")


def log_group(system: System) -> str:
    return _at(
        system, f"cloudwatch/home#logsV2:log-groups/log-group/{quote(quote(system.log_group, safe=''), safe='')}"
    )


def event(system: System, found: str) -> str:
    return _at(system, f"cloudtrailv2/home#/events/{found}")


def build(system: System, found: str) -> str:
    project = f"codesuite/codebuild/{system.account}/projects/{found.partition(':')[0]}"
    return _at(system, f"{project}/build/{quote(found, safe='')}/")


def service(system: System, name: str) -> str:
    """Its events, its tasks and what scaling did are tabs of one page."""
    return _at(system, f"ecs/v2/clusters/{system.cluster}/services/{name}")


def task(system: System, name: str) -> str:
    """ECS shows a stopped task for an hour."""
    return _at(system, f"ecs/v2/clusters/{system.cluster}/tasks/{name}")


def target_group(system: System, name: str) -> str:
    return _at(system, f"ec2/home#TargetGroups:search={quote(name)}")


def _at(system: System, path: str) -> str:
    place, mark, anchor = path.partition("#")
    host = HOSTS.get(system.partition, HOSTS["aws"])
    return f"https://{host}/{place}?region={system.region}{mark}{anchor}"
