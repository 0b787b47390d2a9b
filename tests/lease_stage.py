"""A world with nothing but the bucket that keeps the lease, and runs that want it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

from runbook_lib import application, lease, system
from runbook_lib.account import Account, open_account
from runbook_lib.journal import Journal
from runbook_lib.params import Params
from runbook_lib.runbook import SAMPLE
from runbook_lib.sandbox import Sandbox
from runbook_lib.step import Applied, Plan, Step, apply

WHO = "arn:aws:iam::123456789012:user/"
LIVES, DEAD = 1, 2**22 + 1  # the first process of a machine, and a number above the kernel's limit


@dataclass(frozen=True)
class Run:
    """One run: its holder, its account, and what it keeps."""

    holder: lease.Holder
    account: Account
    system: system.System
    keeper: lease.Keeper

    def plan(self) -> Step:
        return lease.plan_take(self.account, self.system, by=self.holder)

    def apply(self, step: Step) -> Applied:
        plan = Plan("Take", self.system.name, (step,))
        applied = apply(plan, account=self.account, journal=self.keeper.journal)
        self.keeper.taken(applied)
        return applied

    def take(self) -> lease.Lease:
        self.apply(self.plan())
        return self.found

    @property
    def found(self) -> lease.Lease:
        found = lease.read_lease(self.account, self.system)
        assert found is not None
        return found


def opened(world: Any) -> Account:
    """The account of a world in this process."""
    return Account(
        target="sandbox",
        id="123456789012",
        region="us-east-1",
        partition="aws",
        who=f"{WHO}ada",
        clock=world.clock,
        place="embedded",
        shared=False,
        make_client=world.client,
    )


def run(sandbox: Sandbox, who: str, *, process: int = LIVES, place: str = "host-1") -> Run:
    """Somebody's run at a world whose bucket is there."""
    account = replace(opened(sandbox), who=WHO + who)
    target = system.resolve(Params(), application.read(SAMPLE), account)
    make_bucket(account, target)
    keeper = lease.Keeper(account, target, Journal(account.clock))
    return Run(lease.Holder(account.who, place, place, process, f"run-of-{who}"), account, target, keeper)


def make_bucket(account: Account, target: system.System) -> None:
    """As 10_provision makes it: with versions."""
    s3, name = account.client("s3"), target.artifacts_bucket
    if name not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=name)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def hold(params_file: str) -> None:
    """Take the lease of a served world in a process of its own, say so, and live until the input ends."""
    from runbook_lib import params

    chosen = params.load(params_file)
    account = open_account(chosen)
    target = system.resolve(chosen, application.read(SAMPLE), account)
    make_bucket(account, target)
    plan = Plan("Take", target.name, (lease.plan_take(account, target),))
    apply(plan, account=account, journal=Journal(account.clock))
    print("taken", flush=True)  # noqa: T201 - the test waits for it
    sys.stdin.read()


if __name__ == "__main__":
    hold(sys.argv[1])
