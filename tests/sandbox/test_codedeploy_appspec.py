"""What CodeDeploy reads from an AppSpec, and what it refuses in which words."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.sandbox.services.codedeploy.appspec import AppSpecError, parse

CASES = {path.stem: path for path in sorted((Path(__file__).parents[1] / "cases/codedeploy/appspec").glob("*.yaml"))}


def case(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(CASES[name].read_text())
    return found


def plain(value: Any) -> Any:
    return [plain(item) for item in value] if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", [name for name in CASES if "wanted" in case(name)])
def test_reads_an_appspec(name: str) -> None:
    """A good file gives what it says."""
    read = {key: plain(value) for key, value in asdict(parse(case(name)["text"])).items()}
    assert read == case(name)["wanted"]


@pytest.mark.parametrize("name", [name for name in CASES if "error" in case(name)])
def test_refuses_a_bad_appspec(name: str) -> None:
    """A bad file is refused and the message names the place."""
    with pytest.raises(AppSpecError) as refused:
        parse(case(name)["text"])
    assert case(name)["error"] in str(refused.value)
