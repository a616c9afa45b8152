"""Rotation of keys that signs no user out: allauth's tokens stay valid under the second signing key and older
SECRET_KEYs.

allauth verifies with JWT_PRIVATE_KEY alone, and encrypts the key of the session in a token with SECRET_KEY alone. Both
functions of its JWT strategy are replaced here. Without a rotation they work as allauth's do.
"""

import base64
import binascii
import hashlib
from typing import Any

import jwt
from allauth.headless.tokens.strategies.jwt import internal
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from django.conf import settings

from auction_project.accounts import session_store
from auction_project.kernel import tokens

_VECTOR_BYTES = 16
_decode_token = internal.decode_token


def install() -> None:
    """Replace allauth's functions."""
    internal.decode_token = decode_token
    internal.session_key_from_sid = session_key_from_sid


def decode_token(token: str, use: str) -> dict[str, Any] | None:
    """The payload of a token with that use that either of our keys signed; None for any other token."""
    return _decode_token(_under_current_key(token), use)


def session_key_from_sid(sid: str) -> str | None:
    """The key of the session that a token names; None when no SECRET_KEY of ours encrypted it."""
    try:
        sealed = base64.b64decode(sid)
    except binascii.Error:
        return None
    vector, encrypted = sealed[:_VECTOR_BYTES], sealed[_VECTOR_BYTES:]
    if len(vector) < _VECTOR_BYTES:
        return None
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        cipher = Cipher(algorithms.AES(hashlib.sha256(secret.encode()).digest()), modes.CTR(vector))
        session_key = cipher.decryptor().update(encrypted).decode("latin-1")
        if session_store.KEY_FORM.fullmatch(session_key):  # the wrong SECRET_KEY yields noise
            return session_key
    return None


def _under_current_key(token: str) -> str:
    """`token` signed anew if the second key signed it; any other token as it is."""
    second = settings.JWT_SECOND_PUBLIC_KEY
    try:
        if second and jwt.get_unverified_header(token).get("kid") == tokens.key_id(second):
            payload = jwt.decode(token, tokens.public_key(second), algorithms=[tokens.ALGORITHM])
            return jwt.encode(payload, settings.JWT_PRIVATE_KEY, algorithm=tokens.ALGORITHM)
    except jwt.PyJWTError:
        pass  # allauth refuses it as any other forgery
    return token
