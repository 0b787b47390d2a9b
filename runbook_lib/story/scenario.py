"""Scenarios: releases that go well or wrong in a known way, as data, and played in the sandbox.

A scenario is one YAML file in params/scenarios/: what it tells, the version with its behaviour, parameters on top of
the file of the run, what others do meanwhile, and what is wanted in the end.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from runbook_lib import hook, params, yamlfile
from runbook_lib.account import Account
from runbook_lib.clock import Clock
from runbook_lib.errors import BadInput
from runbook_lib.suggest import did_you_mean
from runbook_lib.system import System

STEP = 5.0  # seconds between two looks whether something is due
ALARMED = 300.0  # seconds until an alarm that has reason to is red
FOLDER = "scenarios"  # below params/
SHARED = ("codedeploy", "ecs", "elbv2", "cloudwatch")  # whose calls somebody else in the account can use up


@dataclass(frozen=True)
class Happening:
    """Something that somebody else does: so many seconds after a deployment's event (or status) began.

    `rollback` says that the deployment which rolls back is meant, not the release itself.
    """

    at: str
    seconds: float
    do: str
    told: Mapping[str, Any]
    rollback: bool = False


@dataclass(frozen=True)
class Scenario:
    """A release that is known to go like this; `wanted` is how it ends, for the tests and for the reader."""

    name: str
    tells: str
    version: str
    environment: Mapping[str, str]
    parameters: Mapping[str, Any]  # dotted key -> value
    before: Mapping[str, Any]  # what is so before the release begins: minutes that pass, an alarm that is red
    happens: tuple[Happening, ...]
    wanted: Mapping[str, Any]


def names() -> list[str]:
    """The scenarios that come along."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def load(name: str) -> Scenario:
    """A scenario by its name or the path of its file; raises BadInput for what it cannot be."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else _folder() / f"{name}.yaml"
    if not path.is_file():
        remedy = did_you_mean(name, names(), otherwise="see params/scenarios/")
        raise BadInput(where="scenario", seen=name, wanted="a scenario, or its file", next_step=remedy)
    return read(path)


def read(path: Path) -> Scenario:
    """The scenario of a file."""
    told = dict(yamlfile.read(path).value)
    known = {one.name for one in fields(Scenario)} - {"name"}
    strange = next((key for key in told if key not in known), None)
    if strange is not None or "tells" not in told:
        seen = f"the key {strange}" if strange else "no key tells"
        raise _bad(
            path, seen, f"keys {', '.join(sorted(known))}", did_you_mean(strange or "", sorted(known), otherwise="")
        )
    for key in told.get("parameters", {}):
        params.field(key)
    return Scenario(
        name=path.stem,
        tells=told["tells"],
        version=str(told.get("version", "2.1.0")),
        environment={key: str(value) for key, value in told.get("environment", {}).items()},
        parameters=told.get("parameters", {}),
        before=told.get("before", {}),
        happens=tuple(_happening(path, one) for one in told.get("happens", ())),
        wanted=told.get("wanted", {}),
    )


def played(account: Account, system: System, scenario: Scenario) -> Account:
    """The same account on a clock on whose way the scenario happens; refused where it would hurt somebody."""
    if account.target != "sandbox":
        raise BadInput(
            where="scenario",
            seen=f"{scenario.name} on {account.target}",
            wanted="the sandbox: a scenario breaks things",
            next_step="leave the scenario out, or use target: sandbox",
        )
    clock = PlayedClock(account.clock, account, system, list(scenario.happens))

    def make_client(service: str) -> Any:
        client = account.make_client(service)
        if service in SHARED:
            client.meta.events.register("before-call.*.*", clock.answer)
        return client

    return replace(account, clock=clock, clients={}, make_client=make_client)


def prepare(account: Account, system: System, scenario: Scenario) -> None:
    """What is wrong before the release begins."""
    account.clock.sleep(60 * float(scenario.before.get("minutes", 0)))
    if "alarm" in scenario.before:
        clock = PlayedClock(account.clock, account, system, [])
        _alarm(clock, dict(scenario.before))
        account.clock.sleep(ALARMED)


@dataclass
class PlayedClock:
    """A clock that waits in small steps, and between them lets happen what is due."""

    clock: Clock
    account: Account
    system: System
    due: list[Happening]
    ahead: timedelta = timedelta(0)  # how wrong the clock of the runner is
    throttled_until: datetime | None = None
    outside: dict[str, Any] = field(default_factory=dict)  # the clients of those who do it

    def now(self) -> datetime:
        return self.clock.now() + self.ahead

    def idle(self) -> bool:
        return self.clock.idle() and not self.due

    def sleep(self, seconds: float) -> None:
        end = self.clock.now() + timedelta(seconds=seconds)
        while (left := (end - self.clock.now()).total_seconds()) > 0:
            self.clock.sleep(min(STEP if self.due else left, left))
            self._play()

    def answer(self, **_: Any) -> tuple[Any, dict[str, Any]] | None:
        """What the runner is answered while the account's calls are used up; None: what AWS answers."""
        if self.throttled_until is None or self.clock.now() >= self.throttled_until:
            return None
        error = {"Code": "ThrottlingException", "Message": "Rate exceeded"}
        return SimpleNamespace(status_code=400), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}

    def client(self, service: str) -> Any:
        """A client of somebody else: it is not counted, and not throttled with the runner."""
        if service not in self.outside:
            self.outside[service] = self.account.make_client(service)
        return self.outside[service]

    def _play(self) -> None:
        for one in list(self.due):
            if self._is_due(one):
                self.due.remove(one)
                DOINGS[one.do](self, dict(one.told))

    def _is_due(self, one: Happening) -> bool:
        began = self._began(one)
        return began is not None and self.clock.now() >= began + timedelta(seconds=one.seconds)

    def _began(self, one: Happening) -> datetime | None:
        """When the event began for which something waits, None while it has not."""
        found = self.deployment(rollback=one.rollback)
        if found is None:
            return None
        client, target = self.client("codedeploy"), f"{self.system.cluster}:{self.system.service}"
        if one.at == "Created":
            began: datetime = found["createTime"]
            return began
        try:
            told = client.batch_get_deployment_targets(deploymentId=found["deploymentId"], targetIds=[target])
        except client.exceptions.DeploymentNotStartedException:
            return None
        events = told["deploymentTargets"][0]["ecsTarget"]["lifecycleEvents"]
        return next((event.get("startTime") for event in events if event["lifecycleEventName"] == one.at), None)

    def deployment(self, *, rollback: bool = False) -> dict[str, Any] | None:
        """The deployment that is under way: the release, or the one that rolls it back."""
        client = self.client("codedeploy")
        ids = client.list_deployments(
            applicationName=self.system.deploy_application,
            deploymentGroupName=self.system.deploy_group,
            includeOnlyStatuses=["Created", "Queued", "InProgress", "Baking", "Ready"],
        )["deployments"]
        infos = client.batch_get_deployments(deploymentIds=ids)["deploymentsInfo"] if ids else []
        found: dict[str, Any] | None = next(
            (one for one in infos if (one["creator"] == "codeDeployRollback") is rollback), None
        )
        return found


