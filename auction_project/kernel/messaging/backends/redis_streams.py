"""Broker over Redis Streams: a topic is PARTITIONS streams by hash of the key.

Redis Streams have no partitions, and a group would give one key to two consumers at once. So each stream has one owner
per group at a time (`redis_consumer`); the group's pending list and last-delivered id say how far it has come. After a
server was wiped, `append` misses its source's epoch marker and stores nothing; consumers create the groups again.
Needs one server: the scripts touch keys that a cluster would spread.
"""

import itertools
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from auction_project.kernel import errors
from auction_project.kernel.messaging import broker, failure
from auction_project.kernel.messaging.backends import redis_consumer

SOCKET_TIMEOUT_SECONDS = 5.0
CONNECT_TIMEOUT_SECONDS = 2.0
APPEND_MESSAGES = 500  # in one script, which blocks the server while it runs
APPEND_BYTES = 4 * 1024 * 1024
READ_RECORDS = 200
TRIM_ENTRIES = 10_000

_APPEND = """
if KEYS[1] ~= '' and redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('NOEPOCH') end
for i = 2, #KEYS do redis.call('XADD', KEYS[i], '*', 'k', ARGV[2*i-3], 'v', ARGV[2*i-2]) end
return #KEYS - 1
"""


class RedisStreamsBroker:
    """See the module; `url` as redis-py takes it."""

    durable: ClassVar[bool] = True

    def __init__(self, url: str, *, namespace: str = "") -> None:
        self._url = url
        self._namespace = namespace
        self._prefix = f"{namespace}:events" if namespace else "events"
        self._redis = _connect(url)
        self._append = self._redis.register_script(_APPEND)

    def prepare(self, topics: Sequence[str]) -> None:
        """Nothing to do: the first message makes a stream."""

    def missing(self, topics: Sequence[str]) -> list[str]:
        return []

    def append(self, messages: Sequence[broker.Message], *, source: str | None = None) -> None:
        broker.refuse_oversize(messages)
        epoch = self._epoch_key(source) if source else ""
        for batch in _batches(messages) if messages else [()]:
            keys = [epoch] + [self._stream(message.topic, partition_of(message.key)) for message in batch]
            values = list(itertools.chain.from_iterable((message.key, message.value) for message in batch))
            try:
                call(self._append, keys=keys, args=values)
            except redis.ResponseError as error:
                if "NOEPOCH" in str(error):
                    raise broker.EpochMissing(source=source) from error
                raise

    def begin_epoch(self, source: str) -> None:
        call(self._redis.set, self._epoch_key(source), str(time.time()), nx=True)

    def consumer(self, group: str, topics: Sequence[str], *, member: str) -> redis_consumer.StreamsConsumer:
        streams = {
            self._stream(topic, partition): (topic, partition)
            for topic, partition in itertools.product(topics, range(broker.PARTITIONS))
        }
        return redis_consumer.StreamsConsumer(
            _connect(self._url), call, prefix=self._prefix, group=group, streams=streams, member=member
        )

    def read(self, topic: str, *, after: str | None = None) -> Iterator[broker.Record]:
        first_partition, start = 0, "-"
        if after is not None:
            first_partition, position = broker.split_place(after)
            start = f"({position}"
        for partition in range(first_partition, broker.PARTITIONS):
            stream = self._stream(topic, partition)
            while rows := call(self._redis.xrange, stream, start, "+", READ_RECORDS):
                records = [
                    redis_consumer.record(topic, partition, position, fields) for position, fields in rows
                ]
                yield from records
                start = f"({records[-1].position}"
            start = "-"

    def lag(self, group: str, topics: Sequence[str]) -> int:
        streams = [self._stream(topic, p) for topic, p in itertools.product(topics, range(broker.PARTITIONS))]
        total = 0
        for stream, groups in zip(streams, self._groups_of(streams), strict=True):
            info = groups.get(group)
            if info is None:
                total += call(self._redis.xlen, stream)
            elif info["lag"] is None:
                total += info["pending"] + self._count_after(stream, info["last-delivered-id"])
            else:
                total += info["pending"] + info["lag"]
        return total

    def ends(self, topics: Sequence[str]) -> broker.Places:
        places = list(itertools.product(topics, range(broker.PARTITIONS)))
        with self._redis.pipeline(transaction=False) as pipe:
            for topic, partition in places:
                pipe.xrevrange(self._stream(topic, partition), count=1)
            answers = call(pipe.execute)
        return {place: rows[0][0].decode() for place, rows in zip(places, answers, strict=True) if rows}

    def has_handled(self, group: str, places: broker.Places) -> bool:
        streams = [self._stream(topic, partition) for topic, partition in places]
        try:
            return all(
                group in infos
                and self._first_needed(stream, group, infos[group]) > redis_consumer.id_of(position)
                for stream, infos, position in zip(
                    streams, self._groups_of(streams), places.values(), strict=True
                )
            )
        except redis.ResponseError as error:
            if not any(word in str(error) for word in redis_consumer.GROUP_IS_GONE):
                raise
            return False  # the server was emptied

    def trim(self, topic: str, groups: Sequence[str]) -> int:
        streams = [self._stream(topic, partition) for partition in range(broker.PARTITIONS)]
        dropped = 0
        for stream, infos in zip(streams, self._groups_of(streams), strict=True):
            if not groups or any(group not in infos for group in groups):
                continue
            try:
                milliseconds, count = min(self._first_needed(stream, group, infos[group]) for group in groups)
            except redis.ResponseError as error:
                if not any(word in str(error) for word in redis_consumer.GROUP_IS_GONE):
                    raise
                continue  # the server was emptied, so nothing is left to drop
            floor = f"{milliseconds}-{count}"
            dropped += call(self._redis.xtrim, stream, minid=floor, approximate=True, limit=TRIM_ENTRIES)
        return dropped

    def ping(self) -> None:
        call(self._redis.ping)

    def wipe(self) -> None:
        broker.refuse_without(self._namespace)
        if keys := call(list, self._redis.scan_iter(match=f"{self._prefix}:*", count=1000)):
            call(self._redis.delete, *keys)

    def close(self) -> None:
        self._redis.close()

    def _stream(self, topic: str, partition: int) -> str:
        return f"{self._prefix}:{topic}:{partition}"

    def _epoch_key(self, source: str) -> str:
        return f"{self._prefix}:epoch:{source}"

    def _groups_of(self, streams: Sequence[str]) -> list[dict[str, Any]]:
        """The groups of each stream by name; none for a stream that does not exist."""
        with self._redis.pipeline(transaction=False) as pipe:
            for stream in streams:
                pipe.xinfo_groups(stream)
            answers = call(pipe.execute, raise_on_error=False)
        groups: list[dict[str, Any]] = []
        for answer in answers:
            if isinstance(answer, Exception) and "no such key" not in str(answer):
                raise errors.Unavailable(f"Redis: {answer}") from answer
            groups.append(
                {} if isinstance(answer, Exception) else {info["name"].decode(): info for info in answer}
            )
        return groups

    def _count_after(self, stream: str, position: bytes) -> int:
        """The number of entries after `position`, for a group whose lag the server does not know."""
        count, start = 0, f"({position.decode()}"
        while rows := call(self._redis.xrange, stream, start, "+", READ_RECORDS):
            count += len(rows)
            start = f"({rows[-1][0].decode()}"
        return count

    def _first_needed(self, stream: str, group: str, info: dict[str, Any]) -> tuple[int, int]:
        """The lowest id that `group` still needs: its oldest pending entry, or what follows the last delivered."""
        if info["pending"]:
            oldest = call(self._redis.xpending, stream, group)["min"]
            if oldest:
                return redis_consumer.id_of(oldest)
        milliseconds, count = redis_consumer.id_of(info["last-delivered-id"])
        return milliseconds, count + 1


def partition_of(key: str) -> int:
    """The partition of the messages of `key`."""
    return zlib.crc32(key.encode()) % broker.PARTITIONS


def call(operation: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Run one Redis operation. Raises errors.Unavailable when the server is lost, is too slow or cannot write."""
    try:
        return operation(*args, **options)
    except redis.RedisError as error:
        if failure.classify(error) is failure.Fate.OUTAGE:
            raise errors.Unavailable(f"Redis does not answer, or cannot write: {error}") from error
        raise


def _connect(url: str) -> Any:
    """A client that never repeats a command by itself: the caller resolves an unknown outcome."""
    return redis.Redis.from_url(
        url,
        protocol=2,
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def _batches(messages: Sequence[broker.Message]) -> Iterator[list[broker.Message]]:
    batch: list[broker.Message] = []
    size = 0
    for message in messages:
        if batch and (len(batch) == APPEND_MESSAGES or size + len(message.value) > APPEND_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message.value)
    if batch:
        yield batch
