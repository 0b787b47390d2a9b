"""A change of a text that leaves every byte outside of it as it was."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from runbook_lib.documents.source import Source


@dataclass(frozen=True)
class Splice:
    """Put `text` in the place of what stands from `start` to `end`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Edit:
    """A text before and after, and why; `reasons` also says why nothing had to change."""

    name: str
    before: str
    after: str
    reasons: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return self.before != self.after

    @property
    def diff(self) -> str:
        """The change as a unified diff; empty when nothing changed. Line ends are not shown."""
        lines = difflib.unified_diff(
            self.before.splitlines(), self.after.splitlines(), f"a/{self.name}", f"b/{self.name}", lineterm="", n=2
        )
        return "\n".join(lines)


def edited(source: Source, splices: Iterable[Splice], reasons: Iterable[str]) -> Edit:
    """The edit that these splices make; their places are those of the unchanged text and do not overlap."""
    text = source.text
    for splice in sorted(splices, key=lambda one: (one.start, one.end), reverse=True):
        text = text[: splice.start] + splice.text + text[splice.end :]
    return Edit(source.name, source.whole, source.mark + text, tuple(reasons))
