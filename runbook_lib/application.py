"""Bring your own application: a folder with a buildspec and a Dockerfile, and what its files say about the walk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runbook_lib.documents import buildspec, imagedetail, taskdef
from runbook_lib.documents.buildspec import Fact, Facts, Repair
from runbook_lib.documents.finding import Finding, refuse
from runbook_lib.documents.folder import Folder, missing, open_folder
from runbook_lib.documents.imageuri import ImageUri, image_uri
from runbook_lib.documents.node import Node
from runbook_lib.documents.source import Source
from runbook_lib.errors import BadInput

# The sandbox's own; on AWS the parameters name account and region, and these are never used.
DEFAULT_ACCOUNT, DEFAULT_REGION = "123456789012", "us-east-1"
DEFAULT_PORT, DEFAULT_PATH, DEFAULT_TAG = 80, "/", "latest"
_ACCOUNT = re.compile(r"\d{12}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*")
_CONTAINER = re.compile(r"[A-Za-z0-9_-]{1,255}")
# What these names mean in nearly every buildspec, also where the image's name does not use them.
_CONVENTIONS = {
    "AWS_ACCOUNT_ID": "account",
    "ACCOUNT_ID": "account",
    "REGION": "region",
    "IMAGE_REPO_NAME": "repository",
    "ECR_REPOSITORY": "repository",
    "IMAGE_TAG": "tag",
    "CONTAINER_NAME": "container",
    "REPOSITORY_URI": "uri",
    "ECR_REPOSITORY_URI": "uri",
    "ECR_URI": "uri",
}


@dataclass(frozen=True)
class Application:
    """An application that can be walked; paths are relative to its directory, `source` says where each value stands.

    `environment` is the container's, `build_environment` what the build project must set for this buildspec;
    `unset_variables` are looked up by the buildspec and set by nobody. `repairs` are what its buildspec needs.
    """

    directory: Path
    buildspec_path: str
    dockerfile_path: str
    account: str
    region: str
    repository: str
    container: str
    port: int
    health_path: str
    source: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    build_environment: Mapping[str, str] = field(default_factory=dict)
    unset_variables: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = field(default=(), repr=False)


def read(directory: Path | str, *, buildspec_path: str | None = None) -> Application:
    """Read an application's folder; an error names every file and line that keeps it from being walked."""
    folder = open_folder(Path(directory), buildspec_path)
    refuse(_obstacles(folder))
    return _application(folder)


def obstacles(directory: Path | str, *, buildspec_path: str | None = None) -> tuple[Finding, ...]:
    """Everything in the folder's files that keeps it from being walked; none when it can be."""
    return tuple(_obstacles(open_folder(Path(directory), buildspec_path)))


def _obstacles(folder: Folder) -> Iterator[Finding]:
    yield from folder.facts.obstacles
    yield from _registry_obstacles(folder)
    yield from _file_obstacles(folder)
    if not folder.facts.obstacles:
        yield from _value_obstacles(folder)
        yield from _edit_obstacles(folder)
    yield from _artifact_obstacles(folder)


def _registry_obstacles(folder: Folder) -> Iterator[Finding]:
    registry = folder.facts.registry
    if registry and registry.value:
        yield Finding(
            "registry_not_ecr",
            registry.where,
            f"the image {registry.value!r}",
            "a private repository of Amazon ECR (<account>.dkr.ecr.<region>.amazonaws.com/<name>)",
            "push to a private ECR repository",
        )


def _file_obstacles(folder: Folder) -> Iterator[Finding]:
    wanted = folder.facts.dockerfile
    if wanted and folder.dockerfile_path is None:
        yield Finding(
            "missing_dockerfile",
            wanted.where,
            f"no file {wanted.value}",
            "the Dockerfile that this docker build reads",
            f"put {wanted.value} into the folder",
        )
    for absent in missing(folder):
        what = "directory" if absent.is_directory else "file"
        yield Finding(
            "missing_file",
            absent.where,
            f"no {what} {absent.path}" if "*" not in absent.path else f"nothing that fits {absent.path}",
            "everything that the build reads, in the folder",
            f"put {absent.path} into the folder (also when a command of the build makes it on AWS)",
        )


