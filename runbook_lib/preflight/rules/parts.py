"""The live parts that a rule answers from.  A rule is asked only where its parts were read (see each file's ASKED)."""

from __future__ import annotations

from runbook_lib.preflight.live import Group, Live, Service
from runbook_lib.preflight.picture import Picture


def live_of(picture: Picture) -> Live:
    assert picture.live is not None
    return picture.live


def service_of(picture: Picture) -> Service:
    service = live_of(picture).service
    assert service is not None
    return service


def group_of(picture: Picture) -> Group:
    group = live_of(picture).group
    assert group is not None
    return group
