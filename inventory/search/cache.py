"""The read cache of the shop: answers about offers, in Redis, for a moment.

Promises: an answer is LIFE_SECONDS old at most, so that no price is wrong for a second, whatever is lost. A change
is seen at once, because it names a new generation after its commit, and answers of another generation are read anew; the event
of the change does the same again, for a process that died in between. Of many requests for one answer one reads it; the
others get the previous answer if it is young enough, or wait a moment. Without Redis, and with SHOP_CACHE off, each
request reads for itself.

Memory is bounded by time: Redis lets go of each answer after a few seconds, and keeps none above MAX_BYTES.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings
from django.core.cache import cache

from auction_project.kernel import ids
from auction_project.kernel.messaging import transactions
from inventory import metrics, models

LIFE_SECONDS = 0.9
COUNTS_SECONDS = 10.0  # for counts of offers, which name no offer
FILL_SECONDS = 2  # after which another request may read in place of one that died
WAIT_SECONDS = 0.25  # for the request that reads
LOOK_SECONDS = 0.01
MAX_BYTES = 256 * 1024
GENERATION_SECONDS = 3600  # longer than any answer lives
_GENERATION = "shop:generation"


class _Kept(NamedTuple):
    generation: str | None
    read_at: float
    content: bytes

    def is_young(self, seconds: float) -> bool:
        return 0 <= time.time() - self.read_at < seconds


def answer(name: str, read: Callable[[], bytes], *, seconds: float = LIFE_SECONDS) -> bytes:
    """What `read` returns, or returned under this name less than `seconds` ago. Raises what `read` raises, which is not kept."""
    if not settings.SHOP_CACHE:
        return read()
    key = f"shop:{name}"
    generation, kept = cache.get(_GENERATION), _kept(key, seconds)
    if kept and kept.generation == generation:
        return _counted("hit", kept.content)
    if cache.add(f"{key}:read", 1, FILL_SECONDS):
        try:
            return _counted("miss", _read(key, read, generation, seconds))
        finally:
            cache.delete(f"{key}:read")
    if kept:
        return _counted("previous", kept.content)
    if (content := _wait(key, seconds)) is not None:
        return _counted("hit", content)
    return _counted("miss", _read(key, read, generation, seconds))


def invalidate() -> None:
    """All answers that were read before are out of date. Best effort: they are soon, by themselves."""
    if settings.SHOP_CACHE:
        cache.set(_GENERATION, ids.new_id(), GENERATION_SECONDS)


def invalidate_after_commit() -> None:
    """The open transaction changes what the answers say."""
    transactions.after_commit(invalidate, using=models.DATABASE)


def _kept(key: str, seconds: float) -> _Kept | None:
    stored = cache.get(key)
    kept = _Kept(*stored) if stored else None
    return kept if kept and kept.is_young(seconds) else None


def _read(key: str, read: Callable[[], bytes], generation: str | None, seconds: float) -> bytes:
    """The answer, kept from the moment at which reading began."""
    began = time.time()
    content = read()
    if len(content) <= MAX_BYTES:
        cache.set(key, tuple(_Kept(generation, began, content)), math.ceil(seconds))
    return content


def _wait(key: str, seconds: float) -> bytes | None:
    """What the request that reads has kept, if it does so in time."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        if kept := _kept(key, seconds):
            return kept.content
    return None


def _counted(outcome: str, content: bytes) -> bytes:
    metrics.cache_reads.labels(outcome).inc()
    return content
