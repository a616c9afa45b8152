"""Broker over Redis Streams: a topic is PARTITIONS streams by hash of the key.

Redis Streams have no partitions and one group would hand one key to two consumers at once. So each stream has one
owner per group at a time: a lease that its owner renews. The members of a group see one another in a sorted set and
share the streams evenly; a new owner first takes over what is pending, then reads on. An owner that slept through its
lease notices at its next acknowledgement (OwnershipLost); what it did meanwhile is stopped by `once`.

A wiped server: `append` finds its source's epoch marker missing and stores nothing.
"""

import itertools
import time
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from auction_project import errors
from auction_project.messaging.broker import EpochMissing, Message, Oversize, OwnershipLost, Record

PARTITIONS = 8
LEASE_SECONDS = 10.0
REBALANCE_SECONDS = 2.0
BATCH_RECORDS = 64
SOCKET_TIMEOUT_SECONDS = 5.0
_TRIM_BATCH = 10_000

_APPEND = """
if KEYS[1] ~= '' and redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('NOEPOCH') end
for i = 2, #KEYS do redis.call('XADD', KEYS[i], '*', 'k', ARGV[2*i-3], 'v', ARGV[2*i-2]) end
return #KEYS - 1
"""
_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_ACKNOWLEDGE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
for i = 3, #ARGV do redis.call('XACK', KEYS[2], ARGV[2], ARGV[i]) end
return 1
"""
_T = TypeVar("_T")
_LOST = (redis.ConnectionError, redis.TimeoutError, redis.exceptions.BusyLoadingError)


def partition_of(key: str) -> int:
    return zlib.crc32(key.encode()) % PARTITIONS


def stream_name(topic: str, partition: int) -> str:
    return f"events:{topic}:{partition}"


def _connect(url: str) -> Any:
    return redis.Redis.from_url(
        url, socket_timeout=SOCKET_TIMEOUT_SECONDS, socket_connect_timeout=2.0, retry=Retry(NoBackoff(), 0)
    )


class RedisStreamsBroker:
    """See the module; `url` as redis-py takes it."""

    durable: ClassVar[bool] = True

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis = _connect(url)
        self._append = self._redis.register_script(_APPEND)

    def append(self, messages: Sequence[Message], *, source: str | None = None) -> None:
        if not messages:
            return
        oversize = next((message for message in messages if len(message.value) > _max_bytes()), None)
        if oversize is not None:
            raise Oversize(f"{len(oversize.value)} bytes for {oversize.topic}", limit=_max_bytes())
        keys = [_epoch_key(source) if source else ""]
        keys += [stream_name(message.topic, partition_of(message.key)) for message in messages]
        values = list(itertools.chain.from_iterable((message.key, message.value) for message in messages))
        try:
            _call(lambda: self._append(keys=keys, args=values))
        except redis.ResponseError as error:
            if "NOEPOCH" in str(error):
                raise EpochMissing(source=source) from error
            raise

    def begin_epoch(self, source: str) -> None:
        _call(lambda: self._redis.set(_epoch_key(source), str(time.time()), nx=True))

    def consumer(self, group: str, topics: Sequence[str], *, member: str) -> "StreamsConsumer":
        return StreamsConsumer(_connect(self._url), group, topics, member)

    def read(self, topic: str, *, after: str | None = None) -> Iterator[Record]:
        first_partition, last = 0, "-"
        if after is not None:
            partition_text, _, position = after.partition("@")
            first_partition, last = int(partition_text), f"({position}"
        for partition in range(first_partition, PARTITIONS):
            while True:
                start = last
                rows = _call(lambda p=partition, s=start: self._redis.xrange(stream_name(topic, p), s, "+", BATCH_RECORDS))
                yield from (_record(topic, partition, row) for row in rows)
                if len(rows) < BATCH_RECORDS:
                    break
                last = f"({rows[-1][0].decode()}"
            last = "-"

    def lag(self, group: str, topics: Sequence[str]) -> int:
        total = 0
        for topic, partition in itertools.product(topics, range(PARTITIONS)):
            stream = stream_name(topic, partition)
            info = self._group_info(stream).get(group)
            if info is None:
                total += _call(lambda s=stream: self._redis.xlen(s))
            else:
                total += info["pending"] + (info["lag"] or 0)
        return total

    def trim(self, topic: str, groups: Sequence[str]) -> int:
        dropped = 0
        for partition in range(PARTITIONS):
            stream = stream_name(topic, partition)
            infos = self._group_info(stream)
            if any(group not in infos for group in groups):
                continue
            floors = [self._first_unacknowledged(stream, group, infos[group]) for group in groups]
            if floors:
                dropped += _call(
                    lambda s=stream, f=min(floors): self._redis.xtrim(
                        s, minid=f"{f[0]}-{f[1]}", approximate=True, limit=_TRIM_BATCH
                    )
                )
        return dropped

    def ping(self) -> None:
        _call(self._redis.ping)

    def close(self) -> None:
        self._redis.close()

    def _group_info(self, stream: str) -> dict[str, Any]:
        try:
            return {info["name"].decode(): info for info in _call(lambda: self._redis.xinfo_groups(stream))}
        except redis.ResponseError:
            return {}

    def _first_unacknowledged(self, stream: str, group: str, info: Any) -> tuple[int, int]:
        """The lowest id that `group` still needs: its oldest pending entry, or what follows the last delivered."""
        if info["pending"]:
            pending = _call(lambda: self._redis.xpending(stream, group))
            if pending["min"]:
                return _id_of(pending["min"])
        milliseconds, count = _id_of(info["last-delivered-id"])
        return milliseconds, count + 1


class StreamsConsumer:
    """One member of a group: leases streams, keeps what was delivered and not acknowledged in memory."""

    def __init__(self, client: Any, group: str, topics: Sequence[str], member: str) -> None:
        self._redis = client
        self._group = group
        self._streams = {
            stream_name(topic, partition): (topic, partition) for topic in topics for partition in range(PARTITIONS)
        }
        self._member = member
        self._owned: dict[str, deque[Record]] = {}
        self._held_until: dict[str, float] = {}
        self._next_rebalance = 0.0
        self._renew = client.register_script(_RENEW)
        self._release = client.register_script(_RELEASE)
        self._ack = client.register_script(_ACKNOWLEDGE)

    def poll(self, timeout_seconds: float) -> list[Record]:
        now = time.monotonic()
        if now >= self._next_rebalance:
            self._rebalance()
            self._next_rebalance = time.monotonic() + REBALANCE_SECONDS
        self._held_until = {stream: until for stream, until in self._held_until.items() if until > now}
        ready = [stream for stream in self._owned if stream not in self._held_until]
        again = [record for stream in ready for record in self._owned[stream]]
        if again:
            return again
        wait = min(timeout_seconds, max(0.0, self._next_rebalance - now))
        if self._held_until:
            wait = min(wait, max(0.0, min(self._held_until.values()) - now))
        if not ready:
            time.sleep(wait)
            return []
        return self._read_new(ready, wait)

    def acknowledge(self, record: Record) -> None:
        stream = stream_name(record.topic, record.partition)
        backlog = self._owned.get(stream)
        if backlog is None:
            raise OwnershipLost(partition=stream)
        done = list(itertools.takewhile(lambda r: _id_of(r.position) <= _id_of(record.position), backlog))
        if not done:
            return
        kept = _call(
            lambda: self._ack(
                keys=[self._lease(stream), stream], args=[self._member, self._group, *(r.position for r in done)]
            )
        )
        if kept != 1:
            self._forget(stream)
            raise OwnershipLost(partition=stream)
        for _ in done:
            backlog.popleft()

    def hold(self, record: Record, seconds: float) -> None:
        self._held_until[stream_name(record.topic, record.partition)] = time.monotonic() + seconds

    def close(self) -> None:
        try:
            for stream in list(self._owned):
                self._give_back(stream)
            _call(lambda: self._redis.zrem(self._members, self._member))
        except errors.Unavailable:
            pass  # the leases end by themselves
        self._redis.close()

    @property
    def _members(self) -> str:
        return f"events:members:{self._group}"

    def _lease(self, stream: str) -> str:
        return f"events:lease:{self._group}:{stream}"

    def _rebalance(self) -> None:
        """Renew what is ours by share, give back the rest, take what is free."""
        now_ms = int(time.time() * 1000)
        with self._redis.pipeline() as pipe:
            pipe.zadd(self._members, {self._member: now_ms + int(LEASE_SECONDS * 1000)})
            pipe.zremrangebyscore(self._members, "-inf", now_ms)
            pipe.zrange(self._members, 0, -1)
            members = sorted(name.decode() for name in _call(pipe.execute)[2])
        mine = members.index(self._member)
        share = {stream for i, stream in enumerate(sorted(self._streams)) if i % len(members) == mine}
        for stream in list(self._owned):
            if stream not in share:
                self._give_back(stream)
            elif not _call(
                lambda s=stream: self._renew(keys=[self._lease(s)], args=[self._member, int(LEASE_SECONDS * 1000)])
            ):
                self._forget(stream)
        for stream in sorted(share - self._owned.keys()):
            if _call(
                lambda s=stream: self._redis.set(self._lease(s), self._member, nx=True, px=int(LEASE_SECONDS * 1000))
            ):
                self._owned[stream] = self._take_over(stream)

    def _give_back(self, stream: str) -> None:
        self._forget(stream)
        _call(lambda: self._release(keys=[self._lease(stream)], args=[self._member]))

    def _forget(self, stream: str) -> None:
        self._owned.pop(stream, None)
        self._held_until.pop(stream, None)

    def _take_over(self, stream: str) -> deque[Record]:
        """Everything pending in the group, whoever had it: all of it comes before anything new."""
        try:
            _call(lambda: self._redis.xgroup_create(stream, self._group, id="0", mkstream=True))
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        topic, partition = self._streams[stream]
        backlog: deque[Record] = deque()
        cursor = b"0-0"
        while True:
            cursor, rows, *_ = _call(
                lambda c=cursor: self._redis.xautoclaim(
                    stream, self._group, self._member, 0, start_id=c, count=BATCH_RECORDS
                )
            )
            backlog.extend(_record(topic, partition, row) for row in rows if row[1])
            if cursor == b"0-0":
                return backlog

    def _read_new(self, streams: list[str], wait_seconds: float) -> list[Record]:
        try:
            answer = _call(
                lambda: self._redis.xreadgroup(
                    self._group,
                    self._member,
                    dict.fromkeys(streams, ">"),
                    count=BATCH_RECORDS,
                    block=max(1, int(wait_seconds * 1000)),
                )
            )
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            self._owned.clear()  # the server was emptied: leases and groups are gone
            self._held_until.clear()
            self._next_rebalance = 0.0
            return []
        records = []
        for stream_bytes, rows in answer or []:
            stream = stream_bytes.decode()
            topic, partition = self._streams[stream]
            fresh = [_record(topic, partition, row) for row in rows]
            self._owned[stream].extend(fresh)
            records += fresh
        return records


def _max_bytes() -> int:
    from auction_project.messaging import broker

    return broker.MAX_MESSAGE_BYTES


def _epoch_key(source: str) -> str:
    return f"events:epoch:{source}"


def _record(topic: str, partition: int, row: Any) -> Record:
    position, fields = row
    return Record(topic, fields[b"k"].decode(), fields[b"v"], partition, position.decode())


def _id_of(position: bytes | str) -> tuple[int, int]:
    text = position.decode() if isinstance(position, bytes) else position
    milliseconds, _, count = text.partition("-")
    return int(milliseconds), int(count or 0)


def _call(operation: Any) -> Any:
    """Run one Redis operation; a lost or overdue server is errors.Unavailable."""
    try:
        return operation()
    except _LOST as error:
        raise errors.Unavailable(f"Redis does not answer: {error}") from error
