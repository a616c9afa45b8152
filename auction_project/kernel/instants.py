"""Instants as Gavel stores and sends them: whole milliseconds since the epoch."""

import time
from datetime import UTC, datetime


def now() -> int:
    """The present instant."""
    return time.time_ns() // 1_000_000


def of(moment: datetime) -> int:
    """The instant of an aware datetime; parts of a millisecond are cut off."""
    return int(moment.timestamp() * 1000)


def moment(instant: int) -> datetime:
    """The datetime of an instant, in UTC."""
    return datetime.fromtimestamp(instant / 1000, UTC)
