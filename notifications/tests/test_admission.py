"""How many streams there may be, by address and by user."""

import pytest

from notifications.push import admission


def test_an_address_has_a_bounded_number_of_streams_and_others_have_their_own() -> None:
    counted = admission.Admission(per_address=2)
    counted.enter("1.1.1.1")
    counted.enter("1.1.1.1")

    with pytest.raises(admission.TooManyStreamsHere) as refused:
        counted.enter("1.1.1.1")
    counted.enter("2.2.2.2")
    counted.leave("1.1.1.1")
    counted.enter("1.1.1.1")

    assert refused.value.figures["limit"] == 2


def test_all_addresses_together_have_a_bounded_number_of_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_STREAMS", 2)
    counted = admission.Admission(per_address=2)
    counted.enter("1.1.1.1")
    counted.enter("2.2.2.2")

    with pytest.raises(admission.TooManyStreams):
        counted.enter("3.3.3.3")
    counted.leave("2.2.2.2")
    counted.enter("3.3.3.3")


def test_a_user_has_a_bounded_number_of_streams_from_all_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_STREAMS_PER_USER", 1)
    counted = admission.Admission(per_address=9)
    counted.enter_user("one")

    with pytest.raises(admission.TooManyStreamsHere):
        counted.enter_user("one")
    counted.enter_user("another")
    counted.leave_user("one")
    counted.enter_user("one")
