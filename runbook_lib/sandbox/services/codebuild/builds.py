"""Builds: started, looked at, stopped and started again (CodeBuild API reference, StartBuild and BatchGetBuilds)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codebuild import artifacts, flow, logs, lookup, project_rules, projects
from runbook_lib.sandbox.services.codebuild.store import PIPELINE, Build, Phase, Plan, Token

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

TOKEN_LIFE = 300  # CodeBuild API reference, StartBuild: idempotencyToken
BATCH = 100
WITHOUT_CONTEXT = ("SUBMITTED", "QUEUED")  # as the example of `aws codebuild batch-get-builds` shows them
# parameter of StartBuild -> where it goes in the project's settings
OVERRIDES: Mapping[str, tuple[str, ...]] = {
    "artifactsOverride": ("artifacts",),
    "buildStatusConfigOverride": ("source", "buildStatusConfig"),
    "buildspecOverride": ("source", "buildspec"),
    "cacheOverride": ("cache",),
    "certificateOverride": ("environment", "certificate"),
    "computeTypeOverride": ("environment", "computeType"),
    "encryptionKeyOverride": ("encryptionKey",),
    "environmentTypeOverride": ("environment", "type"),
    "gitCloneDepthOverride": ("source", "gitCloneDepth"),
    "gitSubmodulesConfigOverride": ("source", "gitSubmodulesConfig"),
    "imageOverride": ("environment", "image"),
    "imagePullCredentialsTypeOverride": ("environment", "imagePullCredentialsType"),
    "insecureSslOverride": ("source", "insecureSsl"),
    "logsConfigOverride": ("logsConfig",),
    "privilegedModeOverride": ("environment", "privilegedMode"),
    "queuedTimeoutInMinutesOverride": ("queuedTimeoutInMinutes",),
    "registryCredentialOverride": ("environment", "registryCredential"),
    "reportBuildStatusOverride": ("source", "reportBuildStatus"),
    "secondaryArtifactsOverride": ("secondaryArtifacts",),
    "secondarySourcesOverride": ("secondarySources",),
    "secondarySourcesVersionOverride": ("secondarySourceVersions",),
    "serviceRoleOverride": ("serviceRole",),
    "sourceAuthOverride": ("source", "auth"),
    "sourceLocationOverride": ("source", "location"),
    "sourceTypeOverride": ("source", "type"),
    "timeoutInMinutesOverride": ("timeoutInMinutes",),
}


def start(call: Call) -> dict[str, Any]:
    """StartBuild; a project of a pipeline needs another source and other artifacts for it."""
    return {"build": shown(call.world, _once(call, _start))}


def _start(call: Call) -> Build:
    found = lookup.project(call.world, call.params["projectName"])
    settings = copy.deepcopy(found.settings)
    for parameter, path in OVERRIDES.items():
        if parameter in call.params:
            _set(settings, path, call.params[parameter])
    settings["environment"] = with_variables(
        settings["environment"], call.params.get("environmentVariablesOverride", [])
    )
    project_rules.check(settings)
    if settings["source"]["type"] == PIPELINE:
        raise lookup.invalid(
            f"Project {found.name} has CODEPIPELINE as its source: builds of it are started by CodePipeline, or with a "
            "source and artifacts that override it"
        )
    plan = Plan(found.name, settings, call.params.get("sourceVersion", settings.get("sourceVersion")), None)
    return begin(call.world, plan, initiator=_initiator(call.caller))


def begin(world: World, plan: Plan, *, initiator: str, on_done: tuple[Any, ...] = ()) -> Build:
    """Make a build and let it go its way."""
    store = lookup.store(world)
    project = store.projects[plan.project]
    limit = plan.settings.get("concurrentBuildLimit")
    running = sum(not each.over for each in store.builds.values() if each.plan.project == plan.project)
    if limit is not None and running >= limit:
        raise AwsError(
            "AccountLimitExceededException", f"Cannot have more than {limit} builds in queue for the project"
        )
    project.builds += 1
    build = Build(
        id=f"{plan.project}:{world.ids.uuid('build')}",
        number=project.builds,
        plan=plan,
        initiator=initiator,
        started=world.now,
        on_done=on_done,
    )
    store.builds[build.id] = build
    flow.begin(world, build)
    return build


def with_variables(environment: dict[str, Any], added: list[dict[str, Any]]) -> dict[str, Any]:
    """An environment with some variables more; of two with one name the added one counts."""
    variables = {each["name"]: each for each in [*environment.get("environmentVariables", ()), *added]}
    return {**environment, "environmentVariables": list(variables.values())}


def _set(settings: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *outer, last = path
    for key in outer:
        settings = settings.setdefault(key, {})
    settings[last] = value


def _initiator(caller: str) -> str:
    return caller.partition(":assumed-role/")[2] or caller.rpartition(":user/")[2] or caller.rpartition(":")[2]


def _once(call: Call, make: Callable[[Call], Build]) -> Build:
    """The build that was made for the call's token before, or a new one."""
    store, token = lookup.store(call.world), call.params.get("idempotencyToken")
    known = store.tokens.get(token) if token else None
    if known is not None and call.world.now - known.made < TOKEN_LIFE and known.build in store.builds:
        if known.params != call.params:
            raise lookup.invalid("The idempotency token was given before, with other parameters")
        return store.builds[known.build]
    build = make(call)
    if token:
        store.tokens[token] = Token(call.world.now, build.id, call.params)
    return build


