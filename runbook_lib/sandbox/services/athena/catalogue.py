"""Statements about databases and external tables, as Athena's DDL reference has them."""

from __future__ import annotations

from typing import Any

from runbook_lib.sandbox.errors import not_simulated
from runbook_lib.sandbox.services.athena.store import DEFAULT, AthenaStore, QueryFailed, Table

REGEX = "org.apache.hadoop.hive.serde2.RegexSerDe"
TEXT = ("TEXTFILE", "ORG.APACHE.HADOOP.MAPRED.TEXTINPUTFORMAT")
CONTROL_A = "\x01"  # Hive's separator of fields


def kind_of(statement: Any) -> str:
    """DML for a query, DDL for what is below; anything else is refused by its name."""
    from sqlglot import exp

    if isinstance(statement, exp.Query):
        return "DML"
    known = isinstance(statement, exp.Create | exp.Drop) and statement.args.get("kind") in (
        "TABLE",
        "DATABASE",
        "SCHEMA",
    )
    if known and not (isinstance(statement, exp.Create) and statement.expression):
        return "DDL"
    raise not_simulated(f"athena: the statement {statement.sql('athena')[:60]}")


def carry_out(store: AthenaStore, statement: Any, default: str) -> None:
    """Create or drop a database or table; raises QueryFailed in Hive's words."""
    from sqlglot import exp

    database = statement.args["kind"] in ("DATABASE", "SCHEMA")
    if isinstance(statement, exp.Create):
        return _create_database(store, statement) if database else _create_table(store, statement, default)
    return _drop_database(store, statement) if database else _drop_table(store, statement, default)


def _create_database(store: AthenaStore, statement: Any) -> None:
    name = statement.this.name.lower()
    if name in store.databases and not statement.args.get("exists"):
        raise QueryFailed(
            f"FAILED: Execution Error, return code 1. AlreadyExistsException: Database {name} already exists"
        )
    store.databases.setdefault(name, {})


def _drop_database(store: AthenaStore, statement: Any) -> None:
    name = _dropped(statement).name.lower()
    if name not in store.databases:
        if statement.args.get("exists"):
            return
        raise QueryFailed(f"FAILED: SemanticException [Error 10072]: Database does not exist: {name}")
    if store.databases[name] and not statement.args.get("cascade"):
        message = f"InvalidOperationException(message:Database {name} is not empty. One or more tables exist.)"
        raise QueryFailed(f"FAILED: Execution Error, return code 1. {message}")
    del store.databases[name]


def _drop_table(store: AthenaStore, statement: Any, default: str) -> None:
    dropped = _dropped(statement)
    database, name = (dropped.db or default).lower(), dropped.name.lower()
    if name in store.databases.get(database, {}):
        del store.databases[database][name]
    elif not statement.args.get("exists"):
        raise QueryFailed(f"FAILED: SemanticException [Error 10001]: Table not found {database}.{name}")


def _dropped(statement: Any) -> Any:
    """What is dropped, in the forms that sqlglot has had for it."""
    return statement.this or statement.args["tables"][0]


def _create_table(store: AthenaStore, statement: Any, default: str) -> None:
    table = _table(statement, default)
    if table.database not in store.databases:
        raise QueryFailed(f"FAILED: SemanticException [Error 10072]: Database does not exist: {table.database}")
    if table.name not in store.databases[table.database]:
        store.databases[table.database][table.name] = table
    elif not statement.args.get("exists"):
        raise QueryFailed(
            f"FAILED: Execution Error, return code 1. AlreadyExistsException: Table {table.name} already exists."
        )


def _table(statement: Any, default: str) -> Table:
    from sqlglot import exp

    named = statement.this.this
    separator, pattern, location = CONTROL_A, "", ""
    partitions: tuple[tuple[str, str], ...] = ()
    properties: dict[str, str] = {}
    for one in statement.args["properties"].expressions:
        if isinstance(one, exp.RowFormatDelimitedProperty):
            separator = one.args["fields"].name if one.args.get("fields") else CONTROL_A
        elif isinstance(one, exp.RowFormatSerdeProperty):
            if one.this.name != REGEX:
                raise not_simulated(f"athena: tables read by {one.this.name}")
            told = {each.this.name: each.args["value"].name for each in one.args["serde_properties"].expressions}
            separator, pattern = "", told["input.regex"]
        elif isinstance(one, exp.LocationProperty):
            location = one.this.name
        elif isinstance(one, exp.PartitionedByProperty):
            partitions = _columns(one.this.expressions)
        elif isinstance(one, exp.FileFormatProperty):
            if one.this.name.upper() not in TEXT:
                raise not_simulated(f"athena: tables stored as {one.this.name}")
        elif isinstance(one, exp.Property) and type(one) is exp.Property:
            properties[one.this.name] = one.args["value"].name
    if not location.startswith("s3://"):
        raise QueryFailed("FAILED: SemanticException a table needs a LOCATION in S3")
    database = (named.db or default or DEFAULT).lower()
    columns = _columns(statement.this.expressions)
    return Table(database, named.name.lower(), columns, partitions, location, separator, pattern, properties)


def _columns(told: Any) -> tuple[tuple[str, str], ...]:
    return tuple((one.name.lower(), one.args["kind"].sql("duckdb")) for one in told)