def _value_obstacles(folder: Folder) -> Iterator[Finding]:
    values = _values(folder)
    for name, pattern, wanted in (
        ("account", _ACCOUNT, "an account number of 12 digits"),
        ("region", _REGION, "a region such as us-east-1"),
        ("repository", _REPOSITORY, "the name of an ECR repository in lower case"),
        ("container", _CONTAINER, "a container name of letters, digits, - and _"),
    ):
        value, where = values[name]
        if not pattern.fullmatch(value):
            yield Finding(f"application_{name}", where, f"the {name} {value!r}", wanted, f"write {wanted}")


def _edit_obstacles(folder: Folder) -> Iterator[Finding]:
    """What would keep 21_buildspec from editing the buildspec: said before the walk begins, not in the midst of it."""
    try:
        buildspec.to_blue_green(folder.buildspec, container=_values(folder)["container"][0])
    except BadInput as error:
        where = error.where or folder.buildspec.name
        yield Finding("buildspec_edit", where, error.seen, error.wanted, error.next_step)


def _artifact_obstacles(folder: Folder) -> Iterator[Finding]:
    facts, name = folder.facts, imagedetail.DEFINITIONS
    files = facts.artifact_files
    if facts.definitions is None and folder.definitions is None:
        yield Finding(
            "no_imagedefinitions",
            folder.buildspec.name,
            f"no command that writes {name}, and no such file",
            f"{name}: the rolling deployment that the walk starts from reads it",
            "write it in post_build, after the push",
        )
    elif files and not any(buildspec.covers(entry, name) for entry in files):
        yield Finding(
            "artifact_without_definitions",
            folder.buildspec.name,
            f"artifacts.files without {name}: {', '.join(files)}",
            f"{name} in the artifact, as the rolling deployment needs it",
            f"add {name} to artifacts.files",
        )


Value = tuple[str, str]


def _application(folder: Folder) -> Application:
    values = _values(folder)
    port, path, environment = _port(folder, values["container"][0]), _health(folder), _environment(folder, values)
    build_environment = _build_environment(folder.facts, values)
    places = {
        name: where for name, (_, where) in (values | {"port": port, "health_path": path}).items() if name != "uri"
    }
    return Application(
        directory=folder.directory,
        buildspec_path=folder.buildspec.name,
        dockerfile_path=folder.dockerfile_path or "",
        account=values["account"][0],
        region=values["region"][0],
        repository=values["repository"][0],
        container=values["container"][0],
        port=int(port[0]),
        health_path=path[0],
        source=places,
        environment=environment,
        build_environment=build_environment,
        unset_variables=tuple(name for name in folder.facts.outside if name not in build_environment),
        repairs=buildspec.repairs(folder.buildspec),
    )


def _values(folder: Folder) -> dict[str, Value]:
    """Account, region, repository, container, tag and the repository's address: buildspec first, then other files."""
    facts, committed = folder.facts, _committed(folder)
    name, image, where = committed if committed else ("", None, "")
    account = _first(facts.account, _told(image.account if image else "", where)) or _in_taskdef(folder, _ARN)
    region = _first(facts.region, _told(image.region if image else "", where)) or _in_taskdef(folder, _LOG_REGION)
    repository = _first(facts.repository, _told(image.repository if image else "", where))
    # What the build writes elsewhere never reaches the pipeline: there the committed file counts.
    written = facts.container if facts.definitions in (None, imagedetail.DEFINITIONS) or not name else None
    container = _first(written, _told(name, where)) or _only_container(folder)
    values = {
        "account": account or _default(DEFAULT_ACCOUNT, "no file names an account"),
        "region": region or _default(DEFAULT_REGION, "no file names a region"),
        "repository": repository or _default(_slug(folder.directory.name), "no file names it; the folder's name"),
    }
    values["container"] = container or _default(values["repository"][0].rsplit("/", 1)[-1], "named as the repository")
    return values


