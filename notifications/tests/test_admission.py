"""How many streams there may be, and whose address counts."""

from typing import Any

import pytest

from notifications import admission, requests


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


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "address"),
    [
        ("9.9.9.9", [], 0, "9.9.9.9"),
        ("9.9.9.9", ["1.1.1.1"], 0, "9.9.9.9"),
        ("9.9.9.9", ["1.1.1.1"], 1, "1.1.1.1"),
        ("9.9.9.9", ["6.6.6.6, 1.1.1.1"], 1, "1.1.1.1"),
        ("9.9.9.9", ["6.6.6.6", "1.1.1.1"], 1, "1.1.1.1"),
        ("9.9.9.9", ["6.6.6.6, 1.1.1.1, 8.8.8.8"], 2, "1.1.1.1"),
        ("9.9.9.9", [], 1, "9.9.9.9"),
        ("9.9.9.9", ["1.1.1.1"], 2, "9.9.9.9"),
        ("9.9.9.9", ["not an address"], 1, "9.9.9.9"),
        ("2001:db8::1", [], 0, "2001:db8::/64"),
        ("2001:db8:0:0:ffff::7", [], 0, "2001:db8::/64"),
        ("::ffff:1.1.1.1", [], 0, "1.1.1.1"),
    ],
)
def test_the_address_is_the_peers_or_what_the_trusted_proxy_saw(
    peer: str, forwarded: list[str], proxies: int, address: str
) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope: dict[str, Any] = {"client": (peer, 1), "headers": headers}

    assert requests.client_address(scope, proxies=proxies) == address


def test_a_connection_without_an_address_has_the_empty_one() -> None:
    assert requests.client_address({"client": None, "headers": []}, proxies=0) == ""
