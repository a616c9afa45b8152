"""One member of a group over Redis Streams: it leases streams, and reads and acknowledges only those that it owns.

The members of a group see one another in a sorted set and share the streams evenly. A lease is a key that its owner
renews. Every read and every acknowledgement checks the lease in the same script, so that a member whose lease has expired
takes nothing from the new owner (`once` stops the records that it still handles). A new owner takes over the pending
records, then reads on. After a lost answer or a wiped server, a member forgets all its streams and takes them over again.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import redis

from auction_project.kernel import errors
from auction_project.kernel.messaging import broker

LEASE_SECONDS = 4.0
REBALANCE_SECONDS = 1.0
HANDOVER_SECONDS = 0.1  # between two tries to lease a stream of our share that another member still owns
BATCH_RECORDS = 16  # of each stream at a time

# The members now: this one joins or stays; a member that did not renew within its lease is removed.
_JOIN = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
# The leases that this member holds afterwards. It must already own the first ARGV[3]: a lease that has expired may have
# had another owner meanwhile, so its stream must be taken over again.
_LEASE = """
local mine = {}
for i, key in ipairs(KEYS) do
  local owner = redis.call('GET', key)
  if owner == ARGV[1] or (not owner and i > tonumber(ARGV[3])) then
    redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
    mine[i] = 1
  else
    mine[i] = 0
  end
