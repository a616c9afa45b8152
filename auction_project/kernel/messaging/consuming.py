"""The consumer loop: takes records in order, gives each to its handler once, and applies the one failure policy.

The records of a poll are handled as a group: one transaction on the app's database holds the `once` rows of all new
events and what their handlers do, and the acknowledgements follow its commit. When a group fails, its records are handled
one by one. A handler gets a run: consecutive new events that are all its own, in order. A subscription without an inbox
recognises repeats by itself.

A failing record holds its partition and no other. A refusal is stored, and is final. A loop that has sent too many records of a
topic in a row to the dead-letter topic halts: it keeps its partitions, takes nothing, and waits until an operator has
mended the cause and restarts the process.
"""

import collections
import contextlib
import enum
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db import close_old_connections, transaction

from auction_project.kernel import contracts, errors, failpoints, logs, tracing
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import dead_letters, failure, groups, metrics, once, outbox


class Received(msgspec.Struct, frozen=True):
    """An event that came in. `span_id`: of its handling, or empty where its trace is not kept."""

    envelope: contracts.Envelope
    event: Any
    span_id: str = ""

    def bound(self) -> contextlib.AbstractContextManager[None]:
        """Events and log lines inside carry the correlation id of the event, which caused them."""
        return logs.bound(
            correlation_id=self.envelope.correlationid,
            span_id=self.span_id,
            event=self.envelope.type,
            subject=self.envelope.subject,
        )


Handler = Callable[[Sequence[Received]], None]
_TopicPartition = tuple[str, int]
Decode = Callable[[brokers.Record], tuple[contracts.Envelope, Any]]
POLL_SECONDS = 1.0
LAG_SECONDS = 10.0
OUTAGE_PAUSE_SECONDS = 1.0  # at most, between two tries while a store or the broker is unavailable
HALTED_SECONDS = 15.0  # between two polls of a loop that has halted: they keep its membership

log = logs.get(__name__)


def each(handle: Callable[[contracts.Envelope, Any], None]) -> Handler:
    """A handler that gives the events of a run to `handle` one after the other."""

    def handle_run(run: Sequence[Received]) -> None:
        for received in run:
            with received.bound():
                handle(received.envelope, received.event)

    return handle_run


def decode_event(record: brokers.Record) -> tuple[contracts.Envelope, Any]:
    """Raises contracts.Undecodable."""
    return contracts.decode(record.value)


def _any(_event: Any) -> bool:
    return True


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """What one group of consumers reads, and which handler takes it.

    `inbox` is the app's table of `once`, or None for an app whose own log recognises repeats. `concerns`: whether the group has
    to do with an event of its types; of any other it keeps nothing. `alarming`: a dead letter
    of this group needs an operator at once. `reads` (topics) and `decode` are for messages that are no events.
    """

    group: str
    handlers: Mapping[type[Any], Handler]
    inbox: type[once.OnceRow] | None = None
    concerns: Callable[[Any], bool] = _any
    alarming: bool = False
    reads: tuple[str, ...] = ()
    decode: Decode = decode_event

    @property
    def topics(self) -> tuple[str, ...]:
        return self.reads or tuple(sorted({event_type.TOPIC for event_type in self.handlers}))


class DeadLetterFailed(RuntimeError):
    """The dead-letter topic did not take a poison message. This consumer must stop, because no message may be dropped."""


class _Verdict(enum.Enum):
    """Whether the step goes on after these records."""

    DONE = "done"
    HALTED = "halted"
    OUTAGE = "outage"


class _FailingRecord(msgspec.Struct):
    """The record at `position` fails: how often it was tried, and how many of these tries count."""

    position: str
    tries: int = 0
    attempts: int = 0


