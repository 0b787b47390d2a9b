"""Connections to git hosts: PENDING until a person completes them; here each repository of one is a git folder."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World


@dataclass
class Connection:
    """A connection with the repositories that can be read through it: full name -> folder of a git repository."""

    arn: str
    name: str
    provider: str
    status: str = "PENDING"
    repositories: dict[str, str] = field(default_factory=dict)


@dataclass
class CodeConnectionsStore:
    """Connections by ARN."""

    connections: dict[str, Connection] = field(default_factory=dict)


def complete(world: World, arn: str, repositories: dict[str, str]) -> None:
    """What a person does in the console: the connection is AVAILABLE and reads these repositories."""
    found = _connection(world, arn)
    found.status = "AVAILABLE"
    found.repositories.update(repositories)


def archive(world: World, arn: str, repository: str, branch: str) -> tuple[str, str, bytes]:
    """The head of a branch: commit id, message, and its files as a ZIP."""
    found = _connection(world, arn)
    if found.status != "AVAILABLE":
        text = f"The connection {arn} is in state {found.status}: complete it in the console"
        raise AwsError("ConnectionUnavailableException", text)
    folder = found.repositories.get(repository)
    if folder is None:
        raise AwsError("ResourceNotFoundException", f"The repository {repository} could not be found")
    commit = _git(folder, "rev-parse", branch).decode().strip()
    message = _git(folder, "log", "-1", "--format=%s", commit).decode().strip()
    return commit, message, _git(folder, "archive", "--format=zip", commit)


def create(call: Call) -> dict[str, Any]:
    """CreateConnection: it waits for a person."""
    name = call.params["ConnectionName"]
    arn = call.world.arn("codeconnections", f"connection/{call.world.ids.uuid('connection')}")
    made = Connection(arn, name, call.params.get("ProviderType", "GitHub"))
    _store(call.world).connections[arn] = made
    return {"ConnectionArn": arn}


def get(call: Call) -> dict[str, Any]:
    """GetConnection by its ARN."""
    return {"Connection": _shown(call, _connection(call.world, call.params["ConnectionArn"]))}


def list_all(call: Call) -> dict[str, Any]:
    """ListConnections."""
    return {"Connections": [_shown(call, found) for found in _store(call.world).connections.values()]}


def delete(call: Call) -> dict[str, Any]:
    """DeleteConnection."""
    _connection(call.world, call.params["ConnectionArn"])
    del _store(call.world).connections[call.params["ConnectionArn"]]
    return {}


def _connection(world: World, arn: str) -> Connection:
    if arn not in _store(world).connections:
        raise AwsError("ResourceNotFoundException", f"Connection {arn} not found")
    return _store(world).connections[arn]


def _store(world: World) -> CodeConnectionsStore:
    found: CodeConnectionsStore = world.store("codeconnections")
    return found


def _shown(call: Call, found: Connection) -> dict[str, Any]:
    return {
        "ConnectionName": found.name,
        "ConnectionArn": found.arn,
        "ProviderType": found.provider,
        "OwnerAccountId": call.account,
        "ConnectionStatus": found.status,
    }


def _git(folder: str, *words: str) -> bytes:
    done = subprocess.run(["git", "-C", folder, *words], capture_output=True, check=False)
    if done.returncode:
        text = done.stderr.decode(errors="replace").strip()
        raise AwsError("ResourceNotFoundException", f"The repository could not be read: {text}")
    return done.stdout


STORE = CodeConnectionsStore
OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "CreateConnection": create,
    "GetConnection": get,
    "ListConnections": list_all,
    "DeleteConnection": delete,
}
HANDLERS: dict[str, Callable[..., None]] = {}
