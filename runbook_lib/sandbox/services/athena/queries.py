"""The life of a query: queued, running, and succeeded with a result in S3, failed or cancelled.

Sources: Athena API reference (StartQueryExecution, QueryExecutionStatus, AthenaError), user guide, querying-finding-
output-files (ID.csv for a query, ID.txt for a statement) and workgroups-settings-override.  How long a query takes is
declared here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError, not_simulated
from runbook_lib.sandbox.services.athena import catalogue, groups
from runbook_lib.sandbox.services.athena.groups import PRIMARY, invalid
from runbook_lib.sandbox.services.athena.running import answer
from runbook_lib.sandbox.services.athena.store import CATALOG, DEFAULT, AthenaStore, Execution, QueryFailed

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

QUEUED, RUNNING = 1.0, 2.0  # seconds
PAGE = 1000  # rows; API reference, GetQueryResults
FIELD = re.compile(r'(?:"((?:[^"]|"")*)")?(,|\n)')
NO_OUTPUT = (
    "No output location provided. An output location is required either through the Workgroup result configuration "
    "setting or as an API input."
)


def start(call: Call) -> dict[str, Any]:
    """StartQueryExecution; the same token starts nothing a second time."""
    told, store = call.params, _store(call.world)
    known = store.tokens.get(told.get("ClientRequestToken", ""))
    if known is not None:
        if store.executions[known].query != told["QueryString"]:
            raise invalid("Idempotent parameters do not match")
        return {"QueryExecutionId": known}
    if told.get("ExecutionParameters"):
        raise not_simulated("athena: ExecutionParameters")
    name = told.get("WorkGroup", PRIMARY)
    group = groups.found(call.world, name)["Configuration"]
    context, kind = told.get("QueryExecutionContext", {}), _kind(told["QueryString"])
    id = call.world.ids.uuid("athena-query")
    made = Execution(
        id=id,
        query=told["QueryString"],
        kind=kind,
        database=context.get("Database", DEFAULT).lower(),
        catalog=context.get("Catalog", CATALOG),
        group=name,
        output=f"{_output(group, told)}{id}.{'csv' if kind == 'DML' else 'txt'}",
        cutoff=group.get("BytesScannedCutoffPerQuery"),
        submitted=call.world.now,
    )
    store.executions[id] = made
    if "ClientRequestToken" in told:
        store.tokens[told["ClientRequestToken"]] = id
    call.world.after(QUEUED, "athena.begin", id)
    return {"QueryExecutionId": id}


def _kind(query: str) -> str:
    import sqlglot
    from sqlglot.errors import ParseError, TokenError

    try:
        return catalogue.kind_of(sqlglot.parse_one(query, read="athena"))
    except ParseError as error:
        told = error.errors[0] if error.errors else {"line": 1, "col": 1, "highlight": query[:20]}
        raise invalid(f"line {told['line']}:{told['col']}: mismatched input '{told['highlight']}'") from error
    except TokenError as error:
        raise invalid(f"line 1:1: {str(error).partition(chr(10))[0]}") from error


def _output(group: dict[str, Any], told: dict[str, Any]) -> str:
    """The folder of the result: a work group that enforces its settings overrides what the caller says."""
    own = group.get("ResultConfiguration", {}).get("OutputLocation")
    asked = told.get("ResultConfiguration", {}).get("OutputLocation")
    chosen = own if own and (group.get("EnforceWorkGroupConfiguration") or not asked) else asked
    if not chosen:
        raise invalid(NO_OUTPUT)
    if not re.match(r"s3://[^/]+", chosen):
        raise invalid(f"outputLocation is not a valid S3 path: {chosen}")
    return str(chosen).rstrip("/") + "/"


def begin(world: World, id: str) -> None:
    """Event: it runs."""
    found = _store(world).executions.get(id)
    if found is not None and not found.ended:
        found.state = "RUNNING"
        world.after(RUNNING, "athena.finish", id)


def finish(world: World, id: str) -> None:
    """Event: it has run, over the objects that there are now."""
    found = _store(world).executions.get(id)
    if found is None or found.ended:
        return
    try:
        _run(world, found)
        found.state = "SUCCEEDED"
    except QueryFailed as failed:
        found.state, found.reason, found.category = failed.state, failed.reason, failed.category
    except AwsError as refused:  # what is only known once the statement is read
        found.state, found.reason, found.category = "FAILED", f"{refused.code}: {refused.message}", 1
    found.completed = world.now


def _run(world: World, found: Execution) -> None:
    import sqlglot

    if found.kind == "DDL":
        catalogue.carry_out(_store(world), sqlglot.parse_one(found.query, read="athena"), found.database)
        return _write(world, found, "")
    told = answer(world, found.query, found.database, found.cutoff)
    found.scanned, found.columns = told.scanned, told.columns
    head = [tuple(name for name, _ in told.columns)]
    _write(world, found, "".join(_csv(row) for row in (*head, *told.rows)))


def _csv(row: tuple[str | None, ...]) -> str:
    """A line of a result file: everything between quotes, NULL as nothing."""
    return ",".join("" if value is None else '"' + value.replace('"', '""') + '"' for value in row) + "\n"


def _write(world: World, found: Execution, text: str) -> None:
    from botocore.exceptions import ClientError

    bucket, _, key = found.output.removeprefix("s3://").partition("/")
    try:
        world.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode())
    except ClientError as error:
        raise QueryFailed(f"Unable to write the result to {found.output}: {error.response['Error']['Code']}") from error


def get(call: Call) -> dict[str, Any]:
    """GetQueryExecution."""
    return {"QueryExecution": _shown(call.world, _execution(call, call.params["QueryExecutionId"]))}


def batch(call: Call) -> dict[str, Any]:
    """BatchGetQueryExecution: those that there are, and the ids of those that there are not."""
    store, ids = _store(call.world), call.params["QueryExecutionIds"]
    missing = [
        {
            "QueryExecutionId": id,
            "ErrorCode": "INVALID_QUERY_EXECUTION_ID",
            "ErrorMessage": f"QueryExecution {id} was not found",
        }
        for id in ids
        if id not in store.executions
    ]
    found = [_shown(call.world, store.executions[id]) for id in ids if id in store.executions]
    return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}


def list_all(call: Call) -> dict[str, Any]:
    """ListQueryExecutions of a work group, the newest first."""
    told = call.params
    name = told.get("WorkGroup", PRIMARY)
    groups.found(call.world, name)
    ids = [one.id for one in reversed(_store(call.world).executions.values()) if one.group == name]
    first, size = int(told.get("NextToken", "0")), told.get("MaxResults", 50)
    more = {"NextToken": str(first + size)} if first + size < len(ids) else {}
    return {"QueryExecutionIds": ids[first : first + size], **more}


def stop(call: Call) -> dict[str, Any]:
    """StopQueryExecution: one that has ended stays as it is."""
    found = _execution(call, call.params["QueryExecutionId"])
    if not found.ended:
        found.state, found.completed, found.reason = "CANCELLED", call.world.now, "Query cancelled by user"
    return {}


def results(call: Call) -> dict[str, Any]:
    """GetQueryResults: pages of the result file; the first row of a query's first page are the names of its columns."""
    told = call.params
    found = _execution(call, told["QueryExecutionId"])
    if not found.ended:
        raise invalid(f"Query has not yet finished. Current state: {found.state}")
    if found.state != "SUCCEEDED":
        raise invalid(f"Query did not finish successfully. Final query state: {found.state}")
    rows = _rows(call.world, found)
    first, size = int(told.get("NextToken", "0")), told.get("MaxResults", PAGE)
    more = {"NextToken": str(first + size)} if first + size < len(rows) else {}
    page = [
        {"Data": [{} if value is None else {"VarCharValue": value} for value in row]}
        for row in rows[first : first + size]
    ]
    info = [_column(name, kind) for name, kind in found.columns]
    return {"UpdateCount": 0, "ResultSet": {"Rows": page, "ResultSetMetadata": {"ColumnInfo": info}}, **more}


