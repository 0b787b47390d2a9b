"""What keeps a buildspec from serving a blue/green deployment, each finding with its line.

Rules: CodeBuild user guide, "Build specification reference" (build-spec-ref); CodePipeline user guide, "Image
definitions file reference" (file-reference) and "Quotas" (a deploy input of at most 3 MB).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runbook_lib.documents.buildspec.artifacts import FILES, covers
from runbook_lib.documents.buildspec.detail import definitions_written
from runbook_lib.documents.buildspec.output import NotReadable, images_written
from runbook_lib.documents.buildspec.repair import is_octal, is_unguarded, unguarded_blocks
from runbook_lib.documents.buildspec.spec import NAME, Buildspec, parse
from runbook_lib.documents.buildspec.trace import Trace, trace
from runbook_lib.documents.finding import Finding
from runbook_lib.documents.imagedetail import DEFINITIONS, DETAIL, near_miss
from runbook_lib.documents.imageuri import image_uri
from runbook_lib.documents.node import Node
from runbook_lib.documents.shell import Statement, text_of
from runbook_lib.documents.source import Source

_TOP = ("version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache")
_PHASES = ("install", "pre_build", "build", "post_build")


def check(text: str | bytes | Source, *, name: str = NAME) -> tuple[Finding, ...]:
    """Findings about a buildspec that is to feed CodeDeployToECS."""
    spec = parse(text, name=name)
    checker = _Checker(spec, trace(spec))
    return (
        *checker.keys(),
        *checker.commands(),
        *checker.images(),
        *checker.details(),
        *checker.artifacts(),
        *checker.guards(),
    )


class _Checker:
    def __init__(self, spec: Buildspec, seen: Trace) -> None:
        self.spec, self.seen = spec, seen

    def _finding(self, rule: str, node: Node, seen: str, wanted: str, remedy: str, *, stops: bool = True) -> Finding:
        return Finding(rule, self.spec.document.where(node), seen, wanted, remedy, stops)

    def keys(self) -> Iterator[Finding]:
        for node, known, rule in (
            (self.spec.root, _TOP, "buildspec_unknown_top_level_key"),
            (self.spec.root.get("phases"), _PHASES, "buildspec_unknown_phase"),
        ):
            for key, _ in node.pairs if node else ():
                if key.raw not in known:
                    wanted = f"one of {', '.join(known)}"
                    yield self._finding(
                        rule, key, f"the key {key.raw!r}", wanted, "indent it where it belongs, or remove it"
                    )
        for name, node in self.spec.variables.items():
            if is_octal(node):
                seen = f"{name}: {node.raw} without quotes, which YAML may read as another number"
                yield self._finding("buildspec_number", node, seen, "the digits as a text", "put the value in quotes")

    def commands(self) -> Iterator[Finding]:
        for command, problem in self.seen.unreadable:
            where = self.spec.source.where(self.spec.index_at(command, problem.index))
            wanted = "a command the shell can read"
            remedy = "close it" if problem.certain else "try the command with `bash -n`: it may be right all the same"
            yield Finding("buildspec_shell", where, problem.seen, wanted, remedy, problem.certain)
        for command, _ in self.seen.old_logins:
            wanted = "aws ecr get-login-password: AWS CLI version 2 has no get-login"
            yield self._finding(
                "removed_ecr_get_login",
                command.node,
                "aws ecr get-login",
                wanted,
                "apply 'log in with get-login-password'",
            )
        for command, statement in self.seen.wrong_tags:
            seen = " ".join(word.raw for word in statement.words)
            wanted = "docker tag <from> <to>"
            yield self._finding("docker_tag_arguments", command.node, seen, wanted, "give both names")

    def images(self) -> Iterator[Finding]:
        for write, images in definitions_written(self.spec, self.seen):
            if isinstance(images, NotReadable):
                rule = _rule_of(str(images), "imagedefinitions_shape")
                wanted = '[{"name": "<container>", "imageUri": "<image>"}]'
                yield self._finding(
                    rule, write.command.node, f"{DEFINITIONS}: {images}", wanted, "write it with printf"
                )
            elif _is_object(write.command.text):
                seen = f"{DEFINITIONS} written as one object"
                wanted = "a list with one object per container"
                yield self._finding("imagedefinitions_shape", write.command.node, seen, wanted, "put [ ] around it")
        for write in self.seen.writes:
            if meant := near_miss(write.name):
                wanted = f"{meant}, letter by letter"
                yield self._finding("image_file_name", write.command.node, write.name, wanted, f"write {meant}")

    def details(self) -> Iterator[Finding]:
        details = [write for write in self.seen.writes if write.name == DETAIL]
        for write in details:
            yield from self._detail(write.chain, write.command.node)
        if details:
            return
        rolling = any(write.name == DEFINITIONS for write in self.seen.writes)
        wanted, remedy = f"{DETAIL} with the image that was pushed", "write it in post_build"
        yield self._finding("image_detail_never_written", self.spec.root, f"no command writes {DETAIL}", wanted, remedy)
        if rolling:
            seen = f"only {DEFINITIONS} is written, which the blue/green action does not read"
            yield self._finding("buildspec_still_rolling", self.spec.root, seen, wanted, remedy)

    def _detail(self, chain: tuple[Statement, ...], node: Node) -> Iterator[Finding]:
        wanted = '{"ImageURI": "<the image that was pushed>"}'
        try:
            image = images_written(chain, key="ImageURI")[0].image
        except NotReadable as reason:
            rule = _rule_of(str(reason), "image_detail_shape")
            known = rule == "shell_eats_json_quotes" or "no key" in str(reason)
            yield self._finding(rule, node, f"{DETAIL}: {reason}", wanted, "write it with printf", stops=known)
            return
        parts = self.seen.scope.pieces(image)
        value = text_of(parts)
        if value is not None and image_uri(value) is None:
            yield self._finding(
                "image_detail_shape", node, f"the image {value!r}", wanted, "name the image that was pushed"
            )
        elif parts and isinstance(parts[-1], str) and parts[-1].endswith(":latest"):
            seen = "the same tag 'latest' in every release"
            wanted = "a tag or digest of this very build: going back would start the newest image again"
            yield self._finding("image_tag_never_changes", node, seen, wanted, "tag with the commit", stops=False)

    def artifacts(self) -> Iterator[Finding]:
        files = self.spec.files
        if not files:
            wanted = f"artifacts.files with {', '.join(FILES)}"
            yield self._finding(
                "no_artifacts_block", self.spec.root, "no artifacts", wanted, "apply 'hand over an artifact'"
            )
            return
        missing = [file for file in FILES if not any(covers(entry.raw, file) for entry in files)]
        if missing:
            seen, wanted = f"artifacts.files without {', '.join(missing)}", "all three files of the deploy action"
            yield self._finding("artifacts_missing_files", files[0], seen, wanted, f"add {', '.join(missing)}")
        for entry in files:
            if entry.raw in ("**/*", "./**/*", "*"):
                wanted = "the deploy action's three files: its input is at most 3 MB"
                yield self._finding("artifact_takes_all", entry, entry.raw, wanted, "list only the files", stops=False)
        for entry in self.spec.entries:
            if meant := near_miss(entry.raw):
                wanted = f"{meant}, letter by letter"
                yield self._finding("image_file_name", entry, entry.raw, wanted, f"write {meant}")

    def guards(self) -> Iterator[Finding]:
        if is_unguarded(self.spec, self.seen):
            node = self.spec.root.at("phases", "build") or self.spec.root
            seen = "post_build pushes or names an image even after a failed build"
            wanted = "on-failure: ABORT, or a test of CODEBUILD_BUILD_SUCCEEDING"
            yield self._finding(
                "unguarded_post_build", node, seen, wanted, "apply 'stop when the build fails'", stops=False
            )
        for command in unguarded_blocks(self.spec):
            seen = "several lines in one command: only the last one's failure counts"
            yield self._finding(
                "unguarded_block", command.node, seen, "set -e as the first line", "apply its repair", stops=False
            )


def _rule_of(reason: str, otherwise: str) -> str:
    return "shell_eats_json_quotes" if "takes the double quotes away" in reason else otherwise


def _is_object(text: str) -> bool:
    return bool(re.search(r"""["']\s*\{\s*\\?"imageUri""", text))
