"""What a fault is: one YAML file that says what is wrong, what preflight says of it, and how it ends all the same.

The files lie in sandbox/scenarios/; their form is told in the README there.  A file of one's own is named by its path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from runbook_lib import yamlfile
from runbook_lib.check import Verdict
from runbook_lib.errors import BadInput
from runbook_lib.preflight.story import stories
from runbook_lib.sections import SCENARIOS, SERVING_ALL, scenarios
from runbook_lib.suggest import did_you_mean

COMMON, UNPLAYED = SERVING_ALL  # what every fault may read; why the other failure modes have none
RELEASE, PUSH, WISH = "release", "push", "wish"
SPEAKERS = ("action", "build", "call", "deployment", "event", "hook", "log", "task")


@dataclass(frozen=True)
class Call:
    """One API call, in boto3's words; `arguments` may hold ${names} or be one, `put` sets single places of them, `keep`
    names what of the answer is used later (name -> JMESPath)."""

    call: str
    arguments: Mapping[str, Any] | str
    put: Mapping[str, Any]
    keep: Mapping[str, str]


@dataclass(frozen=True)
class FileEdit:
    """A change of one file of the application on the pipeline's branch.

    Exactly one is given: `replace` (with `by`), `text` (the whole file), `size` (bytes of a file that no packing
    makes smaller) or `delete`.  With `fill` the ${names} in `by` or `text` are replaced: without, they are the shell's.
    """

    path: str
    replace: str | None
    by: str
    text: str | None
    size: int | None
    delete: bool
    fill: bool


@dataclass(frozen=True)
class Look:
    """A reading call after the end: what stands at a JMESPath of its answer."""

    call: Call
    path: str
    value: Any


@dataclass(frozen=True)
class Fault:
    """A way to fail, from what is wrong to how it ends."""

    name: str
    rule: str
    tells: str  # one sentence: what somebody did, or forgot
    check: Verdict  # what preflight says of it
    reads: Mapping[str, tuple[Call, str]]  # name -> call and JMESPath
    files: tuple[FileEdit, ...]
    calls: tuple[Call, ...]
    minutes: float  # that pass after the calls, before anybody looks
    wish: Call | None  # a call that is about to be made, and which preflight looks at
    then: str | Call  # what is done all the same: release, push, wish, or another call
    limit_minutes: float  # of the waiting for the end
    says: str  # AWS's words in the end; empty where nobody says anything
    by: str  # who says them
    shows: str  # one sentence: what is found where nobody says anything
    finds: tuple[Look, ...]


def names() -> tuple[str, ...]:
    """The faults that come along, in the order of the failure modes."""
    return tuple(sorted(scenarios(), key=_place))


def _place(name: str) -> tuple[str, int, str]:
    rule = name.partition("-")[0]
    return rule[:1], int(rule[1:]) if rule[1:].isdigit() else 0, name


def load(name: str) -> Fault:
    """A fault by its name, or by the path of a file; raises BadInput with file, line, what is seen and wanted."""
    path = SCENARIOS / f"{name}.yaml" if name in scenarios() else Path(name)
    if not path.is_file():
        next_step = did_you_mean(name, scenarios(), otherwise="notebooks/reference/faults.md lists them")
        raise BadInput(where="sandbox.scenario", seen=name, wanted="a fault, or its file", next_step=next_step)
    return _load(str(path))


@cache
def _load(path: str) -> Fault:
    document = yamlfile.read(Path(path))
    return _Reader(document).fault(Path(path).stem)


@cache
def common() -> Mapping[str, tuple[Call, str]]:
    """What every fault may read."""
    reader = _Reader(yamlfile.read(SCENARIOS / f"{COMMON}.yaml"))
    return reader.reads(reader.document.value, "")


@cache
def unplayed() -> Mapping[str, str]:
    """The failure modes that have no fault, each with the reason."""
    found: Mapping[str, str] = yamlfile.read(SCENARIOS / f"{UNPLAYED}.yaml").value
    return found


class _Reader:
    """Reads a fault's file and says where it is wrong."""

    def __init__(self, document: yamlfile.Document) -> None:
        self.document = document

    def fault(self, name: str) -> Fault:
        told = self.document.value
        self.only(told, "", ("rule", "tells", "check", "read", "files", "calls", "minutes", "wish", "then", "ends"))
        ends = self.mapping(told, "ends", "")
        self.only(ends, "ends", ("says", "by", "shows", "finds", "limit_minutes"))
        fault = Fault(
            name=name,
            rule=self.one_of(told, "rule", "", tuple(stories())),
            tells=self.text(told, "tells", ""),
            check=Verdict[self.one_of({"check": "FAIL", **told}, "check", "", ("FAIL", "INCONCLUSIVE"))],
            reads=self.reads(self.mapping(told, "read", ""), "read"),
            files=tuple(self.edit(f"files.{n}", one) for n, one in enumerate(told.get("files", ()))),
            calls=tuple(self.call(f"calls.{n}", one) for n, one in enumerate(told.get("calls", ()))),
            minutes=float(told.get("minutes", 0)),
            wish=self.call("wish", told["wish"]) if "wish" in told else None,
            then=self.then(told),
            limit_minutes=float(ends.get("limit_minutes", 240)),
            says=str(ends.get("says", "")),
            shows=str(ends.get("shows", "")),
            by=self.one_of({"by": "call", **ends}, "by", "ends", SPEAKERS),
            finds=tuple(self.look(f"ends.finds.{n}", one) for n, one in enumerate(ends.get("finds", ()))),
        )
        self.whole(fault)
        return fault

    def whole(self, fault: Fault) -> None:
        if not (fault.says or (fault.shows and fault.finds)):
            raise self.bad("ends", "neither says, nor shows with finds", "how the fault shows in the end")
        if fault.then == WISH and fault.wish is None:
            raise self.bad("then", "wish, and no wish", "a wish to be carried out")

    def then(self, told: Mapping[str, Any]) -> str | Call:
        given = told.get("then", RELEASE)
        if isinstance(given, Mapping):
            return self.call("then", given)
        return self.one_of({"then": given}, "then", "", (RELEASE, PUSH, WISH))

    def call(self, key: str, told: Any) -> Call:
        if not isinstance(told, Mapping):
            raise self.bad(key, repr(told), "call, and arguments")
        self.only(told, key, ("call", "arguments", "put", "keep", "path", "is"))
        called = self.text(told, "call", key)
        if ":" not in called:
            raise self.bad(f"{key}.call", called, "service:operation in boto3's words, such as ecs:update_service")
        return Call(
            called,
            told["arguments"] if isinstance(told.get("arguments"), str) else self.mapping(told, "arguments", key),
            self.mapping(told, "put", key),
            self.mapping(told, "keep", key),
        )

    def look(self, key: str, told: Any) -> Look:
        call = self.call(key, told)
        if "is" not in told:
            raise self.bad(key, "no is", "the value that is found at path")
        return Look(call, self.text(told, "path", key), told["is"])

    def reads(self, told: Mapping[str, Any], key: str) -> Mapping[str, tuple[Call, str]]:
        return {name: (self.call(f"{key}.{name}", one), self.text(one, "path", key)) for name, one in told.items()}

    def edit(self, key: str, told: Any) -> FileEdit:
        if not isinstance(told, Mapping):
            raise self.bad(key, repr(told), "path, and one of replace, text, size, delete")
        self.only(told, key, tuple(field.name for field in fields(FileEdit)))
        ways = [way for way in ("replace", "text", "size", "delete") if way in told]
        if len(ways) != 1:
            raise self.bad(key, ", ".join(ways) or "none", "exactly one of replace, text, size, delete")
        edit = {"replace": None, "by": "", "text": None, "size": None, "delete": False, "fill": False, **told}
        return FileEdit(**{**edit, "path": self.text(told, "path", key)})

    def text(self, told: Mapping[str, Any], key: str, section: str) -> str:
        place = f"{section}.{key}".lstrip(".")
        if key not in told:
            raise self.bad(section, f"no {key}", f"{key}, a text")
        if not isinstance(told[key], str):
            raise self.bad(place, repr(told[key]), "a text")
        return str(told[key])

    def one_of(self, told: Mapping[str, Any], key: str, section: str, known: tuple[str, ...]) -> str:
        value = self.text(told, key, section)
        if value not in known:
            raise self.bad(f"{section}.{key}".lstrip("."), value, f"one of {', '.join(known)}")
        return value

    def mapping(self, told: Mapping[str, Any], key: str, section: str) -> Mapping[str, Any]:
        found = told.get(key, {})
        if not isinstance(found, Mapping):
            raise self.bad(f"{section}.{key}".lstrip("."), repr(found), "keys and values")
        return found

    def only(self, told: Mapping[str, Any], key: str, known: tuple[str, ...]) -> None:
        for name in told:
            if name not in known:
                raise self.bad(f"{key}.{name}".lstrip("."), name, f"one of {', '.join(known)}")

    def bad(self, key: str, seen: str, wanted: str) -> BadInput:
        return _bad(self.document.where(key), seen, wanted)


def _bad(where: str, seen: str, wanted: str) -> BadInput:
    return BadInput(where=where, seen=seen, wanted=wanted, next_step="correct the file; sandbox/scenarios/README.md")
