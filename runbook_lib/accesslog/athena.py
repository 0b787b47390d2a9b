"""Athena as an engine: the logs stay where they are, and what a query reads is known and capped before it runs.

Athena has no dry run; it bills the bytes of the objects that it reads, and a table with partition projection reads the
folders of the days that are asked for: of every load balancer that writes there.  So the sizes of those objects are
summed up first, and the work group cancels a query that would read more than was agreed to
(Athena user guide, workgroups-setting-control-limits; pricing: 10 MB a query at least).

The table has one column, the line, and a partition a day.  What is counted is the SQL of statements.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from runbook_lib import inventory
from runbook_lib.accesslog import statements
from runbook_lib.accesslog.bucket import BucketLogs
from runbook_lib.accesslog.counting import connect, quoted
from runbook_lib.accesslog.files import LogFile, LogSource, days, ends
from runbook_lib.accesslog.reading import Counted, Meter, Tell
from runbook_lib.accesslog.shelf import FileCount, Reject, Shelf
from runbook_lib.accesslog.statements import ATHENA, Question
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.errors import BadInput, RunbookError
from runbook_lib.inventory import Item
from runbook_lib.journal import Journal
from runbook_lib.planning import change, make
from runbook_lib.sections import Prices
from runbook_lib.step import Made, Plan, Step, Until, apply

LEAST = 10_000_000  # bytes that a query is billed at least, and the least cut-off of a work group
CATALOG, TABLE = "AwsDataCatalog", "lines"
LONGEST = timedelta(minutes=30)  # a query's time-out (Athena user guide, service-limits)
ATTEMPTS, SKEW = 3, timedelta(seconds=2)  # between our clock and Athena's
FIRST_DAY = "2015/01/01"  # of the projection; days without a folder cost nothing
GONE = "dropped by plan_drop or 90_tear_down; the logs stay"
NAMED = "_elasticloadbalancing_.*_[0-9]{8}T[0-9]{4}Z_"


class NoAnswer(RunbookError):
    """A query that ended without an answer.  Whoever can go on without one catches this and says that it is missing."""


@dataclass(frozen=True)
class AthenaTable:
    """Names: a work group and a database of our own, and the folder of the results (s3://bucket/folder/).

    `most_bytes` is what a single query may read.
    """

    work_group: str
    database: str
    results: str
    most_bytes: int

    def __post_init__(self) -> None:
        if self.most_bytes < LEAST:
            raise _wrong(f"most_bytes {self.most_bytes:,}", f"{LEAST:,} or more, which Athena bills anyway")
        if not self.results.startswith("s3://"):
            raise _wrong(f"results {self.results}", "a folder in S3, such as s3://bucket/queries/")
        if not self.database.replace("_", "").isalnum() or self.database != self.database.lower():
            raise _wrong(f"database {self.database}", "lower-case letters, digits and underscores")

    @property
    def place(self) -> str:
        """How the inventory names the database, which is dropped through its work group."""
        return f"{self.work_group}/{self.database}"


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


def plan_table(account: Account, logs: BucketLogs, table: AthenaTable, *, world: str) -> Plan:
    """The steps that make the work group, the database and the table over the folders of the log.

    `world` is the name under which the inventory keeps them, so that 90_tear_down finds them.
    """
    items = inventory.read_inventory(account, world)
    group, there = _group(account, table), _database(account, table)
    configuration = {
        "ResultConfiguration": {"OutputLocation": table.results},
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": False,
        "BytesScannedCutoffPerQuery": table.most_bytes,
    }
    cutoff = (group or {}).get("Configuration", {}).get("BytesScannedCutoffPerQuery", table.most_bytes)
    database = make(
        "athena.database",
        "Make a database",
        "athena:start_query_execution",
        {"QueryString": f"CREATE DATABASE IF NOT EXISTS `{table.database}`", "WorkGroup": table.work_group},
        made=Made("athena:database", table.place),
        found={} if there else None,
        items=items,
        until=_until("the database is there") if not there else None,
    )
    return Plan(
        "Read the access log with Athena",
        world,
        (
            make(
                "athena.work_group",
                f"Make a work group whose queries read at most {table.most_bytes / 1e9:g} GB",
                "athena:create_work_group",
                {"Name": table.work_group, "Configuration": configuration},
                made=Made("athena:work-group", table.work_group),
                found={} if group else None,
                items=items,
            ),
            change(
                "athena.cutoff",
                f"Let a query read at most {table.most_bytes / 1e9:g} GB",
                "athena:update_work_group",
                {
                    "WorkGroup": table.work_group,
                    "ConfigurationUpdates": {"BytesScannedCutoffPerQuery": table.most_bytes},
                },
                touches=table.work_group,
                needed=None if cutoff == table.most_bytes else f"it is {cutoff:,} bytes",
                undo="set it back",
            ),
            database,
            *_table_steps(account, logs, table),
        ),
    )


def _table_steps(account: Account, logs: BucketLogs, table: AthenaTable) -> list[Step]:
    """The table over this log; one over another log goes first."""
    over = _over(account, table)
    wanted = _template(logs)
    drop = statement(
        table.place,
        "Drop the table over another log",
        f"DROP TABLE IF EXISTS `{table.database}`.`{TABLE}`",
        table.work_group,
    )
    made = statement(table.place, "Make a table over the log", _ddl(logs, table), table.work_group)
    if over == wanted:
        return [replace(made, id="athena.table", present={}, reason="it is there already", until=None, undo=GONE)]
    first = [replace(drop, id="athena.table.drop", reason=f"it lies over {over}", undo=GONE)] if over else []
    return [*first, replace(made, id="athena.table", reason="not there yet", undo=GONE)]


def plan_drop(account: Account, table: AthenaTable, *, world: str) -> Plan:
    """The steps that drop the table with its database and the work group with its history; logs and results stay."""
    steps = []
    if _database(account, table):
        drop = f"DROP DATABASE IF EXISTS `{table.database}` CASCADE"
        step = statement(table.place, "Drop the database and its table", drop, table.work_group)
        item = Item("athena:database", table.place, None, "", "")
        steps.append(replace(step, id="athena.database.drop", reason="nothing more is asked", gone=item))
    if _group(account, table):
        arguments = {"WorkGroup": table.work_group, "RecursiveDeleteOption": True}
        step = change(
            "athena.work_group.delete",
            "Delete the work group",
            "athena:delete_work_group",
            arguments,
            touches=table.work_group,
            needed="nothing more is asked",
            undo="make it again",
        )
        steps.append(replace(step, gone=Item("athena:work-group", table.work_group, None, "", "")))
    return Plan("Take the table over the access log away", world, tuple(steps))


def statement(place: str, title: str, sql: str, work_group: str) -> Step:
    """A step that runs a statement and waits for its end."""
    return Step(
        id=f"athena.{sha256(sql.encode()).hexdigest()[:8]}",
        title=title,
        service="athena",
        action="start_query_execution",
        arguments={"QueryString": sql, "WorkGroup": work_group},
        touches=place,
        reason="",
        undo="",
        until=_until(title.lower()),
    )


def table_place(place: str) -> tuple[str, str]:
    """Work group and database of what the inventory calls work group/database."""
    group, _, database = place.partition("/")
    return group, database


@dataclass(frozen=True)
class Athena:
    """Counts where the logs lie, after the table was planned and applied (plan_table).

    `agreed` is the estimate that somebody has seen: a question that would read more is refused before it is asked.
    The same question over the same files is not run, nor paid for, again while the work group remembers it.
    """

    account: Account
    journal: Journal
    table: AthenaTable
    agreed: Estimate

    def count(
        self,
        question: Question,
        source: LogSource,
        files: tuple[LogFile, ...],
        window: Window,
        shelf: Shelf,
        tell: Tell | None,
    ) -> Counted:
        if not isinstance(source, BucketLogs):
            raise _wrong(f"a log in {source.place}", "one in S3: Athena reads nothing else")
        self._check(source, window)
        meter, lines = Meter(files, tell), _lines(self.table, source, window)
        found = self._ask(question.sql(lines, ATHENA, file="path"), files, question.name, shelf)
        rows, count, rejected = _rows(question, found, shelf)
        rejects: tuple[Reject, ...] = ()
        if rejected:
            told = self._ask(statements.rejects(lines, ATHENA, file="path"), files, "rejects", shelf)
            rejects = _rejects(told, shelf)
        for file in files:
            meter.done(file, fresh=False)  # all at once, and elsewhere: no time left follows from it
        return Counted((rows,), (FileCount(source.place, count, rejects),))

    def _check(self, source: BucketLogs, window: Window) -> None:
        size = sum(file.size for file in source.of_days(window))
        limit = min(self.agreed.bytes, self.table.most_bytes)
        if size > limit:
            raise _wrong(
                f"{size:,} bytes in the folders of {window}", f"at most {limit:,}, as agreed", "estimate again"
            )

    def _ask(self, sql: str, files: tuple[LogFile, ...], name: str, shelf: Shelf) -> Path:
        """Run a query and bring its result here."""
        asked = self.account.clock.now() - SKEW
        for attempt in range(ATTEMPTS):
            id = self._execution(sql, files, name, attempt)
            told = _query(self.account, id)
            # A query that was submitted before is one that was remembered: its failure is no answer of today.
            old = told["Status"]["SubmissionDateTime"] < asked
            path = self._result(told, name, shelf) if told["Status"]["State"] == "SUCCEEDED" else None
            if path is not None:
                return path
            if not old:
                break
        _ended(self.account, id)
        raise _wrong(f"no result of query {id} in {self.table.results}", "the file that Athena wrote there")

    def _execution(self, sql: str, files: tuple[LogFile, ...], name: str, attempt: int) -> str:
        """The id of a query that has ended, new or remembered: the token tells the question and the files."""
        told = "\n".join((sql, str(attempt), *(f"{file.name} {file.tag}" for file in files)))
        step = statement(self.table.place, f"Ask for {name}", sql, self.table.work_group)
        arguments = {
            **step.arguments,
            "ClientRequestToken": sha256(told.encode()).hexdigest(),
            "QueryExecutionContext": {"Database": self.table.database, "Catalog": CATALOG},
        }
        step = replace(
            step,
            id=f"athena.ask.{name}",
            arguments=arguments,
            reason="somebody asked",
            undo="nothing was changed",
            until=Until(f"Athena has answered for {name}", _running, limit=LONGEST, every=2.0),
        )
        plan = Plan(f"Ask Athena for {name}", self.table.work_group, (step,))
        answer = apply(plan, account=self.account, journal=self.journal).answers[step.id]
        return str(answer["QueryExecutionId"])

    def _result(self, told: Mapping[str, Any], name: str, shelf: Shelf) -> Path | None:
        """The result as a file here; None when it is gone."""
        from botocore.exceptions import ClientError

        bucket, _, key = told["ResultConfiguration"]["OutputLocation"].removeprefix("s3://").partition("/")
        path = shelf.work / f"{name}.csv"
        try:
            body = self.account.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise
        with path.open("wb") as file:
            shutil.copyfileobj(body, file, 1 << 18)
        return path


def _until(what: str) -> Until:
    return Until(what, _unfinished, limit=LONGEST, every=2.0)


def _unfinished(account: Account, answer: Mapping[str, Any]) -> str | None:
    """What a statement still does; raises when it ended without success."""
    state = _running(account, answer)
    if state is None:
        _ended(account, answer["QueryExecutionId"])
    return state


def _running(account: Account, answer: Mapping[str, Any]) -> str | None:
    """What a query still does, None once it has ended, however it did."""
    state: str = _query(account, answer["QueryExecutionId"])["Status"]["State"]
    return state if state in ("QUEUED", "RUNNING") else None


def _query(account: Account, id: str) -> dict[str, Any]:
    told: dict[str, Any] = account.client("athena").get_query_execution(QueryExecutionId=id)["QueryExecution"]
    return told


def _ended(account: Account, id: str) -> dict[str, Any]:
    """A query that ended well; raises with Athena's own words when it did not."""
    told = _query(account, id)
    status = told["Status"]
    if status["State"] == "SUCCEEDED":
        return told
    reason = status.get("StateChangeReason", "no reason was given")
    if "scanned limit" in reason.lower():
        raise _wrong(
            f"query {id}: {reason}", "a query within the cut-off of its work group", "narrow the window or raise it"
        )
    raise NoAnswer(
        where=f"Athena's query {id}",
        seen=f"{status['State']}: {reason}",
        wanted="SUCCEEDED",
        next_step="a damaged file is read by the engine DuckDB, which says which one; for anything else mend the cause",
    )


def _lines(table: AthenaTable, logs: BucketLogs, window: Window) -> str:
    """The lines of exactly the files that every other engine reads: files.needed in SQL."""
    first, last = (f"{at:%Y%m%dT%H%M}" for at in ends(window))
    inside = f"regexp_extract(\"$path\", '_([0-9]{{8}}T[0-9]{{4}})Z_', 1) BETWEEN '{first}' AND '{last}'"
    if logs.balancer:
        inside += f' AND strpos("$path", {quoted("_" + logs.balancer.replace("/", ".") + "_")}) > 0'
    folders = ", ".join(f"'{day}'" for day in days(window))
    return f"""(SELECT line, "$path" AS path FROM "{table.database}"."{TABLE}" WHERE day IN ({folders})
        AND regexp_like("$path", '[.]log([.]gz)?$') AND (NOT regexp_like("$path", '{NAMED}') OR {inside}))"""


def _rows(question: Question, found: Path, shelf: Shelf) -> tuple[Path, int, int]:
    """The result as rows of the question, and how many lines there were and were rejected."""
    texts = ("minute", "grp", "dimension", "value")
    types = {name: "VARCHAR" if name in texts else "BIGINT" for name in (*question.keys, *question.sums, "octets")}
    columns = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in types.items())
    rows = shelf.work / f"{question.name}.parquet"
    with connect(shelf.work, threads=1) as db:
        db.execute(f"CREATE TABLE answer AS SELECT * FROM {_csv(found, columns)}")
        good, counted = "minute IS NOT NULL", "true"
        if question.slow_ms is not None:
            good, counted = "value = ''", "dimension = 'reason'"
        told = db.execute(f"SELECT sum(n), sum(n) FILTER (NOT ({good})) FROM answer WHERE {counted}").fetchall()
        kept = "SELECT * EXCLUDE (octets) FROM answer WHERE minute IS NOT NULL"
        db.execute(f"COPY ({kept}) TO {quoted(str(rows))} (FORMAT parquet)")
    return rows, int(told[0][0] or 0), int(told[0][1] or 0)


