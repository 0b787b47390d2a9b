"""The seam to moto: its state, time, randomness and account come from the world that is asked.

With moto_names.py, moto_objects.py and moto_protocol.py the only place that touches moto's internals. moto is pinned,
and tests/sandbox/test_moto_seam.py says what is relied on.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import moto.core.utils
from moto import backend_index
from moto.backends import get_backend
from moto.core import loaders
from moto.core.base_backend import AccountSpecificBackend, BackendDict
from moto.core.common_models import BaseModel
from moto.core.exceptions import HTTPException  # type: ignore[attr-defined]
from moto.core.request import Request
from moto.moto_api._internal import mock_random

from runbook_lib.sandbox import clients, moto_names
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.world import World

ACCOUNT_HEADER = "x-moto-account-id"

# Read by moto.settings when they are asked for: AWS's own policies are wanted, 1,300 machine images for servers that
# nobody starts are not.
SETTINGS = {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}

MOST_LINES = 20_000  # of a log stream of tasks: they are held in memory

# What BackendDicts of some services hold besides their accounts.
BESIDES = ("bucket_accounts", "master_accounts")
# The BackendDicts that hold anything; mypy sees generic class variables as ambiguous.
USED: list[Any] = BackendDict._instances  # type: ignore[misc]

Route = tuple[re.Pattern[str], Callable[..., Any]]


@dataclass(frozen=True)
class Kept:
    """The content of a BackendDict."""

    accounts: dict[str, Any]
    besides: dict[str, dict[Any, Any]]


_current: World | None = None
_away: WeakKeyDictionary[World, list[tuple[Any, Kept]]] = WeakKeyDictionary()


def enter(world: World) -> None:
    """Let moto serve this world from now on; what it keeps for another world is put aside."""
    if _current is world:
        return
    put_aside()
    for backends, kept in _away.pop(world, []):
        put_back(backends, kept)
    claim(world)


def put_aside() -> None:
    """Empty moto; what it kept for a world is kept for that world, what it kept for nobody is gone."""
    global _current
    if _current is None:
        BackendDict.reset()
        return
    _away[_current] = [(backends, Kept(dict(backends), besides(backends))) for backends in USED]
    for backends in USED:
        backends.clear()
        _set_besides(backends, {})
    USED.clear()
    _current = None


def besides(backends: Any) -> dict[str, dict[Any, Any]]:
    """What a BackendDict holds besides its accounts: whose a bucket's name is, for instance."""
    return {name: dict(getattr(backends, name)) for name in BESIDES if hasattr(backends, name)}


def _set_besides(backends: Any, values: dict[str, dict[Any, Any]]) -> None:
    for name in BESIDES:
        if hasattr(backends, name):
            setattr(backends, name, values.get(name, {}))


def put_back(backends: Any, kept: Kept) -> None:
    """Give a BackendDict of moto its content again."""
    backends.update(kept.accounts)
    _set_besides(backends, kept.besides)
    if backends not in USED:
        USED.append(backends)


def claim(world: World) -> None:
    """What moto keeps now belongs to this world, and the time is the world's."""
    global _current
    _current = world
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    moto_names.give(lambda: world.now)


def forget(world: World) -> None:
    """Drop what was put aside for a world that nobody will enter again."""
    _away.pop(world, None)


def leave(world: World) -> None:
    """Forget all that moto keeps for a world, and give moto the wall's time."""
    global _current
    enter(world)
    for backends in USED:
        if backends.service_name == "s3":
            backends[world.settings.account][world.settings.partition].reset()  # closes its temporary files
        backends.clear()
        _set_besides(backends, {})
    USED.clear()
    _current = None
    moto_names.take_back()


def ask(world: World, request: Request, *, purpose: str) -> tuple[int, dict[str, str], bytes]:
    """What moto answers to a request whose URL is AWS's; purpose (service.Operation) seeds what it draws."""
    enter(world)
    request.environ["HTTP_X_MOTO_ACCOUNT_ID"] = world.settings.account
    _seed(f"{purpose}/{world.ids.number('moto:' + purpose)}")
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
    if name.startswith("s3"):
        _overlook_bucket_policies()
        _close_quietly()
    if name == "sns":
        _deliver_ourselves()
    return [(re.compile(url), serve) for url, serve in kind.__new__(kind).urls.items()]


# ---- Lambda's code, of which moto's API only gives a link that leads nowhere


def function_code(world: World, name: str, version: str) -> bytes:
    """The zip file of a version of a function."""
    code: bytes = _lambda(world).get_function(name, version).code_bytes
    return code


def layer_code(world: World, arn: str) -> bytes:
    """The zip file of a version of a layer."""
    code: bytes = _lambda(world).layers_versions_by_arn(arn).code_bytes
    return code


def _lambda(world: World) -> Any:
    enter(world)
    return get_backend("lambda")[world.settings.account][world.settings.region]


