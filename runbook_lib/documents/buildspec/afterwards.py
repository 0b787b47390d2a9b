"""Whether post_build has nothing to do after a failed build: then `on-failure: ABORT` takes nothing away.

CodeBuild runs post_build also when build has failed, and what it does there may be meant: a message to somebody, test
reports, cleaning up (CodeBuild user guide, "Build specification reference"). A post_build that only tags, pushes and
names the image, writes files and reads AWS works for an image that a failed build has not made.
"""

from __future__ import annotations

import re

from runbook_lib.documents.buildspec.spec import Buildspec
from runbook_lib.documents.shell import Statement, read_script

_OF_THE_IMAGE = frozenset({"build", "tag", "push", "pull", "images", "inspect", "login", "logout", "manifest"})
_SHELL = frozenset({"echo", "printf", "export", "cd", "set", "unset", "true", ":", "date", "pwd", "test", "[", "[["})
# What they write and take away is gone with the build's container.
_FILES = frozenset({"cat", "ls", "sed", "jq", "envsubst", "grep", "cut", "tr", "head", "tail", "wc", "printenv"})
_CHANGES = frozenset({"cp", "mv", "mkdir", "rm", "tee", "chmod"})
_READS = re.compile(r"(?:get|describe|list|batch-get)-[a-z-]+")
_TIME = re.compile(r"\$\(date\b[^()`$;|&]*\)|`date\b[^`$;|&]*`")
_INSIDE = re.compile(r"\$\((?!\()|`|[<>]\(")


def idle_after_failure(spec: Buildspec) -> bool:
    """Whether nothing of post_build, nor of what follows it, would be missed after a failed build."""
    if spec.root.get("reports") or spec.root.get("cache") or spec.listed("post_build", "finally"):
        return False
    return all(_about_the_image(command.text) for command in spec.commands if command.phase == "post_build")


def _about_the_image(text: str) -> bool:
    """Whether every command of a text is known, those inside of others too."""
    script = read_script(text)
    if script.unread or _INSIDE.search(_TIME.sub("", text)):
        return False
    return all(_known(statement) for statement in script.statements)


def _known(statement: Statement) -> bool:
    words = [word.literal for word in statement.arguments]
    if not statement.words or statement.program in _SHELL | _FILES | _CHANGES:
        return True
    if statement.program == "docker":
        return bool(words) and words[0] in _OF_THE_IMAGE
    if statement.program == "aws":
        return words[:1] == ["--version"] or (len(words) > 1 and bool(_READS.fullmatch(words[1] or "")))
    return False
