"""When harm began, was seen, was acted on and ended; and how much of that the settings themselves cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook_lib.deployment import Deployment
from runbook_lib.incident.harm import Harm
from runbook_lib.incident.told import Entry, Timeline
from runbook_lib.sections import Alarms
from runbook_lib.table import Table, table

# Calls by which somebody, or a service, goes back or changes course.
DECISIONS = frozenset(
    {"StopDeployment", "RollbackStage", "CreateDeployment", "ModifyListener", "ModifyRule", "UpdateService"}
)


@dataclass(frozen=True)
class Mark:
    """A moment with what marks it; both are empty when it did not come about."""

    at: datetime | None
    by: str


@dataclass(frozen=True)
class Intervals:
    """The four moments of an incident; `ongoing` when it had not ended where the window ends."""

    started: datetime
    detected: Mark
    decided: Mark
    recovered: Mark
    ongoing: bool

    @property
    def to_detect(self) -> timedelta | None:
        return self.detected.at - self.started if self.detected.at else None

    @property
    def to_decide(self) -> timedelta | None:
        return self.decided.at - self.detected.at if self.decided.at and self.detected.at else None

    @property
    def to_recover(self) -> timedelta | None:
        return self.recovered.at - self.started if self.recovered.at else None

    def table(self) -> Table:
        """The moments with the time since the beginning of harm."""
        rows = [
            _row("harm began", Mark(self.started, "the first minute that hurt"), self.started),
            _row("detected", self.detected, self.started),
            _row("decided", self.decided, self.started),
            _row("recovered", self.recovered, self.started),
        ]
        return table("Intervals", rows, ("moment", "UTC", "after", "by"))


@dataclass(frozen=True)
class Share:
    """A part of the time that an incident took, and the setting that it comes from."""

    what: str
    took: timedelta
    setting: str


def intervals(harm: Harm, timeline: Timeline, deployments: Sequence[Deployment], *, until: datetime) -> Intervals:
    """The moments of an incident; what happened before harm began cannot have noticed it."""
    after = [entry for entry in timeline.entries if entry.at >= harm.start]
    detected = _first(entry for entry in after if _notices(entry))
    decided = _decision(after, deployments, harm)
    ongoing = harm.end >= until
    recovered = Mark(None, "not before the end of the window") if ongoing else Mark(harm.end, "the first good minute")
    return Intervals(harm.start, detected, decided, recovered, ongoing)


def settings_cost(found: Intervals, alarms: Alarms, deployments: Iterable[Deployment]) -> tuple[Share, ...]:
    """Where the time until recovery went: the alarms' patience, the data's lag, the decision, the way back."""
    shares: list[Share] = []
    decided, detected = found.decided.at, found.detected.at
    early = decided is not None and (detected is None or decided < detected)
    if early and decided is not None:
        shares.append(Share("until the decision, before any alarm", decided - found.started, _who(deployments)))
    elif detected and found.to_detect is not None:
        patience = min(timedelta(minutes=alarms.breaching_minutes), found.to_detect)
        setting = f"alarms.breaching_minutes = {alarms.breaching_minutes} of {alarms.evaluation_minutes}"
        shares.append(Share("minutes that the alarm wants to see", patience, setting))
        lag = "metrics of a closed minute show up minutes later; an alarm evaluates once a minute"
        shares.append(Share("lag of the data and of the evaluation", found.to_detect - patience, lag))
    if decided and detected and not early:
        shares.append(Share("from the alarm to the decision", decided - detected, _who(deployments)))
    if found.recovered.at and decided:
        back = max(timedelta(0), found.recovered.at - decided)
        shares.append(Share("from the decision to the first good minute", back, "minutes are counted whole"))
    return tuple(shares)


def settings_table(shares: Iterable[Share]) -> Table:
    """The parts, one line each."""
    rows = [{"part": share.what, "took": _span(share.took), "comes from": share.setting} for share in shares]
    return table("What the settings cost", rows, ("part", "took", "comes from"))


def _notices(entry: Entry) -> bool:
    return (entry.kind == "alarm" and "-> ALARM" in entry.what) or (entry.kind == "run" and "FAIL" in entry.what)


def _decision(after: Iterable[Entry], deployments: Sequence[Deployment], harm: Harm) -> Mark:
    """The first act against it: a deployment that ended badly or goes back, or a call that changes course."""
    backs = [Mark(d.created, f"deployment {d.id} goes back") for d in deployments if d.goes_back]
    stops = [
        Mark(d.completed, f"deployment {d.id} {d.status}") for d in deployments if d.status in ("Stopped", "Failed")
    ]
    calls = [Mark(e.at, e.what) for e in after if e.fact.removeprefix("call ") in DECISIONS]
    known = [mark for mark in (*stops, *backs, *calls) if mark.at and mark.at >= harm.start]
    return min(known, key=lambda mark: mark.at or harm.end, default=Mark(None, "nobody acted in the window"))


def _first(entries: Iterable[Entry]) -> Mark:
    found = min(entries, key=lambda entry: entry.at, default=None)
    return (
        Mark(found.at, found.what.partition(": Threshold")[0])
        if found
        else Mark(None, "nothing noticed it in the window")
    )


def _who(deployments: Iterable[Deployment]) -> str:
    by_alarm = any("ALARM_ACTIVE" in (found.error or "") for found in deployments)
    return "CodeDeploy, which watches the group's alarms" if by_alarm else "a person, or a runbook"


def _row(what: str, mark: Mark, since: datetime) -> dict[str, str | None]:
    return {
        "moment": what,
        "UTC": mark.at.strftime("%H:%M:%S") if mark.at else None,
        "after": _span(mark.at - since) if mark.at else None,
        "by": mark.by,
    }


def _span(took: timedelta) -> str:
    seconds = int(took.total_seconds())
    return f"{seconds // 60}:{seconds % 60:02d} min"
