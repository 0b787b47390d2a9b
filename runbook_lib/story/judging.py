"""Judging a release: the measured minutes of both colours in front of the judge, now or long after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from runbook_lib import analysis, balancer, deployment, metric
from runbook_lib.account import Account
from runbook_lib.analysis import Finding, Judgement, Observed
from runbook_lib.check import Checks, Verdict
from runbook_lib.metric import Metrics
from runbook_lib.story import logged
from runbook_lib.story.logged import Logged
from runbook_lib.story.tracking import BASELINE, LAG, Seen
from runbook_lib.system import System
from runbook_lib.table import Table, table
from runbook_lib.views import axis

PAST = "The judge on a release of the past"


@dataclass(frozen=True)
class Past:
    """A release of the past before the judge: when he would have stopped it, beside what happened."""

    deployment: deployment.Deployment
    judgement: Judgement
    logs: Logged

    def checks(self) -> Checks:
        """The judge's findings as answers."""
        return self.judgement.checks()

    def table(self) -> Table:
        """When it began, what was found, when it could have been acted on, and how it ended."""
        found, deciding = self.deployment, self.judgement.deciding
        failed = self.judgement.of(analysis.ERRORS) == Verdict.FAIL  # a few more on a path are chance otherwise
        rows = [
            ("deployment", found.id),
            ("began", f"{found.created:%Y-%m-%d %H:%M:%S} UTC"),
            ("verdict", str(self.judgement.verdict)),
            ("because", because(self.judgement)),
            ("evidence was there", _after(found.created, deciding.decided_at if deciding else None)),
            ("requests of green until then", deciding.decided_after if deciding else None),
            ("could be acted on, lag included", _after(found.created, deciding.acts_at if deciding else None)),
            ("ended", f"{found.status} {_after(found.created, found.completed) or ''}".strip()),
            ("error", found.error),
            *(("access logs", said) for said in self.logs.said),
            *(("worse on a path", str(path)) for path in (self.logs.paths if failed else ())),
        ]
        return table(PAST, [{"what": what, "seen": seen} for what, seen in rows])


def judged(seen: Seen, probed: Sequence[analysis.Event] = ()) -> Judgement:
    """What the judge says of a followed deployment by everything that is measured and probed now."""
    blue, green = seen.group("Blue"), seen.group("Green")
    who = axis.Roles(blue, green) if blue and green else None
    minutes = _comparable(seen.metrics, who, seen.deployment) if who else ()
    observed = [Observed(analysis.METRICS, until=min(seen.metrics.end, seen.at), minutes=minutes)]
    if probed:
        observed.append(Observed(analysis.PROBES, until=seen.at, rows=analysis.rows(probed)))
    return analysis.judge(observed, now=seen.at)


def retrospective(account: Account, system: System, deployment_id: str) -> Past:
    """What the judge would have said of a release of the past: the same judge, on metrics and on access logs.

    Points of one minute are kept for 15 days (CloudWatch API reference, GetMetricData), access logs as long as their
    bucket keeps them. Where one of the two is missing, the other one is judged alone.
    """
    found = deployment.read_deployment(account, system, deployment_id)
    lb = balancer.read_balancer(account, system)
    end = min(found.completed or account.clock.now(), metric.closed(account.clock.now(), lag=LAG))
    who = axis.roles(found, lb.live() or system.target_groups[0], system.target_groups)
    read = metric.read_metrics(account, lb, sorted(system.target_groups), start=found.created - BASELINE, end=end)
    minutes = _comparable(read, who, found)
    logs = logged.read(account, lb, who, found, end, slow_ms=_blue_p95(minutes))
    observed = [Observed(analysis.METRICS, until=end, minutes=minutes)]
    if logs.observed is not None:
        observed.append(logs.observed)
    return Past(found, analysis.judge(observed, now=end), logs)


def _blue_p95(minutes: Sequence[analysis.ClosedMinute]) -> float | None:
    """The middle of the p95 of blue's minutes in milliseconds; None where nothing was measured (any more)."""
    blue = (minute for minute in minutes if minute.role == "blue")
    found = [ms for minute in blue for percent, ms in minute.percentiles if percent == logged.SLOW_PERCENT]
    return median(found) if found else None


def because(judgement: Judgement) -> str:
    """The reason of a verdict in one line: the finding that decided, or the worst answer of each question."""
    deciding = judgement.deciding
    if deciding is not None:
        return f"{deciding.question}: {deciding.reason} ({deciding.source.name})"
    told: dict[str, list[str]] = {}  # what several sources say alike is told once
    for one in judgement.findings:
        if one.verdict == judgement.verdict:
            told.setdefault(f"{one.question}: {one.reason}", []).append(one.source.name)
    return "; ".join(f"{said} ({', '.join(who)})" for said, who in told.items()) or "nothing was measured"


def told(judgement: Judgement) -> dict[str, object]:
    """A judgement as a line of the journal: each finding with effect, interval, samples and what could be seen."""
    return {"verdict": str(judgement.verdict), "findings": [_told(finding) for finding in judgement.findings]}


def _told(found: Finding) -> dict[str, object]:
    return {
        "question": found.question,
        "source": found.source.name,
        "verdict": str(found.verdict),
        "reason": found.reason,
        "green": {"requests": found.green.requests, "bad": found.green.bad},
        "blue": {"requests": found.blue.requests, "bad": found.blue.bad},
        "ratio": found.ratio,
        "ratio_between": [found.ratio_low, found.ratio_high],
        "rise": found.rise,
        "rise_at_most": found.rise_high,
        "smallest_that_would_be_seen": found.smallest,
        "evidence_at": found.decided_at,
        "evidence_after_requests": found.decided_after,
        "acts_at": found.acts_at,
    }


def _comparable(read: Metrics, who: axis.Roles, found: deployment.Deployment) -> tuple[analysis.ClosedMinute, ...]:
    """The minutes of the shift, and those before it in which blue was alone.

    What the other target group got earlier belongs to another deployment, in which its role may have been another one.
    """
    began = found.began("AllowTraffic")
    if began is None:
        return ()
    first = began.replace(second=0, microsecond=0)
    busy = {minute.at for minute in read.minutes if minute.group == who.green and minute.requests}
    kept = (minute for minute in read.minutes if minute.at >= first or minute.at not in busy)
    return analysis.closed_minutes(kept, blue=who.blue, green=who.green)


def _after(start: datetime, at: datetime | None) -> str | None:
    if at is None:
        return None
    seconds = int((at - start).total_seconds())
    return f"T+{seconds // 60:02d}:{seconds % 60:02d}"
