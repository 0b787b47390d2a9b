"""A Dockerfile as far as the walk needs it: files it copies, ports, environment names, the health check's path.

Syntax: Docker reference, "Dockerfile reference" (escape directive, line continuation, here-documents, COPY, ADD).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runbook_lib.documents.source import Source, source_of
from runbook_lib.errors import BadInput

NAME = "Dockerfile"
_MOST_INSTRUCTIONS = 2_000
_LONGEST = 4096  # characters that variables put into one text; each may hold the one before it twice
_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)\s+(.*)", re.DOTALL)
_HEREDOC = re.compile(r"<<-?[\"']?(\w+)[\"']?")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})")
_URL = re.compile(r"https?://[^/\s\"']+(/[^\s\"'|;)\],]*)?")
_PAIR = re.compile(r"(\w+)=(\"(?:[^\"\\]|\\.)*\"|'[^']*'|(?:[^\s\\]|\\.)*)")


@dataclass(frozen=True)
class Instruction:
    """One instruction with the line it begins on; `text` is what follows its name, continuations joined."""

    name: str
    text: str
    line: int


@dataclass(frozen=True)
class Copied:
    """What one COPY or ADD takes from the build's directory; patterns are kept, unknown variables left out."""

    sources: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Dockerfile:
    """What a Dockerfile says about its last stage; `health_path` is None when no health check asks over HTTP."""

    base: str
    ports: tuple[tuple[int, int], ...]
    copies: tuple[Copied, ...]
    health_path: tuple[str, int] | None


@dataclass(frozen=True)
class _Stage:
    base: str
    name: str
    instructions: tuple[Instruction, ...]


def read(text: str | bytes | Source, *, name: str = NAME) -> Dockerfile:
    """Read a Dockerfile; ports and health path come with the line that says them."""
    source = source_of(text, name=name)
    stages = _stages(tuple(_instructions(source)), source)
    chain = _chain(stages)
    known = _values(stages[0].instructions)
    copies = [copied for stage in stages for copied in _copies(stage, known)]
    return Dockerfile(
        chain[-1].base,
        tuple(port for stage in chain for port in _ports(stage, known)),
        tuple(copies),
        next((path for stage in chain if (path := _health(stage))), None),
    )


def _instructions(source: Source) -> Iterator[Instruction]:
    lines = source.text.splitlines()
    escape = "`" if re.match(r"#\s*escape\s*=\s*`", lines[0], re.IGNORECASE) else "\\"
    number = 0
    while number < len(lines):
        first, whole = number + 1, ""
        while number < len(lines):
            line = lines[number].rstrip()
            number += 1
            if not line.strip() or line.lstrip().startswith("#"):
                if whole:
                    continue
                break
            whole += line.removesuffix(escape)
            if not line.endswith(escape):
                break
            whole += " "
        found = _INSTRUCTION.match(whole)
        if found:
            for delimiter in _HEREDOC.findall(found[2]) if found[1].upper() in ("RUN", "COPY", "ADD") else ():
                number = _after_heredoc(lines, number, delimiter)
            yield Instruction(found[1].upper(), found[2].strip(), first)


def _after_heredoc(lines: list[str], number: int, delimiter: str) -> int:
    while number < len(lines) and lines[number].strip() != delimiter:
        number += 1
    return number + 1


def _stages(instructions: tuple[Instruction, ...], source: Source) -> tuple[_Stage, ...]:
    """The stages; the first holds what stands before the first FROM (ARG)."""
    if len(instructions) > _MOST_INSTRUCTIONS:
        raise source.bad(
            0,
            seen=f"{len(instructions):,} instructions",
            wanted=f"a Dockerfile of at most {_MOST_INSTRUCTIONS:,}",
            next_step="check that this is the right file",
        )
    stages = [_Stage("", "", ())]
    for instruction in instructions:
        if instruction.name == "FROM":
            words = [word for word in instruction.text.split() if not word.startswith("--")]
            named = words[2] if len(words) > 2 and words[1].lower() == "as" else ""
            stages.append(_Stage(words[0] if words else "", named.lower(), ()))
        else:
            last = stages[-1]
            stages[-1] = _Stage(last.base, last.name, (*last.instructions, instruction))
    if len(stages) == 1:
        raise BadInput(
            seen="no FROM", wanted="a Dockerfile", next_step="begin it with FROM <image>", where=f"{source.name}:1"
        )
    return tuple(stages)


def _chain(stages: tuple[_Stage, ...]) -> list[_Stage]:
    """The last stage, then the stages of this file that it is built on."""
    chain, earlier = [stages[-1]], list(stages[1:-1])
    while found := next(
        (stage for stage in reversed(earlier) if stage.name and stage.name == chain[-1].base.lower()), None
    ):
        chain.append(found)
        earlier = earlier[: earlier.index(found)]
    return chain


def _values(instructions: tuple[Instruction, ...], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """What ARG (with a default) and ENV set, in order."""
    values = dict(known or {})
    for instruction in instructions:
        if instruction.name in ("ARG", "ENV"):
            pairs = _PAIR.findall(instruction.text)
            if not pairs and instruction.name == "ENV":
                key, _, value = instruction.text.partition(" ")
                pairs = [(key, value.strip())]
            values |= {key: _filled(value.strip("\"'"), values) or "" for key, value in pairs}
    return values


def _filled(text: str, values: Mapping[str, str]) -> str | None:
    """The text with its variables; None when one of them is not known, or when they make it endless."""
    unknown = False
    left = _LONGEST

    def value(found: re.Match[str]) -> str:
        nonlocal unknown, left
        held = values.get(found[1] or found[2], found[3])
        left -= len(held or "")
        unknown = unknown or held is None or left < 0
        return "" if held is None or unknown else held

    filled = _VARIABLE.sub(value, text)
    return None if unknown else filled


def _copies(stage: _Stage, known: Mapping[str, str]) -> Iterator[Copied]:
    values = _values(stage.instructions, known)
    for instruction in stage.instructions:
        if instruction.name in ("COPY", "ADD"):
            words = _words(instruction.text)
            while words and words[0].startswith("--"):
                words = [] if words[0].startswith("--from=") else words[1:]
            taken = (_filled(word, values) for word in words[:-1])
            sources = tuple(word for word in taken if word and not _is_remote(word))
            if sources:
                yield Copied(sources, instruction.line)


def _words(text: str) -> list[str]:
    flags, _, rest = text.partition("[")
    if rest and all(flag.startswith("--") for flag in flags.split()):
        try:
            listed = json.loads(f"[{rest}")
        except (json.JSONDecodeError, RecursionError):
            return text.split()
        return [*flags.split(), *(str(item) for item in listed)] if isinstance(listed, list) else text.split()
    return text.split()


def _is_remote(word: str) -> bool:
    return word.startswith(("http://", "https://", "git@", "git://", "<<"))


def _ports(stage: _Stage, known: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    values = _values(stage.instructions, known)
    for instruction in stage.instructions:
        if instruction.name == "EXPOSE":
            filled = _filled(instruction.text, values) or ""
            for word in filled.split():
                if found := re.match(r"(\d{1,5})(?:-\d+)?(?:/tcp)?$", word):
                    yield int(found[1]), instruction.line


def _health(stage: _Stage) -> tuple[str, int] | None:
    for instruction in reversed(stage.instructions):
        if instruction.name == "HEALTHCHECK":
            return (path, instruction.line) if (path := http_path(instruction.text)) else None
    return None


def http_path(command: str) -> str | None:
    """The path that a health-check command asks for over HTTP; None when it asks for none."""
    found = _URL.search(command)
    return (found[1] or "/") if found else None