def _rows(world: World, found: Execution) -> list[list[str | None]]:
    from botocore.exceptions import ClientError

    bucket, _, key = found.output.removeprefix("s3://").partition("/")
    try:
        text = world.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    except ClientError as error:
        raise invalid(f"Could not find results. Please check the query and try again: {found.output}") from error
    rows: list[list[str | None]] = [[]]
    for field in FIELD.finditer(text):
        rows[-1].append(None if field[1] is None else field[1].replace('""', '"'))
        if field[2] == "\n":
            rows.append([])
    return rows[:-1]


def _column(name: str, kind: str) -> dict[str, Any]:
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": kind,
        "Precision": 0,
        "Scale": 0,
        "Nullable": "UNKNOWN",
        "CaseSensitive": kind == "varchar",
    }


def _shown(world: World, found: Execution) -> dict[str, Any]:
    status: dict[str, Any] = {"State": found.state, "SubmissionDateTime": world.datetime(found.submitted)}
    if found.reason:
        status["StateChangeReason"] = found.reason
    if found.state == "FAILED":
        status["AthenaError"] = {"ErrorCategory": found.category, "Retryable": False, "ErrorMessage": found.reason}
    took = 0.0
    if found.completed is not None:
        status["CompletionDateTime"] = world.datetime(found.completed)
        took = found.completed - found.submitted
    return {
        "QueryExecutionId": found.id,
        "Query": found.query,
        "StatementType": found.kind,
        "ResultConfiguration": {"OutputLocation": found.output},
        "QueryExecutionContext": {"Database": found.database, "Catalog": found.catalog.lower()},
        "Status": status,
        "Statistics": {
            "EngineExecutionTimeInMillis": int(max(0.0, took - QUEUED) * 1000),
            "DataScannedInBytes": found.scanned,
            "TotalExecutionTimeInMillis": int(took * 1000),
            "QueryQueueTimeInMillis": int(min(took, QUEUED) * 1000),
        },
        "WorkGroup": found.group,
        "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"},
    }


