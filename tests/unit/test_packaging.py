"""pyproject.toml, the lock file, environment.yml, the Makefile and the README say the same."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from ruamel.yaml import YAML

from runbook_lib import cli
from runbook_lib.runs import notebook, pictures, walk
from runbook_lib.runs.verdict import OUTCOMES

PINNED = ("papermill", "nbval", "pytest", "nbclient", "jupyter-client", "ipykernel", "pandas", "matplotlib", "moto")
PYTHONS = ("3.11", "3.12", "3.13")
ENTRY = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;]+)(?: ; (.*?))?(?: \\)?$")


def project(root: Path) -> dict[str, Any]:
    told: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return told


def wanted(root: Path) -> list[Requirement]:
    """What pyproject.toml asks for, with the developers' tools."""
    told = project(root)
    return [Requirement(text) for text in told["dependencies"] + told["optional-dependencies"]["dev"]]


def locked(root: Path, python: str) -> dict[str, Version]:
    """What the lock file installs on a Python on Linux."""
    found = {}
    environment = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux"}
    for line in (root / "requirements.lock").read_text(encoding="utf-8").splitlines():
        entry = ENTRY.match(line)
        if entry:
            marker = Requirement(f"x ; {entry[3]}").marker if entry[3] else None
            if marker is None or marker.evaluate(environment):
                found[canonicalize_name(entry[1])] = Version(entry[2])
    return found


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_file_satisfies_the_project(root: Path, python: str) -> None:
    """Every direct requirement is locked to a version that it allows, on each Python."""
    have = locked(root, python)
    wrong = [str(r) for r in wanted(root) if have.get(canonicalize_name(r.name), Version("0")) not in r.specifier]
    assert wrong == []


@pytest.mark.parametrize("name", PINNED)
def test_what_outputs_depend_on_is_pinned_exactly(root: Path, name: str) -> None:
    """Committed notebooks and the sandbox's seam hold for one version."""
    found = [r for r in wanted(root) if canonicalize_name(r.name) == name]
    assert [str(one) for r in found for one in r.specifier if one.operator == "=="], name


def test_every_locked_file_has_a_hash(root: Path) -> None:
    """And nothing comes from a machine's own folders or hosts."""
    text = (root / "requirements.lock").read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=\S)", text.partition("\n")[2].strip()):
        assert ENTRY.match(entry.splitlines()[0]), entry.splitlines()[0]
        assert "--hash=sha256:" in entry
    assert not re.search(r"https?:|file:|--index|--find-links|--extra|/", text)


def test_conda_installs_the_same(root: Path) -> None:
    """environment.yml takes the lock file as it is, and a Python that the project allows."""
    told = YAML(typ="safe").load(root / "environment.yml")
    pip = next(part["pip"] for part in told["dependencies"] if isinstance(part, dict))
    python = next(part for part in told["dependencies"] if isinstance(part, str) and part.startswith("python"))
    allowed = SpecifierSet(python.removeprefix("python"))
    assert pip == ["-r requirements.lock"]
    assert SpecifierSet(project(root)["requires-python"]) == SpecifierSet(">=3.11")
    assert [version for version in ("3.10", *PYTHONS, "3.14") if Version(version) in allowed] == list(PYTHONS)


def test_this_environment_is_the_locked_one(root: Path) -> None:
    """What the tests run on is what users get."""
    have = locked(root, f"{sys.version_info[0]}.{sys.version_info[1]}")
    differing = {name: version(name) for name in PINNED if Version(version(name)) != have[name]}
    assert differing == {}


