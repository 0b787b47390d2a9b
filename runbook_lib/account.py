"""The account that a run works on: the one place that knows whether the world is the sandbox or AWS."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Protocol

from runbook_lib import __version__
from runbook_lib.clock import Clock, WallClock
from runbook_lib.errors import BadInput, Refused
from runbook_lib.git import Git
from runbook_lib.params import Params
from runbook_lib.sections import Disturbance, Existing, Owned

SANDBOX_URL = "RUNBOOK_SANDBOX_URL"  # a served world, for the notebooks of one walk
EMBEDDED = "embedded"
VISIT_SECONDS = 5.0  # that an answer may take
SAME_TIME = timedelta(seconds=5)
USER_AGENT = f"runbook-lib/{__version__}"


@dataclass(frozen=True)
class Visit:
    """The answer to one HTTP request; `status` is None where nobody answered, `ms` where nobody measured it."""

    status: int | None
    headers: Mapping[str, str]  # names in lower case
    ms: float | None


class Memory(Protocol):
    """Worlds that were brought to a state before."""

    def recall(self, states: Sequence[str]) -> tuple[str, str] | None:
        """Go on from the last of these states that is remembered, and give it with its notes; None for none."""

    def keep(self, state: str, *, notes: str) -> None:
        """Remember the world as it is now, and what was noted on the way there."""


@dataclass(frozen=True)
class Stage:
    """Where stories are played: a sandbox in this process, which nobody else sees."""

    tell: Callable[[str, Sequence[Disturbance]], None]  # a story's name, and what disturbs the traffic in it
    told: Callable[[], frozenset[str]]  # the names of the stories that were told


@dataclass(frozen=True)
class Load:
    """What came of the requests of a sandbox with live traffic, counted where they came from."""

    sent: int
    failed: int  # with a 5xx or without an answer, since a target was healthy for the first time
    statuses: Mapping[str, int]  # or what went wrong where there was no answer

    def since(self, before: Load) -> Load:
        """What came between two counts."""
        more = Counter(self.statuses)
        more.subtract(before.statuses)
        return Load(self.sent - before.sent, self.failed - before.failed, {k: n for k, n in more.items() if n})


@dataclass(frozen=True)
class Account:
    """An account that was opened: its identity was asked for and is the one that the parameters name."""

    target: str
    id: str
    region: str
    partition: str
    who: str
    clock: Clock
    shared: bool  # a world that others use too: AWS, or a served sandbox
    place: str  # "aws", "embedded", or the address of a served sandbox
    make_client: Callable[[str], Any]
    claims: tuple[Owned, ...] = ()  # what stacks own, as the parameters list it
    adopted: bool = False  # whether the system on it was there before the runbooks
    memory: Callable[[str], Memory] | None = None  # of the worlds that follow from these inputs; None: not to be had
    traffic: Callable[[], Mapping[str, Any]] | None = None  # what a sandbox tells of its traffic; None on AWS
    visit: Callable[[str], Visit] | None = None  # a GET as a user of the application makes it; None: not to be had
    stage: Stage | None = None  # None on AWS and in a served sandbox
    clients: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def client(self, service: str) -> Any:
        """The boto3 client of a service, made once; "git" is no service of AWS's and is reached by the git command."""
        if service not in self.clients:
            self.clients[service] = Git(self.clock) if service == "git" else _in_utc(self.make_client(service))
        return self.clients[service]

    def load(self) -> Load | None:
        """What came of live traffic until now; None where the traffic is modelled or not ours."""
        told = self.traffic().get("load") if self.traffic else None
        return Load(told["sent"], told["failed"], told["statuses"]) if told else None

    def skew(self, answer: Mapping[str, Any]) -> timedelta:
        """How far AWS's time is ahead of this machine's clock, by the Date of an answer; 0 within a few seconds.

        The header counts whole seconds, and an answer is on its way for some of them.
        """
        told = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if told is None:
            return timedelta(0)
        skew = parsedate_to_datetime(told) - self.clock.now()
        return skew if abs(skew) > SAME_TIME else timedelta(0)

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """The ARN of a resource of this account: arn("iam", "role/x", regional=False)."""
        return f"arn:{self.partition}:{service}:{self.region if regional else ''}:{self.id}:{resource}"


def _in_utc(client: Any) -> Any:
    """The client, telling times in UTC: by itself botocore tells them by this machine's zone, and what is read by
    people would be hours off beside a clock in UTC.
    """
    # The AWS CLI does the same to its session's parsers; no public way reaches those of a client that is made already.
    parsers = client._endpoint._response_parser_factory
    parsers.set_parser_defaults(timestamp_parser=_utc)
    return client


def _utc(told: Any) -> datetime:
    from botocore.utils import parse_timestamp

    return parse_timestamp(told).astimezone(UTC)


def open_account(params: Params) -> Account:
    """Open the account that the parameters name; raises Refused when the credentials belong to another one."""
    account = _sandbox(params) if params.target == "sandbox" else _aws(params)
    return replace(_verified(account, params), claims=params.owned, adopted=params.existing != Existing())


