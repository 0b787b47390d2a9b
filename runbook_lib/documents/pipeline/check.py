"""What CodePipeline would refuse in a definition, and what would make its deploy action fail.

Rules: CodePipeline user guide, "Pipeline structure reference", "Quotas in AWS CodePipeline" (limits) and the action
references (action-reference-ECS, -ECSbluegreen, -CodeBuild, -CodeCommit, -S3, -ECR); botocore's PipelineDeclaration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.documents import schema
from runbook_lib.documents.finding import Finding
from runbook_lib.documents.pipeline.structure import BLUE_GREEN, ROLLING, Action, actions, inner

_NAME = re.compile(r"[A-Za-z0-9.@\-_]{1,100}")
_LONGEST_VALUE = 1000
MOST_IMAGES = 4


@dataclass(frozen=True)
class _Provider:
    """What an action of a provider takes: keys, and how many artifacts go in and out."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    inputs: tuple[int, int] = (0, 0)
    outputs: tuple[int, int] = (0, 0)


_IMAGES = tuple(f"Image{n}{part}" for n in range(1, MOST_IMAGES + 1) for part in ("ArtifactName", "ContainerName"))
_PROVIDERS: dict[tuple[str, str], _Provider] = {
    ("Source", "CodeCommit"): _Provider(
        ("RepositoryName", "BranchName"), ("PollForSourceChanges", "OutputArtifactFormat"), outputs=(1, 1)
    ),
    ("Source", "CodeStarSourceConnection"): _Provider(
        ("ConnectionArn", "FullRepositoryId", "BranchName"), ("OutputArtifactFormat", "DetectChanges"), outputs=(1, 1)
    ),
    ("Source", "ECR"): _Provider(("RepositoryName",), ("ImageTag",), outputs=(1, 1)),
    ("Source", "S3"): _Provider(
        ("S3Bucket", "S3ObjectKey"), ("PollForSourceChanges", "AllowOverrideForS3ObjectKey"), outputs=(1, 1)
    ),
    ("Build", "CodeBuild"): _Provider(
        ("ProjectName",),
        ("PrimarySource", "BatchEnabled", "CombineArtifacts", "EnvironmentVariables"),
        inputs=(1, 5),
        outputs=(0, 5),
    ),
    ("Deploy", ROLLING): _Provider(("ClusterName", "ServiceName"), ("FileName", "DeploymentTimeout"), inputs=(1, 1)),
    ("Deploy", BLUE_GREEN): _Provider(
        ("ApplicationName", "DeploymentGroupName", "TaskDefinitionTemplateArtifact", "AppSpecTemplateArtifact"),
        ("TaskDefinitionTemplatePath", "AppSpecTemplatePath", *_IMAGES),
        inputs=(1, 5),
    ),
    ("Approval", "Manual"): _Provider((), ("NotificationArn", "CustomData", "ExternalEntityLink", "ApproverRoleArn")),
}


