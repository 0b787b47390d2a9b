"""CreateServiceLinkedRole with the names that AWS gives these roles; moto makes them of the service's domain.

Source: IAM user guide, using-service-linked-roles, and the guides of the services named below.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from runbook_lib.sandbox.errors import AwsError

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

NAMES = {
    "ecs.amazonaws.com": "ECS",
    "ecs.application-autoscaling.amazonaws.com": "ApplicationAutoScaling_ECSService",
    "elasticloadbalancing.amazonaws.com": "ElasticLoadBalancing",
}
TAKEN = "Service role name {name} has been taken in this account, please try a different suffix."


def create(call: Call) -> dict[str, Any]:
    """CreateServiceLinkedRole; of a service that is not in the table moto makes it."""
    service = call.params["AWSServiceName"]
    if service not in NAMES:
        return call.moto()
    name = f"AWSServiceRoleFor{NAMES[service]}"
    iam = call.world.client("iam")
    path = f"/aws-service-role/{service}/"
    if iam.list_roles(PathPrefix=path)["Roles"]:
        raise AwsError("InvalidInput", TAKEN.format(name=name))
    trust = {"Effect": "Allow", "Principal": {"Service": [service]}, "Action": ["sts:AssumeRole"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    described = {"Description": call.params["Description"]} if "Description" in call.params else {}
    role = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document, **described)["Role"]
    return {"Role": {**role, "AssumeRolePolicyDocument": quote(document)}}  # boto3 gives it back decoded


OPERATIONS = {"CreateServiceLinkedRole": create}
