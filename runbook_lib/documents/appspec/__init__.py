"""The AppSpec file: built, read, checked."""

from runbook_lib.documents.appspec.check import EVENTS, PLACEHOLDER
from runbook_lib.documents.appspec.text import NAME, AppSpec, Capacity, Network, build, check, parse, with_hook

__all__ = ["EVENTS", "NAME", "PLACEHOLDER", "AppSpec", "Capacity", "Network", "build", "check", "parse", "with_hook"]
