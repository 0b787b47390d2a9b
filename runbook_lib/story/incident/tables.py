"""What was seen of an incident, as tables and charts."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from runbook_lib import deployment
from runbook_lib.accesslog import Window
from runbook_lib.account import Account
from runbook_lib.deployment import Deployment
from runbook_lib.incident import actions
from runbook_lib.incident import causes as reasons
from runbook_lib.incident import changed as differing
from runbook_lib.incident import damage as hurting
from runbook_lib.incident import intervals as timing
from runbook_lib.incident.look import Incident
from runbook_lib.incident.requests import SOURCE
from runbook_lib.incident.window import moment_format
from runbook_lib.story import judging
from runbook_lib.story.incident.looked import Look
from runbook_lib.system import System
from runbook_lib.table import Table, table
from runbook_lib.views import charts
from runbook_lib.views import incident as drawing

GOOD = 3  # releases that one would go back to


def summary(account: Account, system: System, found: Look) -> Table:
    """The incident in a few lines."""
    del account
    incident = found.incident
    rows = [("service", incident.seen.service), ("window", str(incident.seen.window))]
    if incident.harm is None or incident.damage is None or incident.intervals is None:
        rows.append(("harm", _unharmed(found)))
    else:
        rate, spans = incident.damage.rate(), incident.intervals
        whole = str(Window(incident.harm.start, incident.harm.end))
        told = f"from {incident.harm.start:%Y-%m-%d %H:%M} UTC, and it had not ended" if spans.ongoing else whole
        failed = ("failed", f"{incident.damage.sum('failed'):.0f} ({100 * (rate or 0):.2f} %)")
        slow = _slow(incident, system.params.objective.latency_ms)
        rows += [
            ("harm", f"{incident.harm.by}, {told}"),
            *((("harm beside it", ", ".join(map(str, incident.harm.others))),) if incident.harm.others else ()),
            ("requests meanwhile", f"{incident.damage.sum('requests'):.0f}"),
            *((failed, slow) if "errors" in incident.harm.by else (slow, failed)),
            ("most likely", incident.causes[0].what if incident.causes else "not known"),
        ]
        if incident.seen.silence:
            rows.append(("no request", f"{incident.seen.silence}: nobody asked, or nobody reached the load balancer"))
    promised = system.params.objective
    rows.append(
        ("objective", f"{promised.availability_percent:g} % without a 5xx, p99 under {promised.latency_ms:g} ms")
    )
    return table("The incident", [{"what": what, "seen": seen} for what, seen in rows])


def timeline(account: Account, system: System, found: Look) -> Table:
    """Everything that happened, by one clock; with links into the console, of which a sandbox has none."""
    del account
    shown = found.incident.timeline.table(
        linked=system.params.target != "sandbox", form=moment_format(found.incident.seen.window)
    )
    title = "Timeline (in a sandbox without the links into the console)"
    return shown if system.params.target != "sandbox" else replace(shown, title=title)


def gaps(account: Account, system: System, found: Look) -> Table:
    """What the sources could not tell."""
    del account, system
    rows = [{"source": one.source, "missing": one.missing} for one in found.incident.timeline.gaps]
    return table("What the sources could not tell", rows, ("source", "missing"))


def errors(account: Account, system: System, found: Look) -> charts.Chart:
    """The share of failed requests by role."""
    del account, system
    return drawing.errors(found.incident)


def latency(account: Account, system: System, found: Look) -> charts.Chart:
    """The response time by role."""
    del account
    return drawing.latency(found.incident, limit_ms=system.params.objective.latency_ms)


def intervals(account: Account, system: System, found: Look) -> Table:
    """When harm began, was detected, decided and over."""
    del account, system
    form = moment_format(found.incident.seen.window)
    return found.incident.intervals.table(form) if found.incident.intervals else _none("Intervals", found)


def settings(account: Account, system: System, found: Look) -> Table:
    """How much of the time the settings themselves cost."""
    del account, system
    return timing.settings_table(found.incident.shares)


def damage(account: Account, system: System, found: Look) -> Table:
    """Who was hurt, by role."""
    del account, system
    return found.incident.damage.table() if found.incident.damage else _none("Damage", found)


def requests(account: Account, system: System, found: Look) -> Table:
    """The same from the access log, request by request."""
    del account, system
    seen = found.incident.seen.requests
    return seen.table() if seen else _unread(found)


def rests_on(account: Account, system: System, found: Look) -> Table:
    """Which files and lines of the access log the counts rest on, and what is not in them."""
    del account, system
    seen = found.incident.seen.requests
    return seen.said_table() if seen else _unread(found)


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
    return hurting.budget_table(found.incident.damage.budget) if found.incident.damage else _none("Error budget", found)


def judged(account: Account, system: System, found: Look) -> Table:
    """The judge on the last release in the window, by metrics and access logs: was the new version worse?"""
    del account, system
    if found.incident.seen.release is None:
        return table(judging.PAST, [{"what": "verdict", "seen": "no release in the window"}])
    if found.judge is None:
        return table(judging.PAST, [{"what": "verdict", "seen": f"not asked: {found.kept_in} is an earlier look"}])
    return found.judge().table()


def changed(account: Account, system: System, found: Look) -> Table:
    """What the release in the window changed."""
    del account, system
    return differing.differences_table(found.incident.seen.differences)


def causes(account: Account, system: System, found: Look) -> Table:
    """The candidates with their evidence."""
    del account, system
    return reasons.causes_table(found.incident.causes) if found.incident.harm else _none("Causes", found)


def todo(account: Account, system: System, found: Look) -> Table:
    """The action items."""
    good = _good(account, system, found)
    items = actions.items(
        found.incident,
        system.params.alarms,
        bad_commit=found.bad_commit,
        innocent=found.innocent,
        back_to=good[0][1] if good else None,
        logs=found.logs,
    )
    return actions.table_of(items)


def last_good(account: Account, system: System, found: Look) -> Table:
    """The last releases that went well, without the version that is to blame: what one would go back to."""
    rows = [
        {"deployment": one.id, "began": one.created.strftime("%Y-%m-%d %H:%M"), "revision": revision}
        for one, revision in _good(account, system, found)
    ]
    blamed = found.incident.blamed
    title = f"The last good releases{f' ({blamed} is to blame)' if blamed else ''}"
    return table(title, rows, ("deployment", "began", "revision"))


def _unread(found: Look) -> Table:
    why = next((one.missing for one in found.incident.timeline.gaps if one.source == SOURCE), "it was not read")
    return table("Access log", [{"what": why}])


def _none(what: str, found: Look) -> Table:
    return table(what, [{"what": _unharmed(found)}])


def _unharmed(found: Look) -> str:
    """Why no harm is told; what was not measured is not known to be well."""
    silence = found.incident.seen.silence
    if silence:
        return f"not known: no request was measured {silence}"
    if any(minute.requests for minute in found.incident.seen.measured.minutes):
        return "no minute of it hurt users, by the objective and by what the load balancer measured"
    return "not known: no request was measured in the window"


def _good(account: Account, system: System, found: Look) -> list[tuple[Deployment, str]]:
    """The newest releases that went well and are not to blame, with their revisions, at most GOOD of them."""
    known = deployment.read_deployments(account, system)
    well = (one for one in known if one.status == "Succeeded" and one.rolls_back is None)
    told = ((one, _revision(account, system, one)) for one in well)
    return list(islice(((one, revision) for one, revision in told if revision != found.incident.blamed), GOOD))


def _revision(account: Account, system: System, found: Deployment) -> str:
    return (deployment.read_task_definition_of(account, system, found) or "not known").rpartition("/")[2]


def _slow(incident: Incident, limit_ms: float) -> tuple[str, str]:
    """The slow answers where an access log tells them, else the worst p99."""
    seen = incident.seen.requests
    if seen is not None:
        during = [one for one in seen.served if one.phase == "during"]
        many, label = sum(one.requests for one in during), f"slower than {seen.slow_ms} ms"
        if all(one.p50 is None for one in during):
            return label, "not known: no request in the access log had an answer of a target"
        return label, f"{seen.slow} of {many} in the access log ({100 * seen.slow / many:.2f} %)"
    p99 = max((m.p99 or 0 for m in incident.harm.minutes), default=0.0) if incident.harm else 0.0
    return "worst p99 of a minute", f"{1000 * p99:.0f} ms, {limit_ms:g} ms are promised"
