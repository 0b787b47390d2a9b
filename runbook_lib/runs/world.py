"""One sandbox world for several notebooks: a server on loopback that is always ended again."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from runbook_lib import params
from runbook_lib.errors import BadInput, OutOfTime, RunbookError
from runbook_lib.runs.directory import RUNS

URL = "RUNBOOK_SANDBOX_URL"
SERVER = (sys.executable, "-P", "-m", "runbook_lib.sandbox.serving", "--port", "0", "--until-closed")
NOTES = Path(RUNS) / "sandbox"  # below the folder that one works in: where served worlds are found
FIGURES = ("seed", "scale", "realism", "requests_per_second")
START, END = 60.0, 20.0  # seconds that the server may take to start and to end


def checked(params_file: str, settings: Sequence[str]) -> params.Params:
    """The parameters that a file and single settings (`key=value`) stand for."""
    return params.load(params_file, overrides_of(settings))


def overrides_of(settings: Sequence[str]) -> dict[str, Any]:
    """Single settings (`key=value`) as values of the parameters."""
    overrides: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise BadInput(where=f"-p {setting}", seen="no key=value", wanted="key=value", next_step="correct it")
        overrides[key] = params.override_value(key, text)
    return overrides


def arguments_for(params_file: str, settings: Sequence[str]) -> list[str]:
    """The command line of the server for a world as the parameters describe it."""
    chosen = checked(params_file, settings)
    if chosen.target != "sandbox":
        raise BadInput(
            where=params_file,
            seen=f"target: {chosen.target}",
            wanted="target: sandbox",
            next_step="choose another parameter file, or run single notebooks with `runbook run`",
        )
    figures = {name: getattr(chosen.sandbox, name) for name in FIGURES}
    figures |= {"disturbances": [one.model_dump() for one in chosen.sandbox.disturbances]}
    figures |= {"allow_commands": list(chosen.sandbox.allow_commands)}
    figures |= {"connections": chosen.connections} if chosen.connections else {}
    texts = {name: json.dumps(value) for name, value in figures.items()}
    texts |= {"clock": chosen.sandbox.clock, "traffic": chosen.sandbox.traffic}
    texts |= {"partition": chosen.partition} | _place(chosen)
    return [word for name, text in texts.items() for word in ("--set", f"{name}={text}")]


def _place(chosen: params.Params) -> dict[str, str]:
    """Account and region: what the parameters say, else what the application's own files name."""
    from runbook_lib import application, runbook

    app = application.read(Path(chosen.application) if chosen.application else runbook.SAMPLE)
    named = {"account": chosen.account or app.account, "region": chosen.region or app.region}
    return {name: value for name, value in named.items() if value}


@contextmanager
def served_world(arguments: Sequence[str], *, log: Path, command: Sequence[str] = SERVER) -> Iterator[dict[str, str]]:
    """Serve a world and give the environment by which kernels find it; raises OutOfTime when it does not come up."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE,  # never written to: it ends with this process, and the world with it
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the notebook; the world ends after it
        )
        assert server.stdout is not None  # it is a pipe
        try:
            yield {URL: _address(server.stdout, log)}
        finally:
            _end(server)
    if log.stat().st_size == 0:
        log.unlink()


def _address(output: IO[bytes], log: Path) -> str:
    ready, _, _ = select.select([output], [], [], START)
    if not ready:
        raise OutOfTime(
            seen=f"the sandbox did not come up within {START:g} s",
            wanted="a line with its address",
            next_step=f"read {log}",
        )
    line = output.readline()
    if not line:
        raise RunbookError(
            seen=f"the sandbox ended while it started: {_last_line(log)}",
            wanted="a served world",
            next_step=f"read {log}",
        )
    return str(json.loads(line)["url"])


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(END)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    for pipe in (server.stdin, server.stdout):
        if pipe is not None:
            pipe.close()
