"""Wakes up the hubs of the web processes when a user's feed has grown, or a session or an account of a user has ended.

Best effort: a hub also looks from time to time. A wake-up names the user and carries no data; the hub reads PostgreSQL.
"""

import time
from collections.abc import Collection

import redis

from auction_project.kernel import logs
from notifications import redis_clients

NEWS = b""
ENDED = b"ended"
MUTE_SECONDS = 1.0  # after a failure, so that a hanging Redis does not slow down the writers of feeds

log = logs.get(__name__)
_muted_until = 0.0


def notify(user_ids: Collection[str], word: bytes = NEWS) -> None:
    """Wake up the hubs for each user: NEWS or ENDED. Never raises because of Redis."""
    global _muted_until
    if time.monotonic() < _muted_until:
        return
    try:
        with redis_clients.blocking().pipeline(transaction=False) as pipeline:
            for user_id in user_ids:
                pipeline.publish(redis_clients.user_channel(user_id), word)
            pipeline.execute()
    except redis.RedisError as error:
        _muted_until = time.monotonic() + MUTE_SECONDS
        log.warning("wakeup_failed", users=len(user_ids), error=repr(error))
