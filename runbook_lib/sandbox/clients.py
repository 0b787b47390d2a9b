"""boto3 clients that stay in this process: their requests go to the gateway and never to a socket."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.handlers import generate_idempotent_uuid

from runbook_lib.sandbox.moto_protocol import Answer, RawBody

OPERATOR_KEY = "AKIASANDBOXOPERATOR0"
SECRET = "sandbox-secret-access-key"

# Nothing of this machine: no endpoint or proxy of its environment, no host names beyond the service's own; and nothing
# is packed for a network that is not there.
ALONE: dict[str, Any] = {
    "disable_request_compression": True,
    "ignore_configured_endpoint_urls": True,
    "inject_host_prefix": False,
    "proxies": {},
    "read_timeout": None,
    "retries": {"mode": "standard"},
}

BUCKET = re.compile(r"(?!s3[.-])(.{3,}?)(?:\.s3(?:[.-].*?)?\.amazonaws\.com(?:\.cn)?|(?:\.s3(?:[.-].*?)?)?\.localhost)")

Send = Callable[[AWSPreparedRequest, str], Answer]


@cache
def session() -> Any:
    """One botocore session that knows nothing of this machine's profiles, regions and credentials."""
    import boto3
    from botocore.session import Session

    own = Session(session_vars={"profile": (None, None, None, None)})
    own.set_config_variable("config_file", os.devnull)
    own.set_config_variable("credentials_file", os.devnull)
    return boto3.Session(
        botocore_session=own, aws_access_key_id="sandbox", aws_secret_access_key="sandbox", region_name="us-east-1"
    )


@cache
def host(service: str, region: str) -> str | None:
    """The host name that AWS gives a service; None for one that botocore does not know."""
    own = session()._session
    if service not in own.get_available_services():
        return None
    prefix = own.get_service_model(service).endpoint_prefix
    found = own._get_internal_component("endpoint_resolver").construct_endpoint(prefix, region)
    return str(found["hostname"]) if found else f"{prefix}.{region}.amazonaws.com"


def bucket_in(headers: Mapping[str, str]) -> str:
    """The bucket that a request to S3 names in its host, as the first part of a path; "" when it names none there.

    Source: S3 user guide, VirtualHosting. On loopback SDKs put the bucket before the name of this machine.
    """
    named = next((value for name, value in headers.items() if name.lower() == "host"), "")
    found = BUCKET.fullmatch(named.partition(":")[0].lower())
    return f"/{found[1]}" if found else ""


def make(service: str, *, region: str, key: tuple[str, str], send: Send, user_agent: str | None = None) -> Any:
    """A client of a service whose requests are answered by `send`."""
    client = _client(service, region=region, key=key, user_agent=user_agent)

    def answer(request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        status, headers, body = send(request, event_name.rsplit(".", 1)[1])
        told: Any = headers
        return AWSResponse(request.url, status, told, RawBody(body))

    client.meta.events.register_first("before-send.*.*", answer)
    return client


def remote(service: str, *, url: str, region: str, key: str, user_agent: str | None = None) -> Any:
    """A client of a service of a served world."""
    return _client(service, region=region, key=(key, SECRET), user_agent=user_agent, endpoint_url=url)


def load_models(services: Sequence[str]) -> None:
    """Read what botocore knows of these services: afterwards their clients are made in a moment."""
    for service in services:
        _client(service, region="us-east-1", key=(OPERATOR_KEY, SECRET), user_agent=None)


def _client(service: str, *, region: str, key: tuple[str, str], user_agent: str | None, **more: Any) -> Any:
    client = session().client(
        service,
        region_name=region,
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
        config=Config(user_agent_extra=user_agent, **ALONE),
        **more,
    )
    client.meta.events.unregister("before-parameter-build", generate_idempotent_uuid)
    client.meta.events.register_first("before-parameter-build", _give_token)
    # The wall clock has no business here: whether to try again is up to the caller of the client.
    name = client.meta.service_model.service_id.hyphenize()
    client.meta.events.unregister(f"needs-retry.{name}", unique_id=f"retry-config-{name}")
    return client


def _give_token(params: dict[str, Any], model: Any, **_: Any) -> None:
    """boto3 would draw a token against doing a thing twice; here one is only given where it must be, from the rest."""
    for name in model.idempotent_members:
        if name in model.input_shape.required_members and name not in params:
            params[name] = hashlib.sha256(f"{model.name}/{params!r}".encode()).hexdigest()[:32]
