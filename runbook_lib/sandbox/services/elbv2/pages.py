"""Answers in pages, with a marker to the next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runbook_lib.sandbox.errors import AwsError

PAGE = 400


def page(
    found: Sequence[Any], params: Mapping[str, Any], key: str, described: Callable[[Any], dict[str, Any]]
) -> dict[str, Any]:
    """The part of `found` that the call asks for, described under `key`."""
    size, start = params.get("PageSize", PAGE), _start(params.get("Marker"))
    answer: dict[str, Any] = {key: [described(one) for one in found[start : start + size]]}
    if start + size < len(found):
        answer["NextMarker"] = str(start + size)
    return answer


def _start(marker: str | None) -> int:
    if marker is None:
        return 0
    if not marker.isdigit():
        raise AwsError("ValidationError", f"Marker '{marker}' is not valid")
    return int(marker)
