"""Gates stop: a closed gate raises, and the cells behind it do not run."""

from __future__ import annotations

from dataclasses import dataclass

from runbook_lib.check import Checks
from runbook_lib.errors import GateClosed
from runbook_lib.journal import Journal
from runbook_lib.params import Params

SANDBOX_APPROVER = "sandbox"


@dataclass(frozen=True)
class Opened:
    """A gate that was opened: by whom, and on which answers."""

    title: str
    approver: str
    answers: int

    def __str__(self) -> str:
        return f"gate open: {self.title} (approver: {self.approver}, {self.answers} checks)"


def gate(title: str, checks: Checks, *, params: Params, journal: Journal) -> Opened:
    """Open the gate when every answer is good and somebody answers for it; raises GateClosed otherwise.

    On a real account the approver has no default: it is named in the parameters.
    """
    if checks.bad or not checks.answers:
        worst = max(checks.bad, key=lambda check: check.verdict, default=None)
        question = f"{worst.question} {worst.verdict}: {worst.seen}" if worst else "no question was asked"
        wanted = worst.wanted if worst else "at least one answer"
        remedy = worst.remedy if worst and worst.remedy else "mend it and run this cell again"
        raise _closed(journal, title, question, wanted, remedy)
    approver = params.approver or (SANDBOX_APPROVER if params.target == "sandbox" else None)
    if approver is None:
        raise _closed(journal, title, "no approver", "the name of who answers for it", "set approver in the parameters")
    journal.write("gate", title=title, opened=True, approver=approver)
    return Opened(title, approver, len(checks.answers))


def _closed(journal: Journal, title: str, seen: str, wanted: str, next_step: str) -> GateClosed:
    journal.write("gate", title=title, opened=False, seen=seen)
    return GateClosed(where=f"gate: {title}", seen=seen, wanted=wanted, next_step=next_step)
