"""Changes that somebody made shortly before, beside those of a release: a coincidence, until somebody looks."""

from __future__ import annotations

from runbook_lib.incident.causes.facts import SOON, WEAK, Cause, Facts

MOST = 5
# What a release is made of: it is a candidate by itself.
OF_A_RELEASE = frozenset(
    {
        "CompleteLayerUpload",
        "ContinueDeployment",
        "CreateCommit",
        "CreateDeployment",
        "CreateDeploymentConfig",
        "GitPush",
        "InitiateLayerUpload",
        "PutImage",
        "PutObject",
        "RegisterApplicationRevision",
        "RegisterTaskDefinition",
        "StartBuild",
        "UpdateDeploymentGroup",
        "UploadLayerPart",
    }
)


def ask(facts: Facts) -> list[Cause]:
    """The calls that changed something in the quarter of an hour before harm began, the nearest first."""
    since, until = facts.harm.start - SOON, facts.harm.start
    near = [entry for entry in facts.timeline.of("change") if since <= entry.at <= until]
    other = [entry for entry in near if entry.call not in OF_A_RELEASE]
    return [
        Cause(f"a change: {entry.what}", WEAK, (f"{(until - entry.at).total_seconds() / 60:.0f} min before",))
        for entry in sorted(other, key=lambda entry: until - entry.at)[:MOST]
    ]
