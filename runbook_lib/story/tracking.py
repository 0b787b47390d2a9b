"""One deployment as it is followed: everything that is worth seeing of it, for as few calls as its phase allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from runbook_lib import alarm as alarms
from runbook_lib import balancer as balancers
from runbook_lib import deployment as deployments
from runbook_lib import metric as metrics
from runbook_lib import polling, scaling
from runbook_lib import service as services
from runbook_lib.account import Account
from runbook_lib.balancer import Balancer
from runbook_lib.deployment import Deployment
from runbook_lib.journal import Journal
from runbook_lib.metric import Metrics
from runbook_lib.polling import Phase, Rota, Source
from runbook_lib.scaling import Activity
from runbook_lib.service import StoppedTask
from runbook_lib.system import System

LAG = timedelta(minutes=3)  # metrics of a closed minute show up one to three minutes later
BASELINE = timedelta(minutes=10)  # what is measured of blue before the deployment began
LATE = timedelta(minutes=3)  # minutes that are read again, for points that came late


@dataclass(frozen=True)
class Sample:
    """What was seen of a deployment at one moment; weights in percent by target group.

    They are the listener's; before the shift, and for a moment after each change, those that CodeDeploy tells.
    `healthy` and `unhealthy` are those of the last minute that is measured, empty before there is one.
    """

    at: datetime
    phase: str
    weights: dict[str, float]
    running: dict[str, str]  # target group -> running of desired tasks
    healthy: dict[str, int]
    unhealthy: dict[str, int]
    failed_starts: int
    alarms: tuple[str, ...]  # those that are red
    scaled: int  # scaling activities since it began

    def line(self, began: datetime) -> str:
        """When, which event, who gets how much, and how many tasks run; what is wrong stands at the end."""
        seconds = int((self.at - began).total_seconds())
        groups = ", ".join(
            f"{name} {weight:.0f} % ({self.running.get(name, '0')} running)" for name, weight in self.weights.items()
        )
        told = [
            f"{self.failed_starts} task starts failed" if self.failed_starts else "",
            f"unhealthy: {sum(self.unhealthy.values())}" if any(self.unhealthy.values()) else "",
            f"red: {', '.join(self.alarms)}" if self.alarms else "",
            f"scaled {self.scaled} times" if self.scaled else "",
        ]
        more = "; ".join(word for word in told if word)
        head = f"T+{seconds // 60:02d}:{seconds % 60:02d}  {self.phase:<22} {groups}"
        return f"{head}  {more}".rstrip() if more else head

    def differs(self, other: Sample) -> bool:
        """Whether something changed that a reader wants to know, the measured health aside."""
        return self._told() != other._told()

    def _told(self) -> tuple[object, ...]:
        wrong = (self.failed_starts, sum(self.unhealthy.values()), self.alarms, self.scaled)
        return self.phase, self.weights, self.running, wrong


@dataclass(frozen=True)
class Seen:
    """Everything that is known of a followed deployment now."""

    at: datetime
    deployment: Deployment
    phase: Phase
    course: tuple[tuple[datetime, float], ...]  # predicted moments, and green's percent from then on; empty before
    sample: Sample
    metrics: Metrics
    failures: tuple[StoppedTask, ...]  # tasks of green that failed to start or to stay
    activities: tuple[Activity, ...]

    @property
    def changes(self) -> tuple[datetime, ...]:
        """The predicted moments at which its traffic moves."""
        return tuple(at for at, _ in self.course)

    @property
    def requested(self) -> float | None:
        """The percent that green should have now by the configuration; None before the shift."""
        return next((percent for at, percent in reversed(self.course) if at <= self.at), None)

    def group(self, label: str) -> str | None:
        """The target group of Blue or Green, None while CodeDeploy names none."""
        return next((share.target_group for share in self.deployment.shares if share.label == label), None)


@dataclass
class Tracker:
    """Follows one deployment by its id; `look` reads what is due and gives what is known then."""

    account: Account
    system: System
    id: str
    journal: Journal
    rota: Rota = field(default_factory=Rota)
    found: Deployment | None = None
    lb: Balancer | None = None
    measured: dict[tuple[datetime, str], metrics.Minute] = field(default_factory=dict)
    measured_to: datetime | None = None
    stopped: dict[str, StoppedTask] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()  # stopped tasks whose reasons are not read yet
    red: tuple[str, ...] = ()
    activities: tuple[Activity, ...] = ()
    unanswered: int = 0  # readings that AWS did not answer
    course: tuple[tuple[datetime, float], ...] = ()  # the predicted moments, and green's percent from then on

    def __post_init__(self) -> None:
        self.rota.ask("deployment", "target")

    def look(self) -> Seen:
        """Read what is due within the minute's calls, and say what is known; what AWS does not answer is read later."""
        if self.found is None:
            self._begin()
        assert self.found is not None
        now = self.now()
        while (source := self.rota.due(self.phase(now), now, self.changes)) is not None:
            self._read(source, now)
        return Seen(
            at=now,
            deployment=self.found,
            phase=self.phase(now),
            course=self.course,
            sample=self._sample(now),
            metrics=self._metrics(now),
            failures=tuple(task for task in self.stopped.values() if self._counts(task)),
            activities=self.activities,
        )

    def now(self) -> datetime:
        """What time it is at AWS: by a clock that is wrong no minute would be closed, or one that is not."""
        return self.account.clock.now() + (self.found.skew if self.found else timedelta(0))

    def _begin(self) -> None:
        """The first reading, without which nothing is known: it is tried for a while."""
        tried = 0
        while True:
            try:
                self.found = deployments.read_info(self.account, self.id)
                break
            except UNANSWERED as error:
                tried += 1
                if not _passing(error) or tried == FIRST_TRIES:
                    raise
                self.account.clock.sleep(PAUSE)
        self.rota.done("deployment", self.now())
        # Nothing is measured of green yet, and blue's minutes are read with the next ones.
        self.rota.read["metrics"] = self.now()
        if self.found.skew:
            self.journal.write("clock", ahead_seconds=-self.found.skew.total_seconds())

    def _read(self, source: Source, now: datetime) -> None:
        try:
            READERS[source](self, now)
        except UNANSWERED as error:
            if not _passing(error):
                raise
            # Asking again at once is what makes a throttled account worse.
            self.unanswered += 1
            self.rota.failed(source, now)
            self.journal.write("unanswered", source=source, error=str(error)[:200])

    def phase(self, now: datetime) -> Phase:
        """Where it stands, as far as following goes."""
        return polling.phase_of(self.found, now, self.changes) if self.found else "starting"

    def wait(self, seen: Seen) -> float:
        """Seconds until the next look is worth its calls."""
        return self.rota.wait(seen.phase, self.now(), self.changes)

    @property
    def changes(self) -> tuple[datetime, ...]:
        """The predicted moments at which the traffic moves, empty before the shift."""
        return tuple(at for at, _ in self.course)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be read that a change asked for."""
        return not self.rota.wanted

    # ---- reading, one source each

    def _read_deployment(self, now: datetime) -> None:
        assert self.found is not None
        info = deployments.read_info(self.account, self.id)
        self._noted(deployments.with_target_of(replace(info, skew=self.found.skew), self.found))
        self.rota.done("deployment", now)

    def _read_target(self, now: datetime) -> None:
        assert self.found is not None
        self._noted(deployments.read_target(self.account, self.system, self.found))
        self.rota.done("target", now)
        state = self.found.target_status
        # The target does not say why it ended, nor whether the deployment waits for somebody.
        if state not in (None, "Pending", "InProgress", "Succeeded", self.found.status) and not self.found.over:
            self.rota.ask("deployment")

    def _read_course(self, now: datetime) -> None:
        assert self.found is not None
        began = self.found.began("AllowTraffic")
        if began is not None:
            steps = deployments.read_steps(self.account, self.found)
            self.course = tuple((began + after, percent) for after, percent in steps)
        self.rota.done("course", now)

    def _read_pair(self, now: datetime) -> None:
        self.lb = balancers.read_pair(self.account, self.system)
        self.rota.done("pair", now)

    def _read_weights(self, now: datetime) -> None:
        if self.lb is None:
            self._read_pair(now)
            self.rota.ask("weights")
            return
        self.lb = balancers.read_listeners(self.account, self.system, self.lb)
        self.rota.done("weights", now)

    def _read_metrics(self, now: datetime) -> None:
        assert self.found is not None
        if self.lb is None:
            self._read_pair(now)
            self.rota.ask("metrics")
            return
        end = metrics.closed(now, lag=LAG)
        start = self.measured_to - LATE if self.measured_to else self.found.created - BASELINE
        if end > start:
            read = metrics.read_metrics(self.account, self.lb, sorted(self.lb.groups), start=start, end=end)
            self.measured |= {(minute.at, minute.group): minute for minute in read.minutes}
            self.measured_to = end
        self.rota.done("metrics", now)

    def _read_tasks(self, now: datetime) -> None:
        arns = services.list_stopped(self.account, self.system, self.system.service)
        self.rota.done("tasks", now)
        self.unknown = tuple(arn for arn in arns if services.short(arn) not in self.stopped)
        if self.unknown:
            self.rota.ask("failures")

    def _read_failures(self, now: datetime) -> None:
        found = services.describe_stopped(self.account, self.system, self.unknown)
        self.stopped |= {task.id: task for task in found if task.at is not None}  # the others are asked for again
        self.rota.done("failures", now)

    def _read_alarms(self, now: datetime) -> None:
        found = alarms.read_alarms(self.account, self.system.alarms)
        self.red = tuple(one.name for one in found if one.state == "ALARM")
        self.rota.done("alarms", now)

    def _read_activities(self, now: datetime) -> None:
        assert self.found is not None
        self.activities = scaling.read_activities(self.account, self.system, since=self.found.created)
        self.rota.done("activities", now)

    # ---- what follows from a reading

    def _noted(self, found: Deployment) -> None:
        """Keep what was read, and ask for what a change of it makes worth reading."""
        before, self.found = self.found, found
        if found.began("AllowTraffic") is not None and not self.changes and not found.over:
            self.rota.ask("course", "weights")
        if before is None:
            return
        if found.over and not before.over:
            self.rota.ask("weights", "alarms", "tasks")
        if before.events != found.events and found.status in ("Created", "Queued"):
            self.rota.ask("deployment")
        if found.shifted != before.shifted or (before.shares and _weights(found) != _weights(before)):
            self.rota.ask("weights")
        if before.shares and _desired(found) != _desired(before):
            self.rota.ask("activities")
        if any(share.running < share.desired for share in found.shares) and found.began("AllowTraffic"):
            self.rota.ask("tasks")

    def _counts(self, task: StoppedTask) -> bool:
        """Whether a stopped task is a failure of green: tasks of blue and those of before are somebody else's."""
        assert self.found is not None
        blue = {share.task_set for share in self.found.shares if share.label == "Blue"}
        return task.failed and task.task_set not in blue and (task.at is None or task.at >= self.found.created)

    def _metrics(self, now: datetime) -> Metrics:
        assert self.found is not None
        minutes = tuple(self.measured[key] for key in sorted(self.measured))
        return Metrics(self.found.created - BASELINE, self.measured_to or now, minutes)

    def _weights(self) -> dict[str, float]:
        """The listener's weights, or CodeDeploy's own word of them while the listener is not read (again) yet."""
        assert self.found is not None
        told = {share.target_group: share.weight for share in self.found.shares}
        if self.lb and self.lb.production and ("weights" not in self.rota.wanted or not told):
            told = {name: round(100 * part, 1) for name, part in self.lb.production.share.items()}
        return dict(sorted(told.items()))

    def _sample(self, now: datetime) -> Sample:
        assert self.found is not None
        last = {minute.group: minute for minute in self._metrics(now).minutes}  # the newest of each group
        began = self.found.began("AllowTraffic")  # before it green's targets are unhealthy until they have started
        return Sample(
            at=now,
            phase=self.found.phase,
            weights=self._weights(),
            running={share.target_group: f"{share.running} of {share.desired}" for share in self.found.shares},
            healthy={name: int(minute.healthy) for name, minute in last.items() if minute.healthy is not None},
            unhealthy={
                name: int(minute.unhealthy)
                for name, minute in last.items()
                if minute.unhealthy is not None and began is not None and minute.at >= began
            },
            failed_starts=sum(map(self._counts, self.stopped.values())),
            alarms=self.red,
            scaled=len(self.activities),
        )


# Throttling in the words of the services that are read (botocore's retries know the same ones).
THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException"}
)
UNANSWERED = (ClientError, ConnectionError, HTTPClientError)
FIRST_TRIES, PAUSE = 10, 15.0


def _passing(error: Exception) -> bool:
    """Whether a reading may well be answered the next time: throttled, an error of AWS's own, or nobody was reached."""
    if not isinstance(error, ClientError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error.response["Error"]["Code"] in THROTTLED or status >= 500


READERS: dict[Source, Callable[[Tracker, datetime], None]] = {
    "deployment": Tracker._read_deployment,
    "target": Tracker._read_target,
    "course": Tracker._read_course,
    "pair": Tracker._read_pair,
    "failures": Tracker._read_failures,
    "weights": Tracker._read_weights,
    "metrics": Tracker._read_metrics,
    "tasks": Tracker._read_tasks,
    "alarms": Tracker._read_alarms,
    "activities": Tracker._read_activities,
}


def _weights(found: Deployment) -> dict[str, float]:
    return {share.label: share.weight for share in found.shares}


def _desired(found: Deployment) -> dict[str, int]:
    return {share.label: share.desired for share in found.shares}
