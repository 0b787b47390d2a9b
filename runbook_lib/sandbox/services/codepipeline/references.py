"""Variables between actions: a namespace is unique, and may be named by actions that run after its own.

CodePipeline user guide, reference-variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline.flow import VARIABLE

Group = list[tuple[str, Mapping[str, Any]]]


def check(definition: Mapping[str, Any]) -> None:
    """Refuse namespaces that occur twice, and variables of namespaces that no earlier action has."""
    known = {"codepipeline"} | ({"variables"} if definition.get("variables") else set())
    for group in in_order(definition["stages"]):
        for stage, action in group:
            _check_used(stage, action, known)
        for stage, action in group:
            name = action.get("namespace")
            if name in known:
                text = "Namespaces must be unique across the pipeline definition. The following occur more than once in"
                place = f"StageName=[{stage}], ActionName=[{action['name']}], Namespace=[{name}]"
                raise AwsError("InvalidActionDeclarationException", f"{text} the pipeline. {place}")
            known |= {name} if name else set()


def in_order(stages: Iterable[Mapping[str, Any]]) -> Iterator[Group]:
    """The actions that run together, each with its stage's name, one group after the other."""
    for stage in stages:
        for order in sorted({action.get("runOrder", 1) for action in stage["actions"]}):
            yield [(stage["name"], one) for one in stage["actions"] if one.get("runOrder", 1) == order]


def _check_used(stage: str, action: Mapping[str, Any], known: set[str]) -> None:
    for key, value in action.get("configuration", {}).items():
        for match in VARIABLE.finditer(value):
            if match.group(1) not in known:
                text = (
                    "Valid format for a pipeline execution variable reference is a namespace and a key separated by a "
                    "period (.). The following pipeline execution variables are referencing a namespace that does not "
                    f"exist. StageName=[{stage}], ActionName=[{action['name']}], ActionConfigurationKey=[{key}], "
                    f"VariableReferenceText=[{match.group(1)}.{match.group(2)}]"
                )
                raise AwsError("InvalidActionDeclarationException", text)
