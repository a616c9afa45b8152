"""Instants as Gavel writes them down: whole milliseconds since the epoch."""

import time
from datetime import UTC, datetime


def now() -> int:
    return time.time_ns() // 1_000_000


def of(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def moment(instant: int) -> datetime:
    return datetime.fromtimestamp(instant / 1000, UTC)
