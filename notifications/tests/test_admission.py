"""How many streams there may be, and whose address counts."""

import pytest

from notifications.push import admission


def test_an_address_has_so_many_streams_and_no_more_and_those_of_others_are_not_its_own() -> None:
    counted = admission.Admission(per_address=2)
    counted.enter("1.1.1.1")
    counted.enter("1.1.1.1")

    with pytest.raises(admission.TooManyStreamsHere) as refused:
        counted.enter("1.1.1.1")
    counted.enter("2.2.2.2")
    counted.leave("1.1.1.1")
    counted.enter("1.1.1.1")

    assert refused.value.figures["limit"] == 2


def test_all_addresses_together_have_so_many_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_STREAMS", 2)
    counted = admission.Admission(per_address=2)
    counted.enter("1.1.1.1")
    counted.enter("2.2.2.2")

    with pytest.raises(admission.TooManyStreams):
        counted.enter("3.3.3.3")
    counted.leave("2.2.2.2")
    counted.enter("3.3.3.3")


def test_a_user_has_so_many_streams_from_wherever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_STREAMS_PER_USER", 1)
    counted = admission.Admission(per_address=9)
    counted.enter_user("one")

    with pytest.raises(admission.TooManyStreamsHere):
        counted.enter_user("one")
    counted.enter_user("another")
    counted.leave_user("one")
    counted.enter_user("one")
