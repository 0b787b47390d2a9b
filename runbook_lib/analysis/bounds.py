"""How large or small one rate can be: bounds that hold at every look at once."""

from __future__ import annotations

import math

HALF = 0.5  # Jeffreys' prior of the mixture
PRECISION = 60  # bisections


def rate_bounds(failed: float, requests: float, *, confidence: float) -> tuple[float, float]:
    """Rates that `failed` of `requests` leave possible; (0, 1) without requests.

    A rate is out when a mixture of bets against it (Beta(1/2, 1/2), as in Robbins 1970) has won 1/(1 - confidence).
    """
    if requests <= 0:
        return 0.0, 1.0
    limit = -math.log(1 - confidence)
    seen = failed / requests
    low = 0.0 if failed <= 0 else _edge(failed, requests, limit, outside=0.0, inside=seen)
    high = 1.0 if failed >= requests else _edge(failed, requests, limit, outside=1.0, inside=seen)
    return low, high


def _edge(failed: float, requests: float, limit: float, *, outside: float, inside: float) -> float:
    for _ in range(PRECISION):
        middle = (outside + inside) / 2
        if _winnings(failed, requests, middle) < limit:
            inside = middle
        else:
            outside = middle
    return outside


def _winnings(failed: float, requests: float, rate: float) -> float:
    good = requests - failed
    mixture = _log_beta(failed + HALF, good + HALF) - _log_beta(HALF, HALF)
    if not 0 < rate < 1:
        return math.inf
    return mixture - failed * math.log(rate) - good * math.log1p(-rate)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
