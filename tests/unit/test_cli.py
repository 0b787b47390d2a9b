"""The command refuses what it does not know, says what it wanted, and starts quickly."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runbook_lib import __version__, cli
from runbook_lib.errors import OutOfTime

HEAVY = ("numpy", "pandas", "matplotlib", "boto3", "moto", "papermill", "nbformat", "pydantic", "ruamel", "zmq")


def test_without_a_word_it_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """With what each does."""
    assert cli.main([]) == 0
    told = capsys.readouterr().out
    assert all(name in told and command.help in told for name, command in cli.COMMANDS.items())


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """On one line."""
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"runbook {__version__}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["rnu"], "did you mean run?"),
        (["run"], "NOTEBOOK"),
        (["run", "no_such"], "no notebook named no_such"),
        (["run", "all_good", "--outptu", "x"], "did you mean --output?"),
        (["run", "all_god"], "did you mean all_good?"),
        (["run", "all_good", "-f", "nowhere"], "no such parameter file"),
        (["run", "all_good", "-f", "plain", "-p", "releas.traffic=canary"], "did you mean release.traffic?"),
        (["lab", "-f", "plain", "-p", "sandbox.trafic=live"], "did you mean sandbox.traffic?"),
        (["params", "shwo"], "invalid choice: 'shwo'"),
        (["params", "show", "-p", "x"], "no key=value"),
        (["sandbox"], "ACTION"),
        (["sandbox", "status"], "RUNBOOK_SANDBOX_URL"),
        (["sandbox", "status", "--url", "http://127.0.0.1:9"], "no sandbox answers"),
        (["lab", "--brwoser"], "did you mean --no-browser?"),
    ],
)
def test_what_it_does_not_understand_it_refuses(
    workplace: Path, fixtures: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, with what was seen, what is wanted and what to do next."""
    (workplace / "notebooks").mkdir()
    shutil.copy(fixtures / "all_good.ipynb", workplace / "notebooks")
    assert cli.main(words) == 2
    output = capsys.readouterr()
    assert told in output.err
    assert [line.split(":")[0].strip() for line in output.err.splitlines()][-3:] == ["seen", "wanted", "next"]
    assert output.out == ""


def test_live_traffic_on_a_virtual_clock_is_refused(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Real requests flow by the wall's time, and nothing is started."""
    words = ["lab", "-f", "plain", "-p", "sandbox.traffic=live", "-p", "sandbox.clock=virtual"]
    assert cli.main(words) == 2
    assert "sandbox.clock: scaled with live traffic" in capsys.readouterr().err


def test_the_parameters_of_a_file_are_shown(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every dotted key with its value, overruled ones too."""
    assert cli.main(["params", "show", "-f", "plain", "-p", "release.traffic=canary"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert 'release.traffic = "canary"' in lines
    assert "alarms.error_percent = 5.0" in lines


def test_the_runbooks_are_listed(workplace: Path, fixtures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Name and title of each, with its own parameters."""
    (workplace / "notebooks").mkdir()
    shutil.copy(fixtures / "own_parameters.ipynb", workplace / "notebooks" / "30_release.ipynb")
    assert cli.main(["list"]) == 0
    assert capsys.readouterr().out.startswith(
        "30_release              Its own parameters are taken  (version='2', count=3"
    )


def test_errors_keep_their_exit_codes(monkeypatch: pytest.MonkeyPatch, workplace: Path) -> None:
    """The one table holds for the command line too."""

    def too_late(given: list[str]) -> int:
        raise OutOfTime(seen="nothing", wanted="something", next_step="wait longer")

    monkeypatch.setattr(cli, "_carry_out", too_late)
    assert cli.main(["list"]) == 7


def test_help_loads_nothing_heavy() -> None:
    """Every command's help is there before a blink, without the libraries that its work needs."""
    program = (
        "import sys\nfrom runbook_lib import cli\ncli.main([])\n"
        "for name in cli.COMMANDS: cli.parser_of(name)\n"
        f"print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stderr.strip() == "[]"


def test_it_starts_within_half_a_second() -> None:
    """Of the processor's time, which other work on the machine does not lengthen; the best of three."""
    assert min(start() for _ in range(3)) < 0.5


def start() -> float:
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "runbook_lib.cli"], capture_output=True, check=True)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
