"""Wakes up the hubs of the web processes when a user's feed has grown, or a session or an account of a user has ended.

Best effort: a hub also looks from time to time. A wake-up names the user and carries no data; the hub reads PostgreSQL.
"""

from collections.abc import Collection

from auction_project.kernel import bell
from notifications import redis_clients

NEWS = b""
ENDED = b"ended"


def notify(user_ids: Collection[str], reason: bytes = NEWS) -> None:
    """Wake up the hubs for each user: NEWS or ENDED. Never raises because of Redis."""
    bell.ring([redis_clients.user_channel(user_id) for user_id in user_ids], reason)
