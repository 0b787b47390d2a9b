"""Gives moto the world's time: in modules of moto alone, never in the rest of the process.

moto's modules ask the wall clock by the names datetime, date and time; each of these names is replaced in each of
its modules, in those that are loaded later too. utcnow and unix_time follow, because they ask by the same names.
"""

from __future__ import annotations

import datetime as real
import sys
import time as real_time
from collections.abc import Callable, Sequence
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

Source = Callable[[], float]

_source: Source = real_time.time
_finder: MetaPathFinder | None = None


def give(source: Source) -> None:
    """From now on moto's time comes from there."""
    global _source, _finder
    _source = source
    if _finder is None:
        _finder = _Finder()
        sys.meta_path.insert(0, _finder)
        for name, module in list(sys.modules.items()):
            if _is_moto(name) and isinstance(module, ModuleType):
                patch(module)


def take_back() -> None:
    """From now on moto's time is the wall's again."""
    give(real_time.time)


def _is_moto(name: str) -> bool:
    return name == "moto" or name.startswith("moto.")


def patch(module: ModuleType) -> None:
    """Replace the names by which a module asks for the time."""
    for name, value in list(vars(module).items()):
        new = _REPLACED.get(id(value))
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
        if spec is not None and spec.loader is not None and hasattr(spec.loader, "exec_module"):
            loader: Any = spec.loader
            loader.exec_module = _then_patch(loader.exec_module)
        return spec


def _then_patch(load: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    @wraps(load)
    def load_and_patch(module: ModuleType) -> None:
        load(module)
        patch(module)

    return load_and_patch


class _StandsFor(type):
    """A class that stands for another one in isinstance and issubclass."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.__mro__[1])

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.__mro__[1])


class WorldDatetime(real.datetime, metaclass=_StandsFor):
    """datetime.datetime on the world's time; what it makes are ordinary datetimes."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return real.datetime(*args, **kwargs)  # noqa: DTZ001 - as the caller wants it

    @classmethod
    def now(cls, tz: real.tzinfo | None = None) -> Any:
        # Without a time zone moto means UTC; the zone of the machine must not show.
        moment = real.datetime.fromtimestamp(_source(), tz or real.UTC)
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


def world_time() -> float:
    """time.time on the world's time."""
    return _source()


def _world_struct(seconds: float | None = None) -> real_time.struct_time:
    return real_time.gmtime(_source() if seconds is None else seconds)


def _world_strftime(form: str, moment: Any = None) -> str:
    return real_time.strftime(form, moment or _world_struct())


class _Proxy(ModuleType):
    """A module with some of its names replaced."""

    def __init__(self, original: ModuleType, **replaced: Any) -> None:
        super().__init__(original.__name__, original.__doc__)
        self.__dict__.update(replaced)
        self._original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


DATETIME_MODULE = _Proxy(real, datetime=WorldDatetime, date=WorldDate)
TIME_MODULE = _Proxy(
    real_time,
    time=world_time,
    time_ns=lambda: int(_source() * 1_000_000_000),
    gmtime=_world_struct,
    localtime=_world_struct,
    strftime=_world_strftime,
)

_REPLACED: dict[int, Any] = {
    id(real): DATETIME_MODULE,
    id(real.datetime): WorldDatetime,
    id(real.date): WorldDate,
    id(real_time): TIME_MODULE,
    id(real_time.time): world_time,
}
