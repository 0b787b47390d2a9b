"""Matches what AWS said to the failure modes that say it, the most telling first."""

from __future__ import annotations

import re

from runbook_lib.preflight.story import Story, stories

MOST_CAUSES = 10
LONGEST = 20_000  # characters of a message that are looked at


def decode(message: str) -> tuple[Story, ...]:
    """The failure modes of which AWS's own words stand in a message; longer words tell more."""
    told = _plain(message[:LONGEST])
    found = [(max(_lengths(story, told), default=0), story) for story in stories().values()]
    return tuple(story for length, story in sorted(found, key=lambda one: -one[0]) if length)


def decode_error(error: BaseException) -> tuple[Story, ...]:
    """The failure modes that an error tells of, itself or through what caused it."""
    messages: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(messages) < MOST_CAUSES:
        messages.append(str(seen))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return decode("\n".join(messages))


def _lengths(story: Story, told: str) -> list[int]:
    return [len(text) for text in map(_plain, story.texts) if text in told]


def _plain(text: str) -> str:
    """Without case, line breaks and the typographic quotes that consoles put around names."""
    straight = text.translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'})
    return re.sub(r"\s+", " ", straight).strip().lower()
