"""Holds every answer of the sandbox's own services against AWS's models, beyond what the gateway does by itself.

The gateway refuses an answer that lacks a required member, has an unknown one or one of a wrong type. It lets values
pass that an enumeration does not have: AWS may know a newer one. In tests nothing may be made up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from runbook_lib.sandbox import moto_protocol
from runbook_lib.sandbox.errors import AwsError, SandboxError
from runbook_lib.sandbox.moto_protocol import Matched


@contextmanager
def held_against_the_models() -> Iterator[None]:
    """Raises for an answer with a value that its enumeration does not have, as long as the block lasts."""
    check = moto_protocol.check

    def check_values_too(matched: Matched, result: dict[str, Any] | AwsError) -> None:
        check(matched, result)
        shape = moto_protocol._operation(matched.service, matched.operation).output_shape
        found = [] if shape is None or isinstance(result, AwsError) else list(strange(shape, result, ""))
        if found:
            raise SandboxError(f"{matched.service}.{matched.operation} answers {'; '.join(found)}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moto_protocol, "check", check_values_too)
        yield


def strange(shape: Any, value: Any, path: str) -> Iterator[str]:
    """Every value below a shape that its enumeration does not have."""
    if value is None:
        return
    if shape.type_name == "structure":
        for name, member in value.items():
            yield from strange(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        for each in value:
            yield from strange(shape.member, each, f"{path}[]")
    elif shape.type_name == "map":
        for key, each in value.items():
            yield from strange(shape.key, key, f"{path}({key})")
            yield from strange(shape.value, each, f"{path}.{key}")
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{path}: {value!r} is none of {sorted(shape.enum)}"
