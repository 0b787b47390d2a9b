"""What moto keeps for a world, as something that can be written down and put back.

All of moto's state hangs below BackendDict -> account -> region -> backend.__dict__. A reference to a backend is
written as its name, or a load balancer would drag a copy of all of EC2 along.
"""

from __future__ import annotations

import _thread
import importlib
import io
import pickle
import sys
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import moto
from moto.core.base_backend import BackendDict, BaseBackend

from runbook_lib.sandbox import moto_seam
from runbook_lib.sandbox.world import World

VERSION = moto.__version__
LOCKS: dict[type, Callable[[], Any]] = {_thread.LockType: threading.Lock, _thread.RLock: threading.RLock}

Name = tuple[str, str, str, str]  # module and variable of the BackendDict, account, region


def dump(world: World) -> bytes:
    """A world with all that moto keeps for it."""
    buffer = io.BytesIO()
    write(world, buffer)
    return buffer.getvalue()


def write(world: World, file: Any) -> None:
    """Write a world, with all that moto keeps for it, into something that has write()."""
    moto_seam.enter(world)
    names = {id(backend): name for name, backend in _backends()}
    content = {
        "world": world,
        "tables": [(_home(table), moto_seam.besides(table)) for table in moto_seam.USED],
        "backends": [(name, backend.__dict__) for name, backend in _backends()],
    }
    _Pickler(file, names).dump(content)


def load(data: bytes) -> World:
    """The world that was dumped; what moto keeps for it is in place."""
    moto_seam.put_aside()
    content = _Unpickler(io.BytesIO(data)).load()
    world: World = content["world"]
    for (module, variable), besides in content["tables"]:
        moto_seam.put_back(getattr(importlib.import_module(module), variable), moto_seam.Kept({}, besides))
    for name, attributes in content["backends"]:
        backend = _find(name)
        backend.__dict__.clear()
        backend.__dict__.update(attributes)
    moto_seam.claim(world)
    return world


def _backends() -> Iterator[tuple[Name, BaseBackend]]:
    for backends in moto_seam.USED:
        module, variable = _home(backends)
        if not module.startswith("moto.moto_api"):
            for account, region, backend in list(backends.iter_backends()):
                yield (module, variable, account, region), backend


def _home(backends: BackendDict[Any]) -> tuple[str, str]:
    module = sys.modules[backends.backend.__module__]
    return module.__name__, next(name for name, value in vars(module).items() if value is backends)


def _find(name: Name) -> BaseBackend:
    """The backend of that name; one that is not there yet is made bare, without the defaults that it would draw."""
    module, variable, account, region = name
    known = getattr(importlib.import_module(module), variable)[account]
    if region not in known.keys():  # noqa: SIM118 - moto says that it contains every region of AWS
        kind = known.backend
        dict.__setitem__(known, region, kind.__new__(kind))
    found: BaseBackend = dict.__getitem__(known, region)
    return found


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Writes backends by name, locks as new ones, keys as PEM, and moto's own dicts as they are inside."""

    def __init__(self, file: Any, names: dict[int, Name]) -> None:
        super().__init__(file)
        self._names = names

    def persistent_id(self, thing: Any) -> Any:
        if isinstance(thing, BackendDict):
            return "dict", *_home(thing)
        if isinstance(thing, BaseBackend) and id(thing) in self._names:
            return "backend", *self._names[id(thing)]
        return None

    def reducer_override(self, thing: Any) -> Any:
        kind = type(thing)
        if kind in LOCKS:
            return LOCKS[kind], ()
        if isinstance(thing, weakref.WeakValueDictionary):
            return weakref.WeakValueDictionary, (dict(thing),)
        if isinstance(thing, dict) and kind.__module__.startswith("moto."):
            return _dict_parts(thing)
        return _key_parts(thing) or super().reducer_override(thing)


def _dict_parts(thing: Any) -> tuple[Any, ...]:
    # Some of moto's dicts want arguments when made, and some do more than store when written to.
    made = _new_dict, (type(thing), getattr(thing, "default_factory", None))
    return *made, (dict(thing.__dict__), dict(dict.items(thing))), None, None, _fill_dict


def _new_dict(kind: Any, factory: Any) -> Any:
    new = kind.__new__(kind)
    if isinstance(new, defaultdict):
        new.default_factory = factory
    return new


def _fill_dict(new: Any, parts: tuple[dict[str, Any], dict[Any, Any]]) -> None:
    new.__dict__.update(parts[0])
    dict.update(new, parts[1])


def _key_parts(thing: Any) -> tuple[Any, ...] | None:
    """A private or public RSA or EC key as PEM; None for anything else."""
    if not type(thing).__module__.startswith("cryptography."):
        return None
    from cryptography.hazmat.primitives import serialization as form

    if hasattr(thing, "private_bytes"):
        plain = form.NoEncryption()
        return _private_key, (thing.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, plain),)
    if hasattr(thing, "public_bytes"):
        return _public_key, (thing.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo),)
    return None


def _private_key(pem: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(pem, None)


def _public_key(pem: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    return load_pem_public_key(pem)


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, written: Any) -> Any:
        kind, module, variable, *place = written
        found = getattr(importlib.import_module(module), variable)
        return found if kind == "dict" else _find((module, variable, *place))
