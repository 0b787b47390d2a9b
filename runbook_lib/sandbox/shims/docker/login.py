"""`docker login` and what it leaves behind: the password of each registry in ~/.docker/config.json."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.sandbox.shims.docker import flags, password
from runbook_lib.sandbox.shims.docker.failure import DockerError
from runbook_lib.sandbox.shims.docker.flags import Flags
from runbook_lib.sandbox.shims.docker.registry import NO_CREDENTIALS, ecr_host
from runbook_lib.sandbox.shims.seat import Terminal
from runbook_lib.sandbox.shims.wire import Wire

FLAGS = Flags(frozenset({"username", "password"}), frozenset({"password-stdin"}), {"u": "username", "p": "password"})
UNENCRYPTED = (
    "WARNING! Your password will be stored unencrypted in /root/.docker/config.json.\n"
    "Configure a credential helper to remove this warning. See\n"
    "https://docs.docker.com/engine/reference/commandline/login/#credentials-store\n"
)
NO_TERMINAL = "Error: Cannot perform an interactive login from a non TTY device"


@dataclass(frozen=True)
class Logins:
    """The logins of a home folder."""

    path: Path

    def read(self) -> dict[str, str]:
        """Registry -> password."""
        if not self.path.exists():
            return {}
        stored = json.loads(self.path.read_text() or "{}").get("auths", {})
        return {host: base64.b64decode(auth["auth"]).decode().partition(":")[2] for host, auth in stored.items()}

    def write(self, passwords: dict[str, str]) -> None:
        auths = {host: {"auth": base64.b64encode(f"AWS:{text}".encode()).decode()} for host, text in passwords.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({"auths": auths}, indent="\t"))


def logins(terminal: Terminal) -> Logins:
    """The logins of the child's home folder."""
    home = terminal.environment.get("DOCKER_CONFIG") or terminal.environment["HOME"] + "/.docker"
    return Logins(Path(home, "config.json"))


def login(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    """`docker login -u AWS --password-stdin HOST`: HOST may be followed by a repository, as builds often write it."""
    given = flags.parse("login", argv, FLAGS)
    if len(given.arguments) > 1:
        raise DockerError("\"docker login\" requires at most 1 argument.\nSee 'docker login --help'.")
    host = (given.arguments or ["docker.io"])[0].removeprefix("https://").split("/")[0]
    secret = _secret(terminal, given)
    if given.on("password-stdin") is False:
        terminal.warn("WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
    if ecr_host(host) is None:
        terminal.warn(f"skipped in the sandbox: docker login {host}")
        return 0
    _check(host, given.last("username"), secret, wire.now())
    known = logins(terminal)
    known.write({**known.read(), host: secret})
    terminal.stderr.write(UNENCRYPTED + "\n")
    terminal.say("Login Succeeded")
    return 0


def logout(wire: Wire, terminal: Terminal, argv: list[str]) -> int:
    """`docker logout HOST`."""
    host = (argv or ["docker.io"])[0].split("/")[0]
    known = logins(terminal)
    terminal.say(f"Removing login credentials for {host}" if host in known.read() else f"Not logged in to {host}")
    known.write({name: secret for name, secret in known.read().items() if name != host})
    return 0


def must_be_logged_in(wire: Wire, terminal: Terminal, host: str) -> None:
    """Refuse, with ECR's and docker's words, without a password that still opens the registry."""
    secret = logins(terminal).read().get(host)
    if secret is None:
        raise DockerError(NO_CREDENTIALS)
    found = password.read(secret)
    if found is None or found.expires <= wire.now():
        raise DockerError("denied: Your authorization token has expired. Reauthenticate and try again.")


def _secret(terminal: Terminal, given: flags.Parsed) -> str:
    if not given.on("password-stdin"):
        if not given.last("password"):
            raise DockerError(NO_TERMINAL)
        return given.last("password")
    if not given.last("username"):
        raise DockerError("Must provide --username with --password-stdin")
    secret = terminal.stdin.read().rstrip("\r\n")
    if not secret:
        raise DockerError(NO_TERMINAL)
    return secret


def _check(host: str, user: str, secret: str, now: float) -> None:
    found = password.read(secret)
    if user != "AWS" or found is None or found.opens != host.removesuffix(".cn") or found.expires <= now:
        raise DockerError(
            f"Error response from daemon: login attempt to https://{host}/v2/ failed with status: 400 Bad Request"
        )
