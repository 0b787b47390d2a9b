"""What the build hands to the deploy action: artifacts.files with all three files, imagedefinitions.json kept.

Patterns: CodeBuild user guide, "Build specification reference" (build-spec-ref), artifacts.files.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from runbook_lib.documents.buildspec.place import Planned, dash_before, in_style, line_end_of
from runbook_lib.documents.buildspec.spec import NAME, PHASES, Buildspec, parse
from runbook_lib.documents.buildspec.trace import trace
from runbook_lib.documents.edit import Edit, Splice
from runbook_lib.documents.imagedetail import DETAIL
from runbook_lib.documents.node import Node
from runbook_lib.documents.source import Source
from runbook_lib.errors import BadInput

FILES = (DETAIL, "appspec.yaml", "taskdef.json")


def hand_over_files(text: str | bytes | Source, *, files: Sequence[str] = FILES, name: str = NAME) -> Edit:
    """Add what is missing of `files` to artifacts.files; everything that is listed there stays."""
    return planned_files(parse(text, name=name), files).edit()


def planned_files(spec: Buildspec, files: Sequence[str]) -> Planned:
    """The new entries and their reasons, not applied yet."""
    listed = _listed(spec)
    _refuse_base_directory(spec, files)
    covering = {file: next((entry for entry in spec.files if covers(entry.raw, file)), None) for file in files}
    missing = [file for file, entry in covering.items() if entry is None]
    reasons = tuple(
        f"line {spec.document.line(entry)} takes {file} already ({entry.raw})"
        for file, entry in covering.items()
        if entry
    )
    if not missing:
        return Planned(spec, (), tuple(f"nothing to do: {reason}" for reason in reasons))
    splices = tuple(_splices(spec, listed, missing))
    return Planned(spec, splices, (*reasons, _added(spec, missing)), lambda after: _verify(spec, after, missing))


def covers(pattern: str, file: str) -> bool:
    """Whether an entry of artifacts.files takes a file of the artifact's top directory."""
    bare = pattern.removeprefix("./")
    while bare.startswith("**/"):
        bare = bare.removeprefix("**/")
    return "/" not in bare and fnmatchcase(file, bare)


def _added(spec: Buildspec, missing: list[str]) -> str:
    reason = f"the deploy action reads {', '.join(missing)} from the build's artifact"
    secondary = spec.root.at("artifacts", "secondary-artifacts")
    return f"{reason}; secondary-artifacts stay as they are" if secondary else reason


def _listed(spec: Buildspec) -> Node:
    found = spec.root.at("artifacts", "files")
    if found is None or found.kind == "nothing":
        place = spec.root.key("artifacts") or spec.root
        raise spec.document.bad(
            place,
            seen="no list of artifact files",
            wanted="artifacts with files",
            next_step="apply the repair 'hand over an artifact', or add the block by hand",
        )
    if spec.is_shared("artifacts", "files") or found.alias:
        raise spec.document.bad(
            found,
            seen="a list that another place of the file uses too (anchor, alias)",
            wanted="a list of artifacts.files alone",
            next_step="write the list out below artifacts.files, then edit again",
        )
    return found


def _refuse_base_directory(spec: Buildspec, files: Sequence[str]) -> None:
    base = spec.base_directory
    if not base:
        return
    written = {write.path for write in trace(spec).writes}
    left = [file for file in files if file != DETAIL and not _arrives(posixpath.join(base, file), base, written)]
    if left:
        raise _not_in_base(spec, base, left)


def _arrives(path: str, base: str, written: set[str | None]) -> bool:
    return path in written or base in written


def _not_in_base(spec: Buildspec, base: str, left: list[str]) -> BadInput:
    node = spec.root.at("artifacts", "base-directory")
    return spec.document.bad(
        node or spec.root,
        seen=f"base-directory {base!r}: the artifact holds only files below it",
        wanted=f"{' and '.join(left)} in that directory too",
        next_step=f"add to post_build: cp {' '.join(left)} {base}/",
    )


def _splices(spec: Buildspec, listed: Node, missing: list[str]) -> list[Splice]:
    if listed.kind == "list":
        return _flow(spec, listed, missing) if listed.style == "flow" else _block(spec, listed, missing)
    return _from_scalar(spec, listed, missing)


def _block(spec: Buildspec, listed: Node, missing: list[str]) -> list[Splice]:
    last = listed.items[-1]
    prefix = dash_before(spec.source, listed.items) or f"{' ' * 4}- "
    return [_lines_after(spec, last, prefix, missing)]


def _lines_after(spec: Buildspec, last: Node, prefix: str, missing: list[str]) -> Splice:
    end = line_end_of(spec.source, last)
    lines = (f"{spec.source.newline}{prefix}{in_style(file, last.style)}" for file in missing)
    return Splice(end, end, "".join(lines))


def _flow(spec: Buildspec, listed: Node, missing: list[str]) -> list[Splice]:
    if not listed.items:
        return [Splice(listed.start + 1, listed.start + 1, ", ".join(missing))]
    last = listed.items[-1]
    before = spec.source.text[listed.start + 1 : last.start]
    space = before[len(before.rstrip()) :]
    gap = space if len(listed.items) > 1 or "\n" in space else " "
    return [Splice(last.end, last.end, "".join(f",{gap}{in_style(file, last.style)}" for file in missing))]


def _from_scalar(spec: Buildspec, listed: Node, missing: list[str]) -> list[Splice]:
    """`files: one.json` becomes a list whose first item is that text, unmoved."""
    source, artifacts = spec.source, spec.root.get("artifacts")
    key = artifacts.key("files") if artifacts else None
    if artifacts is None or key is None or artifacts.style == "flow":
        names = "".join(f", {in_style(file, listed.style)}" for file in missing)
        return [Splice(listed.start, listed.start, "["), Splice(listed.end, listed.end, f"{names}]")]
    if source.line(key.start) != source.line(listed.start):
        indent = source.text[source.line_start(listed.start) : listed.start]
        return [Splice(listed.start, listed.start, "- "), _lines_after(spec, listed, f"{indent}- ", missing)]
    indent = source.text[source.line_start(key.start) : key.start] + " " * dash_offset(spec)
    colon = source.text.index(":", key.end) + 1
    gap = source.text[colon : listed.start]
    first = Splice(colon, colon, f"{source.newline}{indent}-")
    return [first, _lines_after(spec, listed, f"{indent}-{gap if gap.isspace() else ' '}", missing)]


def dash_offset(spec: Buildspec) -> int:
    """How far this file indents a list below its key."""
    for phase in PHASES:
        node, commands = spec.root.at("phases", phase), spec.listed(phase)
        key = node.key("commands") if node else None
        dash = dash_before(spec.source, commands.items) if commands else None
        if key and dash:
            column = key.start - spec.source.line_start(key.start)
            found = re.match(r" *", dash)
            return max(0, len(found.group() if found else "") - column)
    return 2


def _verify(spec: Buildspec, edited_spec: Buildspec, missing: list[str]) -> None:
    before, after = [node.raw for node in spec.files], [node.raw for node in edited_spec.files]
    if after != [*before, *missing]:
        raise spec.document.bad(
            spec.files[-1] if spec.files else spec.root,
            seen="a list where a new entry would change others",
            wanted="a list that can be added to",
            next_step=f"add by hand: {', '.join(missing)}",
        )
