"""What each kind of action does: source, build, approval and the two deployments."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline import artifacts, bluegreen, flow, rolling
from runbook_lib.sandbox.services.codepipeline.store import ActionRun, Execution, Pipeline

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

Begin = Callable[["World", Pipeline, Execution, ActionRun, dict[str, Any]], None]


def begin(world: World, found: Pipeline, run: Execution, made: ActionRun, action: dict[str, Any]) -> None:
    """Begin an action; it ends by an event of its own."""
    kind = action["actionTypeId"]
    _BEGIN[kind["category"], kind["provider"]](world, found, run, made, action)


def _source(world: World, found: Pipeline, run: Execution, made: ActionRun, action: dict[str, Any]) -> None:
    kind = action["actionTypeId"]["provider"]
    output = action["outputArtifacts"][0]["name"]
    world.after(world.settings.pipeline_action_latency, "codepipeline.fetch", run.id, made.id, kind, output)


def fetch(world: World, run_id: str, action_id: str, kind: str, output: str) -> None:
    """A source action fetches what it watches."""
    run, made = flow.action_run(world, run_id, action_id)
    try:
        _FETCH[kind](world, run, made, output)
    except AwsError as refused:
        flow.finish(world, run_id, action_id, status="Failed", error=("ConfigurationError", refused.message))
        return
    flow.finish(world, run_id, action_id)


def _from_codecommit(world: World, run: Execution, made: ActionRun, output: str) -> None:
    from runbook_lib.sandbox.services import codecommit

    name, branch = made.configuration["RepositoryName"], made.configuration["BranchName"]
    commit, message, body = codecommit.archive(world, name, branch)
    url = f"https://{world.settings.region}.console.aws.amazon.com/codesuite/codecommit/repositories/{name}"
    _revise(world, run, made, commit, message.strip(), f"{url}/commit/{commit}")
    made.variables = {
        "RepositoryName": name,
        "BranchName": branch,
        "CommitId": commit,
        "CommitMessage": message.strip(),
    }
    made.outputs[output] = artifacts.put(world, run.pipeline, output, body)


def _from_s3(world: World, run: Execution, made: ActionRun, output: str) -> None:
    bucket, key = made.configuration["S3Bucket"], made.configuration["S3ObjectKey"]
    found = artifacts.get_object(world, bucket, key)
    if found is None:
        text = f"The Amazon S3 object could not be found: {bucket}/{key}"
        raise AwsError("ConfigurationError", text)
    body, version = found
    _revise(world, run, made, version, f"Amazon S3 version id: {version}", None)
    made.variables = {"VersionId": version}
    made.outputs[output] = artifacts.put(world, run.pipeline, output, body)


def _from_ecr(world: World, run: Execution, made: ActionRun, output: str) -> None:
    from runbook_lib.sandbox.services import ecr

    name, tag = made.configuration["RepositoryName"], made.configuration.get("ImageTag", "latest")
    host = f"{world.settings.account}.dkr.ecr.{world.settings.region}.amazonaws.com"
    image = ecr.image(world, f"{host}/{name}:{tag}")
    if image is None:
        raise AwsError("ConfigurationError", f"The image with tag {tag} in the repository {name} could not be found")
    uri = f"{host}/{name}@{image.digest}"
    detail = {"ImageDigest": image.digest, "Version": "1.0", "RepositoryName": name, "ImageURI": uri}
    _revise(world, run, made, image.digest, f"{name}:{tag}", None)
    made.variables = {"RepositoryName": name, "ImageTag": tag, "ImageDigest": image.digest, "ImageURI": uri}
    made.outputs[output] = artifacts.put(world, run.pipeline, output, artifacts.packed({"imageDetail.json": detail}))


def _from_connection(world: World, run: Execution, made: ActionRun, output: str) -> None:
    from runbook_lib.sandbox.services import codeconnections

    arn, name = made.configuration["ConnectionArn"], made.configuration["FullRepositoryId"]
    commit, message, body = codeconnections.archive(world, arn, name, made.configuration["BranchName"])
    _revise(world, run, made, commit, message, None)
    made.variables = {"ConnectionArn": arn, "FullRepositoryName": name, "CommitId": commit, "CommitMessage": message}
    made.outputs[output] = artifacts.put(world, run.pipeline, output, body)


def _revise(world: World, run: Execution, made: ActionRun, revision: str, summary: str, url: str | None) -> None:
    made.external, made.summary = revision, summary or None
    # The model's shortest summary has one letter: a commit without a message has none.
    optional = {"revisionSummary": summary, "revisionUrl": url}
    found = {"actionName": made.name, "revisionId": revision, "created": world.now}
    run.revisions.append(found | {key: value for key, value in optional.items() if value})


def _build(world: World, found: Pipeline, run: Execution, made: ActionRun, action: dict[str, Any]) -> None:
    from runbook_lib.sandbox.services import codebuild

    told = json.loads(made.configuration.get("EnvironmentVariables", "[]"))
    outputs = [one["name"] for one in action.get("outputArtifacts", ())]
    place = artifacts.place(world, run.pipeline, outputs[0]) if outputs else None
    primary = made.configuration.get("PrimarySource") or next(iter(made.inputs))
    try:
        made.external = codebuild.start(
            world,
            project=made.configuration["ProjectName"],
            source=made.inputs[primary],
            environment={one["name"]: flow.resolve(run, one["value"]) for one in told},
            initiator=f"codepipeline/{found.name}",
            on_done=("codepipeline.built", run.id, made.id, outputs[0] if outputs else "", place),
            output=place,
        )
    except AwsError as refused:
        _refuse(world, run, made, refused)


def built(world: World, run_id: str, action_id: str, output: str, place: tuple[str, str] | None, build_id: str) -> None:
    """A build that the pipeline started has ended."""
    from runbook_lib.sandbox.services import codebuild

    _, made = flow.action_run(world, run_id, action_id)
    build = codebuild.build(world, build_id)
    made.variables = {one["name"]: one["value"] for one in build.get("exportedEnvironmentVariables", ())}
    if build["buildStatus"] == "SUCCEEDED":
        if output and place:
            made.outputs[output] = place
        flow.finish(world, run_id, action_id)
        return
    contexts = [c for phase in build["phases"] for c in phase.get("contexts", ()) if c.get("message")]
    reason = contexts[0]["message"] if contexts else ""
    text = f"Build terminated with state: {build['buildStatus']}. {reason}".strip()
    flow.finish(world, run_id, action_id, status="Failed", error=("JobFailed", text))


def _approval(world: World, found: Pipeline, run: Execution, made: ActionRun, action: dict[str, Any]) -> None:
    made.token = world.ids.uuid("approval token")
    topic = made.configuration.get("NotificationArn")
    if topic:
        text = json.dumps({"approval": {"pipelineName": found.name, "actionName": made.name, "token": made.token}})
        world.client("sns").publish(TopicArn=topic, Subject=f"APPROVAL NEEDED: {found.name}", Message=text)
    minutes = action.get("timeoutInMinutes", 7 * 24 * 60)
    world.after(minutes * 60, "codepipeline.approval_expired", run.id, made.id)


def approval_expired(world: World, run_id: str, action_id: str) -> None:
    """Nobody answered in time."""
    flow.finish(world, run_id, action_id, status="Failed", error=("JobFailed", "The approval has expired."))


def _refuse(world: World, run: Execution, made: ActionRun, refused: AwsError) -> None:
    world.after(0, "codepipeline.fail", run.id, made.id, refused.code, refused.message)


def fail(world: World, run_id: str, action_id: str, code: str, message: str) -> None:
    """An action was refused by the service that should do it."""
    flow.finish(world, run_id, action_id, status="Failed", error=(code, message))


_FETCH: dict[str, Callable[[World, Execution, ActionRun, str], None]] = {
    "CodeCommit": _from_codecommit,
    "S3": _from_s3,
    "ECR": _from_ecr,
    "CodeStarSourceConnection": _from_connection,
}
_BEGIN: dict[tuple[str, str], Begin] = {
    **{("Source", kind): _source for kind in ("CodeCommit", "S3", "ECR", "CodeStarSourceConnection")},
    ("Build", "CodeBuild"): _build,
    ("Test", "CodeBuild"): _build,
    ("Approval", "Manual"): _approval,
    ("Deploy", "ECS"): rolling.begin,
    ("Deploy", "CodeDeployToECS"): bluegreen.begin,
}
