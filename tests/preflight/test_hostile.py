"""Files that nobody should give us: each is a finding, in bounded time and memory, and never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runbook_lib.check import Verdict
from runbook_lib.cli import main
from runbook_lib.preflight import fix, reading, report
from runbook_lib.preflight.report import Report

LONGEST_SECONDS = 15  # on a machine with other work; alone each takes less than three
MOST_MEMORY = 700 << 20  # address space of the whole process, Python and its libraries included
SPEC = "version: 0.2\nphases:\n  build:\n    commands:\n"


def commands(text: str) -> str:
    return f"{SPEC}{text}"


ALIASES = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20))
DEEP_ALIASES = "".join(f"a{n}: &a{n} {'[' * 40}*a{n - 1}{']' * 40}\n" for n in range(1, 60))
# File -> what it holds, and words of the finding; each of them once took minutes, gigabytes or a traceback to read.
READ: dict[str, tuple[str, str | bytes, str]] = {
    "empty": ("taskdef.json", "", "an empty file"),
    "blank": ("buildspec.yml", "\n" * 100_000, "an empty file"),
    "only_comments": ("buildspec.yml", "#" * 100_000, "only comments"),
    "binary": ("taskdef.json", b"\x7fELF\x02\x01\x01\x00" * 4096, "as binary files have"),
    "not_utf8": ("appspec.yaml", "version: 0.0 # \u00e9".encode("latin-1"), "which is not UTF-8"),
    "utf16": ("buildspec.yml", "version: 0.2".encode("utf-16"), "a file in UTF-16"),
    "deep_lists": ("taskdef.json", "[" * 500_000, "more than 50 levels"),
    "deep_objects": ("taskdef.json", '{"a":' * 100_000, "more than 50 levels"),
    "deep_yaml": ("buildspec.yml", "[" * 60_000, "more than 50 levels"),
    "deep_blocks": ("buildspec.yml", "".join(" " * n + "a:\n" for n in range(480)), "more than 50 levels"),
    "wide_list": ("taskdef.json", f'{{"containerDefinitions":[{",".join(["[]"] * 300_000)}]}}', "more than 50,000"),
    "unknown_keys": (
        "taskdef.json",
        f'{{"containerDefinitions":[{{}}],{",".join(f""""k{n}":1""" for n in range(40_000))}}}',
        "the key 'k0'",
    ),
    "containers": ("taskdef.json", f'{{"containerDefinitions":[{",".join(["{}"] * 40_000)}]}}', "40,000 containers"),
    "open_string": ("taskdef.json", '{"a":"' + "x" * 900_000, "Unterminated string"),
    "billion_laughs": ("buildspec.yml", f"a0: &a0 [x]\n{ALIASES}", "more than 50,000 values"),
    "deep_laughs": ("buildspec.yml", f"a0: &a0 x\n{DEEP_ALIASES}", "more than 50 levels"),
    "cyclic_anchor": ("buildspec.yml", "version: 0.2\nphases: &p\n  build: *p\n", "no &p before it"),
    "cyclic_merge": ("buildspec.yml", "version: 0.2\nphases: &p\n  <<: *p\n", "no &p before it"),
    "values": ("appspec.yaml", "Resources: [" + "a," * 60_000 + "]", "more than 10,000 values"),
    "pipes": ("buildspec.yml", commands(f"      - '{'a | ' * 2000}'\n" * 15), "pipes and brackets"),
    "arrays": ("buildspec.yml", commands(f"      - '{'a=(' * 2000}'\n" * 15), "pipes and brackets"),
    "no_image": ("buildspec.yml", commands("      - echo '[]' > imagedefinitions.json\n"), "without an image"),
    "many_writes": ("buildspec.yml", commands("      - echo x >> imagedefinitions.json\n" * 2000), "2,000 commands"),
    "doubled_variables": ("Dockerfile", "FROM a\nENV A=xxxxxxxx\n" + "ENV A=$A$A\n" * 60 + "COPY $A b\n", "Docker Hub"),
    "stages": ("Dockerfile", "FROM a AS b\n" * 40_000, "40,000 instructions"),
    "instructions": ("Dockerfile", "FROM a\n" + "RUN a\n" * 150_000, "150,001 instructions"),
    "copy_brackets": ("Dockerfile", f"FROM a\nCOPY {'[' * 200_000}\n", "Docker Hub"),
    "image_detail": ("imageDetail.json", "[" * 100_000, "more than 50 levels"),
    "appspec_json": ("appspec.json", '{"Resources":' + "[" * 100_000, "more than 50 levels"),
}
GROWING = ("      - A=$A$B$A\n" * 5000, "      - docker tag a b\n" * 4000, "      - (cd a && docker push $X)\n" * 2500)


def asked(folder: Path) -> Report:
    return report.examine(reading.read_folder(folder))


def told(found: Report) -> str:
    return "\n".join(answer.seen for one in found.asked for answer in one.answers if answer.verdict > Verdict.SKIP)


@pytest.mark.parametrize("case", sorted(READ))
def test_a_hostile_file_is_a_finding_in_bounded_time(case: str, tmp_path: Path) -> None:
    """It is said what is wrong with it, and neither a repair nor the other files come to harm."""
    name, content, words = READ[case]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    began = time.monotonic()
    assert words in told(asked(tmp_path))
    fix.plan_fixes(tmp_path)
    assert time.monotonic() - began < 2 * LONGEST_SECONDS


@pytest.mark.parametrize("text", GROWING, ids=["variables", "tags", "subshells"])
def test_many_commands_take_bounded_time(text: str, tmp_path: Path) -> None:
    """As many as a buildspec may hold; there is nothing wrong with them."""
    (tmp_path / "buildspec.yml").write_text(commands(text), encoding="utf-8")
    began = time.monotonic()
    asked(tmp_path)
    assert time.monotonic() - began < LONGEST_SECONDS


@pytest.mark.parametrize("name", ["buildspec.yml", "taskdef.json", "appspec.yaml", "Dockerfile", "imageDetail.json"])
def test_a_file_of_100_mb_is_refused_by_its_size(name: str, tmp_path: Path) -> None:
    """In a process that has no room for it."""
    with (tmp_path / name).open("wb") as file:
        file.truncate(100 << 20)
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({MOST_MEMORY}, {MOST_MEMORY}));"
    code = f"{limited} from runbook_lib.cli import main; raise SystemExit(main(['check', {str(tmp_path)!r}]))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert "104,857,600 bytes" in done.stdout


def test_links_that_lead_nowhere_or_in_circles_are_no_files(tmp_path: Path) -> None:
    """They are passed over, folders are never entered twice, and what cannot be read is said."""
    (tmp_path / "taskdef.json").symlink_to(tmp_path / "appspec.yaml")
    (tmp_path / "appspec.yaml").symlink_to(tmp_path / "taskdef.json")
    (tmp_path / "Dockerfile").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(tmp_path / "imageDetail.json")
    assert reading.read_folder(tmp_path).files.below == {}  # type: ignore[union-attr]
    assert "no buildspec, task definition" in told(asked(tmp_path))


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no file here that its owner cannot read")
def test_a_file_that_cannot_be_read_is_an_error_of_its_rules(tmp_path: Path) -> None:
    """This one is refused to everybody, the superuser included."""
    for name in ("buildspec.yml", "x-taskdef.json"):
        (tmp_path / name).symlink_to("/proc/self/mem")
    found = asked(tmp_path)
    assert found.verdict is Verdict.ERROR
    assert "no readable file" in told(found)


def test_a_folder_with_too_many_files_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not looked at is never OK."""
    monkeypatch.setattr("runbook_lib.preflight.tree.MOST", 20)
    for number in range(30):
        (tmp_path / f"{number}.txt").touch()
    verdicts = {one.story.id: one.verdict for one in asked(tmp_path).asked}
    assert {verdicts[id] for id in ("A1", "A9", "E8")} == {Verdict.ERROR}


