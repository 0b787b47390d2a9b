"""A buildspec as CodeBuild reads it; refusals carry file and line (CodeBuild user guide, build-spec-ref)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

PHASES = ("install", "pre_build", "build", "post_build")
ON_FAILURE = ("ABORT", "CONTINUE", "RETRY")  # RETRY may go on with a count and a pattern
SHELLS = ("bash", "sh", "/bin/sh", "/bin/bash")
# What libyaml says where ruamel.yaml says it in other words; CodeBuild's parser speaks as libyaml does.
PROBLEMS = {
    "expected <block end>, but found '<block sequence start>'": "did not find expected key",
    "expected <block end>, but found '<block mapping start>'": "did not find expected '-' indicator",
    "expected <block end>, but found": "did not find expected key",
    "mapping values are not allowed here": "mapping values are not allowed in this context",
    "that cannot start any token": "found character that cannot start any token",
    "could not find expected ':'": "could not find expected ':'",
    "found undefined alias": "unknown anchor referenced",
}


class BuildspecError(Exception):
    """Why a buildspec cannot be used."""


@dataclass(frozen=True)
class PhaseSpec:
    """One phase: its commands, what runs after them in any case, and what becomes of the build when it fails."""

    commands: tuple[str, ...] = ()
    finally_: tuple[str, ...] = ()
    on_failure: str = ""
    runtimes: Mapping[str, str] = field(default_factory=dict)
    user: str = ""


@dataclass(frozen=True)
class ArtifactSpec:
    """Which files one artifact takes."""

    files: tuple[str, ...]
    base: str = ""
    discard_paths: bool = False
    exclude: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Spec:
    """A buildspec; artifacts is None where it has no such section."""

    shell: str = "sh"
    variables: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    exported: tuple[str, ...] = ()
    phases: Mapping[str, PhaseSpec] = field(default_factory=dict)
    artifacts: ArtifactSpec | None = None
    secondary: Mapping[str, ArtifactSpec] = field(default_factory=dict)
    user: str = ""
    unserved: tuple[str, ...] = ()  # sections that the sandbox does not serve


def parse(text: str, file: str) -> Spec:
    """The buildspec in a text; file is its name in messages."""
    try:
        return _spec(_Reader(file), _compose(text))
    except MarkedYAMLError as error:
        line = (error.problem_mark or error.context_mark).line + 1
        raise BuildspecError(f"{_problem(error.problem or '')} at line {line} in {file}") from None
    except YAMLError as error:
        raise BuildspecError(f"{error} in {file}") from None


def _compose(text: str) -> Node | None:
    # What stands here is YAML 1.2 for ruamel.yaml; every scalar is taken as text, so the version makes no difference.
    yaml = YAML(typ="safe", pure=True)
    node: Node | None = yaml.compose(text)
    return node


def _problem(said: str) -> str:
    return next((ours for theirs, ours in PROBLEMS.items() if theirs in said), said)


@dataclass(frozen=True)
class _Reader:
    """Reads nodes as what they must be."""

    file: str

    def error(self, message: str, node: Node) -> BuildspecError:
        return BuildspecError(f"{message} at line {node.start_mark.line + 1} in {self.file}")

    def mapping(self, node: Node | None, what: str) -> dict[str, Node]:
        if node is None or _is_null(node):
            return {}
        if not isinstance(node, MappingNode):
            raise self.error(f"Expected {what} to be of map type: found {_kind(node)} instead", node)
        found: dict[str, Node] = {}
        for key, value in node.value:
            if key.value in found:
                raise self.error(f'key "{key.value}" already set in map', key)
            found[str(key.value)] = value
        return found

    def text(self, node: Node, what: str) -> str:
        if not isinstance(node, ScalarNode) or _is_null(node):
            raise self.error(f"Expected {what} to be of string type: found {_kind(node)} instead", node)
        return str(node.value)

    def texts(self, node: Node | None, what: str) -> tuple[str, ...]:
        if node is None or _is_null(node):
            return ()
        if isinstance(node, ScalarNode):
            return (self.text(node, what),)
        if not isinstance(node, SequenceNode):
            raise self.error(f"Expected {what} to be of list type: found {_kind(node)} instead", node)
        return tuple(self.text(each, f"{what}[{number}]") for number, each in enumerate(node.value))

    def commands(self, node: Node | None) -> tuple[str, ...]:
        for number, each in enumerate(node.value if isinstance(node, SequenceNode) else ()):
            if not isinstance(each, ScalarNode):
                line = each.start_mark.line + 1
                raise BuildspecError(
                    f"Expected Commands[{number}] to be of string type: found subkeys instead at line {line}, value of "
                    f"the key tag on line {max(line - 1, 1)} might be empty in {self.file}"
                )
        return self.texts(node, "Commands")

    def strings(self, node: Node | None, what: str) -> dict[str, str]:
        return {key: self.text(value, f"{what}.{key}") for key, value in self.mapping(node, what).items()}

    def yes(self, node: Node | None) -> bool:
        return node is not None and str(node.value).lower() in ("yes", "true", "on", "y")


def _spec(reader: _Reader, root: Node | None) -> Spec:
    if root is None or not isinstance(root, MappingNode):
        raise BuildspecError(f"wrong number of container tags, expected 1 at line 1 in {reader.file}")
    top = reader.mapping(root, "buildspec")
    _check_version(reader, top, root)
    environment = reader.mapping(top.get("env"), "env")
    shell = environment.get("shell")
    artifacts = reader.mapping(top.get("artifacts"), "artifacts")
    return Spec(
        shell=_shell(reader, shell) if shell else "sh",
        variables=reader.strings(environment.get("variables"), "variables"),
        parameters=reader.strings(environment.get("parameter-store"), "parameter-store"),
        secrets=reader.strings(environment.get("secrets-manager"), "secrets-manager"),
        exported=reader.texts(environment.get("exported-variables"), "exported-variables"),
        phases=_phases(reader, top.get("phases"), root),
        artifacts=_artifact(reader, artifacts, top["artifacts"]) if artifacts else None,
        secondary={
            name: _artifact(reader, reader.mapping(node, name), node)
            for name, node in reader.mapping(artifacts.get("secondary-artifacts"), "secondary-artifacts").items()
        },
        user=reader.text(top["run-as"], "run-as") if "run-as" in top else "",
        unserved=tuple(name for name in ("reports", "cache", "batch", "proxy") if name in top),
    )


def _check_version(reader: _Reader, top: Mapping[str, Node], root: Node) -> None:
    if "version" not in top:
        raise reader.error("missing version: 0.2 is expected", root)
    version = reader.text(top["version"], "version")
    if version not in ("0.1", "0.2"):
        raise reader.error(f"unknown version {version}: 0.1 or 0.2 is expected", top["version"])


def _shell(reader: _Reader, node: Node) -> str:
    shell = reader.text(node, "shell")
    if shell not in SHELLS:
        raise reader.error(f"Invalid shell type: {shell}. Expecting: bash,/bin/sh", node)
    return "bash" if shell.endswith("bash") else "sh"


def _phases(reader: _Reader, node: Node | None, root: Node) -> dict[str, PhaseSpec]:
    found = reader.mapping(node, "phases")
    if not found:
        raise reader.error("phases are missing: at least one of install, pre_build, build and post_build", root)
    for name, inner in found.items():
        if name not in PHASES:
            raise reader.error(
                f"Invalid buildspec phase name found: {name}. Expecting: BUILD,INSTALL,POST_BUILD,PRE_BUILD", inner
            )
    return {name: _phase(reader, name, inner) for name, inner in found.items()}


def _phase(reader: _Reader, name: str, node: Node) -> PhaseSpec:
    found = reader.mapping(node, name)
    commands = reader.commands(found.get("commands"))
    if not commands and name != "install":
        raise reader.error(f"commands are missing in phase {name}", node)
    return PhaseSpec(
        commands=commands,
        finally_=reader.commands(found.get("finally")),
        on_failure=_on_failure(reader, found["on-failure"]) if "on-failure" in found else "",
        runtimes=reader.strings(found.get("runtime-versions"), "runtime-versions"),
        user=reader.text(found["run-as"], "run-as") if "run-as" in found else "",
    )


def _on_failure(reader: _Reader, node: Node) -> str:
    word = reader.text(node, "on-failure")
    if word.partition("-")[0] not in ON_FAILURE:
        raise reader.error(f"Invalid on-failure: {word}. Expecting: {','.join(ON_FAILURE)}", node)
    return word


def _artifact(reader: _Reader, found: Mapping[str, Node], node: Node) -> ArtifactSpec:
    files = reader.texts(found.get("files"), "files")
    if not files:
        raise reader.error("files are missing in artifacts", node)
    return ArtifactSpec(
        files=files,
        base=reader.text(found["base-directory"], "base-directory") if "base-directory" in found else "",
        discard_paths=reader.yes(found.get("discard-paths")),
        exclude=reader.texts(found.get("exclude-paths"), "exclude-paths"),
        name=reader.text(found["name"], "name") if "name" in found else "",
    )


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and not node.style and str(node.value) in ("", "~", "null", "Null", "NULL")


def _kind(node: Any) -> str:
    if _is_null(node):
        return "nothing"
    return {ScalarNode: "text", SequenceNode: "a list", MappingNode: "subkeys"}[type(node)]
