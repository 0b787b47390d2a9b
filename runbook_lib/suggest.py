"""The did-you-mean of every refusal."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def did_you_mean(given: str, known: Sequence[str], *, otherwise: str) -> str:
    """The nearest known name as a question, or `otherwise` where nothing is near."""
    close = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else otherwise
