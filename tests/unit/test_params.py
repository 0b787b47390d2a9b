"""Parameters: what is refused before anything starts, and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib import params
from runbook_lib.errors import BadInput

REFUSED = {
    "an account number that YAML reads as a number": ("account: 012345678901\n", "p.yaml:1", "12 digits in quotes"),
    "a tag that YAML reads as a number": ("tags:\n  version: 1.10\n", "p.yaml:2", "1.10"),
    "an unknown key": ("release:\n  traffik: linear\n", "p.yaml:2", "did you mean release.traffic?"),
    "an unknown section": ("releese: {}\n", "p.yaml:1", "did you mean release?"),
    "a value outside its range": ("service:\n  desired_count: 0\n", "p.yaml:2", "desired_count"),
    "text for a number": ("service:\n  desired_count: '2'\n", "p.yaml:2", "integer"),
    "a number that is told as text": (
        "service:\n  desired_count: '2'\n",
        "p.yaml:2",
        "desired_count = '2'; wanted: a valid integer",
    ),
    "a value for a section": ("service: 3\n", "p.yaml:1", "service = 3; wanted: keys and values (a mapping)"),
    "a choice that does not exist": ("release:\n  traffic: fast\n", "p.yaml:2", "linear"),
    "a key twice": ("name: a\nname: b\n", "p.yaml:2", "second time"),
    "a date": ("account: 2026-01-01\n", "p.yaml:1", "timestamp"),
    "a list at the top": ("- a\n", "p.yaml:1", "mapping"),
    "YAML that is not well-formed": ("a: [\n", "p.yaml:2", "well-formed"),
    "a real account without a number": ("target: aws\n", "p.yaml", "no default"),
    "a git host without a connection": (
        "repository:\n  provider: github\n  full_name: acme/orders\n",
        "p.yaml:2",
        "a person has completed",
    ),
    "a git host without a repository": (
        "repository:\n  provider: github\n  connection: arn:aws:codeconnections:us-east-1:123456789012:connection/1\n",
        "p.yaml:2",
        "owner/repository",
    ),
    "a repository without its owner": ("repository:\n  full_name: orders\n", "p.yaml:2", "owner/repository"),
    "a remote with a token": (
        "repository:\n  remote: https://token@example.com/acme/orders.git\n",
        "p.yaml:2",
        "without user and password",
    ),
    "a remote with a password": (
        "repository:\n  remote: ssh://git:secret@example.com/acme/orders.git\n",
        "p.yaml:2",
        "without user and password",
    ),
    "a remote that is an option": ("repository:\n  remote: --upload-pack=x\n", "p.yaml:2", "a URL or a path"),
    "a branch that is an option": ("repository:\n  branch: --force\n", "p.yaml:2", "branch"),
    "a public test listener": ("network:\n  test_from: 0.0.0.0/0\n", "p.yaml:2", "never 0.0.0.0/0"),
    "a placeholder with brackets": ("pipeline:\n  placeholder: <IMAGE>\n", "p.yaml:2", "without angle brackets"),
    "more breaching minutes than evaluated": ("alarms:\n  breaching_minutes: 9\n", "p.yaml:2", "at most"),
}


def write(folder: Path, text: str) -> Path:
    path = folder / "p.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("case", REFUSED)
def test_bad_parameters_are_refused_with_place_and_remedy(case: str, tmp_path: Path) -> None:
    """Every bad file is refused with its line, what was seen and what is wanted."""
    text, place, words = REFUSED[case]
    with pytest.raises(BadInput) as refused:
        params.load(write(tmp_path, text))
    assert str(refused.value).startswith(place)
    assert words in str(refused.value)
    assert refused.value.exit_code == 2


def test_nothing_said_means_the_sandbox(tmp_path: Path) -> None:
    """The sandbox with its defaults."""
    assert params.load(write(tmp_path, "{}\n")).target == "sandbox"


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n"])
def test_an_empty_file_is_refused(text: str, tmp_path: Path) -> None:
    """It may have been cut off: nothing is guessed."""
    with pytest.raises(BadInput, match=r"p.yaml: seen: an empty file; wanted: keys and values, or \{\}"):
        params.load(write(tmp_path, text))


def test_an_application_is_meant_as_seen_from_the_file(tmp_path: Path) -> None:
    """Wherever the command is given; a folder params/ stands for the one that holds it."""
    beside = write(tmp_path, "application: ../my-app\n")
    assert Path(params.load(beside).application or "").resolve() == tmp_path.parent / "my-app"
    (tmp_path / "params").mkdir()
    within = write(tmp_path / "params", "application: ./my-app\n")
    assert Path(params.load(within).application or "").resolve() == tmp_path / "my-app"


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    """A dotted key replaces one value and leaves its neighbours."""
    path = write(tmp_path, "release:\n  traffic: canary\n  step_minutes: 5\n")
    release = params.load(path, {"release.traffic": "linear"}).release
    assert (release.traffic, release.step_minutes) == ("linear", 5)


def test_an_unknown_override_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    """A typing error on the command line is caught before a kernel starts."""
    with pytest.raises(BadInput, match=r"overrides: .*did you mean release.traffic\?"):
        params.load(write(tmp_path, "{}\n"), {"release.trafic": "canary"})


def test_the_command_line_keeps_text_where_text_is_wanted() -> None:
    """An account number keeps its leading zero, a switch becomes a boolean."""
    assert params.override_value("account", "012345678901") == "012345678901"
    assert params.override_value("sandbox.realism", "false") is False


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error names the file that was looked for."""
    with pytest.raises(BadInput, match=r"nowhere\.yaml: seen: no such parameter file"):
        params.load(tmp_path / "nowhere.yaml")


def test_parameters_cannot_change_during_a_run(tmp_path: Path) -> None:
    """What a run was told stays what it was told."""
    chosen = params.load(write(tmp_path, "{}\n"))
    with pytest.raises(ValueError, match="frozen"):
        chosen.name = "other"  # type: ignore[misc]


HOST = """
repository:
  provider: github
  connection: arn:aws:codeconnections:us-east-1:123456789012:connection/1
  full_name: acme/orders
"""
ARN = "arn:aws:codeconnections:us-east-1:123456789012:connection/1"


def test_a_git_host_in_the_sandbox_needs_a_remote(tmp_path: Path) -> None:
    """Nothing there touches the network unless it is told to."""
    with pytest.raises(BadInput, match=r"repository\.remote: must be named when target is sandbox"):
        params.load(write(tmp_path, HOST))


def test_a_git_host_on_aws_is_github_unless_told_otherwise(tmp_path: Path) -> None:
    """Its remote may be left out."""
    chosen = params.load(write(tmp_path, HOST + "target: aws\naccount: '123456789012'\nregion: us-east-1\n"))
    assert (chosen.repository.remote, chosen.connections) == (None, {})


@pytest.mark.parametrize(
    "remote", ["git@github.com:acme/orders.git", "ssh://git@host/x.git", "https://host/x.git", "x"]
)
def test_a_remote_without_credentials_is_taken(tmp_path: Path, remote: str) -> None:
    """The user of SSH is no credential; the sandbox is told of it by the connection."""
    chosen = params.load(write(tmp_path, HOST + f"  remote: {remote}\n"))
    assert chosen.connections == {ARN: {"acme/orders": remote}}
