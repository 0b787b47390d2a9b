"""When harm began, was seen, was acted on and ended; and how much of that the settings themselves cost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook_lib.deployment import Deployment, Steps, last_release
from runbook_lib.incident.harm import Harm
from runbook_lib.incident.told import Entry, Timeline
from runbook_lib.sections import Alarms
from runbook_lib.table import Table, table

# Calls by which somebody, or a service, goes back or changes course.
DECISIONS = frozenset(
    {"StopDeployment", "RollbackStage", "CreateDeployment", "ModifyListener", "ModifyRule", "UpdateService"}
)
# How an alarm says what it wants in its StateReason. No source promises these words: where they are others, the
# parameters are told instead, and that they are it.
PATIENCE = re.compile(r"out of the last (\d+) datapoints.*\(minimum (\d+) datapoints? for \w+ -> ALARM")


@dataclass(frozen=True)
class Mark:
    """A moment with what marks it; `at` is None when it did not come about."""

    at: datetime | None
    by: str
    entry: Entry | None = None  # of the timeline, where one told it


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

    def table(self, form: str = "%H:%M:%S") -> Table:
        """The moments, written in a form, with the time since the beginning of harm."""
        rows = [
            _row(moment, mark, self.started, form)
            for moment, mark in (
                ("harm began", Mark(self.started, "the first minute that hurt")),
                ("detected", self.detected),
                ("decided", self.decided),
                ("recovered", self.recovered),
            )
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


def settings_cost(
    found: Intervals, alarms: Alarms, deployments: Sequence[Deployment], harm: Harm, steps: Mapping[str, Steps]
) -> tuple[Share, ...]:
    """Where the time until recovery went: the alarms' patience, the data's lag, the decision, the way back.

    Behind these, which add up to it, the same time by what the last release's own settings did meanwhile: its shift,
    and its termination wait.  `steps` are those of each deployment's traffic configuration, by its id.
    """
    shares: list[Share] = []
    decided, detected = found.decided.at, found.detected.at
    early = decided is not None and (detected is None or decided < detected)
    if early and decided is not None:
        shares.append(Share("until the decision, before any alarm", decided - found.started, _who(deployments)))
    elif found.to_detect is not None:
        shares += _detection(found.detected, found.to_detect, alarms)
    if decided and detected and not early:
        shares.append(Share("from there to the decision", decided - detected, _who(deployments)))
    if found.recovered.at and decided:
        back = max(timedelta(0), found.recovered.at - decided)
        shares.append(Share("from the decision to the first good minute", back, "minutes are counted whole"))
    release = last_release(deployments)
    return (*shares, *(_of_release(release, harm, steps.get(release.id, ())) if release else ()))


def _detection(detected: Mark, took: timedelta, alarms: Alarms) -> list[Share]:
    """What it waited for who noticed it first: an alarm, as itself says, or a runbook's check."""
    lag = "metrics of a closed minute show up minutes later; an alarm evaluates once a minute"
    if detected.entry is not None and detected.entry.kind == "run":
        return [Share("until the check of a runbook failed", took, "metrics of a closed minute show up minutes later")]
    told = PATIENCE.search(detected.entry.what if detected.entry else "")
    wanted, of = (int(told[2]), int(told[1])) if told else (alarms.breaching_minutes, alarms.evaluation_minutes)
    setting = f"{wanted} of {of} periods, " + ("as the alarm itself says" if told else "by the parameters (alarms)")
    patience = min(timedelta(minutes=wanted), took)
    return [
        Share("minutes that the alarm wants to see", patience, setting),
        Share("lag of the data and of the evaluation", took - patience, lag),
    ]


def _of_release(release: Deployment, harm: Harm, steps: Steps) -> list[Share]:
    """How long it hurt while the shift held traffic back, with all traffic on green, and with the former tasks gone."""
    moved = release.began("AllowTraffic")
    if moved is None or not steps:
        return []
    over = release.completed or harm.end
    whole = min(moved + steps[-1][0], over)
    parts_of_it = [f"{percent:g}" for _, percent in steps[:-1]]  # of an all-at-once shift there are none
    held = " to ".join(dict.fromkeys((*parts_of_it[:1], *parts_of_it[-1:])))
    wait = f"{release.termination_wait.total_seconds() / 60:.0f} min" if release.termination_wait is not None else "-"
    gone = harm.end if release.status == "Succeeded" else over
    parts = (
        ("of it: green had a part of the traffic", moved, whole, f"{release.config}: {held} %"),
        ("of it: green had all, the former tasks stood", whole, over, f"termination wait {wait}: back in seconds"),
        ("of it: the former tasks were gone", over, gone, f"termination wait {wait}: back by a new deployment"),
    )
    spans = ((what, min(end, harm.end) - max(start, harm.start), setting) for what, start, end, setting in parts)
    return [Share(what, took, setting) for what, took, setting in spans if took > timedelta(0)]


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
    calls = [Mark(e.at, e.what) for e in after if e.call in DECISIONS and not _service(e.who)]
    known = [mark for mark in (*stops, *backs, *calls) if mark.at and mark.at >= harm.start]
    return min(known, key=lambda mark: mark.at or harm.end, default=Mark(None, "nobody acted in the window"))


def _first(entries: Iterable[Entry]) -> Mark:
    found = min(entries, key=lambda entry: entry.at, default=None)
    return (
        Mark(found.at, found.what.partition(": Threshold")[0], found)
        if found
        else Mark(None, "nothing noticed it in the window")
    )


def _service(who: str) -> bool:
    """Whether a service of AWS's made a call for itself: CodeDeploy moves its listener, scaling sets its counts."""
    return who.endswith(".amazonaws.com")


def _who(deployments: Iterable[Deployment]) -> str:
    by_alarm = any("ALARM_ACTIVE" in (found.error or "") for found in deployments)
    return "CodeDeploy, which watches the group's alarms" if by_alarm else "a person, or a runbook"


def _row(what: str, mark: Mark, since: datetime, form: str) -> dict[str, str | None]:
    return {
        "moment": what,
        "UTC": mark.at.strftime(form) if mark.at else None,
        "after": _span(mark.at - since) if mark.at else None,
        "by": mark.by,
    }


def _span(took: timedelta) -> str:
    seconds = int(took.total_seconds())
    return f"{seconds // 60}:{seconds % 60:02d} min"