def retry(call: Call) -> dict[str, Any]:
    """RetryBuild: the same again, as it was asked for then."""
    return {"build": shown(call.world, _once(call, _retry))}


def _retry(call: Call) -> Build:
    if "id" not in call.params:
        raise lookup.invalid("The id of the build to retry is required")
    former = lookup.build(call.world, call.params["id"])
    if former.plan.order is not None:
        raise lookup.invalid("A build that CodePipeline started is retried by retrying the stage of the pipeline")
    lookup.project(call.world, former.plan.project)
    return begin(call.world, former.plan, initiator=_initiator(call.caller))


def stop(call: Call) -> dict[str, Any]:
    """StopBuild."""
    build = lookup.build(call.world, call.params["id"])
    flow.stop(call.world, build)
    return {"build": shown(call.world, build)}


def batch_get(call: Call) -> dict[str, Any]:
    """BatchGetBuilds by id or ARN."""
    wanted = call.params["ids"]
    if len(wanted) > BATCH:
        raise lookup.invalid(f"Invalid input: at most {BATCH} build ids can be asked for at once")
    known = lookup.store(call.world).builds
    ids = {each: each.rpartition("build/")[2] for each in wanted}
    return {
        "builds": [shown(call.world, known[id]) for id in ids.values() if id in known],
        # The model wants at least one id here, so the gateway lets no empty list pass.
        "buildsNotFound": [each for each, id in ids.items() if id not in known] or None,
    }


def batch_delete(call: Call) -> dict[str, Any]:
    """BatchDeleteBuilds: running ones stay."""
    known, deleted, kept = lookup.store(call.world).builds, [], []
    for wanted in call.params["ids"]:
        id = wanted.rpartition("build/")[2]
        if id in known and known[id].over:
            del known[id]
            deleted.append(call.world.arn("codebuild", f"build/{id}"))
        else:
            kept.append({"id": wanted, "statusCode": "BUILD_IN_PROGRESS" if id in known else "BUILD_NOT_FOUND"})
    return {"buildsDeleted": deleted or None, "buildsNotDeleted": kept}


def list_(call: Call) -> dict[str, Any]:
    """ListBuilds, the newest first."""
    return lookup.page(_ids(call, None), call.params, "ids")


def list_for_project(call: Call) -> dict[str, Any]:
    """ListBuildsForProject, the newest first."""
    name = lookup.project(call.world, call.params["projectName"]).name
    return lookup.page(_ids(call, name), call.params, "ids")


