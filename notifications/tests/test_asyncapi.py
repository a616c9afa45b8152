"""The document of the streams is current, public, and true of every frame. `streams` checks each frame that a test receives."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from django.test import Client

from auction_project.kernel import contracts
from auction_project.kernel.contracts import events
from auction_project.kernel.contracts.tests import references
from auction_project.web import event_documents
from notifications import cursors, frames, handlers, models
from notifications.push import requests, sockets
from notifications.tests import documented

FIXTURES = Path(events.__file__).parent / "tests" / "fixtures"
RECORDS = sorted(kind.__name__ for kind in handlers.AUCTION_FRAMES.handlers)
_ROW = models.Notification(
    user_id="u", seq=3, kind="LOST", data={"title": "Lamp", "price": 1250, "currency": "EUR"}, at=5
)
FRAMES = {
    "Ready": frames.READY,
    "Pong": frames.PONG,
    "Notification": frames.notification(_ROW, "e1"),
    "Resumed": frames.resumed(cursors.Cursor("e1", 3)),
    "FeedLost": frames.feed_lost(cursors.Cursor("e1", 3)),
    "Watching": frames.watching("a" * 32, 3),
    "AuctionLost": frames.auction_lost("a" * 32, None),
    "Desk": frames.DESK_WATCHED,
    "Error": frames.error("too_many_auctions", "Stop watching another auction first.", limit=50),
    "Closing": frames.closing(sockets.OVERFLOW, sockets.REASONS[sockets.OVERFLOW]),
}


def record_frame(name: str) -> dict[str, Any]:
    """The frame of the record that `contracts` keeps as an example."""
    _, event = contracts.decode((FIXTURES / f"{name}.json").read_bytes())
    frame: dict[str, Any] = json.loads(frames.auction_text(event))
    return frame


def test_the_committed_document_is_current() -> None:
    assert documented.DOCUMENT.read_bytes() == event_documents.sockets(), "run: manage.py asyncapi"


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_is_as_the_document_says(name: str) -> None:
    body = json.loads(FRAMES[name].text)

    documented.check(body, channel="websocket" if name == "Desk" else "events")
    assert documented.name_of(body) == name
    for left_out in body.keys() - {"type", "scope", "auction_id", "limit"}:
        with pytest.raises(jsonschema.ValidationError):
            documented._validator(name).validate({key: body[key] for key in body if key != left_out})


def test_every_kind_of_frame_has_an_example_here() -> None:
    assert {kind.__name__ for kind in frames.TYPES} == {*FRAMES, "Auction"}


@pytest.mark.parametrize("name", RECORDS)
def test_the_frame_of_a_record_is_as_the_document_says(name: str) -> None:
    body = record_frame(name)

    documented.check(body, channel="websocket")
    with pytest.raises(jsonschema.ValidationError):
        documented.check(body | {"data": {}}, channel="websocket")


@pytest.mark.parametrize("name", ["BidPlaced", "AuctionClosed"])
def test_an_amount_in_minor_units_is_not_as_the_document_says(name: str) -> None:
    body = record_frame(name)
    assert isinstance(body["data"]["price"], str)

    body["data"]["price"] = 1250

    with pytest.raises(jsonschema.ValidationError):
        documented.check(body, channel="websocket")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "watch", "auction_id": "a" * 32, "after": 3},
        {"type": "watch", "auction_id": "a" * 32},
        {"type": "unwatch", "auction_id": "a" * 32},
        {"type": "resume", "cursor": "1:2"},
        {"type": "watch_desk", "desk_pass": "x"},
        {"type": "ping"},
        {"type": "watch", "auction_id": "x"},
        {"type": "watch", "auction_id": "a" * 32, "after": -1},
        {"type": "unwatch", "auction_id": "a" * 32, "after": 1},
        {"type": "resume", "cursor": 7},
        {"type": "watch_desk"},
        {"type": "ping", "n": 1},
    ],
)
def test_the_document_takes_the_messages_that_the_server_takes(message: dict[str, Any]) -> None:
    def is_taken() -> bool:
        try:
            requests.decode(msgspec.json.encode(message).decode())
        except requests.NotUnderstood:
            return False
        return True

    def is_documented() -> bool:
        try:
            documented.check(message, channel="websocket")
        except jsonschema.ValidationError:
            return False
        return True

    assert is_documented() == is_taken()


def test_every_reference_of_the_document_resolves_and_every_close_code_is_named() -> None:
    document = documented.committed()
    assert references.resolve_all(document) > 50
    for code, reason in sockets.REASONS.items():
        assert f"| {code} | {reason} |" in document["channels"]["websocket"]["description"]
        assert len(reason.encode()) <= 123  # what a close frame holds


@pytest.mark.parametrize(
    ("path", "rendered"),
    [
        ("/api/asyncapi.json", event_documents.topics),
        ("/api/asyncapi-sockets.json", event_documents.sockets),
    ],
)
def test_the_documents_are_public_and_cacheable(path: str, rendered: Any) -> None:
    client = Client()
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status_code, first.content) == (200, rendered())
    assert first.headers["Content-Type"] == "application/json"
    assert first.headers["Cache-Control"] == "public, max-age=3600"
    assert (again.status_code, again.content) == (304, b"")
    assert client.post(path).status_code == 405
