"""B: the build and its image."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runbook_lib.documents import buildspec
from runbook_lib.documents.buildspec import afterwards
from runbook_lib.documents.edit import Edit
from runbook_lib.preflight.picture import Files, Picture
from runbook_lib.preflight.rule import Answer, Rule, judge, of_finding, ok, unknown

HUB = ("docker.io/", "index.docker.io/", "registry-1.docker.io/")


def hub_pulls(picture: Picture) -> Iterator[Answer]:
    """B1: the base image does not come from Docker Hub, or the build logs in there."""
    files = _files(picture)
    assert files.dockerfile is not None
    base, wanted = files.dockerfile.base, "an image from elsewhere (public.ecr.aws ...), or a login to Docker Hub"
    if base == "scratch" or not _is_hub(base):
        yield ok("Dockerfile", base, wanted)
    elif files.trace and any(not _is_ecr(statement_text(login)) for login in files.trace.logins):
        yield unknown("Dockerfile", f"{base}, with a login of the build", wanted)
    else:
        remedy = f"FROM public.ecr.aws/docker/library/{base.removeprefix('library/')}" if "/" not in base else "log in"
        yield unknown("Dockerfile", f"{base} from Docker Hub", wanted, remedy)


def _is_ecr(login: str) -> bool:
    """Whether a docker login is one to ECR, whose user is always AWS (ECR user guide, registry_auth)."""
    return (
        "amazonaws" in login or "public.ecr.aws" in login or re.search(r"(?:-u|--username)[ =]AWS\b", login) is not None
    )


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


def mend_after_failure(picture: Picture) -> Iterator[Edit]:
    """on-failure: ABORT below build, where post_build does nothing but tag, push and name the image."""
    spec = picture.files.buildspec if picture.files else None
    if spec is not None and afterwards.idle_after_failure(spec):
        guards = (repair for repair in buildspec.repairs(spec.source) if repair.rule == "unguarded_post_build")
        yield from (repair.edit for repair in guards)


def _findings(picture: Picture, rule: str, wanted: str) -> Iterator[Answer]:
    files = _files(picture)
    found = files.of(rule)
    yield from (of_finding(finding) for finding in found)
    if not found and files.buildspec:
        yield ok(files.buildspec.source.name, wanted, wanted)


def tag_of_this_build(picture: Picture) -> Iterator[Answer]:
    """B5: the tag changes with the build, or the repository takes it twice."""
    registry = picture.live.registry if picture.live else None
    fixed = picture.files.of("image_tag_never_changes") if picture.files else ()
    wanted = "a tag of this very build, or mutable tags"
    if registry and not registry.mutable:
        where, seen = "DescribeRepositories: imageTagMutability", f"IMMUTABLE, {'a fixed tag' if fixed else 'own tags'}"
        remedy = "skip the push when the commit's tag is there, or tag with the commit"
        yield judge(not fixed, where, seen=seen, wanted=wanted, remedy=remedy)
    else:
        yield from _findings(picture, "image_tag_never_changes", wanted)


def privileged(picture: Picture) -> Iterator[Answer]:
    """B2: a build that uses docker runs in privileged mode."""
    files, project = _files(picture), picture.live.project if picture.live else None
    assert project is not None
    if files.trace and (files.trace.builds or files.trace.pushes):
        seen = "docker commands, privileged mode " + ("on" if project.privileged else "off")
        where, remedy = "BatchGetProjects: environment.privilegedMode", "set privilegedMode of the project"
        yield judge(project.privileged, where, seen=seen, wanted="privileged mode on", remedy=remedy)


def kept_images(picture: Picture) -> Iterator[Answer]:
    """B6: the live revision's image is still there, by its digest or tag."""
    live = picture.live
    assert live is not None
    assert live.definition is not None
    assert live.registry is not None
    for image in live.definition.images:
        place, _, digest = image.partition("@")
        if f"/{live.registry.name}" not in f"/{place.partition('/')[2]}":
            continue
        tag = place.rpartition("/")[2].partition(":")[2]
        good = digest in live.registry.digests if digest else tag in live.registry.tags
        remedy = "push it again before you need to go back, and keep it in the lifecycle policy"
        seen = f"{(digest or tag)[:19]} {'there' if good else 'gone'}"
        yield judge(good, f"DescribeImages: {live.registry.name}", seen=seen, wanted="there", remedy=remedy)


def processor(picture: Picture) -> Iterator[Answer]:
    """B7: the machine that builds has the processor that the task asks for."""
    live = picture.live
    assert live is not None
    assert live.project is not None
    asked = live.definition.architecture if live.definition else "X86_64"
    file = picture.files.taskdef if picture.files else None
    if file:  # the next revision, which is what the build is for
        named = file.root.at("runtimePlatform", "cpuArchitecture")
        asked = named.raw if named else "X86_64"
    builds = "ARM64" if live.project.environment.startswith("ARM") else "X86_64"
    seen, wanted = f"built on {builds}, runs on {asked}", "the same processor"
    where, remedy = "BatchGetProjects: environment.type", "build on a matching machine, or by buildx --platform"
    yield ok(where, seen, wanted) if builds == asked else unknown(where, seen, wanted, remedy)


def _files(picture: Picture) -> Files:
    assert picture.files is not None
    return picture.files


RULES = (
    Rule("B1", ("files.dockerfile",), hub_pulls),
    Rule("B3", ("files.buildspec",), blocks),
    Rule("B4", ("files.buildspec",), after_failure, mend_after_failure),
    Rule("B2", ("files.buildspec", "live.project"), privileged),
    Rule("B5", ("files.buildspec",), tag_of_this_build),
    Rule("B6", ("live.definition", "live.registry"), kept_images),
    Rule("B7", ("live.project",), processor),
)