def identified(*, target: Literal["sandbox", "aws"], profile: str | None = None, region: str | None = None) -> Params:
    """The parameters of the account that the credentials at hand belong to; `region` None: that of the profile.

    For reading alone: whoever changes something names the account beforehand.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if target == "sandbox":
        # Which account a served world is may differ from the default: it is asked for as AWS is.
        client: Any = _sandbox(Params(region=region)).client("sts")
    else:
        import boto3

        session: Any = boto3.Session(profile_name=profile, region_name=region)
        region = session.region_name
        if region is None:
            raise BadInput(seen="no region", wanted="the region of the service", next_step="name it: --region REGION")
        client = session.client("sts")
    try:
        found = client.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise _not_accepted(error, "credentials that AWS accepts") from error
    partition = found["Arn"].split(":")[1]
    region = region or client.meta.region_name
    return Params(target=target, account=found["Account"], region=region, partition=partition, profile=profile)


def _not_accepted(error: Exception, wanted: str) -> Refused:
    return Refused(
        seen=f"the credentials were not accepted ({error})",
        wanted=wanted,
        next_step="log in (aws sso login, AWS_PROFILE, or the profile parameter) and run again",
    )


def _sandbox(params: Params) -> Account:
    from runbook_lib import sandbox
    from runbook_lib.sandbox.settings import Settings

    url = os.environ.get(SANDBOX_URL)
    if url:
        world: Any = sandbox.connect(url)
    else:
        chosen = params.sandbox
        world = sandbox.embedded(
            Settings(
                account=params.account or Settings.account,
                region=params.region or Settings.region,
                partition=params.partition,
                seed=chosen.seed,
                realism=chosen.realism,
                requests_per_second=chosen.requests_per_second,
                disturbances=_of_sandbox(chosen.disturbances),
                allow_commands=chosen.allow_commands,
                connections=params.connections,
                clock=chosen.clock,
                scale=chosen.scale,
                traffic=chosen.traffic,
            )
        )
    region = params.region or Settings.region
    return Account(
        target="sandbox",
        id=params.account or Settings.account,
        region=region,
        partition=params.partition,
        who="",
        clock=world.clock,
        shared=bool(url),
        place=url or EMBEDDED,
        make_client=lambda service: world.client(service, region=region, user_agent=USER_AGENT),
        memory=None if url else world.memory,
        traffic=world.traffic,
        visit=lambda address: _visited(*world.visit(address)),
        stage=None if url else Stage(lambda story, given: world.tell(story, _of_sandbox(given)), world.told),
    )


def _of_sandbox(given: Sequence[Disturbance]) -> tuple[Any, ...]:
    from runbook_lib.sandbox import disturbance

    return tuple(disturbance.Disturbance(**one.model_dump()) for one in given)


def _aws(params: Params) -> Account:
    import boto3
    from botocore.config import Config

    session: Any = boto3.Session(profile_name=params.profile, region_name=params.region)
    config = Config(retries={"mode": "adaptive", "max_attempts": 10}, user_agent_extra=USER_AGENT)
    assert params.account is not None  # the model refuses aws without account or region
    assert params.region is not None
    if session.get_partition_for_region(params.region) != params.partition:
        raise Refused(
            seen=f"region {params.region} in partition {session.get_partition_for_region(params.region)}",
            wanted=f"a region of partition {params.partition}",
            next_step="correct region or partition in the parameters",
        )
    return Account(
        target="aws",
        id=params.account,
        region=params.region,
        partition=params.partition,
        who="",
        clock=WallClock(),
        shared=True,
        place="aws",
        make_client=lambda service: session.client(service, config=config),
        visit=_visit,
    )


def _visit(url: str) -> Visit:
    """One GET over the network; what is not answered in time, or not at all, has no status."""
    import time
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT})
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=VISIT_SECONDS) as answer:
            answer.read()
            status, headers = answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        status, headers = error.code, dict(error.headers)
    except OSError:
        return Visit(None, {}, None)
    return _visited(status, headers, 1000 * (time.perf_counter() - began))


def _visited(status: int | None, headers: Mapping[str, str], ms: float | None = None) -> Visit:
    return Visit(status, {name.lower(): value for name, value in headers.items()}, ms)


def client_elsewhere(service: str, *, region: str) -> Any:
    """A boto3 client of a process that opened no account, such as a worker on another machine.

    It has the credentials of its environment, and its endpoint where AWS_ENDPOINT_URL names one: a served sandbox.
    """
    import boto3

    return boto3.Session(region_name=region).client(service)  # type: ignore[call-overload]


def _verified(account: Account, params: Params) -> Account:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        identity = account.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise _not_accepted(error, f"credentials of account {account.id}") from error
    if identity["Account"] != account.id:
        raise Refused(
            seen=f"credentials of account {identity['Account']} ({identity['Arn']})",
            wanted=f"account {account.id}, as the parameters say",
            next_step="use the credentials of that account, or correct account in the parameters; nothing was changed",
        )
    return replace(account, who=identity["Arn"])
