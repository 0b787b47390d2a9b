"""What is read of a world: changes by whatever belongs to the system, and log lines without their secrets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import stories
from botocore.exceptions import ClientError

from runbook_lib import deployment
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.incident import belongings, evidence, look, sources
from runbook_lib.incident.belongings import Belongings, read_belongings
from runbook_lib.incident.requests import Means
from runbook_lib.incident.sources import trail, watching
from runbook_lib.incident.told import Entry, Told
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


def own_of(world: World) -> Belongings:
    account, system = world
    now = account.clock.now()
    return read_belongings(account, system, since=now - timedelta(days=1), until=now)


def of(found: Belongings, what: str) -> str:
    return next(id for id, is_a in found.names.items() if is_a == what)


def test_changes_that_are_known_by_an_id_alone_are_told(world: World) -> None:
    """The security group of the tasks, a route and a listener hold the system's name nowhere or in an ARN alone."""
    account, system = world
    own = own_of(world)
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


def test_whoever_stops_a_deployment_names_its_id_alone(world: World) -> None:
    account, system = world
    codedeploy = account.client("codedeploy")
    last = deployment.read_deployments(account, system)[0].id
    with pytest.raises(ClientError, match="DeploymentAlreadyCompleted"):
        codedeploy.stop_deployment(deploymentId=last)
    with pytest.raises(ClientError, match="DeploymentDoesNotExist"):
        codedeploy.stop_deployment(deploymentId="d-OTHERSOWN")
    found = changes(world)
    assert [entry.what for entry in found.entries] == [
        f"operator: StopDeployment {last}, refused: DeploymentAlreadyCompletedException"
    ]
    assert found.missing.startswith("1 of 2 changes in the account")


def test_the_runbooks_inventory_is_no_change_of_the_service(world: World) -> None:
    """It is counted, not shown: one line for everything that a runbook makes."""
    found = changes(world, timedelta(hours=12))
    assert len(found.entries) > 50
    assert not [entry.what for entry in found.entries if "Parameter" in entry.what]
    assert "wrote the runbooks' own inventory" in found.missing


def test_what_may_not_be_read_is_said_and_the_rest_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ECS the network of the load balancer is known all the same."""
    account, _ = world

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeServices")

    monkeypatch.setattr(account.client("ecs"), "describe_services", refuse)
    found = own_of(world)
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
    found = own_of(world)
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
        ('"vpc-1" "subnet-9"', "ec2", "RunInstances", {}),
        ('"vpc-1" "sg-1"', "ec2", "ModifyNetworkInterfaceAttribute", {"sg-1": "security group"}),
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


SECRET = "wJalrXUtnFEMI"  # in whatever form a program may write it


def write_log(world: World, *texts: str) -> None:
    """Lines of the application, as they are."""
    account, system = world
    logs, now = account.client("logs"), int(account.clock.now().timestamp() * 1000)
    logs.create_log_stream(logGroupName=system.log_group, logStreamName="orders/orders/0123")
    events = [{"timestamp": now, "message": text} for text in texts]
    logs.put_log_events(logGroupName=system.log_group, logStreamName="orders/orders/0123", logEvents=events)


def test_a_secret_in_a_log_line_never_reaches_a_table(world: World) -> None:
    """Neither do addresses of users, in the line nor in what is kept; a long line is cleaned before it is cut."""
    account, system = world
    since = account.clock.now()
    write_log(
        world,
        f"ERROR login of ana@example.com from 203.0.113.7 failed, password={SECRET}",
        f"ERROR {'x' * 170} Authorization: Bearer {SECRET}{SECRET}{SECRET}",
        f"ERROR postgres://orders:{SECRET}@db.internal/orders refused by [2001:db8::77]:5432",
    )
    account.clock.sleep(300)
    found = watching.errors(account, system, Window(since, account.clock.now()))
    assert sorted(entry.what for entry in found.entries)[:2] == [
        "ERROR login of *** from *** failed, password=***",
        "ERROR postgres://***db.internal/orders refused by [***]:5432",
    ]
    kept = repr(found)
    assert [secret for secret in (SECRET[:6], "ana@", "203.0.113.7", "2001:db8") if secret in kept] == []


def test_what_is_read_of_a_window_is_cleaned_once_as_a_whole(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whichever source brings it: neither the timeline nor the file that is kept holds it; names of people stay."""
    account, system = world
    now = account.clock.now()
    what = f"build 1: BUILD FAILED: docker login --password {SECRET} by ana"
    said = Told("CodeBuild", (Entry(now, "delivery", what, "CodeBuild", "x"),), missing=f"token={SECRET}")
    monkeypatch.setattr(sources, "ask", lambda *_: (said,))
    window = Window(now - timedelta(minutes=30), now)
    seen = look.read(account, system, window, (), Means())
    evidence.save(seen, tmp_path / evidence.NAME)
    assert SECRET not in (tmp_path / evidence.NAME).read_text(encoding="utf-8")
    assert [entry.what for one in seen.told for entry in one.entries if one.source == "CodeBuild"] == [
        "build 1: BUILD FAILED: docker login --password *** by ana"
    ]
    old = replace(seen, told=(said,))  # as the first looks were kept
    evidence.save(old, tmp_path / evidence.NAME)
    assert SECRET not in repr(evidence.load(tmp_path / evidence.NAME))
