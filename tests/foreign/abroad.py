"""A world served to clients that know nothing of it, and those clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook_lib.sandbox import moto_seam, save
from runbook_lib.sandbox.remote import RemoteSandbox, connect
from runbook_lib.sandbox.world import World

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
# Any key will do: whoever the world does not know calls as the operator.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIAFOREIGNCLIENT", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}

ClientOf = Callable[[World, str], Any]


@dataclass(frozen=True)
class Abroad:
    """Where a world is served, and a folder for the files of its clients."""

    url: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a client of AWS is told by its environment; a profile of this machine's user is not read."""
        nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "HOME": str(self.folder)}
        place = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": self.url, "AWS_PAGER": "", "TZ": "UTC"}
        return {**os.environ, **CREDENTIALS, **nothing, **place}

    def run(self, *command: str, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in the folder of the clients until it ends."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | more,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def aws(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """What the AWS CLI says; where it sleeps, the world's time moves instead."""
        sleeping = {"RUNBOOK_SANDBOX_URL": self.url, "PYTHONPATH": str(HERE / "sleeping")}
        return self.run(str(BIN / "aws"), *words, given=given, **sleeping)

    def told(self, *words: str) -> Any:
        """What the AWS CLI prints as JSON; it must end well."""
        done = self.aws(*words, "--output", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, *words: str) -> tuple[int, str]:
        """The exit code and the message with which the AWS CLI ends."""
        done = self.aws(*words)
        assert done.returncode != 0, done.stdout
        return done.returncode, done.stderr.strip()

    def write(self, name: str, content: Any) -> str:
        """Writes a file, as JSON unless it is text; gives its name."""
        text = content if isinstance(content, str) else json.dumps(content)
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def world(self) -> RemoteSandbox:
        return connect(self.url)


@contextmanager
def served(world: World, folder: Path, **settings: Any) -> Iterator[Abroad]:
    """Serves a world in a process of its own until the block ends; settings such as clock="scaled" are changed."""
    world.settings = world.settings.with_(**settings)
    state = folder / "world.state"
    save.save(world, state)
    moto_seam.leave(world)
    command = [sys.executable, "-m", "runbook_lib.sandbox.serving", "--state", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Abroad(json.loads(process.stdout.readline())["url"], folder)
        finally:
            process.terminate()
            assert process.wait(60) == 0


def signed(service: str, **headers: str) -> dict[str, str]:
    """Headers of a request that is signed for a service; an underscore stands for a hyphen."""
    scope = f"{CREDENTIALS['AWS_ACCESS_KEY_ID']}/20260302/us-east-1/{service}/aws4_request"
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0", **told}
