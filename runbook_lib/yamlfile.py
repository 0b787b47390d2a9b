"""YAML as data with positions: every value keeps its line and the very text that was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook_lib.errors import BadInput

LARGEST = 1_000_000  # bytes; a parameter file is a page of text


@dataclass(frozen=True)
class Document:
    """What a YAML file says: its value, and line and written text of each dotted key."""

    file: str
    value: dict[str, Any]
    lines: dict[str, int]
    texts: dict[str, str]

    def where(self, key: str) -> str:
        """The place of a key, or of the nearest section that holds it: "file:line"."""
        while key and key not in self.lines:
            key = key.rpartition(".")[0]
        return f"{self.file}:{self.lines[key]}" if key else self.file

    def raw(self, key: str) -> str | None:
        """The text as it was written, None for what is not a single value of the file."""
        return self.texts.get(key)


def read(path: Path) -> Document:
    """Read a YAML 1.2 file whose top is a mapping; raises BadInput with file and line for anything else."""
    name = path.name
    raw = path.read_bytes()
    if len(raw) > LARGEST:
        raise _bad(name, f"{len(raw)} bytes", f"at most {LARGEST} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(name, f"a byte that is not UTF-8 at offset {error.start}", "a UTF-8 text file") from None
    return parse(text, file=name)


def parse(text: str, *, file: str) -> Document:
    """The document that a YAML text holds; see `read`."""
    node = _compose(text, file)
    if node is None:
        return Document(file, {}, {}, {})
    if node.id != "mapping":
        raise _bad(f"{file}:{node.start_mark.line + 1}", f"a {node.id}", "keys and values (a mapping) at the top")
    lines: dict[str, int] = {}
    texts: dict[str, str] = {}
    return Document(file, _value(node, "", file, lines, texts), lines, texts)


def scalar(text: str) -> Any:
    """The value that a single YAML 1.2 scalar or flow list means (true, 3, "x", [a, b])."""
    node = _compose(text, "value")
    return None if node is None else _value(node, "", "value", {}, {})


def _compose(text: str, file: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:{mark.line + 1}" if mark else file
        raise _bad(place, str(error.problem or error.context), "well-formed YAML") from None
    except YAMLError as error:
        raise _bad(file, str(error).splitlines()[0], "well-formed YAML") from None


def _value(node: Any, key: str, file: str, lines: dict[str, int], texts: dict[str, str]) -> Any:
    lines[key] = node.start_mark.line + 1
    if node.id == "mapping":
        return _mapping(node, key, file, lines, texts)
    if node.id == "sequence":
        return [_value(inner, f"{key}.{i}", file, lines, texts) for i, inner in enumerate(node.value)]
    texts[key] = node.value
    return _plain(node, file)


def _mapping(node: Any, key: str, file: str, lines: dict[str, int], texts: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, inner in node.value:
        place = f"{file}:{name.start_mark.line + 1}"
        if name.id != "scalar" or name.tag != "tag:yaml.org,2002:str":
            raise _bad(place, f"the key {name.value!r}", "keys that are plain text: put it in quotes")
        if name.value in found:
            raise _bad(place, f"the key {name.value} for the second time", "each key once")
        found[name.value] = _value(inner, f"{key}.{name.value}".lstrip("."), file, lines, texts)
    return found


def _plain(node: Any, file: str) -> Any:
    from ruamel.yaml import YAML

    kind = node.tag.rpartition(":")[2]
    if kind == "str":
        return node.value
    if kind in ("int", "float", "bool", "null"):
        return YAML(typ="safe", pure=True).load(node.value)
    raise _bad(f"{file}:{node.start_mark.line + 1}", f"{node.value} (read as a {kind})", "text, a number, true, false")


def _bad(where: str, seen: str, wanted: str) -> BadInput:
    return BadInput(where=where, seen=seen, wanted=wanted, next_step="correct the file and run again")