# ---- log lines, of which tasks write more than calls could carry in time


def log(world: World, group: str, stream: str, events: Iterable[tuple[int, str]]) -> bool:
    """Add (milliseconds, text) to a log stream, which is made where it is not there; whether its group is there.

    Of a stream MOST_LINES are kept.
    """
    backend = _logs(world)
    if group not in backend.groups:
        return False
    streams = backend.groups[group].streams
    if stream not in streams:
        backend.create_log_stream(group, stream)
    room = MOST_LINES - len(streams[stream].events)
    told = [{"timestamp": at, "message": text} for at, text in events][: max(0, room)]
    if told:
        backend.put_log_events(group, stream, told)
    return True


def logged(
    world: World, group: str, streams: Sequence[str], between: tuple[int | None, int | None]
) -> list[dict[str, Any]] | None:
    """The events of a group in the order of their times, all at once; None where the group is not there.

    moto would find its next page by an event's number, which it counts anew in each process: a saved world has some
    twice.
    """
    backend = _logs(world)
    if group not in backend.groups:
        return None
    asked = (group, streams, *between, sys.maxsize, None, None, True)
    found: list[dict[str, Any]] = backend.groups[group].filter_log_events(*asked)[0]
    return found


def _logs(world: World) -> Any:
    enter(world)
    return get_backend("logs")[world.settings.account][world.settings.region]


# ---- chance

_find_or_make = AccountSpecificBackend.__getitem__


def _find_or_make_seeded(self: Any, region: str) -> Any:
    """A backend draws its defaults (a default VPC ...) by itself: whoever comes first does not change them."""
    if _current is None or region in self.keys():
        return _find_or_make(self, region)
    before = mock_random.getstate()
    _seed(f"backend/{self.service_name}/{region}")
    try:
        return _find_or_make(self, region)
    finally:
        mock_random.setstate(before)


def _seed(purpose: str) -> None:
    mock_random.seed(f"{_current.settings.seed if _current else 0}/{purpose}")


AccountSpecificBackend.__getitem__ = _find_or_make_seeded  # type: ignore[method-assign]


# ---- models


class _Loader:
    """moto would read botocore's models a second time; S3's it must, as botocore's clients take its paths apart."""

    def load_service_model(self, service_name: str, *narrower: Any, **named: Any) -> Any:
        shared = clients.session()._session.get_component("data_loader")  # type: ignore[attr-defined]
        loader = loaders.create_loader() if service_name == "s3" else shared
        return loader.load_service_model(service_name, *narrower, **named)


moto.core.utils.create_loader = _Loader  # type: ignore[attr-defined, assignment]
# A session of moto's own would read this machine's profile, and fail where AWS_PROFILE names one that is not there;
# what else of moto is loaded from now on, before any world is there, asks for none either.
AccountSpecificBackend.get_session = clients.session  # type: ignore[method-assign]
moto.core.utils.Session = lambda: clients.session()._session  # type: ignore[assignment, attr-defined, misc]
moto_names.install()


# ---- memory


def _untracked(cls: Any, *args: Any, **named: Any) -> Any:
    """moto would keep every object that it ever made, for a page that nobody looks at."""
    return object.__new__(cls)


BaseModel.__new__ = _untracked  # type: ignore[method-assign, assignment]


def _close_quietly() -> None:
    """moto warns of objects that nobody holds any more, as it means to hold all of them."""
    from moto.s3.models import FakeKey

    FakeKey.__del__ = FakeKey.dispose  # type: ignore[method-assign, assignment]


# ---- permissions


def _overlook_bucket_policies() -> None:
    """moto denies by a bucket's policy without reading its Condition: "no call without TLS" would deny every call."""
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    FakeBucket.get_permission = lambda self, action, resource: PermissionResult.NEUTRAL  # type: ignore[method-assign]


# ---- notifications


def _deliver_ourselves() -> None:
    """moto would start containers for functions, post to the internet and sign with a key of its own."""
    from moto.sns.models import Subscription

    def publish(
        self: Any,
        message: str,
        message_id: str,
        subject: str | None = None,
        message_attributes: dict[str, Any] | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        message_structure: str | None = None,
    ) -> None:
        from runbook_lib.sandbox.services import topics

        matcher = self._filter_policy_matcher
        if _current is None or (matcher is not None and not matcher.matches(message_attributes, message)):
            return
        if message_structure == "json":
            message = self._parse_message_structure(message, self.protocol)
        notice = topics.Notice(
            topic=self.topic.arn,
            subscription=self.arn,
            protocol=self.protocol,
            endpoint=self.endpoint,
            raw=str(self.attributes.get("RawMessageDelivery", "")).lower() == "true",
            id=message_id,
            message=message,
            subject=subject,
            attributes=message_attributes or {},
            group=group_id,
            deduplication=deduplication_id,
        )
        topics.deliver(_current, notice)

    Subscription.publish = publish  # type: ignore[method-assign]
