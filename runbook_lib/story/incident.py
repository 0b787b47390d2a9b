"""After an incident: from a window to its timeline, damage, causes and a report to send."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from runbook_lib import accesslog, balancer, deployment, pipeline, repository
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.check import Checks, ask, checks, skip
from runbook_lib.errors import BadInput, CheckFailed
from runbook_lib.incident import actions, evidence, look
from runbook_lib.incident import causes as reasons
from runbook_lib.incident import changed as differing
from runbook_lib.incident import damage as hurting
from runbook_lib.incident import intervals as timing
from runbook_lib.incident.look import Incident
from runbook_lib.incident.redact import Redactor
from runbook_lib.incident.requests import SOURCE, Means
from runbook_lib.incident.window import window
from runbook_lib.journal import Journal
from runbook_lib.step import Plan
from runbook_lib.story import counting, delivery, judging, shares
from runbook_lib.system import System
from runbook_lib.table import Table, table
from runbook_lib.views import Progress, charts
from runbook_lib.views import incident as drawing
from runbook_lib.views.document import Document, Section

AROUND = timedelta(minutes=15)  # looked at on both sides of a deployment that failed
LAST = timedelta(hours=1)  # looked at where nothing says when it was
RUNS = "runs"


@dataclass(frozen=True)
class Look:
    """An incident as it was looked at, and what the report needs beside it."""

    incident: Incident
    bad_commit: str | None  # that waits to be deployed again
    logs: bool  # whether the load balancer writes access logs
    kept_in: str  # where what was read lies; empty: nowhere, for the run has no folder


def find_window(account: Account, system: System, since: str, until: str) -> Window:
    """The window that is named; else around the last deployment that did not go well; else the last hour."""
    now = account.clock.now()
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
    Raises CheckFailed for a window that is older than what AWS keeps when no earlier look covers it.
    """
    journals = tuple(journals)
    lb = balancer.read_balancer(account, system)
    if saved:
        seen, place = evidence.load(Path(saved)), saved
    elif look.expired(account, chosen):
        known = evidence.covering(_runs(journals), system.service, chosen)
        if not known:
            raise CheckFailed(
                where="the window",
                seen=f"{chosen}: older than the {look.MINUTE_POINTS.days} days for which minutes are kept",
                wanted="a younger window, or an earlier look at it below runs/",
                next_step="name its file with the parameter saved, or look at a younger window",
            )
        seen, place = evidence.load(known[0]), str(known[0])
    else:
        lines = (*shares.beside(account), *(entry for each in journals for entry in each.entries))
        cache = _runs(journals) / "access-logs" if any(each.path for each in journals) else None
        tell = partial(_tell, Progress("access logs"))
        means = Means(how.engine(account, journals), cache, tell)
        seen = look.read(account, system, chosen, lines, means)
        place = _keep(seen, journals)
    found = look.reason(seen, system.params.objective, system.params.alarms)
    return Look(found, _bad_commit(account, system), lb.logging_to is not None, place)


def summary(account: Account, system: System, found: Look) -> Table:
    """The incident in a few lines."""
    del account
    return _summary(system, found)


def timeline(account: Account, system: System, found: Look) -> Table:
    """Everything that happened, by one clock."""
    del account
    return _timeline(system, found)


def gaps(account: Account, system: System, found: Look) -> Table:
    """What the sources could not tell."""
    del account, system
    return _gaps(found)


def errors(account: Account, system: System, found: Look) -> charts.Chart:
    """The share of failed requests by role."""
    del account, system
    return drawing.errors(found.incident)


def latency(account: Account, system: System, found: Look) -> charts.Chart:
    """The response time by role."""
    del account, system
    return drawing.latency(found.incident)


def intervals(account: Account, system: System, found: Look) -> Table:
    """When harm began, was detected, decided and over."""
    del account, system
    return found.incident.intervals.table() if found.incident.intervals else _none("Intervals")


def settings(account: Account, system: System, found: Look) -> Table:
    """How much of the time the settings themselves cost."""
    del account, system
    return timing.settings_table(found.incident.shares)


def damage(account: Account, system: System, found: Look) -> Table:
    """Who was hurt, by role."""
    del account, system
    return found.incident.damage.table() if found.incident.damage else _none("Damage")


