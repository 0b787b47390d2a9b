"""Athena as an engine: the question in the SQL of statements.py, asked where the logs lie, and its result as rows."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from runbook_lib.accesslog import statements
from runbook_lib.accesslog.athena.price import Estimate
from runbook_lib.accesslog.athena.query import LONGEST, ended, query, running, scanned, statement, wrong
from runbook_lib.accesslog.athena.table import CATALOG, TABLE, AthenaTable
from runbook_lib.accesslog.bucket import BucketLogs
from runbook_lib.accesslog.counting import connect, quoted
from runbook_lib.accesslog.files import days, ends
from runbook_lib.accesslog.reading import Counted, Reading
from runbook_lib.accesslog.shelf import FileCount, Reject, Shelf
from runbook_lib.accesslog.statements import ATHENA, TEXTS, Question
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.journal import Journal
from runbook_lib.step import Plan, Until, apply

ATTEMPTS, SKEW = 3, timedelta(seconds=2)  # between our clock and Athena's
NAMED = "_elasticloadbalancing_.*_[0-9]{8}T[0-9]{4}Z_"


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

    def count(self, reading: Reading) -> Counted:
        source, question, shelf = reading.source, reading.question, reading.shelf
        if not isinstance(source, BucketLogs):
            raise wrong(f"a log in {source.place}", "one in S3: Athena reads nothing else")
        size = self._check(source, reading.window)
        lines = _lines(self.table, source, reading.window)
        found = self._ask(question.sql(lines, ATHENA, file="path"), question.name, reading, size)
        rows, count, rejected = _rows(question, found, shelf)
        rejects: tuple[Reject, ...] = ()
        if rejected:
            told = self._ask(statements.rejects(lines, ATHENA, file="path"), "rejects", reading, size)
            rejects = _rejects(told, shelf)
        return reading.counted_at_once(rows, FileCount(source.place, count, rejects))

    def _check(self, source: BucketLogs, window: Window) -> int:
        """The bytes that a query will read; raises where they are more than was agreed to."""
        size = sum(file.size for file in source.of_days(window))
        limit = min(self.agreed.bytes, self.table.most_bytes)
        if size > limit:
            raise wrong(f"{size:,} bytes in the folders of {window}", f"at most {limit:,}, as agreed", "estimate again")
        return size

    def _ask(self, sql: str, name: str, reading: Reading, size: int) -> Path:
        """Run a query that reads so many bytes, tell how far it has come, and bring its result here."""
        asked = self.account.clock.now() - SKEW
        for attempt in range(ATTEMPTS):
            id = self._execution(sql, name, attempt, reading, size)
            told = query(self.account, id)
            # A query that was submitted before is one that was remembered: its failure is no answer of today.
            old = told["Status"]["SubmissionDateTime"] < asked
            path = self._result(told, name, reading.shelf) if told["Status"]["State"] == "SUCCEEDED" else None
            if path is not None:
                return path
            if not old:
                break
        ended(self.account, id)
        raise wrong(f"no result of query {id} in {self.table.results}", "the file that Athena wrote there")

    def _execution(self, sql: str, name: str, attempt: int, reading: Reading, size: int) -> str:
        """The id of a query that has ended, new or remembered: the token tells the question and the files."""

        def unfinished(account: Account, answer: Mapping[str, Any]) -> str | None:
            found = query(account, answer["QueryExecutionId"])
            reading.elsewhere(f"Athena: {found['Status']['State'].lower()}", scanned(found), size)
            return running(found)

        told = "\n".join((sql, str(attempt), *(f"{file.name} {file.tag}" for file in reading.files)))
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
            until=Until(f"Athena has answered for {name}", unfinished, limit=LONGEST, every=2.0),
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
    types = {name: "VARCHAR" if name in TEXTS else "BIGINT" for name in (*question.keys, *question.sums, "octets")}
    columns = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in types.items())
    rows = shelf.work / f"{question.name}.parquet"
    with connect(shelf.work, threads=1) as db:
        db.execute(f"CREATE TABLE answer AS SELECT * FROM {_csv(found, columns)}")
        counted = f"SELECT sum(n), sum(n) FILTER (NOT ({question.good})) FROM answer WHERE {question.each}"
        told = db.execute(counted).fetchall()
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
