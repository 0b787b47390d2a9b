"""Live releases as they are measured: every task a process, a real traefik, every request real HTTP; prints JSON.

python -m tests.benchmarks.live releases    20 releases in a row, by turns all at once, canary and linear, under load
python -m tests.benchmarks.live hour        a canary of one hour with all its 360,000 requests
python -m tests.benchmarks.live latency     200 requests a second, by turns through the load balancer and direct
"""

from __future__ import annotations

import json
import mmap
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from runbook_lib.sandbox.clocks import ScaledClock
from runbook_lib.sandbox.traffic import live
from runbook_lib.sandbox.traffic.live.leash import Leash
from runbook_lib.sandbox.traffic.live.load import Load
from tests.benchmarks.sender import ALLOWED, ANSWERED, NUMBER
from tests.live.live_stage import LiveStage, live_stage, orders, push

HERE = Path(__file__).parent
NAME = "orders"
BUILT_IN = "CodeDeployDefault.ECS"
SHIFTS = ("AllAtOnce", "Canary10Percent5Minutes", "Linear10PercentEvery1Minutes")
OVER = ("Succeeded", "Failed", "Stopped")

RELEASES, WANTED, RATE, SCALE = 20, 100_000, 400.0, 60.0
LONGEST = 900.0  # seconds of the wall until a run gives up

HOUR, PER_SECOND = 3600, 100
HOUR_SCALE = 60.0  # at which health checks and looks are made; time itself goes on with the requests
AHEAD = 1000  # requests that may be sent before the world has caught up with the ones before

QUIET_RATE, ROUNDS, SECONDS = 200.0, 3, 10.0


# ---- the stage


def furnish(stage: LiveStage, image: str) -> None:
    """Two healthy tasks behind blue, and a deployment group that ends the former ones at once."""
    iam, deploy = stage.world.client("iam"), stage.world.client("codedeploy")
    statement = {"Effect": "Allow", "Principal": {"Service": "codedeploy.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName="deploys", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="deploys", PolicyArn="arn:aws:iam::aws:policy/AWSCodeDeployRoleForECS")
    first = stage.stage.define(image, None, APP_VERSION="1.0.0")
    stage.stage.serve(taskDefinition=first, desiredCount=2, healthCheckGracePeriodSeconds=60)
    stage.healthy(2)
    routes = {"prodTrafficRoute": {"listenerArns": [stage.stage.production]}}
    routes["testTrafficRoute"] = {"listenerArns": [stage.stage.test]}
    pair = {"targetGroups": [{"name": "blue"}, {"name": "green"}], **routes}
    deploy.create_application(applicationName=NAME, computePlatform="ECS")
    deploy.create_deployment_group(
        applicationName=NAME,
        deploymentGroupName=NAME,
        serviceRoleArn=role,
        deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        ecsServices=[{"clusterName": NAME, "serviceName": NAME}],
        loadBalancerInfo={"targetGroupPairInfoList": [pair]},
        blueGreenDeploymentConfiguration={
            "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
            "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 0},
        },
    )


def start(stage: LiveStage, image: str, *, version: str, config: str) -> str:
    """A deployment of a new revision; its id."""
    revision = stage.stage.define(image, None, APP_VERSION=version)
    balancer = {"ContainerName": "app", "ContainerPort": 8080}
    target = {"TaskDefinition": revision, "LoadBalancerInfo": balancer}
    appspec = {"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": target}}]}
    made: str = stage.world.client("codedeploy").create_deployment(
        applicationName=NAME,
        deploymentGroupName=NAME,
        deploymentConfigName=config,
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(appspec)}},
    )["deploymentId"]
    return made


def status(stage: LiveStage, deployment: str) -> str:
    """Of a deployment."""
    found: str = stage.world.client("codedeploy").get_deployment(deploymentId=deployment)["deploymentInfo"]["status"]
    return found


def ended(stage: LiveStage, deployment: str) -> str | None:
    """How a deployment has ended; None while it runs."""
    found = status(stage, deployment)
    return found if found in OVER else None


