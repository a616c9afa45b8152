"""A client's record of an answer to a bid, as `manage.py verify --answers` reads it: one line of JSON each."""

from typing import Any

import msgspec


def line(
    *,
    auction_id: str,
    actor: str,
    key: str,
    body: dict[str, Any],
    sent: float,
    answered: float,
    status: int,
    answer: Any,
) -> bytes:
    """The line, with its end. `body` is the JSON that was sent, `answer` the decoded one; times are in seconds since 1970 UTC."""
    record = {
        "auction_id": auction_id,
        "actor": actor,
        "key": key,
        "at_sent": int(sent * 1000),
        "at_answered": int(answered * 1000),
        "body": body,
        "status": status,
        "answer": answer,
    }
    return msgspec.json.encode(record) + b"\n"
