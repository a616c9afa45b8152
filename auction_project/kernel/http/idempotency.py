"""The header Idempotency-Key: a client's name for one request, so that the request counts once however often it comes."""

import re

from rest_framework import request

from auction_project.kernel import errors

HEADER = "Idempotency-Key"
# A key is a part of an address (`bids/by-key/<key>`), and clients shorten addresses by . and .. before they send them.
KEY = re.compile(r"(?!\.{1,2}\Z)[\x21-\x7e]{1,128}", re.ASCII)


class KeyInvalid(errors.Invalid):
    """An Idempotency-Key is 1 to 128 visible ASCII characters, and neither . nor .., which no address can hold."""


class KeyMissing(errors.Invalid):
    """Send an Idempotency-Key header of 1 to 128 visible ASCII characters, fresh for every new request."""


def check(key: str) -> str:
    """`key` if it is one. Raises KeyInvalid."""
    if not KEY.fullmatch(key):
        raise KeyInvalid(field=HEADER)
    return key


def key_of(request: request.Request) -> str | None:
    """The request's key, None without one. Raises KeyInvalid."""
    key = request.headers.get(HEADER)
    return None if key is None else check(key)


def required_key_of(request: request.Request) -> str:
    """The request's key. Raises KeyMissing, KeyInvalid."""
    key = key_of(request)
    if not key:
        raise KeyMissing(field=HEADER)
    return key