end
return mine
"""
_RELEASE = """
for _, key in ipairs(KEYS) do if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end end
return 1
"""
_READ = """
local rows = {}
for i = 1, #KEYS, 2 do
  if redis.call('GET', KEYS[i]) == ARGV[1] then
    local got = redis.call('XREADGROUP', 'GROUP', ARGV[2], ARGV[1], 'COUNT', ARGV[3], 'STREAMS', KEYS[i + 1], '>')
    rows[#rows + 1] = got and got[1][2] or {}
  else
    rows[#rows + 1] = 0
  end
end
return rows
"""
_ACKNOWLEDGE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 3, #ARGV do redis.call('XACK', KEYS[2], ARGV[2], ARGV[i]) end
return 1
"""
GROUP_IS_GONE = (
    "NOGROUP",
    "UNBLOCKED",
    "no such key",
)  # the errors of the commands after the server was emptied


class _Owned(msgspec.Struct):
    """A stream that is ours: the records delivered and not acknowledged, and the id of the last one delivered."""

    backlog: deque[broker.Record]
    last: str
    held_until: float = 0.0


class StreamsConsumer:
    """See the module. `call` runs an operation of `client` and translates its outages."""

    def __init__(
        self,
        client: Any,
        call: Callable[..., Any],
        *,
        prefix: str,
        group: str,
        streams: Mapping[str, tuple[str, int]],
        member: str,
    ) -> None:
        self._redis = client
        self._call = call
        self._prefix = prefix
        self._group = group
        self._streams = streams
        self._member = member
        self._owned: dict[str, _Owned] = {}
        self._next_rebalance = 0.0
        self._next_renewal = 0.0
        self._join = client.register_script(_JOIN)
        self._lease = client.register_script(_LEASE)
        self._release = client.register_script(_RELEASE)
        self._read_owned = client.register_script(_READ)
        self._acknowledge = client.register_script(_ACKNOWLEDGE)

    def poll(self, timeout_seconds: float) -> list[broker.Record]:
        try:
            return self._poll(timeout_seconds)
        except errors.Unavailable:
            self._forget_all()  # the lost answer may have held records: taking over finds them
            raise
        except redis.ResponseError as error:
            if not any(word in str(error) for word in GROUP_IS_GONE):
                raise
            self._forget_all()  # the server was emptied
            return []

    def acknowledge(self, record: broker.Record) -> None:
        try:
            if time.monotonic() >= self._next_renewal:
                self._renew()
            self._acknowledge_owned(record)
        except errors.Unavailable:
            self._forget_all()
            raise

    def hold(self, record: broker.Record, seconds: float) -> None:
        if owned := self._owned.get(self._stream_of(record)):
            owned.held_until = time.monotonic() + seconds

    def close(self) -> None:
        try:
            self._give_back(list(self._owned))
            self._call(self._redis.zrem, self._members_key, self._member)
        except errors.Unavailable:
            pass  # leases and membership expire
        self._redis.close()

    def _poll(self, timeout_seconds: float) -> list[broker.Record]:
        now = time.monotonic()
        if now >= self._next_rebalance:
            self._rebalance()
        ready = {stream: owned for stream, owned in self._owned.items() if owned.held_until <= now}
        if backlog := [record for owned in ready.values() for record in owned.backlog]:
            return backlog
        held = [owned.held_until for owned in self._owned.values() if owned.held_until > now]
        until = min([now + timeout_seconds, self._next_rebalance, *held])
        wait_seconds = max(0.0, until - time.monotonic())
        if not ready:
            time.sleep(wait_seconds)
            return []
        streams = self._wait_for_records(ready, wait_seconds)
        return self._read(streams) if streams else []

    def _wait_for_records(self, ready: Mapping[str, _Owned], wait_seconds: float) -> list[str]:
        """The streams that have records after the last one delivered. Changes nothing on the server."""
        positions = {stream: owned.last for stream, owned in ready.items()}
        block_ms = max(1, int(wait_seconds * 1000))
        answer = self._call(self._redis.xread, positions, count=1, block=block_ms)
        return [stream.decode() for stream, _ in answer or []]

    def _read(self, streams: list[str]) -> list[broker.Record]:
        keys = [key for stream in streams for key in (self._lease_key(stream), stream)]
        answers = self._call(self._read_owned, keys=keys, args=[self._member, self._group, BATCH_RECORDS])
        records: list[broker.Record] = []
        for stream, rows in zip(streams, answers, strict=True):
            if rows == 0:
                self._forget([stream])
                self._next_rebalance = 0.0
            elif rows:
                fresh = [record(*self._streams[stream], row[0], _pairs(row[1])) for row in rows]
                self._owned[stream].backlog.extend(fresh)
                self._owned[stream].last = fresh[-1].position
                records += fresh
        return records

    def _acknowledge_owned(self, record: broker.Record) -> None:
        stream = self._stream_of(record)
        owned = self._owned.get(stream)
        if owned is None:
            raise broker.OwnershipLost(f"{stream} has another owner")
        done = [r.position for r in owned.backlog if id_of(r.position) <= id_of(record.position)]
        if not done:
            return
        keys, args = [self._lease_key(stream), stream], [self._member, self._group, *done]
        if not self._call(self._acknowledge, keys=keys, args=args):
            self._forget([stream])
            raise broker.OwnershipLost(f"{stream} has another owner")
        for _ in done:
            owned.backlog.popleft()

    def _rebalance(self) -> None:
        """Give back the streams outside our share, renew our leases, and take over the streams that are free."""
        answer = self._call(self._join, keys=[self._members_key], args=[self._member, _LEASE_MS])
        members = sorted(name.decode() for name in answer)
        mine = members.index(self._member)
        share = [stream for i, stream in enumerate(sorted(self._streams)) if i % len(members) == mine]
        self._give_back([stream for stream in self._owned if stream not in share])
        self._renew()
        missing = [stream for stream in share if stream not in self._owned]
        taken = self._lease_now(missing, owned=0)
        for stream in taken:
            self._owned[stream] = self._take_over(stream)
        complete = len(taken) == len(missing)
        self._next_rebalance = time.monotonic() + (REBALANCE_SECONDS if complete else HANDOVER_SECONDS)

    def _renew(self) -> None:
        streams = list(self._owned)
        kept = set(self._lease_now(streams, owned=len(streams)))
        self._forget([stream for stream in streams if stream not in kept])
        self._next_renewal = time.monotonic() + REBALANCE_SECONDS

    def _lease_now(self, streams: list[str], *, owned: int) -> list[str]:
        """Those of `streams` whose lease is ours now; the first `owned` must have been ours already."""
        if not streams:
            return []
        keys = [self._lease_key(stream) for stream in streams]
        answer = self._call(self._lease, keys=keys, args=[self._member, _LEASE_MS, owned])
        return [stream for stream, mine in zip(streams, answer, strict=True) if mine]

    def _take_over(self, stream: str) -> _Owned:
        """Claim all pending records of the group, of any member: they come before new ones."""
        try:
            self._call(self._redis.xgroup_create, stream, self._group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        backlog: deque[broker.Record] = deque()
        cursor = b"0-0"
        while True:
            cursor, rows, *_ = self._call(
                self._redis.xautoclaim, stream, self._group, self._member, 0, start_id=cursor, count=100
            )
            backlog.extend(
                record(*self._streams[stream], position, fields) for position, fields in rows if fields
            )
            if cursor == b"0-0":
                break
        for info in self._call(self._redis.xinfo_groups, stream):
            if info["name"] == self._group.encode():
                return _Owned(backlog=backlog, last=info["last-delivered-id"].decode())
        raise redis.ResponseError(f"NOGROUP {self._group}: {stream} was emptied and filled again meanwhile")

    def _give_back(self, streams: list[str]) -> None:
        self._forget(streams)
        if streams:
            keys = [self._lease_key(stream) for stream in streams]
            self._call(self._release, keys=keys, args=[self._member])

    def _forget(self, streams: Iterable[str]) -> None:
        for stream in streams:
            self._owned.pop(stream, None)

    def _forget_all(self) -> None:
        self._owned.clear()
        self._next_rebalance = 0.0

    @property
    def _members_key(self) -> str:
        return f"{self._prefix}:members:{self._group}"

    def _lease_key(self, stream: str) -> str:
        return f"{self._prefix}:lease:{self._group}:{stream}"

    def _stream_of(self, record: broker.Record) -> str:
        return f"{self._prefix}:{record.topic}:{record.partition}"


_LEASE_MS = int(LEASE_SECONDS * 1000)


def record(topic: str, partition: int, position: bytes, fields: Mapping[bytes, bytes]) -> broker.Record:
    """An entry as a record. A foreign entry may lack our fields; its record is undecodable, and not fatal."""
    key = fields.get(b"k", b"").decode(errors="backslashreplace")
    return broker.Record(topic, key, fields.get(b"v", b""), partition, position.decode())


def id_of(position: bytes | str) -> tuple[int, int]:
    """A stream id as numbers that compare."""
    text = position.decode() if isinstance(position, bytes) else position
    milliseconds, _, count = text.partition("-")
    return int(milliseconds), int(count or 0)


def _pairs(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