def requests(account: Account, system: System, found: Look) -> Table:
    """The same from the access log, request by request."""
    del account, system
    seen = found.incident.seen.requests
    return seen.table() if seen else _unread(found)


def worst(account: Account, system: System, found: Look) -> Table:
    """The paths, clients, targets, zones and user agents that were hurt most."""
    del account, system
    seen = found.incident.seen.requests
    return seen.worst_table() if seen else _unread(found)


def rejected(account: Account, system: System, found: Look) -> Table:
    """The lines of the access log that were not counted, and why."""
    del account, system
    seen = found.incident.seen.requests
    return seen.rejected_table() if seen else _unread(found)


def heat(account: Account, system: System, found: Look) -> charts.Chart:
    """The durations of all answers, minute by minute."""
    del account, system
    return drawing.heat(found.incident)


def budget(account: Account, system: System, found: Look) -> Table:
    """What it took of the error budget."""
    del account, system
    return hurting.budget_table(found.incident.damage.budget) if found.incident.damage else _none("Error budget")


def judged(account: Account, system: System, found: Look) -> Table:
    """The judge on the last release in the window, by metrics and access logs: was the new version worse?"""
    seen = found.incident.seen
    releases = [one for one in seen.deployments if not one.goes_back]
    if not releases:
        return table(judging.PAST, [{"what": "verdict", "seen": "no release in the window"}])
    if look.expired(account, seen.window):
        told = f"not asked: minutes are kept for {look.MINUTE_POINTS.days} days"
        return table(judging.PAST, [{"what": "verdict", "seen": told}])
    return judging.retrospective(account, system, releases[-1].id).table()


def changed(account: Account, system: System, found: Look) -> Table:
    """What the release in the window changed."""
    del account, system
    return differing.differences_table(found.incident.seen.differences)


def causes(account: Account, system: System, found: Look) -> Table:
    """The candidates with their evidence."""
    del account, system
    return reasons.causes_table(found.incident.causes) if found.incident.harm else _none("Causes")


def todo(account: Account, system: System, found: Look) -> Table:
    """The action items."""
    del account
    return actions.table_of(_items(system, found))


def last_good(account: Account, system: System) -> Table:
    """The last release that went well: what one would go back to."""
    rows = [
        {
            "deployment": one.id,
            "began": one.created.strftime("%Y-%m-%d %H:%M"),
            "revision": _revision(account, system, one),
        }
        for one in deployment.read_deployments(account, system)
        if one.status == "Succeeded" and one.rolls_back is None
    ]
    return table("The last good releases", rows[:3], ("deployment", "began", "revision"))


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


def write_report(account: Account, system: System, found: Look, folder: str = "") -> Table:
    """Write the report beside the journal, or into a folder that is named: a page, and Markdown with its charts."""
    del account
    if not folder and not found.kept_in:
        why = "nowhere: this run keeps no evidence; name a folder with report, or use `runbook run` or `make lab`"
        return table("Written", [{"file": "-", "what": why}])
    kept = Path(folder or Path(found.kept_in).parent)
    paths = document(system, found).write(kept, "incident")
    kinds = {".html": "page, opens without a network", ".md": "the same as Markdown", ".png": "chart of the Markdown"}
    return table("Written", [{"file": path.name, "what": kinds[path.suffix]} for path in paths])


def document(system: System, found: Look) -> Document:
    """The report: everything above, without names and secrets."""
    incident = found.incident
    hide = Redactor().know(entry.who for entry in incident.timeline.entries)
    sections = (
        Section("Summary", (hide.table(_summary(system, found)),)),
        Section(
            "What users felt",
            tuple(_hidden(hide, draw(incident)) for draw in (drawing.errors, drawing.latency, drawing.heat)),
        ),
        Section("When", (_of(incident.intervals), timing.settings_table(incident.shares))),
        Section("Who was hurt", (*map(hide.table, _damage(found)), *_rejected(found, hide))),
        Section(
            "Why",
            (
                hide.table(reasons.causes_table(incident.causes)),
                hide.table(differing.differences_table(incident.seen.differences)),
            ),
        ),
        Section("Action items", (hide.table(actions.table_of(_items(system, found))),)),
        Section("Timeline", (hide.table(_timeline(system, found)), hide.table(_gaps(found)))),
    )
    return Document(f"Incident of {incident.seen.service}, {incident.seen.window}", sections)


