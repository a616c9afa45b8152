"""Failpoints: nothing unless armed, and exactly the named place."""

import time

import pytest

from auction_project.kernel import failpoints


def test_nothing_happens_at_a_place_that_is_not_armed(monkeypatch: pytest.MonkeyPatch) -> None:
    failpoints.reach("anywhere")
    monkeypatch.setattr(failpoints, "_armed", {"elsewhere": "raise"})
    failpoints.reach("anywhere")


def test_the_variable_arms_several_places() -> None:
    assert failpoints._parse("a.b=kill, c=sleep:2.5,,") == {"a.b": "kill", "c": "sleep:2.5"}
    assert failpoints._parse("") == {}


def test_armed_places_raise_and_dawdle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failpoints, "_armed", {"a": "raise", "b": "sleep:0.05", "c": "explode"})

    with pytest.raises(failpoints.FailpointReached, match=r"^a$"):
        failpoints.reach("a")
    begun = time.monotonic()
    failpoints.reach("b")
    assert time.monotonic() - begun >= 0.05
    with pytest.raises(ValueError, match="unknown action 'explode' for c"):
        failpoints.reach("c")
