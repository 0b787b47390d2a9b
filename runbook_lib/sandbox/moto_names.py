"""Gives moto the world's time and chance: in modules of moto alone, never in the rest of the process.

moto's modules ask for the time by the names datetime, date and time, and for chance by random, uuid and os.urandom
where they do not use moto's own generator. Each of these names is replaced in each of moto's modules, in those that
are loaded later too. moto's utcnow and unix_time follow, because they ask by the same names.
"""

from __future__ import annotations

import calendar
import datetime as real
import os
import random
import sys
import time as real_time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import boto3

from runbook_lib.sandbox import clients

Source = Callable[[], float]

# Draws the ids by which moto tells its own tables apart, which must stay unique in the process.
TELLS_APART = "moto.core.base_backend"
# Asks boto3 for sessions while it is loaded: three times a second of work, and a profile of this machine's user.
ASKS_AT_IMPORT = "moto.ec2.models.availability_zones_and_regions"

_source: Source = real_time.time
_finder: MetaPathFinder | None = None


def give(source: Source) -> None:
    """From now on moto's time comes from there."""
    global _source
    _source = source
    install()


def install() -> None:
    """Replace the names in moto's modules, in those that are loaded from now on too."""
    global _finder
    if _finder is None:
        _finder = _Finder()
        sys.meta_path.insert(0, _finder)
        for name, module in list(sys.modules.items()):
            if _is_moto(name):
                patch(module)


def take_back() -> None:
    """From now on moto's time is the wall's again."""
    give(real_time.time)


def _is_moto(name: str) -> bool:
    return name == "moto" or name.startswith("moto.")


def patch(module: ModuleType) -> None:
    """Replace the names by which a module asks for time and chance."""
    if module.__name__ == TELLS_APART:
        return
    for name, value in list(vars(module).items()):
        new = REPLACED.get(id(value))
        if new is not None:
            setattr(module, name, new)


class _Finder(MetaPathFinder):
    """Finds moto's modules where they are, and has them patched once they are loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _is_moto(fullname):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        loader: Any = spec.loader if spec is not None else None
        if hasattr(loader, "exec_module"):
            loader.exec_module = _then_patch(loader.exec_module)
        return spec


def _then_patch(load: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    @wraps(load)
    def load_and_patch(module: ModuleType) -> None:
        before = _chance().getstate()  # what a module draws while it is loaded must not shift what comes after
        with _one_session() if module.__name__ == ASKS_AT_IMPORT else _as_it_is():
            load(module)
        patch(module)
        _chance().setstate(before)

    return load_and_patch


@contextmanager
def _one_session() -> Iterator[None]:
    original, shared = boto3.Session, clients.session()  # made before its class is out of reach
    boto3.Session = lambda: shared  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        boto3.Session = original  # type: ignore[misc]


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


def _chance() -> Any:
    """moto's own generator, which is seeded for each call; before it is loaded, one of no consequence."""
    internal = sys.modules.get("moto.moto_api._internal")
    return getattr(internal, "mock_random", _UNUSED)


_UNUSED = random.Random(0)


# ---- time


class _StandsFor(type):
    """A class that stands for another one in isinstance and issubclass."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.__mro__[1])

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.__mro__[1])


class Moment(real.datetime):
    """A moment in UTC: also where moto drops its time zone, which elsewhere would mean that of the machine."""

    def timestamp(self) -> float:
        return self._aware().timestamp()

    def astimezone(self, tz: real.tzinfo | None = None) -> Any:
        return self._aware().astimezone(tz or real.UTC)

    def _aware(self) -> real.datetime:
        zone = self.tzinfo or real.UTC
        parts = (self.year, self.month, self.day, self.hour, self.minute, self.second, self.microsecond)
        return real.datetime(*parts, tzinfo=zone)


class WorldDatetime(real.datetime, metaclass=_StandsFor):
    """datetime.datetime on the world's time; what it makes are ordinary datetimes."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return real.datetime(*args, **kwargs)  # noqa: DTZ001 - as the caller wants it

    @classmethod
    def now(cls, tz: real.tzinfo | None = None) -> Any:
        moment = Moment.fromtimestamp(_source(), tz or real.UTC)
        return moment if tz else moment.replace(tzinfo=None)

    @classmethod
    def utcnow(cls) -> Any:
        return cls.now()

    @classmethod
    def today(cls) -> Any:
        return cls.now()


class WorldDate(real.date, metaclass=_StandsFor):
    """datetime.date on the world's time."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return real.date(*args, **kwargs)

    @classmethod
    def today(cls) -> Any:
        return real.datetime.fromtimestamp(_source(), real.UTC).date()


def _time() -> float:
    return _source()


def _struct(seconds: float | None = None) -> real_time.struct_time:
    return real_time.gmtime(_source() if seconds is None else seconds)


def _strftime(form: str, moment: Any = None) -> str:
    return real_time.strftime(form, moment or _struct())


# ---- chance


def _uuid4() -> uuid.UUID:
    return uuid.UUID(int=_chance().getrandbits(128), version=4)


def _urandom(size: int) -> bytes:
    drawn: bytes = _chance().randbytes(size)
    return drawn


class _Drawn:
    """The module random, drawing from moto's generator."""

    def __getattr__(self, name: str) -> Any:
        own = _chance()
        return getattr(own, name) if hasattr(own, name) else getattr(random, name)


class _Proxy(ModuleType):
    """A module with some of its names replaced."""

    def __init__(self, original: ModuleType, **replaced: Any) -> None:
        super().__init__(original.__name__, original.__doc__)
        self.__dict__.update(replaced)
        self._original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


REPLACED: dict[int, Any] = {
    id(real): _Proxy(real, datetime=WorldDatetime, date=WorldDate),
    id(real.datetime): WorldDatetime,
    id(real.date): WorldDate,
    id(real_time): _Proxy(
        real_time,
        time=_time,
        time_ns=lambda: int(_source() * 1_000_000_000),
        gmtime=_struct,
        localtime=_struct,
        mktime=calendar.timegm,
        strftime=_strftime,
    ),
    id(real_time.time): _time,
    id(random): _Drawn(),
    id(uuid): _Proxy(uuid, uuid4=_uuid4, uuid1=_uuid4),
    id(uuid.uuid4): _uuid4,
    id(os): _Proxy(os, urandom=_urandom),
}
