"""The validation of a new version, as a Lambda function of CodeDeploy's: asked before production traffic moves.

It looks whether every target of green passes its health check, sends requests to the test listener where its address is
known, counts what failed, and reports Succeeded or Failed.  It must report: CodeDeploy waits for an hour otherwise.  It
is a program of its own that needs nothing but what Lambda brings along.

Environment: PROBE_URL (http://name:port, empty: none), PROBE_PATHS (comma between them), PROBE_REQUESTS, MOST_FAILED
(how many of them may fail), CLUSTER, SERVICE.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any

import boto3

TIMEOUT = 5  # seconds that an answer may take


def handler(event: dict[str, str], context: Any) -> dict[str, Any]:
    """Validate, say what was seen, and report it."""
    problems = []
    try:
        problems = unhealthy(event["DeploymentId"]) + failing()
    except Exception as error:  # noqa: BLE001 - whatever it is: a hook that does not report holds it up for an hour
        problems = [f"the validation broke: {type(error).__name__}: {error}"]
    status = "Failed" if problems else "Succeeded"
    print(json.dumps({"deployment": event["DeploymentId"], "status": status, "problems": problems}))  # noqa: T201
    boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )
    return {"status": status, "problems": problems}


def unhealthy(deployment: str) -> list[str]:
    """What is wrong with green's targets: each must pass its health check, and there must be as many as wanted."""
    ecs = boto3.client("ecs")
    answer = ecs.describe_services(cluster=os.environ["CLUSTER"], services=[os.environ["SERVICE"]])
    sets = [one for one in answer["services"][0].get("taskSets", []) if one.get("externalId") == deployment]
    if not sets:
        return [f"no task set of {deployment}"]
    group = sets[0]["loadBalancers"][0]["targetGroupArn"]
    health = boto3.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    states = [one["TargetHealth"]["State"] for one in health]
    healthy, wanted = states.count("healthy"), sets[0]["computedDesiredCount"]
    return [] if healthy >= wanted else [f"{healthy} of {wanted} targets are healthy: {', '.join(states) or 'none'}"]


def failing() -> list[str]:
    """What is wrong with green's answers: failed ones beyond what is allowed, of so many requests to each path."""
    url, most = os.environ.get("PROBE_URL", ""), int(os.environ.get("MOST_FAILED", "0"))
    many = int(os.environ.get("PROBE_REQUESTS", "20"))
    if not url:
        return []
    found = []
    for path in os.environ.get("PROBE_PATHS", "/").split(","):
        answers = [asked(f"{url}{path}") for _ in range(many)]
        bad = [answer for answer in answers if answer is None or answer >= 500]
        if len(bad) > most:
            told = ", ".join(sorted({str(answer or "no answer") for answer in bad}))
            found.append(f"{path}: {len(bad)} of {many} requests failed ({told}); at most {most} may")
    return found


def asked(url: str) -> int | None:
    """The status of one answer, None for none."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None
