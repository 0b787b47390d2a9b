"""The validation packed as a Lambda hook: made, kept up to date and named in the AppSpec by the plan of a release.

Sources: CodeDeploy user guide, reference-appspec-file-structure-hooks; the name begins with CodeDeployHook_, which is
what AWS's limited role may invoke (ECS developer guide, codedeploy_IAM_role).
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook_lib.account import Account
from runbook_lib.balancer import Balancer
from runbook_lib.errors import CheckFailed
from runbook_lib.inventory import Item
from runbook_lib.planning import change, make
from runbook_lib.step import Made, Step, Until
from runbook_lib.system import System, tag_list

PROGRAM = Path(__file__).parent / "validate.py"
RUNTIME, HANDLER, SECONDS = "python3.12", "validate.handler", 300
POLICY = "runbook"
# What AWSLambdaVPCAccessExecutionRole adds to the log (Lambda developer guide, configuration-vpc): Lambda makes the
# interfaces with the function's role, and knows their names only then.
INTERFACES = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)


@dataclass(frozen=True)
class Function:
    """What exists of the hook: hash of its code, its environment, and its role's document; None while it does not.

    `subnets` and `groups` are those of its network interfaces, empty outside a VPC.
    """

    code: str | None
    environment: Mapping[str, str]
    role: bool
    policy: Mapping[str, Any] | None
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def name(system: System) -> str:
    """The function's name."""
    return f"CodeDeployHook_{system.name}"


def role_name(system: System) -> str:
    return system.role("hook")


def read_function(account: Account, system: System) -> Function:
    """What exists of the hook and its role."""
    functions, iam = account.client("lambda"), account.client("iam")
    try:
        found = functions.get_function(FunctionName=name(system))["Configuration"]
    except functions.exceptions.ResourceNotFoundException:
        found = {}
    try:
        iam.get_role(RoleName=role_name(system))
        role = True
    except iam.exceptions.NoSuchEntityException:
        role = False
    policies = iam.list_role_policies(RoleName=role_name(system))["PolicyNames"] if role else []
    document = iam.get_role_policy(RoleName=role_name(system), PolicyName=POLICY) if POLICY in policies else {}
    network = found.get("VpcConfig") or {}
    return Function(
        code=found.get("CodeSha256"),
        environment=found.get("Environment", {}).get("Variables", {}),
        role=role,
        policy=document.get("PolicyDocument"),
        subnets=tuple(sorted(network.get("SubnetIds", ()))),
        groups=tuple(sorted(network.get("SecurityGroupIds", ()))),
    )


def plan_function(system: System, found: Function, balancer: Balancer, items: Iterable[Item]) -> tuple[Step, ...]:
    """The steps that make the hook and its role, or bring them up to date."""
    items = tuple(items)
    steps = (*_role_steps(system, found, items), _make_step(system, found, balancer, items))
    return (*steps, *_update_steps(system, found, balancer))


def _role_steps(system: System, found: Function, items: tuple[Item, ...]) -> tuple[Step, ...]:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    # A function that leaves a VPC needs them once more: Lambda deletes its interfaces with its role.
    in_vpc = bool(found.subnets or system.params.release.hook_subnets)
    document = {"Version": "2012-10-17", "Statement": _statements(system, in_vpc=in_vpc)}
    return (
        make(
            "hook.role",
            "Make the hook's role",
            "iam:create_role",
            {
                "RoleName": role_name(system),
                "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
                "Tags": tag_list(system.tags),
            },
            made=Made("iam:role", role_name(system)),
            found={} if found.role else None,
            items=items,
        ),
        change(
            "hook.policy",
            "Allow the hook what it needs",
            "iam:put_role_policy",
            {"RoleName": role_name(system), "PolicyName": POLICY, "PolicyDocument": json.dumps(document)},
            touches=role_name(system),
            needed=None if found.policy == document else "to look at green, to report, to write its log",
            undo="deleted by 90_tear_down",
        ),
    )


def _make_step(system: System, found: Function, balancer: Balancer, items: tuple[Item, ...]) -> Step:
    network = _network(system)
    return make(
        "hook.function",
        f"Make the hook {name(system)}",
        "lambda:create_function",
        {
            "FunctionName": name(system),
            "Runtime": RUNTIME,
            "Handler": HANDLER,
            "Role": system.arn("iam", f"role/{role_name(system)}", regional=False),
            "Code": {"ZipFile": pack()},
            "Timeout": SECONDS,
            "Environment": {"Variables": environment(system, balancer)},
            "Tags": system.tags,
            **({"VpcConfig": network} if network["SubnetIds"] else {}),
        },
        made=Made("lambda:function", name(system)),
        found=None if found.code is None else {},
        items=items,
        until=_ready(system),
    )


