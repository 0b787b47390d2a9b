"""Load balancers, target groups, listeners and rules: what is accepted, how it is answered, what is refused."""

from __future__ import annotations

import pytest
from ecs_stage import NAME, Refusal, Stage, filled, fresh, make_group, refusal, refusals

from runbook_lib.sandbox import Settings
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services import elbv2
from runbook_lib.sandbox.world import World

STICKY = {"Enabled": True, "DurationSeconds": 60}
PATH = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}


@pytest.fixture
def stage() -> Stage:
    return fresh()


@pytest.mark.parametrize("case", refusals("elbv2"))
def test_what_aws_refuses_is_refused_in_its_words(stage: Stage, case: Refusal) -> None:
    """Each case is a file: an operation, its parameters, the code and a part of the message."""
    names = vars(stage) | {"subnet": stage.subnets[0]}
    code, message = refusal(getattr(stage.elb, case.operation), **filled(case.params, names))
    assert code == case.code
    assert filled(case.message, names) in message


def test_a_plain_group_is_answered_with_its_forward_configuration(stage: Stage) -> None:
    """A TargetGroupArn alone comes back as a forward of weight 1 as well."""
    actions = [{"Type": "forward", "TargetGroupArn": stage.blue}]
    answered = stage.elb.modify_listener(ListenerArn=stage.test, DefaultActions=actions)["Listeners"][0]
    assert answered["DefaultActions"] == [
        {
            "Type": "forward",
            "TargetGroupArn": stage.blue,
            "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": stage.blue, "Weight": 1}],
                "TargetGroupStickinessConfig": {"Enabled": False},
            },
        }
    ]


def test_several_groups_are_answered_without_a_group_beside_them(stage: Stage) -> None:
    """With two groups only the forward configuration names them."""
    action = stage.elb.describe_listeners(ListenerArns=[stage.production])["Listeners"][0]["DefaultActions"][0]
    assert "TargetGroupArn" not in action
    assert [group["Weight"] for group in action["ForwardConfig"]["TargetGroups"]] == [100, 0]


def test_a_group_in_a_rule_belongs_to_the_load_balancer(stage: Stage) -> None:
    """LoadBalancerArns is filled from every listener and rule, whatever the weight."""
    green = make_group(stage.world, stage.vpc, "third")
    stage.elb.create_rule(
        ListenerArn=stage.test,
        Priority=1,
        Conditions=[PATH],
        Actions=[{"Type": "forward", "TargetGroupArn": green}],
    )
    described = stage.elb.describe_target_groups(TargetGroupArns=[green])["TargetGroups"][0]
    assert described["LoadBalancerArns"] == [stage.balancer]


