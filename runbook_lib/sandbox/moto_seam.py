"""The seam to moto: its state, time, randomness and account come from the world that is asked.

With moto_names.py and moto_protocol.py the only place that touches moto's internals. moto is pinned, and
tests/sandbox/test_moto_seam.py says what is relied on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")  # read by moto.settings when a policy is looked up

from moto import backend_index
from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from moto.core.exceptions import HTTPException  # type: ignore[attr-defined]
from moto.core.model_instances import model_data
from moto.core.request import Request
from moto.moto_api._internal import mock_random

from runbook_lib.sandbox import moto_names
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.world import World

ACCOUNT_HEADER = "x-moto-account-id"

Backends = dict[BackendDict, dict[str, Any]]
# The BackendDicts that hold anything; mypy sees generic class variables as ambiguous.
USED: list[Any] = BackendDict._instances  # type: ignore[misc]

Route = tuple[re.Pattern[str], Callable[..., Any]]

_current: World | None = None
_away: WeakKeyDictionary[World, Backends] = WeakKeyDictionary()


def enter(world: World) -> None:
    """Let moto serve this world from now on; what it keeps for another world is put aside."""
    if _current is world:
        return
    put_aside()
    for backends, accounts in _away.pop(world, {}).items():
        backends.update(accounts)
        USED.append(backends)
    claim(world)


def put_aside() -> None:
    """Empty moto; what it kept for a world is kept for that world, what it kept for nobody is gone."""
    global _current
    if _current is None:
        BackendDict.reset()
        return
    _away[_current] = {backends: dict(backends) for backends in USED}
    for backends in USED:
        backends.clear()
    USED.clear()
    _current = None


def claim(world: World) -> None:
    """What moto keeps now belongs to this world, and the time is the world's."""
    global _current
    _current = world
    moto_names.give(lambda: world.now)


def forget(world: World) -> None:
    """Drop what was put aside for a world that nobody will enter again."""
    _away.pop(world, None)


def leave(world: World) -> None:
    """Forget all that moto keeps for a world, and give moto the wall's time."""
    global _current
    enter(world)
    BackendDict.reset()
    for models in model_data.values():
        for model in models.values():
            tracked: Any = model
            tracked.instances_tracked.clear()  # moto keeps every object it ever made in these
    _current = None
    moto_names.take_back()


def ask(world: World, request: Request, *, purpose: str) -> tuple[int, dict[str, str], bytes]:
    """What moto answers to a request whose URL is AWS's; purpose (service.Operation) seeds what it draws."""
    enter(world)
    request.environ["HTTP_X_MOTO_ACCOUNT_ID"] = world.settings.account
    mock_random.seed(f"{world.settings.seed}/{purpose}/{world.ids.number('moto:' + purpose)}")
    try:
        status, headers, body = _route(request)(request, request.raw_url, request.headers)
    except NotImplementedError as error:
        raise _not_served(purpose, f"moto: {error}") from error
    except ModuleNotFoundError as error:
        # An optional part of moto (moto[cloudformation] ...) that is not installed.
        raise _not_served(purpose, f"moto lacks {error.name}") from error
    except HTTPException as error:
        status, headers, body = error.code, dict(error.get_headers()), error.get_body()
    return int(status), dict(headers), body.encode() if isinstance(body, str) else body


def _not_served(purpose: str, why: str) -> AwsError:
    return AwsError("NotImplemented", f"{purpose} is not served by the sandbox ({why})", 501)


def _route(request: Request) -> Callable[..., Any]:
    url = urlsplit(request.raw_url)
    plain = f"{url.scheme}://{url.netloc}{url.path}"
    for pattern, serve in _routes(url.scheme, url.netloc):
        if pattern.match(plain):
            return serve
    raise NotImplementedError("it has no such service")


@cache
def _routes(scheme: str, host: str) -> list[Route]:
    base = f"{scheme}://{host}/"
    names = [name for name, pattern in backend_index.backend_url_patterns if pattern.match(base)]
    return [route for name in names for route in _routes_of(name)]


@cache
def _routes_of(name: str) -> list[Route]:
    # The table of URLs belongs to the class; asking an instance would make a backend with all its defaults.
    kind = get_backend(name).backend  # type: ignore[call-overload]
    return [(re.compile(url), serve) for url, serve in kind.__new__(kind).urls.items()]
