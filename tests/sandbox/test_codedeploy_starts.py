"""What keeps a deployment from beginning."""

from __future__ import annotations

from pathlib import Path

import pytest
from codedeploy_play import assert_ends_as_told, stories


@pytest.mark.parametrize("story", stories("starts"), ids=lambda path: path.stem)
def test_story_of_start_ends_as_told(story: Path) -> None:
    """The story's file says what the deployment, its rollback, the listeners and the notices are at the end."""
    assert_ends_as_told(story)
