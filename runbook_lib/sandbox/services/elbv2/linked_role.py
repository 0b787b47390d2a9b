"""The role through which a service acts in an account: its first use makes it, and fails meanwhile.

Source: IAM user guide, using-service-linked-roles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.sandbox.errors import AwsError

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World


def require(world: World, principal: str, refusal: AwsError) -> None:
    """Make sure that a service's own role exists; raises `refusal` while it is too new to be used.

    A role that the caller made beforehand is accepted once it has spread; without realism a first use just works.
    """
    if _age(world, principal) is None:
        world.client("iam").create_service_linked_role(AWSServiceName=principal)
        if world.settings.first_use_of_service_linked_role:
            raise refusal
    if (_age(world, principal) or 0.0) < world.settings.role_propagation:
        raise refusal


def _age(world: World, principal: str) -> float | None:
    """Seconds since the role was made, None while it does not exist."""
    roles = world.client("iam").list_roles(PathPrefix=f"/aws-service-role/{principal}/")["Roles"]
    return world.now - roles[0]["CreateDate"].timestamp() if roles else None
