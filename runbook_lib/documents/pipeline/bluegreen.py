"""The deploy action moved from rolling (ECS) to blue/green (CodeDeployToECS), everything else as it was.

Keys: CodePipeline user guide, "Amazon ECS and CodeDeploy blue-green deploy action reference"
(action-reference-ECSbluegreen).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from runbook_lib.documents.finding import refuse
from runbook_lib.documents.pipeline.check import MOST_IMAGES, check, clones_source
from runbook_lib.documents.pipeline.structure import BLUE_GREEN, ROLLING, Action, actions, inner
from runbook_lib.errors import BadInput

_PLACEHOLDER = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Change:
    """One field of the definition, before and after; None where it was not or is not there."""

    path: str
    old: str | None
    new: str | None


class PipelineEdit(NamedTuple):
    """The definition for update-pipeline, and every field that differs from the one before."""

    definition: dict[str, Any]
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class ConsoleField:
    """A field of the console's edit page and the key it writes."""

    console: str
    key: str
    meaning: str


def console_map() -> tuple[ConsoleField, ...]:
    """The fields that the console asks for, and what they are called in the definition."""
    return (
        ConsoleField("Action provider", "actionTypeId.provider", "Amazon ECS (Blue/Green) is CodeDeployToECS"),
        ConsoleField("Input artifacts", "inputArtifacts", "BuildArtifact: what the build hands over"),
        ConsoleField("AWS CodeDeploy application name", "ApplicationName", "the application, compute platform ECS"),
        ConsoleField(
            "AWS CodeDeploy deployment group", "DeploymentGroupName", "the group with the pair of target groups"
        ),
        ConsoleField("Amazon ECS task definition", "TaskDefinitionTemplateArtifact", "choose BuildArtifact"),
        ConsoleField("... its file name", "TaskDefinitionTemplatePath", "taskdef.json unless told"),
        ConsoleField("AWS CodeDeploy AppSpec file", "AppSpecTemplateArtifact", "choose BuildArtifact"),
        ConsoleField("... its file name", "AppSpecTemplatePath", "appspec.yaml unless told"),
        ConsoleField("Input artifact with image details", "Image1ArtifactName", "its root holds imageDetail.json"),
        ConsoleField(
            "Placeholder text in the task definition",
            "Image1ContainerName",
            "IMAGE1_NAME without brackets; taskdef.json has it in brackets: <IMAGE1_NAME>",
        ),
    )


def to_blue_green(
    definition: Mapping[str, Any],
    *,
    application: str,
    group: str,
    artifact: str,
    placeholder: str | Mapping[str, str],
    taskdef_path: str = "taskdef.json",
    appspec_path: str = "appspec.yaml",
) -> PipelineEdit:
    """The definition for update-pipeline, and every field that changed; none when it was done before.

    The deploy action keeps its name, order, region, role and namespace, and its place. `placeholder` is the name
    between the brackets in taskdef.json, or a map of up to four such names to the artifacts with their image.
    """
    before = inner(definition)
    refuse([finding for finding in check(before) if finding.rule in ("pipeline_type", "pipeline_missing")])
    action = _deploy_action(before)
    images = {placeholder: artifact} if isinstance(placeholder, str) else dict(placeholder)
    _refuse_placeholders(images)
    _refuse_artifacts(before, action, (artifact, *images.values()))
    wanted = {
        "ApplicationName": application,
        "DeploymentGroupName": group,
        "TaskDefinitionTemplateArtifact": artifact,
        "TaskDefinitionTemplatePath": taskdef_path,
        "AppSpecTemplateArtifact": artifact,
        "AppSpecTemplatePath": appspec_path,
    }
    for number, (name, source) in enumerate(images.items(), start=1):
        wanted |= {f"Image{number}ArtifactName": source, f"Image{number}ContainerName": name}
    after = copy.deepcopy(before)
    _rewrite(after["stages"][action.stage]["actions"][action.number], wanted, (artifact, *images.values()))
    return PipelineEdit(after, tuple(_changes(action.where, action.content, _action_of(after, action))))


def _rewrite(action: dict[str, Any], wanted: dict[str, str], artifacts: tuple[str, ...]) -> None:
    action["actionTypeId"] = {**action["actionTypeId"], "provider": BLUE_GREEN}
    action["configuration"] = wanted
    names = dict.fromkeys(artifacts)
    if {one["name"] for one in action.get("inputArtifacts", [])} != set(names):
        action["inputArtifacts"] = [{"name": name} for name in names]


def _action_of(pipeline: Mapping[str, Any], action: Action) -> Mapping[str, Any]:
    found: Mapping[str, Any] = pipeline["stages"][action.stage]["actions"][action.number]
    return found


def _deploy_action(pipeline: Mapping[str, Any]) -> Action:
    found = [one for one in actions(pipeline) if one.category == "Deploy" and one.provider in (ROLLING, BLUE_GREEN)]
    if len(found) == 1:
        return found[0]
    named = ", ".join(f"{one.name!r} ({one.where}, {one.provider})" for one in found)
    raise BadInput(
        seen=f"{len(found)} actions that deploy to ECS{f': {named}' if found else ''}",
        wanted="exactly one: with several it would be a guess which of them moves",
        next_step="move them one by one, each in a pipeline definition of its own"
        if found
        else "name the right pipeline",
        where="stages",
    )


def _refuse_placeholders(images: Mapping[str, str]) -> None:
    if not 1 <= len(images) <= MOST_IMAGES:
        raise BadInput(
            seen=f"{len(images)} images",
            wanted=f"1 to {MOST_IMAGES}: the action replaces no more",
            next_step="let the task definition name the others itself",
            where="Image1ContainerName",
        )
    wrong = next((name for name in images if not _PLACEHOLDER.fullmatch(name)), None)
    if wrong is not None:
        raise BadInput(
            seen=f"the placeholder {wrong!r}",
            wanted="letters, digits, _ . or -, without brackets: the action adds them itself",
            next_step=f"write {wrong.strip('<> ') or 'IMAGE1_NAME'}; only taskdef.json has the brackets",
            where="Image1ContainerName",
        )


def _refuse_artifacts(pipeline: Mapping[str, Any], action: Action, artifacts: tuple[str, ...]) -> None:
    makers = {name: one for one in actions(pipeline) if one.order < action.order for name in one.outputs}
    for name in artifacts:
        if name not in makers:
            raise BadInput(
                seen=f"the artifact {name!r}",
                wanted=f"an output of an action before {action.name!r}: {', '.join(makers) or 'there is none'}",
                next_step="name the build action's output artifact",
                where=action.where,
            )
        if clones_source(makers[name]):
            raise BadInput(
                seen=f"the artifact {name!r} of {makers[name].name!r}, a CODEBUILD_CLONE_REF",
                wanted="an artifact with files: a clone reference serves CodeBuild alone",
                next_step="name the build action's output artifact",
                where=makers[name].where,
            )


def _changes(path: str, old: object, new: object) -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from _changes(f"{path}.{key}", old.get(key), new.get(key))
    elif old != new:
        yield Change(path, _shown(old), _shown(new))


def _shown(value: object) -> str | None:
    if isinstance(value, list):
        return ", ".join(str(item.get("name", item)) if isinstance(item, Mapping) else str(item) for item in value)
    return None if value is None else str(value)
