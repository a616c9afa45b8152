"""The bell: an empty or short message on channels of Redis, which wakes those who listen. They look for themselves from time to time, too.

Best effort: a ring may be lost, and none fails because of Redis. After a failure the bell is mute for MUTE_SECONDS, so that a hanging
Redis does not slow down those who ring.
"""

import time
from collections.abc import Collection

import redis

from auction_project.kernel import logs, owned

MUTE_SECONDS = 1.0

log = logs.get(__name__)
_client: owned.Owned[redis.Redis] = owned.Owned("Redis client")
_muted_until = 0.0


def ring(channels: Collection[str], message: bytes = b"") -> None:
    """Publish `message` on each channel, in one round trip."""
    global _muted_until
    if time.monotonic() < _muted_until:
        return
    try:
        with _client().pipeline(transaction=False) as pipeline:
            for channel in channels:
                pipeline.publish(channel, message)
            pipeline.execute()
    except redis.RedisError as error:
        _muted_until = time.monotonic() + MUTE_SECONDS
        log.warning("bell_failed", channels=len(channels), error=repr(error))
