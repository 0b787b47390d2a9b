"""What the rules look at: one system, from the pipeline's actions over the files to the listener.

A part that nobody gave is None, and its rules are skipped; a part that could not be read is a Trouble, and its rules
answer ERROR with the reason: not measured is never OK.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbook_lib.documents.buildspec import Buildspec, Facts, covers
from runbook_lib.documents.buildspec.trace import Trace
from runbook_lib.documents.dockerfile import Dockerfile
from runbook_lib.documents.finding import Finding
from runbook_lib.documents.node import Document, Node
from runbook_lib.documents.pipeline.structure import BLUE_GREEN, ROLLING, Action, actions
from runbook_lib.documents.taskdef.text import PLACEHOLDER, items_of
from runbook_lib.preflight.live import Live

TASKDEF, APPSPEC = "taskdef.json", "appspec.yaml"  # the deploy action's own defaults
BUILD_OUTPUT = "the build's artifact"


@dataclass(frozen=True)
class Trouble:
    """A part that could not be read: where, what was seen, and what to do next."""

    part: str
    where: str
    seen: str
    wanted: str
    next_step: str


@dataclass(frozen=True)
class Files:
    """The deployment files of a folder, each parsed with its places; None where there is no such file."""

    directory: Path
    below: Mapping[str, int] = field(default_factory=dict)  # every file of the folder: bytes by path
    transforms: tuple[str, ...] = ()  # templates that use CloudFormation's blue/green transform
    all_searched: bool = True  # whether every template was searched for it
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # part -> paths below the folder, the first read
    buildspec: Buildspec | None = None
    facts: Facts | None = None
    trace: Trace | None = None  # what the buildspec's commands do
    taskdef: Document | None = None
    appspec: Document | None = None
    dockerfile: Dockerfile | None = None
    image_files: tuple[Document, ...] = ()  # imageDetail.json and imagedefinitions.json that are committed
    findings: tuple[Finding, ...] = ()  # what the documents' own checks say

    def containers(self) -> tuple[Node, ...]:
        """The containers of the task definition."""
        return items_of(self.taskdef.root, "containerDefinitions") if self.taskdef else ()

    def images(self) -> Iterator[Node]:
        """The image of each container, as it is written."""
        return (image for container in self.containers() if (image := container.get("image")))

    def placeholders(self) -> tuple[Node, ...]:
        """The images that are a placeholder such as <IMAGE1_NAME>."""
        return tuple(image for image in self.images() if PLACEHOLDER.fullmatch(image.raw))

    def exists(self, path: str) -> bool:
        """Whether the folder has a file of that path."""
        return path.removeprefix("./") in self.below

    def is_written(self, path: str) -> bool:
        """Whether a command of the build writes a file of that path."""
        if self.trace is None:
            return False
        written = any(path in (write.path, write.name) for write in self.trace.writes)
        return written or path.removeprefix("./") in self.trace.outputs

    def is_named(self, path: str) -> bool:
        """Whether a command is told the name of a file, and so may write it."""
        return self.trace is not None and path.removeprefix("./") in self.trace.named

    def is_filled_in(self, path: str) -> bool:
        """Whether a command of the build names a file: it may put something else into it."""
        name = path.rpartition("/")[2]
        return self.buildspec is not None and any(name in command.text for command in self.buildspec.commands)

    def entries(self) -> tuple[Node, ...]:
        """Every entry of the build's artifacts, secondary ones included."""
        return self.buildspec.entries if self.buildspec else ()

    def handed_over(self, path: str) -> Node | None:
        """The entry that takes a file into an artifact of the build."""
        return next((entry for entry in self.entries() if covers(entry.raw, path) or entry.raw == path), None)

    def of(self, *rules: str) -> tuple[Finding, ...]:
        """What the documents' own checks found under these names."""
        return tuple(finding for finding in self.findings if finding.rule in rules)

    def appspec_properties(self) -> Node | None:
        """What the AppSpec says of its service: TaskDefinition, LoadBalancerInfo and the rest."""
        resources = self.appspec.root.get("Resources") if self.appspec else None
        service = resources.items[0].pairs[0][1] if resources and resources.items and resources.items[0].pairs else None
        return service.get("Properties") if service else None

    def appspec_subnets(self) -> tuple[str, ...]:
        """The subnets that the AppSpec gives the new tasks; none where the service's own are kept."""
        properties = self.appspec_properties()
        found = properties.at("NetworkConfiguration", "AwsvpcConfiguration", "Subnets") if properties else None
        return tuple(item.raw for item in found.items) if found else ()


