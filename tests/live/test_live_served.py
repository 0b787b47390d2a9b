"""A served world with live traffic: shown to a person, walked through, and gone without a trace when it is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runbook_lib import cli
from runbook_lib.runs.world import served_world
from runbook_lib.sandbox import connect
from tests.live.test_live_processes import ends

SETTINGS = ("traffic=live", "scale=30", "requests_per_second=100")
SERVER = [sys.executable, "-m", "runbook_lib.sandbox.serving", *(word for one in SETTINGS for word in ("--set", one))]
STAGES = ("10_provision", "15_move_service", "20_source_files", "21_buildspec", "22_pipeline")
LIVE = ("-p", "sandbox.traffic=live", "-p", "sandbox.scale=30", "-p", "sandbox.requests_per_second=100")


def children(pid: int) -> list[int]:
    """The processes whose parent that process is."""
    found = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    pairs = [line.split() for line in found.splitlines()[1:]]
    return [int(child) for child, parent in pairs if int(parent) == pid]


def test_a_server_that_is_killed_leaves_nothing_running(tmp_path: Path) -> None:
    """With SIGKILL it can do nothing any more; its load balancer and its generator end all the same."""
    server = subprocess.Popen(SERVER, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path)
    assert server.stdout is not None
    world = connect(json.loads(server.stdout.readline())["url"])
    make_listener(world)
    end = time.monotonic() + 30
    while not world.traffic()["load"]["sent"] and time.monotonic() < end:
        time.sleep(0.2)
    told = world.status()
    pids, folder = children(server.pid), folder_of(children(server.pid))
    assert folder.is_dir()
    server.send_signal(signal.SIGKILL)
    server.wait()
    server.stdout.close()
    assert told["traffic"] == "live"
    assert list(told["addresses"]) == ["production :80"]
    assert told["load"]["statuses"].keys() == {"503"}  # nobody is registered
    assert len(pids) >= 3  # traefik, the generator, the watchman
    assert all(ends(pid) for pid in pids)
    assert not folder.exists()


def folder_of(pids: list[int]) -> Path:
    """Where a live world keeps its files, by the command of its load balancer."""
    shown = subprocess.run(["ps", "-ww", "-o", "args=", "-p", ",".join(map(str, pids))], capture_output=True, text=True)
    found = re.search(r"--providers\.file\.filename=(\S+)/routes\.yaml", shown.stdout)
    assert found, shown.stdout
    return Path(found[1])


def make_listener(world: object) -> None:
    """A load balancer with a production listener and an empty group."""
    ec2, elb = world.client("ec2"), world.client("elbv2")  # type: ignore[attr-defined]
    iam = world.client("iam")  # type: ignore[attr-defined]
    iam.create_service_linked_role(AWSServiceName="elasticloadbalancing.amazonaws.com")
    world.clock.sleep(60)  # type: ignore[attr-defined]
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]
    balancer = elb.create_load_balancer(Name="orders", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(Name="blue", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip")
    forward = {"Type": "forward", "TargetGroupArn": group["TargetGroups"][0]["TargetGroupArn"]}
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[forward])


@pytest.mark.long
def test_the_walk_hurts_nobody_until_a_version_fails(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a rolling service to a ten-step linear release at 100 requests a second: no request fails after the first
    task came; then version 3 hurts some, is seen by its alarm and rolled back."""
    monkeypatch.chdir(root)
    from runbook_lib.runs.world import URL, arguments_for

    arguments = arguments_for("sandbox", [LIVE[number] for number in (1, 3, 5)])
    with served_world(arguments, log=tmp_path / "log") as environment:
        monkeypatch.setenv(URL, environment[URL])
        world = connect(environment[URL])
        assert run("10_provision", tmp_path) == 0
        before = world.traffic()["load"]
        codes = [run(stage, tmp_path) for stage in STAGES[1:]]
        codes.append(run("30_release", tmp_path, "version=2.0.0", "end_wait=true"))
        healthy = world.traffic()["load"]
        broken = run("30_release", tmp_path, "version=3.0.0", 'environment={"APP_ERROR_RATE": "0.3"}', name="broken")
        hurt = world.traffic()["load"]
    assert codes == [0] * 5
    assert healthy["failed"] == before["failed"], healthy
    assert set(healthy["versions"]) == {"1.0.0", "2.0.0"}
    assert broken == 4
    assert 0 < hurt["failed"] - healthy["failed"] < hurt["versions"]["3.0.0"]


def run(notebook: str, folder: Path, *settings: str, name: str = "") -> int:
    """The exit code of a notebook in the world of the environment."""
    words = [word for one in settings for word in ("-p", one)]
    assert os.environ["RUNBOOK_SANDBOX_URL"]
    return cli.main(["run", notebook, *LIVE, *words, "--output", str(folder / (name or notebook))])
