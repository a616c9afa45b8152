"""Access tokens. A signature is all that verifies one, so that no service needs a database to know a user.

`accounts` signs them (RS256, five minutes) and names the key as `kid`. Every process verifies with JWT_PUBLIC_KEY, and
during a rotation with JWT_SECOND_PUBLIC_KEY, too. Verified tokens are cached until they expire, because checking a
signature costs more than deciding a bid.
"""

import base64
import functools
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from django.conf import settings

from auction_project.kernel import errors

ALGORITHM = "RS256"
ROLES = ("bidder", "seller", "operator")
MAX_CACHED = 50_000
_CLAIMS = ("sub", "exp", "iat", "token_use", "roles", "email_verified", "created_at")


class InvalidToken(errors.Unauthenticated):
    """The access token is missing, malformed, forged or expired. Fetch a new one."""


class Claims(msgspec.Struct, frozen=True):
    """The user of a request: id, roles, whether the e-mail address is verified, when the account was created and when
    the token expires (both in seconds since the epoch), and the session that the token comes from (`ids.session_id`;
    empty in a token without a session).
    """

    sub: str
    roles: tuple[str, ...]
    email_verified: bool
    created_at: int
    exp: float
    session: str = ""  # a stream ends with the session of its token

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
    """An access token as accounts issues it, valid for `seconds` from `now` (both in seconds), for load generators, the
    demo's crowd and tests on a machine that holds JWT_PRIVATE_KEY. `changed` replaces claims.
    """
    claims = {
        "sub": sub,
        "roles": list(roles),
        "email_verified": True,
        "created_at": created_at,
        "token_use": "access",
        "iat": int(now),
        "exp": int(now + seconds),
    } | dict(changed or {})
    return jwt.encode(
        claims,
        _private_key(settings.JWT_PRIVATE_KEY),
        algorithm=ALGORITHM,
        headers={"kid": key_id(settings.JWT_PUBLIC_KEY)},
    )


def from_header(header: str) -> Claims:
    """The claims of the token in an Authorization header. Raises InvalidToken."""
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
    """The key in `pem`, cached because checking it takes longer than signing with it."""
    return serialization.load_pem_private_key(pem.encode(), password=None)


@functools.cache
def public_key(pem: str) -> Any:
    """The key in `pem`. Raises ValueError."""
    return serialization.load_pem_public_key(pem.encode())


@functools.cache
def key_id(pem: str) -> str:
    """The `kid` of a public key: its thumbprint by RFC 7638, as allauth computes it."""
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(public_key(pem)))
    members = json.dumps({name: key[name] for name in ("e", "kty", "n")}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()


def _key_of(token: str) -> Any:
    """The public key that `token` names; without a name, the current one. Raises InvalidToken, jwt.PyJWTError."""
    current, second = settings.JWT_PUBLIC_KEY, settings.JWT_SECOND_PUBLIC_KEY
    kid = jwt.get_unverified_header(token).get("kid", key_id(current))
    for pem in filter(None, (current, second)):
        if kid == key_id(pem):
            return public_key(pem)
    raise InvalidToken("The key that signed the access token is not in use.")


def _decode(token: str) -> Claims:
    try:
        payload = jwt.decode(
            token,
            _key_of(token),
            algorithms=[ALGORITHM],
            options={"require": list(_CLAIMS)},
        )
        if payload["token_use"] != "access":  # noqa: S105 - a kind, not a secret
            raise InvalidToken("This is not an access token.")
        claims = {name: payload[name] for name in Claims.__struct_fields__ if name in payload}
        return msgspec.convert(claims, Claims)
    except (jwt.PyJWTError, msgspec.ValidationError) as error:
        raise InvalidToken from error
