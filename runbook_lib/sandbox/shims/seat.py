"""The machine that a child believes to be on: its root folder, its credentials and what its docker may do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

FOLDER = ".sandbox"
FILE = "seat.json"
DOOR = "door"
# What the child is started with, in the order of the door file; none of it is left in the child's own environment.
DOOR_VARIABLES = (
    "RUNBOOK_SANDBOX_URL",
    "RUNBOOK_SANDBOX_CHILD",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)


@dataclass(frozen=True)
class Seat:
    """What the commands of one child need to know; `root` is shown as `/` in everything that leaves the child."""

    root: str
    account: str
    region: str
    privileged: bool = False
    platform: str = "linux/amd64"
    refuse_docker_hub: bool = False
    allowed: tuple[str, ...] = ()
    keep_contents: bool = False  # whether images bring the content of their files, for tasks that really run
    entrance: str = ""  # what stands before the paths of its calls to AWS

    @property
    def folder(self) -> Path:
        """Where the commands keep what they must remember between two calls."""
        return Path(self.root, FOLDER)

    @property
    def door(self) -> dict[str, str]:
        """Where the world is and who the child is in it, as its process was told when it started."""
        return dict(zip(DOOR_VARIABLES, (self.folder / DOOR).read_text().splitlines(), strict=True))

    def save(self) -> None:
        """Write it where the commands find it."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / FILE).write_text(json.dumps(vars(self)))

    def clean(self, content: bytes) -> bytes:
        """The content without the host's own path in it."""
        return content.replace(self.root.encode(), b"")

    def show(self, path: Path | str) -> str:
        """A path as the child should see it."""
        return str(path).replace(self.root, "") or "/"


def load(root: str) -> Seat:
    """The seat of the child that lives in this folder."""
    stored = json.loads(Path(root, FOLDER, FILE).read_text())
    return Seat(**{**stored, "allowed": tuple(stored["allowed"])})


@dataclass(frozen=True)
class Terminal:
    """Where a command runs: its folder, variables and the three streams."""

    directory: Path
    environment: Mapping[str, str]
    stdin: IO[str]
    stdout: IO[str]
    stderr: IO[str]

    def say(self, line: str) -> None:
        self.stdout.write(line + "\n")

    def warn(self, line: str) -> None:
        self.stderr.write(line + "\n")
