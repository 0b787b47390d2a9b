"""Adding up the rows of all files: one answer to a question, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_lib.accesslog.counting import connect, quoted
from runbook_lib.accesslog.statements import TEXTS, Question
from runbook_lib.accesslog.window import Window

if TYPE_CHECKING:
    import numpy

NOTHING = -1  # the place of a text that is not there


@dataclass(frozen=True)
class Rows:
    """Rows in the order of their keys: columns of one length, whole numbers all.

    A column of text holds places in its `names`, which are in order: few texts stand in many rows, and an ARN in each
    of them would take more memory than all that is counted.
    """

    columns: dict[str, numpy.ndarray]
    names: dict[str, tuple[str, ...]]

    def __getitem__(self, name: str) -> numpy.ndarray:
        return self.columns[name]

    def texts(self, name: str) -> numpy.ndarray:
        """A column of text as such; None where there is none."""
        import numpy

        return numpy.array([*self.names[name], None], dtype="O")[self.columns[name]]

    def minutes(self) -> numpy.ndarray:
        """Minutes since the epoch."""
        import numpy

        return numpy.array(self.names["minute"], dtype="datetime64[m]").astype("i8")[self.columns["minute"]]


def merged(question: Question, parts: Sequence[Path], window: Window, work: Path) -> Rows:
    """The rows of Parquet files that are of the window, added up."""
    import numpy

    texts = [name for name in question.keys if name in TEXTS]
    if not parts:
        empty = numpy.array([], dtype="i8")
        return Rows(dict.fromkeys((*question.keys, *question.sums), empty), dict.fromkeys(texts, ()))
    paths = ", ".join(quoted(str(path)) for path in parts)
    with connect(work, threads=1) as db:
        db.execute(
            f"CREATE VIEW found AS SELECT * FROM read_parquet([{paths}]) "
            f"WHERE minute >= {quoted(window.first)} AND minute < {quoted(window.behind)}"
        )
        names = {}
        for name in texts:
            every = f"SELECT DISTINCT {name} FROM found WHERE {name} IS NOT NULL ORDER BY 1"
            db.execute(f"CREATE TYPE of_{name} AS ENUM ({every})")
            names[name] = tuple(
                text for (text,) in db.execute(f"SELECT unnest(enum_range(NULL::of_{name}))").fetchall()
            )
        keys = ", ".join(_place(name) if name in texts else name for name in question.keys)
        sums = ", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in question.sums)
        sql = f"SELECT {keys}, {sums} FROM found GROUP BY ALL ORDER BY {', '.join(question.keys)}"
        found = db.execute(sql).fetchnumpy()
    return Rows({name: numpy.asarray(column, dtype="i8") for name, column in found.items()}, names)


def _place(name: str) -> str:
    return f"CAST(coalesce(enum_code(CAST({name} AS of_{name})), {NOTHING}) AS BIGINT) AS {name}"