def test_a_folder_with_none_of_the_files_is_an_error_and_repairs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was not measured is never OK: a wrong folder must not pass; the conversion says what it wants."""
    (tmp_path / "notes.txt").write_text("x")
    assert main(["check", str(tmp_path)]) == 3
    assert "next:   name the folder that holds its buildspec" in capsys.readouterr().out
    assert main(["check", str(tmp_path), "--fix", "--yes"]) == 3
    assert main(["convert", str(tmp_path), "--yes"]) == 2
    assert "no buildspec" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "gone")]) == 2
    assert main(["check", str(tmp_path / "notes.txt")]) == 2


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe{", b"[" * 100_000, b'{"pipeline": {"stages": [1, {"actions": [2]}]}}']
)
def test_a_hostile_pipeline_definition_is_an_answer_too(content: bytes, tmp_path: Path) -> None:
    """Also one whose stages are numbers."""
    (tmp_path / "pipeline.json").write_bytes(content)
    assert main(["check", str(tmp_path), "--pipeline", str(tmp_path / "pipeline.json")]) in (0, 3)
    assert main(["check", str(tmp_path), "--pipeline", str(tmp_path / "gone.json")]) == 3


def test_of_very_many_files_of_a_kind_the_first_are_read_and_the_others_told(tmp_path: Path) -> None:
    """What was not read is in doubt."""
    for number in range(15):
        (tmp_path / f"buildspec{number:02}.yml").write_text(commands("      - true\n"), encoding="utf-8")
    answers = next(one.answers for one in asked(tmp_path).asked if one.story.id == "buildspec")
    (doubt,) = (answer for answer in answers if answer.verdict is Verdict.INCONCLUSIVE)
    assert (doubt.where, doubt.seen) == ("buildspec09.yml", "14 further files of this kind")
