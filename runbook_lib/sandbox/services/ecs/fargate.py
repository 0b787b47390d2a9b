"""What Fargate runs: its sizes, and what a task definition must and must not say.

Sources: ECS developer guide, task-cpu-memory-error (the table) and fargate-tasks-services; ECS API reference,
RegisterTaskDefinition and ContainerDefinition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runbook_lib.sandbox.errors import AwsError

GB = 1024
SIZES: Mapping[int, tuple[int, ...]] = {
    256: (512, 1 * GB, 2 * GB),
    512: tuple(range(1 * GB, 4 * GB + 1, GB)),
    1024: tuple(range(2 * GB, 8 * GB + 1, GB)),
    2048: tuple(range(4 * GB, 16 * GB + 1, GB)),
    4096: tuple(range(8 * GB, 30 * GB + 1, GB)),
    8192: tuple(range(16 * GB, 60 * GB + 1, 4 * GB)),
    16384: tuple(range(32 * GB, 120 * GB + 1, 8 * GB)),
    32768: (60 * GB, 120 * GB, 244 * GB),
}
LOG_DRIVERS = ("awslogs", "splunk", "awsfirelens")
AWSLOGS = ("awslogs-group", "awslogs-region", "awslogs-stream-prefix")
STORAGE = (21, 200)  # GiB
LONGEST_STOP = 120  # seconds
ECR = re.compile(r"\d{12}\.dkr\.ecr\.[\w-]+\.amazonaws\.com(\.cn)?/.+")


def units(text: str, kind: str) -> int:
    """CPU units or MiB: "512", "0.5 vCPU" or "1 GB"; raises ClientException."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    factors = {"cpu": {"": 1, "vcpu": 1024}, "memory": {"": 1, "mb": 1, "mib": 1, "gb": GB, "gib": GB}}[kind]
    if not found or found[2].lower() not in factors:
        raise AwsError(
            "ClientException",
            f"Invalid '{kind}' setting for task. For more information, see the "
            "Troubleshooting section of the Amazon ECS Developer Guide.",
        )
    return int(float(found[1]) * factors[found[2].lower()])


def check(definition: Mapping[str, Any]) -> None:
    """Raises ClientException where Fargate refuses a task definition; cpu and memory are numbers in strings already."""
    if definition.get("networkMode") != "awsvpc":
        _refuse("Fargate only supports network mode \u2018awsvpc\u2019.")
    for size in ("cpu", "memory"):
        if not definition.get(size):
            _refuse(f"Fargate requires that '{size}' be defined at the task level.")
    if int(definition["memory"]) not in SIZES.get(int(definition["cpu"]), ()):
        _refuse("No Fargate configuration exists for given values.")
    if definition.get("placementConstraints"):
        _refuse("Placement constraints are not supported when using Fargate.")
    for volume in definition.get("volumes", ()):
        if volume.get("host", {}).get("sourcePath"):
            _refuse("host.sourcePath should not be set for volumes in Fargate.")
    storage = definition.get("ephemeralStorage", {}).get("sizeInGiB", STORAGE[0])
    if not STORAGE[0] <= storage <= STORAGE[1]:
        _refuse(f"Ephemeral storage size must be between {STORAGE[0]} and {STORAGE[1]} GiB; it is {storage}.")
    for container in definition["containerDefinitions"]:
        _check_container(definition, container)


def _check_container(definition: Mapping[str, Any], container: Mapping[str, Any]) -> None:
    name = container["name"]
    if container.get("privileged"):
        _refuse(f"Fargate does not support privileged containers: {name}.")
    if container.get("stopTimeout", 0) > LONGEST_STOP:
        _refuse(
            f"Invalid setting for container '{name}'. stopTimeout can be at most {LONGEST_STOP} seconds on Fargate."
        )
    driver = container.get("logConfiguration", {}).get("logDriver")
    if driver:
        _check_logs(definition, container["logConfiguration"], driver)
    if ECR.fullmatch(container["image"]) and not definition.get("executionRoleArn"):
        _refuse("Fargate requires task definition to have execution role ARN to support ECR images.")


def _check_logs(definition: Mapping[str, Any], configuration: Mapping[str, Any], driver: str) -> None:
    if driver not in LOG_DRIVERS:
        _refuse(f"Fargate only supports the log drivers {', '.join(LOG_DRIVERS)}; {driver} was given.")
    if driver != "awslogs":
        return
    for option in AWSLOGS:
        if not configuration.get("options", {}).get(option):
            _refuse(f"Log driver awslogs requires options: {', '.join(AWSLOGS)}; {option} is missing.")
    if not definition.get("executionRoleArn"):
        _refuse("Fargate requires task definition to have execution role ARN to support log driver awslogs.")


def _refuse(message: str) -> None:
    raise AwsError("ClientException", message)
