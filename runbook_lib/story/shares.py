"""The green share of a deployment's traffic: what its configuration asks for, and what followers saw configured."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from runbook_lib import deployment, journal
from runbook_lib.account import EMBEDDED, Account
from runbook_lib.deployment import Deployment
from runbook_lib.journal import RUN_DIRECTORY, Entry, Journal

JOURNALS = "RUNBOOK_JOURNALS"  # where the notebooks of JupyterLab keep their journals, each in a folder of its own
JUDGED = "Deployment "  # so begins the title of the questions about one deployment
Shares = tuple[tuple[datetime, float], ...]  # percent to green, from that moment on


def requested(account: Account, found: Deployment) -> Shares:
    """The share for green that the traffic configuration asks for, from the moment AllowTraffic began, in percent.

    A deployment that is rolled back asks for nothing more.
    """
    began = found.began("AllowTraffic")
    if began is None:
        return ((found.created, 0.0),)
    last = found.completed or account.clock.now()
    steps = deployment.read_steps(account, found)
    reached = [(began + after, percent) for after, percent in steps if began + after <= last]
    back = [(found.completed, 0.0)] if found.completed and found.rolled_back_by else []
    return ((found.created, 0.0), *reached, *back)


def kept(account: Account, found: Deployment, journals: Iterable[Journal]) -> tuple[Entry, ...]:
    """What the journals at hand say of a deployment: this run's own, and those that runs on the same world left.

    AWS keeps no history of weights: without a journal of the release nothing is known of them.
    """
    own = [entry for each in journals for entry in each.entries]
    told = {(entry.at, str(entry.fields)): entry for entry in (*beside(account, found.id), *own)}
    return tuple(entry for entry in sorted(told.values(), key=lambda entry: entry.at) if _tells(entry, found.id))


def configured(entries: Iterable[Entry], green: str) -> Shares:
    """The weights that followers of a deployment saw in the listener, in percent to green."""
    seen = (entry.fields for entry in entries if entry.kind == "sample")
    return tuple((datetime.fromisoformat(each["at"]), float(each["weights"].get(green, 0.0))) for each in seen)


def verdicts(entries: Iterable[Entry]) -> tuple[tuple[datetime, str], ...]:
    """When a deployment was judged, and how."""
    judged = (entry for entry in entries if entry.kind == "checks")
    return tuple((datetime.fromisoformat(entry.at), f"judged {entry.fields['verdict']}") for entry in judged)


def _tells(entry: Entry, deployment_id: str) -> bool:
    named = {"sample": entry.fields.get("deployment"), "checks": entry.fields.get("title", "").removeprefix(JUDGED)}
    return named.get(entry.kind) == deployment_id


def beside(account: Account, about: str = "") -> Iterator[Entry]:
    """The lines of the journals beside this run's, of runs on the same world: another sandbox counts the same ids.

    `about` leaves out the journals that never name it.
    """
    if account.place == EMBEDDED:
        return
    for path in _journal_files():
        if about in path.read_text(encoding="utf-8"):
            entries = journal.read(path)
            if entries and entries[0].fields.get("place") == account.place:
                yield from entries


def _journal_files() -> list[Path]:
    run, lab = os.environ.get(RUN_DIRECTORY), os.environ.get(JOURNALS)
    folders = ([Path(run).parent] if run else []) + ([Path(lab)] if lab else [])
    return sorted(path for folder in folders for path in folder.glob("*/journal.jsonl"))
