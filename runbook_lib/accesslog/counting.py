"""Counting one file with DuckDB: its rows of a question in Parquet, and a note of what was read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.accesslog import statements
from runbook_lib.accesslog.files import LogFile
from runbook_lib.accesslog.salvage import salvage
from runbook_lib.accesslog.shelf import FileCount, Reject
from runbook_lib.accesslog.statements import DUCKDB, HISTOGRAM, Question

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAGIC = b"\x1f\x8b"  # how gzip begins (RFC 1952)
LARGE = 64 << 20  # bytes from which on a compiled pass is worth its start: half a second, and some once a machine
MEMORY = "128MB"  # of DuckDB's own buffers; what does not fit goes to the work folder


def connect(work: Path, *, threads: int) -> DuckDBPyConnection:
    """A database in memory that spills into the work folder."""
    import duckdb

    config: dict[str, Any] = {
        "threads": threads,
        "memory_limit": MEMORY,
        "temp_directory": str(work / "spill"),
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
    }
    return duckdb.connect(config=config)


def is_large(files: Iterable[LogFile]) -> bool:
    """Whether compiling pays for these files; the optional extra `fast` must be here too."""
    return sum(file.size for file in files) >= LARGE and _compiles()


def _compiles() -> bool:
    return all(map(find_spec, ("numba", "zlib_ng")))


def count(
    db: DuckDBPyConnection, file: LogFile, path: Path, question: Question, made: Path, *, large: bool = False
) -> FileCount:
    """Write the rows of a question about a file into `made`; `large` asks for the compiled pass where there is one."""
    packed = _is_packed(file, path)
    if large and question == HISTOGRAM and _compiles():  # a worker may lack what its client has
        found = _compiled(db, file.name, path, question, made, packed=packed)
        if found is not None:
            return found
    return _by_sql(db, file.name, path, question, made, packed=packed)


def _compiled(
    db: DuckDBPyConnection, name: str, path: Path, question: Question, made: Path, *, packed: bool
) -> FileCount | None:
    """The same by the compiled pass, and by SQL for what that put aside; None for a file that is damaged or empty."""
    from runbook_lib.accesslog.compiled import DAMAGED, tally

    odd, aside = made.with_suffix(".odd"), made.with_suffix(".aside")
    try:
        try:
            found = tally(path, odd, packed=packed)
        except DAMAGED:
            return None
        if not found.requests:
            return None
        rest, every, keys = FileCount(name, 0, ()), "SELECT * FROM tallied", ", ".join(question.keys)
        if odd.stat().st_size:
            rest = _by_sql(db, name, odd, question, aside, packed=False)
            every += f" UNION ALL SELECT * FROM read_parquet({quoted(str(aside))})"
        db.register("tallied", found.rows())
        db.execute(
            f"COPY (SELECT {keys}, CAST(sum(n) AS BIGINT) AS n FROM ({every}) GROUP BY ALL ORDER BY {keys}) "
            f"TO {quoted(str(made))} (FORMAT parquet)"
        )
        db.unregister("tallied")
        return replace(rest, lines=rest.lines + found.requests)
    finally:
        odd.unlink(missing_ok=True)
        aside.unlink(missing_ok=True)


def _by_sql(
    db: DuckDBPyConnection, name: str, path: Path, question: Question, made: Path, *, packed: bool
) -> FileCount:
    """A file that DuckDB cannot read is salvaged first."""
    import duckdb

    try:
        found = _count(db, path, question, made, packed=packed)
    except (duckdb.InvalidInputException, duckdb.IOException):
        found = None
    if found is not None and (not packed or _is_whole(path, found[1])):
        return FileCount(name, found[0], _rejects(db, path, found[2], packed=packed))
    plain = made.with_suffix(".plain")
    try:
        trouble = salvage(path, plain, packed=packed)
        lines, _, rejected = _count(db, plain, question, made, packed=False)
        return FileCount(name, lines, _rejects(db, plain, rejected, packed=False), trouble)
    finally:
        plain.unlink(missing_ok=True)


def _count(db: DuckDBPyConnection, path: Path, question: Question, made: Path, *, packed: bool) -> tuple[int, int, int]:
    """Lines, their bytes, and how many were rejected."""
    sql = question.sql(lines_of(path, packed=packed), DUCKDB)
    db.execute(f"CREATE OR REPLACE TEMP TABLE counted AS {sql}")
    told = f"SELECT sum(n), sum(octets), sum(n) FILTER (NOT ({question.good})) FROM counted WHERE {question.each}"
    lines, octets, rejected = db.execute(told).fetchall()[0]
    rows = f"SELECT * EXCLUDE (octets) FROM counted WHERE minute IS NOT NULL ORDER BY {', '.join(question.keys)}"
    db.execute(f"COPY ({rows}) TO {quoted(str(made))} (FORMAT parquet)")
    db.execute("DROP TABLE counted")
    return int(lines or 0), int(octets or 0), int(rejected or 0)


def _rejects(db: DuckDBPyConnection, path: Path, rejected: int, *, packed: bool) -> tuple[Reject, ...]:
    """The reasons; the file is only read again when there are any."""
    if not rejected:
        return ()
    sql = statements.rejects(lines_of(path, packed=packed), DUCKDB)
    found = db.execute(f"SELECT reason, n, sample FROM ({sql}) ORDER BY reason").fetchall()
    return tuple(Reject(*one) for one in found)


def _is_packed(file: LogFile, path: Path) -> bool:
    """By its first bytes, for what downloads a file may unpack it and keep the name; an empty one by its name."""
    with path.open("rb") as content:
        begin = content.read(len(MAGIC))
    return begin == MAGIC or (not begin and file.packed)


def _is_whole(path: Path, octets: int) -> bool:
    """Whether as many bytes were read as gzip's last field tells, modulo 2**32 (RFC 1952): DuckDB checks no sums.

    A byte that changed and kept the length is not found; S3 has sums of its own.  The last line may lack its end.
    Blank lines and files of several members look wrong here; they are salvaged, which gives the same counts and is
    only slower.
    """
    with path.open("rb") as file:
        if file.seek(0, 2) < 18:  # header and trailer alone
            return False
        file.seek(-4, 2)
        told = int.from_bytes(file.read(4), "little")
    return told in (octets & 0xFFFFFFFF, (octets - 1) & 0xFFFFFFFF)


def lines_of(path: Path, *, packed: bool) -> str:
    """A file as a table of lines: the separator is a character that no line has."""
    kind = "gzip" if packed else "none"
    return (
        f"read_csv({quoted(str(path))}, columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '', "
        f"header = false, auto_detect = false, nullstr = '\x02', new_line = '\\n', compression = '{kind}')"
    )


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
