"""The forecast of a release: when what happens, and what of it can be seen in time."""

from runbook_lib.forecast.course import (
    AlarmRule,
    Objective,
    Shift,
    Traffic,
    Waits,
    config_of,
    shift_of,
)
from runbook_lib.forecast.promise import Forecast, Power, Stage, forecast
from runbook_lib.forecast.reach import Reach

__all__ = [
    "AlarmRule",
    "Forecast",
    "Objective",
    "Power",
    "Reach",
    "Shift",
    "Stage",
    "Traffic",
    "Waits",
    "config_of",
    "forecast",
    "shift_of",
]
