"""What an AWS operation accepts, taken from botocore's model: unknown keys, wrong types, unknown enum values."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

Path = tuple[str | int, ...]
MOST_PROBLEMS = 500
_SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "double": (int, float),
    "float": (int, float),
    "timestamp": (str,),
}
_NAMES = {"string": "a text", "integer": "a whole number", "long": "a whole number", "boolean": "true or false"}


@dataclass(frozen=True)
class Problem:
    """A value that the operation refuses, at its path of keys and list numbers."""

    path: Path
    seen: str
    wanted: str
    kind: str


@cache
def shapes(service: str) -> dict[str, Any]:
    """The shapes of a service in botocore's model."""
    from botocore.loaders import Loader

    found: dict[str, Any] = Loader().load_service_model(service, "service-2")["shapes"]
    return found


def problems(value: object, *, service: str, shape: str) -> list[Problem]:
    """What in the value does not fit the shape, the first hundreds of it."""
    return list(islice(_check(value, shapes(service), shape, ()), MOST_PROBLEMS))


def fitted(value: Any, *, service: str, shape: str) -> Any:
    """The value with only the keys that the shape accepts, at every depth, in the model's order."""
    return _fit(value, shapes(service), shape)


def _fit(value: Any, model: dict[str, Any], name: str) -> Any:
    shape = model[name]
    if isinstance(value, Mapping) and shape["type"] == "structure":
        accepted = {key: member["shape"] for key, member in shape["members"].items() if key in value}
        return {key: _fit(value[key], model, inner) for key, inner in accepted.items()}
    if isinstance(value, list) and shape["type"] == "list":
        return [_fit(item, model, shape["member"]["shape"]) for item in value]
    return value


def _check(value: object, model: dict[str, Any], name: str, path: Path) -> Iterator[Problem]:
    shape = model[name]
    if shape["type"] == "structure":
        yield from _check_structure(value, model, shape, path)
    elif shape["type"] == "list":
        yield from _check_list(value, model, shape, path)
    elif shape["type"] == "map":
        yield from _check_map(value, model, shape, path)
    else:
        yield from _check_scalar(value, shape, path)


def _check_structure(value: object, model: dict[str, Any], shape: dict[str, Any], path: Path) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(path, shown(value), "an object", "type")
        return
    for key in (key for key in value if key not in shape["members"]):
        yield Problem((*path, key), f"the key {key!r}", f"a key that AWS knows{_meant(key, shape['members'])}", "key")
    for key in shape.get("required", []):
        if key not in value:
            yield Problem(path, f"no {key}", f"the key {key!r}", "missing")
    for key, member in shape["members"].items():
        if key in value:
            yield from _check(value[key], model, member["shape"], (*path, key))


def _check_list(value: object, model: dict[str, Any], shape: dict[str, Any], path: Path) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield Problem(path, shown(value), "a list", "type")
        return
    for number, item in enumerate(value):
        yield from _check(item, model, shape["member"]["shape"], (*path, number))


def _check_map(value: object, model: dict[str, Any], shape: dict[str, Any], path: Path) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(path, shown(value), "an object", "type")
        return
    for key, item in value.items():
        yield from _check(item, model, shape["value"]["shape"], (*path, key))


def _check_scalar(value: object, shape: dict[str, Any], path: Path) -> Iterator[Problem]:
    kind = shape["type"]
    fits = isinstance(value, _SCALARS[kind]) and (kind == "boolean" or not isinstance(value, bool))
    if not fits:
        yield Problem(path, shown(value), _NAMES.get(kind, "a number"), "type")
    elif shape.get("enum") and value not in shape["enum"]:
        yield Problem(path, shown(value), f"one of {', '.join(shape['enum'][:12])}", "value")


def _meant(key: str, known: dict[str, Any]) -> str:
    same_but_case = [name for name in known if name.lower() == key.lower()]
    close = same_but_case or difflib.get_close_matches(key, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def shown(value: object) -> str:
    """What a value is, in words for an error; a text is cut, and nothing inside a list or object is shown."""
    if value is None:
        return "null"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return f"the text {value[:60]!r}" if isinstance(value, str) else f"{value} ({type(value).__name__})"


def path_text(path: Path) -> str:
    """A path as people write it: containerDefinitions[0].image."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".") or "(top)"
