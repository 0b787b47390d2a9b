"""Athena over the sandbox's S3: statements, queries, results, and what it refuses."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook_lib.sandbox import Sandbox, moto_state

OUTPUT = {"OutputLocation": "s3://queries/out/"}
TABLE = (
    "CREATE EXTERNAL TABLE people (name string, age int) PARTITIONED BY (day string) "
    "ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS TEXTFILE LOCATION 's3://data/people/' "
    "TBLPROPERTIES ('projection.enabled'='true', 'projection.day.type'='date', 'projection.day.format'='yyyy/MM/dd', "
    "'projection.day.range'='2026/01/01,NOW', 'storage.location.template'='s3://data/people/${day}')"
)
REGEX = (
    "CREATE EXTERNAL TABLE words (first string, rest string) ROW FORMAT SERDE "
    "'org.apache.hadoop.hive.serde2.RegexSerDe' WITH SERDEPROPERTIES ('input.regex'='([^ ]*) (.*)') "
    "LOCATION 's3://data/words/'"
)


@pytest.fixture
def world(fresh: Sandbox) -> Sandbox:
    """Two buckets, of which one holds data of three days, one of them yet to come."""
    s3 = fresh.client("s3")
    for bucket in ("data", "queries"):
        s3.create_bucket(Bucket=bucket)
    for key, content in {
        "people/2026/03/01/a.csv": b"ada,36\nbob,x\n",
        "people/2026/03/02/b.csv.gz": gzip.compress(b"eve,20\r\nzoe\n"),
        "people/2026/03/02/_hidden": b"no,1\n",
        "people/2030/01/01/later.csv": b"tim,5\n",
        "people/stray.csv": b"sam,6\n",
        "words/w.txt": b"one two three\nnothing\n",
    }.items():
        s3.put_object(Bucket="data", Key=key, Body=content)
    return fresh


def ask(world: Sandbox, query: str, **more: Any) -> dict[str, Any]:
    """The execution of a query, after it has ended."""
    athena = world.client("athena")
    id = athena.start_query_execution(QueryString=query, ResultConfiguration=OUTPUT, **more)["QueryExecutionId"]
    world.clock.sleep(5)
    found: dict[str, Any] = athena.get_query_execution(QueryExecutionId=id)["QueryExecution"]
    return found


def rows(world: Sandbox, query: str) -> list[list[str | None]]:
    """The rows of a query without the first, which names the columns."""
    found = ask(world, query)
    assert found["Status"]["State"] == "SUCCEEDED", found["Status"]
    told = world.client("athena").get_query_results(QueryExecutionId=found["QueryExecutionId"])["ResultSet"]["Rows"]
    return [[one.get("VarCharValue") for one in row["Data"]] for row in told[1:]]


def reason(world: Sandbox, query: str) -> str:
    status = ask(world, query)["Status"]
    assert status["State"] == "FAILED", status
    assert status["AthenaError"]["ErrorMessage"] == status["StateChangeReason"]
    return str(status["StateChangeReason"])


def refusal(call: Any, **asked: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**asked)
    told = refused.value.response["Error"]
    return f"{told['Code']}: {told['Message']}"


def test_a_query_is_queued_runs_and_leaves_its_result(world: Sandbox) -> None:
    """On the world's clock; the result lies in S3 as a file, too."""
    athena = world.client("athena")
    id = athena.start_query_execution(QueryString="SELECT 1 AS a, NULL AS b, 'x\"y' AS c", ResultConfiguration=OUTPUT)[
        "QueryExecutionId"
    ]
    states = []
    for _ in range(3):
        states.append(athena.get_query_execution(QueryExecutionId=id)["QueryExecution"]["Status"]["State"])
        world.clock.sleep(1.5)
    assert states == ["QUEUED", "RUNNING", "SUCCEEDED"]
    body = world.client("s3").get_object(Bucket="queries", Key=f"out/{id}.csv")["Body"].read().decode()
    assert body == '"a","b","c"\n"1",,"x""y"\n'
    told = athena.get_query_results(QueryExecutionId=id)["ResultSet"]
    assert told["Rows"][1]["Data"] == [{"VarCharValue": "1"}, {}, {"VarCharValue": 'x"y'}]
    assert [one["Type"] for one in told["ResultSetMetadata"]["ColumnInfo"]] == ["integer", "unknown", "varchar"]