def _rejects(found: Path, shelf: Shelf) -> tuple[Reject, ...]:
    columns = "'file': 'VARCHAR', 'reason': 'VARCHAR', 'n': 'BIGINT', 'sample': 'VARCHAR'"
    with connect(shelf.work, threads=1) as db:
        told = db.execute(f"SELECT reason, n, sample FROM {_csv(found, columns)}").fetchall()
    return tuple(Reject(*one) for one in sorted(told))


def _csv(path: Path, columns: str) -> str:
    """A result file: values stand between quotes, and NULL is nothing at all."""
    return (
        f"read_csv({quoted(str(path))}, columns = {{{columns}}}, header = true, delim = ',', quote = '\"', "
        "escape = '\"', auto_detect = false, allow_quoted_nulls = false)"
    )


def _ddl(logs: BucketLogs, table: AthenaTable) -> str:
    properties = {
        "projection.enabled": "true",
        "projection.day.type": "date",
        "projection.day.format": "yyyy/MM/dd",
        "projection.day.range": f"{FIRST_DAY},NOW",
        "projection.day.interval": "1",
        "projection.day.interval.unit": "DAYS",
        "storage.location.template": _template(logs),
    }
    told = ", ".join(f"'{name}' = '{value}'" for name, value in properties.items())
    return (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `{table.database}`.`{TABLE}` (`line` string) "
        "PARTITIONED BY (`day` string) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\001' STORED AS TEXTFILE "
        f"LOCATION 's3://{logs.bucket}/{logs.root}/' TBLPROPERTIES ({told})"
    )


