"""COPY and ADD: which files of the context go where, and docker's refusals when they are not there."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from runbook_lib.sandbox.shims.docker import ignore
from runbook_lib.sandbox.shims.docker.context import Context
from runbook_lib.sandbox.shims.docker.failure import DockerError


def lines(instruction: str, context: Context, arguments: Sequence[str], directory: str) -> list[str]:
    """The layer's lines (path in the image, mode, digest) for `COPY source... destination`."""
    *sources, destination = arguments
    found = [entry for source in sources for entry in _sources(instruction, context, source)]
    if not found:
        raise DockerError(f"{instruction} failed: no source files were specified")
    into = destination.endswith("/") or destination in (".", "..")
    if len(found) > 1 and not into:
        raise DockerError(
            f"{instruction} failed: When using {instruction} with more than one source file, "
            "the destination must be a directory and end with a /"
        )
    target = posixpath.normpath(posixpath.join(directory or "/", destination))
    return [line for source in found for line in _copied(context, source, target, into=into)]


def check_arguments(instruction: str, arguments: Sequence[str]) -> None:
    """At least a source and a destination."""
    if len(arguments) < 2:
        raise DockerError(
            f"Error response from daemon: dockerfile parse error: {instruction} requires at least two arguments, "
            "but only one was provided. Destination could not be determined."
        )


def _sources(instruction: str, context: Context, source: str) -> list[str]:
    if source.startswith(("http://", "https://", "git@")):
        return [source]
    path = posixpath.normpath("/" + source).lstrip("/") or "."
    if posixpath.normpath(source).startswith(".."):
        raise DockerError(f"{instruction} failed: forbidden path outside the build context: {source} ()")
    if ignore.is_pattern(source):
        return context.matching(path)
    if path != "." and path not in context.paths and not context.below(path):
        raise DockerError(
            f"{instruction} failed: file not found in build context or excluded by .dockerignore: "
            f"stat {path}: file does not exist"
        )
    return [path]


def _copied(context: Context, source: str, target: str, *, into: bool) -> list[str]:
    if "://" in source or source.startswith("git@"):
        return [f"{target} url {source}"]
    if source in context.paths:
        place = posixpath.join(target, posixpath.basename(source)) if into else target
        entry = context.entry(source)
        return [f"{place} {entry.mode} {entry.digest}"]
    below = [context.entry(path) for path in context.below(source)]
    start = 0 if source == "." else len(source) + 1
    return [f"{posixpath.join(target, entry.path[start:])} {entry.mode} {entry.digest}" for entry in below]
