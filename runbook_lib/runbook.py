"""The story's verbs: begin, look, check, plan, gate, apply, wait, decide, and the evidence at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from runbook_lib import application, bracket, lease, ownership, params, step, system, views
from runbook_lib.account import Account, Load, open_account
from runbook_lib.check import Checks, Verdict
from runbook_lib.gate import Opened, gate
from runbook_lib.handle import Handle
from runbook_lib.journal import RUN_DIRECTORY, Journal
from runbook_lib.step import Applied, Plan
from runbook_lib.story import board, control, follow, tracking
from runbook_lib.story.shares import JOURNALS
from runbook_lib.system import System

SAMPLE = Path(__file__).parent / "sandbox" / "application"


@dataclass(frozen=True)
class Runbook:
    """One run of one notebook: the account it works on, the system it works for, and what it wrote down."""

    name: str
    params: params.Params
    account: Account
    system: System
    journal: Journal
    keeper: lease.Keeper
    before: Journal  # what was done to bring a sandbox to the state that this notebook starts from
    load: Load | None = None  # what had come of live traffic when it began; None where none flows

    @property
    def journals(self) -> tuple[Journal, ...]:
        """What is written down in this process, the earliest first."""
        return (self.before, self.journal)

    def look(self, read: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """Read something and show it; looking changes nothing and never moves time."""
        found = read(self.account, self.system, *arguments, **more)
        views.show(found)
        return found

    def check(self, ask: Callable[..., Checks], *arguments: Any, **more: Any) -> Checks:
        """Ask the questions, show the answers and write them down; nothing is raised: gates do that."""
        answers = ask(self.account, self.system, *arguments, **more)
        self.journal.write("checks", title=answers.title, verdict=str(answers.verdict), answers=list(answers.answers))
        views.show(views.checks_table(answers))
        return answers

    def preflight(self, ready: Checks, *, branch: str | None = None) -> None:
        """Ask every known way to fail that this notebook can meet, and show the answers; raises CheckFailed on a FAIL.

        The files are those of a branch (None: the pipeline's).
        `ready` are the answers to the notebook's own questions: a deployment that is under way though they are good is
        this very run's, taken up again, and then the world in its midst is no world to start from.
        """
        from runbook_lib.preflight import stages
        from runbook_lib.preflight.account import read_system

        picture = read_system(self.account, self.system, branch=branch)
        if picture.live and picture.live.active and not ready.bad:
            views.show(views.Line("What can fail was asked before this release began; it is gone on with."))
            return
        report = stages.examine_stage(self.name, picture)
        bad = [one.story.id for one in report.asked if one.verdict > Verdict.SKIP]
        self.journal.write("preflight", verdict=str(report.verdict), questions=len(report.asked), not_good=bad)
        for shown in views.preflight_tables(report):
            views.show(shown)
        stages.require(report)

    def plan(self, make: Callable[..., Plan], *arguments: Any, **more: Any) -> Plan:
        """Make a plan and show it: the dry run; nothing is changed."""
        plan = make(self.account, self.system, *arguments, **more)
        views.show(views.plan_table(plan))
        foreign = ownership.claimed(plan, self.account)
        not_ours = [f"Not ours: {step.title} would change what belongs to {claim.by}" for step, claim in foreign]
        for note in (*plan.notes, *not_ours):
            views.show(views.Line(note))
        return plan

    def gate(self, title: str, answers: Checks, plan: Plan | None = None) -> None:
        """Go on only when every answer is good and somebody answers for it; a plan that does nothing needs nobody."""
        if plan is not None and not plan.needed:
            views.show(views.Line(f"no gate: {title} has nothing to do"))
            return
        opened: Opened = gate(title, answers, params=self.params, journal=self.journal)
        views.show(views.Line(str(opened)))

    def apply(self, plan: Plan) -> Applied:
        """Do what the plan says and say what came of it; a lease that is among it is kept until the end."""
        self.keeper.renew_if_due()
        applied = step.apply(plan, account=self.account, journal=self.journal)
        self.keeper.taken(applied)
        views.show(views.Line(views.applied_line(applied)))
        return applied

    def wait(self, until: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """Wait for something, within its own limit, and show what came of it."""
        asked = self.account.clock.now()
        found = until(self.account, self.system, *arguments, **more)
        waited = (self.account.clock.now() - asked).total_seconds()
        self.journal.write("wait", what=until.__name__, seconds=waited)
        views.show(found if not isinstance(found, str) else views.Line(found))
        return found

    def read(self, read: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """Read something without showing it."""
        return read(self.account, self.system, *arguments, **more)

    def follow(self, started: Handle) -> follow.Followed:
        """Follow a deployment by its id until its traffic has moved and it was watched, or it is over.

        On the way it is judged and acted on as `release.judge` says; one that goes back is only followed.
        """
        progress, began = views.Progress(f"deployment {started.id}"), self.account.clock.now()
        watched = timedelta(minutes=self.params.release.watch_minutes)
        samples: list[tracking.Sample] = []

        def done(known: tracking.Seen) -> bool:
            found = known.deployment
            ended = [event.end for event in found.events if event.end]
            return found.shifted and (found.goes_back or known.at >= max(ended) + watched)

        def seen(known: tracking.Seen, changed: tracking.Sample | control.Decision | None) -> None:
            samples.append(known.sample)
            if changed is not None:
                progress.say(changed.line(began), board.table_of(known), lambda: board.chart_of(known, samples))

        return follow.deployment(
            self.account,
            self.system,
            started.id,
            journal=self.journal,
            until=done,
            seen=seen,
            control=control.Controller(self.account, self.system, self.journal),
        )

    def decide(self, ending: Callable[..., str], *arguments: Any) -> None:
        """Say how it ended, or raise what the ending is: exit code 4 for rolled back, 5 for failed."""
        said = ending(self.account, self.system, *arguments)
        self.journal.write("decide", said=said)
        views.show(views.Line(said))

    def end(self) -> None:
        """Let scaling go on, give the lease back, show what this run did by its journal, and keep it as JSON."""
        if self.keeper.lease is not None:
            self._close_bracket()
        if self.keeper.give_back():
            views.show(views.Line("The lease is given back."))
        load = self.account.load() if self.load else None
        if load and self.load:
            self.journal.write("load", **vars(load.since(self.load)))
        self.journal.write("end", notebook=self.name)
        views.show(views.ending_table(self.journal))
        if self.journal.path is not None:
            self.journal.path.with_suffix(".json").write_text(self.journal.as_json(), encoding="utf-8")

    def _close_bracket(self) -> None:
        closing = bracket.plan_close(self.account, self.system)
        if closing is not None:
            views.show(views.plan_table(closing))
            self.apply(closing)

    def repair(self) -> None:
        """Close the scaling bracket that a killed run has left open; while somebody releases it is only told."""
        from botocore.exceptions import ClientError

        try:
            noted = bracket.read_note(self.account, self.system)
        except ClientError as error:
            # Somebody who may only look at the service is not kept from looking at it.
            if error.response["Error"]["Code"] not in ("AccessDenied", "403"):
                raise
            views.show(views.Line("Whether a release has left scaling suspended is unknown: its note may not be read."))
            return
        if noted is None:
            return
        why = bracket.open_because(self.account, self.system)
        left = f"Scaling of {self.system.service} is suspended since {noted.since:%H:%M} UTC, by {noted.run}"
        views.show(views.Line(f"{left}: {why}." if why else f"{left}, which has ended: it goes on now."))
        if why is None:
            self._close_bracket()


def begin(
    name: str,
    params_file: str = "sandbox",
    overrides: Mapping[str, Any] | None = None,
    *,
    world: str = "empty",
) -> Runbook:
    """Begin a run: read the parameters, open the account, say where we are, and see that the world is ready.

    `world` is the state that this notebook starts from: an embedded sandbox is brought to it, a shared world is
    brought to at least it, and on AWS it is only checked.
    """
    from runbook_lib.story import worlds

    account, target = opened(params_file, overrides)
    journal = Journal(account.clock, _journal_path(name))
    keeper = lease.Keeper(account, target, journal)
    kept = replace(account, clock=lease.KeepingClock(account.clock, keeper.renew_if_due))
    # What the earlier notebooks did is not this run's doing: it goes into a journal of its own.
    run = Runbook(name, target.params, kept, target, journal, keeper, Journal(account.clock))
    run.journal.write(
        "begin", notebook=name, target=account.target, place=account.place, account=account.id, who=account.who
    )
    views.show(views.Line(banner(run)))
    views.on_error(tell_what_is_known)
    worlds.bring(run.account, run.system, world, journal=run.before)
    run.repair()
    return replace(run, load=run.account.load())


def opened(params_file: str, overrides: Mapping[str, Any] | None = None) -> tuple[Account, system.System]:
    """The account that the parameters name, opened, and the system on it."""
    chosen = params.load(params_file, dict(overrides or {}))
    app = application.read(Path(chosen.application) if chosen.application else SAMPLE)
    chosen = _of_application(chosen, app)
    account = open_account(chosen)
    return account, system.resolve(chosen, app, account)


def tell_what_is_known(error: BaseException) -> None:
    """Show the failure modes that an error tells of: cause, remedy, and the check that would have found it."""
    from runbook_lib.preflight.decode import decode_error

    found = decode_error(error)
    if found:
        views.show(views.decoded_table(found))


def banner(run: Runbook) -> str:
    """One line that says what world this is: the sandbox, or which account, region, service and who."""
    where = f"{run.account.id} {run.account.region}"
    service = f"service {run.system.service} in cluster {run.system.cluster}"
    if run.account.target == "sandbox":
        return f"SANDBOX {where}, {service}: nothing here touches AWS"
    return f"AWS {where}, {service}, as {run.account.who.rpartition(':')[2]}"


def _of_application(chosen: params.Params, app: application.Application) -> params.Params:
    """In the sandbox the account and region are those that the application's own files name."""
    if chosen.target != "sandbox":
        return chosen
    named = {"account": chosen.account or app.account, "region": chosen.region or app.region}
    return chosen.model_copy(update=named)


def _journal_path(name: str) -> Path | None:
    """The folder of this run as the runner gives it, else one of our own among the journals that are kept."""
    run, shelf = os.environ.get(RUN_DIRECTORY), os.environ.get(JOURNALS)
    if run is None and shelf is not None:
        number = next(n for n in count(1) if not (Path(shelf) / f"{name}-{n}").exists())
        run = str(Path(shelf) / f"{name}-{number}")
    return Path(run) / "journal.jsonl" if run else None