def test_projected_partitions_are_read_and_pruned(world: Sandbox) -> None:
    """By their days, up to now; hidden and stray objects are no rows, a text that is no number is NULL."""
    ask(world, TABLE)
    everything = ask(world, "SELECT name, age, day FROM people")
    assert rows(world, "SELECT name, age, day FROM people ORDER BY name") == [
        ["ada", "36", "2026/03/01"],
        ["bob", None, "2026/03/01"],
        ["eve", "20", "2026/03/02"],
        ["zoe", None, "2026/03/02"],
    ]
    some = ask(world, "WITH p AS (SELECT * FROM people WHERE day = '2026/03/01' AND age > 1) SELECT count(*) FROM p")
    assert some["Statistics"]["DataScannedInBytes"] == 13
    assert everything["Statistics"]["DataScannedInBytes"] > 13


def test_the_path_of_a_row_is_known(world: Sandbox) -> None:
    """As "$path"."""
    ask(world, TABLE)
    asked = 'SELECT "$path" FROM people WHERE strpos("$path", \'b.csv\') > 0 LIMIT 1'
    assert rows(world, asked) == [["s3://data/people/2026/03/02/b.csv.gz"]]


def test_objects_that_the_path_excludes_are_counted_but_not_read(world: Sandbox) -> None:
    """So a damaged one does not fail the query; joined or not, every other condition still holds."""
    ask(world, TABLE)
    whole = ask(world, "SELECT count(*) FROM people")["Statistics"]["DataScannedInBytes"]
    world.client("s3").put_object(Bucket="data", Key="people/2026/03/01/c.csv.gz", Body=b"damaged")
    asked = "SELECT name FROM people WHERE regexp_like(\"$path\", '/[ab][.]csv') AND (age = 20 OR name = 'ada')"
    assert sorted(rows(world, asked)) == [["ada"], ["eve"]]
    assert ask(world, asked)["Statistics"]["DataScannedInBytes"] == whole + len(b"damaged")


def test_a_table_by_a_pattern_has_rows_of_nulls(world: Sandbox) -> None:
    """For lines that do not match (user guide, regex-serde)."""
    ask(world, REGEX)
    assert rows(world, "SELECT first, rest FROM words ORDER BY first") == [["one", "two three"], [None, None]]


def test_functions_of_athena_are_translated(world: Sandbox) -> None:
    """Those that the questions about logs use, and some of everyday."""
    asked = (
        "SELECT element_at(split('a b', ' '), 2), element_at(split('a', ' '), 5), cardinality(split('a b', ' ')), "
        "regexp_like('abc', '^a'), count_if(true), try_cast('x' AS integer), strpos('abc', 'c')"
    )
    assert rows(world, asked) == [["b", None, "2", "true", "1", None, "3"]]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT * FROM nothing", "TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.default.nothing' does not exist"),
        ("SELECT * FROM nowhere.t", "SCHEMA_NOT_FOUND: line 1:1: Schema 'nowhere' does not exist"),
        ("SELECT nme FROM people", "COLUMN_NOT_FOUND: line 1:1: Column 'nme' cannot be resolved"),
        ("SELECT nofunction(name) FROM people", "FUNCTION_NOT_FOUND: line 1:1: Function 'nofunction' not registered"),
        ("SELECT cast(name AS integer) FROM people", "INVALID_CAST_ARGUMENT"),
        ("SELECT name FROM people GROUP BY age", "EXPRESSION_NOT_AGGREGATE"),
        ("SELECT * FROM read_text('/etc/hostname')", "TABLE_NOT_FOUND"),
        (TABLE, "AlreadyExistsException: Table people already exists."),
        ("DROP TABLE nothing", "Table not found default.nothing"),
        ("DROP DATABASE nowhere", "Database does not exist: nowhere"),
        ("DROP DATABASE default", "Database default is not empty"),
        ("CREATE DATABASE default", "Database default already exists"),
        (TABLE.replace("people (", "nowhere.people ("), "Database does not exist: nowhere"),
    ],
)
def test_a_query_that_fails_says_why(world: Sandbox, query: str, words: str) -> None:
    """In Athena's words where they are known; nothing of this machine can be read."""
    ask(world, TABLE)
    assert words in reason(world, query)


