"""The words of the rules: question, symptom, cause, remedy and source, kept as data beside the code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("stories.yaml")
SECTIONS = {
    "A": "Pipeline and artifacts",
    "B": "Build and image",
    "C": "Load balancer, service, deployment group",
    "D": "Starting and running the deployment",
    "E": "Waiting, rollback, drift, tooling",
    "documents": "The files themselves",
    "roles": "Roles",
}


@dataclass(frozen=True)
class Story:
    """A failure mode in words; `texts` are what AWS says, `unchecked` is empty when there is a rule."""

    id: str
    question: str
    symptom: str
    texts: tuple[str, ...]
    cause: str
    remedy: str
    source: str
    unchecked: str = ""

    @property
    def section(self) -> str:
        """The part of the system that it belongs to."""
        return SECTIONS.get(self.id[:1] if self.id[1:].isdigit() else self.id, SECTIONS["documents"])


@cache
def stories() -> dict[str, Story]:
    """All failure modes by id."""
    import yaml

    # Our own file, read at every start: by libyaml, in a fraction of the time that a reader with places needs.
    told: dict[str, Any] = yaml.load(FILE.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {id: Story(id, **{**story, "texts": tuple(story.get("texts", ()))}) for id, story in told.items()}