def make(root: Path, *words: str, path: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": path, "HOME": os.environ.get("HOME", "/")}
    return subprocess.run(
        ["make", "-C", str(root), *words], env=environment, capture_output=True, text=True, check=False
    )


def test_make_without_a_fitting_python_says_so(tmp_path: Path, root: Path) -> None:
    """What was found, what is needed, how to get it; nothing is made."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_bytes((root / name).read_bytes())
    fake = tmp_path / "bin"
    fake.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        (fake / name).write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n')
        (fake / name).chmod(0o755)
    told = make(tmp_path, "demo", path=f"{fake}:/usr/bin:/bin")
    assert told.returncode == 2
    assert "Python 3.11, 3.12 or 3.13 with its venv module is needed" in told.stderr
    assert "seen:   Python 3.9.2" in told.stderr
    assert not (tmp_path / ".venv").exists()


def test_make_alone_lists_its_targets(root: Path) -> None:
    """Each target that a user needs, in one line."""
    told = make(root, path="/usr/bin:/bin").stdout
    assert all(
        f"make {name} " in told for name in ("demo", "lab", "test", "test-full", "bench", "refresh", "lock", "clean")
    )


def readme(root: Path) -> str:
    return (root / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_the_readme_tells_every_command(root: Path, name: str) -> None:
    """A command that nobody can read about does not exist."""
    assert f"`runbook {name}" in readme(root)


@pytest.mark.parametrize("code", sorted(OUTCOMES))
def test_the_readme_tells_every_exit_code(root: Path, code: int) -> None:
    """With its meaning, in the one table."""
    assert re.search(rf"^\| {code} \| {re.escape(OUTCOMES[code])}", readme(root), re.MULTILINE)


def test_the_readme_tells_every_notebook(root: Path) -> None:
    """By its name, with a link to it."""
    names = [path.stem for path in sorted((root / notebook.FOLDER).glob("*.ipynb"))]
    assert [name for name in names if f"[{name}](notebooks/{name}.ipynb)" not in readme(root)] == []


def test_the_transcript_in_the_readme_is_that_of_the_demo(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every notebook of the walk, in its order, with the ending that is expected of it."""
    monkeypatch.chdir(root)
    stages = walk.read_stages(params_file="sandbox")
    told = re.findall(r"^(\d\d_.{22}) +\d+\.\d s  (.+)$", readme(root), re.MULTILINE)
    assert [(name.strip(), outcome) for name, outcome in told] == [
        (stage.title, OUTCOMES[stage.expected]) for stage in stages
    ]


def test_the_pictures_in_the_readme_are_there(root: Path) -> None:
    """Each is a file that `make refresh` writes."""
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", readme(root))
    kept = {path.relative_to(root).as_posix() for path in pictures.pictures(root / "notebooks" / "50_watch.ipynb")}
    assert len(shown) == 2
    assert set(shown) <= kept


def test_the_readme_names_no_make_target_that_is_not_there(root: Path) -> None:
    """And every target of the list."""
    targets = set(re.findall(r"^([a-z-]+):.*## ", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", readme(root)))
    assert named <= targets
    assert {"demo", "lab", "test", "test-full", "bench", "refresh", "lock", "clean"} <= named


def test_the_readme_tells_every_dependency(root: Path) -> None:
    """And why it is there."""
    named = readme(root)
    assert [d for d in map(lambda t: Requirement(t).name, project(root)["dependencies"]) if f"`{d}`" not in named] == []


def test_ci_runs_what_the_readme_says(root: Path) -> None:
    """One command tests everything."""
    assert "make test" in (root / ".ci" / "run").read_text(encoding="utf-8")
    assert "`make test`" in readme(root)


def imported_libraries(root: Path) -> dict[str, str]:
    """Each library that the package imports, with one file that does."""
    found: dict[str, str] = {}
    package = root / "runbook_lib"
    # The sample application stands alone: its modules import each other, not the package.
    for path in sorted(set(package.rglob("*.py")) - set((package / "sandbox" / "application").rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            found |= {name.partition(".")[0]: path.relative_to(root).as_posix() for name in names}
    return {name: path for name, path in found.items() if name not in {*sys.stdlib_module_names, "runbook_lib"}}


def test_every_library_that_is_imported_is_required(root: Path) -> None:
    """Not because something else happens to bring it; by an extra, where what needs it says so."""
    told = project(root)
    asked = [*told["dependencies"], *told["optional-dependencies"]["dask"]]
    required = {canonicalize_name(Requirement(text).name) for text in asked}
    providers = packages_distributions()
    missing = {
        name: path
        for name, path in imported_libraries(root).items()
        if not {canonicalize_name(one) for one in providers.get(name, ())} & required
    }
    assert missing == {}
