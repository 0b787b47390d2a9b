"""What a query will read and cost: Athena bills the bytes of the objects that it reads (pricing: 10 MB at least)."""

from __future__ import annotations

from dataclasses import dataclass

from runbook_lib.accesslog.bucket import BucketLogs
from runbook_lib.accesslog.window import Window
from runbook_lib.sections import Prices

LEAST = 10_000_000  # bytes that a query is billed at least, and the least cut-off of a work group


@dataclass(frozen=True)
class Estimate:
    """What a question will read: files, bytes, and USD by the prices of a day.

    `usd` is for one query; a second one of the same size is asked only when lines were rejected, to show them.
    """

    files: int
    bytes: int
    usd: float
    as_of: str

    def __str__(self) -> str:
        money = f"{self.usd:.5f} USD a query by the prices of {self.as_of}"
        return f"{self.files:,} files, {self.bytes / 1e9:.3f} GB, {money} (at most twice)"


def estimate(logs: BucketLogs, window: Window, prices: Prices) -> Estimate:
    """The sizes of all objects in the folders of the window's days, and what reading them costs."""
    found = logs.of_days(window)
    size = sum(file.size for file in found)
    return Estimate(len(found), size, usd(size, prices), prices.as_of)


def usd(size: int, prices: Prices) -> float:
    """What a query that reads so many bytes is billed."""
    return max(size, LEAST) / 1e12 * prices.athena_terabyte
