"""The envelope: an event that was encoded decodes the same; a message that is no event is refused with the reason."""

import contextlib
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auction_project.kernel import contracts
from auction_project.kernel.contracts import events

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EVENT = events.SaleSettled(sale_id="a-1", order_number="GV-1", auction_id="a", user_id="u")
MESSAGE = contracts.encode(EVENT, event_id="e1", source="sagas", time=NOW, version=4, correlation_id="c1")


@given(text=st.text(), number=st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_an_encoded_event_decodes_the_same(text: str, number: int) -> None:
    sent = events.BidFailed(
        sale_id=text, order_number="o", auction_id="a", user_id="u", reason="step_failed", detail=text
    )

    message = contracts.encode(
        sent, event_id=text, source="sagas", time=NOW, version=number, correlation_id=text
    )
    envelope, event = contracts.decode(message)

    assert event == sent
    assert (envelope.id, envelope.type, envelope.subject, envelope.version) == (
        text,
        "BidFailed",
        text,
        number,
    )
    assert (envelope.source, envelope.time, envelope.correlationid) == ("sagas", NOW, text)


def test_a_message_is_a_cloud_event() -> None:
    assert msgspec.json.decode(MESSAGE) == {
        "id": "e1",
        "type": "SaleSettled",
        "source": "sagas",
        "time": "2026-03-01T12:00:00Z",
        "subject": "a-1",
        "version": 4,
        "correlationid": "c1",
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "traceparent": None,
        "data": {
            "sale_id": "a-1",
            "order_number": "GV-1",
            "user_id": "u",
            "auction_id": "a",
            "checkout_id": "",
        },
    }


def test_the_trace_of_another_producer_is_read() -> None:
    traced = msgspec.json.decode(MESSAGE) | {"traceparent": "00-1-2-01"}

    assert contracts.decode(msgspec.json.encode(traced))[0].traceparent == "00-1-2-01"


def test_fields_of_a_newer_producer_are_ignored() -> None:
    newer = msgspec.json.decode(MESSAGE)
    newer["partitionkey"] = "x"
    newer["data"]["courier"] = "x"

    envelope, event = contracts.decode(msgspec.json.encode(newer))

    assert (envelope.id, event) == ("e1", EVENT)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "SaleForgotten"}, "unknown event type 'SaleForgotten'"),
        ({"type": "LogRecord"}, "unknown event type 'LogRecord'"),
        ({"type": 7}, "envelope: Expected `str`"),
        ({"id": None}, "envelope: Expected `str`"),
        ({"time": "yesterday"}, "envelope: Invalid RFC3339"),
        ({"time": "2026-03-01T12:00:00"}, "envelope: Expected `datetime` with a timezone"),
        ({"data": {}}, "SaleSettled: Object missing required field"),
        ({"data": None}, "SaleSettled: Expected `object`"),
        (
            {"data": {"sale_id": 1, "order_number": "", "auction_id": "", "user_id": ""}},
            "SaleSettled: Expected `str`",
        ),
    ],
)
def test_a_wrong_message_is_refused_with_the_reason(change: dict[str, object], reason: str) -> None:
    wrong = msgspec.json.encode(msgspec.json.decode(MESSAGE) | change)

    with pytest.raises(contracts.Undecodable) as refused:
        contracts.decode(wrong)

    assert str(refused.value).startswith(reason)


@given(st.one_of(st.binary(), st.binary().map(lambda tail: MESSAGE[:-40] + tail)))
def test_any_bytes_decode_or_are_undecodable(message: bytes) -> None:
    with contextlib.suppress(contracts.Undecodable):
        contracts.decode(message)


@pytest.mark.parametrize(
    "message", [b"[" * 200_000, MESSAGE[:-80] + b"[" * 200_000, MESSAGE.replace(b"GV-1", b"\xff")]
)
def test_deep_and_broken_texts_are_undecodable_too(message: bytes) -> None:
    with pytest.raises(contracts.Undecodable):
        contracts.decode(message)
