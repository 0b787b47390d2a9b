"""Functions: what AWS refuses where moto takes it, and a function as an invocation needs it.

Sources: Lambda API reference, CreateFunction and UpdateFunctionCode; developer guide, troubleshooting-deployment.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runbook_lib.sandbox import permissions
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.lambda_ import access
from runbook_lib.sandbox.services.lambda_.store import Function

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

PRINCIPAL = "lambda.amazonaws.com"
NO_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
INTERFACES = ("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface")
NO_INTERFACE = "The provided execution role does not have permissions to call CreateNetworkInterface on EC2"
BOTH = "SubnetIds and SecurityIds must coexist or be both empty list."
NO_ROLE = "The role defined for the function cannot be assumed by Lambda."


def create(call: Call) -> dict[str, Any]:
    """CreateFunction: its role must be Lambda's to assume, and its code a zip file."""
    _check_role(call)
    _check_network(call, call.params.get("Role", ""))
    _check_zip(call.params.get("Code", {}))
    return call.moto()


def update_code(call: Call) -> dict[str, Any]:
    """UpdateFunctionCode: the new code must be a zip file too."""
    _check_zip(call.params)
    return call.moto()


def update_configuration(call: Call) -> dict[str, Any]:
    """UpdateFunctionConfiguration: another role must be Lambda's to assume, too."""
    _check_role(call)
    known = find(call.world, call.params["FunctionName"])
    _check_network(call, call.params.get("Role") or (known.role if known else ""))
    return call.moto()


def _check_role(call: Call) -> None:
    role = call.params.get("Role")
    if role and permissions.assumable(call.world, role, PRINCIPAL):
        raise AwsError("InvalidParameterValueException", NO_ROLE)


def _check_network(call: Call, role: str) -> None:
    """A function in a VPC has subnets and groups, and a role that makes its interfaces (configuration-vpc)."""
    network = call.params.get("VpcConfig") or {}
    subnets, groups = network.get("SubnetIds", ()), network.get("SecurityGroupIds", ())
    if bool(subnets) != bool(groups):
        raise AwsError("InvalidParameterValueException", BOTH)
    granted = access.grants(call.world, role)
    if subnets and not all(granted.allow(action, "*") for action in INTERFACES):
        raise AwsError("InvalidParameterValueException", NO_INTERFACE)


def _check_zip(code: dict[str, Any]) -> None:
    if "ZipFile" in code and not zipfile.is_zipfile(io.BytesIO(code["ZipFile"])):
        raise AwsError("InvalidParameterValueException", NO_ZIP)


def find(world: World, name: str, qualifier: str = "") -> Function | None:
    """A function by its name or ARN, with or without a qualifier in it; None for one that is not there."""
    own = {"Qualifier": qualifier} if qualifier else {}
    try:
        found = world.client("lambda").get_function(FunctionName=name, **own)["Configuration"]
    except ClientError as missing:
        if missing.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return None
    return Function(
        name=found["FunctionName"],
        arn=world.arn("lambda", f"function:{found['FunctionName']}"),
        version=found["Version"],
        qualifier=qualifier or qualifier_in(name),
        runtime=found.get("Runtime", ""),
        package=found.get("PackageType", "Zip"),
        handler=found.get("Handler", ""),
        role=found["Role"],
        timeout=float(found["Timeout"]),
        memory=int(found["MemorySize"]),
        environment=dict(found.get("Environment", {}).get("Variables", {})),
        layers=tuple(layer["Arn"] for layer in found.get("Layers", ())),
    )


def qualifier_in(name: str) -> str:
    """The version or alias behind a name or an ARN."""
    words = name.split(":")
    if name.startswith("arn:"):
        return words[7] if len(words) > 7 else ""
    return words[-1] if len(words) in (2, 4) else ""


def named(world: World, name: str, qualifier: str = "") -> str:
    """The ARN that a name stands for, in AWS's messages."""
    if name.startswith("arn:"):
        return name
    tail = name.rpartition("function:")[2] + (f":{qualifier}" if qualifier else "")
    return world.arn("lambda", f"function:{tail}")


OPERATIONS = {
    "CreateFunction": create,
    "UpdateFunctionCode": update_code,
    "UpdateFunctionConfiguration": update_configuration,
}
