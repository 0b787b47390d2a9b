"""Running a query: its tables are filled from S3, and DuckDB answers it; nothing else of this machine can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.athena.objects import Found, lines, objects, rows
from runbook_lib.sandbox.services.athena.store import AthenaStore, QueryFailed, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from runbook_lib.sandbox.world import World

PATH = "$path"  # Athena's hidden column: the object that a row is from
CONFIG: dict[str, Any] = {"enable_external_access": False, "threads": 1}
COLUMN = re.compile(r'column "?([^"]+?)"? not found|must appear in the GROUP BY')
FUNCTION = re.compile(r"Function with name (\S+) does not exist")
# DuckDB's types -> Athena's (user guide, data-types); a sum is a bigint there and larger here
TYPES = {"VARCHAR": "varchar", "INTEGER": "integer", "HUGEINT": "bigint", '"NULL"': "unknown", "FLOAT": "float"}


@dataclass(frozen=True)
class Answer:
    """The result of a query: columns as (name, type), rows as text, None for NULL, and how many bytes were read."""

    columns: tuple[tuple[str, str], ...]
    rows: list[tuple[str | None, ...]]
    scanned: int


def answer(world: World, query: str, database: str, cutoff: int | None) -> Answer:
    """The answer to a SELECT; raises QueryFailed."""
    import duckdb
    import sqlglot

    tree = sqlglot.parse_one(query, read="athena")
    with duckdb.connect(config=CONFIG) as db:
        scanned = _fill(world, db, tree, database, cutoff)
        try:
            found = db.execute(tree.sql(dialect="duckdb"))
            columns = tuple((one[0], _type(str(one[1]))) for one in found.description or ())
            told = [tuple(_text(value) for value in row) for row in found.fetchall()]
        except duckdb.Error as error:
            raise QueryFailed(_reason(str(error))) from error
    return Answer(columns, told, scanned)


def _fill(world: World, db: DuckDBPyConnection, tree: Any, database: str, cutoff: int | None) -> int:
    """Make a table of every table that is named; the bytes of their objects."""
    from sqlglot import exp

    within = {one.alias_or_name.lower() for one in tree.find_all(exp.CTE)}
    scanned, chosen = 0, []
    for number, named in enumerate(list(tree.find_all(exp.Table))):
        if not named.db and named.name.lower() in within:
            continue
        table = _table(world.store("athena"), named, database)
        partitions = {name for name, _ in table.partitions}
        found = _pruned(db, table, objects(world, table), _terms(named, partitions))
        scanned += sum(one.size for one in found)
        # Rows of other objects could not be in the answer.  Whether AWS reads and counts them is not known: they count.
        chosen.append((f"t{number}", table, _pruned(db, table, found, _terms(named, {PATH}))))
        alias = named.alias_or_name
        named.replace(exp.to_table(f"t{number}").as_(alias, table=True))
    if cutoff is not None and scanned > cutoff:
        # That it ends so is documented (workgroups-setting-control-limits); the state and the words are ours.
        raise QueryFailed("Bytes scanned limit was exceeded", state="CANCELLED")
    for name, table, found in chosen:
        _load(world, db, name, table, found)
    return scanned


def _table(store: AthenaStore, named: Any, default: str) -> Table:
    database, name = (named.db or default).lower(), named.name.lower()
    if database not in store.databases:
        raise QueryFailed(f"SCHEMA_NOT_FOUND: line 1:1: Schema '{database}' does not exist")
    if name not in store.databases[database]:
        raise QueryFailed(f"TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.{database}.{name}' does not exist")
    return store.databases[database][name]


def _terms(named: Any, columns: set[str]) -> list[Any]:
    """The conditions of the query around a table that speak of these columns alone."""
    from sqlglot import exp

    query = named.find_ancestor(exp.Select)
    where = query.args.get("where") if query is not None else None
    terms = list(where.this.flatten()) if where is not None and isinstance(where.this, exp.And) else []
    terms = terms or ([where.this] if where is not None else [])
    return [term for term in terms if _columns(term) and _columns(term) <= columns and not term.find(exp.Query)]


def _columns(term: Any) -> set[str]:
    from sqlglot import exp

    return {column.name.lower() for column in term.find_all(exp.Column)}


def _pruned(db: DuckDBPyConnection, table: Table, found: list[Found], terms: list[Any]) -> list[Found]:
    """The objects that the terms hold for."""
    from sqlglot import exp

    if not terms or not found:
        return found
    data = {name: [one.values[place] for one in found] for place, (name, _) in enumerate(table.partitions)}
    data |= {PATH: [one.path for one in found], "place": [*range(len(found))]}
    _make(db, "objects", data, {**dict(table.partitions), PATH: "string", "place": "int"})
    bare = [
        term.copy().transform(lambda node: exp.column(node.name) if isinstance(node, exp.Column) else node)
        for term in terms
    ]
    kept = db.execute(exp.select("place").from_("objects").where(*bare).sql(dialect="duckdb")).fetchall()
    db.execute("DROP TABLE objects")
    return [found[place] for place in sorted(place for (place,) in kept)]


def _load(world: World, db: DuckDBPyConnection, name: str, table: Table, found: list[Found]) -> None:
    names = [*(column for column, _ in (*table.columns, *table.partitions)), PATH]
    told = list(_rows(world, table, found))
    columns = list(zip(*told, strict=True)) or [()] * len(names)
    types = {**dict(table.columns), **dict(table.partitions), PATH: "string"}
    _make(db, name, {column: list(values) for column, values in zip(names, columns, strict=True)}, types)


def _rows(world: World, table: Table, found: list[Found]) -> Iterator[tuple[str | None, ...]]:
    for one in found:
        yield from ((*row, *one.values, one.path) for row in rows(table, lines(world, one)))


def _make(db: DuckDBPyConnection, name: str, columns: dict[str, list[Any]], types: dict[str, str]) -> None:
    """A table of columns; a text that is none of its type is NULL."""
    import numpy
    from sqlglot import exp

    db.register("given", {column: numpy.array(values, dtype="O") for column, values in columns.items()})
    kinds = {column: exp.DataType.build(types[column], dialect="hive").sql("duckdb") for column in columns}
    casts = ", ".join(f'TRY_CAST("{column}" AS {kind}) AS "{column}"' for column, kind in kinds.items())
    db.execute(f'CREATE TABLE "{name}" AS SELECT {casts} FROM given')
    db.unregister("given")


def _type(told: str) -> str:
    return TYPES.get(told, told.partition("(")[0].lower())


def _text(value: Any) -> str | None:
    """A value as a result file has it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(_text(one) or 'null' for one in value)}]"
    return str(value)


def _reason(told: str) -> str:
    """DuckDB's complaint under the name that Athena has for it; the words are DuckDB's where no pattern knows them."""
    column, function = COLUMN.search(told), FUNCTION.search(told)
    if column and column[1]:
        return f"COLUMN_NOT_FOUND: line 1:1: Column '{column[1]}' cannot be resolved"
    if function:
        return f"FUNCTION_NOT_FOUND: line 1:1: Function '{function[1]}' not registered"
    first = told.partition("\n")[0]
    if "GROUP BY" in first:
        return f"EXPRESSION_NOT_AGGREGATE: line 1:1: {first}"
    return f"INVALID_CAST_ARGUMENT: {first}" if "Conversion Error" in first else f"GENERIC_USER_ERROR: {first}"
