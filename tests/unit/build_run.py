"""Runs a buildspec's commands with bash, docker and aws replaced by stand-ins: enough to see what it writes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from runbook_lib.documents.buildspec import Buildspec

STAND_INS = """
docker() { if [ ! -t 0 ] && [ "$1" = login ]; then cat > /dev/null; fi; printf '%s\\n' "docker $*" >> "$DOCKER_LOG"; }
aws() { case "$*" in *get-caller-identity*) echo 111122223333;; *) echo stand-in;; esac; }
git() { echo 0a1b2c3; }
"""
KEPT = ("PATH", "HOME", "LANG")


def run_build(spec: Buildspec, folder: Path, variables: Mapping[str, str]) -> list[str]:
    """Run every command in one shell, as CodeBuild does, and give what docker was asked for."""
    log = folder / "docker.log"
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment |= {name: node.raw for name, node in spec.variables.items()} | {
        "CODEBUILD_SRC_DIR": str(folder),
        "CODEBUILD_BUILD_ID": "web-build:0f6a2c1e",
        "CODEBUILD_BUILD_NUMBER": "7",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": "5d1c2ab98f00",
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "DOCKER_LOG": str(log),
        **variables,
    }
    for path in ("src", "app"):
        (folder / path).mkdir(exist_ok=True)
    script = "\n".join([STAND_INS, *(command.text for command in spec.commands)])
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 0, done.stderr
    return log.read_text().splitlines() if log.exists() else []