class ConsumerLoop:
    """`step()` handles the records of one poll. `halted` names the topic whose dead letters halted it, or is empty."""

    longest_pause_seconds = OUTAGE_PAUSE_SECONDS

    def __init__(self, subscription: Subscription, broker: brokers.Broker, *, member: str) -> None:
        self._subscription = subscription
        self._broker = broker
        self._consumer = broker.consumer(subscription.group, subscription.topics, member=member)
        self._failing: dict[_TopicPartition, _FailingRecord] = {}
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
        held: set[_TopicPartition] = set()  # those of which this step takes no more
        for group in groups.split(records):
            verdict = self._settle(group, held)
            if verdict is _Verdict.HALTED:
                self._hold_all(records)
            if verdict is not _Verdict.DONE:
                break  # each try of an outage may take its whole time-out, and only the poll keeps the membership
        return True

    def close(self) -> None:
        self._consumer.close()

    def _settle(self, group: Sequence[brokers.Record], held: set[_TopicPartition]) -> _Verdict:
        """Handle the records together, and one by one if that fails. Those of a partition whose first record failed
        before are handled one by one at once."""
        due = [record for record in group if _topic_partition(record) not in held]
        together = [record for record in due if _topic_partition(record) not in self._failing]
        if len(together) > 1:
            try:
                self._apply(together)
            except Exception as error:
                if failure.classify(error) is failure.Fate.OUTAGE:
                    return self._fail(together[0], error, held)
                log.info("group_split", members=len(together), error=repr(error))
            else:
                self._conclude(together, held)
                due = [record for record in due if _topic_partition(record) in self._failing]
        for record in due:
            verdict = self._settle_one(record, held)
            if verdict is not _Verdict.DONE:
                return verdict
        return _Verdict.DONE

    def _settle_one(self, record: brokers.Record, held: set[_TopicPartition]) -> _Verdict:
        if _topic_partition(record) in held:
            return _Verdict.DONE
        try:
            self._apply([record])
        except Exception as error:
            return self._fail(record, error, held)
        self._conclude([record], held)
        return _Verdict.DONE

    def _apply(self, records: Sequence[brokers.Record]) -> None:
        with metrics.HANDLING.labels(self._subscription.group).time():
            apply(self._subscription, records)

    def _conclude(self, records: Sequence[brokers.Record], held: set[_TopicPartition]) -> None:
        failpoints.reach(f"{self.name}.before_acknowledge")
        for record in records:
            self._dead_letters_in_a_row.pop(record.topic, None)
        self._acknowledge(records, held)

    def _acknowledge(self, records: Sequence[brokers.Record], held: set[_TopicPartition]) -> None:
        """Acknowledge the records, once a partition. One that has another owner now is left to it."""
        counts = collections.Counter(map(_topic_partition, records))
        for last in {_topic_partition(record): record for record in records}.values():
            topic_partition = _topic_partition(last)
            try:
                self._consumer.acknowledge(last)
            except brokers.OwnershipLost:
                log.info("partition_lost", topic=last.topic, partition=last.partition)
                held.add(topic_partition)
                continue
            self._failing.pop(topic_partition, None)
            metrics.CONSUMED.labels(last.topic, self._subscription.group).inc(counts[topic_partition])

    def _fail(self, record: brokers.Record, error: Exception, held: set[_TopicPartition]) -> _Verdict:
        """Hold the partition, or send the record to the dead-letter topic and go on."""
        topic_partition = _topic_partition(record)
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
            held.add(topic_partition)
            return _Verdict.OUTAGE if fate is failure.Fate.OUTAGE else _Verdict.DONE
        self._send_to_dlq(record, error, failing.attempts)
        self._acknowledge([record], held)
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
        pause = failure.pause_seconds(failing.tries)
        self._consumer.hold(
            record, min(pause, OUTAGE_PAUSE_SECONDS) if fate is failure.Fate.OUTAGE else pause
        )

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


def apply(subscription: Subscription, records: Sequence[brokers.Record]) -> None:
    """Give `records` to their handlers in one transaction, except those that were handled before; the refusal of a record
    alone is stored.

    Raises contracts.Undecodable and any other error of a handler, and the refusal of one of several: then nothing has
    happened.
    """
    decoded = [subscription.decode(record) for record in records]
    received = [
        Received(envelope, event, span_of(subscription.group, envelope)) for envelope, event in decoded
    ]
    due = [
        one
        for one in received
        if type(one.event) in subscription.handlers and subscription.concerns(one.event)
    ]
    if not due:
        return
    try:
        _handle_once(subscription, due)
    except errors.DomainError as refusal:
        if len(records) > 1 or failure.classify(refusal) is not failure.Fate.REFUSED:
            raise
        _store_refusal(subscription.inbox, due[0], refusal)
        _trace(subscription.group, due[:1], time.time(), error=refusal.code)
        metrics.REFUSED.labels(records[0].topic, subscription.group).inc()


def span_of(group: str, envelope: contracts.Envelope) -> str:
    """The id of the span about the handling of this event by `group`; empty where its trace is not kept."""
    return tracing.span_id("handle", group, envelope.id) if tracing.kept(envelope.traceparent) else ""


def _handle_once(subscription: Subscription, due: Sequence[Received]) -> None:
    began = time.time()
    if subscription.inbox is None:
        _hand_over(subscription.handlers, due)
        _trace(subscription.group, due, began)
        return
    using = subscription.inbox.objects.db
    with transaction.atomic(using=using), outbox.gathered(using):
        by_key = {_key(one): one for one in reversed(due)}  # the first of each event
        new = once.record(subscription.inbox, list(by_key), once.State.DONE, now=datetime.now(UTC))
        handled = [one for one in due if _key(one) in new and by_key[_key(one)] is one]
        _hand_over(subscription.handlers, handled)
    _trace(subscription.group, handled, began)


def _trace(group: str, handled: Sequence[Received], began: float, *, error: str = "") -> None:
    """Record that these events were handled together since `began` (seconds since 1970 UTC)."""
    if not tracing.is_on:
        return
    ended = time.time()
    for one in handled:
        if one.span_id and (event := tracing.kept(one.envelope.traceparent)) is not None:
            tracing.record(
                f"handle {one.envelope.type} ({group})",
                tracing.Context(event.trace_id, one.span_id),
                parent=event.span_id,
                start=began,
                end=ended,
                kind="consumer",
                error=error,
                attributes={"messaging.batch.message_count": len(handled)},
            )


def _hand_over(handlers: Mapping[type[Any], Handler], due: Sequence[Received]) -> None:
    """Give each handler its runs."""
    for handler, run in itertools.groupby(due, key=lambda one: handlers[type(one.event)]):
        handler(list(run))


def _store_refusal(inbox: type[once.OnceRow] | None, refused: Received, refusal: errors.DomainError) -> None:
    """Store the refusal, which is final. What the handler wrote was rolled back."""
    answer = {"code": refusal.code, "detail": refusal.detail}
    with refused.bound():
        log.warning("event_refused", **answer)
    if inbox is not None:
        with transaction.atomic(using=inbox.objects.db):
            once.record(inbox, [_key(refused)], once.State.REFUSED, answer, now=datetime.now(UTC))


def _key(received: Received) -> str:
    return once.EVENT_PREFIX + received.envelope.id


def _topic_partition(record: brokers.Record) -> _TopicPartition:
    return record.topic, record.partition
