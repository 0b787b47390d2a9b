"""Which pipeline definitions AWS takes (CodePipeline user guide, reference-pipeline-structure and limits)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from runbook_lib.sandbox.errors import AwsError

NAME = re.compile(r"^[A-Za-z0-9.@\-_]{1,100}$")
MOST_IMAGES = 4

# provider -> (required keys, optional keys, inputs from-to, outputs from-to)
Rules = tuple[tuple[str, ...], tuple[str, ...], tuple[int, int], tuple[int, int]]
_CODEDEPLOY = tuple(f"Image{n}{part}" for n in range(1, MOST_IMAGES + 1) for part in ("ArtifactName", "ContainerName"))
PROVIDERS: Mapping[tuple[str, str], Rules] = {
    ("Source", "CodeCommit"): (
        ("RepositoryName", "BranchName"),
        ("PollForSourceChanges", "OutputArtifactFormat"),
        (0, 0),
        (1, 1),
    ),
    ("Source", "CodeStarSourceConnection"): (
        ("ConnectionArn", "FullRepositoryId", "BranchName"),
        ("OutputArtifactFormat", "DetectChanges"),
        (0, 0),
        (1, 1),
    ),
    ("Source", "S3"): (
        ("S3Bucket", "S3ObjectKey"),
        ("PollForSourceChanges", "AllowOverrideForS3ObjectKey"),
        (0, 0),
        (1, 1),
    ),
    ("Source", "ECR"): (("RepositoryName",), ("ImageTag",), (0, 0), (1, 1)),
    ("Build", "CodeBuild"): (
        ("ProjectName",),
        ("PrimarySource", "BatchEnabled", "CombineArtifacts", "EnvironmentVariables"),
        (1, 5),
        (0, 5),
    ),
    ("Test", "CodeBuild"): (
        ("ProjectName",),
        ("PrimarySource", "BatchEnabled", "CombineArtifacts", "EnvironmentVariables"),
        (1, 5),
        (0, 5),
    ),
    ("Approval", "Manual"): ((), ("NotificationArn", "CustomData", "ExternalEntityLink"), (0, 0), (0, 0)),
    ("Deploy", "ECS"): (("ClusterName", "ServiceName"), ("FileName", "DeploymentTimeout"), (1, 1), (0, 0)),
    ("Deploy", "CodeDeployToECS"): (
        ("ApplicationName", "DeploymentGroupName", "TaskDefinitionTemplateArtifact", "AppSpecTemplateArtifact"),
        ("TaskDefinitionTemplatePath", "AppSpecTemplatePath", *_CODEDEPLOY),
        (1, 5),
        (0, 0),
    ),
}


def check(definition: Mapping[str, Any]) -> None:
    """Refuse a definition that AWS would refuse, with its code."""
    if not NAME.match(definition.get("name", "")):
        raise _structure(f"Pipeline name {definition.get('name')!r} does not match [A-Za-z0-9.@\\-_]+")
    if ("artifactStore" in definition) == ("artifactStores" in definition):
        raise _structure("Exactly one of artifactStore and artifactStores must be given")
    _check_type(definition)
    _check_stages(definition["stages"])
    _check_artifacts(definition["stages"])


def _check_type(definition: Mapping[str, Any]) -> None:
    kind, mode = definition.get("pipelineType", "V1"), definition.get("executionMode", "SUPERSEDED")
    if kind == "V1" and mode != "SUPERSEDED":
        raise _structure(f"Execution mode {mode} is only available for pipelines of type V2")
    for key in ("variables", "triggers"):
        if kind == "V1" and definition.get(key):
            raise _structure(f"{key} are only available for pipelines of type V2")


def _check_stages(stages: list[Mapping[str, Any]]) -> None:
    if len(stages) < 2:
        raise _structure("Pipeline has less than two stages")
    _check_unique([stage["name"] for stage in stages], "stage", "InvalidStageDeclarationException")
    for number, stage in enumerate(stages):
        if not stage["actions"]:
            raise AwsError("InvalidStageDeclarationException", f"Stage {stage['name']} has no actions")
        _check_unique([action["name"] for action in stage["actions"]], "action", "InvalidActionDeclarationException")
        for action in stage["actions"]:
            _check_action(stage["name"], action, first=number == 0)


def _check_action(stage: str, action: Mapping[str, Any], *, first: bool) -> None:
    kind = action["actionTypeId"]
    is_source = kind["category"] == "Source"
    if first != is_source:
        where = (
            "The first stage may only hold source actions" if first else "Only the first stage may hold source actions"
        )
        raise _structure(f"{where}: {stage}/{action['name']} is a {kind['category']} action")
    rules = PROVIDERS.get((kind["category"], kind["provider"]))
    if rules is None or kind["owner"] != "AWS" or kind["version"] != "1":
        shown = f"category: {kind['category']}, owner: {kind['owner']}, provider: {kind['provider']}"
        text = f"ActionType ({shown}, version: {kind['version']}) in action '{action['name']}' is not available"
        raise AwsError("InvalidActionDeclarationException", text)
    _check_configuration(action, rules)
    _check_counts(action, rules)


def _check_configuration(action: Mapping[str, Any], rules: Rules) -> None:
    required, optional, _, _ = rules
    given = action.get("configuration", {})
    for key in required:
        if not given.get(key):
            text = f"Action configuration for action '{action['name']}' is missing required configuration '{key}'"
            raise AwsError("InvalidActionDeclarationException", text)
    for key in given:
        if key not in required + optional:
            text = f"Action configuration for action '{action['name']}' contains unknown configuration '{key}'"
            raise AwsError("InvalidActionDeclarationException", text)


def _check_counts(action: Mapping[str, Any], rules: Rules) -> None:
    for kind, (low, high) in (("inputArtifacts", rules[2]), ("outputArtifacts", rules[3])):
        number = len(action.get(kind, ()))
        if not low <= number <= high:
            text = f"Action '{action['name']}' has {number} {kind}; it must have from {low} to {high}"
            raise AwsError("InvalidActionDeclarationException", text)


def _check_artifacts(stages: list[Mapping[str, Any]]) -> None:
    made: set[str] = set()
    for stage in stages:
        for order in sorted({action.get("runOrder", 1) for action in stage["actions"]}):
            now = [action for action in stage["actions"] if action.get("runOrder", 1) == order]
            for action in now:
                missing = set(names(action.get("inputArtifacts", ()))) - made
                if missing:
                    text = (
                        f"Input artifact '{min(missing)}' of action '{action['name']}' is not made by an earlier action"
                    )
                    raise _structure(text)
            for name in [name for action in now for name in names(action.get("outputArtifacts", ()))]:
                if name in made:
                    raise _structure(f"Output artifact name '{name}' is not unique in the pipeline")
                made.add(name)


def names(artifacts: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of artifacts."""
    return [artifact["name"] for artifact in artifacts]


def _check_unique(found: list[str], what: str, code: str) -> None:
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice:
        raise AwsError(code, f"The {what} name '{twice}' is not unique")


def _structure(text: str) -> AwsError:
    return AwsError("InvalidStructureException", text)
