"""Lambda hooks: invoked at their lifecycle event, then waited for until somebody reports their result.

Sources: CodeDeploy user guide, reference-appspec-file-structure-hooks and troubleshooting-ecs.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services import lambda_
from runbook_lib.sandbox.services.codedeploy import ending, lookup, progress
from runbook_lib.sandbox.services.codedeploy.failure import Failure
from runbook_lib.sandbox.services.codedeploy.store import Deployment, HookRun

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

SILENCE_SECONDS = 3600.0
FAILED = Failure(
    "HOOK_EXECUTION_FAILURE",
    "The deployment failed because one or more of the lifecycle event validation functions failed.",
)
SILENT = Failure(
    "TIMEOUT",
    "The deployment timed out while waiting for a status callback. CodeDeploy expects a status callback "
    "within one hour after a deployment hook is invoked.",
)


def run(world: World, deployment: Deployment) -> None:
    """Invokes the event's hook; an event without one is over after a second."""
    name = deployment.event.name
    function = deployment.appspec.hooks.get(name) if deployment.appspec else None
    if function is None:
        progress.wait(world, deployment, progress.EVENT_SECONDS, "end")
        return
    denied = deployment.grants.refusal("lambda:InvokeFunction", _arn(world, function))
    if denied:
        ending.fail(world, deployment, denied)
    elif lambda_.find(world, function) is None:
        missing = f"The Lambda function {function} could not be found"
        ending.fail(world, deployment, FAILED, _diagnostics("ScriptMissing", function, missing))
    else:
        deployment.hook = HookRun(name, function, _execution_id(world, deployment))
        _invoke(world, deployment, deployment.hook)
        progress.wait(world, deployment, SILENCE_SECONDS, "hook.silent")


def _invoke(world: World, deployment: Deployment, hook: HookRun) -> None:
    """Asynchronously: what the function returns is nobody's, only what it reports counts."""
    told = {"DeploymentId": deployment.id, "LifecycleEventHookExecutionId": hook.execution_id}
    lambda_.send(world, hook.function, json.dumps(told))


def _arn(world: World, function: str) -> str:
    return function if function.startswith("arn:") else world.arn("lambda", f"function:{function}")


def _execution_id(world: World, deployment: Deployment) -> str:
    token = {"encryptedData": world.ids.hex("lifecycle-hook", 32), "deploymentId": deployment.id}
    return base64.b64encode(json.dumps(token).encode()).decode()


def _diagnostics(code: str, function: str, message: str) -> dict[str, str]:
    return {"errorCode": code, "scriptName": function, "message": message, "logTail": ""}


def silent(world: World, deployment: Deployment) -> None:
    """Step: the hook's hour is over and nobody reported a result."""
    function = deployment.hook.function if deployment.hook else ""
    ending.fail(world, deployment, SILENT, _diagnostics("ScriptTimedOut", function, SILENT.message))


def result(world: World, deployment_id: str, execution_id: str, status: str) -> None:
    """Handler codedeploy.hook_result: takes Succeeded or Failed; a hook that is no longer awaited is ignored."""
    deployment = lookup.store(world).deployments[deployment_id]
    hook = deployment.hook
    if hook is None or hook.execution_id != execution_id:
        return
    deployment.hook = None
    if status == "Succeeded":
        progress.wait(world, deployment, 0.0, "end")
    else:
        diagnostics = _diagnostics("ScriptFailed", hook.function, "The Lambda hook reported Failed")
        ending.fail(world, deployment, FAILED, diagnostics)


def put_status(call: Call) -> dict[str, Any]:
    """PutLifecycleEventHookExecutionStatus."""
    deployment = lookup.deployment(call.world, call.params)
    execution_id, status = call.params.get("lifecycleEventHookExecutionId") or "", call.params.get("status")
    if status not in ("Succeeded", "Failed"):
        raise AwsError(
            "InvalidLifecycleEventHookExecutionStatusException",
            f"The status of a lifecycle event hook must be Succeeded or Failed; it is {status}.",
        )
    if not _issued_for(execution_id, deployment):
        raise AwsError(
            "InvalidLifecycleEventHookExecutionIdException",
            f"The lifecycle event hook execution id {execution_id!r} is not valid for deployment {deployment.id}.",
        )
    if deployment.hook is None or deployment.hook.execution_id != execution_id:
        raise AwsError(
            "LifecycleEventAlreadyCompletedException",
            "An attempt to return the status of an already completed lifecycle event occurred.",
        )
    result(call.world, deployment.id, execution_id, status)
    return {"lifecycleEventHookExecutionId": execution_id}


def _issued_for(execution_id: str, deployment: Deployment) -> bool:
    try:
        token = json.loads(base64.b64decode(execution_id, validate=True))
    except ValueError:
        return False
    return isinstance(token, dict) and token.get("deploymentId") == deployment.id


OPERATIONS = {"PutLifecycleEventHookExecutionStatus": put_status}
