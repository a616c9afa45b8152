"""Tickets: how a browser, which cannot send a header with a stream, says who it is.

A ticket is asked for with an access token, lives TICKET_SECONDS in Redis (only its digest does), and opens one stream.
A stream of server-sent events may go on with its ticket for RESUME_SECONDS after it broke, because a browser repeats its
address: it then shows the key that only the reader of that stream has. So an address from a proxy's log opens nothing.
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
    """Who a stream is for. `session` is the claim of the access token; empty where that has none."""

    user_id: str
    session: str = ""


class _Open(msgspec.Struct, frozen=True):
    """A stream that a ticket opened, as long as it may go on with it."""

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
    """Whose ticket it is, which is used up then; None without such a ticket. Raises redis.ConnectionError, TimeoutError."""
    found: bytes | str | None = await client.getdel(_key(ticket))
    return _holder.decode(found) if found else None


def new_stream_key() -> str:
    return secrets.token_urlsafe(_KEY_BYTES)


async def keep(client: redis.asyncio.Redis, ticket: str, holder: Holder, key: str) -> None:
    """Let the stream that `ticket` opened go on with it for RESUME_SECONDS from now. Raises redis.RedisError."""
    kept = msgspec.json.encode(_Open(holder, _digest(key)))
    await client.set(redis_clients.stream_key(_digest(ticket)), kept, ex=RESUME_SECONDS)


async def resume(client: redis.asyncio.Redis, ticket: str, key: str) -> Holder | None:
    """Who may go on with `ticket` and the stream's `key`. Raises redis.RedisError."""
    found: bytes | str | None = await client.get(redis_clients.stream_key(_digest(ticket)))
    if not found:
        return None
    kept = _open.decode(found)
    return kept.holder if hmac.compare_digest(kept.key, _digest(key)) else None


async def forget(client: redis.asyncio.Redis, ticket: str) -> None:
    """The stream that `ticket` opened ends for good. Raises redis.RedisError."""
    await client.delete(redis_clients.stream_key(_digest(ticket)))


def _key(ticket: str) -> str:
    return redis_clients.ticket_key(_digest(ticket))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