def _stop(clock: PlayedClock, told: dict[str, Any]) -> None:
    """An operator stops the deployment, with rollback unless told otherwise."""
    found = clock.deployment(rollback=bool(told.get("of_rollback")))
    if found is not None:
        clock.client("codedeploy").stop_deployment(
            deploymentId=found["deploymentId"], autoRollbackEnabled=bool(told.get("rollback", True))
        )


def _alarm(clock: PlayedClock, told: dict[str, Any]) -> None:
    """Somebody sets the limit of an alarm to nothing: it goes off, for a reason that is no fault of the release."""
    name = {"errors": clock.system.alarms[0], "latency": clock.system.alarms[1]}[told["alarm"]]
    client = clock.client("cloudwatch")
    found = client.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    kept = ("AlarmName", "Metrics", "EvaluationPeriods", "DatapointsToAlarm", "ComparisonOperator", "TreatMissingData")
    client.put_metric_alarm(**{key: found[key] for key in kept}, Threshold=0.0)


def _scale(clock: PlayedClock, told: dict[str, Any]) -> None:
    """Somebody changes the service's desired count."""
    clock.client("ecs").update_service(
        cluster=clock.system.cluster, service=clock.system.service, desiredCount=int(told["to"])
    )


def _delete_image(clock: PlayedClock, told: dict[str, Any]) -> None:
    """A lifecycle policy or a person deletes the newest image."""
    del told
    client, name = clock.client("ecr"), clock.system.registry
    images = client.describe_images(repositoryName=name)["imageDetails"]
    newest = max(images, key=lambda one: one["imagePushedAt"])
    client.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": newest["imageDigest"]}])


def _throttle(clock: PlayedClock, told: dict[str, Any]) -> None:
    """Somebody else in the account uses its calls up."""
    clock.throttled_until = clock.clock.now() + timedelta(minutes=float(told["minutes"]))


def _skew(clock: PlayedClock, told: dict[str, Any]) -> None:
    """The runner's clock is wrong by so many minutes."""
    clock.ahead = timedelta(minutes=float(told["minutes"]))


def _mute_hook(clock: PlayedClock, told: dict[str, Any]) -> None:
    """Somebody deploys a hook that does not report what it found."""
    del told
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as zipped:
        zipped.writestr(hook.PROGRAM.name, "def handler(event, context):\n    return None\n")
    client = clock.client("lambda")
    client.update_function_code(FunctionName=hook.name(clock.system), ZipFile=content.getvalue())


class Killed(BaseException):
    """The runner dies; nothing of its own may stop this."""


def _kill(clock: PlayedClock, told: dict[str, Any]) -> None:
    """The runner loses its power."""
    raise Killed


DOINGS: dict[str, Callable[[PlayedClock, dict[str, Any]], None]] = {
    "stop": _stop,
    "alarm": _alarm,
    "scale": _scale,
    "delete_image": _delete_image,
    "mute_hook": _mute_hook,
    "throttle": _throttle,
    "skew": _skew,
    "kill": _kill,
}


def _happening(path: Path, told: Any) -> Happening:
    given = dict(told) if isinstance(told, dict) else {}
    do = given.pop("do", None)
    if do not in DOINGS or "at" not in given:
        seen = f"{told}"
        remedy = did_you_mean(str(do), list(DOINGS), otherwise="name one of them under do, and an event under at")
        raise _bad(path, seen, f"at, seconds and do ({', '.join(DOINGS)})", remedy)
    at, seconds = str(given.pop("at")), float(given.pop("seconds", 0))
    return Happening(at, seconds, str(do), given, bool(given.get("of_rollback")))


def _folder() -> Path:
    return params.find("sandbox").parent / FOLDER


def _bad(path: Path, seen: str, wanted: str, next_step: str) -> BadInput:
    return BadInput(
        where=path.name, seen=seen, wanted=wanted, next_step=next_step or "see params/scenarios/healthy.yaml"
    )
