"""Changes are found by whatever belongs to the system, by id too; what is left out is counted, and said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import stories
from botocore.exceptions import ClientError

from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.incident import belongings
from runbook_lib.incident.belongings import Belongings, read_belongings
from runbook_lib.incident.sources import trail
from runbook_lib.incident.told import Told
from runbook_lib.system import System

World = tuple[Account, System]
OWN = Belongings("orders", {"sg-1": "security group"}, {"vpc-1": "VPC"}, cluster="shared")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A system that was released, long before anything below happens."""
    account, system, _ = stories.begun("released")
    yield account, system
    stories.close()


def changes(world: World, since: timedelta = timedelta(minutes=20)) -> Told:
    account, system = world
    account.clock.sleep(900)  # until the event history shows what was done
    now = account.clock.now()
    return trail.changes(account, system, Window(now - since, now))


def of(found: Belongings, what: str) -> str:
    return next(id for id, is_a in found.names.items() if is_a == what)


def test_changes_that_are_known_by_an_id_alone_are_told(world: World) -> None:
    """The security group of the tasks, a route and a listener hold the system's name nowhere or in an ARN alone."""
    account, system = world
    own = read_belongings(account, system)
    ec2, elb = account.client("ec2"), account.client("elbv2")
    group, table = of(own, "security group of the tasks"), of(own, "route table")
    ec2.revoke_security_group_egress(
        GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    )
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    ec2.create_vpc(CidrBlock="10.77.0.0/16")  # somebody else's
    arn = elb.describe_load_balancers(Names=[system.balancer])["LoadBalancers"][0]["LoadBalancerArn"]
    listener = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"][0]["ListenerArn"]
    elb.add_tags(ResourceArns=[listener], Tags=[{"Key": "x", "Value": "y"}])
    found = changes(world)
    assert [entry.what for entry in found.entries] == [
        f"operator: AddTags {listener.rpartition('/')[2]}",
        f"operator: DeleteRoute {table} (route table)",
        f"operator: RevokeSecurityGroupEgress {group} (security group of the tasks)",
    ]
    assert group in found.entries[-1].on
    assert found.missing.startswith("1 of 4 changes in the account name nothing of this system and are left out")


def test_the_runbooks_inventory_is_no_change_of_the_service(world: World) -> None:
    """It is counted, not shown: one line for everything that a runbook makes."""
    found = changes(world, timedelta(hours=12))
    assert len(found.entries) > 50
    assert not [entry.what for entry in found.entries if "Parameter" in entry.what]
    assert "wrote the runbooks' own inventory" in found.missing


def test_what_may_not_be_read_is_said_and_the_rest_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ECS the network of the load balancer is known all the same."""
    account, system = world

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeServices")

    monkeypatch.setattr(account.client("ecs"), "describe_services", refuse)
    found = read_belongings(account, system)
    assert "DescribeServices was refused: AccessDeniedException" in found.missing
    assert of(found, "security group of the load balancer").startswith("sg-")
    assert of(found, "route table").startswith("rtb-")
    assert "DescribeServices was refused" in changes(world).missing


def test_a_system_that_is_not_there_belongs_to_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No load balancer and no cluster: its names are known, and that is no refusal."""
    account, system = world

    def absent(**_: object) -> None:
        raise ClientError({"Error": {"Code": "LoadBalancerNotFound", "Message": "no"}}, "DescribeLoadBalancers")

    monkeypatch.setattr(account.client("elbv2"), "describe_load_balancers", absent)
    found = read_belongings(account, system)
    assert (found.missing, found.places) == ("", dict.fromkeys(found.places, "subnet"))
    assert found.names[system.project] == "build project"


@pytest.mark.parametrize(
    ("text", "source", "event", "met"),
    [
        ('"sg-1"', "ec2", "RevokeSecurityGroupEgress", {"sg-1": "security group"}),
        ('"sg-12"', "ec2", "RevokeSecurityGroupEgress", {}),
        ('"preorders" "my-orders" "orders2"', "ecs", "UpdateService", {}),
        ('"orders-errors"', "monitoring", "PutMetricAlarm", {"orders": ""}),
        ('"arn:aws:x:listener/app/orders/1/2"', "elasticloadbalancing", "ModifyListener", {"orders": ""}),
        ('"vpc-1"', "ec2", "DeleteVpcEndpoints", {"vpc-1": "VPC"}),
        ('"vpc-1"', "rds", "CreateDBInstance", {}),  # who moves in does not change it
        ('"shared" "payments"', "ecs", "UpdateService", {}),
        ('"shared"', "ecs", "PutClusterCapacityProviders", {"shared": "cluster"}),
    ],
)
def test_a_name_is_met_as_a_whole(text: str, source: str, event: str, met: dict[str, str]) -> None:
    """Other systems live in the same account, the same VPC and the same cluster."""
    assert OWN.met(text, source=f"{source}.amazonaws.com", event=event) == met


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("arn:aws:secretsmanager:us-east-1:123456789012:secret:orders/db-AbCdEf", "orders/db"),
        ("arn:aws:secretsmanager:us-east-1:123456789012:secret:orders/db-AbCdEf:password::", "orders/db"),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/orders/db", "orders/db"),
        ("/orders/db", "/orders/db"),
    ],
)
def test_secrets_are_known_by_their_names(given: str, name: str) -> None:
    """However a task definition names them."""
    definition = {"containerDefinitions": [{"secrets": [{"name": "DB", "valueFrom": given}]}]}
    assert dict(belongings.of_definition(definition)) == {name: "secret of the tasks"}
