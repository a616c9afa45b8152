"""The connections to Redis, and the names used there. Redis is a cache here and carries wake-ups: all of it may vanish.

Timeouts are short, because no caller may wait long; one retry mends a connection that a restart has broken, and what is
sent this way may be sent twice. The hub's subscription has neither, because it waits and must notice a break.
"""

import redis
import redis.asyncio
from django.conf import settings
from redis import backoff, retry
from redis.asyncio import retry as async_retry

from auction_project.kernel import owned

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 2.0
MAX_CONNECTIONS = 32


def auction_channel(auction_id: str) -> str:
    return f"gavel:auction:{auction_id}"


def user_channel(user_id: str) -> str:
    return f"gavel:user:{user_id}"


def frames_key(auction_id: str) -> str:
    return f"gavel:frames:{auction_id}"


def early_frames_key(auction_id: str) -> str:
    return f"gavel:frames:{auction_id}:early"


def ticket_key(digest: str) -> str:
    return f"gavel:ticket:{digest}"


def stream_key(digest: str) -> str:
    return f"gavel:stream:{digest}"


blocking: owned.Owned[redis.Redis] = owned.Owned(
    "Redis client"
)  # for code outside an event loop; thread-safe


def connect() -> redis.Redis:
    """A client for code outside an event loop."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=retry.Retry(backoff.NoBackoff(), 1),
        protocol=2,
    )


def asking() -> redis.asyncio.Redis:
    """A client for the running event loop."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        settings.REDIS_URL,
        max_connections=MAX_CONNECTIONS,
        timeout=ANSWER_SECONDS,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=async_retry.Retry(backoff.NoBackoff(), 1),
        protocol=2,
    )
    return redis.asyncio.Redis(connection_pool=pool)


def listening() -> redis.asyncio.Redis:
    """A client for a subscription: reads wait without end, and a broken connection raises instead of being mended."""
    return redis.asyncio.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=None,
        retry=async_retry.Retry(backoff.NoBackoff(), 0),
        protocol=2,
    )