@dataclass(frozen=True)
class Deploy:
    """What a blue/green deploy action reads: file by file, the artifact and the path in it."""

    action: Action | None  # None: no pipeline was given, and the usual names are taken
    taskdef: tuple[str, str]  # artifact, path
    appspec: tuple[str, str]
    images: tuple[tuple[str, str], ...]  # artifact, name of the placeholder


@dataclass(frozen=True)
class Pipeline:
    """A pipeline definition, from a file or from AWS; `source` is how evidence names it."""

    source: str
    definition: Mapping[str, Any]

    def actions(self, provider: str) -> tuple[Action, ...]:
        """The actions of a provider, in their order."""
        return tuple(action for action in actions(self.definition) if action.provider == provider)

    @property
    def blue_green(self) -> tuple[Action, ...]:
        """The actions that deploy by CodeDeploy to ECS."""
        return self.actions(BLUE_GREEN)

    @property
    def rolling(self) -> tuple[Action, ...]:
        """The actions that deploy by ECS itself."""
        return self.actions(ROLLING)

    def origin(self, artifact: str) -> str:
        """The category of the action that makes an artifact: Source, Build ...; empty when none does."""
        made = [action for action in actions(self.definition) if artifact in action.outputs]
        return made[0].category if made else ""

    def deploys(self) -> tuple[Deploy, ...]:
        """What each blue/green action reads (CodePipeline user guide, action-reference-ECSbluegreen)."""
        return tuple(_deploy(action) for action in self.blue_green)

    def where(self, action: Action, key: str) -> str:
        """A field of an action's configuration, as evidence."""
        return f"{self.source}: {action.where}.configuration.{key}"


def _deploy(action: Action) -> Deploy:
    told = {key: str(value) for key, value in action.configuration.items()}
    names = [(told.get(f"Image{n}ArtifactName", ""), told.get(f"Image{n}ContainerName", "")) for n in range(1, 5)]
    return Deploy(
        action,
        (told.get("TaskDefinitionTemplateArtifact", ""), told.get("TaskDefinitionTemplatePath", TASKDEF)),
        (told.get("AppSpecTemplateArtifact", ""), told.get("AppSpecTemplatePath", APPSPEC)),
        tuple(name for name in names if any(name)),
    )


@dataclass(frozen=True)
class Picture:
    """Everything that was read; parts have the names of these fields."""

    files: Files | None = None
    pipeline: Pipeline | None = None
    live: Live | None = None
    limit_minutes: int | None = None  # how long the runbooks wait for a deployment; None: nobody said
    troubles: tuple[Trouble, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)  # part -> why nobody read it

    def deploys(self) -> tuple[Deploy, ...]:
        """What the deploy actions read; without a pipeline, what they usually do."""
        if self.pipeline:
            return self.pipeline.deploys()
        names = self.files.names if self.files else {}
        taskdef, appspec = names.get("taskdef", (TASKDEF,))[0], names.get("appspec", (APPSPEC,))[0]
        return (Deploy(None, (BUILD_OUTPUT, taskdef), (BUILD_OUTPUT, appspec), ((BUILD_OUTPUT, ""),)),)

    def rolls(self) -> bool:
        """Whether this is an application with rolling deployments: neither AppSpec nor a blue/green action."""
        if self.pipeline:
            return not self.pipeline.blue_green
        return self.files is not None and self.files.appspec is None and not self.trouble_with("files.appspec")

    def is_build(self, artifact: str) -> bool:
        """Whether an artifact is one that the build makes."""
        return artifact == BUILD_OUTPUT or (self.pipeline is not None and self.pipeline.origin(artifact) == "Build")

    def trouble_with(self, part: str) -> Trouble | None:
        """Why a part could not be read, None when nobody tried or it went well."""
        return next((trouble for trouble in self.troubles if trouble.part == part), None)

    def has(self, part: str) -> bool:
        """Whether a part is there: "pipeline", or a file of the folder as "files.taskdef"."""
        value: Any = self
        for name in part.split("."):
            value = getattr(value, name, None)
        return value is not None
