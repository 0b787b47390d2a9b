"""Which pipeline definitions AWS takes (CodePipeline user guide, reference-pipeline-structure and limits).

Messages that are quoted in public are AWS's; what the sandbox does not serve is refused and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline import references, triggers
from runbook_lib.sandbox.services.codepipeline.action_rules import NAME, check_action

LEAST_STAGES, MOST_STAGES = 2, 50
V2_ONLY = ("variables", "triggers")
CONDITIONS = ("beforeEntry", "onSuccess", "blockers")
SERVED_RESULTS = ("FAIL", "RETRY", "ROLLBACK")


def check(definition: Mapping[str, Any], region: str) -> None:
    """Refuse a definition that AWS would refuse, with its code."""
    if not re.fullmatch(NAME, definition["name"]):
        raise invalid(definition["name"], "pipeline.name", NAME)
    _check_stores(definition, region)
    _check_type(definition)
    _check_stages(definition["stages"], region)
    _check_artifacts(definition["stages"])
    triggers.check(definition)
    references.check(definition)


def invalid(value: str, where: str, pattern: str) -> AwsError:
    """A value that does not match the model's pattern, as every AWS service says it."""
    text = f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy constraint: Member must"
    return AwsError("ValidationException", f"{text} satisfy regular expression pattern: {pattern}")


def _check_stores(definition: Mapping[str, Any], region: str) -> None:
    if ("artifactStore" in definition) == ("artifactStores" in definition):
        raise _structure("Exactly one of artifactStore and artifactStores must be given")
    if "artifactStores" in definition and region not in definition["artifactStores"]:
        raise _structure(f"artifactStores has no artifact store for the region {region} of the pipeline")


def _check_type(definition: Mapping[str, Any]) -> None:
    kind, mode = definition.get("pipelineType", "V1"), definition.get("executionMode", "SUPERSEDED")
    if kind == "V1" and mode != "SUPERSEDED":
        raise _structure(f"Execution mode {mode} is only available for pipelines of type V2")
    for key in V2_ONLY:
        if kind == "V1" and definition.get(key):
            raise _structure(f"{key} are only available for pipelines of type V2")
    twice = _twice([one["name"] for one in definition.get("variables", ())])
    if twice:
        raise _structure(f"Variable names must be unique. The following variable name is already in use: {twice}")


def _check_stages(stages: list[Mapping[str, Any]], region: str) -> None:
    if len(stages) < LEAST_STAGES:
        text = f"Pipeline has {len(stages)} stage(s). There should be a minimum of {LEAST_STAGES} stages in a pipeline"
        raise _structure(text)
    if len(stages) > MOST_STAGES:
        raise AwsError("LimitExceededException", f"Pipeline has {len(stages)} stages; the limit is {MOST_STAGES}")
    twice = _twice([stage["name"] for stage in stages])
    if twice:
        raise _stage(f"The stage name '{twice}' is not unique")
    for number, stage in enumerate(stages):
        _check_stage(stage)
        for action in stage["actions"]:
            _check_category(stage["name"], action, first=number == 0)
            check_action(action, region)


def _check_stage(stage: Mapping[str, Any]) -> None:
    if not re.fullmatch(NAME, stage["name"]):
        raise invalid(stage["name"], "pipeline.stages.member.name", NAME)
    if not stage["actions"]:
        raise _stage(f"Stage {stage['name']} has no actions")
    twice = _twice([action["name"] for action in stage["actions"]])
    if twice:
        raise AwsError("InvalidActionDeclarationException", f"The action name '{twice}' is not unique")
    for key in CONDITIONS:
        if stage.get(key):
            raise _stage(f"Stage {stage['name']}: {key} is not simulated")
    told = stage.get("onFailure", {})
    if told.get("conditions") or told.get("result", "FAIL") not in SERVED_RESULTS:
        raise _stage(f"Stage {stage['name']}: of onFailure only the results {', '.join(SERVED_RESULTS)} are simulated")


def _check_category(stage: str, action: Mapping[str, Any], *, first: bool) -> None:
    is_source = action["actionTypeId"]["category"] == "Source"
    if first and not is_source:
        raise _structure("Pipeline should start with a stage that only contains source actions")
    if is_source and not first:
        raise _structure(f"Only the first stage may contain source actions: {stage}/{action['name']} is one")


def _check_artifacts(stages: list[Mapping[str, Any]]) -> None:
    made: set[str] = set()
    for now in references.in_order(stages):
        for _, action in now:
            for name in _names(action.get("inputArtifacts", ())):
                if name not in made:
                    text = f"Input Artifact Bundle {name} in action {action['name']} is not declared as Output Artifact"
                    text = f"{text} Bundle in any of the preceding actions"
                    raise AwsError("InvalidActionDeclarationException", text)
        for name in [name for _, action in now for name in _names(action.get("outputArtifacts", ()))]:
            if name in made:
                text = "Output Artifact Bundle name must be unique within the pipeline."
                raise AwsError("InvalidActionDeclarationException", f"{text} {name} has been used more than once")
            made.add(name)


def _names(artifacts: Iterable[Mapping[str, Any]]) -> list[str]:
    return [artifact["name"] for artifact in artifacts]


def _twice(found: list[str]) -> str:
    return next((name for name in found if found.count(name) > 1), "")


def _stage(text: str) -> AwsError:
    return AwsError("InvalidStageDeclarationException", text)


def _structure(text: str) -> AwsError:
    return AwsError("InvalidStructureException", text)
