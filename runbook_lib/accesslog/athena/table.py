"""The table over an access log: one column, the line, and a partition a day; made and dropped by plan.

It lies in a database of its own, and is asked through a work group that caps what a query reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from runbook_lib import inventory
from runbook_lib.accesslog.athena.price import LEAST
from runbook_lib.accesslog.athena.query import statement, until, wrong
from runbook_lib.accesslog.bucket import BucketLogs
from runbook_lib.account import Account
from runbook_lib.inventory import Item
from runbook_lib.planning import change, make
from runbook_lib.step import Made, Plan, Step

CATALOG, TABLE = "AwsDataCatalog", "lines"
FIRST_DAY = "2015/01/01"  # of the projection; days without a folder cost nothing
GONE = "dropped by plan_drop or 90_tear_down; the logs stay"


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
            raise wrong(f"most_bytes {self.most_bytes:,}", f"{LEAST:,} or more, which Athena bills anyway")
        if not self.results.startswith("s3://"):
            raise wrong(f"results {self.results}", "a folder in S3, such as s3://bucket/queries/")
        if not self.database.replace("_", "").isalnum() or self.database != self.database.lower():
            raise wrong(f"database {self.database}", "lower-case letters, digits and underscores")

    @property
    def place(self) -> str:
        """How the inventory names the database, which is dropped through its work group."""
        return f"{self.work_group}/{self.database}"


def table_place(place: str) -> tuple[str, str]:
    """Work group and database of what the inventory calls work group/database."""
    group, _, database = place.partition("/")
    return group, database


def plan_table(account: Account, logs: BucketLogs, table: AthenaTable, *, world: str) -> Plan:
    """The steps that make the work group, the database and the table over the folders of the log.

    `world` is the name under which the inventory keeps them, so that 90_tear_down finds them.
    """
    items = inventory.read_inventory(account, world)
    steps = (
        *_group_steps(account, table, items),
        _database_step(account, table, items),
        *_table_steps(account, logs, table),
    )
    return Plan("Read the access log with Athena", world, steps)


def _group_steps(account: Account, table: AthenaTable, items: tuple[Item, ...]) -> tuple[Step, Step]:
    """The work group, and the cut-off of one that is there."""
    group, most = _group(account, table), f"{table.most_bytes / 1e9:g} GB"
    cutoff = (group or {}).get("Configuration", {}).get("BytesScannedCutoffPerQuery", table.most_bytes)
    configuration = {
        "ResultConfiguration": {"OutputLocation": table.results},
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": False,
        "BytesScannedCutoffPerQuery": table.most_bytes,
    }
    made = make(
        "athena.work_group",
        f"Make a work group whose queries read at most {most}",
        "athena:create_work_group",
        {"Name": table.work_group, "Configuration": configuration},
        made=Made("athena:work-group", table.work_group),
        found={} if group else None,
        items=items,
    )
    capped = change(
        "athena.cutoff",
        f"Let a query read at most {most}",
        "athena:update_work_group",
        {"WorkGroup": table.work_group, "ConfigurationUpdates": {"BytesScannedCutoffPerQuery": table.most_bytes}},
        touches=table.work_group,
        needed=None if cutoff == table.most_bytes else f"it is {cutoff:,} bytes",
        undo="set it back",
    )
    return made, capped


def _database_step(account: Account, table: AthenaTable, items: tuple[Item, ...]) -> Step:
    there = _database(account, table)
    return make(
        "athena.database",
        "Make a database",
        "athena:start_query_execution",
        {"QueryString": f"CREATE DATABASE IF NOT EXISTS `{table.database}`", "WorkGroup": table.work_group},
        made=Made("athena:database", table.place),
        found={} if there else None,
        items=items,
        until=until("the database is there") if not there else None,
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
