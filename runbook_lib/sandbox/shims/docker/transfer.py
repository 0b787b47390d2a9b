"""Images that leave the build host and images that come to it."""

from __future__ import annotations

from runbook_lib.sandbox.shims.docker import contents, login, registry
from runbook_lib.sandbox.shims.docker.daemon import open_daemon
from runbook_lib.sandbox.shims.docker.failure import DockerError
from runbook_lib.sandbox.shims.docker.image import Config, Image, layer
from runbook_lib.sandbox.shims.docker.reference import DOCKER_HUB, Reference
from runbook_lib.sandbox.shims.seat import Terminal
from runbook_lib.sandbox.shims.wire import Wire

RATE_LIMIT = (
    "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
)


def push(wire: Wire, terminal: Terminal, reference: Reference) -> None:
    """Push a local image under its name; only ECR is there to push to."""
    daemon = open_daemon(wire.seat)
    terminal.say(f"The push refers to repository [{_full(reference)}]")
    image = daemon.find(str(reference))
    if image is None:
        raise DockerError(f"An image does not exist locally with the tag: {reference.name}")
    if registry.ecr_host(reference.registry) is None:
        terminal.warn(f"skipped in the sandbox: docker push {reference} (only ECR is there to push to)")
        return
    login.must_be_logged_in(wire, terminal, reference.registry)
    contents.push(wire.seat, registry.registry_of(wire, reference), image)
    registry.push(wire, terminal, image, reference)
    daemon.pushed(image, reference)


def fetch(wire: Wire, terminal: Terminal, reference: Reference, platform: str) -> Image:
    """An image that is not on the host: from ECR really; a public one is known by name and platform only."""
    if registry.ecr_host(reference.registry):
        login.must_be_logged_in(wire, terminal, reference.registry)
        return registry.registry_of(wire, reference).get(reference)
    if reference.registry == DOCKER_HUB and wire.seat.refuse_docker_hub:
        raise DockerError(RATE_LIMIT)
    return Image(Config(platform=platform), (layer([f"base image {_full(reference)}:{reference.tag} {platform}"]),))


def _full(reference: Reference) -> str:
    return f"{reference.registry}/{reference.repository}"
