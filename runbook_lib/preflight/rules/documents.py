"""The files themselves: would AWS take each of them, and does it say what it should?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runbook_lib.documents.finding import Finding
from runbook_lib.preflight.picture import Picture
from runbook_lib.preflight.rule import Answer, Rule, of_finding, ok

# Findings that are a failure mode of their own: they are answered there.
TOLD_ELSEWHERE = {
    "appspec_task_definition_not_placeholder": "A7",
    "appspec_load_balancer": "A10",
    "artifacts_missing_files": "A1, A2 and A9",
    "artifact_takes_all": "A1",
    "image_detail_never_written": "A2",
    "buildspec_still_rolling": "A2",
    "image_detail_shape": "A2",
    "shell_eats_json_quotes": "A2",
    "no_artifacts_block": "A1, A2 and A9",
    "image_file_name": "A3",
    "unguarded_block": "B3",
    "unguarded_post_build": "B4",
    "image_tag_never_changes": "B5",
    "taskdef_size": "C14",
    "taskdef_no_size": "C14",
    "taskdef_image_is_literal": "A6",
    "taskdef_image_other_token": "A6",
    "taskdef_placeholders": "A8",
}


def _asks(part: str) -> Callable[[Picture], Iterator[Answer]]:
    def answer(picture: Picture) -> Iterator[Answer]:
        """Everything that the document's own check says and no failure mode does."""
        files = picture.files
        assert files is not None
        names = files.names.get(part, ())
        found = [finding for finding in files.findings if _belongs(finding, names)]
        yield from (of_finding(finding) for finding in found if finding.rule not in TOLD_ELSEWHERE)
        if all(finding.rule in TOLD_ELSEWHERE for finding in found):
            yield ok(", ".join(names), "nothing that AWS would refuse", "nothing that AWS would refuse")

    return answer


def _belongs(finding: Finding, names: tuple[str, ...]) -> bool:
    return any(finding.where == name or finding.where.startswith(f"{name}:") for name in names)


def images(picture: Picture) -> Iterator[Answer]:
    """What is wrong with image files that are committed."""
    files = picture.files
    assert files is not None
    names = tuple(document.source.name for document in files.image_files)
    found = [finding for finding in files.findings if _belongs(finding, names)]
    yield from (of_finding(finding) for finding in found)
    if not found and names:
        yield ok(", ".join(names), "the shape that its deploy action reads", "the shape that its deploy action reads")


RULES = (
    *(Rule(part, (f"files.{part}",), _asks(part)) for part in ("taskdef", "appspec", "buildspec")),
    Rule("images", ("files",), images),
)
