"""The loop that keeps the stores small. It trims topics below what all groups have acknowledged, and deletes old rows of
outboxes, of inboxes and of all else that has a `prune`. Any number of loops may run. Each piece of work is bounded and
may be repeated; it is repeated at once while there is more.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import once, outbox

FULL_TRIM = 5_000  # messages dropped of one topic at a time: more may be left
FULL_PRUNE = 5_000  # rows that one more `prune` deletes at most
PAUSE_SECONDS = 120.0  # long, so that recent messages are still there for replays and for `verify`


class Maintenance:
    """`groups` names the groups that read each topic. A topic that one of them has never read is not trimmed.

    Each of `prunes` takes the time, deletes at most FULL_PRUNE old rows, and returns how many.
    """

    name = "maintenance"

    def __init__(
        self,
        broker: brokers.Broker,
        *,
        groups: Mapping[str, Sequence[str]],
        outboxes: Sequence[type[outbox.OutboxRow]],
        inboxes: Sequence[type[once.OnceRow]],
        prunes: Sequence[Callable[[datetime], int]] = (),
    ) -> None:
        self._broker = broker
        self._groups = groups
        self._outboxes = outboxes
        self._inboxes = inboxes
        self._prunes = prunes
        self._next = 0.0

    def step(self) -> bool:
        """Do one piece of each kind of work; whether more may be left. Raises errors.Unavailable,
        django.db.OperationalError."""
        if time.monotonic() < self._next:
            return False
        now = datetime.now(UTC)
        full = [self._broker.trim(topic, groups) >= FULL_TRIM for topic, groups in self._groups.items()]
        full += [outbox.prune(table, now=now) >= outbox.PRUNE_ROWS for table in self._outboxes]
        full += [once.prune(inbox, now=now) >= once.PRUNE_ROWS for inbox in self._inboxes]
        full += [prune(now) >= FULL_PRUNE for prune in self._prunes]
        if any(full):
            return True
        self._next = time.monotonic() + PAUSE_SECONDS
        return False

    def close(self) -> None:
        self._broker.close()
