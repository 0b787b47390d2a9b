"""A release from its first cell to its last, in a world of its own, with whatever is to happen on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runbook_lib import begin, lease, params, sandbox, scaling
from runbook_lib.errors import RunbookError
from runbook_lib.handle import Handle
from runbook_lib.journal import Entry, Journal
from runbook_lib.runbook import Runbook
from runbook_lib.sandbox import disturbance
from runbook_lib.story import forecasting, release
from runbook_lib.story.follow import Followed

PARAMS = str(Path(__file__).parents[2] / "params" / "sandbox.yaml")


@dataclass
class Released:
    """What came of a release: the run, its deployment, and the error that ended it (None: it ended well)."""

    run: Runbook
    started: Handle | None
    followed: Followed | None
    error: RunbookError | None

    @property
    def exit_code(self) -> int:
        return self.error.exit_code if self.error else 0

    def entries(self, kind: str) -> list[Entry]:
        return list(self.run.journal.of(kind))

    def steps(self) -> list[str]:
        """The ids of the steps that were done."""
        return [entry.fields["id"] for entry in self.entries("step") if entry.fields["done"]]

    def decisions(self) -> list[str]:
        """Rule and action of each decision."""
        return [f"{entry.fields['rule']}: {entry.fields['action']}" for entry in self.entries("decision")]


def opened(name: str = "30_release", **settings: Any) -> Runbook:
    """A run in a world that is ready for a release; settings are those of `release` and may change per test."""
    run = begin(name, PARAMS, {}, world="bluegreen")
    own = run.params.model_copy(update={"release": run.params.release.model_copy(update=settings)})
    return _with(run, replace(run.system, params=own))


def with_parameters(run: Runbook, parameters: Mapping[str, Any]) -> Runbook:
    """The same run with dotted parameters on top; those of the sandbox change the world as it is."""
    chosen = params.load(PARAMS, dict(parameters))
    settings = world().settings
    changed = {"requests_per_second": chosen.sandbox.requests_per_second}
    told = tuple(disturbance.read(one.model_dump()) for one in chosen.sandbox.disturbances)
    world().settings = settings.with_(**changed, disturbances=told)
    own = run.params.model_copy(update={"release": chosen.release, "objective": chosen.objective})
    return _with(run, replace(run.system, params=own))


def resumed(run: Runbook, account: Any) -> Runbook:
    """A run in the same world, with a journal of its own: what a second start of the notebook is."""
    journal = Journal(account.clock)
    keeper = lease.Keeper(account, run.system, journal)
    return replace(run, account=account, journal=journal, keeper=keeper)


def _with(run: Runbook, target: Any) -> Runbook:
    run.keeper.system = target
    return replace(run, params=target.params, system=target)


def world() -> Any:
    """The world in this process."""
    assert sandbox._embedded is not None
    return sandbox._embedded.world


def scaled(run: Runbook, **suspended: bool) -> Runbook:
    """The service gets a scalable target between 1 and 6 tasks."""
    iam, role = run.account.client("iam"), "ecs.application-autoscaling.amazonaws.com"
    iam.create_service_linked_role(AWSServiceName=role)
    run.account.clock.sleep(60)
    run.account.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=scaling.resource(run.system),
        ScalableDimension=scaling.DIMENSION,
        MinCapacity=1,
        MaxCapacity=6,
        SuspendedState={**dict.fromkeys(scaling.SUSPENDED, False), **suspended},
    )
    return run


def start(run: Runbook, version: str = "2.0.0", environment: Mapping[str, str] | None = None) -> Handle:
    """From the first question to the deployment."""
    told = dict(environment or {})
    safe = run.check(release.check_safe, version, told)
    run.gate("The release can be judged", run.check(forecasting.check_forecast, run.read(forecasting.read_outlook)))
    run.gate("Release", safe)
    applied = run.apply(run.plan(release.plan_release, version, told))
    started: Handle = run.wait(release.wait_for_deployment, run.wait(release.wait_for_run, applied))
    return started


def finish(run: Runbook, started: Handle, before: release.Live) -> Released:
    """From the deployment to the ending."""
    followed = run.follow(started)
    run.check(release.judge, started)
    run.apply(run.plan(release.plan_after, started))
    run.end()
    try:
        run.decide(release.decide, started, before, followed)
    except RunbookError as error:
        return Released(run, started, followed, error)
    return Released(run, started, followed, None)
