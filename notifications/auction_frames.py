"""The last frames of an auction's public feed, kept in Redis: a cache that may vanish at any moment.

One list per auction, each element `<seq> <text>`, or `<seq> <traceparent> <text>` where the trace of the entry is kept; seqs without
a gap. A frame comes by `append` (of its event, certain) and
mostly before that by `hint` (of the writer, best effort). Both are idempotent and atomic: what is older than the last frame is
ignored, and the next one is appended and published. After any other jump an event starts the list anew from there, so a
reader either gets everything after a seq or sees that it cannot; a hint is early, and waits up to EARLY_SECONDS for the
frame before it. Keeps KEPT_FRAMES, for IDLE_SECONDS after the last one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache

import msgspec
import redis
import redis.asyncio
from redis.commands import core

from auction_project.kernel.contracts import events
from notifications import frames, redis_clients

KEPT_FRAMES = 1000
FRAMES_PER_READ = 200  # of one auction; a reader that lacks more reads again
IDLE_SECONDS = 2 * 24 * 3600
EARLY_FRAMES = 1000  # of one auction
EARLY_SECONDS = 10  # after the latest of them: far more than the event of the frame before takes

# KEYS: of each auction the list, the channel, the early frames by seq. ARGV: 1 for hints or 0, frames kept, seconds kept, early
# frames kept, their seconds; then of each frame the number of its auction among KEYS, seq, element. How many were appended.
_ADD = """
local is_hint, count = ARGV[1] == '1', 0
for i = 6, #ARGV, 3 do
  local place, seq, element = 3 * tonumber(ARGV[i]), tonumber(ARGV[i + 1]), ARGV[i + 2]
  local list, channel, early = KEYS[place - 2], KEYS[place - 1], KEYS[place]
  local last = redis.call('LINDEX', list, -1)
  local next_seq = last and tonumber(string.match(last, '^%d+')) + 1 or 1
  if seq > next_seq and is_hint then
    if redis.call('HLEN', early) < tonumber(ARGV[4]) then
      redis.call('HSET', early, seq, element)
      redis.call('EXPIRE', early, ARGV[5])
    end
  elseif seq >= next_seq then
    if seq > next_seq then redis.call('DEL', list) end
    while element do
      redis.call('RPUSH', list, element)
      redis.call('PUBLISH', channel, element)
      redis.call('HDEL', early, seq)
      count, seq = count + 1, seq + 1
      element = redis.call('HGET', early, seq)
    end
    redis.call('LTRIM', list, -tonumber(ARGV[2]), -1)
    redis.call('EXPIRE', list, ARGV[3])
  end
end
return count
"""

# KEYS[1] the list; ARGV: after, how many. The last seq (-1: no list), then the first elements after `after` of those kept.
_READ = """
local last = redis.call('LINDEX', KEYS[1], -1)
if not last then return {-1} end
local last_seq = tonumber(string.match(last, '^%d+'))
local wanted = last_seq - tonumber(ARGV[1])
local found = {}
if wanted > 0 then
  local first = math.max(redis.call('LLEN', KEYS[1]) - wanted, 0)
  found = redis.call('LRANGE', KEYS[1], first, first + tonumber(ARGV[2]) - 1)
end
table.insert(found, 1, last_seq)
return found
"""

# KEYS the lists. The last seq of each (-1: no list).
_HEADS = """
local found = {}
for i, key in ipairs(KEYS) do
  local last = redis.call('LINDEX', key, -1)
  found[i] = last and tonumber(string.match(last, '^%d+')) or -1
