"""Access tokens, verified by signature alone: no service asks a database who somebody is.

`accounts` signs them (RS256, five minutes); everybody verifies with JWT_PUBLIC_KEY. A verified token is remembered
until it ends, because checking a signature costs more than deciding a bid.
"""

import functools
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from django.conf import settings

from auction_project import errors

ALGORITHM = "RS256"
ROLES = ("bidder", "seller", "operator")
MAX_CACHED = 50_000
_CLAIMS = ("sub", "exp", "iat", "token_use", "roles", "email_verified", "created_at")


class InvalidToken(errors.Unauthenticated):
    """The access token is missing, malformed, forged or expired. Fetch a new one."""


class Claims(msgspec.Struct, frozen=True):
    """Who asks: the user's id, roles, whether the e-mail is verified, when the account was made (seconds), and the
    session that the token comes from (`names.session_id`; empty in a token without a session)."""

    sub: str
    roles: tuple[str, ...]
    email_verified: bool
    created_at: int
    exp: float
    session: str = ""

    is_authenticated = True

    def has(self, role: str) -> bool:
        return role in self.roles


_cache: dict[str, Claims] = {}


def sign(
    *,
    sub: str,
    roles: Sequence[str],
    created_at: int,
    now: float,
    seconds: float,
    changed: Mapping[str, Any] | None = None,
) -> str:
    """An access token as accounts would issue it: for load generators, the demo's crowd and tests, on a machine that
    holds JWT_PRIVATE_KEY. `changed` claims are as given."""
    claims = {
        "sub": sub,
        "roles": list(roles),
        "email_verified": True,
        "created_at": created_at,
        "token_use": "access",
        "iat": int(now),
        "exp": int(now + seconds),
    } | dict(changed or {})
    return jwt.encode(claims, _private_key(settings.JWT_PRIVATE_KEY), algorithm=ALGORITHM)


def from_header(header: str) -> Claims:
    """The claims of an Authorization header. Raises InvalidToken."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise InvalidToken("Send 'Authorization: Bearer <access token>'.")
    return verify(token)


def verify(token: str) -> Claims:
    """The claims of `token`. Raises InvalidToken."""
    claims = _cache.get(token)
    if claims is None:
        claims = _decode(token)
        if len(_cache) >= MAX_CACHED:
            _cache.clear()
        _cache[token] = claims
    if claims.exp <= time.time():
        _cache.pop(token, None)
        raise InvalidToken("The access token has expired.")
    return claims


@functools.cache
def _private_key(pem: str) -> Any:
    """The key in `pem`, checked once: to check it takes longer than to sign with it."""
    return serialization.load_pem_private_key(pem.encode(), password=None)


@functools.cache
def _public_key(pem: str) -> Any:
    return serialization.load_pem_public_key(pem.encode())


def _decode(token: str) -> Claims:
    try:
        payload = jwt.decode(
            token,
            _public_key(settings.JWT_PUBLIC_KEY),
            algorithms=[ALGORITHM],
            options={"require": list(_CLAIMS)},
        )
        if payload["token_use"] != "access":  # noqa: S105 - a kind, no secret
            raise InvalidToken("This is not an access token.")
        known = {name: payload[name] for name in Claims.__struct_fields__ if name in payload}
        return msgspec.convert(known, Claims)
    except (jwt.PyJWTError, msgspec.ValidationError) as error:
        raise InvalidToken from error
