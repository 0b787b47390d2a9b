"""Images unpacked: what COPY, ENV, WORKDIR, CMD and ENTRYPOINT become for a process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.sandbox.shims.docker.image import Config, digest
from runbook_lib.sandbox.traffic.live import image
from runbook_lib.sandbox.traffic.live.image import CannotStart, Contents, File, Start

SCRIPT = b"#!/bin/sh\necho hello\n"


def start(
    folder: Path,
    config: Config,
    files: tuple[File, ...] = (),
    declared: Mapping[str, Any] | None = None,
    override: Mapping[str, Any] | None = None,
    **more: str,
) -> Start:
    contents = Contents(config, files)
    image.unpack(contents, folder / "root")
    tools = image.furnish(folder / "bin")
    return image.start_of(
        contents, folder / "root", tools=tools, declared=declared or {}, override=override or {}, more=more
    )


def test_python_is_this_environments(tmp_path: Path) -> None:
    """An image of the sample's base runs in the current Python, in its own working directory."""
    made = start(tmp_path, Config(command=("python", "app.py"), directory="/app"))
    assert made.command == (str(tmp_path / "bin/python"), "app.py")
    assert made.directory == tmp_path / "root/app"


def test_a_shell_form_runs_in_the_shell(tmp_path: Path) -> None:
    """CMD without brackets is one word for /bin/sh -c."""
    made = start(tmp_path, Config(command=("/bin/sh", "-c", "echo $PORT")), PORT="1")
    assert made.command == ("/bin/sh", "-c", "echo $PORT")
    assert made.environment["PORT"] == "1"


def test_paths_of_the_image_lead_into_its_folder(tmp_path: Path) -> None:
    """There is no container: /app/run.sh and PYTHONPATH=/app mean the unpacked files."""
    files = (File("/app/run.sh", "755", SCRIPT),)
    made = start(tmp_path, Config(entrypoint=("/app/run.sh",), environment={"PYTHONPATH": "/app"}), files)
    assert made.command == (str(tmp_path / "root/app/run.sh"),)
    assert made.environment["PYTHONPATH"] == str(tmp_path / "root/app")


@pytest.mark.parametrize(
    ("declared", "override", "words"),
    [
        ({}, {}, ("sh", "-c", "a")),
        ({"command": ["-c", "b"]}, {}, ("sh", "-c", "b")),
        ({"command": ["-c", "b"]}, {"command": ["-c", "o"]}, ("sh", "-c", "o")),
        ({"entryPoint": ["env"]}, {}, ("env",)),
        ({"entryPoint": ["env"], "command": ["x"]}, {}, ("env", "x")),
    ],
)
def test_a_task_definition_overrules_the_image(
    tmp_path: Path, declared: dict[str, Any], override: dict[str, Any], words: tuple[str, ...]
) -> None:
    """As docker does: another command keeps the entry point, another entry point drops the image's command."""
    made = start(tmp_path, Config(entrypoint=("sh",), command=("-c", "a")), (), declared, override)
    assert (Path(made.command[0]).name, *made.command[1:]) == words


def test_the_environment_is_layered(tmp_path: Path) -> None:
    """Image, then task definition, then overrides, then what only this place knows: the port."""
    pairs = [{"name": "B", "value": "task"}, {"name": "C", "value": "task"}, {"name": "PORT", "value": "8080"}]
    config = Config(command=("python",), environment={"A": "image", "B": "image"})
    made = start(
        tmp_path, config, (), {"environment": pairs}, {"environment": [{"name": "C", "value": "run"}]}, PORT="21000"
    )
    assert [made.environment[name] for name in ("A", "B", "C", "PORT")] == ["image", "task", "run", "21000"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("nosuch",), 'exec: "nosuch": executable file not found in $PATH'),
        (("/app/nosuch",), 'exec: "/app/nosuch": stat /app/nosuch: no such file or directory'),
        (("./nosuch",), 'exec: "./nosuch": stat ./nosuch'),
        ((), "no command specified"),
    ],
)
def test_a_command_that_is_not_there_cannot_start(tmp_path: Path, command: tuple[str, ...], told: str) -> None:
    """CannotStartContainerError, in the words of the container runtime."""
    with pytest.raises(CannotStart, match="CannotStartContainerError") as refused:
        start(tmp_path, Config(command=command))
    assert told in refused.value.reason
    assert "only its name is known" in refused.value.hint


def test_layers_are_read_back() -> None:
    """A later file takes the place of an earlier one; what was not run or not copied is known."""
    old, new = b"old", b"new"
    lines = [f"/app/a 644 {digest(old)}", "run /bin/sh -c make", f"/app/a 755 {digest(new)}", "/app/b from x /y"]
    found = image.read(Config(), lines, {digest(old): old, digest(new): new})
    assert found.files == (File("/app/a", "755", new),)
    assert (found.not_run, found.missing) == (("/bin/sh -c make",), ("/app/b from x /y",))


def test_nothing_is_written_outside_the_folder(tmp_path: Path) -> None:
    """A link of the image that leads out of it is not followed."""
    (tmp_path / "outside").mkdir()
    files = (File("/out", "link", str(tmp_path / "outside").encode()), File("/out/x", "644", b"x"))
    image.unpack(Contents(Config(), files), tmp_path / "root")
    assert list((tmp_path / "outside").iterdir()) == []
