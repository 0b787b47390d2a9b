"""Each notebook's doing without its reading: what brings a sandbox from one state to the next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time

from runbook_lib import lease, pipeline, repository
from runbook_lib.account import Account
from runbook_lib.handle import Handle
from runbook_lib.journal import Journal
from runbook_lib.step import Applied, Plan, apply
from runbook_lib.story import delivery, follow, sources, watch
from runbook_lib.story import move as moving
from runbook_lib.story import provision as provisioning
from runbook_lib.story import release as releasing
from runbook_lib.system import System

VERSION, BAD_VERSION = "2.0.0", "3.0.0"
BAD = time(13, 59, 30)  # when the bad version is pushed: its traffic moves two and a half minutes later
LATER = 20 * 60  # seconds after it: its minutes are closed, and CloudTrail has caught up


def nothing(account: Account, system: System, journal: Journal) -> None:
    """nothing"""
    del account, system, journal


def provision(account: Account, system: System, journal: Journal) -> None:
    """10_provision"""
    do(provisioning.plan_foundation(account, system), account, journal)
    image = provisioning.first_image(account, system)
    do(provisioning.plan_service(account, system, image), account, journal)
    do(provisioning.plan_delivery(account, system), account, journal)
    provisioning.check_rolling_world(account, system).require()


def move(account: Account, system: System, journal: Journal) -> None:
    """15_move_service"""
    moving.check_ready(account, system).require()
    do(moving.plan_freeze(account, system), account, journal)
    do(moving.plan_second_service(account, system), account, journal)
    for percent in moving.SHIFT:
        do(moving.plan_shift(account, system, percent), account, journal)
        account.clock.sleep(60)
    do(moving.plan_cut(account, system), account, journal)
    do(moving.plan_codedeploy(account, system), account, journal)
    moving.check_moved(account, system).require()


def draft(account: Account, system: System, journal: Journal) -> None:
    """20_source_files"""
    do(sources.plan_files(account, system), account, journal)


def has_draft(account: Account, system: System) -> bool:
    """Whether taskdef.json and appspec.yaml are on the draft branch."""
    found = repository.read_repository(account, system, (sources.TASKDEF, sources.APPSPEC), branch=sources.DRAFT)
    return len(found.files) == 2


def has_files(account: Account, system: System) -> bool:
    """Whether taskdef.json and appspec.yaml are on the pipeline's branch."""
    found = repository.read_repository(account, system, (sources.TASKDEF, sources.APPSPEC))
    return len(found.files) == 2


def files(account: Account, system: System, journal: Journal) -> None:
    """21_buildspec"""
    do(sources.plan_buildspec(account, system), account, journal)
    do(sources.plan_publish(account, system), account, journal)
    sources.wait_for_build(account, system)


def pipeline_edit(account: Account, system: System, journal: Journal) -> None:
    """22_pipeline"""
    delivery.check_ready(account, system).require()
    do(delivery.plan_edit(account, system), account, journal)
    do(delivery.plan_unfreeze(account, system), account, journal)
    done = do(delivery.plan_test_release(account, system), account, journal)
    if delivery.TEST in done.answers:
        finish(account, system, done.answers[delivery.TEST][pipeline.EXECUTION], journal)


def release(account: Account, system: System, journal: Journal) -> None:
    """30_release, told to end the termination wait"""
    release_of(account, system, journal, VERSION, {})
    account.clock.sleep((watch.AFTER + watch.LAG).total_seconds())  # until the minutes after it can be read


def release_of(
    account: Account, system: System, journal: Journal, version: str, environment: Mapping[str, str]
) -> None:
    """A version that is released and takes all the traffic."""
    done = do(releasing.plan_release(account, system, version, environment), account, journal)
    keeper = lease.Keeper(account, system, journal)
    keeper.taken(done)
    finish(account, system, releasing.wait_for_run(account, system, done).id, journal)
    keeper.give_back()


def incident(account: Account, system: System, journal: Journal) -> None:
    """30_release of a version that fails: its traffic moves at 14:02"""
    until(account, BAD)
    attempt(account, system, journal, BAD_VERSION, {"APP_ERROR_RATE": "0.3"})
    account.clock.sleep(LATER)


def attempt(account: Account, system: System, journal: Journal, version: str, environment: Mapping[str, str]) -> None:
    """A version that is released, and that its alarms may take back."""
    done = do(releasing.plan_release(account, system, version, environment), account, journal)
    keeper = lease.Keeper(account, system, journal)
    keeper.taken(done)
    run = releasing.wait_for_run(account, system, done)
    started = releasing.wait_for_deployment(account, system, Handle(run.id, run.id))
    follow.deployment(account, system, started.id, journal=journal, until=lambda seen: seen.deployment.shifted)
    do(releasing.plan_after(account, system, started, end_wait=False), account, journal)
    keeper.give_back()


def until(account: Account, moment: time) -> None:
    """Let the world's time go on until a time of the day, UTC; what is over is not waited for."""
    now = account.clock.now()
    then = now.replace(hour=moment.hour, minute=moment.minute, second=moment.second, microsecond=0)
    account.clock.sleep(max(0.0, (then - now).total_seconds()))


def finish(account: Account, system: System, execution: str, journal: Journal) -> None:
    """Follow a run to its deployment, let the traffic move, end the termination wait."""
    started = releasing.wait_for_deployment(account, system, Handle(execution, execution))
    follow.deployment(account, system, started.id, journal=journal, until=lambda seen: seen.deployment.shifted)
    releasing.judge(account, system, started).require()
    do(releasing.plan_finish(account, system, started), account, journal)
    follow.ended(account, system, started.id)


def do(plan: Plan, account: Account, journal: Journal) -> Applied:
    """Apply a plan."""
    return apply(plan, account=account, journal=journal)
