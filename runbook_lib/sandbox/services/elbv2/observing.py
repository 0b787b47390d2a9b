"""Targets whose checks are really made: what each one found is counted, and thresholds turn the target's state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.elbv2 import health, targets
from runbook_lib.sandbox.services.elbv2.health import Answer, Streak, Verdict
from runbook_lib.sandbox.services.elbv2.store import Target, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World


def check_made(world: World, tg_arn: str, *, ip: str, port: int, begun: int, answer: Answer) -> None:
    """Count a check of a target, unless its checks began anew meanwhile (`begun`: at which second)."""
    target = store(world).targets.get(tg_arn, {}).get((ip, port))
    if target is None or target.state not in targets.CHECKED or int(target.first_check) != begun:
        return
    group = store(world).target_groups[tg_arn]
    (verdict,) = health.verdicts(group.health, (answer,))
    streak = _streak(world, tg_arn, target).after(verdict)
    state = streak.turns_to(group.health)
    if state == target.state:
        _streaks(world)[tg_arn, ip, port] = streak
    else:
        _streaks(world)[tg_arn, ip, port] = replace(streak, state=state, passes=0, fails=0)
        targets.turn(world, group, target, state)


def last_failure(world: World, tg_arn: str, target: Target) -> Verdict | None:
    """What a target's checks failed with last."""
    return _streak(world, tg_arn, target).last_failure


def _streak(world: World, tg_arn: str, target: Target) -> Streak:
    known = _streaks(world).get((tg_arn, target.id, target.port))
    return known if known and known.state == target.state else Streak(target.state)


def _streaks(world: World) -> dict[tuple[str, str, int], Streak]:
    from runbook_lib.sandbox.traffic.live.store import store as live

    return live(world).streaks
