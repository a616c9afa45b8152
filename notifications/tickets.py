"""One-time tickets: how a browser, which cannot send a header with a WebSocket, says who it is.

A ticket is asked for with an access token, lives TICKET_SECONDS in Redis (only its digest does), and is taken out by
whoever shows it first.
"""

import hashlib
import secrets

import redis.asyncio

from notifications import redis_clients

TICKET_SECONDS = 30
_BYTES = 24


def issue(user_id: str) -> str:
    """A ticket for `user_id`. Raises redis.ConnectionError, redis.TimeoutError."""
    ticket = secrets.token_urlsafe(_BYTES)
    redis_clients.blocking().set(_key(ticket), user_id, ex=TICKET_SECONDS)
    return ticket


async def redeem(client: redis.asyncio.Redis, ticket: str) -> str | None:
    """Whose ticket it is; None when there is no such ticket (any more). Raises redis.ConnectionError, TimeoutError."""
    user_id: bytes | None = await client.getdel(_key(ticket))
    return user_id.decode() if user_id else None


def _key(ticket: str) -> str:
    return redis_clients.ticket_key(hashlib.sha256(ticket.encode()).hexdigest())