def test_a_damaged_object_fails_the_query(world: Sandbox) -> None:
    """With its path."""
    ask(world, TABLE)
    world.client("s3").put_object(Bucket="data", Key="people/2026/03/02/half.gz", Body=gzip.compress(b"a,1\n")[:-9])
    assert "HIVE_CURSOR_ERROR: Failed to read file at s3://data/people/2026/03/02/half.gz" in reason(
        world, "SELECT * FROM people"
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"QueryString": "SELEC 1 FROM"}, "InvalidRequestException: line 1:"),
        ({"QueryString": "SELECT 'open"}, "InvalidRequestException: line 1:1"),
        (
            {"QueryString": "SELECT 1", "ResultConfiguration": {}},
            "InvalidRequestException: No output location provided",
        ),
        ({"QueryString": "SELECT 1", "ResultConfiguration": {"OutputLocation": "/x"}}, "not a valid S3 path"),
        ({"QueryString": "SELECT 1", "WorkGroup": "none"}, "InvalidRequestException: WorkGroup none is not found."),
        ({"QueryString": "MSCK REPAIR TABLE people"}, "NotImplemented: athena: the statement MSCK REPAIR TABLE people"),
        ({"QueryString": "CREATE TABLE x AS SELECT 1 AS a"}, "NotImplemented: athena: the statement CREATE TABLE"),
        ({"QueryString": "INSERT INTO people VALUES (1)"}, "NotImplemented: athena: the statement INSERT"),
    ],
)
def test_what_athena_refuses_is_refused(world: Sandbox, asked: dict[str, Any], words: str) -> None:
    """And what the sandbox cannot do, by its name."""
    asked = {"ResultConfiguration": OUTPUT, **asked}
    assert words in refusal(world.client("athena").start_query_execution, **asked)


def test_results_come_in_pages(world: Sandbox) -> None:
    """As many rows as were asked for, the names of the columns among them."""
    found = ask(world, "SELECT x FROM unnest(sequence(1, 5)) AS t(x) ORDER BY x")
    pages = world.client("athena").get_paginator("get_query_results")
    asked = {"QueryExecutionId": found["QueryExecutionId"], "PaginationConfig": {"PageSize": 2}}
    told = [[row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]] for page in pages.paginate(**asked)]
    assert told == [["x", "1"], ["2", "3"], ["4", "5"]]


def test_a_query_that_has_not_succeeded_has_no_results(world: Sandbox) -> None:
    """Neither while it runs, nor when it was stopped; one that has ended cannot be stopped."""
    athena = world.client("athena")
    id = athena.start_query_execution(QueryString="SELECT 1", ResultConfiguration=OUTPUT)["QueryExecutionId"]
    assert "Query has not yet finished. Current state: QUEUED" in refusal(athena.get_query_results, QueryExecutionId=id)
    athena.stop_query_execution(QueryExecutionId=id)
    world.clock.sleep(10)
    assert "Final query state: CANCELLED" in refusal(athena.get_query_results, QueryExecutionId=id)
    ended = ask(world, "SELECT 1")["QueryExecutionId"]
    athena.stop_query_execution(QueryExecutionId=ended)
    told = athena.batch_get_query_execution(QueryExecutionIds=[ended, "none"])
    assert [one["Status"]["State"] for one in told["QueryExecutions"]] == ["SUCCEEDED"]
    assert [one["QueryExecutionId"] for one in told["UnprocessedQueryExecutionIds"]] == ["none"]
    assert "QueryExecution none was not found" in refusal(athena.get_query_execution, QueryExecutionId="none")


