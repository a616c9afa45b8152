"""Broker over Apache Kafka: the one file that imports confluent_kafka.

Order per key rests on four things: an idempotent producer; one request in flight (see Note [one in flight]); an `append`
that awaits every delivery; and a producer that is discarded, with all messages that it still holds, at the first delivery
that fails or is overdue, so that no later message overtakes one that is sent again. Offsets are committed by hand, after
the acknowledgements, once a poll. A consumer whose group has gone on without it starts again from the committed offsets.

Note [one in flight]: a partition that does not know a producer (the topic is new, or the producer was silent for a day)
takes any sequence number for the first. Of several requests in flight, the first may come before the leader is ready, and
the leader then takes the second: the client counts the first as stored, and it is lost.

Note [sessions]: with the newer protocol the session timeout is a setting of the group, which each member writes when it
starts. Brokers refuse less than their `group.consumer.min.session.timeout.ms`, which is 45 s by default; then theirs holds.
"""

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any, ClassVar

import confluent_kafka
import msgspec
from confluent_kafka import admin

from auction_project.kernel import errors, logs
from auction_project.kernel.messaging import broker
from auction_project.kernel.messaging.backends import delivery

APPEND_SECONDS = 8.0
REQUEST_SECONDS = 5.0
SESSION_SECONDS = 3.0  # without a heartbeat, and a member has lost its partitions; see Note [sessions]
HEARTBEAT_SECONDS = 1.0
CLASSIC_SESSION_SECONDS = 6.0  # the least that brokers allow by default
EPOCH_SECONDS = 1.0  # for which the list of markers is cached: a refill covers what is lost meanwhile
COMMIT_SECONDS = 1.0
POLL_SECONDS = 0.05  # between two looks at the list of topics, while topics are created or deleted
BATCH_RECORDS = 64
RETENTION_DAYS = 8

_LOST = frozenset(
    {
        confluent_kafka.KafkaError.ILLEGAL_GENERATION,
        confluent_kafka.KafkaError.UNKNOWN_MEMBER_ID,
        confluent_kafka.KafkaError.FENCED_INSTANCE_ID,
        confluent_kafka.KafkaError.FENCED_MEMBER_EPOCH,
        confluent_kafka.KafkaError.STALE_MEMBER_EPOCH,
    }
)
_NO_SUCH_PROTOCOL = frozenset(
    {confluent_kafka.KafkaError.UNSUPPORTED_VERSION, confluent_kafka.KafkaError._UNSUPPORTED_FEATURE}
)
_NO_TOPIC = frozenset(
    {confluent_kafka.KafkaError.UNKNOWN_TOPIC_OR_PART, confluent_kafka.KafkaError._UNKNOWN_TOPIC}
)

_library_log = logging.getLogger("confluent_kafka")
# Gapless delivery counts as experimental. The loops log an outage themselves; the library logs it for each connection and
# each partition, many times a second.
_NOISE = ("CONFWARN ", "FAIL ", "METADATAUPDATE ")
_library_log.addFilter(lambda line: not line.getMessage().startswith(_NOISE))
log = logs.get(__name__)


