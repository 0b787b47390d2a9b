"""Repairs that a buildspec needs beyond the move to blue/green: each on its own, none applied unasked.

Sources: AWS CLI version 2 migration guide (ecr get-login is gone); CodeBuild user guide, "Build specification
reference" (on-failure) and "Environment variables in build environments" (CODEBUILD_BUILD_SUCCEEDING).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runbook_lib.documents.buildspec.artifacts import FILES, dash_offset
from runbook_lib.documents.buildspec.place import replaced
from runbook_lib.documents.buildspec.spec import NAME, Buildspec, Command, parse
from runbook_lib.documents.buildspec.trace import Trace, trace
from runbook_lib.documents.edit import Edit, Splice, edited
from runbook_lib.documents.imagedetail import DEFINITIONS, near_miss
from runbook_lib.documents.node import Node
from runbook_lib.documents.shell import Statement, read_script
from runbook_lib.documents.source import Source
from runbook_lib.errors import BadInput

_REGION = re.compile(r"--region[ =]+[\"']?([^\s\"')]+)")
_HOST = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
_ACCOUNT = "$(aws sts get-caller-identity --query Account --output text)"
_HARMLESS = frozenset(
    {"echo", "printf", "export", "cd", "set", "cat", "ls", "true", ":", "date", "pwd", "exit", "test"}
)


@dataclass(frozen=True)
class Repair:
    """One repair as an edit of its own; the build cannot succeed without a `required` one."""

    rule: str
    title: str
    reason: str
    edit: Edit
    required: bool = False


def repairs(text: str | bytes | Source, *, name: str = NAME) -> tuple[Repair, ...]:
    """The repairs that this buildspec needs; each is an edit of this very text: apply one, then ask again."""
    spec = parse(text, name=name)
    seen = trace(spec)
    found = (make(spec, seen) for make in (_login, _guard, _blocks, _artifact))
    return tuple(repair for repair in found if repair is not None)


def names_mended(spec: Buildspec) -> Edit | None:
    """Names that are nearly imageDetail.json or imagedefinitions.json, in commands and artifacts, letter by letter."""
    splices = []
    for write in trace(spec).writes:
        meant, word = near_miss(write.name), write.target
        if meant and write.name in word.raw:
            splices.append(replaced(spec, write.command, word.start, word.end, word.raw.replace(write.name, meant)))
    for entry in spec.entries:
        meant = near_miss(entry.raw)
        if meant and not entry.alias and not entry.anchor and entry.style in ("", "'", '"'):
            name, quote = entry.raw.rsplit("/", 1)[-1], entry.style
            splices.append(Splice(entry.start, entry.end, f"{quote}{entry.raw.removesuffix(name)}{meant}{quote}"))
    return edited(spec.source, splices, ("the deploy action looks for this name alone",)) if splices else None


def numbers_quoted(spec: Buildspec) -> Edit | None:
    """Variables whose digits begin with a zero, in quotes: YAML 1.1 reads them in base eight."""
    found = [node for node in spec.variables.values() if is_octal(node) and not node.alias and not node.anchor]
    splices = [Splice(node.start, node.end, f'"{node.raw}"') for node in found]
    return edited(spec.source, splices, ("in quotes these digits stay as they are",)) if splices else None


def is_octal(node: Node) -> bool:
    """Whether a value is a number that begins with a zero."""
    return node.kind == "number" and len(node.raw) > 1 and node.raw[0] == "0" and node.raw.isdigit()


def unguarded_blocks(spec: Buildspec) -> Iterator[Command]:
    """Blocks of several lines of which only the last one's failure counts."""
    for command in spec.commands:
        if command.node.style == "|" and _hides_failures(command.text):
            yield command


def is_unguarded(spec: Buildspec, seen: Trace) -> bool:
    """Whether post_build pushes or names an image although the build may have failed."""
    late = [push.command for push in seen.pushes] + [write.command for write in seen.writes if "image" in write.name]
    after = [command for command in late if command.phase == "post_build"]
    guards = (command.text for command in spec.commands if command.phase == "post_build")
    guarded = any("CODEBUILD_BUILD_SUCCEEDING" in text for text in guards)
    build = spec.root.at("phases", "build")
    return bool(after) and build is not None and build.get("on-failure") is None and not guarded


def _login(spec: Buildspec, seen: Trace) -> Repair | None:
    splices = []
    for command, statement in seen.old_logins:
        span = _login_span(command, statement)
        new = _login_line(command.text[span[0] : span[1]], seen)
        try:
            splices.append(replaced(spec, command, *span, new))
        except BadInput:
            return None
    if not splices:
        return None
    lines = ", ".join(str(command.line) for command, _ in seen.old_logins)
    return Repair(
        "removed_ecr_get_login",
        "log in with get-login-password",
        f"line {lines}: AWS CLI version 2 has no 'ecr get-login', so the build ends there",
        edited(spec.source, splices, (f"line {lines}: get-login-password hands the password to docker login",)),
        required=True,
    )


