"""Where the hook asks from: what would keep it from the test listener or from reporting is said before a release."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from story_stage import opened

from runbook_lib import balancer, hook
from runbook_lib.check import Verdict
from runbook_lib.errors import BadInput
from runbook_lib.hook import placement
from runbook_lib.hook.placement import CALLED, Placement, Way
from runbook_lib.inventory import read_inventory
from runbook_lib.runbook import Runbook
from runbook_lib.sections import Release
from runbook_lib.step import Plan
from runbook_lib.story import release

NAT = Way("subnet-1", "vpc-1", "10.0.1.0/24", "nat", ("203.0.113.7/32",))
PUBLIC = Way("subnet-2", "vpc-1", "10.0.2.0/24", "igw")
ALONE = Way("subnet-3", "vpc-1", "10.0.3.0/24", None)
INTERNAL = Placement((NAT,), {"sg-1": "vpc-1"}, {"vpc-1": frozenset()}, False, frozenset({"10.0.0.0/16"}))
FACING = replace(INTERNAL, public=True)


def verdicts(placed: Placement) -> list[Verdict]:
    """Reach, report, one VPC."""
    return [one.verdict for one in placement.check_placement(placed, 9001)]


OK, FAIL, SKIP = Verdict.OK, Verdict.FAIL, Verdict.SKIP


@pytest.mark.parametrize(
    ("placed", "wanted"),
    [
        pytest.param(INTERNAL, [OK, OK, OK], id="inside, by its block"),
        pytest.param(replace(INTERNAL, admits=frozenset({"sg-1"})), [OK, OK, OK], id="inside, by its group"),
        pytest.param(replace(INTERNAL, admits=frozenset({"10.0.9.0/24"})), [FAIL, OK, OK], id="another block"),
        pytest.param(FACING, [FAIL, OK, OK], id="a public name leads outside, where the block is not seen"),
        pytest.param(replace(FACING, admits=frozenset({"sg-1"})), [FAIL, OK, OK], id="nor is the group"),
        pytest.param(
            replace(FACING, admits=frozenset({"203.0.113.0/24"})), [OK, OK, OK], id="by the gateway's address"
        ),
        pytest.param(replace(INTERNAL, ways=(NAT, PUBLIC)), [OK, FAIL, OK], id="an internet gateway is of no use"),
        pytest.param(replace(INTERNAL, ways=(ALONE,)), [OK, FAIL, OK], id="no way out"),
        pytest.param(
            replace(INTERNAL, ways=(ALONE,), endpoints={"vpc-1": frozenset(CALLED)}), [OK, OK, OK], id="endpoints"
        ),
        pytest.param(
            replace(INTERNAL, ways=(ALONE,), endpoints={"vpc-1": frozenset(CALLED[:2])}), [OK, FAIL, OK], id="one lacks"
        ),
        pytest.param(replace(INTERNAL, groups={"sg-1": "vpc-2"}), [OK, OK, FAIL], id="a group of another VPC"),
        pytest.param(replace(INTERNAL, ways=()), [SKIP], id="outside, and the load balancer is internal"),
        pytest.param(replace(FACING, ways=()), [SKIP], id="outside, and the listener is closed"),
        pytest.param(replace(FACING, ways=(), admits=frozenset({"0.0.0.0/0"})), [OK], id="outside, open to everybody"),
    ],
)
def test_what_can_be_reached_from_where(placed: Placement, wanted: list[Verdict]) -> None:
    """By the scheme of the load balancer, whom its listener admits, and the subnets' ways out."""
    assert verdicts(placed) == wanted


def test_what_is_missing_is_named() -> None:
    """Both numbers, and what to do."""
    reach, report, _ = placement.check_placement(replace(FACING, ways=(NAT, PUBLIC)), 9001)
    assert "subnet-1 comes as 203.0.113.7/32; subnet-2 comes as nobody: no NAT gateway" in reach.seen
    assert "port 9001 admits 10.0.0.0/16" in reach.seen
    assert "subnet-2: its way out is an internet gateway" in report.seen
    assert "no endpoint of codedeploy, ecs, elasticloadbalancing" in report.seen
    (outside,) = placement.check_placement(replace(FACING, ways=()), 9001)
    assert "name release.hook_subnets, or use release.probe" in outside.seen


def placed(run: Runbook, subnets: tuple[str, ...], groups: tuple[str, ...]) -> Runbook:
    own = run.params.release.model_copy(update={"hook_subnets": subnets, "hook_security_groups": groups})
    return replace(run, system=replace(run.system, params=run.params.model_copy(update={"release": own})))


