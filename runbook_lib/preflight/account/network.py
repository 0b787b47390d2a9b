"""What EC2 says of the subnets of the service: how many addresses are free, and whether there is a way out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.preflight.live import Subnet

if TYPE_CHECKING:
    from runbook_lib.account import Account


def read_subnets(account: Account, ids: tuple[str, ...]) -> tuple[Subnet, ...]:
    """Subnets with what their route tables say, the VPC's main one where a subnet has none of its own."""
    if not ids:
        return ()
    ec2 = account.client("ec2")
    found = ec2.describe_subnets(SubnetIds=list(ids))["Subnets"]
    vpcs = sorted({one["VpcId"] for one in found})
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": vpcs}])["RouteTables"]
    return tuple(
        Subnet(one["SubnetId"], one["AvailableIpAddressCount"], _way_out(tables, one["SubnetId"], one["VpcId"]))
        for one in found
    )


def _way_out(tables: Iterable[Mapping[str, Any]], subnet: str, vpc: str) -> bool | None:
    own = [table for table in tables if any(a.get("SubnetId") == subnet for a in table.get("Associations", ()))]
    main = [t for t in tables if t["VpcId"] == vpc and any(a.get("Main") for a in t.get("Associations", ()))]
    used = (own or main)[:1]
    routes = [route for table in used for route in table.get("Routes", ())]
    return any(route.get("DestinationCidrBlock") == "0.0.0.0/0" for route in routes) if used else None
