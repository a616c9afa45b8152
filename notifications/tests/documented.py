"""Checks messages against the committed AsyncAPI document: `check` refuses one that it does not describe."""

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema

from auction_project.web import event_documents

DOCUMENT = Path(__file__).parents[2] / event_documents.STREAMS_FILE
_LOST = {"auction": "AuctionLost", "notifications": "FeedLost"}


@functools.cache
def committed() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(DOCUMENT.read_bytes())
    return document


def name_of(body: dict[str, Any]) -> str:
    """The message that a frame or a client's message is."""
    if body["type"] == "auction":
        return f"Auction.{body['event']}"
    return (
        _LOST[body["scope"]] if body["type"] == "snapshot_required" else body["type"].title().replace("_", "")
    )


def check(body: dict[str, Any], *, channel: str) -> None:
    """Raises jsonschema.ValidationError; KeyError for a message that the channel does not have."""
    name = name_of(body)
    committed()["channels"][channel]["messages"][name]
    _validator(name).validate(body)


@functools.cache
def _validator(name: str) -> Any:
    document = committed()
    schema = document["components"]["messages"][name]["payload"] | {"components": document["components"]}
    return jsonschema.Draft202012Validator(schema)
