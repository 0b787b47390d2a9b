"""Small tables for reading: the same in a notebook, in a terminal and in a test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any


@dataclass(frozen=True)
class Table:
    """Rows under headings, with a line above that says what they show."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    links: Mapping[tuple[int, int], str] = field(default_factory=dict)  # (row, column) -> address behind a cell

    def __str__(self) -> str:
        widths = [max(len(row[i]) for row in (self.headings, *self.rows)) for i in range(len(self.headings))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (self.headings, *self.rows)
        ]
        return "\n".join([self.title, *lines]) if self.rows else f"{self.title}: nothing"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th style='text-align:left'>{escape(heading)}</th>" for heading in self.headings)
        body = "".join(f"<tr>{''.join(self._cells(number))}</tr>" for number in range(len(self.rows)))
        caption = f"<p><b>{escape(self.title)}</b></p>"
        return f"{caption}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _cells(self, number: int) -> Iterator[str]:
        for column, cell in enumerate(self.rows[number]):
            link = self.links.get((number, column))
            text = f"<a href='{escape(link)}'>{escape(cell)}</a>" if link else escape(cell)
            yield f"<td style='text-align:left'>{text}</td>"


def table(title: str, rows: Iterable[Mapping[str, Any]], headings: Sequence[str] | None = None) -> Table:
    """A table of rows that are mappings; headings are those of the first row unless named."""
    rows = list(rows)
    names = tuple(headings or (rows[0].keys() if rows else ()))
    return Table(title, names, tuple(tuple(_text(row.get(name)) for name in names) for row in rows))


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