class KafkaBroker:
    """See the module; `servers` as `bootstrap.servers` takes them, `options` as librdkafka does (TLS and SASL)."""

    durable: ClassVar[bool] = True

    def __init__(
        self,
        servers: str,
        *,
        namespace: str = "",
        options: Mapping[str, str] | None = None,
        retention_days: int = RETENTION_DAYS,
    ) -> None:
        self._retention_ms = retention_days * 24 * 3600 * 1000
        self._prefix = f"{namespace}." if namespace else ""
        self._common = {
            "bootstrap.servers": servers,
            "reconnect.backoff.max.ms": 1000,
            "socket.connection.setup.timeout.ms": 3000,
            **(options or {}),
        }
        self._lock = threading.Lock()
        self._producer: delivery.Producer | None = None
        self._prepared: set[str] = set()
        self._epochs: tuple[float, frozenset[str]] = (float("-inf"), frozenset())
        self._admin = admin.AdminClient(self._common, logger=_library_log)

    def prepare(self, topics: Sequence[str]) -> None:
        if missing := {self._prefix + topic for topic in topics} - self._prepared:
            missing -= self._topic_names()
            self._create(
                [
                    admin.NewTopic(
                        name,
                        broker.PARTITIONS,
                        -1,
                        config={
                            "max.message.bytes": str(broker.max_bytes(name) + 4096),
                            "retention.ms": str(self._retention_ms),
                        },
                    )
                    for name in sorted(missing)
                ]
            )
            self._prepared |= {self._prefix + topic for topic in topics}

    def missing(self, topics: Sequence[str]) -> list[str]:
        names = self._topic_names()
        return [topic for topic in topics if self._prefix + topic not in names]

    def append(self, messages: Sequence[broker.Message], *, source: str | None = None) -> None:
        broker.refuse_oversize(messages)
        if source is not None and not self._holds_epoch(source):
            raise broker.EpochMissing(source=source)
        if not messages:
            return
        self.prepare([message.topic for message in messages])
        with self._lock:
            producer = self._producer = self._producer or self._new_producer()
        try:
            producer.send(
                [(self._prefix + m.topic, m.key.encode(), m.value) for m in messages], APPEND_SECONDS
            )
        except (confluent_kafka.KafkaException, delivery.Failed, BufferError) as error:
            with self._lock:
                if self._producer is producer:
                    self._producer = None
                    self._prepared.clear()
            producer.discard()
            raise errors.Unavailable(f"Kafka did not take the messages: {error}") from error

    def begin_epoch(self, source: str) -> None:
        self._create([admin.NewTopic(self._epoch_topic(source), 1, -1)])
        self._epochs = (float("-inf"), frozenset())

    def consumer(self, group: str, topics: Sequence[str], *, member: str) -> "KafkaConsumer":
        config = self._common | {
            "group.id": self._prefix + group,
            "client.id": member,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "queued.min.messages": 1000,
            "queued.max.messages.kbytes": 8192,
            "fetch.queue.backoff.ms": 50,
        }
        return KafkaConsumer(
            config,
            list(topics),
            prefix=self._prefix,
            prepare=self._prepare_again,
            shorten_session=lambda: self._shorten_session(group),
        )

    def read(self, topic: str, *, after: str | None = None) -> Iterator[broker.Record]:
        first_partition, position = (0, "-1") if after is None else broker.split_place(after)
        config = self._common | {
            "group.id": f"read-{uuid.uuid4().hex}",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,  # the end of each partition is known, so waiting for more is useless
        }
        client = confluent_kafka.Consumer(config | {"auto.offset.reset": "earliest"}, logger=_library_log)
        try:
            for number in sorted(self._partitions_of([topic]).get(topic, ())):
                if number >= first_partition:
                    start = int(position) + 1 if number == first_partition else 0
                    yield from self._read_partition(client, topic, number, start)
        finally:
            client.close()

    def lag(self, group: str, topics: Sequence[str]) -> int:
        topic_partitions = self._topic_partitions_of(topics)
        if not topic_partitions:
            return 0
        committed = self._committed(group, topic_partitions)
        first = self._offsets(topic_partitions, admin.OffsetSpec.earliest())
        end = self._offsets(topic_partitions, admin.OffsetSpec.latest())
        total = 0
        for topic_partition in committed:
            key = _key(topic_partition)
            total += end[key] - max(topic_partition.offset, first[key])
        return total

    def ends(self, topics: Sequence[str]) -> broker.Places:
        topic_partitions = self._topic_partitions_of(topics)
        ends = self._offsets(topic_partitions, admin.OffsetSpec.latest()) if topic_partitions else {}
        return {
            (topic.removeprefix(self._prefix), number): str(end - 1)
            for (topic, number), end in ends.items()
            if end > 0
        }

    def has_handled(self, group: str, places: broker.Places) -> bool:
        topic_partitions = [
            confluent_kafka.TopicPartition(self._prefix + topic, number, int(position))
            for (topic, number), position in places.items()
        ]
        if not topic_partitions:
            return True
        committed = {_key(each): each.offset for each in self._committed(group, topic_partitions)}
        return all(committed[_key(each)] > each.offset for each in topic_partitions)

    def trim(self, topic: str, groups: Sequence[str]) -> int:
        """Drops nothing: the topics' retention does that."""
        return 0

    def ping(self) -> None:
        self._topic_names()

    def wipe(self) -> None:
        """Delete the topics and return when they are gone. The groups' offsets go with them."""
        broker.refuse_without(self._prefix)
        names = [name for name in self._topic_names() if name.startswith(self._prefix)]
        if names:
            for future in self._admin.delete_topics(names, request_timeout=REQUEST_SECONDS).values():
                _result(future)
        while self._topic_names() & set(names):
            time.sleep(POLL_SECONDS)
        self._prepared.clear()

    def close(self) -> None:
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.discard()

    def _new_producer(self) -> delivery.Producer:
        config = self._common | {
            "enable.idempotence": True,
            "enable.gapless.guarantee": True,
            "max.in.flight.requests.per.connection": 1,
            "acks": "all",
            "linger.ms": 0,
            "message.max.bytes": broker.MAX_DEAD_LETTER_BYTES + 4096,
            "message.timeout.ms": int(APPEND_SECONDS * 4000),  # never before `send` gives up
            "partitioner": "murmur2_random",
        }
        return delivery.Producer(confluent_kafka.Producer(config, logger=_library_log))

    def _shorten_session(self, group: str) -> None:
        """See Note [sessions]."""
        bounds = {"session.timeout.ms": SESSION_SECONDS, "heartbeat.interval.ms": HEARTBEAT_SECONDS}
        entries = [
            admin.ConfigEntry(
                f"consumer.{name}",
                str(int(seconds * 1000)),
                incremental_operation=admin.AlterConfigOpType.SET,
            )
            for name, seconds in bounds.items()
        ]
        of_group = admin.ConfigResource(
            admin.ResourceType.GROUP, self._prefix + group, incremental_configs=entries
        )
        try:
            for future in self._admin.incremental_alter_configs(
                [of_group], request_timeout=REQUEST_SECONDS
            ).values():
                _result(future)
        except errors.Unavailable as refusal:
            log.warning(
                "session_timeout_is_the_brokers",
                group=group,
                reason=str(refusal.__cause__),
                next_step="Allow it on the brokers: docs/operations.md, Kafka.",
            )

    def _prepare_again(self, topics: Sequence[str]) -> None:
        self._prepared.clear()
        self.prepare(topics)

    def _create(self, topics: list[admin.NewTopic]) -> None:
        """Create `topics` and return when they can be used."""
        if not topics:
            return
        for future in self._admin.create_topics(topics, request_timeout=REQUEST_SECONDS).values():
            try:
                future.result(REQUEST_SECONDS + 1)
            except confluent_kafka.KafkaException as error:
                if error.args[0].code() != confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                    raise errors.Unavailable(f"Kafka did not create a topic: {error}") from error
            except TimeoutError as error:
                raise errors.Unavailable("Kafka did not create a topic in time") from error
        names = {topic.topic for topic in topics}
        deadline = time.monotonic() + REQUEST_SECONDS
        while not self._are_led(names):
            if time.monotonic() > deadline:
                raise errors.Unavailable(f"Kafka created topics that cannot be used: {sorted(names)}")
            time.sleep(POLL_SECONDS)

    def _are_led(self, names: Set[str]) -> bool:
        """Whether the leader of each partition of these topics answers. A new topic is visible before."""
        topic_partitions = self._topic_partitions_of([name.removeprefix(self._prefix) for name in names])
        if {topic_partition.topic for topic_partition in topic_partitions} != names:
            return False
        try:
            self._offsets(topic_partitions, admin.OffsetSpec.latest())
        except errors.Unavailable:
            return False
        return True

    def _epoch_topic(self, source: str) -> str:
        return f"{self._prefix}epoch.{source}"

    def _holds_epoch(self, source: str) -> bool:
        """Whether the marker, which is a topic, exists. The list of topics is cached for EPOCH_SECONDS, for all sources."""
        cached_at, names = self._epochs
        if time.monotonic() - cached_at > EPOCH_SECONDS:
            names = frozenset(self._topic_names())
            self._epochs = (time.monotonic(), names)
        return self._epoch_topic(source) in names

    def _topic_names(self) -> set[str]:
        return set(_call(self._admin.list_topics, timeout=REQUEST_SECONDS).topics)

    def _partitions_of(self, topics: Sequence[str]) -> dict[str, list[int]]:
        existing = _call(self._admin.list_topics, timeout=REQUEST_SECONDS).topics
        return {
            topic: list(existing[self._prefix + topic].partitions)
            for topic in topics
            if self._prefix + topic in existing
        }

    def _topic_partitions_of(self, topics: Sequence[str]) -> list[Any]:
        """Each partition of the topics that exist."""
        return [
            confluent_kafka.TopicPartition(self._prefix + topic, number)
            for topic, numbers in self._partitions_of(topics).items()
            for number in numbers
        ]

    def _committed(self, group: str, topic_partitions: list[Any]) -> list[Any]:
        """The offsets that `group` has committed, read by a consumer that joins no group: the admin client crashes the
        process when a group's coordinator has moved (a null pointer in the library)."""
        config = self._common | {"group.id": self._prefix + group, "enable.auto.commit": False}
        client = confluent_kafka.Consumer(config, logger=_library_log)
        try:
            answer: list[Any] = _call(client.committed, topic_partitions, timeout=REQUEST_SECONDS)
        finally:
            client.close()
        if failed := _first_error(answer):
            raise errors.Unavailable(f"Kafka does not give the offsets of {group}: {failed}")
        return answer

    def _offsets(self, topic_partitions: list[Any], which: Any) -> dict[tuple[str, int], int]:
        futures = self._admin.list_offsets(
            dict.fromkeys(topic_partitions, which), request_timeout=REQUEST_SECONDS
        )
        return {_key(topic_partition): _result(future).offset for topic_partition, future in futures.items()}

    def _read_partition(self, client: Any, topic: str, number: int, start: int) -> Iterator[broker.Record]:
        topic_partition = confluent_kafka.TopicPartition(self._prefix + topic, number)
        first, end = _call(client.get_watermark_offsets, topic_partition, timeout=REQUEST_SECONDS)
        start = max(first, start)
        if start >= end:
            return
        client.assign([confluent_kafka.TopicPartition(self._prefix + topic, number, start)])
        while start < end:
            message = client.poll(REQUEST_SECONDS)
            if message is None or message.error():
                raise errors.Unavailable(
                    f"Kafka stopped in the middle of {topic}: {message and message.error()}"
                )
            if message.offset() < end:
                yield _record(message, self._prefix)
            start = message.offset() + 1