def _summary(system: System, found: Look) -> Table:
    incident = found.incident
    rows = [("service", incident.seen.service), ("window", str(incident.seen.window))]
    if incident.harm is None or incident.damage is None or incident.intervals is None:
        rows.append(("harm", "no minute of it hurt users, by the objective"))
    else:
        rate, spans = incident.damage.rate(), incident.intervals
        ended = "it had not ended" if spans.ongoing else f"{incident.harm.end:%H:%M}"
        rows += [
            ("harm", f"{incident.harm.by}, from {incident.harm.start:%H:%M} to {ended}"),
            ("requests meanwhile", f"{incident.damage.sum('requests'):.0f}"),
            ("failed", f"{incident.damage.sum('failed'):.0f} ({100 * (rate or 0):.2f} %)"),
            ("most likely", incident.causes[0].what if incident.causes else "not known"),
        ]
    promised = system.params.objective
    rows.append(
        ("objective", f"{promised.availability_percent:g} % without a 5xx, p99 under {promised.latency_ms:g} ms")
    )
    return table("The incident", [{"what": what, "seen": seen} for what, seen in rows])


def _timeline(system: System, found: Look) -> Table:
    """With links into the console, of which a sandbox has none."""
    shown = found.incident.timeline.table(linked=system.params.target != "sandbox")
    title = "Timeline (in a sandbox without the links into the console)"
    return shown if system.params.target != "sandbox" else replace(shown, title=title)


def _gaps(found: Look) -> Table:
    rows = [{"source": one.source, "missing": one.missing} for one in found.incident.timeline.gaps]
    return table("What the sources could not tell", rows, ("source", "missing"))


def _damage(found: Look) -> tuple[Table, ...]:
    hurt = found.incident.damage
    if hurt is None:
        return (_none("Damage"),)
    seen = found.incident.seen.requests
    logs = (seen.table(), seen.worst_table()) if seen else (_unread(found),)
    return (hurt.table(), *logs, hurting.budget_table(hurt.budget))


def _rejected(found: Look, hide: Redactor) -> tuple[Table, ...]:
    """Each with a line that clients wrote: hidden as such."""
    seen = found.incident.seen.requests
    if seen is None or not seen.rejects:
        return ()
    shown = replace(seen, rejects=tuple(replace(one, sample=hide.line(one.sample)) for one in seen.rejects))
    return (shown.rejected_table(),)


def _items(system: System, found: Look) -> tuple[actions.Item, ...]:
    return actions.items(found.incident, system.params.alarms, bad_commit=found.bad_commit, logs=found.logs)


def _hidden(hide: Redactor, chart: charts.Chart) -> charts.Chart:
    return replace(chart, title=hide.text(chart.title), sentence=hide.text(chart.sentence))


def _of(spans: timing.Intervals | None) -> Table:
    return spans.table() if spans else _none("Intervals")


def _tell(progress: Progress, now: accesslog.Progress) -> None:
    progress.say_seldom(str(now), now.seconds)


def _unread(found: Look) -> Table:
    why = next((one.missing for one in found.incident.timeline.gaps if one.source == SOURCE), "it was not read")
    return table("Access log", [{"what": why}])


def _none(what: str) -> Table:
    return table(what, [{"what": "no minute of the window hurt users"}])


def _runs(journals: tuple[Journal, ...]) -> Path:
    """Where runs keep their evidence: the folder around this run's, else the one below where we are."""
    above = (parent for each in journals if each.path for parent in each.path.parents)
    return next((parent for parent in above if parent.name == RUNS), Path(RUNS))


def _keep(seen: look.Seen, journals: tuple[Journal, ...]) -> str:
    folder = next((each.path.parent for each in journals if each.path), None)
    if folder is None:
        return ""
    evidence.save(seen, folder / evidence.NAME)
    return str(folder / evidence.NAME)


def _bad_commit(account: Account, system: System) -> str | None:
    """The commit of the newest run, where its deployment did not go well."""
    newest = next(iter(pipeline.read_executions(account, system, most=1)), None)
    return newest.commit if newest and newest.status == "Failed" else None


def _revision(account: Account, system: System, found: deployment.Deployment) -> str:
    return (deployment.read_task_definition_of(account, system, found) or "not known").rpartition("/")[2]
