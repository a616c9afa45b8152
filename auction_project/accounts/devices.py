"""Devices, known by signed cookies that a log-in sets. Neither cookie signs a user in.

One cookie for each account that has signed in from the device: wrong passwords are counted apart for a known device, so that
a stranger who guesses at an account locks the account for strangers and not for its owner. A thief of it gets one more limit
of guesses.

One cookie names the device itself, for all its accounts (see `identity`). Each log-in sets it anew, so that it lasts a year from
the last one. A program that keeps no cookies has none.
"""

import hashlib
from collections.abc import Callable

from allauth.headless import constants
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from auction_project.kernel import ids

MAX_AGE_SECONDS = 365 * 24 * 3600
COOKIE = "device"  # names the device; the cookies for one account are called device_…
_SALT = "accounts.devices"
_TO_SEND = "_device_cookies"


class DeviceMiddleware:
    """Sends the cookies after a log-in, because allauth's hooks do not have the answer of every client."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        for name, value in getattr(request, _TO_SEND, {}).items():
            response.set_signed_cookie(
                name,
                value,
                salt=_SALT,
                max_age=MAX_AGE_SECONDS,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response


def of(request: HttpRequest, email: str) -> str:
    """The device's id if it is known to the account of `email`, else the empty string."""
    return _read(request, _name(email))


def is_known(request: HttpRequest, email: str) -> bool:
    """Whether the account of `email` has signed in from this device before."""
    return bool(of(request, email))


def remember(request: HttpRequest, email: str) -> None:
    """Have the answer to this request set the cookie, if the device is new."""
    if not is_known(request, email):
        _send(request, _name(email), ids.new_id())


def name_device(request: HttpRequest) -> str:
    """The id of the device, which the answer to this request sets. Empty for a program that sends none."""
    device = _read(request, COOKIE)
    if not device:
        if _is_program(request):
            return ""
        device = ids.new_id()
    _send(request, COOKIE, device)
    return device


def _is_program(request: HttpRequest) -> bool:
    """Whether allauth serves the request as one of a program, which keeps a session token in place of cookies."""
    headless = getattr(request.allauth, "headless", None)
    return getattr(headless, "client", None) == constants.Client.APP


def _read(request: HttpRequest, name: str) -> str:
    return request.get_signed_cookie(name, "", salt=_SALT, max_age=MAX_AGE_SECONDS) or ""


def _send(request: HttpRequest, name: str, value: str) -> None:
    setattr(request, _TO_SEND, {**getattr(request, _TO_SEND, {}), name: value})


def _name(email: str) -> str:
    return f"device_{hashlib.sha256(email.lower().encode()).hexdigest()[:16]}"
