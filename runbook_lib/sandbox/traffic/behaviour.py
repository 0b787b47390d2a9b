"""How a version of an application behaves, said by its own environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Behaviour:
    """What the traffic model needs to know of a version; the sample application obeys the same variables but one.

    `error_path` is the model's alone: the errors are those of one path, and `error_rate` is the share of its requests.
    """

    version: str = ""
    error_rate: float = 0.001  # share of requests answered with 500
    error_path: str = ""  # "": on every path
    latency_ms: float = 40.0  # median
    latency_sigma: float = 0.35  # of the lognormal distribution
    leak_ms_per_minute: float = 0.0  # so much slower with every minute since the start
    health: str = "ok"  # or "fail"
    start_seconds: float = 5.0
    crash_after_seconds: float | None = None  # exit code 1 that long after the start; None: never

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Behaviour:
        """The behaviour that a container's environment asks for; what cannot be read as a number counts as not said."""
        crash = _number(environment, "APP_CRASH_AFTER_SECONDS", -1.0)
        return cls(
            version=environment.get("APP_VERSION", cls.version),
            error_rate=min(1.0, _number(environment, "APP_ERROR_RATE", cls.error_rate)),
            error_path=environment.get("APP_ERROR_PATH", cls.error_path),
            latency_ms=_number(environment, "APP_LATENCY_MS", cls.latency_ms),
            latency_sigma=_number(environment, "APP_LATENCY_SIGMA", cls.latency_sigma),
            leak_ms_per_minute=_number(environment, "APP_LEAK_MS_PER_MINUTE", cls.leak_ms_per_minute),
            health="fail" if environment.get("APP_HEALTH", "ok").lower() == "fail" else "ok",
            start_seconds=_number(environment, "APP_START_SECONDS", cls.start_seconds),
            crash_after_seconds=crash if crash >= 0 else None,
        )

    def aged(self, minutes: float) -> Behaviour:
        """The behaviour so long after the start."""
        return replace(self, latency_ms=self.latency_ms + self.leak_ms_per_minute * minutes)


def _number(environment: Mapping[str, str], name: str, otherwise: float) -> float:
    try:
        value = float(environment.get(name, otherwise))
    except ValueError:
        return otherwise
    return value if value >= 0 else otherwise