def check(definition: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Findings about a pipeline definition; each place is its path, as stages[2].actions[0]."""
    pipeline = inner(definition)
    shape = list(_check_shape(pipeline))
    if any(finding.rule == "pipeline_type" for finding in shape):
        return tuple(shape)
    rules: tuple[Callable[[dict[str, Any]], Iterator[Finding]], ...] = (
        _check_top,
        _check_stages,
        _check_artifacts,
        _check_actions,
        _check_deploys,
    )
    return (*shape, *(finding for rule in rules for finding in rule(pipeline)))


def _finding(rule: str, where: str, seen: str, wanted: str, remedy: str, *, stops: bool = True) -> Finding:
    return Finding(f"pipeline_{rule}", where, seen, wanted, remedy, stops)


def _check_shape(pipeline: dict[str, Any]) -> Iterator[Finding]:
    for problem in schema.problems(pipeline, service="codepipeline", shape="PipelineDeclaration"):
        remedy = "remove or rename the key" if problem.kind == "key" else f"write {problem.wanted}"
        yield _finding(problem.kind, schema.path_text(problem.path), problem.seen, problem.wanted, remedy)


def _check_top(pipeline: dict[str, Any]) -> Iterator[Finding]:
    name = pipeline.get("name", "")
    if not _NAME.fullmatch(name):
        yield _finding("name", "name", repr(name), "1 to 100 of A-Z a-z 0-9 . @ - _", "choose such a name")
    stores = [key for key in ("artifactStore", "artifactStores") if key in pipeline]
    if len(stores) != 1:
        seen = " and ".join(stores) or "neither"
        yield _finding("store", "artifactStore", seen, "artifactStore or artifactStores", "keep exactly one of the two")
    if pipeline.get("pipelineType", "V1") == "V1":
        for key in ("variables", "triggers"):
            if pipeline.get(key):
                yield _finding("v2_only", key, f"{key} in a V1 pipeline", "pipelineType V2", "set pipelineType to V2")
        mode = pipeline.get("executionMode", "SUPERSEDED")
        if mode != "SUPERSEDED":
            yield _finding("v2_only", "executionMode", f"{mode} in a V1 pipeline", "V2", "set pipelineType to V2")


def _check_stages(pipeline: dict[str, Any]) -> Iterator[Finding]:
    stages = pipeline["stages"]
    if not 2 <= len(stages) <= 50:
        yield _finding("stages", "stages", f"{len(stages)} stages", "2 to 50", "split or join stages")
    yield from _repeated("stage", [(f"stages[{n}]", str(stage.get("name"))) for n, stage in enumerate(stages)])
    for number, stage in enumerate(stages):
        named = [(f"stages[{number}].actions[{n}]", str(one.get("name"))) for n, one in enumerate(stage["actions"])]
        yield from _repeated("action", named)
        if (stage.get("onFailure") or {}).get("result") == "ROLLBACK" and _deploys(pipeline, number):
            wanted = "CodeDeploy's own rollback alone: two at once undo each other"
            yield _finding(
                "stage_rollback", f"stages[{number}]", "onFailure ROLLBACK", wanted, "remove it", stops=False
            )
    for action in actions(pipeline):
        is_source = action.category == "Source"
        if is_source != (action.stage == 0):
            wanted = "source actions in the first stage, and no others there"
            yield _finding("source", action.where, f"{action.category} action {action.name!r}", wanted, "move it")


def _deploys(pipeline: dict[str, Any], stage: int) -> bool:
    return any(action.stage == stage and action.provider == BLUE_GREEN for action in actions(pipeline))


def _repeated(what: str, named: list[tuple[str, str]]) -> Iterator[Finding]:
    seen: set[str] = set()
    for where, name in named:
        if name in seen:
            yield _finding(f"{what}_twice", where, f"the {what} {name!r} twice", "each name once", "rename one")
        seen.add(name)


def _check_artifacts(pipeline: dict[str, Any]) -> Iterator[Finding]:
    made: dict[str, Action] = {}
    for action in actions(pipeline):
        for name in action.outputs:
            if name in made:
                yield _finding("artifact_twice", action.where, f"output {name!r} a second time", "once", "rename it")
            made.setdefault(name, action)
    for action in actions(pipeline):
        for name in action.inputs:
            if name not in made or made[name].order >= action.order:
                known = ", ".join(name for name, maker in made.items() if maker.order < action.order) or "none"
                wanted = f"an output of an earlier action ({known})"
                yield _finding("artifact_unknown", action.where, f"input {name!r}", wanted, "name one of these")


def _check_actions(pipeline: dict[str, Any]) -> Iterator[Finding]:
    for action in actions(pipeline):
        run = action.content.get("runOrder", 1)
        if not 1 <= run <= 999:
            yield _finding("run_order", action.where, f"runOrder {run}", "1 to 999", "choose such a number")
        if "timeoutInMinutes" in action.content and action.category != "Approval":
            yield _finding("timeout", action.where, "timeoutInMinutes", "it on manual approvals only", "remove it")
        for key, value in action.configuration.items():
            if len(value) > _LONGEST_VALUE:
                seen = f"{key} with {len(value)} characters"
                yield _finding("value_too_long", action.where, seen, f"at most {_LONGEST_VALUE}", "shorten it")
        yield from _check_provider(action)


def _check_provider(action: Action) -> Iterator[Finding]:
    known = _PROVIDERS.get((action.category, action.provider))
    if known is None:
        return
    for key in known.required:
        if not action.configuration.get(key):
            seen = f"no {key} for {action.provider}"
            yield _finding("configuration_missing", action.where, seen, f"the key {key}", f"add {key}")
    for key in action.configuration:
        if key not in (*known.required, *known.optional):
            rule, wanted = _unknown_key(key, known)
            yield _finding(rule, action.where, f"the key {key!r} for {action.provider}", wanted, "remove or rename it")
    for what, names, (least, most) in (
        ("input", action.inputs, known.inputs),
        ("output", action.outputs, known.outputs),
    ):
        if not least <= len(names) <= most:
            wanted = f"{least} to {most} of {action.provider}" if most else "none"
            yield _finding(
                "artifact_count", action.where, f"{len(names)} {what} artifacts", wanted, f"mend its {what}s"
            )


def _unknown_key(key: str, known: _Provider) -> tuple[str, str]:
    if re.fullmatch(r"Image\d+(ArtifactName|ContainerName)", key) and "Image1ArtifactName" in known.optional:
        return "too_many_images", f"at most {MOST_IMAGES} images"
    return "configuration_unknown", f"one of {', '.join((*known.required, *known.optional))}"


def _check_deploys(pipeline: dict[str, Any]) -> Iterator[Finding]:
    clones = {name for one in actions(pipeline) if clones_source(one) for name in one.outputs}
    for action in actions(pipeline):
        if action.provider in (ROLLING, BLUE_GREEN):
            for name in action.inputs:
                if name in clones:
                    wanted = "an artifact with files: a CODEBUILD_CLONE_REF serves CodeBuild alone"
                    yield _finding(
                        "clone_into_deploy", action.where, f"input {name!r}", wanted, "use the build's output"
                    )
        if action.provider == BLUE_GREEN:
            yield from _check_blue_green(action)


def clones_source(action: Action) -> bool:
    return action.configuration.get("OutputArtifactFormat") == "CODEBUILD_CLONE_REF"


def _check_blue_green(action: Action) -> Iterator[Finding]:
    configuration = action.configuration
    for key in (key for key in configuration if key.endswith(("ArtifactName", "TemplateArtifact"))):
        if configuration[key] not in action.inputs:
            wanted = f"one of its input artifacts ({', '.join(action.inputs)})"
            yield _finding("artifact_no_input", action.where, f"{key} {configuration[key]!r}", wanted, "add the input")
    for number in range(1, MOST_IMAGES + 1):
        artifact, placeholder = (
            configuration.get(f"Image{number}{part}") for part in ("ArtifactName", "ContainerName")
        )
        if bool(artifact) != bool(placeholder):
            seen = f"only one of Image{number}ArtifactName and Image{number}ContainerName"
            yield _finding("image_half", action.where, seen, "both or none", "add the other one")
        if placeholder and re.search(r"[<>\s]", placeholder):
            wanted = "the name without brackets: the action adds them when it looks into taskdef.json"
            yield _finding("placeholder_brackets", action.where, repr(placeholder), wanted, "remove the brackets")
