"""The variables of a build (CodeBuild user guide, build-env-ref-env-vars and build-spec-ref, env)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codebuild import authority, logs, lookup
from runbook_lib.sandbox.services.codebuild.authority import Wish
from runbook_lib.sandbox.services.codebuild.buildspec import Spec
from runbook_lib.sandbox.services.codebuild.failure import PhaseFailed
from runbook_lib.sandbox.services.codebuild.store import Build

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

SUFFIX = "??????"  # what Secrets Manager adds to a name is not told by it
PLAIN, PARAMETER, SECRET = "PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER"


def resolve(world: World, build: Build, spec: Spec) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables that the commands see, and the values among them that logs must not show.

    The call's own come before the project's, and these before the buildspec's.
    """
    entries = [
        *({"name": name, "value": value, "type": PLAIN} for name, value in spec.variables.items()),
        *({"name": name, "value": value, "type": PARAMETER} for name, value in spec.parameters.items()),
        *({"name": name, "value": value, "type": SECRET} for name, value in spec.secrets.items()),
        *build.plan.environment.get("environmentVariables", ()),
    ]
    last = {entry["name"]: entry for entry in entries}
    hidden = [entry for entry in last.values() if entry.get("type", PLAIN) != PLAIN]
    known = {**_parameters(world, build, hidden), **_secrets(world, build, hidden)}
    values = {name: known.get(name, entry["value"]) for name, entry in last.items()}
    return {**_built_in(world, build), **values}, tuple(value for value in known.values() if value)


def kept_back(build: Build) -> frozenset[str]:
    """The variables of the project whose values are secrets; they are never exported."""
    entries = build.plan.environment.get("environmentVariables", ())
    return frozenset(entry["name"] for entry in entries if entry.get("type", PLAIN) != PLAIN)


def _built_in(world: World, build: Build) -> dict[str, str]:
    own, plan = world.settings, build.plan
    where = logs.place(build)
    variables = {
        "AWS_DEFAULT_REGION": own.region,
        "AWS_EXECUTION_ENV": "AWS_ECS_EC2",
        "AWS_REGION": own.region,
        "CI": "true",
        "CODEBUILD_BUILD_ARN": world.arn("codebuild", f"build/{build.id}"),
        "CODEBUILD_BUILD_ID": build.id,
        "CODEBUILD_BUILD_IMAGE": plan.environment["image"],
        "CODEBUILD_BUILD_NUMBER": str(build.number),
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_CI": "true",
        "CODEBUILD_INITIATOR": build.initiator,
        "CODEBUILD_KMS_KEY_ID": plan.settings["encryptionKey"],
        "CODEBUILD_LOG_PATH": where[1] if where else "",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": build.resolved,
        "CODEBUILD_SOURCE_REPO_URL": build.run.sources[""].url if "" in build.run.sources else "",
        "CODEBUILD_SOURCE_VERSION": lookup.source_version(world, build) or "",
        "CODEBUILD_START_TIME": str(int(build.started * 1000)),
        "LANG": "C.UTF-8",
        "LC_ALL": "C",
        "TZ": "UTC",
    }
    optional = ("CODEBUILD_RESOLVED_SOURCE_VERSION", "CODEBUILD_SOURCE_REPO_URL", "CODEBUILD_SOURCE_VERSION")
    return {name: value for name, value in variables.items() if value or name not in optional}


def _parameters(world: World, build: Build, entries: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    wanted = {entry["name"]: entry["value"] for entry in entries if entry["type"] == PARAMETER}
    found: dict[str, str] = {}
    names = sorted(set(wanted.values()))
    wishes = [Wish("ssm:GetParameters", arn) for arn in authority.parameters(world, names)]
    _refuse("Decrypted Variables Error", authority.refusal(world, build, *wishes))
    for start in range(0, len(names), 10):  # SSM API reference, GetParameters: at most 10 names
        answer = world.client("ssm").get_parameters(Names=names[start : start + 10], WithDecryption=True)
        found |= {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}
    for name in names:
        if name not in found:
            raise PhaseFailed("Decrypted Variables Error", f"parameter does not exist: {name}")
    return {variable: found[name] for variable, name in wanted.items()}


def _refuse(code: str, refusal: str) -> None:
    if refusal:
        raise PhaseFailed(code, f"AccessDeniedException: {refusal}")


def _secrets(world: World, build: Build, entries: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {entry["name"]: _secret(world, build, entry["value"]) for entry in entries if entry["type"] == SECRET}


def _secret(world: World, build: Build, reference: str) -> str:
    """A secret by `id:json-key:version-stage:version-id`; an id that is an ARN has colons of its own."""
    head, rest = ("", reference) if not reference.startswith("arn:") else _after_arn(reference)
    name, key, stage, version = (*rest.split(":"), "", "", "")[:4]
    client = world.client("secretsmanager")
    arn = head + name if head else world.arn("secretsmanager", f"secret:{name}-{SUFFIX}")
    _refuse("Secrets Manager Error", authority.refusal(world, build, Wish("secretsmanager:GetSecretValue", arn)))
    asked = {"SecretId": head + name}
    asked |= {"VersionId": version} if version else {"VersionStage": stage or "AWSCURRENT"}
    try:
        text = client.get_secret_value(**asked)["SecretString"]
    except client.exceptions.ResourceNotFoundException:
        raise PhaseFailed(
            "Secrets Manager Error",
            f"ResourceNotFoundException: Secrets Manager can't find the specified secret: {head + name}",
        ) from None
    return str(json.loads(text)[key]) if key else str(text)


def _after_arn(reference: str) -> tuple[str, str]:
    parts = reference.split(":")
    return ":".join(parts[:6]) + ":", ":".join(parts[6:])
