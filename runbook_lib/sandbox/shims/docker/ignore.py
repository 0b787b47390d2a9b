"""Paths and patterns of a build context: Go's filepath.Match, and the .dockerignore file."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import PurePosixPath


def matches(pattern: str, path: str) -> bool:
    """Whether a path matches a pattern of COPY: `*` and `?` stay within one part of the path."""
    return bool(_regex(_clean(pattern)).fullmatch(path))


def is_pattern(text: str) -> bool:
    """Whether a source of COPY is a pattern at all."""
    return any(char in text for char in "*?[")


def ignored(path: str, patterns: Sequence[str]) -> bool:
    """Whether .dockerignore leaves this path out: the last matching line decides, `!` brings back."""
    parents = [str(parent) for parent in PurePosixPath(path).parents if str(parent) != "."]
    out = False
    for pattern in patterns:
        negated = pattern.startswith("!")
        regex = _regex(_clean(pattern.removeprefix("!")))
        if any(regex.fullmatch(candidate) for candidate in (path, *parents)):
            out = not negated
    return out


def read(text: str) -> list[str]:
    """The patterns of a .dockerignore file."""
    lines = (line.strip() for line in text.removeprefix("\ufeff").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _clean(pattern: str) -> str:
    parts: list[str] = []
    for part in pattern.strip().split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or "."


@functools.lru_cache(maxsize=512)
def _regex(pattern: str) -> re.Pattern[str]:
    found, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            found, at = found + "(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            found, at = found + ".*", at + 2
        else:
            piece, at = _piece(pattern, at)
            found += piece
    return re.compile(found, re.DOTALL)


def _piece(pattern: str, at: int) -> tuple[str, int]:
    char = pattern[at]
    if char == "*":
        return "[^/]*", at + 1
    if char == "?":
        return "[^/]", at + 1
    if char == "\\" and at + 1 < len(pattern):
        return re.escape(pattern[at + 1]), at + 2
    close = pattern.find("]", at + 2)
    if char == "[" and close > 0:
        inside = pattern[at + 1 : close].replace("\\", "\\\\")
        return f"[{inside}]", close + 1
    return re.escape(char), at + 1
