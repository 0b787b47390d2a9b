"""The command that writes imageDetail.json, put directly after the one that writes imagedefinitions.json.

What each file holds: CodePipeline user guide, "Image definitions file reference" (file-reference).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from runbook_lib.documents.buildspec.output import (
    Image,
    NotReadable,
    double_quoted,
    images_in,
    images_written,
    pieces_written,
    shown,
)
from runbook_lib.documents.buildspec.place import Planned, by_hand, item_after, line_inside
from runbook_lib.documents.buildspec.spec import NAME, Buildspec, Command, parse
from runbook_lib.documents.buildspec.trace import ImageName, Trace, Write, trace
from runbook_lib.documents.edit import Edit, Splice
from runbook_lib.documents.imagedetail import DEFINITIONS, DETAIL
from runbook_lib.documents.imageuri import image_uri
from runbook_lib.documents.shell import Piece, Statement, text_of
from runbook_lib.documents.source import Source
from runbook_lib.errors import BadInput

_LOOKED_FOR = (
    f"a command that writes {DEFINITIONS} by printf, echo, jq or cat <<, or else one image that docker push names"
)


@dataclass(frozen=True)
class Anchor:
    """The statement after which imageDetail.json is written, the image it names, and the file to write."""

    command: Command
    statement: Statement
    image: tuple[Piece, ...]
    target: str
    reason: str

    @property
    def line(self) -> str:
        return f'printf \'{{"ImageURI":"%s"}}\' {double_quoted(self.image)} > {self.target}'


def write_image_detail(text: str | bytes | Source, *, name: str = NAME, container: str | None = None) -> Edit:
    """Add the command that writes imageDetail.json with the very image that the buildspec hands over today.

    `container` chooses one where imagedefinitions.json names several. A second edit changes nothing.
    """
    return planned_detail(parse(text, name=name), container).edit()


def planned_detail(spec: Buildspec, container: str | None, image: str | None = None) -> Planned:
    """The new commands and their reasons, not applied yet; `image` chooses one of several that are pushed."""
    seen = trace(spec)
    _refuse_unreadable(spec, seen)
    details = [write for write in seen.writes if write.name == DETAIL]
    if details:
        return Planned(spec, (), tuple(_already(spec, seen, write) for write in details))
    anchors = list(_anchors(spec, seen, container)) or [_pushed(spec, seen, image)]
    reasons = dict.fromkeys(reason for anchor in anchors for reason in (anchor.reason, *_unpushed(seen, anchor)))
    splices = tuple(_splice(spec, anchor) for anchor in anchors)
    return Planned(spec, splices, tuple(reasons), lambda after: _verify(spec, after, anchors))


def definitions_written(spec: Buildspec, seen: Trace) -> Iterator[tuple[Write, tuple[Image, ...] | NotReadable]]:
    """Every complete write of imagedefinitions.json with the images in it, or why they cannot be told."""
    pending: list[Write] = []
    for write in (write for write in seen.writes if write.name == DEFINITIONS):
        pending = [*pending, write] if write.appends else [write]
        try:
            yield write, _images(pending)
        except NotReadable as reason:
            following = [other for other in seen.writes if other.name == DEFINITIONS and other.appends]
            if not any(_later(other, write) for other in following):
                yield write, reason


def _later(other: Write, write: Write) -> bool:
    place = (other.command.line, other.statement.start)
    return place > (write.command.line, write.statement.start)


def _images(pending: list[Write]) -> tuple[Image, ...]:
    if not all(write.readable for write in pending):
        raise NotReadable(f"written by {pending[-1].statement.program!r}, not by printf, echo, jq or cat <<")
    if len(pending) == 1:
        return images_written(pending[0].chain)
    return images_in(tuple(piece for write in pending for piece in pieces_written(write.chain[0])), key="imageUri")


def _anchors(spec: Buildspec, seen: Trace, container: str | None) -> Iterator[Anchor]:
    for write, images in definitions_written(spec, seen):
        if isinstance(images, NotReadable):
            raise spec.document.bad(
                write.command.node,
                seen=f"{DEFINITIONS}, of which the image cannot be told: {images}",
                wanted=_LOOKED_FOR,
                next_step="write the file by one printf with the image as its value, then edit again",
            )
        image = _chosen(spec, seen, write, images, container)
        target, reason = _target(spec, write)
        line = write.command.line_at(write.statement.start)
        why = f"line {line} writes {DEFINITIONS} with {shown(image.image)}; {reason}"
        yield Anchor(write.command, write.statement, image.image, target, why)


def _chosen(spec: Buildspec, seen: Trace, write: Write, images: tuple[Image, ...], container: str | None) -> Image:
    named = [(text_of(seen.scope.pieces(image.container)) or shown(image.container), image) for image in images]
    fitting = [image for name, image in named if container in (None, name)]
    # A file that never reaches the artifact names its container in vain; its only image is the one that is built.
    stray = list(images) if write.path and posixpath.dirname(write.path) != spec.base_directory else []
    for found in (fitting, stray):
        if len(found) == 1:
            return found[0]
    names = ", ".join(repr(name) for name, _ in named)
    raise spec.document.bad(
        write.command.node,
        seen=f"images for the containers {names}",
        wanted=f"the container {container!r}" if container else "one image: imageDetail.json holds no more",
        next_step="name the container whose image the pipeline replaces (service.container in the parameters)",
    )


def _target(spec: Buildspec, write: Write) -> tuple[str, str]:
    base = spec.base_directory
    inside = write.path is not None and posixpath.dirname(write.path) == base
    if inside and DEFINITIONS in write.target.raw and not _moves_on(write):
        return write.target.raw.replace(
            DEFINITIONS, DETAIL
        ), f"the new line writes the same image to {DETAIL} beside it"
    path = posixpath.join(base, DETAIL)
    where = f"{write.path}, which the artifact does not take" if write.path and not inside else "another directory"
    return f'"$CODEBUILD_SRC_DIR/{path}"', f"that is {where}: the new line writes the same image where the artifact is"


def _moves_on(write: Write) -> bool:
    """Whether the command changes the directory after the write, before the new line runs."""
    return write.command.node.style != "|" and " cd " in f" {write.command.text[write.statement.end :]} "


def _pushed(spec: Buildspec, seen: Trace, image: str | None) -> Anchor:
    names = {push.name: push for push in seen.pushes if image is None or text_of(push.name) == image}
    exact = {name: push for name, push in names.items() if not str(name[-1]).endswith(":latest")}
    candidates = list((exact or names).values())
    if len(candidates) != 1:
        raise _nothing_found(spec, candidates)
    push = candidates[0]
    reason = f"no command writes {DEFINITIONS}; line {push.command.line} pushes {push.raw}, which the new line names"
    target = f'"$CODEBUILD_SRC_DIR/{posixpath.join(spec.base_directory, DETAIL)}"'
    return Anchor(push.command, push.statement, push.word.pieces, target, reason)


def _nothing_found(spec: Buildspec, candidates: list[ImageName]) -> BadInput:
    pushed = ", ".join(f"{push.raw} (line {push.command.line})" for push in candidates)
    return spec.document.bad(
        spec.root,
        seen=f"no command that writes {DEFINITIONS}, and {f'pushes of {pushed}' if pushed else 'no docker push'}",
        wanted=_LOOKED_FOR,
        next_step=f'add to post_build, after the push: printf \'{{"ImageURI":"%s"}}\' "<image>" > {DETAIL}',
    )


def _already(spec: Buildspec, seen: Trace, write: Write) -> str:
    line = write.command.line_at(write.statement.start)
    try:
        if not write.readable:
            raise NotReadable(f"by {write.statement.program}")
        image = images_written(write.chain, key="ImageURI")[0].image
    except NotReadable as reason:
        if "no key" in str(reason) or "no JSON" in str(reason):
            raise _wrong_detail(spec, write, str(reason)) from None
        return f"nothing to do: line {line} writes {DETAIL} already ({reason})"
    value = text_of(seen.scope.pieces(image))
    if value is not None and image_uri(value) is None:
        raise _wrong_detail(spec, write, f"the image {value!r}")
    return f"nothing to do: line {line} writes {DETAIL} already, with {shown(image)}"


def _wrong_detail(spec: Buildspec, write: Write, seen: str) -> BadInput:
    return spec.document.bad(
        write.command.node,
        seen=f"{DETAIL} written with {seen}",
        wanted='{"ImageURI": "<the image that was pushed>"}',
        next_step="remove this command, then edit again: the right one is added",
    )


def _unpushed(seen: Trace, anchor: Anchor) -> Iterator[str]:
    image = seen.scope.pieces(anchor.image)
    pushed = {push.name for push in seen.pushes}
    if pushed and image not in pushed:
        yield f"note: no docker push names {shown(anchor.image)}; pushed: {', '.join(push.raw for push in seen.pushes)}"


def _refuse_unreadable(spec: Buildspec, seen: Trace) -> None:
    for command, problem in seen.unreadable:
        if DEFINITIONS in command.text or DETAIL in command.text:
            raise spec.document.bad(
                command.node, seen=problem.seen, wanted="a command that the shell can read", next_step="close it"
            )


def _splice(spec: Buildspec, anchor: Anchor) -> Splice:
    command, statement = anchor.command, anchor.statement
    if command.shared:
        raise by_hand(
            spec, command, anchor.line, seen="a command in a list that another place uses too (anchor, alias)"
        )
    if not statement.whole or statement.joiner == "||":
        raise by_hand(spec, command, anchor.line, seen="a statement that runs only in some cases")
    if command.node.style == "|" and not command.node.alias:
        return line_inside(spec, command, statement.start, statement.chain_end, anchor.line)
    if statement.depth:
        raise by_hand(spec, command, anchor.line, seen="a statement inside an if, for or ( )")
    return item_after(spec, command, anchor.line)


def _verify(spec: Buildspec, edited_spec: Buildspec, anchors: list[Anchor]) -> None:
    """The commands after the edit are those before it and the new ones: anything else is no edit to hand out."""
    before, after = _lines(spec), _lines(edited_spec)
    for anchor in anchors:
        new = next((number for number, line in enumerate(after) if line.strip() == anchor.line), None)
        after = after if new is None else after[:new] + after[new + 1 :]
    if before != after:
        raise by_hand(spec, anchors[0].command, anchors[0].line, seen="a place where a new line would change others")


def _lines(spec: Buildspec) -> list[str]:
    return [line for command in spec.commands for line in command.text.rstrip("\n").split("\n")]
