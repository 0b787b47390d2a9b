"""The pipeline definition: read, checked, its deploy action moved from rolling to blue/green."""

from runbook_lib.documents.pipeline.bluegreen import Change, ConsoleField, PipelineEdit, console_map, to_blue_green
from runbook_lib.documents.pipeline.check import check
from runbook_lib.documents.pipeline.structure import NAME, inner, parse

__all__ = ["NAME", "Change", "ConsoleField", "PipelineEdit", "check", "console_map", "inner", "parse", "to_blue_green"]
