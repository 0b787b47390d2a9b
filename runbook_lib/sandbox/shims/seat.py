"""The machine that a child believes to be on: its root folder, its credentials and what its docker may do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

FOLDER = ".sandbox"
FILE = "seat.json"


@dataclass(frozen=True)
class Seat:
    """What the commands of one child need to know; `root` is shown as `/` in everything that leaves the child."""

    root: str
    endpoint: str
    account: str
    region: str
    credentials: Mapping[str, str]  # the three AWS_* variables
    privileged: bool = False
    platform: str = "linux/amd64"
    refuse_docker_hub: bool = False

    def save(self) -> None:
        """Write it where the commands find it."""
        folder = Path(self.root, FOLDER)
        folder.mkdir(exist_ok=True)
        (folder / FILE).write_text(json.dumps(asdict(self)))

    def clean(self, content: bytes) -> bytes:
        """The content without the host's own path in it."""
        return content.replace(self.root.encode(), b"")

    def show(self, path: Path | str) -> str:
        """A path as the child should see it."""
        return str(path).replace(self.root, "") or "/"

    def folder(self) -> Path:
        """Where the commands keep what they must remember between two calls."""
        return Path(self.root, FOLDER)


def load(root: str) -> Seat:
    """The seat of the child that lives in this folder."""
    return Seat(**json.loads(Path(root, FOLDER, FILE).read_text()))


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