def _template(logs: BucketLogs) -> str:
    return f"s3://{logs.bucket}/{logs.root}/${{day}}"


def _group(account: Account, table: AthenaTable) -> dict[str, Any] | None:
    """The work group, None when it is not there."""
    client = account.client("athena")
    pages, token = [], None
    while True:
        answer = client.list_work_groups(**({"NextToken": token} if token else {}))
        pages += answer["WorkGroups"]
        token = answer.get("NextToken")
        if token is None:
            break
    if not any(group["Name"] == table.work_group for group in pages):
        return None
    found: dict[str, Any] = client.get_work_group(WorkGroup=table.work_group)["WorkGroup"]
    return found


def _database(account: Account, table: AthenaTable) -> bool:
    names = {"CatalogName": CATALOG, "DatabaseName": table.database}
    return _there(lambda: account.client("athena").get_database(**names)) is not None


def _over(account: Account, table: AthenaTable) -> str | None:
    """Which folders the table lies over, None when it is not there."""
    names = {"CatalogName": CATALOG, "DatabaseName": table.database, "TableName": TABLE}
    told = _there(lambda: account.client("athena").get_table_metadata(**names))
    return None if told is None else told["TableMetadata"].get("Parameters", {}).get("storage.location.template", "?")


def _there(read: Any) -> Any:
    from botocore.exceptions import ClientError

    try:
        return read()
    except ClientError as error:
        told = error.response["Error"]
        if told["Code"] == "MetadataException" and "not found" in told["Message"].lower():
            return None
        raise


def _wrong(seen: str, wanted: str, next_step: str = "correct it and run again") -> BadInput:
    return BadInput(where="Athena", seen=seen, wanted=wanted, next_step=next_step)
