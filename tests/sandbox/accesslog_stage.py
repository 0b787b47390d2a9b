"""An account whose bucket holds the access log of a morning, and whether two answers of it are the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from runbook_lib.accesslog import BucketLogs, Damage, Histogram, Window
from runbook_lib.accesslog.athena import Athena, AthenaTable, Estimate, estimate, plan_table
from runbook_lib.account import Account
from runbook_lib.journal import Journal
from runbook_lib.sandbox import Sandbox, Settings
from runbook_lib.sections import Prices
from runbook_lib.step import apply
from tests.logs_made import ACCOUNT, ELB, REGION, START, Recipe, Truth

HOUR = Window(START, START + timedelta(hours=1))
MESSY = Recipe(seed=0, lines=1500, minutes=15, clients=200, bad=0.01, old=0.1, more=0.1)
BUCKET, WORLD = "orders-access", "orders"
TABLE = AthenaTable("orders-logs", "orders_logs", f"s3://{BUCKET}/queries/", 1_000_000_000)
PRICES = Prices(as_of="2026-02-01", athena_terabyte=6.5)
COLUMNS = ("minute", "group", "status", "answered", "ms", "n")


@dataclass
class Stage:
    """An account whose bucket holds a log; it is noon, the log is of the morning."""

    sandbox: Sandbox
    account: Account
    journal: Journal

    @property
    def logs(self) -> BucketLogs:
        return BucketLogs(self.account, BUCKET, balancer=ELB)

    def upload(self, truth: Truth, folder: Path) -> None:
        for path in truth.files:
            self.put(str(path.relative_to(folder)), path.read_bytes())

    def put(self, key: str, content: bytes) -> None:
        self.account.client("s3").put_object(Bucket=BUCKET, Key=key, Body=content)

    def athena(self, agreed: Estimate | None = None) -> Athena:
        apply(plan_table(self.account, self.logs, TABLE, world=WORLD), account=self.account, journal=self.journal)
        agreed = agreed or estimate(self.logs, HOUR, PRICES)
        return Athena(self.account, self.journal, TABLE, agreed)


@contextmanager
def fresh() -> Iterator[Stage]:
    """It is noon; the bucket is empty yet."""
    sandbox = Sandbox.new(Settings(account=ACCOUNT, region=REGION))
    account = Account("sandbox", ACCOUNT, REGION, "aws", "me", sandbox.clock, False, "test", sandbox.client)
    account.client("s3").create_bucket(Bucket=BUCKET)
    account.clock.sleep(3 * 3600)
    try:
        yield Stage(sandbox, account, Journal(account.clock))
    finally:
        sandbox.close()


def same(one: Histogram, other: Histogram) -> bool:
    """Whether two answers are equal in every number, and in what was rejected and shown."""
    equal = one.groups == other.groups and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS
    )
    return equal and told(one.coverage) == told(other.coverage)


def told(coverage: Any) -> tuple[Any, ...]:
    """What was read and what was not, whatever engine did it and in whatever order."""
    shown = {(reject.reason, reject.sample) for reject in coverage.rejects}
    return coverage.files, coverage.lines, coverage.counted, coverage.rejected, shown, coverage.gaps


def same_damage(one: Damage, other: Damage) -> bool:
    """Whether both tell the same by every dimension."""
    return all(one.by(name) == other.by(name) for name in ("path", "client", "status", "target", "node", "user_agent"))