def table(call: Call) -> dict[str, Any]:
    """GetTableMetadata."""
    told, databases = call.params, _store(call.world).databases
    found = databases.get(told["DatabaseName"].lower(), {}).get(told["TableName"].lower())
    if found is None:
        raise AwsError("MetadataException", "EntityNotFoundException: Entity Not Found")
    shown = {
        "Name": found.name,
        "TableType": "EXTERNAL_TABLE",
        "Columns": [{"Name": name, "Type": kind.lower()} for name, kind in found.columns],
        "PartitionKeys": [{"Name": name, "Type": kind.lower()} for name, kind in found.partitions],
        "Parameters": {"EXTERNAL": "TRUE", "location": found.location, **found.properties},
    }
    return {"TableMetadata": shown}


def database(call: Call) -> dict[str, Any]:
    """GetDatabase."""
    name = call.params["DatabaseName"].lower()
    if name not in _store(call.world).databases:
        raise AwsError("MetadataException", f"EntityNotFoundException: Database {name} not found.")
    return {"Database": {"Name": name}}


def databases(call: Call) -> dict[str, Any]:
    """ListDatabases, all at once."""
    return {"DatabaseList": [{"Name": name} for name in sorted(_store(call.world).databases)]}


def _execution(call: Call, id: str) -> Execution:
    found = _store(call.world).executions.get(id)
    if found is None:
        raise invalid(f"QueryExecution {id} was not found")
    return found


def _store(world: World) -> AthenaStore:
    found: AthenaStore = world.store("athena")
    return found


OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "StartQueryExecution": start,
    "GetQueryExecution": get,
    "BatchGetQueryExecution": batch,
    "ListQueryExecutions": list_all,
    "StopQueryExecution": stop,
    "GetQueryResults": results,
    "GetTableMetadata": table,
    "GetDatabase": database,
    "ListDatabases": databases,
}
HANDLERS: dict[str, Callable[..., None]] = {"athena.begin": begin, "athena.finish": finish}
