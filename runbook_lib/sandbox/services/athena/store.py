"""What Athena keeps: its catalogue, and every query that was started."""

from __future__ import annotations

from dataclasses import dataclass, field

DEFAULT = "default"
CATALOG = "AwsDataCatalog"


@dataclass(frozen=True)
class Table:
    """An external table: columns and partitions as (name, type), and where its objects lie (s3://...)."""

    database: str
    name: str
    columns: tuple[tuple[str, str], ...]
    partitions: tuple[tuple[str, str], ...]
    location: str
    separator: str  # of fields; "" when a pattern takes the lines apart
    pattern: str
    properties: dict[str, str]


@dataclass
class Execution:
    """A query: what was asked, where its result goes, and what came of it; times are epoch seconds."""

    id: str
    query: str
    kind: str  # DDL, DML or UTILITY
    database: str
    catalog: str
    group: str
    output: str  # s3://bucket/key of the result
    cutoff: int | None  # bytes that may be scanned
    submitted: float
    state: str = "QUEUED"
    reason: str = ""
    category: int = 0  # of an error: 1 system, 2 user, 3 other (API reference, AthenaError)
    completed: float | None = None
    scanned: int = 0
    columns: tuple[tuple[str, str], ...] = ()  # name, type

    @property
    def ended(self) -> bool:
        return self.state in ("SUCCEEDED", "FAILED", "CANCELLED")


@dataclass
class AthenaStore:
    """Tables by database and name; executions by id, and by the token of the request that started them."""

    databases: dict[str, dict[str, Table]] = field(default_factory=lambda: {DEFAULT: {}})
    executions: dict[str, Execution] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)


class QueryFailed(Exception):
    """A query ends without a result: its state, what AWS says of it, and whose fault it is."""

    def __init__(self, reason: str, *, state: str = "FAILED", category: int = 2) -> None:
        super().__init__(reason)
        self.reason, self.state, self.category = reason, state, category
