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


def _at(system: System, path: str) -> str:
    place, mark, anchor = path.partition("#")
    host = HOSTS.get(system.partition, HOSTS["aws"])
    return f"https://{host}/{place}?region={system.region}{mark}{anchor}"
