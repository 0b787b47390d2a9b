"""A build that asks the world everything that a build can ask, and what it leaves behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from codebuild_stage import APP, LOGIN, REGISTRY, RESULTS, S3, Stage, environment, spec

# Everything that a build can ask the world: its time, its sleep, the registry and S3.
SPEC = {
    "pre_build": [LOGIN, "mkdir out; cd out", "TAG=v$(date +%H%M%S)"],
    "build": [f"docker build -q -t {REGISTRY}:$TAG ..", "sleep 45", "echo built at $(date +%s)"],
    "post_build": [
        f"docker push {REGISTRY}:$TAG",
        f"aws s3 cp ../app.py s3://{RESULTS}/app.py --quiet",
        "printf %s $TAG > tag.txt",
    ],
    "artifacts": {"files": ["**/*"], "base-directory": "out"},
    "env": {"shell": "bash", "exported-variables": ["TAG"]},
}


def prepared(stage: Stage, *, files: dict[str, str] | None = None, **changes: Any) -> Stage:
    """A project that does all this."""
    source = {**stage.put("app.zip", **(files or APP)), "buildspec": spec(**SPEC)}
    settings = {
        "source": source,
        "artifacts": {**S3, "packaging": "ZIP"},
        "environment": environment(privilegedMode=True),
    } | changes
    stage.create(**settings)
    return stage


def traces(stage: Stage, build: dict[str, Any]) -> dict[str, Any]:
    """Everything that a build leaves: its answer, log and artifact, what it called, and the images."""
    return {
        "build": build,
        "log": [(each["timestamp"], each["message"]) for each in stage.events(build)],
        "stored": {key: stage.stored(RESULTS, key) for key in stage.listed()},
        # The wire is left out: an answer that is played back was not asked for by a client with a name. So is the
        # number, which counts the looks of the test at the build too.
        "calls": [vars(replace(call, wire=None, number=0)) for call in stage.world.calls],
        "images": stage.images(),
        "now": stage.world.now,
    }
