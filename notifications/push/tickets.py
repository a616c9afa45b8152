"""Tickets: they sign a browser in to a stream, because it cannot send a header with one.

A client gets a ticket for its access token. Redis keeps its digest for TICKET_SECONDS, and it opens one stream.
A stream of server-sent events may go on with its ticket for RESUME_SECONDS after it broke, because a browser repeats its
address: it then shows the key that only the reader of that stream has. So an address in a proxy's log opens nothing.
"""

import hashlib
import hmac
import secrets

import msgspec
import redis
import redis.asyncio

from notifications import redis_clients

TICKET_SECONDS = 30
RESUME_SECONDS = 600
_BYTES = 24
_KEY_BYTES = 16


class Holder(msgspec.Struct, frozen=True):
    """The user that a stream is for. `session` is the claim of the access token; empty where that has none."""

    user_id: str
    session: str = ""


class _Open(msgspec.Struct, frozen=True):
    """A stream that may go on with its ticket. `key`: the digest of the stream's key."""

    holder: Holder
    key: str


_holder = msgspec.json.Decoder(Holder)
_open = msgspec.json.Decoder(_Open)


def issue(holder: Holder) -> str:
    """A ticket for `holder`. Raises redis.ConnectionError, redis.TimeoutError."""
    ticket = secrets.token_urlsafe(_BYTES)
    redis_clients.blocking().set(_key(ticket), msgspec.json.encode(holder), ex=TICKET_SECONDS)
    return ticket


async def redeem(client: redis.asyncio.Redis, ticket: str) -> Holder | None:
    """Use the ticket up, and return its holder; None: there is no such ticket. Raises redis.ConnectionError, TimeoutError."""
    stored: bytes | str | None = await client.getdel(_key(ticket))
    return _holder.decode(stored) if stored else None


def new_stream_key() -> str:
    return secrets.token_urlsafe(_KEY_BYTES)


async def keep(client: redis.asyncio.Redis, ticket: str, holder: Holder, key: str) -> None:
    """Let the stream that `ticket` opened go on with it for RESUME_SECONDS from now. Raises redis.RedisError."""
    kept = msgspec.json.encode(_Open(holder, _digest(key)))
    await client.set(redis_clients.stream_key(_digest(ticket)), kept, ex=RESUME_SECONDS)


async def resume(client: redis.asyncio.Redis, ticket: str, key: str) -> Holder | None:
    """The holder that may go on with `ticket` and the stream's `key`; None: no holder. Raises redis.RedisError."""
    stored: bytes | str | None = await client.get(redis_clients.stream_key(_digest(ticket)))
    if not stored:
        return None
    kept = _open.decode(stored)
    return kept.holder if hmac.compare_digest(kept.key, _digest(key)) else None


async def forget(client: redis.asyncio.Redis, ticket: str) -> None:
    """Let nothing go on with `ticket`: its stream has ended for good. Raises redis.RedisError."""
    await client.delete(redis_clients.stream_key(_digest(ticket)))


def _key(ticket: str) -> str:
    return redis_clients.ticket_key(_digest(ticket))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
