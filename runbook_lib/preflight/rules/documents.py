"""The files themselves: would AWS take each of them, and does it say what it should?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runbook_lib.check import Verdict
from runbook_lib.documents import buildspec
from runbook_lib.documents.appspec import repair as appspec_repair
from runbook_lib.documents.buildspec import repair as buildspec_repair
from runbook_lib.documents.edit import Edit
from runbook_lib.documents.finding import Finding
from runbook_lib.documents.taskdef import repair as taskdef_repair
from runbook_lib.preflight.picture import Picture
from runbook_lib.preflight.rule import Answer, Rule, of_finding, of_trouble, ok

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
        # Another file of the kind may be one that another pipeline reads, or none that AWS reads at all.
        others = [trouble for trouble in picture.troubles if trouble.part in (f"others.{part}", part)]
        yield from (of_trouble(trouble, verdict=Verdict.INCONCLUSIVE) for trouble in others)
        if not others and all(finding.rule in TOLD_ELSEWHERE for finding in found):
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
    unread = [trouble for trouble in picture.troubles if trouble.part == "files.image_files"]
    yield from (of_trouble(trouble) for trouble in unread)
    if not found and not unread and names:
        yield ok(", ".join(names), "the shape that its deploy action reads", "the shape that its deploy action reads")


def mend_taskdef(picture: Picture) -> Iterator[Edit]:
    """What describe added and null, ports in quotes, Fargate's network mode, commas before brackets."""
    document = picture.files.taskdef if picture.files else None
    if document is not None:
        yield from taskdef_repair.without_commas(document.source)
        yield from taskdef_repair.repairs(document)


def mend_appspec(picture: Picture) -> Iterator[Edit]:
    """Version, type and a port in quotes."""
    document = picture.files.appspec if picture.files else None
    yield from appspec_repair.repairs(document) if document else ()


def mend_buildspec(picture: Picture) -> Iterator[Edit]:
    """The login that AWS CLI 2 no longer has, and digits that YAML reads as another number."""
    spec = picture.files.buildspec if picture.files else None
    if spec is not None:
        logins = (repair for repair in buildspec.repairs(spec.source) if repair.rule == "removed_ecr_get_login")
        yield from (repair.edit for repair in logins)
        quoted = buildspec_repair.numbers_quoted(spec)
        yield from [quoted] if quoted else ()


MENDED = {"taskdef": mend_taskdef, "appspec": mend_appspec, "buildspec": mend_buildspec}
RULES = (
    *(Rule(part, (f"files.{part}",), _asks(part), mend) for part, mend in MENDED.items()),
    Rule("images", ("files",), images),
)