class _Owned(msgspec.Struct):
    """A partition that is ours: the records delivered and not acknowledged, and the offset to commit."""

    backlog: deque[broker.Record] = msgspec.field(default_factory=deque)
    commit: int | None = None
    held_until: float | None = None


class KafkaConsumer:
    """One member of a group: by the broker's own protocol (KIP-848) if the broker has it, else by the classic one."""

    def __init__(
        self,
        config: dict[str, Any],
        topics: list[str],
        *,
        prefix: str,
        prepare: Callable[[Sequence[str]], None],
        shorten_session: Callable[[], None],
    ) -> None:
        self._config = config
        self._topics = topics
        self._prefix = prefix
        self._prepare = prepare
        self._shorten_session = shorten_session
        self._protocol: dict[str, Any] = {"group.protocol": "consumer"}
        self._owned: dict[tuple[str, int], _Owned] = {}
        self._committed_at = time.monotonic()
        self._client: Any = None

    @property
    def _is_newer_protocol(self) -> bool:
        return bool(self._protocol["group.protocol"] == "consumer")

    def poll(self, timeout_seconds: float) -> list[broker.Record]:
        if self._client is None:
            self._start()
        try:
            self._commit()
        except broker.OwnershipLost:
            return []
        now = time.monotonic()
        self._resume(now)
        if backlog := self._backlog():
            self._receive([_call(self._client.poll, 0)])  # this poll also keeps the membership
            return self._backlog() or backlog
        held = [owned.held_until - now for owned in self._owned.values() if owned.held_until is not None]
        first = _call(self._client.poll, max(0.0, min([timeout_seconds, *held])))
        if first is not None:
            self._receive([first, *_call(self._client.consume, BATCH_RECORDS - 1, 0)])
        return self._backlog()

    def acknowledge(self, record: broker.Record) -> None:
        owned = self._owned.get((record.topic, record.partition))
        if owned is None:
            raise broker.OwnershipLost(f"{record.topic} {record.partition} has another owner")
        offset = int(record.position)
        while owned.backlog and int(owned.backlog[0].position) <= offset:
            owned.backlog.popleft()
            owned.commit = offset + 1
        if time.monotonic() - self._committed_at > COMMIT_SECONDS:
            self._commit()

    def hold(self, record: broker.Record, seconds: float) -> None:
        if owned := self._owned.get((record.topic, record.partition)):
            owned.held_until = time.monotonic() + seconds
            _call(self._client.pause, [self._topic_partition(record.topic, record.partition)])

    def close(self) -> None:
        if self._client is None:
            return
        try:
            self._commit()
        except (errors.Unavailable, broker.OwnershipLost) as error:
            log.info("closed_without_commit", error=str(error))
        self._end()

    def _start(self) -> None:
        self._prepare(self._topics)
        if self._is_newer_protocol:
            self._shorten_session()
        self._client = _call(confluent_kafka.Consumer, self._config | self._protocol, logger=_library_log)
        self._client.subscribe(
            [self._prefix + topic for topic in self._topics],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def _end(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()
        self._owned.clear()

    def _on_assign(self, _client: Any, topic_partitions: Sequence[Any]) -> None:
        for topic_partition in topic_partitions:
            self._owned[topic_partition.topic.removeprefix(self._prefix), topic_partition.partition] = (
                _Owned()
            )

    def _on_revoke(self, _client: Any, topic_partitions: Sequence[Any]) -> None:
        try:
            if self._client is not None:
                self._commit()
        except (errors.Unavailable, broker.OwnershipLost) as error:
            log.info("revoked_without_commit", error=str(error))
        self._on_lost(_client, topic_partitions)

    def _on_lost(self, _client: Any, topic_partitions: Sequence[Any]) -> None:
        for topic_partition in topic_partitions:
            self._owned.pop(
                (topic_partition.topic.removeprefix(self._prefix), topic_partition.partition), None
            )

    def _topic_partition(self, topic: str, partition: int, offset: int = -1001) -> Any:
        return confluent_kafka.TopicPartition(self._prefix + topic, partition, offset)

    def _commit(self) -> None:
        """Commit the offsets that are due. Raises OwnershipLost (this member then begins again), errors.Unavailable (the
        next commit then tries again)."""
        self._committed_at = time.monotonic()
        due = {key: owned.commit for key, owned in self._owned.items() if owned.commit is not None}
        if not due:
            return
        offsets = [self._topic_partition(topic, number, offset) for (topic, number), offset in due.items()]
        try:
            answer = self._client.commit(offsets=offsets, asynchronous=False)
            failed = _first_error(answer)
        except confluent_kafka.KafkaException as error:
            failed = error.args[0]
        if failed is None:
            for key, offset in due.items():
                if self._owned[key].commit == offset:
                    self._owned[key].commit = None
        elif failed.code() in _LOST:
            self._end()
            raise broker.OwnershipLost(f"the group has gone on without this member: {failed}")
        else:
            raise errors.Unavailable(f"Kafka did not take the offsets: {failed}")

    def _resume(self, now: float) -> None:
        for (topic, number), owned in self._owned.items():
            if owned.held_until is not None and owned.held_until <= now:
                owned.held_until = None
                _call(self._client.resume, [self._topic_partition(topic, number)])

    def _backlog(self) -> list[broker.Record]:
        """The records that are not acknowledged, of the partitions that are not held."""
        return [
            record for owned in self._owned.values() if owned.held_until is None for record in owned.backlog
        ]

    def _receive(self, messages: Sequence[Any]) -> None:
        """Keep the messages, then handle the first error among them. Raises errors.Unavailable."""
        failed: Any = None
        for message in messages:
            if message is None:
                continue
            if message.error() is not None:
                failed = failed or message.error()
                continue
            record = _record(message, self._prefix)
            self._owned.setdefault((record.topic, record.partition), _Owned()).backlog.append(record)
        if failed is not None:
            self._recover(failed)

    def _recover(self, failed: Any) -> None:
        if failed.code() in _NO_SUCH_PROTOCOL and self._is_newer_protocol:
            log.info("classic_group_protocol", reason=failed.str())
            self._end()
            self._protocol = {
                "group.protocol": "classic",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": int(CLASSIC_SESSION_SECONDS * 1000),
            }
            return
        if failed.fatal():
            self._end()
        if failed.code() in _NO_TOPIC:
            self._prepare(self._topics)
            return
        raise errors.Unavailable(f"Kafka: {failed.str()}")


def _record(message: Any, prefix: str) -> broker.Record:
    """A message as a record. A foreign message may lack key or value; its record is undecodable, and not fatal."""
    key = (message.key() or b"").decode(errors="backslashreplace")
    topic = message.topic().removeprefix(prefix)
    return broker.Record(topic, key, message.value() or b"", message.partition(), str(message.offset()))


def _key(topic_partition: Any) -> tuple[str, int]:
    """Its topic, with the prefix, and its number."""
    return topic_partition.topic, topic_partition.partition


def _first_error(topic_partitions: Sequence[Any]) -> Any:
    """The first error that an answer has for one of them, or None."""
    return next((each.error for each in topic_partitions if each.error), None)


def _call(operation: Callable[..., Any], *args: Any, **options: Any) -> Any:
    try:
        return operation(*args, **options)
    except confluent_kafka.KafkaException as error:
        raise errors.Unavailable(f"Kafka does not answer: {error}") from error


def _result(future: Any) -> Any:
    try:
        return future.result(REQUEST_SECONDS + 1)
    except (confluent_kafka.KafkaException, TimeoutError) as error:
        raise errors.Unavailable(f"Kafka does not answer: {error}") from error
