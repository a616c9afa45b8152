"""The consumer loop: takes records in order, gives each to its handler once, and applies the one failure policy.

A handler gets `(envelope, event)` inside a transaction on its app's database that also holds the `once` row of the
event; the acknowledgement follows the commit. A subscription without an inbox recognises repeats by itself. A failing
record holds its partition and no other. A refusal is stored, and is final. A loop that has sent too many records of a
topic in a row to the dead-letter topic halts: it keeps its partitions, takes nothing, and waits until an operator has
mended the cause and restarts the process.
"""

import enum
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db import close_old_connections, transaction

from auction_project.kernel import contracts, errors, failpoints, logs
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import dead_letters, failure, metrics, once

Handler = Callable[[contracts.Envelope, Any], None]
Decode = Callable[[brokers.Record], tuple[contracts.Envelope, Any]]
POLL_SECONDS = 1.0
LAG_SECONDS = 10.0
HALTED_SECONDS = 15.0  # between two polls of a loop that has halted: they keep its membership

log = logs.get(__name__)


def decode_event(record: brokers.Record) -> tuple[contracts.Envelope, Any]:
    """Raises contracts.Undecodable."""
    return contracts.decode(record.value)


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """What one group of consumers reads, and which handler takes it.

    `inbox` is the app's table of `once`, or None for an app whose own log recognises repeats. `alarming`: a dead letter
    of this group needs an operator at once. `reads` (topics) and `decode` are for messages that are no events.
    """

    group: str
    handlers: Mapping[type[Any], Handler]
    inbox: type[once.OnceRow] | None = None
    alarming: bool = False
    reads: tuple[str, ...] = ()
    decode: Decode = decode_event

    @property
    def topics(self) -> tuple[str, ...]:
        return self.reads or tuple(sorted({event_type.TOPIC for event_type in self.handlers}))


class DeadLetterFailed(RuntimeError):
    """The dead-letter topic did not take a poison message. This consumer must stop, because no message may be dropped."""


class _Verdict(enum.Enum):
    DONE = "done"
    HALTED = "halted"
    HELD = "held"
    OUTAGE = "outage"


class _FailingRecord(msgspec.Struct):
    """The record at `position` fails: how often it was tried, and how many of these tries count."""

    position: str
    tries: int = 0
    attempts: int = 0


