"""The last frames of an auction's public feed, kept in Redis: a cache that may vanish at any moment.

One list per auction, each element `<seq> <text>`, seqs without a gap. `append` is idempotent and atomic: what is older
than the last frame is ignored, the next one is appended and published, and any other jump starts the list anew from
there, so a reader either gets everything after a seq or sees that it cannot. Keeps KEPT_FRAMES, for IDLE_SECONDS after
the last one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache

import msgspec
import redis
import redis.asyncio
from redis.commands import core

from notifications import frames, redis_clients

KEPT_FRAMES = 1000
FRAMES_PER_READ = 200  # of one auction; a reader that lacks more reads again
IDLE_SECONDS = 2 * 24 * 3600

# KEYS[1] the list, KEYS[2] the channel; ARGV: seq, element, frames kept, seconds kept. 1: appended, 0: known already.
_APPEND = """
local last = redis.call('LINDEX', KEYS[1], -1)
local seq = tonumber(ARGV[1])
if last then
  local last_seq = tonumber(string.match(last, '^%d+'))
  if seq <= last_seq then return 0 end
  if seq > last_seq + 1 then redis.call('DEL', KEYS[1]) end
end
redis.call('RPUSH', KEYS[1], ARGV[2])
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[3]), -1)
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('PUBLISH', KEYS[2], ARGV[2])
return 1
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


@cache
def _append_script() -> core.Script:
    return redis_clients.blocking().register_script(_APPEND)


def append(*, auction_id: str, seq: int, text: str) -> bool:
    """Add a frame and publish it; False: it was there already. Raises redis.ConnectionError, redis.TimeoutError."""
    keys = [redis_clients.frames_key(auction_id), redis_clients.auction_channel(auction_id)]
    return bool(_append_script()(keys=keys, args=[seq, f"{seq} {text}", KEPT_FRAMES, IDLE_SECONDS]))


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
    return frames.auction(auction_id, int(seq), text)


def _kept(auction_id: str, answer: list[int | bytes]) -> Kept:
    last, *elements = answer
    return Kept(None if last == -1 else int(last), [parse(auction_id, element) for element in elements])
