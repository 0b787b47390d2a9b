"""The `docker` command: one table of what builds use, and docker's words for the rest."""

from __future__ import annotations

from collections.abc import Callable

from runbook_lib.sandbox.shims.docker import flags, login, show, transfer
from runbook_lib.sandbox.shims.docker.building import build
from runbook_lib.sandbox.shims.docker.daemon import open_daemon
from runbook_lib.sandbox.shims.docker.failure import DockerError
from runbook_lib.sandbox.shims.docker.flags import Flags, names
from runbook_lib.sandbox.shims.docker.reference import parse, parse_argument
from runbook_lib.sandbox.shims.seat import Terminal
from runbook_lib.sandbox.shims.wire import Wire

VERSION = "Docker version 25.0.8, build 0bab007"
PUSH = Flags(
    frozenset({"platform"}), frozenset({"all-tags", "disable-content-trust", "quiet"}), {"a": "all-tags", "q": "quiet"}
)
REMOVE = Flags(frozenset(), frozenset({"force", "no-prune"}), {"f": "force"})
NOTHING = Flags()

Command = Callable[[Wire, Terminal, list[str]], int]


def main(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    """Run one `docker` command line; the exit code is docker's."""
    try:
        return _dispatch(wire, terminal, argv)
    except DockerError as error:
        terminal.warn(error.message)
        return error.code


def _dispatch(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    if not argv:
        terminal.say("\nUsage:  docker [OPTIONS] COMMAND")
        return 0
    for length in (2, 1):
        command = COMMANDS.get(" ".join(argv[:length]))
        if command and len(argv) >= length:
            return command(wire, terminal, argv[length:])
    if argv[0] in SKIPPED:
        terminal.warn(f"skipped in the sandbox: docker {' '.join(argv)}")
        return 0
    raise DockerError(f"docker: '{argv[0]}' is not a docker command.\nSee 'docker --help'")


def tag(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    """`docker tag SOURCE TARGET`."""
    given = flags.parse("tag", argv, NOTHING)
    flags.exactly("tag", given.arguments, 2, "tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]")
    invalid = 'Error parsing reference: "{}" is not a valid repository/tag'
    source, target = (parse_argument(name, invalid.format(name)) for name in given.arguments)
    daemon = open_daemon(wire.seat)
    daemon.add(daemon.must_find(str(source)), [str(target.tagged)])
    return 0


def push(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    """`docker push NAME[:TAG]`, or with -a every tag of the name."""
    given = flags.parse("push", argv, PUSH)
    flags.exactly("push", given.arguments, 1, "push [OPTIONS] NAME[:TAG]")
    reference = parse(given.arguments[0])
    if given.on("all-tags"):
        prefix = f"{reference.name}:"
        for name in [name for name in open_daemon(wire.seat).tags if name.startswith(prefix)]:
            transfer.push(wire, terminal, parse(name))
        return 0
    if reference.tag is None:
        terminal.say("Using default tag: latest")
    transfer.push(wire, terminal, reference.tagged)
    return 0


def pull(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    """`docker pull NAME[:TAG]`: from ECR really, from elsewhere as a name only."""
    given = flags.parse("pull", argv, PUSH)
    flags.exactly("pull", given.arguments, 1, "pull [OPTIONS] NAME[:TAG|@DIGEST]")
    reference, daemon = parse(given.arguments[0]), open_daemon(wire.seat)
    if not (reference.tag or reference.digest):
        terminal.say("Using default tag: latest")
    reference = reference.tagged
    image = transfer.fetch(wire, terminal, reference, given.last("platform") or wire.seat.platform)
    daemon.add(image, [str(reference)] if reference.tag else [])
    daemon.pushed(image, reference)
    for line in (
        f"{reference.tag or reference.digest}: Pulling from {reference.repository}",
        f"Digest: {image.digest}",
    ):
        terminal.say(line)
    terminal.say(f"Status: Downloaded newer image for {reference}\n{reference}")
    return 0


def remove(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    """`docker rmi NAME...`."""
    given, daemon = flags.parse("rmi", argv, REMOVE), open_daemon(wire.seat)
    flags.at_least_one("rmi", given.arguments, "rmi [OPTIONS] IMAGE [IMAGE...]")
    for line in [line for name in given.arguments for line in daemon.forget(name)]:
        terminal.say(line)
    return 0


def prune(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    """`docker ... prune`: a build host has nothing to give back."""
    open_daemon(wire.seat)
    terminal.say("Total reclaimed space: 0B")
    return 0


def version(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    """`docker --version`."""
    terminal.say(VERSION)
    return 0


def information(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    """`docker info` and `docker ps`: answered only by a daemon that runs."""
    daemon = open_daemon(wire.seat)
    terminal.say(f"Client: {VERSION}\nServer:\n Containers: 0\n Images: {len(daemon.images)}")
    return 0


def containers(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    """`docker ps`: no container runs."""
    open_daemon(wire.seat)
    if not {"-q", "-aq", "-qa", "--quiet"} & set(argv):
        terminal.say("CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES")
    return 0


SKIPPED = names(
    "attach commit compose context cp create events exec export history import kill load logs manifest plugin "
    "port rename restart rm run save scan scout search service stack start stats stop swarm trust top update "
    "volume wait"
)
COMMANDS: dict[str, Command] = {
    "build": build,
    "image build": build,
    "builder build": build,
    "buildx build": build,
    "tag": tag,
    "image tag": tag,
    "push": push,
    "image push": push,
    "pull": pull,
    "image pull": pull,
    "images": show.images,
    "image ls": show.images,
    "image list": show.images,
    "inspect": show.inspect,
    "image inspect": show.inspect,
    "rmi": remove,
    "image rm": remove,
    "login": login.login,
    "logout": login.logout,
    "image prune": prune,
    "builder prune": prune,
    "buildx prune": prune,
    "system prune": prune,
    "container prune": prune,
    "buildx create": information,
    "buildx use": information,
    "buildx inspect": information,
    "buildx ls": information,
    "buildx version": version,
    "info": information,
    "ps": containers,
    "container ls": containers,
    "version": information,
    "--version": version,
    "-v": version,
}
