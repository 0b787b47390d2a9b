"""Who was who, and when: target groups swap their roles at every release, so a name alone says nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from runbook_lib.accesslog.window import Window
from runbook_lib.deployment import Deployment

LIVE, BLUE, GREEN = "live", "blue", "green"  # outside a deployment; the former and the new version in one


@dataclass(frozen=True)
class Tenure:
    """A role of a target group from one moment until another; the revision is None where nobody remembers it."""

    group: str
    role: str
    since: datetime
    until: datetime
    revision: str | None = None
    deployment: str | None = None

    def holds(self, at: datetime) -> bool:
        return self.since <= at < self.until


def tenures(
    deployments: Sequence[Deployment],
    revisions: Mapping[str, str | None],
    *,
    pair: Sequence[str],
    live: str,
    former: str | None,
    window: Window,
) -> tuple[Tenure, ...]:
    """The roles of both target groups in a window.

    `deployments` are those that were alive in it, oldest first; `revisions` the task definition of each by its id;
    `live` is the group that serves now, `pair` both groups, `former` the revision that served when the window began.
    """
    releases = [found for found in deployments if found.rolls_back is None]
    ends = {found.rolls_back: found for found in deployments if found.rolls_back}
    found: list[Tenure] = []
    at, now_live, revision = window.start, _first(releases, pair, live), former
    for each in releases:
        green = _label(each, "Green") or _other(pair, now_live)
        blue = _other(pair, green)
        begun, over = max(each.created, window.start), _over(each, ends.get(each.id), window)
        found += _span(now_live, LIVE, at, begun, revision)
        found += _span(blue, BLUE, begun, over, revision, each.id)
        found += _span(green, GREEN, begun, over, revisions.get(each.id), each.id)
        at = over
        if each.status == "Succeeded":
            now_live, revision = green, revisions.get(each.id)
    found += _span(now_live, LIVE, at, window.end, revision)
    return tuple(found)


def role_of(tenures: Sequence[Tenure], group: str, at: datetime) -> Tenure | None:
    """The role that a group had at a moment, None when it had none; of a minute it is that of its beginning."""
    return next((tenure for tenure in tenures if tenure.group == group and tenure.holds(at)), None)


def _first(releases: Sequence[Deployment], pair: Sequence[str], live: str) -> str:
    """Who served when the window began: who was blue in its first deployment, else who serves now."""
    if not releases:
        return live
    blue, green = _label(releases[0], "Blue"), _label(releases[0], "Green")
    return blue or (_other(pair, green) if green else live)


def _label(found: Deployment, label: str) -> str | None:
    return next((share.target_group for share in found.shares if share.label == label), None)


def _other(pair: Sequence[str], group: str) -> str:
    return next(name for name in pair if name != group)


def _over(found: Deployment, back: Deployment | None, window: Window) -> datetime:
    """When both versions stopped to share the traffic: at the end of the deployment, or of its rollback."""
    ends = [one.completed or window.end for one in (found, back) if one]
    return max(min(max(ends), window.end), window.start)


def _span(
    group: str, role: str, since: datetime, until: datetime, revision: str | None, deployment: str | None = None
) -> list[Tenure]:
    return [Tenure(group, role, since, until, revision, deployment)] if since < until else []
