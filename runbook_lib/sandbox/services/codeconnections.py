"""Connections to git hosts: PENDING until a person completes them; here each repository of one is any git remote.

Served under both names of the service, codeconnections and codestar-connections: a connection keeps the name under
which it was made in its ARN (Developer Tools console user guide, rename). Those of the world's settings were completed
by a person beforehand. What a source says while its connection is not AVAILABLE, or while git cannot be read, is in
our words: AWS's are not public.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import git_remote
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codecommit.archive import Member, pack

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

PAGE = 100
INSTALLED = ("GitHubEnterpriseServer", "GitLabSelfManaged")  # they are reached through a host


@dataclass
class Connection:
    """A connection with the repositories that can be read through it: full name -> git remote (path or URL)."""

    arn: str
    name: str
    provider: str
    status: str = "PENDING"
    repositories: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class CodeConnectionsStore:
    """Connections by ARN; `begun` is whether those of the settings are among them."""

    connections: dict[str, Connection] = field(default_factory=dict)
    begun: bool = False


@dataclass(frozen=True)
class Commit:
    """A commit with its files, or with a whole clone, as a ZIP; its author's date is in seconds, the zone after it."""

    id: str
    message: str
    author_date: str
    files: bytes


def complete(world: World, arn: str, repositories: dict[str, str]) -> None:
    """What a person does in the console: the connection is AVAILABLE and reads these repositories."""
    found = _connection(world, arn)
    found.status = "AVAILABLE"
    found.repositories.update(repositories)


def may_use(world: World, role: str, arn: str) -> bool:
    """Whether a role may use a connection; the action is known by the service's former name too."""
    from runbook_lib.sandbox.services.codedeploy.role import grants

    if not world.settings.realism:
        return True
    try:
        found = grants(world, role)
    except world.client("iam").exceptions.NoSuchEntityException:
        return False
    return any(found.allow(f"{service}:UseConnection", arn) for service in ("codeconnections", "codestar-connections"))


def head(world: World, arn: str, repository: str, revision: str) -> str:
    """The id of the commit that a branch or another name stands for."""
    return _resolved(remote(world, arn, repository), repository, revision)


def commit(world: World, arn: str, repository: str, revision: str, *, clone: bool = False) -> Commit:
    """The commit that a branch or another name stands for; `clone` brings the history with it."""
    place = remote(world, arn, repository)
    id = _resolved(place, repository, revision)
    date, message = git_remote.described(place, id)
    return Commit(id, message, date, _cloned(place, id) if clone else git_remote.archive(place, id))


def _cloned(place: str, id: str) -> bytes:
    return pack({path: Member(mode, content) for path, (mode, content) in git_remote.clone(place, id).items()})


def remote(world: World, arn: str, repository: str) -> str:
    """The git remote behind a repository of a connection; refused while nobody has completed the connection."""
    found = _connection(world, arn)
    if found.status != "AVAILABLE":
        text = f"Connection {arn} is not available: its status is {found.status}. A person completes it in the console."
        raise AwsError("ResourceUnavailableException", text)
    if repository not in found.repositories:
        text = f"No repository {repository} found through connection {found.name}"
        raise AwsError("ResourceNotFoundException", text)
    return found.repositories[repository]


def _resolved(place: str, repository: str, revision: str) -> str:
    found = git_remote.resolved(place, revision)
    if found is None:
        text = f"No Branch [{revision}] found for FullRepositoryName [{repository}]"
        raise AwsError("ResourceNotFoundException", text)
    return found


def create(call: Call) -> dict[str, Any]:
    """CreateConnection: it waits for a person."""
    told = call.params
    if told.get("HostArn") or told.get("ProviderType") in INSTALLED:
        raise AwsError("ResourceUnavailableException", "Hosts are not simulated: name a provider that needs none")
    if "ProviderType" not in told:
        raise AwsError("ValidationException", "One of ProviderType and HostArn must be given")
    arn = call.world.arn(call.service, f"connection/{call.world.ids.uuid('connection')}")
    tags = {tag["Key"]: tag["Value"] for tag in told.get("Tags", ())}
    _store(call.world).connections[arn] = Connection(arn, told["ConnectionName"], told["ProviderType"], tags=tags)
    return {"ConnectionArn": arn, **({"Tags": told["Tags"]} if tags else {})}


def get(call: Call) -> dict[str, Any]:
    """GetConnection by its ARN."""
    return {"Connection": _shown(call, _connection(call.world, call.params["ConnectionArn"]))}


def list_all(call: Call) -> dict[str, Any]:
    """ListConnections, narrowed by provider."""
    told, known = call.params, _store(call.world).connections.values()
    wanted = told.get("ProviderTypeFilter")
    found = [_shown(call, one) for one in known if wanted in (None, one.provider) and "HostArnFilter" not in told]
    first, size = int(told.get("NextToken", "0")), told.get("MaxResults") or PAGE
    token = {"NextToken": str(first + size)} if first + size < len(found) else {}
    return {"Connections": found[first : first + size], **token}


def delete(call: Call) -> dict[str, Any]:
    """DeleteConnection."""
    _connection(call.world, call.params["ConnectionArn"])
    del _store(call.world).connections[call.params["ConnectionArn"]]
    return {}


def tag(call: Call) -> dict[str, Any]:
    """TagResource."""
    found = _connection(call.world, call.params["ResourceArn"])
    found.tags.update({tag["Key"]: tag["Value"] for tag in call.params["Tags"]})
    return {}


def untag(call: Call) -> dict[str, Any]:
    """UntagResource."""
    found = _connection(call.world, call.params["ResourceArn"])
    for key in call.params["TagKeys"]:
        found.tags.pop(key, None)
    return {}


def tags(call: Call) -> dict[str, Any]:
    """ListTagsForResource."""
    found = _connection(call.world, call.params["ResourceArn"])
    return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(found.tags.items())]}


def _connection(world: World, arn: str) -> Connection:
    if arn not in _store(world).connections:
        raise AwsError("ResourceNotFoundException", f"Connection {arn} not found")
    return _store(world).connections[arn]


def _store(world: World) -> CodeConnectionsStore:
    found: CodeConnectionsStore = world.store("codeconnections")
    if not found.begun:
        found.begun = True
        for arn, repositories in world.settings.connections.items():
            name = arn.rpartition("/")[2]
            found.connections[arn] = Connection(arn, name, "GitHub", "AVAILABLE", dict(repositories))
    return found


def _shown(call: Call, found: Connection) -> dict[str, Any]:
    return {
        "ConnectionName": found.name,
        "ConnectionArn": found.arn,
        "ProviderType": found.provider,
        "OwnerAccountId": call.account,
        "ConnectionStatus": found.status,
    }


STORE = CodeConnectionsStore
OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "CreateConnection": create,
    "GetConnection": get,
    "ListConnections": list_all,
    "DeleteConnection": delete,
    "TagResource": tag,
    "UntagResource": untag,
    "ListTagsForResource": tags,
}
HANDLERS: dict[str, Callable[..., None]] = {}
