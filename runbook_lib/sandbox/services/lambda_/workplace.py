"""The folder in which one invocation runs: its code, its layers, its temporary files and what it leaves behind.

The folder belongs to this process, not to the world.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from runbook_lib.sandbox import moto_seam
from runbook_lib.sandbox.services.lambda_.store import Invocation, shown

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

PREFIX = "/_lambda/"
LIBRARY = os.path.dirname(os.__file__)
BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
TASK, LAYERS, MODULES, TEMPORARY = "var/task", "opt", "var/runtime", "tmp"
# What AWS's runtimes for Python bring besides the standard library (Lambda developer guide, lambda-python).
BUNDLED = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
CLEAN = {"PATH": "/usr/local/bin:/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}

_open: WeakKeyDictionary[World, dict[str, tempfile.TemporaryDirectory[str]]] = WeakKeyDictionary()


def furnish(world: World, invocation: Invocation) -> str:
    """Make the folder of an invocation; gives its path."""
    folder = tempfile.TemporaryDirectory(prefix="lambda-", ignore_cleanup_errors=True)
    _open.setdefault(world, {})[invocation.id] = folder
    root = Path(os.path.realpath(folder.name))
    for part in (TASK, LAYERS, MODULES, TEMPORARY):
        (root / part).mkdir(parents=True)
    function = invocation.function
    _unpack(moto_seam.function_code(world, function.name, function.version), root / TASK)
    for arn in function.layers:
        _unpack(moto_seam.layer_code(world, arn), root / LAYERS)
    for place in _bundled():
        (root / MODULES / place.name).symlink_to(place)
    (root / "job.json").write_text(json.dumps(_job(world, invocation, root)))
    return str(root)


def command(root: str) -> list[str]:
    """How an invocation is started: without anything of this machine's Python but its standard library."""
    return [sys.executable, "-S", "-s", "-B", "-P", str(BOOTSTRAP), root]


def result(root: str) -> dict[str, Any]:
    """What the process left; nothing when it ended before it could."""
    left = Path(root, "result.json")
    found: dict[str, Any] = json.loads(left.read_text()) if left.exists() else {}
    return found


def clean(root: str, text: str) -> str:
    """A text as on AWS, without this machine's paths in it."""
    return text.replace(root, "").replace(LIBRARY, f"/var/lang/lib/{Path(LIBRARY).name}")


def close(world: World, invocation: Invocation) -> None:
    """Take the folder away."""
    found = _open.get(world, {}).pop(invocation.id, None)
    if found is not None:
        found.cleanup()


def _unpack(code: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(code)) as packed:
        packed.extractall(folder)


@cache
def _bundled() -> tuple[Path, ...]:
    specs = filter(None, map(importlib.util.find_spec, BUNDLED))
    origins = [Path(spec.origin) for spec in specs if spec.origin]
    return tuple(each.parent if each.name == "__init__.py" else each for each in origins)


def _job(world: World, invocation: Invocation, root: Path) -> dict[str, Any]:
    function = invocation.function
    return {
        "handler": function.handler,
        "event": invocation.event,
        "now": world.now,
        "timeout": function.timeout,
        "waits": invocation.waits,
        "entrance": PREFIX + invocation.id,
        "request_id": invocation.id,
        "name": function.name,
        "version": function.version,
        "arn": function.qualified,
        "memory": function.memory,
        "log_group": function.log_group,
        "log_stream": invocation.log_stream,
        "path": [str(root / part) for part in (TASK, f"{LAYERS}/python", LAYERS, MODULES)],
        "environment": _environment(world, invocation, root),
    }


def _environment(world: World, invocation: Invocation, root: Path) -> dict[str, str]:
    region = world.settings.region
    here = {
        "LAMBDA_TASK_ROOT": str(root / TASK),
        "LAMBDA_RUNTIME_DIR": str(root / MODULES),
        "TMPDIR": str(root / TEMPORARY),
        "AWS_LAMBDA_LOG_STREAM_NAME": invocation.log_stream,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return {**CLEAN, "LANG": "en_US.UTF-8", **shown(invocation.function), **invocation.function.environment, **here}