def _ids(call: Call, project: str | None) -> list[str]:
    known = lookup.store(call.world).builds.values()
    found = [build.id for build in known if project in (None, build.plan.project)]
    return found if call.params.get("sortOrder", "DESCENDING") == "ASCENDING" else found[::-1]


def shown(world: World, build: Build) -> dict[str, Any]:
    """A build as BatchGetBuilds shows it."""
    settings, now = build.plan.settings, world.datetime
    answer = {
        "id": build.id,
        "arn": world.arn("codebuild", f"build/{build.id}"),
        "buildNumber": build.number,
        "startTime": now(build.started),
        "currentPhase": build.phase.type,
        "buildStatus": build.status,
        "sourceVersion": lookup.source_version(world, build),
        "resolvedSourceVersion": build.resolved or None,
        "projectName": build.plan.project,
        "phases": [_phase(world, phase) for phase in build.phases],
        "source": dict(build.plan.source),
        "secondarySources": settings.get("secondarySources", []),
        "secondarySourceVersions": settings.get("secondarySourceVersions", []),
        "artifacts": build.uploaded.get("") or artifacts.planned(world, build),
        "secondaryArtifacts": [found for name, found in build.uploaded.items() if name],
        "cache": settings["cache"],
        "environment": projects.environment(settings["environment"]),
        "serviceRole": settings["serviceRole"],
        "logs": _logs(world, build),
        "timeoutInMinutes": settings["timeoutInMinutes"],
        "queuedTimeoutInMinutes": settings["queuedTimeoutInMinutes"],
        "buildComplete": build.over,
        "initiator": build.initiator,
        "encryptionKey": settings["encryptionKey"],
        "exportedEnvironmentVariables": [{"name": n, "value": v} for n, v in build.exported.items()],
        "endTime": now(build.ended) if build.ended is not None else None,
    }
    return {key: value for key, value in answer.items() if value is not None}


def _phase(world: World, phase: Phase) -> dict[str, Any]:
    found: dict[str, Any] = {"phaseType": phase.type, "startTime": world.datetime(phase.started)}
    if phase.ended is not None:
        found |= {
            "phaseStatus": phase.status,
            "endTime": world.datetime(phase.ended),
            "durationInSeconds": int(phase.ended - phase.started),
        }
        if phase.type not in WITHOUT_CONTEXT or phase.code:
            found["contexts"] = [{"statusCode": phase.code, "message": phase.message}]
    return found


def _logs(world: World, build: Build) -> dict[str, Any]:
    where = logs.place(build)
    config = build.plan.settings.get("logsConfig", {})
    shown = {"s3Logs": {"status": "DISABLED", **config.get("s3Logs", {})}}
    if where is None:
        return {**shown, "cloudWatchLogs": {"status": "DISABLED"}}
    if not build.log_ready:  # until the build is provisioned there is no stream, and no name of it
        return {**shown, "cloudWatchLogs": {"status": "ENABLED", **config.get("cloudWatchLogs", {})}}
    group, stream = where
    region = world.settings.region
    return {
        **shown,
        "cloudWatchLogs": {"status": "ENABLED", **config.get("cloudWatchLogs", {})},
        "groupName": group,
        "streamName": stream,
        "deepLink": f"https://console.aws.amazon.com/cloudwatch/home?region={region}#logsV2:log-groups/log-group/"
        f"{group.replace('/', '$252F')}/log-events/{stream.replace('/', '$252F')}",
        "cloudWatchLogsArn": world.arn("logs", f"log-group:{group}:log-stream:{stream}"),
    }


OPERATIONS = {
    "StartBuild": start,
    "RetryBuild": retry,
    "StopBuild": stop,
    "BatchGetBuilds": batch_get,
    "BatchDeleteBuilds": batch_delete,
    "ListBuilds": list_,
    "ListBuildsForProject": list_for_project,
}
