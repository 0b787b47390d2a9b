"""The door of a world: AWS protocols in, AWS protocols out; what no service of ours serves goes to moto."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import format_datetime
from typing import Any

from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ClientError

from runbook_lib.sandbox import bodies, cbor, clients, moto_protocol, moto_seam, services, trail
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.moto_protocol import Answer, Matched, Request
from runbook_lib.sandbox.world import World

SCOPE = re.compile(r"Credential=([^/%]+)(?:/|%2F)\d{8}(?:/|%2F)([^/%]+)(?:/|%2F)([^/%]+)")
VERSION_2 = re.compile(r"AWS ([^: ]+):")
# signing name -> botocore's name, where they differ (botocore's models, metadata.signingName)
SIGNED_AS = {
    "cloudhsm": "cloudhsmv2",
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
INTERNAL = "aws"  # the caller of requests that AWS's services make of each other; they are not recorded
NOT_SIGNED = AwsError("MissingAuthenticationToken", "The request is not signed.", 403)


@dataclass(frozen=True)
class Scope:
    """Who calls which service where; operation is "" where only the request itself can tell."""

    caller: str
    region: str
    service: str
    operation: str = ""
    moto_only: bool = False


@dataclass
class Call:
    """One call of an operation: params is what boto3 was given, absent keys are absent."""

    world: World
    service: str
    operation: str
    region: str
    account: str
    caller: str
    params: dict[str, Any]

    def moto(self) -> dict[str, Any]:
        """What moto itself answers to this call; its errors are raised as AwsError."""
        client = self.world.gateway.client(self.service, region=self.region, moto_only=True)
        try:
            answer: dict[str, Any] = getattr(client, xform_name(self.operation))(**self.params)
        except ClientError as error:
            told = error.response["Error"]
            raise AwsError(
                told["Code"], told["Message"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            ) from error
        answer.pop("ResponseMetadata")
        return answer


class Gateway:
    """Answers the requests that reach a world, one at a time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.before: Callable[[], None] = _nothing  # called before a request from outside is answered
        self._clients: dict[tuple[Any, ...], Any] = {}
        moto_seam.enter(world)

    # ---- clients in this process

    def client(
        self,
        service: str,
        *,
        caller: str = INTERNAL,
        region: str | None = None,
        user_agent: str | None = None,
        moto_only: bool = False,
    ) -> Any:
        """A boto3 client that calls as a principal (an ARN); each is made once."""
        wanted = (service, caller, region or self.world.settings.region, user_agent, moto_only)
        if wanted not in self._clients:
            self._clients[wanted] = self._make_client(*wanted)
        return self._clients[wanted]

    def _make_client(self, service: str, caller: str, region: str, user_agent: str | None, moto_only: bool) -> Any:
        scope = Scope(caller, region, service, moto_only=moto_only)

        def send(request: AWSPreparedRequest, operation: str) -> Answer:
            if caller != INTERNAL:
                self.before()
            return self.handle(moto_protocol.normalized(request), scope=replace(scope, operation=operation))

        key = self.credentials_for(caller)
        return clients.make(service, region=region, key=key, send=send, user_agent=user_agent)

    def credentials_for(self, principal: str) -> tuple[str, str]:
        """The access key and its secret with which a principal (the ARN of a role or user) calls."""
        digest = hashlib.sha256(f"{self.world.settings.seed}/{principal}".encode()).hexdigest()
        key = "ASIA" + digest[:16].upper()
        self.world.principals[key] = principal
        return key, clients.SECRET

    # ---- requests

    def scope_of(self, request: Request) -> Scope | None:
        """Who calls what, by the signature of a request; None when it is not signed."""
        found = SCOPE.search(request.headers.get("Authorization", "")) or SCOPE.search(request.query_string.decode())
        if found is None:
            return self._of_version_2(request)
        key, region, name = found.groups()
        return Scope(self._caller(key), region, SIGNED_AS.get(name, name))

    def _of_version_2(self, request: Request) -> Scope | None:
        """boto3 signs URLs of S3 by version 2 where nothing asks for version 4; that names no region."""
        found = VERSION_2.search(request.headers.get("Authorization", ""))
        key = found[1] if found else request.args.get("AWSAccessKeyId")
        return Scope(self._caller(key), self.world.settings.region, "s3") if key else None

    def _caller(self, key: str) -> str:
        return self.world.principals.get(key, self.world.operator)

    def handle_foreign(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """The answer to a request that came through a socket; target is its path and query."""
        here = moto_protocol.foreign(method, f"http://localhost{target}", headers, body)
        scope = self.scope_of(here)
        if scope is None:
            return moto_protocol.plain_error(NOT_SIGNED, protocol=moto_protocol.protocol_of("", here))
        host = clients.host(scope.service, scope.region)
        if host is None:
            protocol = moto_protocol.protocol_of(scope.service, here)
            return moto_protocol.plain_error(_not_served(scope.service), protocol=protocol)
        try:
            headers, body = bodies.plain(headers, body, service=scope.service)
        except AwsError as error:
            return self._refuse(scope, error, here)
        url = f"https://{host}{clients.bucket_in(headers) if scope.service == 's3' else ''}{target}"
        told = {name: value for name, value in headers.items() if name.lower() != "host"}
        return self.handle(moto_protocol.foreign(method, url, {**told, "Host": host}, body), scope=scope)

    def handle(self, request: Request, *, scope: Scope | None = None) -> Answer:
        """The answer to a request; what goes wrong in a service itself is raised, never shown as AWS's."""
        scope = scope or self.scope_of(request)
        if scope is None:
            return moto_protocol.plain_error(NOT_SIGNED, protocol=moto_protocol.protocol_of("", request))
        ours = None if scope.moto_only else services.module(scope.service)
        if ours is None and not cbor.spoken(request.headers):
            return self._from_moto(request, scope)
        matched = moto_protocol.match(scope.service, request)
        if matched is None:
            asked = moto_protocol.asked_of(scope.service, request)
            return self._refuse(
                scope, AwsError("NotImplemented", f"{scope.service}: no operation {asked}", 501), request
            )
        return self._matched(matched, request, replace(scope, operation=matched.operation), ours)

    def _matched(self, matched: Matched, request: Request, scope: Scope, module: Any) -> Answer:
        run = module.OPERATIONS.get(matched.operation) if module is not None else None
        if run is not None:
            return self._run(run, matched, request, scope)
        if module is not None and matched.operation not in getattr(module, "MOTO", ()):
            return self._refuse(scope, _not_implemented(scope), request)
        if matched.protocol == cbor.PROTOCOL:
            return self._translated(matched, request, scope)
        return self._from_moto(request, scope)

    def _translated(self, matched: Matched, request: Request, scope: Scope) -> Answer:
        """What moto answers to a request in a protocol that it does not speak."""
        try:
            result = self._call(matched, request, scope).moto()
        except AwsError as error:
            return self._refuse(scope, error, request)
        self._record(scope, "")
        return moto_protocol.respond(matched, result, request_id=self.world.ids.uuid("request"))

    def _run(self, run: Any, matched: Matched, request: Request, scope: Scope) -> Answer:
        result: dict[str, Any] | AwsError
        try:
            result = run(self._call(matched, request, scope))
        except AwsError as error:
            result = error
        moto_protocol.check(matched, result)
        answer = self._dated(moto_protocol.respond(matched, result, request_id=self.world.ids.uuid("request")))
        self._record(scope, result.code if isinstance(result, AwsError) else "", request, answer)
        return answer

    def _dated(self, answer: Answer) -> Answer:
        """Every answer of AWS says what time it is there: by it a client sees that its own clock is wrong."""
        status, headers, body = answer
        return status, {**headers, "date": format_datetime(self.world.datetime(), usegmt=True)}, body

    def _call(self, matched: Matched, request: Request, scope: Scope) -> Call:
        params = moto_protocol.parse(matched, request)
        wrong = moto_protocol.complaint(matched, params)
        if wrong:
            raise AwsError("ValidationException", wrong)
        own = self.world.settings
        return Call(self.world, scope.service, matched.operation, scope.region, own.account, scope.caller, params)

    def _from_moto(self, request: Request, scope: Scope) -> Answer:
        operation = scope.operation or moto_protocol.operation_of(scope.service, request)
        scope, known = replace(scope, operation=operation), moto_protocol.has(scope.service, operation)
        if not known and not moto_protocol.protocol_of(scope.service, request).startswith("rest"):
            return self._refuse(scope, _no_operation(scope, request), request)
        try:
            status, headers, body = moto_seam.ask(self.world, request, purpose=f"{scope.service}.{operation}")
        except AwsError as error:
            return self._refuse(scope, error if known else _no_operation(scope, request), request)
        self._record(scope, moto_protocol.error_code(status, headers, body), request, (status, headers, body))
        return status, headers, body

    def _refuse(self, scope: Scope, error: AwsError, request: Request) -> Answer:
        self._record(scope, error.code)
        return moto_protocol.plain_error(error, protocol=moto_protocol.protocol_of(scope.service, request))

    def _record(self, scope: Scope, error: str, request: Request | None = None, answer: Answer | None = None) -> None:
        if scope.caller == INTERNAL:
            return
        kept = None
        if request is not None and answer is not None:
            kept = trail.wire(scope.service, scope.operation, request, answer)
        self.world.log_call(
            caller=scope.caller,
            service=scope.service,
            operation=scope.operation,
            error=error,
            region=scope.region,
            wire=kept,
        )


def _nothing() -> None:
    """On the virtual clock looking changes nothing."""


def _not_served(service: str) -> AwsError:
    return AwsError("NotImplemented", f"{service} is no service that the sandbox or botocore knows", 501)


def _no_operation(scope: Scope, request: Request) -> AwsError:
    asked = moto_protocol.asked_of(scope.service, request)
    return AwsError("NotImplemented", f"{scope.service}: no operation {asked}", 501)


def _not_implemented(scope: Scope) -> AwsError:
    return AwsError("NotImplemented", f"{scope.service}.{scope.operation} is not served by the sandbox", 501)
