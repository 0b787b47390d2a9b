"""Words of a Dockerfile's line: variables, quotes and lists (Dockerfile reference, "Environment replacement")."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from runbook_lib.sandbox.shims.docker.failure import DockerError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|\d")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with variables replaced and quotes taken away, as one word."""
    return _Reader(text, variables).word(stop="")


def words(text: str, variables: Mapping[str, str]) -> list[str]:
    """The text's words, variables replaced and quotes taken away."""
    reader, found = _Reader(text, variables), []
    while reader.skip_blanks():
        found.append(reader.word(stop=" \t"))
    return found


def array(text: str) -> list[str] | None:
    """The strings of the JSON form `["a", "b"]`; None where the text is not that form."""
    if not text.lstrip().startswith("["):
        return None
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, list) and all(isinstance(word, str) for word in found) else None


def pairs(text: str, variables: Mapping[str, str], instruction: str) -> dict[str, str]:
    """KEY=value pairs of ENV, LABEL and ARG; `ENV KEY value` is the old form of one pair."""
    first = text.split(maxsplit=1)
    if first and "=" not in first[0]:
        if len(first) < 2:
            raise DockerError(f"{instruction} must have two arguments")
        return {first[0]: expand(first[1], variables)}
    found: dict[str, str] = {}
    for word in words(text, variables):
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise DockerError(f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value')
        found[key] = value
    return found


class _Reader:
    """Reads words from left to right; a quote opens and closes inside a word."""

    def __init__(self, text: str, variables: Mapping[str, str]) -> None:
        self.text, self.variables, self.at = text, variables, 0

    def skip_blanks(self) -> bool:
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1
        return self.at < len(self.text)

    def word(self, *, stop: str) -> str:
        found = ""
        while self.at < len(self.text) and self.text[self.at] not in (stop or "\0"):
            found += self._piece()
        return found

    def _piece(self) -> str:
        char = self._take()
        if char == "'":
            return self._until("'")
        if char == '"':
            return self._double()
        if char == "\\" and self.at < len(self.text):
            return self._take()
        return self._variable() if char == "$" else char

    def _take(self) -> str:
        char = self.text[self.at]
        self.at += 1
        return char

    def _until(self, end: str) -> str:
        close = self.text.find(end, self.at)
        if close < 0:
            raise DockerError(f"unexpected end of statement while looking for matching {end}-quote")
        found, self.at = self.text[self.at : close], close + 1
        return found

    def _double(self) -> str:
        found = ""
        while self.at < len(self.text):
            char = self._take()
            if char == '"':
                return found
            if char == "\\" and self.text[self.at : self.at + 1] in ('"', "$", "\\"):
                found += self._take()
            else:
                found += self._variable() if char == "$" else char
        raise DockerError("unexpected end of statement while looking for matching double-quote")

    def _variable(self) -> str:
        if self.text[self.at : self.at + 1] == "{":
            self.at += 1
            return self._braced(self._until("}"))
        name = NAME.match(self.text, self.at)
        if not name:
            return "$"
        self.at = name.end()
        return self.variables.get(name.group(), "")

    def _braced(self, inside: str) -> str:
        name = NAME.match(inside)
        if not name:
            raise DockerError("syntax error: missing variable name in ${...}")
        value, rest = self.variables.get(name.group()), inside[name.end() :]
        if rest.startswith(":"):
            value, rest = value or None, rest[1:]
        if rest.startswith("-"):
            return expand(rest[1:], self.variables) if value is None else value
        if rest.startswith("+"):
            return "" if value is None else expand(rest[1:], self.variables)
        if rest:
            raise DockerError(f"unsupported modifier ({rest[0]}) in substitution")
        return value or ""
