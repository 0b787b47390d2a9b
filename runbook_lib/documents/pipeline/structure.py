"""A pipeline definition as AWS shows it: {"pipeline": {...}, "metadata": {...}}; update takes the inner part alone.

Structure: CodePipeline user guide, "Pipeline structure reference" (reference-pipeline-structure).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.documents.json_text import parse_json
from runbook_lib.documents.source import Source
from runbook_lib.errors import BadInput

NAME = "pipeline.json"
ROLLING = "ECS"
BLUE_GREEN = "CodeDeployToECS"


@dataclass(frozen=True)
class Action:
    """One action and where it stands: stages[stage].actions[number]."""

    stage: int
    number: int
    content: Mapping[str, Any]

    @property
    def where(self) -> str:
        return f"stages[{self.stage}].actions[{self.number}]"

    @property
    def name(self) -> str:
        return str(self.content.get("name", ""))

    @property
    def category(self) -> str:
        return str(_map(self.content.get("actionTypeId")).get("category", ""))

    @property
    def provider(self) -> str:
        return str(_map(self.content.get("actionTypeId")).get("provider", ""))

    @property
    def configuration(self) -> Mapping[str, Any]:
        return _map(self.content.get("configuration"))

    @property
    def order(self) -> tuple[int, int]:
        """When it runs: after every action of a smaller order, beside those of the same."""
        run = self.content.get("runOrder", 1)
        return self.stage, run if isinstance(run, int) else 1

    @property
    def inputs(self) -> tuple[str, ...]:
        return _artifact_names(self.content.get("inputArtifacts"))

    @property
    def outputs(self) -> tuple[str, ...]:
        return _artifact_names(self.content.get("outputArtifacts"))


def parse(text: str | bytes | Source, *, name: str = NAME) -> dict[str, Any]:
    """Read a pipeline definition file and give its inner part; an error has line, column and remedy."""
    document = parse_json(text, name=name)
    document.top_map("a JSON object")
    plain = document.root.plain()
    return inner(plain if isinstance(plain, dict) else {}, name=name)


def inner(definition: Mapping[str, Any], *, name: str = NAME) -> dict[str, Any]:
    """The pipeline itself, without the metadata that get-pipeline adds and update-pipeline refuses."""
    found = definition.get("pipeline", definition) if isinstance(definition, Mapping) else None
    if not isinstance(found, Mapping) or not isinstance(found.get("stages"), list):
        keys = ", ".join(map(str, definition)) if isinstance(definition, Mapping) else type(definition).__name__
        raise BadInput(
            seen=f"keys {keys or '(none)'}",
            wanted='a pipeline with its "stages"',
            next_step="pass what get-pipeline answers",
            where=name,
        )
    return {key: value for key, value in found.items() if key != "metadata"}


def actions(pipeline: Mapping[str, Any]) -> Iterator[Action]:
    """All actions, stage by stage."""
    for stage_number, stage in enumerate(pipeline.get("stages", [])):
        listed = _map(stage).get("actions", [])
        for number, action in enumerate(listed if isinstance(listed, list) else []):
            yield Action(stage_number, number, _map(action))


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _artifact_names(listed: object) -> tuple[str, ...]:
    items = listed if isinstance(listed, list) else []
    return tuple(str(item["name"]) for item in items if isinstance(item, Mapping) and "name" in item)
