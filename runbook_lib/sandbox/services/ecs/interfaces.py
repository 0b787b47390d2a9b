"""Network interfaces of tasks and load balancers, with addresses drawn in order from the subnet.

They linger for a while after their owner is gone, and hold their subnet and security groups until then
(ECS developer guide, fargate-task-networking; VPC user guide, subnet-sizing for the five reserved addresses).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.ecs.store import Interface, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

FIRST_HOST = 4  # the network address and the next three are AWS's, and so is the last


class NoAddress(Exception):
    """A subnet that does not exist or is full, in AWS's words."""


@dataclass
class AddressBook:
    """The addresses of a subnet: the next one to try, and those in use."""

    subnet: str
    vpc: str
    zone: str
    block: str
    next_host: int = FIRST_HOST
    used: set[str] = field(default_factory=set)

    def draw(self) -> str | None:
        """The next free address, None when all are in use; one that was given back is used again last."""
        network = ipaddress.ip_network(self.block)
        hosts = network.num_addresses - FIRST_HOST - 1
        for step in range(hosts):
            number = FIRST_HOST + (self.next_host - FIRST_HOST + step) % hosts
            address = str(network[number])
            if address not in self.used:
                self.used.add(address)
                self.next_host = number + 1
                return address
        return None


def book(world: World, subnet: str) -> AddressBook:
    """The address book of a subnet; raises NoAddress when the subnet does not exist."""
    kept = store(world).addresses
    if subnet not in kept:
        found = world.client("ec2").describe_subnets(Filters=[{"Name": "subnet-id", "Values": [subnet]}])["Subnets"]
        if not found:
            raise NoAddress(f"InvalidSubnetID.NotFound: The subnet ID '{subnet}' does not exist")
        first = found[0]
        kept[subnet] = AddressBook(subnet, first["VpcId"], first["AvailabilityZone"], first["CidrBlock"])
    known: AddressBook = kept[subnet]
    return known


def make(world: World, subnet: str, groups: Sequence[str], description: str, *, public: bool = False) -> Interface:
    """Make an interface in a subnet; raises NoAddress."""
    known = book(world, subnet)
    address = known.draw()
    if address is None:
        raise NoAddress(
            "InsufficientFreeAddressesInSubnet: The specified subnet does not have enough free addresses to satisfy "
            f"the request: {subnet}"
        )
    interface = Interface(
        id=f"eni-{world.ids.hex('interface', 17)}",
        subnet=subnet,
        vpc=known.vpc,
        zone=known.zone,
        ip=address,
        mac=":".join(["02", *(world.ids.hex("mac", 2) for _ in range(5))]),
        public_ip=_public_address(world) if public else None,
        groups=tuple(groups),
        description=description,
        made=world.now,
    )
    store(world).interfaces[interface.id] = interface
    return interface


def _public_address(world: World) -> str:
    """An address of a block that is set aside for documentation (RFC 5737), so that it is nobody's."""
    return f"203.0.113.{world.ids.number('public-address') % 250 + 1}"


def regroup(world: World, identity: str, groups: Sequence[str]) -> None:
    """Give an interface other security groups."""
    kept = store(world).interfaces
    kept[identity] = replace(kept[identity], groups=tuple(groups))


def release(world: World, identity: str) -> None:
    """Let an interface go when it has lingered."""
    world.after(world.settings.eni_linger, "ecs.interface_gone", identity)


def interface_gone(world: World, identity: str) -> None:
    """Event: an interface is gone and its address is free again."""
    gone = store(world).interfaces.pop(identity)
    store(world).addresses[gone.subnet].used.discard(gone.ip)