def _update_steps(system: System, found: Function, balancer: Balancer) -> tuple[Step, ...]:
    """What brings a function that is there up to date; while one change is under way Lambda refuses the next."""
    packed, wanted, network = pack(), environment(system, balancer), _network(system)
    there, own = found.code is not None, {"FunctionName": name(system)}
    placed = (sorted(network["SubnetIds"]), sorted(network["SecurityGroupIds"]))
    moved = placed != (list(found.subnets), list(found.groups))
    return (
        change(
            "hook.code",
            "Give it the code of this library",
            "lambda:update_function_code",
            {**own, "ZipFile": packed},
            touches=name(system),
            needed="its code is another one" if there and found.code != digest(packed) else None,
            undo="update it again",
            until=_ready(system),
        ),
        change(
            "hook.environment",
            "Tell it whom to ask",
            "lambda:update_function_configuration",
            {**own, "Environment": {"Variables": wanted}},
            touches=name(system),
            needed="the parameters say something else" if there and dict(found.environment) != wanted else None,
            undo="update it again",
            until=_ready(system),
        ),
        change(
            "hook.network",
            "Let it ask from these subnets" if network["SubnetIds"] else "Let it ask from outside the VPC",
            "lambda:update_function_configuration",
            {**own, "VpcConfig": network},
            touches=name(system),
            needed="the parameters say something else" if there and moved else None,
            undo="update it again",
            until=_ready(system),
        ),
    )


def _network(system: System) -> dict[str, list[str]]:
    release = system.params.release
    return {"SubnetIds": list(release.hook_subnets), "SecurityGroupIds": list(release.hook_security_groups)}


def _ready(system: System) -> Until:
    """A function in a VPC is made when its network interfaces are: a minute or two (Lambda guide, functions-states)."""

    def missing(account: Account, answer: Any) -> str | None:
        del answer
        found = account.client("lambda").get_function_configuration(FunctionName=name(system))
        state, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
        if "Failed" in (state, update):
            raise CheckFailed(
                where=f"the hook {name(system)}",
                seen=found.get("StateReason") or found.get("LastUpdateStatusReason") or f"{state}, update {update}",
                wanted="a function that is active",
                next_step="see that release.hook_subnets have free addresses and the groups are of their VPC",
            )
        ready = state in ("Active", "Inactive") and update == "Successful"
        return None if ready else f"it is {state}, its update {update}"

    return Until(f"{name(system)} is active", missing)


def environment(system: System, balancer: Balancer) -> dict[str, str]:
    """What the function is told: the test listener, the paths, how many requests, and how many may fail."""
    release, port = system.params.release, system.params.balancer.test_port
    scheme = "https" if system.params.balancer.certificate else "http"
    return {
        "CLUSTER": system.cluster,
        "SERVICE": system.service,
        "PROBE_URL": f"{scheme}://{balancer.dns_name}:{port}" if balancer.dns_name and balancer.test else "",
        "PROBE_PATHS": ",".join(release.probe_paths),
        "PROBE_REQUESTS": str(release.probe_requests),
        "MOST_FAILED": str(int(release.probe_requests * release.probe_failed_percent / 100)),
    }


def pack() -> bytes:
    """The program as a zip file: the same bytes on every machine."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as zipped:
        entry = zipfile.ZipInfo(PROGRAM.name, date_time=(1980, 1, 1, 0, 0, 0))
        entry.external_attr = 0o644 << 16
        zipped.writestr(entry, PROGRAM.read_bytes())
    return content.getvalue()


def digest(packed: bytes) -> str:
    """How Lambda names the hash of a code package."""
    return base64.b64encode(hashlib.sha256(packed).digest()).decode()


def _statements(system: System, *, in_vpc: bool) -> list[dict[str, Any]]:
    log = system.arn("logs", f"log-group:/aws/lambda/{name(system)}")
    group = system.arn("codedeploy", f"deploymentgroup:{system.deploy_application}/{system.deploy_group}")
    return [
        {"Effect": "Allow", "Action": ["codedeploy:PutLifecycleEventHookExecutionStatus"], "Resource": group},
        {
            "Effect": "Allow",
            "Action": ["ecs:DescribeServices"],
            "Resource": system.arn("ecs", f"service/{system.cluster}/{system.service}"),
        },
        {"Effect": "Allow", "Action": ["elasticloadbalancing:DescribeTargetHealth"], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [log, f"{log}:*"],
        },
        *([{"Effect": "Allow", "Action": list(INTERFACES), "Resource": "*"}] if in_vpc else []),
    ]
