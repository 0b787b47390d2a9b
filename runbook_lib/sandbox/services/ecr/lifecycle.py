"""Lifecycle policies: which images they expire (ECR user guide, lifecycle_policy_parameters)."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.ecr import lookup
from runbook_lib.sandbox.services.ecr.store import Stored

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

DAY = 86400.0
STATES = ("tagged", "untagged", "any")
COUNTS = ("imageCountMoreThan", "sinceImagePushed")


def read(text: str) -> list[dict[str, Any]]:
    """The rules by priority, or ECR's refusal of the text."""
    try:
        rules = json.loads(text)["rules"]
        wrong = [rule for rule in rules if not _is_rule(rule)]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise lookup.invalid("LifecyclePolicyText", "Lifecycle policy validation failure") from None
    if wrong or not rules:
        raise lookup.invalid("LifecyclePolicyText", f"Lifecycle policy validation failure: {json.dumps(wrong[:1])}")
    return sorted(rules, key=lambda rule: int(rule["rulePriority"]))


def _is_rule(rule: dict[str, Any]) -> bool:
    chosen = rule["selection"]
    named = bool(chosen.get("tagPrefixList") or chosen.get("tagPatternList"))
    return (
        rule["action"]["type"] == "expire"
        and chosen["tagStatus"] in STATES
        and named == (chosen["tagStatus"] == "tagged")
        and chosen["countType"] in COUNTS
        and (chosen.get("countUnit") == "days") == (chosen["countType"] == "sinceImagePushed")
        and int(chosen["countNumber"]) > 0
        and int(rule["rulePriority"]) > 0
    )


def applied(rules: Iterable[dict[str, Any]], images: Iterable[Stored], now: float) -> list[tuple[Stored, int]]:
    """The images that the rules expire, with the rule's priority; only the first rule that selects an image counts."""
    left: list[Stored] = list(images)
    gone: list[tuple[Stored, int]] = []
    for rule in rules:
        chosen = rule["selection"]
        selected = sorted((image for image in left if _selects(chosen, image)), key=_newest_first)
        left = [image for image in left if image not in selected]
        count = int(chosen["countNumber"])
        if chosen["countType"] == "imageCountMoreThan":
            leaving = selected[count:]
        else:
            leaving = [image for image in selected if now - image.pushed_at > count * DAY]
        gone += [(image, int(rule["rulePriority"])) for image in leaving]
    return gone


def expired(rules: Iterable[dict[str, Any]], images: Iterable[Stored], now: float) -> list[str]:
    """The digests that the rules expire."""
    return [image.digest for image, _ in applied(rules, images, now)]


def _newest_first(image: Stored) -> tuple[float, str]:
    return -image.pushed_at, image.digest


def _selects(chosen: dict[str, Any], image: Stored) -> bool:
    if chosen["tagStatus"] == "untagged":
        return not image.tags
    if chosen["tagStatus"] == "any":
        return True
    patterns = [f"{prefix}*" for prefix in chosen.get("tagPrefixList", ())] + list(chosen.get("tagPatternList", ()))
    return all(any(fnmatch.fnmatchcase(tag, pattern) for tag in image.tags) for pattern in patterns)


def evaluate(world: World, region: str, name: str, created: float) -> None:
    """The daily evaluation of a repository's policy; it ends with the policy or the repository."""
    repository = lookup.repositories(world, region).get(name)
    if repository is None or repository.created != created or repository.lifecycle is None:
        return
    for digest in expired(read(repository.lifecycle), repository.images.values(), world.now):
        del repository.images[digest]
    repository.evaluated_at = world.now
    world.after(DAY, "ecr.evaluate", region, name, created, background=True)


HANDLERS = {"ecr.evaluate": evaluate}
