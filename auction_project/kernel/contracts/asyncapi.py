"""The AsyncAPI 3 document of all events. It is made from the structs, so that it always says what they say.

`manage.py asyncapi` writes it to `docs/`; a test keeps that copy current.
"""

import inspect
from typing import Any

import msgspec

from auction_project.kernel.contracts import envelope, events

VERSION = "1.0.0"
_SCHEMAS = "#/components/schemas/"


class Topic(msgspec.Struct, frozen=True):
    """What a channel is for, which apps write it, which apps read it."""

    summary: str
    senders: str
    receivers: str


TOPICS: dict[str, Topic] = {
    "auction.log": Topic(
        "One public record for each entry of an auction's bid log, in its order. Bidders appear under an alias.",
        "bidding",
        "notifications, anyone",
    ),
    "auction.private": Topic(
        "Notices to one bidder or seller about their own bids and lots.", "bidding", "notifications"
    ),
    "auction.lots": Topic(
        "Lots that request stock, and lots that need it no longer.",
        "bidding",
        "inventory, bidding, notifications",
    ),
    "inventory.stock": Topic(
        "Answers about lots, and the stock of each product as a versioned state.",
        "inventory",
        "bidding, notifications",
    ),
    "inventory.offers": Topic(
        "The price of each product in the shop, as a versioned state.", "inventory", "orders, inventory"
    ),
    "saved-searches": Topic(
        "New offers that match the saved searches of a user.", "inventory", "notifications"
    ),
    "checkouts": Topic(
        "Checkouts that request stock until they expire, and inventory's answers.",
        "orders, inventory",
        "inventory, orders",
    ),
    "sale-awarded": Topic("A bid became a sale that its buyer pays in the shop.", "bidding", "orders"),
    "sale-confirmed": Topic(
        "A bid or a paid checkout became a sale: the saga that settles it begins.",
        "bidding, orders",
        "sagas",
    ),
    "sale-settled": Topic("The sale ended well.", "sagas, orders", "bidding, orders"),
    "bid-failed": Topic(
        "The sale was undone completely, or was not paid in time.",
        "sagas, orders",
        "bidding, orders, notifications",
    ),
    "orders": Topic(
        "What happens to an order, its payment and its parcels.", "orders", "notifications, inventory"
    ),
    "cards": Topic("Whether each user has a usable card, as a versioned state.", "orders", "bidding"),
    "accounts": Topic(
        "Each account as a versioned state, the sessions that ended, and the devices that it signs in from.",
        "accounts",
        "orders, inventory, notifications",
    ),
}


def document(
    *, partitions: int, dead_letter: type[msgspec.Struct], dead_letter_suffix: str
) -> dict[str, Any]:
    """The whole document, as JSON values in a stable order."""
    types = [events.BY_NAME[name] for name in sorted(events.BY_NAME)]
    _, schemas = msgspec.json.schema_components(
        [envelope.Envelope, dead_letter, *types], ref_template=_SCHEMAS + "{name}"
    )
    for schema in schemas.values():
        if "description" in schema:  # Python 3.13 cleans docstrings, older ones do not
            schema["description"] = inspect.cleandoc(schema["description"])
    channels: dict[str, Any] = {}
    for topic in events.TOPICS:
        channels[topic] = _channel(topic, [t for t in types if topic == t.TOPIC], partitions)
        channels[topic + dead_letter_suffix] = _dead_channel(
            topic + dead_letter_suffix, topic, dead_letter.__name__, partitions
        )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Gavel events",
            "version": VERSION,
            "description": "Events of auctions, stock, sales, orders and accounts, as CloudEvents in JSON. Messages of one key "
            "keep their order. Every message may come more than once: its `id` is the same then. A field may be added, "
            "never removed or changed.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {"host": "kafka:9092", "protocol": "kafka", "description": "topics as named here"},
            "redis": {
                "host": "redis:6379",
                "protocol": "redis",
                "description": "the embedded transport: streams `events:<topic>:<partition>`, fields `k` (key) and `v` (message)",
            },
        },
        "channels": channels,
        "operations": {
            f"send {name}": {"action": "send", "channel": {"$ref": f"#/channels/{name}"}} for name in channels
        },
        "components": {
            "schemas": schemas,
            "messages": {t.__name__: _message(t) for t in types}
            | {dead_letter.__name__: _dead_message(dead_letter)},
        },
    }


def _channel(topic: str, types: list[type[events.Event]], partitions: int) -> dict[str, Any]:
    about = TOPICS[topic]
    return {
        "address": topic,
        "summary": about.summary,
        "description": f"From {about.senders} to {about.receivers}. Key: `{types[0].KEY}`.",
        "messages": {t.__name__: {"$ref": f"#/components/messages/{t.__name__}"} for t in types},
        "bindings": {"kafka": {"partitions": partitions}},
    }


def _dead_channel(address: str, topic: str, message: str, partitions: int) -> dict[str, Any]:
    return {
        "address": address,
        "summary": f"Messages of {topic} that a consumer gave up on, with the error and the origin.",
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {"kafka": {"partitions": partitions}},
    }


def _message(event_type: type[events.Event]) -> dict[str, Any]:
    name = event_type.__name__
    return {
        "name": name,
        "summary": _first_line(event_type),
        "contentType": "application/json",
        "payload": {
            "allOf": [
                {"$ref": _SCHEMAS + envelope.Envelope.__name__},
                {
                    "type": "object",
                    "properties": {"type": {"const": name}, "data": {"$ref": _SCHEMAS + name}},
                    "required": ["type", "data"],
                },
            ]
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": event_type.KEY}}},
    }


def _dead_message(dead_letter: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        "name": dead_letter.__name__,
        "summary": _first_line(dead_letter),
        "contentType": "application/json",
        "payload": {"$ref": _SCHEMAS + dead_letter.__name__},
    }


def _first_line(documented: type) -> str:
    return (documented.__doc__ or documented.__name__).strip().splitlines()[0]
