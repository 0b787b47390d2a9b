"""The buildspec's edits, refusals and repairs; a case is a folder under tests/cases/buildspec."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from build_run import run_build

from runbook_lib.documents import buildspec
from runbook_lib.documents.buildspec import afterwards
from runbook_lib.errors import BadInput

CASES = Path(__file__).parents[1] / "cases" / "buildspec"
EDITS = sorted((CASES / "edits").iterdir())
REFUSED = sorted((CASES / "refused").iterdir())
MALFORMED = sorted((CASES / "malformed").iterdir())
REPAIRS = sorted((CASES / "repairs").glob("*/after.*.yml"))


def by_name(path: Path) -> str:
    return path.name if path.is_dir() else f"{path.parent.name}-{path.name}"


@pytest.mark.parametrize("case", EDITS, ids=by_name)
def test_edit_is_the_expected_one_byte_for_byte(case: Path) -> None:
    """Both edits together give exactly the file that a person would have written."""
    edit = buildspec.to_blue_green((case / "before.yml").read_bytes())
    assert edit.after.encode() == (case / "after.yml").read_bytes()


@pytest.mark.parametrize("case", EDITS, ids=by_name)
def test_second_edit_changes_nothing_and_says_why(case: Path) -> None:
    """Running the edit again is harmless, and its reasons say that it was done."""
    edit = buildspec.to_blue_green((case / "after.yml").read_bytes())
    assert not edit.changed
    assert edit.diff == ""
    assert all("nothing to do" in reason for reason in edit.reasons)


@pytest.mark.parametrize("case", EDITS, ids=by_name)
def test_edit_only_adds(case: Path) -> None:
    """Without the added characters the file is what it was before."""
    before, after = ((case / name).read_bytes() for name in ("before.yml", "after.yml"))
    rest = iter(after)
    assert all(byte in rest for byte in before)


@pytest.mark.parametrize("case", EDITS, ids=by_name)
def test_edited_build_names_the_same_image_in_both_files(case: Path, tmp_path: Path) -> None:
    """Run by bash, the edited buildspec writes one image into both files."""
    variables = {"URI": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web", "TAG": "t1", "DIGEST": "sha256:ab"}
    run_build(buildspec.parse((case / "after.yml").read_bytes()), tmp_path, variables)
    image = json.loads((tmp_path / "imageDetail.json").read_text())["ImageURI"]
    found = next(tmp_path.rglob("imagedefinitions.json"), None)
    handed = [entry["imageUri"] for entry in json.loads(found.read_text())] if found else [f"{variables['URI']}:t1"]
    assert [image] == handed


@pytest.mark.parametrize("case", REFUSED, ids=by_name)
def test_refusal_says_what_is_in_the_way(case: Path) -> None:
    """Where the edit would be a guess it is refused, with the place and the line to add."""
    with pytest.raises(BadInput) as caught:
        buildspec.to_blue_green((case / "buildspec.yml").read_bytes())
    for words in json.loads((case / "expected.json").read_text())["says"]:
        assert words in str(caught.value)


@pytest.mark.parametrize("case", MALFORMED, ids=by_name)
@pytest.mark.parametrize("read", [buildspec.to_blue_green, buildspec.check, buildspec.facts, buildspec.repairs])
def test_malformed_buildspec_is_a_clear_error(case: Path, read: object) -> None:
    """Every function that reads a buildspec says file, line and remedy."""
    with pytest.raises(BadInput) as caught:
        read((case / "buildspec.yml").read_bytes())  # type: ignore[operator]
    for words in json.loads((case / "expected.json").read_text())["says"]:
        assert words in str(caught.value)


@pytest.mark.parametrize("after", REPAIRS, ids=by_name)
def test_repair_is_an_edit_of_its_own(after: Path) -> None:
    """Each repair changes its own lines alone, and is not offered twice."""
    rule = after.name.split(".")[1]
    found = {repair.rule: repair for repair in buildspec.repairs((after.parent / "before.yml").read_bytes())}
    assert found[rule].edit.after.encode() == after.read_bytes()
    assert rule not in {repair.rule for repair in buildspec.repairs(after.read_bytes())}


def test_no_repair_is_offered_for_a_good_buildspec() -> None:
    """A buildspec that needs nothing is left alone."""
    good = (CASES / "repairs" / "unguarded_push" / "after.unguarded_post_build.yml").read_bytes()
    assert buildspec.repairs(good) == ()


def test_container_chooses_one_of_several_images() -> None:
    """With two images the caller says whose image the pipeline replaces."""
    text = (CASES / "refused" / "two_containers" / "buildspec.yml").read_bytes()
    edit = buildspec.write_image_detail(text, container="proxy")
    assert '\'{"ImageURI":"%s"}\' "nginx:1" > imageDetail.json' in edit.after


def test_aliases_that_multiply_are_refused() -> None:
    """A small file whose aliases expand to millions of values is refused, not expanded."""
    lines = [f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(BadInput, match="more than 50,000 values"):
        buildspec.parse("\n".join(["k0: &k0 [a]", *lines]))


def test_deep_nesting_is_refused() -> None:
    """Thousands of open brackets are an error, not a crash."""
    with pytest.raises(BadInput, match="more than 50 levels"):
        buildspec.parse("a: " + "[" * 200)


def test_huge_file_is_refused() -> None:
    """A file that no person writes is refused before it is read."""
    with pytest.raises(BadInput, match="131,072"):
        buildspec.parse("# x\n" * 40_000)


@pytest.mark.parametrize(
    ("post_build", "more", "idle"),
    [
        (["docker push $URI", "echo Done on `date`", "printf x > imageDetail.json"], "", True),
        (['if [ -n "$URI" ]; then docker push $URI; fi', "aws ecr describe-images --repository-name web"], "", True),
        (["docker push $URI", "curl -X POST $CHAT"], "", False),
        (["docker push $URI", "echo $(curl -s $CHAT)"], "", False),
        (["docker push $URI", "aws s3 cp report.html s3://reports/"], "", False),
        (["docker push $URI", "docker run --rm $URI report"], "", False),
        (["docker push $URI", "$NOTIFY"], "", False),
        (["docker push $URI", "echo 'open"], "", False),
        (["docker push $URI"], "reports:\n  unit:\n    files: ['*.xml']\n", False),
        (["docker push $URI"], "cache:\n  paths: ['/usr/share/maven/**/*']\n", False),
    ],
)
def test_a_build_is_ended_early_only_where_nothing_is_missed(post_build: list[str], more: str, idle: bool) -> None:
    """Messages, reports and caches of a failed build are somebody's; an image of it is nobody's."""
    lines = "\n".join(f"      - {json.dumps(command)}" for command in post_build)
    text = (
        f"version: 0.2\nphases:\n  build:\n    commands:\n      - make\n  post_build:\n    commands:\n{lines}\n{more}"
    )
    assert afterwards.idle_after_failure(buildspec.parse(text)) is idle


def test_what_follows_post_build_is_not_taken_away() -> None:
    """finally is there to be done after a failure."""
    text = (
        "version: 0.2\nphases:\n  post_build:\n    commands:\n      - docker push x\n    finally:\n      - echo bye\n"
    )
    assert not afterwards.idle_after_failure(buildspec.parse(text))
