"""A Dockerfile as instructions (Dockerfile reference, "Format")."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runbook_lib.sandbox.shims.docker.failure import DockerError
from runbook_lib.sandbox.shims.docker.flags import names

INSTRUCTIONS = names(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER "
    "VOLUME WORKDIR"
)
WITHOUT_ARGUMENTS = frozenset({"CMD", "ENTRYPOINT", "SHELL"})
FLAG = re.compile(r"--([a-z]+)(?:=(\S*))?\s*")
DIRECTIVE = re.compile(r"#\s*([a-z]+)\s*=\s*(\S+)\s*")
HEREDOC = re.compile(r"<<-?\s*([\"']?)([A-Za-z_]\w*)\1")


@dataclass(frozen=True)
class Instruction:
    """One instruction: its line in the file, its name, its flags, and the text after them."""

    line: int
    name: str
    flags: dict[str, str]
    text: str
    heredoc: str

    def __str__(self) -> str:
        flags = "".join(f"--{name}{'=' + value if value else ''} " for name, value in self.flags.items())
        return f"{self.name} {flags}{self.text}"


def parse(text: str) -> list[Instruction]:
    """The instructions in order; refusals carry the line, as docker's do."""
    lines = text.removeprefix("\ufeff").splitlines()
    escape, found, at = _escape(lines), [], 0
    while at < len(lines):
        start = at
        joined, at = _join(lines, at, escape)
        if joined:
            heredoc, at = _heredoc(joined, lines, at)
            found.append(_instruction(start + 1, joined, heredoc))
    if not found:
        raise DockerError("Error response from daemon: the Dockerfile (Dockerfile) cannot be empty")
    return found


def _escape(lines: list[str]) -> str:
    for line in lines:
        directive = DIRECTIVE.fullmatch(line.strip())
        if not directive:
            break
        if directive.group(1) == "escape":
            return directive.group(2)
    return "\\"


def _join(lines: list[str], at: int, escape: str) -> tuple[str, int]:
    joined = ""
    while at < len(lines):
        line, at = lines[at].rstrip(), at + 1
        if line.lstrip().startswith("#") or (joined and not line.strip()):
            if joined:
                continue
            break
        if not line.endswith(escape):
            joined += line.strip() if not joined else line
            break
        joined += line[:-1].lstrip() if not joined else line[:-1]
    return joined.strip(), at


def _heredoc(joined: str, lines: list[str], at: int) -> tuple[str, int]:
    body: list[str] = []
    if joined.split(maxsplit=1)[0].upper() not in ("RUN", "COPY", "ADD"):
        return "", at
    for opening in HEREDOC.finditer(joined):
        while at < len(lines) and lines[at].strip() != opening.group(2):
            body.append(lines[at])
            at += 1
        at += 1
    return "\n".join(body), at


def _instruction(line: int, joined: str, heredoc: str) -> Instruction:
    word, _, rest = joined.partition(" ")
    word, _, tab = word.partition("\t")
    name, rest = word.upper(), f"{tab} {rest}".strip()
    if name not in INSTRUCTIONS:
        raise _error(line, f"unknown instruction: {name}")
    if not rest and name not in WITHOUT_ARGUMENTS:
        raise _error(line, f"{name} requires at least one argument")
    flags: dict[str, str] = {}
    while found := FLAG.match(rest):
        flags[found.group(1)] = found.group(2) or ""
        rest = rest[found.end() :]
    return Instruction(line, name, flags, rest, heredoc)


def _error(line: int, problem: str) -> DockerError:
    return DockerError(f"Error response from daemon: dockerfile parse error line {line}: {problem}")
