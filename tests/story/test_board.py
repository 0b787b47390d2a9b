"""The board of a deployment under way: what is asked for, configured and observed, as a table and as a chart."""

from __future__ import annotations

import pytest
from story_stage import opened, start

from runbook_lib.journal import Journal
from runbook_lib.story import board, follow
from runbook_lib.story.tracking import Sample, Seen
from runbook_lib.views.tables import Progress


def followed() -> tuple[Seen, list[Sample]]:
    """A canary in its tenth minute, with everything that was seen of it."""
    run = opened(traffic="canary", step_minutes=30)
    started = start(run)
    seen: list[Seen] = []
    follow.deployment(
        run.account,
        run.system,
        started.id,
        journal=Journal(run.account.clock),
        until=lambda known: bool(known.course) and (known.at - known.course[0][0]).total_seconds() > 600,
        seen=lambda known, _: seen.append(known),
    )
    return seen[-1], [one.sample for one in seen]


def test_the_board_shows_both_colours_and_the_chart_their_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Asked for, configured and observed agree; the redrawn progress holds table and picture."""
    known, samples = followed()
    told = {row[0]: dict(zip(board.HEADINGS, row, strict=True)) for row in board.table_of(known).rows}
    assert (told["green"]["asked for"], told["green"]["configured"]) == ("10 %", "10 %")
    assert 8 <= float(told["green"]["observed"].removesuffix(" %")) <= 12
    assert told["blue"]["asked for"] == "90 %"
    assert told["green"]["healthy"] == "2, 0 not"
    chart = board.chart_of(known, samples)
    assert chart is not None
    assert chart.data["requested"][-1][1] == chart.data["configured"][-1][1] == 10.0
    assert chart.data["observed"]
    drawn: list[dict[str, str]] = []
    progress = Progress("deployment d-1")
    monkeypatch.setattr("IPython.display.display", lambda rich, **_: drawn.append(rich))
    progress._redraw("T+10:00", board.table_of(known), chart)
    assert "data:image/png;base64," in drawn[0]["text/html"]
    assert "<table>" in drawn[0]["text/html"]


def test_before_there_is_green_there_is_no_chart() -> None:
    """And the board says that nothing is measured."""
    run = opened(traffic="canary", step_minutes=30)
    started = start(run)
    first: list[Seen] = []
    follow.deployment(
        run.account,
        run.system,
        started.id,
        journal=Journal(run.account.clock),
        until=lambda known: True,
        seen=lambda known, _: first.append(known),
    )
    assert board.chart_of(first[0], []) is None
    assert "nothing is measured yet" in str(board.table_of(first[0]))