def _login_span(command: Command, statement: Statement) -> tuple[int, int]:
    """The old login with the shell it is piped into, if any."""
    rest = command.text[statement.end :]
    piped = re.match(r"\s*\|\s*(?:ba)?sh\b", rest)
    return statement.start, statement.end + (piped.end() if piped else 0)


def _login_line(old: str, seen: Trace) -> str:
    found = _REGION.search(old)
    region = found[1] if found else "$AWS_DEFAULT_REGION"
    names = [push.name for push in seen.pushes]
    hosts = (_HOST.match(name[0]) for name in names if name and isinstance(name[0], str))
    written = next((host.group() for host in hosts if host), None)
    host = written or f"{_ACCOUNT}.dkr.ecr.{region}.amazonaws.com"
    return f"aws ecr get-login-password --region {region} | docker login --username AWS --password-stdin {host}"


def _guard(spec: Buildspec, seen: Trace) -> Repair | None:
    build = spec.root.at("phases", "build")
    if build is None or build.style != "block" or spec.is_shared("phases", "build") or not is_unguarded(spec, seen):
        return None
    first = build.pairs[0][0]
    start = spec.source.line_start(first.start)
    indent = spec.source.text[start : first.start]
    if indent.strip():
        return None
    splice = Splice(start, start, f"{indent}on-failure: ABORT{spec.source.newline}")
    return Repair(
        "unguarded_post_build",
        "stop when the build fails",
        "post_build runs even after a failed build: it would push a stale image or name one that does not exist",
        edited(spec.source, (splice,), ("on-failure: ABORT ends the build before post_build",)),
    )


def _blocks(spec: Buildspec, seen: Trace) -> Repair | None:
    commands = list(unguarded_blocks(spec))
    splices = []
    for command in commands:
        number = spec.source.line(command.node.start) + 1
        number += len(command.text) - len(command.text.lstrip("\n"))
        start, end = spec.source.nth_line(number)
        indent = re.match(r"[ \t]*", spec.source.text[start:end])
        splices.append(Splice(start, start, f"{indent.group() if indent else ''}set -e{spec.source.newline}"))
    if not splices:
        return None
    lines = ", ".join(str(command.line) for command in commands)
    return Repair(
        "unguarded_block",
        "stop a block at its first failure",
        f"line {lines}: of several lines in one command only the last one's failure counts",
        edited(spec.source, splices, (f"line {lines}: set -e ends the block where it fails",)),
    )


def _hides_failures(text: str) -> bool:
    statements = read_script(text).statements
    if any(one.program == "set" and re.search(r"-\w*e|errexit", text[one.start : one.end]) for one in statements):
        return False
    last = statements[-1].chain_end if statements else 0
    return any(
        one.depth == 0
        and one.words
        and one.chain_end != last
        and one.program not in _HARMLESS
        and _unchecked(one, text)
        for one in statements
    )


def _unchecked(statement: Statement, text: str) -> bool:
    return "||" not in text[statement.start : statement.chain_end].replace("|| true", "")


def _artifact(spec: Buildspec, seen: Trace) -> Repair | None:
    artifacts = spec.root.get("artifacts")
    if spec.files or (artifacts and artifacts.kind == "map" and (artifacts.style == "flow" or artifacts.get("files"))):
        return None
    definitions = [DEFINITIONS] if any(write.name == DEFINITIONS for write in seen.writes) else []
    made = _new_artifacts(spec, [*definitions, *FILES])
    reason = "without artifacts the build hands nothing to the deploy action"
    edit = edited(spec.source, (made,), (reason,))
    try:
        after = parse(edit.after, name=edit.name)
    except BadInput:
        return None
    if [node.raw for node in after.files] != [*definitions, *FILES]:
        return None
    return Repair("no_artifacts_block", "hand over an artifact", reason, edit, required=True)


def _new_artifacts(spec: Buildspec, files: list[str]) -> Splice:
    source, newline = spec.source, spec.source.newline
    key = spec.root.key("artifacts")
    dashes = " " * (2 + dash_offset(spec))
    lines = ["  files:", *(f"{dashes}- {file}" for file in files)]
    if key:
        end = source.line_end(key.start)
        return Splice(end, end, "".join(newline + line for line in lines))
    filled = len(source.text.rstrip())
    return Splice(filled, filled, newline + newline.join(["artifacts:", *lines]))
