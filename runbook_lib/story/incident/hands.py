"""Hands on the pipeline after an incident: close the way into Deploy, or open it again."""

from __future__ import annotations

from runbook_lib import pipeline, repository
from runbook_lib.account import Account
from runbook_lib.check import Checks, ask, checks, skip, unknown
from runbook_lib.errors import BadInput, CheckFailed
from runbook_lib.incident import changed
from runbook_lib.step import Plan
from runbook_lib.story import delivery
from runbook_lib.story.incident.looked import Look
from runbook_lib.system import System

REMEDY = "revert or mend it first: opening the way would deploy it again"


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
    question = "Is what the bad commit changed no more in the head of the branch?"
    if hands != "unfreeze":
        return checks("Ready", (skip(question, "nothing is opened"),))
    bad = found.bad_commit
    if bad is None and not found.incident.blames_version:
        return checks("Ready", (skip(question, "no commit is known to be bad"),))
    head = repository.read_repository(account, system).head
    if bad is None or head is None:
        seen = f"bad commit {bad[:7] if bad else 'not known'}, head {head.id[:7] if head else 'not known'}"
        return checks("Ready", (unknown(question, seen=seen, wanted="both known", remedy=REMEDY),))
    mine, since = found.incident.seen.files, changed.read_commit_files(account, system, bad, head.id)
    if head.id == bad or since is None or mine is None:  # a git host does not say what changed: the head alone is asked
        another = ask(question, head.id != bad, seen=head.id[:7], wanted=f"not {bad[:7]}", remedy=REMEDY)
        return checks("Ready", (another,))
    again = sorted(set(mine) & set(since))
    seen = (
        f"changed since {bad[:7]}: {', '.join(again)}" if again else f"all that {bad[:7]} changed is in {head.id[:7]}"
    )
    return checks("Ready", (ask(question, bool(again), seen=seen, wanted="its files changed again", remedy=REMEDY),))


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