def test_a_work_group_caps_a_query_and_says_where_results_go(world: Sandbox) -> None:
    """Whatever the caller says."""
    athena, s3 = world.client("athena"), world.client("s3")
    own = {"OutputLocation": "s3://queries/group/"}
    told = {"ResultConfiguration": own, "BytesScannedCutoffPerQuery": 10_000_000}
    athena.create_work_group(Name="capped", Configuration=told)
    ask(world, TABLE)
    assert ask(world, "SELECT 1", WorkGroup="capped")["ResultConfiguration"]["OutputLocation"].startswith(
        "s3://queries/group/"
    )
    s3.put_object(Bucket="data", Key="people/2026/03/02/large.csv", Body=b"x" * 10_000_001)
    status = ask(world, "SELECT count(*) FROM people", WorkGroup="capped")["Status"]
    assert (status["State"], status["StateChangeReason"]) == ("CANCELLED", "Bytes scanned limit was exceeded")
    assert ask(world, "SELECT count(*) FROM people WHERE day < '2026/03/02'", WorkGroup="capped")["Status"][
        "State"
    ] == ("SUCCEEDED")


def test_work_groups_are_made_and_deleted_as_athena_does(world: Sandbox) -> None:
    """Not twice, and one that was used is deleted only with its history."""
    athena = world.client("athena")
    athena.create_work_group(Name="g", Configuration={"ResultConfiguration": OUTPUT})
    assert "already created" in refusal(athena.create_work_group, Name="g")
    ask(world, "SELECT 1", WorkGroup="g")
    assert len(athena.list_query_executions(WorkGroup="g")["QueryExecutionIds"]) == 1
    assert "is not empty" in refusal(athena.delete_work_group, WorkGroup="g")
    athena.delete_work_group(WorkGroup="g", RecursiveDeleteOption=True)
    assert "is not found" in refusal(athena.get_work_group, WorkGroup="g")
    assert "primary" in refusal(athena.delete_work_group, WorkGroup="primary")


def test_a_token_starts_one_query(world: Sandbox) -> None:
    """And no other one."""
    athena, token = world.client("athena"), "t" * 32
    asked = {"ResultConfiguration": OUTPUT, "ClientRequestToken": token}
    first = athena.start_query_execution(QueryString="SELECT 1", **asked)["QueryExecutionId"]
    assert athena.start_query_execution(QueryString="SELECT 1", **asked)["QueryExecutionId"] == first
    assert "do not match" in refusal(athena.start_query_execution, QueryString="SELECT 2", **asked)


def test_a_world_is_saved_in_the_middle_of_a_query(world: Sandbox) -> None:
    """It ends in the world that was loaded."""
    athena = world.client("athena")
    id = athena.start_query_execution(QueryString="SELECT 7 AS n", ResultConfiguration=OUTPUT)["QueryExecutionId"]
    loaded = moto_state.load(moto_state.dump(world.world))
    loaded.run_until(loaded.now + 10)
    told = loaded.client("athena").get_query_results(QueryExecutionId=id)["ResultSet"]["Rows"]
    assert told[1]["Data"] == [{"VarCharValue": "7"}]


def test_databases_and_tables_are_shown(world: Sandbox) -> None:
    """With their columns, partitions and properties; what is dropped is gone."""
    athena = world.client("athena")
    ask(world, "CREATE DATABASE IF NOT EXISTS logs")
    ask(world, TABLE.replace("people (", "logs.people ("))
    names = {"CatalogName": "AwsDataCatalog", "DatabaseName": "logs"}
    told = athena.get_table_metadata(**names, TableName="people")["TableMetadata"]
    assert [(one["Name"], one["Type"]) for one in told["Columns"]] == [("name", "string"), ("age", "int")]
    assert told["Parameters"]["projection.day.type"] == "date"
    assert [one["Name"] for one in athena.list_databases(CatalogName="AwsDataCatalog")["DatabaseList"]] == [
        "default",
        "logs",
    ]
    ask(world, "DROP DATABASE logs CASCADE")
    assert "MetadataException" in refusal(athena.get_database, **names)
    assert "EntityNotFoundException" in refusal(athena.get_table_metadata, **names, TableName="people")