end
return found
"""


class Kept(msgspec.Struct, frozen=True):
    """What Redis holds of an auction: the last seq (None: nothing at all), and the frames after the seq asked for."""

    last: int | None
    frames: Sequence[frames.Frame]


class Addition(msgspec.Struct, frozen=True):
    """A frame to add: its auction, its seq, its text, and the `traceparent` of its entry, or nothing."""

    auction_id: str
    seq: int
    text: str
    traceparent: str = ""

    @property
    def element(self) -> str:
        traced = f"{self.traceparent} " if self.traceparent else ""
        return f"{self.seq} {traced}{self.text}"


@cache
def _add_script() -> core.Script:
    return redis_clients.blocking().register_script(_ADD)


def append(added: Sequence[Addition]) -> int:
    """Add the frames of events, in order, and publish those that were not there already; how many were published. One round
    trip. Raises redis.ConnectionError, redis.TimeoutError."""
    keys, args = _arguments(added, is_hint=False)
    return int(_add_script()(keys=keys, args=args))


async def hint(client: redis.asyncio.Redis, added: Sequence[Addition]) -> int:
    """Add and publish those frames that are the next of their auctions, keep what is early; how many were published.

    Raises redis.RedisError.
    """
    keys, args = _arguments(added, is_hint=True)
    return int(await client.register_script(_ADD)(keys=keys, args=args))


def _arguments(added: Sequence[Addition], *, is_hint: bool) -> tuple[list[str], list[str | int]]:
    numbers = {
        auction_id: i for i, auction_id in enumerate(dict.fromkeys(one.auction_id for one in added), 1)
    }
    keys = [
        key
        for auction_id in numbers
        for key in (
            redis_clients.frames_key(auction_id),
            redis_clients.auction_channel(auction_id),
            redis_clients.early_frames_key(auction_id),
        )
    ]
    args: list[str | int] = [int(is_hint), KEPT_FRAMES, IDLE_SECONDS, EARLY_FRAMES, EARLY_SECONDS]
    for one in added:
        args += (numbers[one.auction_id], one.seq, one.element)
    return keys, args


async def read(client: redis.asyncio.Redis, after: Mapping[str, int]) -> dict[str, Kept]:
    """What is kept of each auction after the seq named, or the first FRAMES_PER_READ of it.

    Raises redis.ConnectionError, redis.TimeoutError.
    """
    script = client.register_script(_READ)
    async with client.pipeline(
        transaction=False
    ) as pipeline:  # also when cancelled, it gives its connection back
        for auction_id, seq in after.items():
            await script(
                keys=[redis_clients.frames_key(auction_id)], args=[seq, FRAMES_PER_READ], client=pipeline
            )
        answers = await pipeline.execute()
    kept: dict[str, Kept] = {}
    for auction_id, answer in zip(after, answers, strict=True):
        kept[auction_id] = _kept(auction_id, answer)
        await asyncio.sleep(0)  # each may be long: let other tasks run
    return kept


async def heads(client: redis.asyncio.Redis, auction_ids: Sequence[str]) -> dict[str, int | None]:
    """The last seq that is kept of each auction, None where nothing is; one short question for all.

    Raises redis.ConnectionError, redis.TimeoutError.
    """
    keys = [redis_clients.frames_key(auction_id) for auction_id in auction_ids]
    answers = await client.register_script(_HEADS)(keys=keys)
    return {
        auction_id: None if last == -1 else last
        for auction_id, last in zip(auction_ids, answers, strict=True)
    }


def parse(auction_id: str, element: bytes) -> frames.Frame:
    """The frame that an element of a list, or a message on a channel, holds."""
    seq, _, text = element.decode().partition(" ")
    traceparent = ""
    if not text.startswith("{"):  # the text is a JSON object
        traceparent, _, text = text.partition(" ")
    return frames.auction(auction_id, int(seq), text, traceparent=traceparent)


class _Figures(msgspec.Struct):
    at: int


class _Record(msgspec.Struct):
    event: str
    data: _Figures


_decode_record = msgspec.json.Decoder(_Record).decode


def arrival(element: bytes) -> int | None:
    """When the bid arrived of which a message on a channel holds the record, in milliseconds since the epoch; None for any
    other record."""
    try:
        record = _decode_record(element.partition(b" ")[2])
    except msgspec.MsgspecError:  # of another release; only a figure is missing
        return None
    return record.data.at if record.event == events.BidPlaced.__name__ else None


def _kept(auction_id: str, answer: list[int | bytes]) -> Kept:
    last, *elements = answer
    return Kept(None if last == -1 else int(last), [parse(auction_id, element) for element in elements])
