"""The connection to a git host: made and completed by a person in the console, and only used here."""

from __future__ import annotations

from dataclasses import dataclass

from runbook_lib.account import Account
from runbook_lib.check import Check, ask
from runbook_lib.system import System

AVAILABLE = "AVAILABLE"
# Developer Tools console user guide, connections-update: only a person can complete a connection.
COMPLETE = (
    "a person completes it in the console: Developer Tools, Settings, Connections, {name}, Update pending connection; "
    "then run this notebook again"
)
ABSENT = "a person makes one in the console (Developer Tools, Settings, Connections); correct repository.connection"


@dataclass(frozen=True)
class Connection:
    """A connection as it is; `status` is None when there is none of that ARN."""

    arn: str
    name: str
    status: str | None


def read_connection(account: Account, system: System) -> Connection:
    """The connection that the parameters name."""
    client = account.client("codeconnections")
    try:
        found = client.get_connection(ConnectionArn=system.connection)["Connection"]
    except client.exceptions.ResourceNotFoundException:
        return Connection(system.connection, system.connection.rpartition("/")[2], None)
    return Connection(system.connection, found["ConnectionName"], found["ConnectionStatus"])


def check_available(found: Connection) -> Check:
    """Is the connection to the git host completed?"""
    return ask(
        "Has a person completed the connection to the git host?",
        found.status == AVAILABLE,
        seen=f"{found.name}: {found.status or 'no such connection'}",
        wanted=AVAILABLE,
        remedy=COMPLETE.format(name=found.name) if found.status else ABSENT,
    )
