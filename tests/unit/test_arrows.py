"""Which module may import which: the arrows of the design, walked in the source of every module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "runbook_lib"
# From the ground up: a module imports from its own layer and from those above it in this list, never from one below.
LAYERS = (
    {"errors", "clock", "suggest"},
    {"sections"},
    {"yamlfile", "params", "journal", "documents", "application", "git"},
    {"account"},
    {"inventory", "ownership", "system", "wait", "step", "check", "gate", "planning", "handle", "table"},
    {
        "accesslog",
        "alarm",
        "balancer",
        "bracket",
        "build",
        "capacity",
        "connection",
        "cost",
        "deployment",
        "deployment_group",
        "hook",
        "image",
        "lease",
        "metric",
        "network",
        "pipeline",
        "pipeline_rule",
        "polling",
        "probe",
        "removal",
        "repository",
        "role",
        "scaling",
        "service",
        "storage",
        "target_group",
    },
    {"analysis"},
    {"forecast"},
    {"preflight", "survey"},
    {"incident"},
    {"views"},
    {"story"},
    {"runbook"},
    {"kernels"},
    {"runs"},
    {"cli"},
)
# Rooms with a door of their own: what may be imported there, whatever the layers say.
ONLY = {"sandbox": {"clock", "errors"}, "documents": {"errors"}, "kernels": set[str](), "suggest": set[str]()}
SANDBOX = {"account", "runs", "cli", "kernels"}  # who may reach the sandbox; account does for everybody else
LIBRARIES = {
    "boto3": {"account", "sandbox", "hook"},  # the hook is a program of its own, which Lambda runs
    "moto": {"sandbox"},
    "matplotlib": {"views"},
    "papermill": {"runs"},
    "nbclient": {"runs"},
    "nbconvert": {"runs"},
    "jupyter_client": {"runs", "kernels"},
}
# The clocks, and the seams that give moto and the bundled AWS CLI our time and names instead of their own.
TIMEKEEPERS = {
    "clock.py",
    "sandbox/clocks.py",
    "sandbox/moto_time.py",
    "sandbox/moto_names.py",
    "sandbox/shims/awscli.py",
    "sandbox/services/lambda_/bootstrap.py",  # gives a function the world's time in the place of the wall's
    "sandbox/traffic/live/walltime.py",  # live traffic flows by the wall, and is told in the world's time
    "sandbox/traffic/live/generator.py",  # the source of its requests: a program of its own
    "sandbox/application/app.py",  # the application itself: it lives outside, as a process of its own
}
TIME_AND_CHANCE = {
    "time.sleep",
    "time.time",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "uuid.uuid1",
    "uuid.uuid4",
    "random.random",
    "random.choice",
    "random.randint",
}


def modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    """Every module below the package as (path, syntax)."""
    for path in sorted((root / PACKAGE).rglob("*.py")):
        yield path.relative_to(root / PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    """The dotted names that a module imports, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = node.module == PACKAGE
            yield from (f"{node.module}.{alias.name}" for alias in node.names) if whole else (node.module,)


def room(path: str) -> str:
    """The part of the package that a file belongs to: sandbox/world.py -> sandbox."""
    return path.partition("/")[0].removesuffix(".py")


def layer(name: str) -> int | None:
    """The layer of a room, None when nobody gave it one."""
    return next((number for number, rooms in enumerate(LAYERS) if name in rooms), None)


def wrong_arrow(importer: str, imported: str) -> str | None:
    """Why a room may not import another; None when it may."""
    if imported in (importer, "__version__") or importer == "__init__":
        return None
    if imported == "sandbox":
        return None if importer in SANDBOX else "reaches the sandbox past account"
    if importer in ONLY:
        return None if imported in ONLY[importer] else f"may import {sorted(ONLY[importer]) or 'libraries'} alone"
    upper, lower = layer(importer), layer(imported)
    if upper is None or lower is None:
        return "has no layer: give it one in this test, where the design puts it"
    return None if lower <= upper else f"lies below {imported}"


def wrong_arrows(root: Path) -> Iterator[str]:
    """Every arrow that the design does not allow."""
    for path, tree in modules(root):
        for name in imports(tree):
            first, _, rest = name.partition(".")
            if first == PACKAGE and rest:
                trouble = wrong_arrow(room(path), rest.partition(".")[0])
                if trouble:
                    yield f"{path} imports {name}: {room(path)} {trouble}"


def strange_imports(root: Path) -> Iterator[str]:
    """Every library that is imported outside the rooms that it is for."""
    for path, tree in modules(root):
        for name in imports(tree):
            library = name.partition(".")[0]
            if room(path) not in LIBRARIES.get(library, {room(path)}):
                yield f"{path} imports {name}: only {sorted(LIBRARIES[library])} may"


def clock_readers(root: Path) -> Iterator[str]:
    """Every use of the wall's time or of chance outside a clock."""
    for path, tree in modules(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and path not in TIMEKEEPERS:
                called = ast.unparse(node)
                if any(called == name or called.endswith(f".{name}") for name in TIME_AND_CHANCE):
                    yield f"{path}:{node.lineno} uses {called}: ask the clock that you were given"


def test_every_arrow_is_allowed(root: Path) -> None:
    """No module reaches up, and only account reaches the sandbox."""
    assert list(wrong_arrows(root)) == []


def test_heavy_libraries_stay_in_their_rooms(root: Path) -> None:
    """boto3 in account and sandbox, moto in the sandbox, matplotlib in views, papermill in runs."""
    assert list(strange_imports(root)) == []


def test_only_clocks_know_the_time(root: Path) -> None:
    """Everybody else is given a clock."""
    assert list(clock_readers(root)) == []


@pytest.mark.parametrize(
    ("path", "source", "told"),
    [
        ("check.py", "from runbook_lib import service", "check lies below service"),
        ("service.py", "from runbook_lib.sandbox.world import World", "past account"),
        ("sandbox/world.py", "from runbook_lib.account import Account", "may import ['clock', 'errors'] alone"),
        ("documents/x.py", "from runbook_lib import params", "may import ['errors'] alone"),
        ("brand_new.py", "from runbook_lib import errors", "has no layer"),
        ("service.py", "def f():\n    import boto3", "only ['account', 'hook', 'sandbox'] may"),
        ("story/x.py", "from matplotlib import pyplot", "only ['views'] may"),
        ("service.py", "import time\ntime.sleep(1)", "service.py:2 uses time.sleep"),
        ("service.py", "import datetime\ndatetime.datetime.now()", "uses datetime.datetime.now"),
    ],
)
def test_a_forbidden_arrow_is_found(tmp_path: Path, path: str, source: str, told: str) -> None:
    """Also inside a function, and for a module that is new."""
    file = tmp_path / PACKAGE / path
    file.parent.mkdir(parents=True)
    file.write_text(source, encoding="utf-8")
    found = [*wrong_arrows(tmp_path), *strange_imports(tmp_path), *clock_readers(tmp_path)]
    assert any(told in line for line in found), found
