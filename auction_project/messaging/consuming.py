"""The consumer loop: takes records in order, gives each to its handler once, and applies the one failure policy.

A handler gets `(envelope, event)` inside a transaction on its app's database that also holds the `once` row of the
event; the acknowledgement follows the commit. An app without PostgreSQL (bidding) has no inbox: its log recognises
repeats. A failing record holds its partition and nothing else.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db import close_old_connections, transaction

from auction_project import contracts, failpoints, logs
from auction_project.messaging import broker as brokers
from auction_project.messaging import failure, once

Handler = Callable[[contracts.Envelope, Any], None]
POLL_SECONDS = 1.0

log = logs.get(__name__)


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """What one group of consumers reads and who deals with it. `inbox` is None for an app without PostgreSQL."""

    group: str
    handlers: Mapping[type[contracts.events.Event], Handler]
    inbox: type[once.OnceRow] | None = None

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(sorted({event_type.TOPIC for event_type in self.handlers}))


class DeadLetterFailed(RuntimeError):
    """The dead-letter topic did not take a poison message: this consumer must stop, nothing may be dropped."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in `<topic>.dlq`: the message, the error, the origin."""

    topic: str
    key: str
    group: str
    partition: int
    position: str
    error: str
    attempts: int
    at: datetime
    value: bytes


class ConsumerLoop:
    """`step()` deals with what one poll brings."""

    def __init__(self, subscription: Subscription, broker: brokers.Broker, *, member: str) -> None:
        self._subscription = subscription
        self._broker = broker
        self._consumer = broker.consumer(subscription.group, subscription.topics, member=member)
        self._tries: dict[tuple[str, int], tuple[str, int, int]] = {}
        self.name = f"consume:{subscription.group}"

    def step(self) -> bool:
        """Whether there may be more. Raises errors.Unavailable when the broker is away, DeadLetterFailed."""
        records = self._consumer.poll(POLL_SECONDS)
        close_old_connections()
        stopped: set[tuple[str, int]] = set()
        for record in records:
            place = (record.topic, record.partition)
            if place in stopped:
                continue
            try:
                if not self._settle(record):
                    stopped.add(place)
            except brokers.OwnershipLost:
                log.info("partition_lost", topic=record.topic, partition=record.partition)
                stopped.add(place)
        return True

    def close(self) -> None:
        self._consumer.close()

    def _settle(self, record: brokers.Record) -> bool:
        """Deal with one record; False when its partition must wait."""
        try:
            self._handle(record)
        except Exception as error:
            return self._fail(record, error)
        failpoints.reach(f"{self.name}.before_acknowledge")
        self._consumer.acknowledge(record)
        self._tries.pop((record.topic, record.partition), None)
        return True

    def _handle(self, record: brokers.Record) -> None:
        envelope, event = contracts.decode(record.value)
        handler = self._subscription.handlers.get(type(event))
        if handler is None:
            return
        with logs.bound(correlation_id=envelope.correlationid, event=envelope.type, subject=envelope.subject):
            inbox = self._subscription.inbox
            if inbox is None:
                handler(envelope, event)
                return
            with transaction.atomic(using=inbox.objects.db):
                row, is_new = once.claim(inbox, f"event:{envelope.id}", now=datetime.now(UTC))
                if is_new:
                    handler(envelope, event)
                    row.finish(once.State.DONE)

    def _fail(self, record: brokers.Record, error: Exception) -> bool:
        """Hold the partition, or bury the record and go on."""
        place = (record.topic, record.partition)
        position, tries, attempts = self._tries.get(place, ("", 0, 0))
        if position != record.position:
            tries = attempts = 0
        fate = failure.classify(error)
        tries += 1
        attempts += fate is not failure.Fate.OUTAGE
        if isinstance(error, contracts.Undecodable):
            attempts = failure.MAX_ATTEMPTS
        self._tries[place] = (record.position, tries, attempts)
        if attempts < failure.MAX_ATTEMPTS:
            log.warning(
                "message_held",
                topic=record.topic,
                key=record.key,
                fate=fate.value,
                attempts=attempts,
                error=repr(error),
            )
            self._consumer.hold(record, failure.pause_seconds(tries))
            return False
        self._bury(record, error, attempts)
        self._consumer.acknowledge(record)
        del self._tries[place]
        return True

    def _bury(self, record: brokers.Record, error: Exception, attempts: int) -> None:
        letter = DeadLetter(
            topic=record.topic,
            key=record.key,
            group=self._subscription.group,
            partition=record.partition,
            position=record.position,
            error=repr(error)[:2000],
            attempts=attempts,
            at=datetime.now(UTC),
            value=record.value,
        )
        log.error("dead_letter", topic=record.topic, key=record.key, group=letter.group, error=letter.error)
        try:
            self._broker.append(
                [brokers.Message(record.topic + brokers.DLQ_SUFFIX, record.key, msgspec.json.encode(letter))]
            )
        except Exception as failed:
            raise DeadLetterFailed(f"{record.topic}{brokers.DLQ_SUFFIX}: {failed}") from failed
