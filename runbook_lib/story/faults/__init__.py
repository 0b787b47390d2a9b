"""Faults: ways to fail as data, brought into a sandbox's blue/green world, checked, and played to their end."""

from runbook_lib.story.faults.fault import Fault, load, names, unplayed
from runbook_lib.story.faults.play import Saying, go_on
from runbook_lib.story.faults.strike import strike
from runbook_lib.story.faults.vocabulary import Vocabulary

__all__ = ["Fault", "Saying", "Vocabulary", "go_on", "load", "names", "strike", "unplayed"]
