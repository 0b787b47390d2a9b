"""Objects in moto's S3 that take little memory: their content is made, or fetched, only when somebody reads it.

Size and ETag are known from the beginning. Beside moto_seam.py a place that touches moto's internals.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from moto.s3.models import FakeKey, s3_backends
from moto.utilities.utils import LowercaseDict

from runbook_lib.sandbox.shelf import Laid
from runbook_lib.sandbox.world import World

OWN = ("name", "last_modified", "_version_id", "later", "_etag", "contentsize")  # what differs in every object
DROPPED = ("_value_buffer", "lock", "_time_progressed")  # the last is the wall's time
# What moto changes in place: each object gets one of its own, when it is asked for.
MADE: Mapping[str, Callable[[], Any]] = {
    "lock": threading.Lock,
    "_metadata": lambda: LowercaseDict(_begun("_metadata")),
    "_transitions": lambda: list(_begun("_transitions")),
}


class Later(Protocol):
    """A content that can be made at any time, always the same; it is saved with the world."""

    @property
    def size(self) -> int: ...

    @property
    def etag(self) -> str: ...

    def made(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class LaidDown:
    """A content that lies in a file."""

    body: Laid
    etag: str

    @property
    def size(self) -> int:
        """Bytes."""
        return self.body.size

    def made(self) -> bytes:
        return self.body.read()


class PromisedKey(FakeKey):
    """An object whose content is made anew for each reader, and that holds only what other objects have not."""

    later: Later

    @property  # type: ignore[override]
    def value(self) -> bytes:
        return self.later.made()

    @value.setter
    def value(self, new_value: bytes) -> None:
        raise AssertionError("moto writes an object only when it is made")

    def __getattr__(self, name: str) -> Any:
        if name in MADE:
            made = self.__dict__[name] = MADE[name]()
            return made
        return _begun(name)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def dispose(self, garbage: bool = False) -> None:
        """Nothing is held that would have to be given back."""


def promise(world: World, bucket: str, key: str, later: Later) -> None:
    """Let an empty object that was just put have a content that is made when somebody reads it."""
    backend: Any = s3_backends[world.settings.account][world.settings.partition]
    _hold(backend, backend.buckets[bucket].keys.getlist(key)[-1], later)


def lay_down(world: World, bucket: str, key: str) -> None:
    """Let the content of an object that was just put lie in a file instead of in memory."""
    backend: Any = s3_backends[world.settings.account][world.settings.partition]
    found = backend.buckets[bucket].keys.getlist(key)[-1]
    _hold(backend, found, LaidDown(Laid(found.value), found.etag.strip('"')))


def _hold(backend: Any, found: Any, later: Later) -> None:
    arn = found.arn
    if backend.tagger.tags.get(arn) == {}:  # moto notes of each object that it has no tags
        del backend.tagger.tags[arn]
    found.dispose()
    told = {name: sys.intern(value) if type(value) is str else value for name, value in vars(found).items()}
    found.__dict__ = {name: value for name, value in told.items() if name in OWN or _is_unusual(name, value)}
    found.__class__ = PromisedKey
    found.later, found.contentsize, found._etag = later, later.size, later.etag


def _is_unusual(name: str, value: Any) -> bool:
    if name in DROPPED:
        return False
    usual = _usual().get(name)
    return bool(repr(value) != repr(usual) if name == "acl" else value != usual)


@cache
def _usual() -> dict[str, Any]:
    """The attributes of an object of which nothing special was said; never changed."""
    blank = FakeKey("", b"", account_id="", region_name="us-east-1")
    blank.dispose()
    return {name: value for name, value in vars(blank).items() if name not in OWN}


def _begun(name: str) -> Any:
    """An attribute as an object has it that nobody has changed; moto replaces what it changes, but for MADE."""
    try:
        return _usual()[name]
    except KeyError:
        raise AttributeError(name) from None
