"""A report as one page that opens without a network, and as Markdown: the same words and numbers in each."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from pathlib import Path

from runbook_lib.table import Table
from runbook_lib.views.charts import Chart

STYLE = """
body { max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; font: 16px/1.5 system-ui, sans-serif; }
h1, h2 { line-height: 1.2; margin: 1.6em 0 .4em; }
table { border-collapse: collapse; margin: .6em 0; font-size: .85rem; }
th, td { text-align: left; vertical-align: top; padding: .2em .8em .2em 0; border-bottom: 1px solid #ddd; }
img { max-width: 100%; }
@media print { body { margin: 0; max-width: none; } }
"""
Part = str | Table | Chart


@dataclass(frozen=True)
class Section:
    """A heading with texts, tables and charts below it."""

    heading: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Document:
    """A report: its title and sections."""

    title: str
    sections: tuple[Section, ...]

    def html(self) -> str:
        """One page with its pictures inside and nothing to fetch."""
        body = "".join(f"<h2>{escape(s.heading)}</h2>{''.join(map(_html, s.parts))}" for s in self.sections)
        title = escape(self.title)
        head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body><h1>{title}</h1>{body}</body></html>\n'

    def markdown(self) -> str:
        """The same as Markdown; charts are files beside it."""
        parts = [f"## {s.heading}\n\n{''.join(map(_markdown, s.parts))}" for s in self.sections]
        return f"# {self.title}\n\n{''.join(parts)}"

    def write(self, folder: Path, name: str) -> tuple[Path, ...]:
        """Write the page, the Markdown and its charts into a folder; the paths, the page first."""
        folder.mkdir(parents=True, exist_ok=True)
        page, text = folder / f"{name}.html", folder / f"{name}.md"
        page.write_text(self.html(), encoding="utf-8")
        text.write_text(self.markdown(), encoding="utf-8")
        pictures = []
        for chart in (part for section in self.sections for part in section.parts if isinstance(part, Chart)):
            pictures.append(folder / file_name(chart))
            pictures[-1].write_bytes(chart.png)
        return (page, text, *pictures)


def file_name(chart: Chart) -> str:
    """What a chart's file is called: its title in plain letters."""
    words = "".join(letter if letter.isalnum() else " " for letter in chart.title.lower()).split()
    return f"{'_'.join(words)}.png"


def _html(part: Part) -> str:
    if isinstance(part, Table):
        return part._repr_html_() if part.rows else f"<p>{escape(part.title)}: nothing</p>"
    if isinstance(part, Chart):
        picture = base64.b64encode(part.png).decode()
        image = f'<img alt="{escape(part.title)}" src="data:image/png;base64,{picture}">'
        return f"<p>{image}</p><p>{escape(part.sentence)}</p>"
    return f"<p>{escape(part)}</p>"


def _markdown(part: Part) -> str:
    if isinstance(part, Table):
        return f"**{_plain(part.title)}**\n\n{_rows(part)}\n" if part.rows else f"{part.title}: nothing\n\n"
    if isinstance(part, Chart):
        return f"![{_plain(part.title)}]({file_name(part)})\n\n{_plain(part.sentence)}\n\n"
    return f"{_plain(part)}\n\n"


def _rows(part: Table) -> str:
    lines = [[_plain(cell) for cell in part.headings], ["---"] * len(part.headings)]
    for number, row in enumerate(part.rows):
        links = [part.links.get((number, column)) for column in range(len(row))]
        lines.append([_linked(_plain(cell), link) for cell, link in zip(row, links, strict=True)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _linked(text: str, link: str | None) -> str:
    """An address between angle brackets may hold anything but those."""
    return f"[{text}](<{link.replace('|', '%7C')}>)" if link else text


def _plain(text: str) -> str:
    """Without what Markdown would take for its own."""
    for sign in ("\\", "|", "<", ">", "*", "_", "`", "[", "]"):
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\n", " ")
