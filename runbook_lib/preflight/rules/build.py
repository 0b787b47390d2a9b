"""B: the build and its image."""

from __future__ import annotations

from collections.abc import Iterator

from runbook_lib.preflight.picture import Files, Picture
from runbook_lib.preflight.rule import Answer, Rule, of_finding, ok, unknown

HUB = ("docker.io/", "index.docker.io/", "registry-1.docker.io/")


def hub_pulls(picture: Picture) -> Iterator[Answer]:
    """B1: the base image does not come from Docker Hub, or the build logs in there."""
    files = _files(picture)
    assert files.dockerfile is not None
    base, wanted = files.dockerfile.base, "an image from elsewhere (public.ecr.aws ...), or a login to Docker Hub"
    if base == "scratch" or not _is_hub(base):
        yield ok("Dockerfile", base, wanted)
    elif files.trace and any("amazonaws" not in statement_text(login) for login in files.trace.logins):
        yield unknown("Dockerfile", f"{base}, with a login of the build", wanted)
    else:
        remedy = f"FROM public.ecr.aws/docker/library/{base.removeprefix('library/')}" if "/" not in base else "log in"
        yield unknown("Dockerfile", f"{base} from Docker Hub", wanted, remedy)


def statement_text(place: tuple[object, object]) -> str:
    """A command of the buildspec as it is written."""
    return " ".join(word.raw for word in getattr(place[1], "words", ()))


def _is_hub(base: str) -> bool:
    if base.startswith(HUB):
        return True
    first = base.partition("/")[0]
    return "/" not in base or not ("." in first or ":" in first or first == "localhost" or "$" in first)


def blocks(picture: Picture) -> Iterator[Answer]:
    """B3: a failing command of a block fails the block."""
    yield from _findings(picture, "unguarded_block", "every block stops at its first failure")


def after_failure(picture: Picture) -> Iterator[Answer]:
    """B4: nothing is pushed after a failed build."""
    yield from _findings(picture, "unguarded_post_build", "post_build does nothing after a failed build")


def _findings(picture: Picture, rule: str, wanted: str) -> Iterator[Answer]:
    files = _files(picture)
    found = files.of(rule)
    yield from (of_finding(finding) for finding in found)
    if not found and files.buildspec:
        yield ok(files.buildspec.source.name, wanted, wanted)


def tag_of_this_build(picture: Picture) -> Iterator[Answer]:
    """B5: the tag changes with the build; whether the repository takes it twice is asked of the account."""
    yield from _findings(picture, "image_tag_never_changes", "a tag or digest of this very build")


def _files(picture: Picture) -> Files:
    assert picture.files is not None
    return picture.files


RULES = (
    Rule("B1", ("files.dockerfile",), hub_pulls),
    Rule("B3", ("files.buildspec",), blocks),
    Rule("B4", ("files.buildspec",), after_failure),
    Rule("B5", ("files.buildspec",), tag_of_this_build),
)
