"""The command `docker build`: its options, its context, and where base images come from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from runbook_lib.sandbox.shims.docker import contents, context, dockerfile, flags, transfer
from runbook_lib.sandbox.shims.docker.build import Builder, Order
from runbook_lib.sandbox.shims.docker.daemon import open_daemon, short
from runbook_lib.sandbox.shims.docker.failure import DockerError
from runbook_lib.sandbox.shims.docker.flags import USAGE, Flags, Parsed, names
from runbook_lib.sandbox.shims.docker.image import Image
from runbook_lib.sandbox.shims.docker.reference import parse, parse_argument
from runbook_lib.sandbox.shims.seat import Seat, Terminal
from runbook_lib.sandbox.shims.wire import Wire

FLAGS = Flags(
    names(
        "add-host build-arg build-context builder cache-from cache-to cgroup-parent cpu-shares cpuset-cpus file "
        "iidfile isolation label memory metadata-file network no-cache-filter output platform progress provenance "
        "sbom secret security-opt shm-size ssh tag target ulimit"
    ),
    names("compress disable-content-trust force-rm load no-cache pull push quiet rm squash"),
    {"t": "tag", "f": "file", "q": "quiet", "o": "output", "m": "memory", "c": "cpu-shares"},
)
USE = "build [OPTIONS] PATH | URL | -\n\nBuild an image from a Dockerfile"


def build(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    """`docker build [-t NAME]... [-f FILE] [--build-arg K=V]... [--platform P] [--target S] PATH`."""
    given = flags.parse("build", argv, FLAGS)
    tags = [
        parse_argument(name, f'invalid argument "{name}" for "-t, --tag" flag', USAGE).tagged
        for name in given.all("tag")
    ]
    flags.exactly("build", given.arguments, 1, USE)
    daemon = open_daemon(wire.seat)
    image = _built(wire, terminal, given)
    daemon.add(image, [str(name) for name in tags])
    terminal.say(image.id if given.on("quiet") else f"Successfully built {short(image)}")
    for name in () if given.on("quiet") else tags:
        terminal.say(f"Successfully tagged {name}")
    if given.last("iidfile"):
        (terminal.directory / given.last("iidfile")).write_text(image.id)
    for name in tags if given.on("push") else ():
        transfer.push(wire, terminal, name)
    return 0


def human(size: float) -> str:
    """Bytes with four digits, as docker shows them."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.4g}{unit}"
        size /= 1000
    return f"{size:.4g}GB"


def _built(wire: Wire, terminal: Terminal, given: Parsed) -> Image:
    folder, file = _paths(wire.seat, terminal, given)
    files = context.load(folder, file, wire.seat.clean)
    say = _silent if given.on("quiet") else terminal.say
    say(f"Sending build context to Docker daemon  {human(files.size)}")
    builder = Builder(_order(wire.seat, terminal, given), files, _base_of(wire, terminal), say)
    instructions = dockerfile.parse(wire.seat.clean(file.read_bytes()).decode(errors="replace"))
    contents.keep(wire.seat, files, instructions)
    return builder.run(instructions)


def _silent(line: str) -> None:
    """`docker build -q` prints the id only."""


def _paths(seat: Seat, terminal: Terminal, given: Parsed) -> tuple[Path, Path]:
    path = given.arguments[0]
    if path == "-" or "://" in path:
        raise DockerError(f"the sandbox builds from a folder; a context from {path!r} is not served")
    folder = terminal.directory / path
    if not folder.is_dir():
        raise DockerError(f'unable to prepare context: path "{path}" not found')
    file = terminal.directory / given.last("file") if given.last("file") else folder / "Dockerfile"
    if not file.is_file():
        raise DockerError(
            "unable to prepare context: unable to evaluate symlinks in Dockerfile path: "
            f"lstat {seat.show(os.path.normpath(file))}: no such file or directory"
        )
    return folder, file


def _order(seat: Seat, terminal: Terminal, given: Parsed) -> Order:
    arguments = {}
    for word in given.all("build-arg"):
        name, equals, value = word.partition("=")
        if equals or name in terminal.environment:
            arguments[name] = value if equals else terminal.environment[name]
    platform = given.last("platform") or terminal.environment.get("DOCKER_DEFAULT_PLATFORM") or seat.platform
    if "," in platform:
        raise DockerError(f"the sandbox builds for one platform at a time, not for {platform}")
    labels = dict(word.partition("=")[::2] for word in given.all("label"))
    return Order(arguments, platform, given.last("target"), labels)


def _base_of(wire: Wire, terminal: Terminal) -> Callable[[str, str], Image]:
    def base(name: str, platform: str) -> Image:
        reference = parse(name).tagged
        local = open_daemon(wire.seat).find(str(reference))
        return local or transfer.fetch(wire, terminal, reference, platform)

    return base
