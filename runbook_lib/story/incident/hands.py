"""Hands on the pipeline after an incident: close the way into Deploy, or open it again."""

from __future__ import annotations

from runbook_lib import pipeline, repository
from runbook_lib.account import Account
from runbook_lib.check import Checks, ask, checks, skip
from runbook_lib.errors import BadInput, CheckFailed
from runbook_lib.step import Plan
from runbook_lib.story import delivery
from runbook_lib.story.incident.looked import Look
from runbook_lib.system import System


def plan_hands(account: Account, system: System, found: Look, hands: str) -> Plan:
    """What the hands are to do: freeze (no run may enter Deploy), unfreeze, or nothing but show."""
    plans = {"show": _plan_nothing, "freeze": _plan_freeze, "unfreeze": _plan_unfreeze}
    if hands not in plans:
        raise BadInput(
            where="hands", seen=repr(hands), wanted=", ".join(plans), next_step="correct the parameter hands"
        )
    return plans[hands](account, system, found)


def check_hands(account: Account, system: System, found: Look, hands: str) -> Checks:
    """Is it right to do it: would opening the way into Deploy not bring the bad commit back?"""
    question = "Is the head of the branch another commit than the bad one?"
    if hands != "unfreeze" or found.bad_commit is None:
        return checks(
            "Ready", (skip(question, "nothing is opened" if hands != "unfreeze" else "no commit is known to be bad"),)
        )
    head = repository.read_repository(account, system).head
    answer = ask(
        question,
        head is not None and head.id != found.bad_commit,
        seen=head.id[:7] if head else "no commit",
        wanted=f"not {found.bad_commit[:7]}",
        remedy="revert or mend the commit first: opening the way would deploy it again",
    )
    return checks("Ready", (answer,))


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
