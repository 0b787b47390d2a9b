"""The figures of a world are checked when it is made."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.errors import BadInput
from runbook_lib.sandbox.settings import BUILD_PHASE_SECONDS, Settings, from_texts


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("account", "12345", "12 digits"),
        ("account", 123456789012, "12 digits"),
        ("region", "Frankfurt", "such as us-east-1"),
        ("partition", "aws-moon", "aws-us-gov"),
        ("seed", "1", "a whole number"),
        ("scale", 0, "above 0"),
        ("clock", "real", "virtual or scaled"),
        ("metric_lag", -1, "at least 0"),
        ("metric_lag", "120", "at least 0"),
        ("requests_per_second", float("inf"), "at least 0"),
        ("realism", "no", "true or false"),
        ("allow_commands", "npm", "a list"),
        ("build_phase_seconds", {"BILD": 1}, "PRE_BUILD"),
        ("build_phase_seconds", {"BUILD": "long"}, "at least 0"),
    ],
)
def test_a_wrong_figure_is_refused_with_what_is_wanted(name: str, value: Any, wanted: str) -> None:
    """The message names the figure, what was seen and what is wanted."""
    with pytest.raises(BadInput, match=wanted) as raised:
        Settings(**{name: value})
    assert name in str(raised.value)
    assert raised.value.exit_code == 2


def test_without_realism_nothing_hurts() -> None:
    """Lag, propagation and lingering interfaces are off; durations stay."""
    plain = Settings(realism=False)
    assert (plain.metric_lag, plain.role_propagation, plain.eni_linger, plain.late_points) == (0, 0, 0, False)
    assert plain.task_start == Settings().task_start


def test_a_phase_given_keeps_the_others() -> None:
    """Only the phases named are changed."""
    assert Settings(build_phase_seconds={"BUILD": 300}).build_phase_seconds == {**BUILD_PHASE_SECONDS, "BUILD": 300}


def test_equal_settings_are_equal() -> None:
    """The same world is asked for twice with two objects."""
    assert Settings(seed=2, allow_commands=("npm",)) == Settings(seed=2, allow_commands=("npm",))


def test_settings_are_read_from_words() -> None:
    """Digits of an account stay text; the rest is JSON."""
    read = from_texts(["account=000000000001", "seed=7", "realism=false", 'allow_commands=["npm"]'])
    assert read == Settings(account="000000000001", seed=7, realism=False, allow_commands=("npm",))


@pytest.mark.parametrize("word", ["sed=1", "seed=one", "seed"])
def test_words_that_say_nothing_are_refused(word: str) -> None:
    """An unknown name or a value that cannot be read is named."""
    with pytest.raises(BadInput, match=word.split("=")[0]):
        from_texts([word])