def until(stage: LiveStage, true: Callable[[], Any], *, limit: float = LONGEST) -> Any:
    """Let the world go on until something is so; raises TimeoutError."""
    end = time.monotonic() + limit
    while not (found := true()):
        if time.monotonic() > end:
            raise TimeoutError(f"not so after {limit:.0f} s; the load: {live.told(stage.world)}")
        stage.sandbox.clock.sleep(2.0)
    return found


# ---- the measures


def releases() -> dict[str, Any]:
    """Requests and failures over all releases, what is served now, and the seconds of the wall."""
    with live_stage(requests_per_second=RATE, scale=SCALE) as stage:
        image = orders(stage.world)
        furnish(stage, image)
        until(stage, lambda: live.told(stage.world)["load"]["versions"].get("1.0.0", 0) > RATE)
        before, began = live.told(stage.world)["load"], time.monotonic()
        endings = []
        for number, shift in enumerate(islice(cycle(SHIFTS), RELEASES), 2):
            made = start(stage, image, version=f"{number}.0.0", config=BUILT_IN + shift)
            endings.append(until(stage, partial(ended, stage, made)))
            _say(stage, f"release {number - 1}, {shift}: {endings[-1]}", before)
        until(stage, lambda: live.told(stage.world)["load"]["sent"] - before["sent"] >= WANTED)
        after = live.told(stage.world)["load"]
        taken = time.monotonic() - began
    return {
        "releases": endings.count("Succeeded"),
        "requests": after["sent"] - before["sent"],
        "failed": after["failed"] - before["failed"],
        "failures": after["last_failures"],
        "versions": len(after["versions"]),
        "milliseconds": after["milliseconds"],
        "seconds": round(taken, 1),
    }


def _say(stage: LiveStage, text: str, before: dict[str, Any]) -> None:
    load = live.told(stage.world)["load"]
    sent, failed = load["sent"] - before["sent"], load["failed"] - before["failed"]
    print(f"{text}; {sent} requests, {failed} failed", file=sys.stderr, flush=True)


class Pace:
    """A wall's clock that can be made to go on by requests: a hundred of them are a second of the world."""

    def __init__(self, shared: mmap.mmap) -> None:
        self._shared = shared
        self._by_requests = False
        self._since, self._from = time.monotonic(), 0.0

    def __call__(self) -> float:
        if not self._by_requests:
            return self._from + time.monotonic() - self._since
        return self._from + self.answered / PER_SECOND / HOUR_SCALE

    @property
    def answered(self) -> int:
        """Requests that were answered until now."""
        found: int = NUMBER.unpack_from(self._shared, ANSWERED)[0]
        return found

    def go_by_requests(self) -> None:
        """From now on time stands still while nothing is answered."""
        self._from = self()
        self._by_requests = True

    def allow(self, many: int) -> None:
        """Let so many requests be sent in all."""
        NUMBER.pack_into(self._shared, ALLOWED, many)


def hour() -> dict[str, Any]:
    """A canary of 10 % for an hour and then all; what each version answered, what CloudWatch counted, the seconds."""
    with _shared() as (shared, path), live_stage(requests_per_second=0.0, scale=HOUR_SCALE) as stage:
        pace = Pace(shared)
        clock = ScaledClock(
            stage.world, scale=HOUR_SCALE, wall=pace, wait=lambda seconds: time.sleep(min(seconds, 0.01))
        )
        live.attach(stage.world, clock, tell=stage.world.happen)
        stage.sandbox._clock = clock
        image = push(
            stage.world,
            {"/app/app.py": (HERE / "served_app.py").read_bytes()},
            command=("python", "app.py"),
            directory="/app",
        )
        furnish(stage, image)
        stage.world.client("codedeploy").create_deployment_config(
            deploymentConfigName="HourOfCanary",
            computePlatform="ECS",
            trafficRoutingConfig={
                "type": "TimeBasedCanary",
                "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": HOUR // 60},
            },
        )
        made = start(stage, image, version="2.0.0", config="HourOfCanary")
        until(stage, lambda: 10 in stage_weights(stage))
        return _hour(stage, pace, clock, made, path)


