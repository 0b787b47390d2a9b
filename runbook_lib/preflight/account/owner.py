"""What tags say of who else would change the parts that CodeDeploy changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib import ownership
from runbook_lib.preflight.live import Names, Route

if TYPE_CHECKING:
    from runbook_lib.account import Account


def read_stack(account: Account, names: Names, routes: tuple[Route, ...]) -> str | None:
    """The owner that tags name, of the service and of the listeners: what CodeDeploy changes at every release."""
    service = account.arn("ecs", f"service/{names.cluster}/{names.service}")
    for arn in dict.fromkeys((service, *(route.rule or route.listener for route in routes))):
        owner = ownership.owner_of(ownership.read_tags(account, arn))
        if owner:
            return f"{owner} has {arn.rpartition(':')[2]}"
    return None
