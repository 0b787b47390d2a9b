"""Looking at a window: from the account or from saved evidence, and which window it is."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from runbook_lib import accesslog, balancer, deployment
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.errors import BadInput, CheckFailed
from runbook_lib.incident import evidence, look
from runbook_lib.incident.look import Incident
from runbook_lib.incident.requests import Means
from runbook_lib.incident.told import Told
from runbook_lib.incident.window import window
from runbook_lib.journal import Journal
from runbook_lib.story import counting, judging, shares
from runbook_lib.system import System
from runbook_lib.views import Progress

AROUND = timedelta(minutes=15)  # looked at on both sides of a deployment that failed
LAST = timedelta(hours=1)  # looked at where nothing says when it was
RUNS = "runs"
EARLIER = "earlier look"


@dataclass(frozen=True)
class Look:
    """An incident as it was looked at, and what the report needs beside it."""

    incident: Incident
    logs: bool  # whether the load balancer writes access logs
    kept_in: str  # where what was read lies; empty: nowhere, for the run has no folder
    folder: str = ""  # this run's own, for its report; empty: it has none
    earlier: bool = False  # whether it is an earlier look that was read again
    # What the judge says of the last release in the window: asked once, for it reads the access log; None: of none.
    judge: Callable[[], judging.Past] | None = field(default=None, compare=False, repr=False)

    @property
    def bad_commit(self) -> str | None:
        """The commit that must not be deployed again: blamed, or taken back and not cleared."""
        seen, blamed = self.incident.seen, self.incident.blamed
        if blamed is None and self._undone and not self.innocent:
            blamed = seen.released
        return seen.commits.get(blamed) if blamed else None

    @property
    def innocent(self) -> str | None:
        """The commit that was taken back although something else was to blame."""
        seen = self.incident.seen
        undone = self._undone and self.incident.clears_versions and seen.released
        return seen.commits.get(undone) if undone else None

    @property
    def _undone(self) -> bool:
        release = self.incident.seen.release
        return release is not None and release.status in ("Stopped", "Failed")


def find_window(account: Account, system: System, since: str, until: str) -> Window:
    """The window that is named; else around the last deployment that did not go well; else the last hour.

    Raises BadInput for an end without a beginning.
    """
    now = account.clock.now()
    if until and not since:
        raise BadInput(
            where="the window",
            seen=f"until {until}, and no since",
            wanted="both, or since alone, or neither",
            next_step="name the beginning with since, or leave until empty too",
        )
    if since:
        return window(since, until, now=now)
    for found in deployment.read_deployments(account, system):
        if found.status in ("Stopped", "Failed") and found.completed:
            return window((found.created - AROUND).isoformat(), min(found.completed + AROUND, now).isoformat(), now=now)
    return window((now - LAST).isoformat(), "", now=now)


def read(
    account: Account,
    system: System,
    chosen: Window,
    journals: Iterable[Journal] = (),
    *,
    saved: str = "",
    how: counting.Counting = counting.HERE,
) -> Look:
    """Read everything that is known of a window and reason over it; what was read is kept beside the journal.

    `saved` names the file of an earlier look: then nothing is read but that.  `how` says who counts the access logs.
    An earlier look is told as a whole; that it is one of another window than was asked for, stands among the gaps.
    Raises CheckFailed for a window that is older than what AWS keeps when no earlier look covers it.
    """
    journals = tuple(journals)
    lb = balancer.read_balancer(account, system)
    earlier = bool(saved) or look.expired(account, chosen)
    passed: tuple[str, ...] = ()
    if saved:
        seen, place = evidence.load(Path(saved)), saved
        if seen.service != system.service:
            raise BadInput(
                where=f"saved {saved}",
                seen=f"a look at {seen.service}",
                wanted=f"one at {system.service}",
                next_step="name a look of this service, or the parameter file of that one",
            )
    elif earlier:
        known = evidence.covering(_runs(journals), system.service, chosen)
        if known.look is None:
            bad = "; passed over: ".join(("", *known.passed_over))
            raise CheckFailed(
                where="the window",
                seen=f"{chosen}: older than the {look.MINUTE_POINTS.days} days for which minutes are kept{bad}",
                wanted="a younger window, or an earlier look at it below runs/",
                next_step="name its file with the parameter saved, or look at a younger window",
            )
        seen, place, passed = known.look[0], str(known.look[1]), known.passed_over
    else:
        lines = (*shares.beside(account), *(entry for each in journals for entry in each.entries))
        cache = _runs(journals) / "access-logs" if any(each.path for each in journals) else None
        tell = partial(_tell, Progress("access logs"))
        means = Means(how.engine(account, journals), cache, tell)
        seen = look.read(account, system, chosen, lines, means)
        place = _keep(seen, journals)
    if earlier:
        seen = _of_earlier(seen, chosen, passed)
    found = look.reason(seen, system.params.objective, system.params.alarms)
    release = None if earlier else seen.release
    judge = functools.cache(partial(judging.retrospective, account, system, release.id)) if release else None
    return Look(found, lb.logging_to is not None, place, str(_folder(journals) or ""), earlier, judge)


def _of_earlier(seen: look.Seen, asked: Window, passed: tuple[str, ...]) -> look.Seen:
    """The same look, with what its reader must know: of which window it is, and which files are no looks."""
    parts = [f"passed over: {one}" for one in passed]
    if seen.window != asked:
        part = "a part of it" if evidence.covers(seen.window, asked) else "not in it, or not wholly"
        parts.insert(0, f"this is a look at {seen.window}; the window of this run, {asked}, is {part}")
    return replace(seen, told=(*seen.told, Told(EARLIER, missing="; ".join(parts)))) if parts else seen


def _tell(progress: Progress, now: accesslog.Progress) -> None:
    progress.say_seldom(str(now), now.seconds)


def _runs(journals: tuple[Journal, ...]) -> Path:
    """Where runs keep their evidence: the folder around this run's, else the one below where we are."""
    above = (parent for each in journals if each.path for parent in each.path.parents)
    return next((parent for parent in above if parent.name == RUNS), Path(RUNS))


def _folder(journals: tuple[Journal, ...]) -> Path | None:
    """This run's own."""
    return next((each.path.parent for each in journals if each.path), None)


def _keep(seen: look.Seen, journals: tuple[Journal, ...]) -> str:
    folder = _folder(journals)
    if folder is None:
        return ""
    evidence.save(seen, folder / evidence.NAME)
    return str(folder / evidence.NAME)