class ConsumerLoop:
    """`step()` handles the records of one poll. `halted` names the topic whose dead letters halted it, or is empty."""

    def __init__(self, subscription: Subscription, broker: brokers.Broker, *, member: str) -> None:
        self._subscription = subscription
        self._broker = broker
        self._consumer = broker.consumer(subscription.group, subscription.topics, member=member)
        self._failing: dict[tuple[str, int], _FailingRecord] = {}  # by topic and partition
        self._dead_letters_in_a_row: dict[str, int] = {}  # by topic, since the last record that was handled
        self._next_lag = 0.0
        self.halted = ""
        metrics.HALTED.labels(subscription.group).set(0)
        self.name = f"consume:{subscription.group}"

    def step(self) -> bool:
        """Always True, because the poll waits. Raises errors.Unavailable when the broker is unavailable,
        DeadLetterFailed."""
        records = self._consumer.poll(POLL_SECONDS)
        self._measure_lag()
        if self.halted:
            self._hold_all(records)
            return True
        close_old_connections()
        held: set[tuple[str, int]] = set()
        for record in records:
            topic_partition = (record.topic, record.partition)
            if topic_partition in held:
                continue
            try:
                verdict = self._settle(record)
            except brokers.OwnershipLost:
                log.info("partition_lost", topic=record.topic, partition=record.partition)
                verdict = _Verdict.HELD
            if verdict is _Verdict.HALTED:
                self._hold_all(records)
                break
            if verdict is _Verdict.OUTAGE:
                break  # each try of an outage may take its whole time-out, and only the poll keeps the membership
            if verdict is _Verdict.HELD:
                held.add(topic_partition)
        return True

    def close(self) -> None:
        self._consumer.close()

    def _settle(self, record: brokers.Record) -> _Verdict:
        try:
            apply(self._subscription, record)
        except Exception as error:
            return self._fail(record, error)
        failpoints.reach(f"{self.name}.before_acknowledge")
        self._dead_letters_in_a_row.pop(record.topic, None)
        self._acknowledge(record)
        return _Verdict.DONE

    def _acknowledge(self, record: brokers.Record) -> None:
        self._consumer.acknowledge(record)
        self._failing.pop((record.topic, record.partition), None)
        metrics.CONSUMED.labels(record.topic, self._subscription.group).inc()

    def _fail(self, record: brokers.Record, error: Exception) -> _Verdict:
        """Hold the partition, or send the record to the dead-letter topic and go on."""
        topic_partition = (record.topic, record.partition)
        failing = self._failing.get(topic_partition)
        if failing is None or failing.position != record.position:
            failing = self._failing[topic_partition] = _FailingRecord(record.position)
        fate = failure.classify(error)
        failing.tries += 1
        failing.attempts += fate is not failure.Fate.OUTAGE
        if isinstance(error, contracts.Undecodable):
            failing.attempts = failure.MAX_ATTEMPTS
        if failing.attempts < failure.MAX_ATTEMPTS or record.topic.endswith(brokers.DLQ_SUFFIX):
            self._hold(record, failing, fate, error)
            return _Verdict.OUTAGE if fate is failure.Fate.OUTAGE else _Verdict.HELD
        self._send_to_dlq(record, error, failing.attempts)
        self._acknowledge(record)
        in_a_row = self._dead_letters_in_a_row.get(record.topic, 0) + 1
        self._dead_letters_in_a_row[record.topic] = in_a_row
        if in_a_row >= failure.MAX_DEAD_LETTERS_IN_A_ROW:
            self._halt(record.topic)
            return _Verdict.HALTED
        return _Verdict.DONE

    def _hold(
        self, record: brokers.Record, failing: _FailingRecord, fate: failure.Fate, error: Exception
    ) -> None:
        log.warning(
            "message_held",
            topic=record.topic,
            key=record.key,
            fate=fate.value,
            attempts=failing.attempts,
            error=repr(error),
        )
        metrics.HELD.labels(record.topic, self._subscription.group, fate.value).inc()
        self._consumer.hold(record, failure.pause_seconds(failing.tries))

    def _send_to_dlq(self, record: brokers.Record, error: Exception, attempts: int) -> None:
        group, alarming = self._subscription.group, self._subscription.alarming
        dead_letter = dead_letters.dead_letter(
            record, group=group, error=error, attempts=attempts, at=datetime.now(UTC)
        )
        message = dead_letters.message(dead_letter)
        try:
            self._broker.append([message])
        except Exception as failed:
            raise DeadLetterFailed(f"{message.topic}: {failed}") from failed
        metrics.DEAD_LETTERED.labels(record.topic, group).inc()
        report = log.critical if alarming else log.error
        report(
            "dead_letter",
            alert=alarming,
            topic=record.topic,
            key=message.key,
            group=group,
            error=dead_letter.error,
            exc_info=error,
        )

    def _halt(self, topic: str) -> None:
        group = self._subscription.group
        self.halted = topic
        metrics.HALTED.labels(group).set(1)
        log.critical(
            "consumer_halted",
            alert=True,
            group=group,
            topic=topic,
            dead_letters=self._dead_letters_in_a_row[topic],
            next_step="Read the errors under Dead letters in the admin, mend their cause, restart this process, "
            "and replay the dead letters.",
        )

    def _hold_all(self, records: list[brokers.Record]) -> None:
        """Hold the records: what is not acknowledged stays in its partition."""
        for record in records:
            self._consumer.hold(record, HALTED_SECONDS)

    def _measure_lag(self) -> None:
        if time.monotonic() >= self._next_lag:
            self._next_lag = time.monotonic() + LAG_SECONDS
            group, topics = self._subscription.group, self._subscription.topics
            try:
                metrics.LAG.labels(group).set(self._broker.lag(group, topics))
            except errors.Unavailable as outage:
                log.warning("lag_unknown", group=group, error=str(outage))


def apply(subscription: Subscription, record: brokers.Record) -> None:
    """Give `record` to its handler, unless that was done before; a refusal is stored.

    Raises contracts.Undecodable and any other error of the handler: then nothing has happened.
    """
    envelope, event = subscription.decode(record)
    handler = subscription.handlers.get(type(event))
    if handler is None:
        return
    with logs.bound(correlation_id=envelope.correlationid, event=envelope.type, subject=envelope.subject):
        try:
            _handle_once(subscription.inbox, handler, envelope, event)
        except errors.DomainError as refusal:
            if failure.classify(refusal) is not failure.Fate.REFUSED:
                raise
            log.warning("event_refused", topic=record.topic, code=refusal.code, detail=refusal.detail)
            metrics.REFUSED.labels(record.topic, subscription.group).inc()
            _store_refusal(subscription.inbox, envelope, refusal)


def _handle_once(
    inbox: type[once.OnceRow] | None, handler: Handler, envelope: contracts.Envelope, event: Any
) -> None:
    if inbox is None:
        handler(envelope, event)
        return
    with transaction.atomic(using=inbox.objects.db):
        row, is_new = once.claim(inbox, once.EVENT_PREFIX + envelope.id, now=datetime.now(UTC))
        if is_new:
            handler(envelope, event)
            row.finish(once.State.DONE)


def _store_refusal(
    inbox: type[once.OnceRow] | None, envelope: contracts.Envelope, refusal: errors.DomainError
) -> None:
    """Store the refusal, which is final. What the handler wrote was rolled back."""
    if inbox is None:
        return
    with transaction.atomic(using=inbox.objects.db):
        row, is_new = once.claim(inbox, once.EVENT_PREFIX + envelope.id, now=datetime.now(UTC))
        if is_new:
            row.finish(once.State.REFUSED, {"code": refusal.code, "detail": refusal.detail})
