"""Who counts the access log of a look back: this process, a dask cluster, or Athena by plan, gate and cap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runbook_lib import balancer
from runbook_lib.accesslog import Engine, NoAccessLog, athena, logs_of
from runbook_lib.accesslog.athena import Athena, AthenaTable, Estimate
from runbook_lib.accesslog.bucket import BucketLogs
from runbook_lib.accesslog.dask import Dask
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.check import Checks, ask, checks, skip
from runbook_lib.errors import BadInput
from runbook_lib.incident import look
from runbook_lib.incident.told import refusal
from runbook_lib.journal import Journal
from runbook_lib.step import Plan, Step
from runbook_lib.system import System

GIGABYTE = 10**9
FOLDER = "access-log-queries"  # of the artifacts bucket, for what Athena answers
QUESTIONS = 2  # that a look asks: the histogram, and who was hurt
TITLE = "Count the access log with Athena"
FITS = "Do the folders of the window's days fit into what a query may read?"


@dataclass(frozen=True)
class Asked:
    """A table that is to be made, over which log, and what a query of the window's days reads and costs."""

    table: AthenaTable
    logs: BucketLogs
    expected: Estimate


@dataclass(frozen=True)
class Counting:
    """Who counts: Athena where something is `asked` of it, a cluster where a `scheduler` is named, else this process.

    `said` tells why it is not Athena, or what it will read and cost.
    """

    said: str
    scheduler: str = ""
    asked: Asked | None = None

    def engine(self, account: Account, journals: Sequence[Journal]) -> Engine | None:
        """The engine, None for this process; Athena's queries are written into the last journal."""
        if self.asked is not None:
            # What was agreed to at the gate is the cap: files that come meanwhile are within it, or refused.
            agreed = replace(self.asked.expected, bytes=self.asked.table.most_bytes)
            return Athena(account, journals[-1] if journals else Journal(account.clock), self.asked.table, agreed)
        return Dask(self.scheduler) if self.scheduler else None


HERE = Counting("This process counts the access log.")


def choose(
    account: Account,
    system: System,
    chosen: Window,
    *,
    scheduler: str = "",
    athena_gigabytes: float = 0.0,
    saved: str = "",
) -> Counting:
    """Who counts the log of a window; `athena_gigabytes` is what a query of Athena may read at most, 0: not Athena.

    Raises BadInput for two engines at once, and for a cap below what Athena bills anyway.
    """
    if not athena_gigabytes:
        return replace(HERE, said="A dask cluster counts it.", scheduler=scheduler) if scheduler else HERE
    if scheduler:
        raise BadInput(
            where="who counts the access log",
            seen=f"scheduler {scheduler} and athena_gigabytes {athena_gigabytes:g}",
            wanted="one of them",
            next_step="leave one of the parameters empty",
        )
    table = table_of(system, athena_gigabytes)
    if saved or look.expired(account, chosen):
        return Counting("Nothing is counted: an earlier look is read again.")
    arn = balancer.read_balancer(account, system).arn
    if arn is None:
        return Counting(f"Nothing can be counted: there is no load balancer {system.balancer}.")
    from botocore.exceptions import ClientError

    try:
        logs = logs_of(account, arn)
        expected = athena.estimate(logs, chosen, system.params.prices)
    except NoAccessLog as error:
        return Counting(f"Nothing can be counted: {error.seen}; {error.next_step}.")
    except ClientError as error:
        return Counting(f"Nothing can be counted: {refusal(error)}.")
    most = athena.usd(table.most_bytes, system.params.prices)
    said = (
        f"The folders of its days hold {expected}. A look asks {QUESTIONS} questions; the work group ends a query "
        f"that would read more than {athena_gigabytes:g} GB ({most:.5f} USD). The answers, which name clients and "
        f"paths as the log does, stay under {table.results} until 90_tear_down."
    )
    return Counting(said, asked=Asked(table, logs, expected))


def table_of(system: System, gigabytes: float) -> AthenaTable:
    """Work group, database and folder of a system's access log, with the cap of a query."""
    return AthenaTable(
        work_group=f"{system.name}-access-log",
        database=f"{system.name}_access_log".replace("-", "_").lower(),
        results=f"s3://{system.artifacts_bucket}/{FOLDER}/",
        most_bytes=round(gigabytes * GIGABYTE),
    )


def plan_table(account: Account, system: System, how: Counting) -> Plan:
    """Make the work group, database and table that Athena needs; nothing where something else counts."""
    if how.asked is None:
        return Plan(TITLE, system.name, (), notes=(how.said,))
    plan = athena.plan_table(account, how.asked.logs, how.asked.table, world=system.name)
    # What a killed run has left is asked again, and paid for again: the gate in front of it must not stand open.
    steps = plan.steps if plan.needed else tuple(map(_agreed_anew, plan.steps))
    return replace(plan, title=TITLE, steps=steps, notes=(how.said,))


def check_cap(account: Account, system: System, how: Counting) -> Checks:
    """Does a query stay below its cap?  Known before anything is made or asked."""
    del account, system
    if how.asked is None:
        return checks("What Athena would read", (skip(FITS, "Athena is not asked"),))
    expected, most = how.asked.expected, how.asked.table.most_bytes
    answer = ask(
        FITS,
        expected.bytes <= most,
        seen=f"{expected.bytes / GIGABYTE:.6f} GB",
        wanted=f"at most {most / GIGABYTE:g} GB",
        remedy="narrow the window, or agree to more with athena_gigabytes",
    )
    return checks("What Athena would read", (answer,))


def plan_drop(account: Account, system: System, how: Counting) -> Plan:
    """Take away what was made for Athena; nothing where something else counted."""
    if how.asked is None:
        return Plan("Take Athena's table away", system.name, ())
    return athena.plan_drop(account, how.asked.table, world=system.name)


def _agreed_anew(step: Step) -> Step:
    if step.id != "athena.cutoff":
        return step
    return replace(step, present=None, reason="what an earlier run made is asked again, and paid for again")
