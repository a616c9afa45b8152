"""The consumer loop: takes records in order, gives each to its handler once, and applies the one failure policy.

A handler gets `(envelope, event)` inside a transaction on its app's database that also holds the `once` row of the
event; the acknowledgement follows the commit. An app without PostgreSQL (bidding) has no inbox: its log recognises
repeats. A failing record holds its partition and nothing else; what a rule refused is stored as refused and done with.
A loop that has buried too many records of a topic in a row halts: it keeps its partitions, takes nothing, and waits for
an operator to mend the cause and restart the process.
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
HALTED_SECONDS = 15.0  # between two looks of a loop that has halted: they keep its membership
_ALARMING_TOPICS = frozenset({contracts.events.SaleConfirmed.TOPIC})  # nobody is charged, and nobody is told

log = logs.get(__name__)


def decode_event(record: brokers.Record) -> tuple[contracts.Envelope, Any]:
    """Raises contracts.Undecodable."""
    return contracts.decode(record.value)


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """What one group of consumers reads and who deals with it.

    `inbox` is None for an app without PostgreSQL. `reads` and `decode` are for messages that are no events.
    """

    group: str
    handlers: Mapping[type[Any], Handler]
    inbox: type[once.OnceRow] | None = None
    reads: tuple[str, ...] = ()
    decode: Decode = decode_event

    @property
    def topics(self) -> tuple[str, ...]:
        return self.reads or tuple(sorted({event_type.TOPIC for event_type in self.handlers}))


class DeadLetterFailed(RuntimeError):
    """The dead-letter topic did not take a poison message: this consumer must stop, nothing may be dropped."""


class _Verdict(enum.Enum):
    DONE = "done"
    HALTED = "halted"
    HELD = "held"
    AWAY = "away"


class _Trouble(msgspec.Struct):
    """A record that failed: how often it was tried, and how many of those count."""

    position: str
    tries: int = 0
    attempts: int = 0


class ConsumerLoop:
    """`step()` deals with what one poll brings. `halted` names the topic whose dead letters stopped it, or is empty."""

    def __init__(self, subscription: Subscription, broker: brokers.Broker, *, member: str) -> None:
        self._subscription = subscription
        self._broker = broker
        self._consumer = broker.consumer(subscription.group, subscription.topics, member=member)
        self._troubles: dict[tuple[str, int], _Trouble] = {}
        self._buried: dict[str, int] = {}  # by topic: dead letters since the last record that was dealt with
        self._next_lag = 0.0
        self.halted = ""
        metrics.HALTED.labels(subscription.group).set(0)
        self.name = f"consume:{subscription.group}"

    def step(self) -> bool:
        """Always True: it waits by itself. Raises errors.Unavailable when the broker is away, DeadLetterFailed."""
        records = self._consumer.poll(POLL_SECONDS)
        self._measure_lag()
        if self.halted:
            self._leave(records)
            return True
        close_old_connections()
        waiting: set[tuple[str, int]] = set()
        for record in records:
            place = (record.topic, record.partition)
            if place in waiting:
                continue
            try:
                verdict = self._settle(record)
            except brokers.OwnershipLost:
                log.info("partition_lost", topic=record.topic, partition=record.partition)
                verdict = _Verdict.HELD
            if verdict is _Verdict.HALTED:
                self._leave(records)
                break
            if verdict is _Verdict.AWAY:
                break  # every try of an outage may take its time-out: back to the poll, which keeps the membership
            if verdict is _Verdict.HELD:
                waiting.add(place)
        return True

    def close(self) -> None:
        self._consumer.close()

    def _settle(self, record: brokers.Record) -> _Verdict:
        try:
            apply(self._subscription, record)
        except Exception as error:
            return self._fail(record, error)
        failpoints.reach(f"{self.name}.before_acknowledge")
        self._buried.pop(record.topic, None)
        self._done_with(record)
        return _Verdict.DONE

    def _done_with(self, record: brokers.Record) -> None:
        self._consumer.acknowledge(record)
        self._troubles.pop((record.topic, record.partition), None)
        metrics.CONSUMED.labels(record.topic, self._subscription.group).inc()

    def _fail(self, record: brokers.Record, error: Exception) -> _Verdict:
        """Hold the partition, or bury the record and go on."""
        place = (record.topic, record.partition)
        trouble = self._troubles.get(place)
        if trouble is None or trouble.position != record.position:
            trouble = self._troubles[place] = _Trouble(record.position)
        fate = failure.classify(error)
        trouble.tries += 1
        trouble.attempts += fate is not failure.Fate.OUTAGE
        if isinstance(error, contracts.Undecodable):
            trouble.attempts = failure.MAX_ATTEMPTS
        if trouble.attempts < failure.MAX_ATTEMPTS or record.topic.endswith(brokers.DLQ_SUFFIX):
            self._hold(record, trouble, fate, error)
            return _Verdict.AWAY if fate is failure.Fate.OUTAGE else _Verdict.HELD
        self._bury(record, error, trouble.attempts)
        self._done_with(record)
        self._buried[record.topic] = self._buried.get(record.topic, 0) + 1
        if self._buried[record.topic] >= failure.MAX_DEAD_LETTERS_IN_A_ROW:
            self._halt(record.topic)
            return _Verdict.HALTED
        return _Verdict.DONE

    def _hold(self, record: brokers.Record, trouble: _Trouble, fate: failure.Fate, error: Exception) -> None:
        log.warning(
            "message_held",
            topic=record.topic,
            key=record.key,
            fate=fate.value,
            attempts=trouble.attempts,
            error=repr(error),
        )
        metrics.HELD.labels(record.topic, self._subscription.group, fate.value).inc()
        self._consumer.hold(record, failure.pause_seconds(trouble.tries))

    def _bury(self, record: brokers.Record, error: Exception, attempts: int) -> None:
        group = self._subscription.group
        letter = dead_letters.letter(
            record, group=group, error=error, attempts=attempts, at=datetime.now(UTC)
        )
        message = dead_letters.message(letter)
        try:
            self._broker.append([message])
        except Exception as failed:
            raise DeadLetterFailed(f"{message.topic}: {failed}") from failed
        metrics.DEAD_LETTERED.labels(record.topic, group).inc()
        is_alarming = record.topic in _ALARMING_TOPICS
        tell = log.critical if is_alarming else log.error
        tell(
            "dead_letter",
            alert=is_alarming,
            topic=record.topic,
            key=message.key,
            group=group,
            error=letter.error,
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
            dead_letters=self._buried[topic],
            next_step="Read the errors under Dead letters in the admin, mend their cause, restart this process, "
            "and replay the letters.",
        )

    def _leave(self, records: list[brokers.Record]) -> None:
        """What is not acknowledged stays in its partition."""
        for record in records:
            self._consumer.hold(record, HALTED_SECONDS)

    def _measure_lag(self) -> None:
        if time.monotonic() >= self._next_lag:
            self._next_lag = time.monotonic() + LAG_SECONDS
            group, topics = self._subscription.group, self._subscription.topics
            try:
                metrics.LAG.labels(group).set(self._broker.lag(group, topics))
            except errors.Unavailable as away:
                log.warning("lag_unknown", group=group, error=str(away))


def apply(subscription: Subscription, record: brokers.Record) -> None:
    """Give `record` to its handler, unless that was done before; what a rule refuses is stored as refused.

    Raises contracts.Undecodable, and whatever else the handler raises: then nothing has happened.
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
    """A rule's answer is final: what the handler wrote was rolled back, the answer stands in its stead."""
    if inbox is None:
        return
    with transaction.atomic(using=inbox.objects.db):
        row, is_new = once.claim(inbox, once.EVENT_PREFIX + envelope.id, now=datetime.now(UTC))
        if is_new:
            row.finish(once.State.REFUSED, {"code": refusal.code, "detail": refusal.detail})
