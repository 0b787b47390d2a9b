"""Acting on a release while it is under way: continue, let go on, or stop with rollback; each with its reason.

CodeDeploy has no pause in the middle of a shift: it goes on or is stopped with rollback, which it can be until it
terminates blue.  "Wait longer" is chosen beforehand, by the canary's interval and the termination wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from runbook_lib import alarm, balancer, deployment, target_group
from runbook_lib.account import Account
from runbook_lib.analysis import Judgement
from runbook_lib.check import Check, Checks, Verdict, ask, checks
from runbook_lib.journal import Journal
from runbook_lib.step import Plan, Step, apply
from runbook_lib.story import judging
from runbook_lib.story.probing import EVERY, Prober
from runbook_lib.story.tracking import Seen
from runbook_lib.system import System

Action = Literal["continue", "go on", "stop"]
LAST_MOMENT = timedelta(seconds=30)  # before the last step of a shift: a stop takes some seconds
READY_EVERY = timedelta(minutes=2)  # between two askings whether green may get traffic
HOOKS = ("BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic")


@dataclass(frozen=True)
class Decision:
    """What was decided of a deployment, by which rule and why; `done` is False where it was only reported."""

    at: datetime
    rule: str
    action: Action
    reason: str
    done: bool

    def line(self, began: datetime) -> str:
        """When, what, why."""
        seconds = int((self.at - began).total_seconds())
        what = self.action if self.done else f"would {self.action} (report only)"
        return f"T+{seconds // 60:02d}:{seconds % 60:02d}  decided: {what}: {self.reason}"


@dataclass(frozen=True)
class Wish:
    """What a rule wants done, and why."""

    action: Action
    reason: str


@dataclass
class Controller:
    """Decides at every look, does what it decided, and writes both into the journal."""

    account: Account
    system: System
    journal: Journal
    decisions: list[Decision] = field(default_factory=list)
    judgement: Judgement | None = None  # the last one; None while nothing could be judged
    judged_to: datetime | None = None
    asked_ready: datetime | None = None
    prober: Prober | None = None  # own probes, where the parameters want them

    def __post_init__(self) -> None:
        if self.system.params.release.probe:
            self.prober = Prober(self.account, self.system)

    def look(self, seen: Seen) -> Decision | None:
        """Judge what is new, and act where a rule wants it; a deployment that goes back is never touched."""
        if seen.deployment.goes_back or seen.deployment.over or self.stopped:
            return None
        if self.prober is not None:
            self.prober.look(seen)
        self._judge(seen)
        for rule, ask_rule in RULES.items():
            known = any(decision.rule == rule for decision in self.decisions)
            wish = None if known else ask_rule(self, seen)
            if wish is not None:
                return self._decide(rule, wish, seen)
        return None

    @property
    def stopped(self) -> bool:
        """Whether a stop was asked for."""
        return any(decision.action == "stop" and decision.done for decision in self.decisions)

    @property
    def acts(self) -> bool:
        """Whether decisions are carried out, or only reported."""
        return self.system.params.release.judge != "report"

    def _judge(self, seen: Seen) -> None:
        probed = bool(self.prober and self.prober.sent == seen.at)
        if self.system.params.release.judge == "off" or (seen.metrics.end == self.judged_to and not probed):
            return
        if seen.deployment.began("AllowTraffic") is None:
            return
        self.judged_to = seen.metrics.end
        before, self.judgement = self.judgement, judging.judged(seen, self.prober.events if self.prober else ())
        if before is None or _answers(before) != _answers(self.judgement):
            self.journal.write("judgement", deployment=seen.deployment.id, **judging.told(self.judgement))

    @property
    def pace(self) -> float | None:
        """Seconds between two looks that own probes want, None without them."""
        return EVERY.total_seconds() if self.prober is not None else None

    def _decide(self, rule: str, wish: Wish, seen: Seen) -> Decision:
        step = self._step(wish, seen)
        done = step is None or self.acts
        decision = Decision(seen.at, rule, wish.action, wish.reason, done)
        self.decisions.append(decision)
        self.journal.write("decision", deployment=seen.deployment.id, **vars(decision))
        if step is not None and self.acts:
            title = f"{wish.action.capitalize()} {seen.deployment.id}"
            apply(Plan(title, self.system.name, (step,)), account=self.account, journal=self.journal)
        return decision

    def _step(self, wish: Wish, seen: Seen) -> Step | None:
        if wish.action == "stop":
            return deployment.plan_stop(seen.deployment, why=wish.reason)
        return deployment.plan_continue(seen.deployment, why=wish.reason) if wish.action == "continue" else None

    # ---- the rules, in the order in which they are asked

    def _starts(self, seen: Seen) -> Wish | None:
        """A circuit breaker: CodeDeploy alone would try for sixty minutes (failure mode D3)."""
        limit = self.system.params.release.failed_starts
        if len(seen.failures) < limit or seen.deployment.shifted:
            return None
        reasons = [task.reason or task.code for task in seen.failures]
        most = max(dict.fromkeys(reasons), key=reasons.count)
        return Wish("stop", f"{len(seen.failures)} tasks of the new version failed to start or to stay: {most}")

    def _hook(self, seen: Seen) -> Wish | None:
        """A hook that does not answer: CodeDeploy alone would wait for an hour (failure mode D6)."""
        limit = self.system.params.release.hook_minutes
        running = [e for e in seen.deployment.events if e.name in HOOKS and e.status == "InProgress" and e.start]
        if limit is None or not running or seen.at - (running[0].start or seen.at) < timedelta(minutes=limit):
            return None
        return Wish("stop", f"the hook of {running[0].name} has not answered for {limit} minutes")

    def _ready(self, seen: Seen) -> Wish | None:
        """The gate before production traffic, where the deployment waits for somebody who continues it."""
        if seen.phase != "ready" or (self.asked_ready and seen.at - self.asked_ready < READY_EVERY):
            return None
        self.asked_ready = seen.at
        answers = self._check_ready(seen)
        self.journal.write("checks", title=answers.title, verdict=str(answers.verdict), answers=list(answers.answers))
        worst = max(answers.answers, key=lambda answer: answer.verdict)
        if worst.verdict <= Verdict.SKIP:
            return Wish("continue", f"{len(answers.answers)} answers before production traffic are good")
        # What is not known yet is asked again until the wait is over; then CodeDeploy stops by itself.
        return Wish("stop", f"{worst.question} {worst.seen}") if worst.verdict == Verdict.FAIL else None

    def _worse(self, seen: Seen) -> Wish | None:
        """The new version is worse than the former one."""
        if self.judgement is None or self.judgement.verdict != Verdict.FAIL:
            return None
        return Wish("stop", judging.because(self.judgement))

    def _last_moment(self, seen: Seen) -> Wish | None:
        """Before the last step of the shift: OK goes on, and what cannot be told does what was chosen beforehand."""
        if self.judgement is None or len(seen.changes) < 2 or seen.deployment.shifted:
            return None
        if not seen.changes[-1] - LAST_MOMENT <= seen.at < seen.changes[-1]:
            return None
        if self.judgement.verdict == Verdict.OK:
            return Wish("go on", f"OK: {judging.because(self.judgement)}")
        chosen = self.system.params.release.when_inconclusive
        reason = f"INCONCLUSIVE: {judging.because(self.judgement)}; release.when_inconclusive is {chosen}"
        return Wish("stop" if chosen == "stop" else "go on", reason)

    def _check_ready(self, seen: Seen) -> Checks:
        lb = balancer.read_balancer(self.account, self.system)
        green = seen.group("Green")
        share = next((one for one in seen.deployment.shares if one.label == "Green"), None)
        answers: list[Check] = []
        if green is not None and share is not None and green in lb.groups:
            answers.append(_not_yet(target_group.check_targets(lb.groups[green], wanted=share.desired)))
            shown = sorted(name for name, weight in (lb.test.weights if lb.test else {}).items() if weight)
            answers.append(
                ask("Does the test listener show the new version?", shown == [green], seen=shown, wanted=[green])
            )
        answers += alarm.check_alarms(alarm.read_alarms(self.account, self.system.alarms), self.system.alarms)
        if self.prober is not None:
            answers.append(self.prober.check(seen))
        return checks("Before production traffic", answers)


RULES: dict[str, Callable[[Controller, Seen], Wish | None]] = {
    "failed starts": Controller._starts,
    "silent hook": Controller._hook,
    "ready wait": Controller._ready,
    "judged worse": Controller._worse,
    "last moment": Controller._last_moment,
}


def last_moment(seen: Seen) -> datetime | None:
    """When a decision is due that nobody's reading asks for; None when none is."""
    at = seen.changes[-1] - LAST_MOMENT if len(seen.changes) > 1 else None
    return at if at is not None and at > seen.at else None


def _not_yet(answer: Check) -> Check:
    """A target that is not healthy yet may become it: that is no reason to stop."""
    return replace(answer, verdict=Verdict.INCONCLUSIVE) if answer.verdict == Verdict.FAIL else answer


def _answers(judgement: Judgement) -> list[tuple[str, str, Verdict]]:
    return [(finding.question, finding.source.name, finding.verdict) for finding in judgement.findings]
