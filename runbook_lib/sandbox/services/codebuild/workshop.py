"""The folder in which a build's commands really run; it belongs to this process, not to the world.

A world that was saved in the middle of a build has no such folder any more: it is made again by running the phases so
far once more, answered from what was written down of them.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from runbook_lib.sandbox.services.codebuild import entrance, shell
from runbook_lib.sandbox.services.codebuild.source import members
from runbook_lib.sandbox.services.codebuild.store import Build, Source
from runbook_lib.sandbox.shims import host, wire
from runbook_lib.sandbox.shims.seat import DOOR_VARIABLES, Seat
from runbook_lib.sandbox.shims.wire import Exchange

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

EXECUTABLE, LINK = 0o111, 0o120000
NOBODY = "http://127.0.0.1:9"  # no child that only repeats what was written down may reach a world


@dataclass
class Workshop:
    """A build's folder and what is in it."""

    seat: Seat
    path: str
    interpreter: str
    keep_door: str
    folder: tempfile.TemporaryDirectory[str] = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """What bash is started with; the rest it finds in the state that the last one left."""
        return {"PATH": self.path, "HOME": f"{self.seat.root}/root", "LC_ALL": "C"}

    def source(self, folder: str, name: str = "") -> Path:
        """The folder of a source; CodeBuild shows it as /codebuild/output/<folder>/src."""
        return Path(self.seat.root, "codebuild/output", folder, name or "src")

    def command(self, job: shell.Job) -> list[str]:
        """The command for one run of the shell."""
        return shell.command(self.seat.root, self.interpreter, job, keep_door=self.keep_door)

    def exchanges(self) -> tuple[Exchange, ...]:
        """What the commands asked since the last time that this was called."""
        log = self.seat.folder / wire.LOG
        found = tuple(wire.read(log))
        log.unlink(missing_ok=True)
        return found

    def repeat(self, job: shell.Job, exchanges: tuple[Exchange, ...]) -> None:
        """Run the shell once more, answered from what was written down."""
        wire.lay_before(self.seat, exchanges)
        door = dict.fromkeys(DOOR_VARIABLES, "-") | {"RUNBOOK_SANDBOX_URL": NOBODY, "AWS_ENDPOINT_URL": NOBODY}
        subprocess.run(
            self.command(job),
            env={**self.environment, **door},
            cwd=self.seat.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        wire.forget_before(self.seat)
        self.exchanges()

    def clean(self, content: bytes) -> bytes:
        """A content without this machine's path in it."""
        return self.seat.clean(content)


_open: WeakKeyDictionary[World, dict[str, Workshop]] = WeakKeyDictionary()


def find(world: World, build: Build) -> Workshop | None:
    """The workshop of a build in this process."""
    return _open.get(world, {}).get(build.id)


def close(world: World, build: Build) -> None:
    """Take a build's folder away."""
    found = _open.get(world, {}).pop(build.id, None)
    if found is not None:
        found.folder.cleanup()


def make(world: World, build: Build) -> Workshop:
    """A build's folder with its commands, its sources and the variables of its first shell."""
    spec = build.run.spec
    assert spec is not None
    # What a stopped build leaves running may still write while its folder goes.
    folder = tempfile.TemporaryDirectory(prefix="codebuild-", ignore_cleanup_errors=True)
    seat = seat_of(world, build, os.path.realpath(folder.name))
    path = host.furnish(seat)
    made = Workshop(seat, path, spec.shell, seat.entrance if seat.allowed else "", folder)
    for name, source in build.run.sources.items():
        _unpack(made.source(build.run.folder, name), source)
    shell.write_state(seat.root, variables(build, seat.root, path), str(made.source(build.run.folder)))
    _open.setdefault(world, {})[build.id] = made
    return made


def seat_of(world: World, build: Build, root: str) -> Seat:
    """What the commands of a build are told of their machine."""
    environment = build.plan.environment
    return Seat(
        root=root,
        account=world.settings.account,
        region=world.settings.region,
        privileged=bool(environment.get("privilegedMode", False)),
        platform="linux/arm64" if environment["type"].startswith("ARM") else "linux/amd64",
        refuse_docker_hub=world.store("codebuild").refuse_docker_hub or _limits_docker_hub(world),
        allowed=tuple(world.settings.allow_commands),
        keep_contents=world.settings.traffic == "live",
        entrance=entrance.path(build),
    )


def _limits_docker_hub(world: World) -> bool:
    """Whether others have used up what Docker Hub lets the address of the builds pull, as a parameter tells.

    No call to AWS brings that about: it is the weather, and whoever wants it writes /sandbox/docker-hub = limited.
    """
    found = world.client("ssm").get_parameters(Names=["/sandbox/docker-hub"])["Parameters"]
    return any(one["Value"] == "limited" for one in found)


def variables(build: Build, root: str, path: str) -> dict[str, str]:
    """The variables of the first shell; a build's own PATH comes as it is, with nothing expanded in it."""
    base = f"{root}/codebuild/output/{build.run.folder}"
    folders = {f"CODEBUILD_SRC_DIR_{name}": f"{base}/{name}" for name in build.run.sources if name}
    own = {
        "CODEBUILD_SRC_DIR": f"{base}/src",
        "HOME": f"{root}/root",
        "HOSTNAME": build.uuid.replace("-", "")[:12],  # a container's; bash would tell this machine's
        "PATH": path,
        "TMPDIR": f"{root}/tmp",
    }
    return {**own, **folders, **build.run.variables}


def _unpack(folder: Path, source: Source) -> None:
    folder.mkdir(parents=True)
    for path, member in members(source).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if member.mode & 0o170000 == LINK:
            target.symlink_to(member.content.decode())
            continue
        target.write_bytes(member.content)
        target.chmod(0o755 if member.mode & EXECUTABLE else 0o644)


def identity(seat: Seat) -> Mapping[str, object]:
    """What of a seat can make a difference to its commands."""
    return {name: value for name, value in vars(seat).items() if name != "root"}