def test_a_group_serves_one_load_balancer_only(stage: Stage) -> None:
    """A second load balancer cannot use a group that the first one has."""
    other = stage.elb.create_load_balancer(Name="other", Subnets=stage.subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    answered = refusal(
        stage.elb.create_listener,
        LoadBalancerArn=other,
        Protocol="HTTP",
        Port=80,
        DefaultActions=stage.forward(blue=1),
    )
    assert answered == (
        "TargetGroupAssociationLimit",
        f"The following target groups cannot be associated with more than one load balancer: {stage.blue}",
    )


def test_rules_stand_by_priority_and_the_default_one_last(stage: Stage) -> None:
    """Each rule keeps its number, and the default rule shows the listener's actions."""
    for priority in (20, 10):
        stage.elb.create_rule(
            ListenerArn=stage.production, Priority=priority, Conditions=[PATH], Actions=stage.forward(blue=1)
        )
    found = stage.elb.describe_rules(ListenerArn=stage.production)["Rules"]
    assert [rule["Priority"] for rule in found] == ["10", "20", "default"]
    assert [rule["IsDefault"] for rule in found] == [False, False, True]


def test_two_rules_change_places_at_once(stage: Stage) -> None:
    """Priorities are set together, so that two rules can swap theirs."""
    one, two = (
        stage.elb.create_rule(
            ListenerArn=stage.production, Priority=priority, Conditions=[PATH], Actions=stage.forward(blue=1)
        )["Rules"][0]["RuleArn"]
        for priority in (1, 2)
    )
    swapped = [{"RuleArn": one, "Priority": 2}, {"RuleArn": two, "Priority": 1}]
    stage.elb.set_rule_priorities(RulePriorities=swapped)
    assert [rule["RuleArn"] for rule in stage.elb.describe_rules(ListenerArn=stage.production)["Rules"]][:2] == [
        two,
        one,
    ]
    taken = refusal(stage.elb.set_rule_priorities, RulePriorities=[{"RuleArn": one, "Priority": 1}])
    assert taken == ("PriorityInUse", "Priority '1' is currently in use")


def test_the_default_rule_cannot_be_changed_or_deleted(stage: Stage) -> None:
    """It changes with its listener."""
    default = stage.elb.describe_rules(ListenerArn=stage.production)["Rules"][-1]["RuleArn"]
    assert refusal(stage.elb.delete_rule, RuleArn=default)[0] == "OperationNotPermitted"
    assert refusal(stage.elb.modify_rule, RuleArn=default, Actions=stage.forward(blue=1))[0] == "OperationNotPermitted"


def test_conditions_keep_their_values_in_both_places(stage: Stage) -> None:
    """A path given as plain values is answered with its configuration too."""
    condition = {"Field": "path-pattern", "Values": ["/api/*"]}
    made = stage.elb.create_rule(
        ListenerArn=stage.production, Priority=1, Conditions=[condition], Actions=stage.forward(blue=1)
    )["Rules"][0]
    assert made["Conditions"] == [condition | {"PathPatternConfig": {"Values": ["/api/*"]}}]


def test_setting_weights_keeps_stickiness_and_reads_back(stage: Stage) -> None:
    """CodeDeploy changes the weights of an action and nothing else of it."""
    actions = stage.forward(blue=1)
    actions[0]["ForwardConfig"]["TargetGroupStickinessConfig"] = STICKY
    stage.elb.modify_listener(ListenerArn=stage.production, DefaultActions=actions)
    elbv2.set_weights(stage.world, stage.production, {stage.blue: 90, stage.green: 10})
    assert elbv2.weights(stage.world, stage.production) == {stage.blue: 90, stage.green: 10}
    action = stage.elb.describe_listeners(ListenerArns=[stage.production])["Listeners"][0]["DefaultActions"][0]
    assert action["ForwardConfig"]["TargetGroupStickinessConfig"] == STICKY


def test_setting_weights_of_a_foreign_group_is_refused(stage: Stage) -> None:
    """A group that does not exist cannot be given a weight."""
    with pytest.raises(AwsError, match="TargetGroupNotFound"):
        elbv2.set_weights(stage.world, stage.production, {stage.blue: 90, "arn:nobody": 10})


def test_a_load_balancer_provisions_before_it_is_active(stage: Stage) -> None:
    """It takes its time, and somebody can wait for it."""
    stage.settle()
    made = stage.elb.create_load_balancer(Name="new", Subnets=stage.subnets)["LoadBalancers"][0]
    assert made["State"]["Code"] == "provisioning"
    assert not stage.world.idle()
    stage.wait(stage.world.settings.load_balancer_provisioning)
    assert stage.elb.describe_load_balancers(Names=["new"])["LoadBalancers"][0]["State"]["Code"] == "active"


def test_the_same_load_balancer_again_is_answered_as_it_is(stage: Stage) -> None:
    """Making it twice makes one."""
    again = stage.elb.create_load_balancer(Name=NAME, Subnets=stage.subnets, SecurityGroups=[stage.security])
    assert again["LoadBalancers"][0]["LoadBalancerArn"] == stage.balancer
    assert len(stage.elb.describe_load_balancers()["LoadBalancers"]) == 1


def test_the_first_use_makes_the_role_and_fails_meanwhile() -> None:
    """A new account refuses the first call until its service-linked role has spread."""
    world = World(Settings())
    vpc, subnets = _bare_network(world)
    elb = world.client("elbv2")
    assert "service linked role" in refusal(elb.create_load_balancer, Name="new", Subnets=subnets)[1]
    world.run_until(world.now + world.settings.role_propagation)
    assert elb.create_load_balancer(Name="new", Subnets=subnets)["LoadBalancers"][0]["VpcId"] == vpc


def test_deletion_protection_holds(stage: Stage) -> None:
    """A protected load balancer is not deleted."""
    protection = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    stage.elb.modify_load_balancer_attributes(LoadBalancerArn=stage.balancer, Attributes=protection)
    code, message = refusal(stage.elb.delete_load_balancer, LoadBalancerArn=stage.balancer)
    assert (code, "deletion protection is enabled" in message) == ("OperationNotPermitted", True)


def test_a_deleted_load_balancer_takes_its_listeners_along(stage: Stage) -> None:
    """Afterwards its groups are free and can be deleted, in this order."""
    stage.elb.delete_load_balancer(LoadBalancerArn=stage.balancer)
    assert refusal(stage.elb.describe_listeners, ListenerArns=[stage.production])[0] == "ListenerNotFound"
    stage.elb.delete_target_group(TargetGroupArn=stage.blue)
    assert [group["TargetGroupName"] for group in stage.elb.describe_target_groups()["TargetGroups"]] == ["green"]


def test_an_https_listener_shows_its_certificate_and_policy(stage: Stage) -> None:
    """The default certificate cannot go, others come and go."""
    arns = [f"arn:aws:acm:us-east-1:123456789012:certificate/{n}" for n in "ab"]
    made = stage.elb.create_listener(
        LoadBalancerArn=stage.balancer,
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": arns[0]}],
        DefaultActions=stage.forward(blue=1),
    )["Listeners"][0]
    assert made["SslPolicy"] == "ELBSecurityPolicy-2016-08"
    stage.elb.add_listener_certificates(ListenerArn=made["ListenerArn"], Certificates=[{"CertificateArn": arns[1]}])
    shown = stage.elb.describe_listener_certificates(ListenerArn=made["ListenerArn"])["Certificates"]
    assert [one["IsDefault"] for one in shown] == [True, False]
    gone = refusal(
        stage.elb.remove_listener_certificates,
        ListenerArn=made["ListenerArn"],
        Certificates=[{"CertificateArn": arns[0]}],
    )
    assert gone == ("OperationNotPermitted", "Default certificate cannot be removed")


def test_answers_come_in_pages(stage: Stage) -> None:
    """A marker leads to the rest."""
    pages = stage.elb.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 1})
    assert [len(page["TargetGroups"]) for page in pages] == [1, 1]


def test_tags_are_kept_for_each_resource(stage: Stage) -> None:
    """Added, read and removed by ARN."""
    stage.elb.add_tags(ResourceArns=[stage.blue], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    stage.elb.remove_tags(ResourceArns=[stage.blue], TagKeys=["a"])
    described = stage.elb.describe_tags(ResourceArns=[stage.blue])["TagDescriptions"][0]
    assert described["Tags"] == [{"Key": "b", "Value": "2"}]


def _bare_network(world: World) -> tuple[str, list[str]]:
    ec2 = world.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    made = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")
        for n, zone in enumerate("ab")
    ]
    return vpc, [one["Subnet"]["SubnetId"] for one in made]
