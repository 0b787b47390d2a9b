"""Hands on the pipeline after an incident: close the way into Deploy, or open it again."""

from __future__ import annotations

from runbook_lib import pipeline, repository
from runbook_lib.account import Account
from runbook_lib.check import Check, Checks, ask, checks, skip, unknown
from runbook_lib.errors import BadInput, CheckFailed
from runbook_lib.incident import changed
from runbook_lib.step import Plan
from runbook_lib.story import delivery
from runbook_lib.story.incident.looked import Look
from runbook_lib.system import System

WORDS = ("show", "freeze", "unfreeze")
ANOTHER = "Is the head of the branch another commit than the bad one?"
AGAIN = "Which files that the bad commit changed were changed since?"
REMEDY = "revert or mend it first: opening the way would deploy it again"


def plan_hands(account: Account, system: System, found: Look, hands: str) -> Plan:
    """What the hands are to do: freeze (no run may enter Deploy), unfreeze, or nothing but show."""
    known(hands)
    plans = {"show": _plan_nothing, "freeze": _plan_freeze, "unfreeze": _plan_unfreeze}
    return plans[hands](account, system, found)


def known(hands: str) -> None:
    """Refuse a word that is none of WORDS."""
    if hands not in WORDS:
        raise BadInput(
            where="hands", seen=repr(hands), wanted=", ".join(WORDS), next_step="correct the parameter hands"
        )


def check_hands(account: Account, system: System, found: Look, hands: str) -> Checks:
    """Is it right to do it: would opening the way into Deploy not bring the bad commit back?"""
    if hands != "unfreeze":
        return checks("Ready", (skip(ANOTHER, "nothing is opened"),))
    if found.bad_commit is None and found.incident.blamed is None:
        return checks("Ready", (skip(ANOTHER, "no commit is known to be bad"),))
    head = repository.read_repository(account, system).head
    if found.bad_commit is None or head is None:
        seen = "the branch has no head" if head is None else "a version is to blame, its commit is not known"
        return checks("Ready", (unknown(ANOTHER, seen=seen, wanted="both known", remedy=REMEDY),))
    return checks("Ready", _mended(account, system, found, found.bad_commit, head.id))


def _mended(account: Account, system: System, found: Look, bad: str, head: str) -> tuple[Check, ...]:
    """A commit on top of the bad one is not enough: something that the bad one changed must be another again."""
    another = ask(ANOTHER, head != bad, seen=head[:7], wanted=f"not {bad[:7]}", remedy=REMEDY)
    seen = found.incident.seen
    files = seen.files if bad == seen.commits.get(seen.released or "") else None
    since = changed.read_commit_files(account, system, bad, head) if files is not None else None
    if files is None or since is None:
        return (
            another,
            skip(AGAIN, "not known: a git host, no release before it, or not the last one in the window"),
        )
    again = sorted(set(files) & set(since))
    told = ", ".join(again) or f"none of {', '.join(files)}"
    return (another, ask(AGAIN, bool(again), seen=told, wanted="one at least", remedy=REMEDY))


def _plan_nothing(account: Account, system: System, found: Look) -> Plan:
    del account, found
    return Plan(
        "Hands off", system.name, (), notes=("hands = freeze or unfreeze would close or open the way into Deploy.",)
    )


def _plan_freeze(account: Account, system: System, found: Look) -> Plan:
    """Let no run enter Deploy; the reason names the commit that is bad."""
    line = pipeline.read_pipeline(account, system)
    if line is None:
        raise CheckFailed(seen="no pipeline", wanted=system.pipeline, next_step="run 10_provision")
    told = f"incident {found.incident.seen.window}"
    reason = f"{told}: commit {found.bad_commit[:7]}" if found.bad_commit else told
    return Plan("Freeze the pipeline", system.name, (pipeline.plan_freeze(system, line, reason=reason),))


def _plan_unfreeze(account: Account, system: System, found: Look) -> Plan:
    """Let runs enter Deploy again: somebody has looked."""
    del found
    return delivery.plan_reopen(account, system)
