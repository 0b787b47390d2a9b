"""What a buildspec says about its application: registry, repository, container, image, Dockerfile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runbook_lib.documents.buildspec.detail import definitions_written
from runbook_lib.documents.buildspec.output import NotReadable, shown
from runbook_lib.documents.buildspec.spec import NAME, Buildspec, Command, parse
from runbook_lib.documents.buildspec.trace import ImageBuild, ImageName, Trace, trace
from runbook_lib.documents.finding import Finding
from runbook_lib.documents.shell import Hole, Part, Piece, text_of
from runbook_lib.documents.source import Source

_ECR = re.compile(r"(?P<account>.*?)\.dkr\.ecr(?:-fips)?\.(?P<region>.+?)\.amazonaws\.com(?:\.cn)?/(?P<repository>.+)")
_MARK = re.compile("[\ue000-\uf8ff]")


@dataclass(frozen=True)
class Fact:
    """A value and the line that says it; where a variable of the build project holds it, `variable` names that."""

    value: str
    where: str
    variable: str = ""


@dataclass(frozen=True)
class Facts:
    """What the walk needs to know of a buildspec; a fact is None when the file says nothing about it.

    `image` is the expression that imagedefinitions.json (or the push) names; `outside` are the variables that the
    build project must set; `definitions` is where imagedefinitions.json lands, from the source directory, and
    `directories` are those that the commands change into, each with its line.
    """

    account: Fact | None
    region: Fact | None
    repository: Fact | None
    tag: Fact | None
    registry: Fact | None
    container: Fact | None
    image: Fact | None
    definitions: str | None
    dockerfile: Fact | None
    context: str | None
    files_written: tuple[str, ...]
    directories: tuple[tuple[str, str], ...]
    artifact_files: tuple[str, ...]
    outside: tuple[str, ...]
    obstacles: tuple[Finding, ...]


def facts(text: str | bytes | Source, *, name: str = NAME) -> Facts:
    """Read what a buildspec says, and what in it keeps it from being walked."""
    spec = parse(text, name=name)
    seen = trace(spec)
    image, container, definitions = _handed_over(spec, seen)
    parts = _parts(spec, seen, image)
    build = _build_of(seen)
    return Facts(
        **{key: parts.get(key) for key in ("account", "region", "repository", "tag", "registry")},
        container=container,
        image=Fact(image[1], spec.document.where(image[0].node)) if image else None,
        definitions=definitions,
        dockerfile=_fact(spec, build.command, build.dockerfile) if build else None,
        context=build.context if build else None,
        files_written=tuple(dict.fromkeys(write.path or write.name for write in seen.writes)),
        directories=tuple((path, spec.document.where(command.node)) for path, command in seen.entered.items()),
        artifact_files=tuple(node.raw for node in spec.files),
        outside=tuple(seen.outside),
        obstacles=tuple(_obstacles(spec, seen)),
    )


Image = tuple[Command, str, tuple[Part, ...]]


def _handed_over(spec: Buildspec, seen: Trace) -> tuple[Image | None, Fact | None, str | None]:
    """The image that is handed to the deploy action, the container it is for, and where the file is written."""
    for write, images in definitions_written(spec, seen):
        if isinstance(images, NotReadable) or not images:
            continue
        first = images[0]
        name = seen.scope.pieces(first.container)
        container = _named(spec, write.command, name)
        return (write.command, shown(first.image), seen.scope.pieces(first.image)), container, write.path
    for push in reversed(seen.pushes):
        return (push.command, push.raw, push.name), None, None
    return None, None, None


def _named(spec: Buildspec, command: Command, parts: tuple[Part, ...]) -> Fact | None:
    text = text_of(parts)
    if text:
        return _fact(spec, command, text)
    holes = [part for part in parts if isinstance(part, Hole) and part.name]
    return Fact("", spec.document.where(command.node), holes[0].name) if len(parts) == 1 and holes else None


def _fact(spec: Buildspec, command: Command, value: str | None) -> Fact | None:
    return Fact(value, spec.document.where(command.node)) if value else None


def _parts(spec: Buildspec, seen: Trace, image: Image | None) -> dict[str, Fact]:
    """Account, region, repository and tag out of an image's name; `registry` is the variable of what is not split."""
    if image is None:
        return {}
    command, _, parts = image
    holes = [part for part in parts if isinstance(part, Hole)]
    marks = iter(range(0xE000, 0xF8FF))
    text = "".join(part if isinstance(part, str) else chr(next(marks)) for part in parts)
    name, tag = _split_tag(text)
    found = _ECR.fullmatch(name)
    pieces = found.groupdict() if found else _by_variable(name)
    facts = {key: _piece(spec, seen, command, piece, holes) for key, piece in (pieces | {"tag": tag}).items()}
    return {key: fact for key, fact in facts.items() if fact}


def _by_variable(name: str) -> dict[str, str]:
    """$REGISTRY/app: the variable holds the registry alone; anything else is the whole name of the repository."""
    host, slash, repository = name.partition("/")
    return {"registry": host, "repository": repository} if slash and _MARK.fullmatch(host) else {"registry": name}


def _split_tag(text: str) -> tuple[str, str]:
    """Behind the last colon after the last slash stands the tag."""
    slash = text.rfind("/")
    name, colon, tag = text[slash + 1 :].partition(":")
    return (text[: slash + 1] + name, tag) if colon else (text, "")


