"""What is asked of a run is checked to the last value before a kernel starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runbook_lib.errors import BadInput
from runbook_lib.runs import notebook, request
from runbook_lib.runs.notebook import Parameter


def asked(fixtures: Path, *settings: str, name: str = "own_parameters") -> request.Request:
    return request.prepare(notebook.read(fixtures / f"{name}.ipynb"), params_file="plain", settings=settings)


def test_own_parameters_are_read_by_their_type(workplace: Path, fixtures: Path) -> None:
    """A text stays the text that was typed; the others are YAML 1.2."""
    made = asked(fixtures, "version=1.10", "count=4", "share=1", "loud=true", "names=[x, y]", "limit=null")
    wanted = {"version": "1.10", "count": 4, "share": 1.0, "loud": True, "names": ["x", "y"], "limit": None}
    assert made.own == wanted
    assert isinstance(made.own["share"], float)


def test_dotted_keys_overrule_the_parameter_file(workplace: Path, fixtures: Path) -> None:
    """What the notebook does not know itself goes to the parameter file, by its type there."""
    made = asked(fixtures, "release.traffic=canary", "account=012345678901")
    assert made.overrides == {"release.traffic": "canary", "account": "012345678901"}


def test_paths_are_meant_as_seen_from_here(workplace: Path) -> None:
    """The kernel runs in the notebook's folder, where a typed `runs/...` would lead elsewhere; an empty one is none."""
    known = notebook.read(Path(__file__).parents[2] / "notebooks" / "60_post_incident.ipynb")
    assert set(request.PATHS) <= {parameter.name for parameter in known.own}
    settings = ("saved=runs/1/incident.json", "report=~/out", "since=2026-03-02T14:00")
    made = request.prepare(known, params_file="plain", settings=settings)
    assert made.own == {
        "saved": str(workplace.resolve() / "runs/1/incident.json"),
        "report": str(Path.home().resolve() / "out"),
        "since": "2026-03-02T14:00",
    }
    assert request.prepare(known, params_file="plain", settings=("report=",)).own == {"report": ""}


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("versoin=2", "did you mean version?"),
        ("release.trafic=canary", "did you mean release.traffic?"),
        ("params_file=x", "name the file with -f"),
        ("nonsense.at.all=1", "runbook params show"),
        ("release.traffic=diagonal", "linear"),
        ("release.step_percent=ten", "integer"),
        ("count=four", "a value of type int, such as 3"),
        ("count=1.5", "a value of type int"),
        ("loud=yes", "a value of type bool"),
        ("share=true", "a value of type float"),
        ("no-equals-sign", "key=value"),
        ("=value", "key=value"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_remedy(workplace: Path, fixtures: Path, setting: str, told: str) -> None:
    """Nothing starts; the text says what was seen and what to do."""
    with pytest.raises(BadInput) as refused:
        asked(fixtures, setting)
    assert told in str(refused.value)


def test_a_key_is_given_once(workplace: Path, fixtures: Path) -> None:
    """The last one does not silently win."""
    with pytest.raises(BadInput, match="given twice"):
        asked(fixtures, "count=1", "count=2")


def test_a_missing_parameter_file_is_refused(workplace: Path, fixtures: Path) -> None:
    """By its name, before anything else happens."""
    with pytest.raises(BadInput, match=r"no such parameter file: no params/plian\.yaml in /.* or above it"):
        request.prepare(notebook.read(fixtures / "all_good.ipynb"), params_file="plian", settings=())


def test_the_kernel_gets_a_file_that_it_can_find(workplace: Path, fixtures: Path) -> None:
    """The kernel runs in the notebook's folder: a file of the caller's folder is named in full."""
    assert asked(fixtures).injected["params_file"] == str(workplace / "params" / "plain.yaml")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [("str", "", ""), ("Optional[int]", "", None), ("int | None", "7", 7), ("dict", '{a: "1"}', {"a": "1"})],
)
def test_each_kind_of_parameter_has_its_values(kind: str, text: str, value: Any) -> None:
    """Empty means nothing only where nothing is allowed."""
    assert request.own_value(Parameter("it", kind, None), text) == value


def test_an_application_that_cannot_be_walked_is_refused_before_a_kernel_starts(
    workplace: Path, fixtures: Path
) -> None:
    """As seen from where the command is given."""
    own = notebook.read(fixtures / "all_good.ipynb")
    with pytest.raises(BadInput, match="gone: seen: no such directory; wanted: the folder of an application"):
        request.prepare(own, params_file="plain", settings=["application=gone"])
