"""The relay of one outbox: publishes its rows in id order, marks them after the broker's acknowledgement.

One relay per database works at a time, under a session advisory lock on a connection of its own (SKIP LOCKED would
reorder a key). When the transport was emptied, everything younger than KEEP_DAYS goes again before anything new.
"""

from datetime import UTC, datetime, timedelta

import psycopg
from django.db import connections, transaction

from auction_project import errors, failpoints, logs
from auction_project.messaging import broker as brokers
from auction_project.messaging import outbox

BATCH_ROWS = 500
_LOCK_ID = 0x6176656C  # one number for all: each database has its own lock space

log = logs.get(__name__)


class OutboxRelay:
    """`step()` publishes one batch; see the module."""

    def __init__(self, table: type[outbox.OutboxRow], broker: brokers.Broker) -> None:
        self._table = table
        self._using = table.objects.db
        self._broker = broker
        self._lock: psycopg.Connection | None = None
        self.source = table._meta.app_label
        self.name = f"relay:{self.source}"

    def step(self) -> bool:
        """Publish what waits; whether there may be more. Raises errors.Unavailable, django.db.OperationalError."""
        if not self._is_leader():
            return False
        rows = list(
            self._table.objects.filter(published_at__isnull=True)
            .order_by("id")
            .values_list("id", "topic", "key", "body")[:BATCH_ROWS]
        )
        if not rows:
            return False
        try:
            self._append(rows)
        except brokers.EpochMissing:
            self.refill()
            return True
        failpoints.reach("relay.before_mark")
        with transaction.atomic(using=self._using):
            self._table.objects.filter(id__in=[row[0] for row in rows]).update(published_at=datetime.now(UTC))
        return len(rows) == BATCH_ROWS

    def refill(self) -> int:
        """Publish again all that is kept, oldest first, then begin the source's epoch; the number of rows."""
        since = datetime.now(UTC) - timedelta(days=outbox.KEEP_DAYS)
        count, last_id = 0, 0
        while True:
            rows = list(
                self._table.objects.filter(published_at__isnull=False, created_at__gte=since, id__gt=last_id)
                .order_by("id")
                .values_list("id", "topic", "key", "body")[:BATCH_ROWS]
            )
            if not rows:
                break
            self._append(rows, check_epoch=False)
            count, last_id = count + len(rows), rows[-1][0]
        self._broker.begin_epoch(self.source)
        log.warning("transport_refilled", source=self.source, rows=count)
        return count

    def prune(self) -> int:
        """Delete published rows older than KEEP_DAYS; the number deleted."""
        before = datetime.now(UTC) - timedelta(days=outbox.KEEP_DAYS)
        deleted, _ = self._table.objects.filter(published_at__isnull=False, created_at__lt=before).delete()
        return deleted

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _append(self, rows: list[tuple[int, str, str, bytes]], *, check_epoch: bool = True) -> None:
        messages = [brokers.Message(topic, key, bytes(body)) for _, topic, key, body in rows]
        self._broker.append(messages, source=self.source if check_epoch else None)

    def _is_leader(self) -> bool:
        """Whether this process holds the database's relay lock; its connection's end gives the lock back."""
        try:
            if self._lock is None or self._lock.closed:
                parameters = connections[self._using].get_connection_params()
                allowed = ("host", "port", "user", "password", "dbname", "connect_timeout")
                self._lock = psycopg.connect(
                    **{name: parameters[name] for name in allowed if name in parameters},
                    autocommit=True,
                    application_name=self.name,
                )
            row = self._lock.execute(
                "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted"
            ).fetchone()
            if row and row[0]:
                return True
            row = self._lock.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK_ID]).fetchone()
            return bool(row and row[0])
        except psycopg.OperationalError as error:
            self.close()
            raise errors.Unavailable(f"database {self._using}: {error}") from error
