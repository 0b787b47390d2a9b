"""What following costs: calls a minute while something changes and over an hour's bake, beside the AWS CLI.

Both sides release in one served world, the same service with the same traffic configuration.  Calls are counted at the
client, where botocore is about to send them (its event before-send), renewals of the lease included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from runbook_lib import begin, deployment, service
from runbook_lib.journal import Journal
from runbook_lib.runbook import Runbook
from runbook_lib.runs.world import arguments_for, served_world
from runbook_lib.story import control, follow, release
from tests.benchmarks.harness import ROOT, Measure

WAIT = 90  # minutes that the former tasks are kept
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SETTINGS = {"release.termination_wait_minutes": WAIT, "release.watch_minutes": 0}
COUNTING = Path(__file__).parent / "counting"


@dataclass
class Calls:
    """What was sent, and when by the world's clock."""

    sent: list[tuple[datetime, str]] = field(default_factory=list)

    def per_minute(self, since: datetime, until: datetime) -> float:
        """The average between two times."""
        return sum(since <= at < until for at, _ in self.sent) / ((until - since) / MINUTE)

    def worst_minute(self, since: datetime, until: datetime) -> int:
        """The most in any sixty seconds that begin with a call."""
        times = [at for at, _ in self.sent if since <= at < until]
        return max(sum(first <= at < first + MINUTE for at in times) for first in times)

    def kinds(self, since: datetime, until: datetime) -> str:
        """How many of which operation, the most frequent first."""
        counted = Counter(name for at, name in self.sent if since <= at < until)
        return ", ".join(f"{many} {name}" for name, many in counted.most_common(4))


def measure() -> list[Measure]:
    """Ours in phases of change and in an hour's bake, and what the AWS CLI sends in the same phases."""
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder)) as environment:
        run = begin("benchmark", "sandbox", SETTINGS, world="bluegreen")
        ours, times = _ours(run)
        theirs, minutes = _theirs(run, Path(folder), environment)
    began, shifted, ended = times
    change, bake = ours.per_minute(began, shifted), ours.per_minute(shifted, ended)
    cli = f"aws ecs deploy: {theirs / minutes:.2f} a minute over {minutes:.0f} min, of the status alone"
    return [
        Measure("change_calls_per_minute", change, 4.0, "calls", f"{ours.kinds(began, shifted)}; {cli}"),
        Measure(
            "change_worst_minute", ours.worst_minute(began, shifted), 5, "calls", "a renewal of the lease on top of 4"
        ),
        Measure("bake_calls_per_minute", bake, 1.0, "calls", f"{ours.kinds(shifted, ended)}; {cli}"),
    ]


@contextmanager
def _served(folder: Path) -> Iterator[dict[str, str]]:
    settings = [f"{key}={value}" for key, value in SETTINGS.items()]
    with served_world(arguments_for("sandbox", settings), log=folder / "sandbox.log") as environment:
        os.environ.update(environment)
        try:
            yield environment
        finally:
            for name in environment:
                os.environ.pop(name, None)


def _ours(run: Runbook) -> tuple[Calls, tuple[datetime, datetime, datetime]]:
    """A release by the notebook's own steps, followed through its shift and for an hour after it."""
    applied = run.apply(run.plan(release.plan_release, "2.0.0", {}))
    started = run.wait(release.wait_for_deployment, run.wait(release.wait_for_run, applied))
    calls = Calls()
    counted = replace(run, account=replace(run.account, clients={}, make_client=_counting(run, calls)))
    counted.keeper.account = counted.account
    began = run.account.clock.now()
    counted.follow(started)
    shifted = run.account.clock.now()
    follow.deployment(
        counted.account,
        run.system,
        started.id,
        journal=Journal(run.account.clock),
        until=lambda seen: seen.at >= shifted + HOUR,
        control=control.Controller(counted.account, run.system, run.journal),
    )
    ended = run.account.clock.now()
    run.apply(run.plan(release.plan_finish, started))
    run.end()
    return calls, (began, shifted, ended)


def _counting(run: Runbook, calls: Calls) -> Any:
    def make(service: str) -> Any:
        client = run.account.make_client(service)

        def note(**more: Any) -> None:
            calls.sent.append((run.account.clock.now(), more["event_name"].rpartition(".")[2]))

        client.meta.events.register_first("before-send.*.*", note)
        return client

    return make


def _theirs(run: Runbook, folder: Path, environment: dict[str, str]) -> tuple[int, float]:
    """Calls of `aws ecs deploy` and the minutes that it took; it waits for the same shift and wait, status alone."""
    system = run.system
    found = service.read_service(run.account, system, system.service)
    assert found is not None
    assert found.primary is not None
    definition = service.read_task_definition(run.account, found.primary.revision)["taskDefinition"]
    kept = (
        "family",
        "containerDefinitions",
        "cpu",
        "memory",
        "networkMode",
        "requiresCompatibilities",
        "executionRoleArn",
    )
    (folder / "taskdef.json").write_text(json.dumps({key: definition[key] for key in kept}), encoding="utf-8")
    spec = deployment._appspec(system, "<TASK_DEFINITION>")
    (folder / "appspec.json").write_text(json.dumps(spec), encoding="utf-8")
    names = ("--service", system.service, "--cluster", system.cluster)
    names += (
        "--codedeploy-application",
        system.deploy_application,
        "--codedeploy-deployment-group",
        system.deploy_group,
    )
    files = ("--task-definition", "taskdef.json", "--codedeploy-appspec", "appspec.json")
    since, url = run.account.clock.now(), environment["RUNBOOK_SANDBOX_URL"]
    paths = os.pathsep.join((str(COUNTING), str(ROOT / "tests" / "foreign" / "sleeping")))
    told = {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": system.region, "AWS_ACCESS_KEY_ID": "AKIAFOREIGNCLIENT"}
    told |= {"AWS_SECRET_ACCESS_KEY": "x", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    told |= {"PYTHONPATH": paths, "COUNTED": str(folder / "counted"), "AWS_PAGER": "", "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, str(COUNTING / "aws.py"), "ecs", "deploy", *names, *files],
        cwd=folder, env={**os.environ, **told}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    # It waits ten minutes longer than the group keeps blue, which a shift of nine minutes and a start use up.
    if done.returncode != 0 and "Max attempts exceeded" not in done.stderr:
        raise RuntimeError(f"aws ecs deploy ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    minutes = (run.account.clock.now() - since) / MINUTE
    return len((folder / "counted").read_text().splitlines()), minutes
