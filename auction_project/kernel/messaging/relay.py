"""The relay of one outbox: publishes its rows in id order, and marks them after the broker's acknowledgement.

One relay per database works at a time, under a session advisory lock on a connection of its own (SKIP LOCKED would
reorder a key). On the same connection it reads and marks, so that a relay without its session stops. On it, too, it
receives the notifications of commits (`outbox.publish` sends them), so that an idle relay publishes within milliseconds.
When the transport was emptied, the relay publishes all rows younger than KEEP_DAYS again before anything new. An idle
relay looks for that every EPOCH_CHECK_SECONDS; otherwise messages that were published and not consumed would wait for
the next change.
"""

import contextlib
import select
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.db import connections

from auction_project.kernel import contracts, errors, failpoints, logs, tracing
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import metrics, outbox

BATCH_ROWS = 500
WAIT_SECONDS = 1.0  # at most, for the notification of a commit; what was missed is found then
EPOCH_CHECK_SECONDS = 1.0
_LOCK_ID = 0x6176656C  # one number for all: each database has its own lock space

_Row = tuple[int, str, str, bytes]

log = logs.get(__name__)


class OutboxRelay:
    """`step()` publishes one batch; see the module.

    `unpublished`: the rows that it found unpublished at its last look, up to one batch; 0 while another relay works.
    """

    longest_pause_seconds = 1.0

    def __init__(self, table: type[outbox.OutboxRow], broker: brokers.Broker) -> None:
        self._table = table
        self._using: str = table.objects.db
        self._broker = broker
        self._session: Any = None  # Django's wrapper: parameters as the settings have them
        self._leads = False
        self._refilled_to: int | None = None  # the id up to which a refill has come
        self._next_epoch_check = 0.0
        self.unpublished = 0
        self.source = table._meta.app_label
        self.name = f"relay:{self.source}"

    def step(self) -> bool:
        """Publish one batch, or wait for a commit; False when another relay works.

        Raises errors.Unavailable, django.db.OperationalError.
        """
        if not self._lead():
            return False
        if self._refilled_to is not None:
            self._refill(self._refilled_to)
            return True
        rows = self._rows("published_at IS NULL")
        self.unpublished = len(rows)
        if not rows and time.monotonic() < self._next_epoch_check:
            self._wait_for_commit()
            return True
        try:
            self._append(rows, self.source)
        except brokers.EpochMissing:
            self._begin_refill()
            return True
        self._next_epoch_check = time.monotonic() + EPOCH_CHECK_SECONDS
        if not rows:
            return True
        failpoints.reach("relay.before_mark")
        published = f'UPDATE "{self._table._meta.db_table}" SET published_at = %s WHERE id = ANY(%s)'  # noqa: S608 - no input in it
        self._execute(published, datetime.now(UTC), [row[0] for row in rows])
        if tracing.is_on:
            _trace([bytes(body) for *_, body in rows])
        return True

    def close(self) -> None:
        self._leads = False
        self._refilled_to = None  # another relay may begin a refill of its own, so this one begins anew
        self.unpublished = 0  # another relay knows now
        if self._session is not None:
            self._session.close()
            self._session = None

    def _begin_refill(self) -> None:
        """Begin again with the first row, because the transport has lost this source. A marker of the refill shows if the
        transport is emptied once more in the middle."""
        log.info("refill_began", source=self.source)
        self._broker.begin_epoch(self._refill_source)
        self._refilled_to = 0

    def _refill(self, last_id: int) -> None:
        since = datetime.now(UTC) - timedelta(days=outbox.KEEP_DAYS)
        rows = self._rows("published_at >= %s AND id > %s", since, last_id)
        try:
            self._append(rows, self._refill_source)
        except brokers.EpochMissing:
            self._begin_refill()
            return
        if rows:
            self._refilled_to = rows[-1][0]
        else:
            self._broker.begin_epoch(self.source)
            self._refilled_to = None
            report = log.warning if last_id else log.info  # a transport that is new has lost nothing
            report("transport_refilled", source=self.source, up_to=last_id)

    @property
    def _refill_source(self) -> str:
        return f"{self.source}.refill"

    def _rows(self, where: str, *parameters: Any) -> list[_Row]:
        select = f'SELECT id, topic, key, body FROM "{self._table._meta.db_table}" WHERE {where} ORDER BY id LIMIT %s'  # noqa: S608 - no input in it
        rows: list[_Row] = self._execute(select, *parameters, BATCH_ROWS).fetchall()
        return rows

    def _execute(self, statement: str, *parameters: Any) -> Any:
        """Run it in the session that holds the lock, so that only the one relay runs it. Raises errors.Unavailable."""
        try:
            return self._session.connection.execute(statement, parameters)
        except psycopg.Error as error:
            self._give_up(error)

    def _append(self, rows: list[_Row], source: str) -> None:
        messages = [brokers.Message(topic, key, bytes(body)) for _, topic, key, body in rows]
        self._broker.append(messages, source=source)
        for message in messages:
            metrics.PUBLISHED.labels(message.topic).inc()

    def _lead(self) -> bool:
        """Whether this process holds the database's relay lock. The end of its session gives the lock back; keepalives
        (see the settings) end the session of a machine that has crashed."""
        if self._leads:
            return True
        if self._session is None:
            self._session = self._connect()
            self._execute(f"LISTEN {outbox.WAKE_CHANNEL}")
        (self._leads,) = self._execute("SELECT pg_try_advisory_lock(%s)", _LOCK_ID).fetchone()
        if self._leads:
            log.info("relay_leads", source=self.source)
        return self._leads

    def _connect(self) -> Any:
        session = connections[self._using].copy()
        session.settings_dict["OPTIONS"].pop("pool", None)
        session.connect()
        return session

    def _wait_for_commit(self) -> None:
        """Wait at the socket, because `notifies` with a time-out wakes ten times a second."""
        connection = self._session.connection
        try:
            if any(True for _ in connection.notifies(timeout=0)):
                return
            arrivals = select.poll()
            arrivals.register(connection, select.POLLIN)
            arrivals.poll(1000 * WAIT_SECONDS)
            for _ in connection.notifies(timeout=0):
                pass
        except psycopg.Error as error:
            self._give_up(error)

    def _give_up(self, error: psycopg.Error) -> None:
        self.close()
        raise errors.Unavailable(f"database {self._using}: {error}") from error


def _trace(messages: Sequence[bytes]) -> None:
    """Record how long these messages waited until they were published."""
    now = time.time()
    for message in messages:
        with contextlib.suppress(contracts.Undecodable):
            envelope = contracts.decode_envelope(message)
            if (event := tracing.kept(envelope.traceparent)) is not None:
                tracing.record(
                    f"relay {envelope.type}",
                    tracing.Context(event.trace_id, tracing.span_id("relay", envelope.id)),
                    parent=event.span_id,
                    start=envelope.time.timestamp(),
                    end=now,
                    kind="producer",
                )