def _first(fact: Fact | None, other: Value | None) -> Value | None:
    return (fact.value, fact.where) if fact and fact.value else other


def _told(value: str, where: str) -> Value | None:
    return (value, where) if value else None


def _default(value: str, why: str) -> Value:
    return value, f"default: {why}"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "application"


def _committed(folder: Folder) -> tuple[str, ImageUri | None, str] | None:
    """Container and image of an imagedefinitions.json in the folder; None when it is not usable."""
    if folder.definitions is None or imagedetail.check_image_definitions(folder.definitions):
        return None
    first = imagedetail.parse_image_definitions(folder.definitions)[0]
    image = image_uri(first.image)
    return first.container, image if image and image.account else None, f"{folder.definitions.name}:1"


_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):")
_LOG_REGION = re.compile(r"\"awslogs-region\"\s*:\s*\"([a-z0-9-]+)\"")


def _in_taskdef(folder: Folder, pattern: re.Pattern[str]) -> Value | None:
    found = pattern.search(folder.taskdef.text) if folder.taskdef else None
    return (found[1], folder.taskdef.where(found.start())) if found and folder.taskdef else None


def _only_container(folder: Folder) -> Value | None:
    if folder.taskdef is None:
        return None
    named = taskdef.containers(folder.taskdef)
    return (named[0].name, f"{folder.taskdef.name}:1") if len(named) == 1 else None


def _container_node(folder: Folder, container: str) -> tuple[Source, Node] | None:
    if folder.taskdef is None:
        return None
    listed = taskdef.parse(folder.taskdef).root.get("containerDefinitions")
    items = listed.items if listed else ()
    found = next((item for item in items if item.text("name") == container), items[0] if len(items) == 1 else None)
    return (folder.taskdef, found) if found else None


def _port(folder: Folder, container: str) -> Value:
    found = _container_node(folder, container)
    port = found[1].at("portMappings", 0, "containerPort") if found else None
    if found and port and isinstance(port.value, int):
        return port.raw, found[0].where(port.start)
    ports = folder.dockerfile.ports if folder.dockerfile else ()
    if ports:
        return str(ports[0][0]), f"{folder.dockerfile_path}:{ports[0][1]}"
    return _default(str(DEFAULT_PORT), "no EXPOSE in the Dockerfile")


def _health(folder: Folder) -> Value:
    found = folder.dockerfile.health_path if folder.dockerfile else None
    if found:
        return found[0], f"{folder.dockerfile_path}:{found[1]}"
    return _default(DEFAULT_PATH, "no health check over HTTP in the Dockerfile")


def _environment(folder: Folder, values: Mapping[str, Value]) -> dict[str, str]:
    """The container's environment as its task definition has it; none without a task definition."""
    found = _container_node(folder, values["container"][0])
    listed = found[1].get("environment") if found else None
    return {item.text("name"): item.text("value") for item in listed.items} if listed else {}


def _build_environment(facts: Facts, values: Mapping[str, Value]) -> dict[str, str]:
    account, region, repository = (values[name][0] for name in ("account", "region", "repository"))
    host = f"{account}.dkr.ecr.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
    known = {name: value for name, (value, _) in values.items()} | {"tag": DEFAULT_TAG, "uri": f"{host}/{repository}"}
    named = {name: known[meaning] for name, meaning in _CONVENTIONS.items()}
    for name in ("account", "region", "repository", "tag", "container"):
        fact: Fact | None = getattr(facts, name)
        if fact and fact.variable:
            named[fact.variable] = known[name]
    if facts.registry and facts.registry.variable:
        named[facts.registry.variable] = host if facts.repository else known["uri"]
    return {name: named[name] for name in facts.outside if name in named}
