"""Objects in moto's S3 whose content is made only when somebody reads it; size and ETag are known from the beginning.

Beside moto_seam.py a place that touches moto's internals.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

from moto.s3.models import FakeKey, s3_backends

from runbook_lib.sandbox.world import World


class Later(Protocol):
    """A content that can be made at any time, always the same; it is saved with the world."""

    @property
    def size(self) -> int: ...

    @property
    def etag(self) -> str: ...

    def made(self) -> bytes: ...


class PromisedKey(FakeKey):
    """An object whose content is made anew for each reader."""

    later: Later

    @property  # type: ignore[override]
    def value(self) -> bytes:
        return self.later.made()

    @value.setter
    def value(self, new_value: bytes) -> None:
        raise AssertionError("moto writes an object only when it is made")

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("lock", "_value_buffer")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lock = threading.Lock()

    def dispose(self, garbage: bool = False) -> None:
        self.disposed = True


def promise(world: World, bucket: str, key: str, later: Later) -> None:
    """Let an empty object that was just put have a content that is made when somebody reads it."""
    found: Any = s3_backends[world.settings.account][world.settings.partition].buckets[bucket].keys.getlist(key)[-1]
    found.dispose()
    del found._value_buffer
    found.__class__ = PromisedKey
    found.later, found.contentsize, found._etag = later, later.size, later.etag