def _hour(stage: LiveStage, pace: Pace, clock: ScaledClock, made: str, path: Path) -> dict[str, Any]:
    began, first, limit = time.monotonic(), stage.world.now, LONGEST
    with _sender(stage.url(), path) as sender:
        pace.go_by_requests()
        while pace.answered < HOUR * PER_SECOND and time.monotonic() - began < limit:
            pace.allow(min(HOUR * PER_SECOND, int((stage.world.now - first) * PER_SECOND) + AHEAD))
            clock.catch_up()
            time.sleep(0.005)
        taken, weights = time.monotonic() - began, stage_weights(stage)
        sender.send_signal(signal.SIGTERM)
        told = json.loads(sender.communicate(timeout=30)[0])
    pace._from, pace._since, pace._by_requests = pace(), time.monotonic(), False
    ending = until(stage, partial(ended, stage, made))
    clock.sleep(300)
    return {
        "seconds": round(taken, 1),
        "requests": sum(told["statuses"].values()),
        "failed": sum(told["failures"].values()) + sum(n for s, n in told["statuses"].items() if s >= "500"),
        **told,
        "weights_at_the_end": sorted(weights),
        "ending": ending,
        "counted": counted(stage, first),
    }


def stage_weights(stage: LiveStage) -> list[int]:
    """The weights of the production listener."""
    found = stage.world.client("elbv2").describe_listeners(ListenerArns=[stage.stage.production])["Listeners"][0]
    return [one["Weight"] for one in found["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]]


def counted(stage: LiveStage, since: float) -> float:
    """The requests that CloudWatch has of the load balancer from that time on.

    They are told in the world's time by the pace of the clock, which a machine that is busy does not keep: the first
    ones seem to come from before.
    """
    found = stage.world.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ApplicationELB",
        MetricName="RequestCount",
        Dimensions=[{"Name": "LoadBalancer", "Value": stage.stage.balancer.partition("loadbalancer/")[2]}],
        StartTime=stage.world.datetime(since - HOUR),
        EndTime=stage.world.datetime(),
        Period=300,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(one["Sum"] for one in found))


@contextmanager
def _shared() -> Iterator[tuple[mmap.mmap, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "numbers"
        path.write_bytes(bytes(16))
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 16) as shared:
            yield shared, path


@contextmanager
def _sender(url: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(HERE / "sender.py"), url, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def latency() -> dict[str, Any]:
    """Milliseconds at p50 and p99, through the load balancer and direct, each by turns over the same seconds."""
    with live_stage(requests_per_second=0.0, scale=SCALE) as stage, tempfile.TemporaryDirectory() as folder:
        files = {"/app/app.py": (HERE / "served_app.py").read_bytes()}
        image = push(stage.world, files, command=("python", "app.py"), directory="/app")
        furnish(stage, image)
        task = stage.plane.tasks.arns()[0]
        direct = f"http://127.0.0.1:{stage.plane.tasks.address(task, 8080)}/"
        found: dict[str, list[float]] = {"balanced": [], "direct": []}
        for number in range(ROUNDS):
            for name, url in (("direct", direct), ("balanced", stage.url())):
                found[name] += _timed(url, Path(folder) / f"{name}-{number}")
                stage.sandbox.clock.sleep(1.0)
    return {
        "requests": {name: len(each) for name, each in found.items()},
        **{f"{name}_p50": percentile(each, 50) for name, each in found.items()},
        **{f"{name}_p99": percentile(each, 99) for name, each in found.items()},
    }


def _timed(url: str, folder: Path) -> list[float]:
    """The latencies of some seconds of an open loop, the first second left out."""
    folder.mkdir()
    leash = Leash()
    load = Load(leash, folder, rate=QUIET_RATE)
    try:
        load.send_to(url)
        time.sleep(SECONDS)
        load.stop()
        told = [json.loads(line) for line in load.lines()]
    finally:
        leash.close()
    failed = [one for one in told if one[2] != 200]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(told)} requests to {url} failed: {failed[:3]}")
    return [one[1] for one in told if one[0] > told[0][0] + 1]


def percentile(values: list[float], percent: int) -> float:
    """By linear interpolation."""
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 2)


MEASURES: dict[str, Callable[[], dict[str, Any]]] = {"releases": releases, "hour": hour, "latency": latency}

if __name__ == "__main__":
    print(json.dumps(MEASURES[sys.argv[1]]()), flush=True)