def _piece(spec: Buildspec, seen: Trace, command: Command, piece: str, holes: list[Hole]) -> Fact | None:
    marks = _MARK.findall(piece)
    if not marks:
        return Fact(piece, _said_at(spec, seen, piece, command)) if piece else None
    name = holes[ord(marks[0]) - 0xE000].name if len(piece) == 1 else ""
    return Fact("", spec.document.where(command.node), name)


def _said_at(spec: Buildspec, seen: Trace, piece: str, command: Command) -> str:
    """The line that writes the value down: a variable's, or the command's own."""
    for node in spec.variables.values():
        if node.raw and (piece == node.raw or (piece in node.raw and "." in node.raw)):
            return spec.document.where(node)
    writing = (other for other in seen.assigned_at.values() if piece in other.text)
    return spec.document.where(next(writing, command).node)


def _build_of(seen: Trace) -> ImageBuild | None:
    """The docker build whose image is handed over: the one that is pushed or tagged from, else the first."""
    pushed = {_with_tag(push.name) for push in seen.pushes}
    pushed |= {_with_tag(tag.source or ()) for tag in seen.tags if _with_tag(tag.name) in pushed}
    fitting = (build for build in seen.builds if any(_with_tag(name) in pushed for name in build.tags))
    return next(fitting, seen.builds[0] if seen.builds else None)


def _with_tag(name: tuple[Part, ...]) -> tuple[Part, ...]:
    """docker adds :latest to a name without a tag."""
    last = name[-1] if name else ""
    whole = "".join(part if isinstance(part, str) else "x" for part in name)
    tagged = ":" in whole.rsplit("/", 1)[-1]
    if tagged or not name:
        return name
    return (*name[:-1], f"{last}:latest") if isinstance(last, str) else (*name, ":latest")


def _obstacles(spec: Buildspec, seen: Trace) -> Iterator[Finding]:
    """What stops the build itself, on AWS as in a rehearsal."""
    found = _Obstacles(spec, seen)
    yield from found.shell()
    yield from found.build()
    yield from found.names()
    yield from found.definitions()


class _Obstacles:
    def __init__(self, spec: Buildspec, seen: Trace) -> None:
        self.spec, self.seen = spec, seen

    def _finding(self, rule: str, command: Command | None, seen: str, wanted: str, remedy: str) -> Finding:
        node = command.node if command else self.spec.root
        return Finding(rule, self.spec.document.where(node), seen, wanted, remedy)

    def shell(self) -> Iterator[Finding]:
        for command, problem in self.seen.unreadable:
            if problem.certain:
                wanted = "a command the shell can read"
                yield self._finding("buildspec_shell", command, problem.seen, wanted, "close it")
        for command, statement in self.seen.wrong_tags:
            seen = f"docker tag with {len(statement.arguments) - 1} name"
            yield self._finding("docker_tag_arguments", command, seen, "docker tag <from> <to>", "give both names")

    def build(self) -> Iterator[Finding]:
        if not self.seen.builds:
            scripts = [f"line {command.line} runs {statement.program}" for command, statement in self.seen.scripts]
            seen = f"no docker build{f' ({scripts[0]}, which is not read)' if scripts else ''}"
            yield self._finding("no_image_built", None, seen, "a docker build of the image", "build it in this file")
        for build in self.seen.builds:
            if build.context is None:
                seen = "a docker build whose directory is not written in the file"
                yield self._finding("build_context_unknown", build.command, seen, "docker build <directory>", "name it")

    def names(self) -> Iterator[Finding]:
        known = {_with_tag(name) for build in self.seen.builds for name in build.tags}
        known |= {_with_tag(pull.name) for pull in self.seen.pulls}
        for tag in self.seen.tags:
            if self.seen.builds and _with_tag(tag.source or ()) not in known:
                word = tag.statement.arguments[1].raw
                yield self._unknown("docker_tag_source", tag, f"docker tag of {word}")
            known.add(_with_tag(tag.name))
        for push in self.seen.pushes:
            if self.seen.builds and _with_tag(push.name) not in known and not _pushes_all(push):
                yield self._unknown("docker_push_unknown", push, f"docker push of {push.raw}")

    def _unknown(self, rule: str, image: ImageName, seen: str) -> Finding:
        wanted = "an image that a docker build or docker tag before it has made"
        return self._finding(
            rule, image.command, f"{seen}, which nothing before it makes", wanted, "build or tag it first"
        )

    def definitions(self) -> Iterator[Finding]:
        for write, images in definitions_written(self.spec, self.seen):
            if not isinstance(images, NotReadable) and len(images) > 1:
                seen = f"images for {len(images)} containers"
                yield self._finding("several_images", write.command, seen, "one image", "choose the container")
            elif not isinstance(images, NotReadable):
                yield from self._unpushed(write.command, images[0].image)
        if not self.seen.pushes and self.seen.builds:
            yield self._finding("no_image_pushed", None, "no docker push", "a docker push of the image", "push it")

    def _unpushed(self, command: Command, image: tuple[Piece, ...]) -> Iterator[Finding]:
        pushed = {_with_tag(push.name) for push in self.seen.pushes}
        if (
            pushed
            and _with_tag(self.seen.scope.pieces(image)) not in pushed
            and not any(map(_pushes_all, self.seen.pushes))
        ):
            seen = f"{shown(image)} handed over, while {', '.join(push.raw for push in self.seen.pushes)} is pushed"
            yield self._finding("image_not_pushed", command, seen, "the image that was pushed", "name the pushed image")


def _pushes_all(push: ImageName) -> bool:
    return any(word.literal in ("-a", "--all-tags") for word in push.statement.words)
