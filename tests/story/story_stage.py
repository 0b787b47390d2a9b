"""A release from its first cell to its last, in a world of its own, with whatever is to happen on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from runbook_lib import begin, sandbox, scaling
from runbook_lib.errors import RunbookError
from runbook_lib.handle import Handle
from runbook_lib.journal import Entry
from runbook_lib.runbook import Runbook
from runbook_lib.story import release
from runbook_lib.story.follow import Followed

PARAMS = str(Path(__file__).parents[2] / "params" / "sandbox.yaml")


@dataclass
class Disturbing:
    """A clock on whose way things happen that others do: each once, at the first moment that it is asked for."""

    clock: Any
    planned: list[tuple[Callable[[], bool], Callable[[], None]]] = field(default_factory=list)
    step: float = 5.0

    def now(self) -> datetime:
        now: datetime = self.clock.now()
        return now

    def idle(self) -> bool:
        return bool(self.clock.idle()) and not self.planned

    def sleep(self, seconds: float) -> None:
        """Wait in small steps, and look between them whether something is due."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while (left := (end - self.clock.now()).total_seconds()) > 0:
            self.clock.sleep(min(self.step, left))
            for entry in list(self.planned):
                due, happen = entry
                if due():
                    self.planned.remove(entry)
                    happen()


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
    target = replace(run.system, params=own)
    run.keeper.system = target
    return replace(run, params=own, system=target)


def disturbed(run: Runbook) -> tuple[Runbook, Disturbing]:
    """The same run on a clock on which things can happen."""
    clock = Disturbing(run.account.clock)
    account = replace(run.account, clock=clock)
    return replace(run, account=account), clock


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
    run.gate("Release", run.check(release.check_safe, version, told))
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