def there(run: Runbook) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The subnets and the first security group of the world."""
    ec2 = run.account.client("ec2")
    vpc = next(one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"] if one["CidrBlock"] == "10.20.0.0/16")
    own: list[Any] = [{"Name": "vpc-id", "Values": [vpc]}]
    subnets = ec2.describe_subnets(Filters=own)["Subnets"]
    groups = ec2.describe_security_groups(Filters=own)["SecurityGroups"]
    return tuple(sorted(one["SubnetId"] for one in subnets)), (groups[0]["GroupId"],)


def plan(run: Runbook) -> Plan:
    items, lb = read_inventory(run.account, run.system.name), balancer.read_balancer(run.account, run.system)
    found = hook.read_function(run.account, run.system)
    return Plan("Hook", run.system.name, hook.plan_function(run.system, found, lb, items))


def actions(run: Runbook) -> set[str]:
    """What the hook's role allows."""
    answer = run.account.client("iam").get_role_policy(RoleName=hook.role_name(run.system), PolicyName=hook.POLICY)
    document = answer["PolicyDocument"]
    told = json.loads(document) if isinstance(document, str) else document
    return {action for statement in told["Statement"] for action in statement["Action"]}


def test_a_hook_moves_into_a_vpc_and_out_of_it() -> None:
    """Its role may make interfaces before it needs them, and until the last one is gone."""
    run = opened(hook="AfterAllowTestTraffic")
    run.apply(plan(run))
    assert not actions(run) & set(hook.INTERFACES)
    inside = placed(run, *there(run))
    assert [step.id for step in plan(inside).needed] == ["hook.policy", "hook.network"]
    run.apply(plan(inside))
    assert plan(inside).needed == ()
    assert actions(run) >= set(hook.INTERFACES)
    found = hook.read_function(run.account, run.system)
    assert (found.subnets, found.groups) == there(run)
    assert [step.id for step in plan(run).needed] == ["hook.network"]
    run.apply(plan(run))
    assert hook.read_function(run.account, run.system).subnets == ()
    run.apply(plan(run))
    assert not actions(run) & set(hook.INTERFACES)
    assert plan(run).needed == ()


def test_a_hook_is_made_in_a_vpc_at_once() -> None:
    """With subnets and groups in the call that makes it."""
    run = opened(hook="AfterAllowTestTraffic")
    inside = placed(run, *there(run))
    run.apply(plan(inside))
    assert plan(inside).needed == ()
    assert hook.read_function(run.account, run.system).subnets == there(run)[0]


def test_lambda_refuses_a_role_that_makes_no_interfaces() -> None:
    """In AWS's words, which are waited for when the policy is only a moment old."""
    run = opened(hook="AfterAllowTestTraffic")
    run.apply(plan(run))
    subnets, groups = there(run)
    client = run.account.client("lambda")
    with pytest.raises(ClientError, match="does not have permissions to call CreateNetworkInterface on EC2"):
        client.update_function_configuration(
            FunctionName=hook.name(run.system),
            VpcConfig={"SubnetIds": list(subnets), "SecurityGroupIds": list(groups)},
        )
    with pytest.raises(ClientError, match="must coexist"):
        client.update_function_configuration(
            FunctionName=hook.name(run.system), VpcConfig={"SubnetIds": list(subnets), "SecurityGroupIds": []}
        )


def test_a_release_asks_where_its_hook_would_be() -> None:
    """Public subnets do not serve; without any it is said what happens on AWS; unknown ones are refused."""
    run = opened(hook="AfterAllowTestTraffic")
    outside = {one.question: one for one in release.check_safe(run.account, run.system, "2", {}).answers}
    assert outside[placement.REACH].verdict == Verdict.SKIP
    assert "port 9001 admits 10.20.0.0/16" in outside[placement.REACH].seen
    inside = placed(run, *there(run))
    answers = {one.question: one.verdict for one in release.check_safe(run.account, inside.system, "2", {}).answers}
    assert (answers[placement.REACH], answers[placement.REPORT]) == (Verdict.FAIL, Verdict.FAIL)
    nowhere = placed(run, ("subnet-0abc",), there(run)[1])
    with pytest.raises(BadInput, match="subnets and security groups of this account"):
        release.check_safe(run.account, nowhere.system, "2", {})


def test_subnets_without_groups_are_refused() -> None:
    """Lambda wants both or neither."""
    with pytest.raises(ValueError, match="both or none"):
        Release(hook_subnets=("subnet-0a",))
