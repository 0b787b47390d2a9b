"""What is wrong or doubtful in a document, with its place and its remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runbook_lib.errors import BadInput

MOST_FINDINGS = 500  # of one file; nobody reads more, and a hostile file would have a hundred thousand


@dataclass(frozen=True)
class Finding:
    """One thing to mend; `stops` says whether AWS refuses it or the release would go wrong."""

    rule: str
    where: str
    seen: str
    wanted: str
    next_step: str
    stops: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {self.rule}: seen: {self.seen}; wanted: {self.wanted}; next: {self.next_step}"


def stopping(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that must be mended before anything is released."""
    return tuple(finding for finding in findings if finding.stops)


def refuse(findings: Iterable[Finding], *, next_step: str = "") -> None:
    """Raise one error that names every finding that stops; nothing happens when none does."""
    found = stopping(findings)
    if not found:
        return
    raise BadInput(
        seen="; ".join(_told(finding, alone=len(found) == 1) for finding in found),
        wanted="; ".join(dict.fromkeys(finding.wanted for finding in found)),
        next_step="; ".join(
            dict.fromkeys([*(finding.next_step for finding in found), *([next_step] * bool(next_step))])
        ),
        where=found[0].where if len(found) == 1 else f"{len(found)} places",
    )


def _told(finding: Finding, *, alone: bool) -> str:
    return finding.seen if alone else f"{finding.where}: {finding.seen}"
