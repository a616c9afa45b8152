"""Known devices: a signed cookie on each device from which an account has signed in.

Wrong passwords are counted apart for a known device, so that a stranger who guesses at an account locks the account for
strangers and not for its owner. The cookie does not sign a user in: a thief of it gets one more limit of guesses.
"""

import hashlib
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from auction_project.kernel import ids

MAX_AGE_SECONDS = 365 * 24 * 3600
_SALT = "accounts.devices"
_TO_REMEMBER = "_device_to_remember"


class DeviceMiddleware:
    """Sends the cookie after a log-in, because allauth's hooks do not have the answer of every client."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        name = getattr(request, _TO_REMEMBER, None)
        if name is not None:
            response.set_signed_cookie(
                name,
                ids.new_id(),
                salt=_SALT,
                max_age=MAX_AGE_SECONDS,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response


def of(request: HttpRequest, email: str) -> str:
    """The device's id if it is known to the account of `email`, else the empty string."""
    return request.get_signed_cookie(_name(email), "", salt=_SALT, max_age=MAX_AGE_SECONDS) or ""


def is_known(request: HttpRequest, email: str) -> bool:
    """Whether the account of `email` has signed in from this device before."""
    return bool(of(request, email))


def remember(request: HttpRequest, email: str) -> None:
    """Have the answer to this request set the cookie, if the device is new."""
    if not is_known(request, email):
        setattr(request, _TO_REMEMBER, _name(email))


def _name(email: str) -> str:
    return f"device_{hashlib.sha256(email.lower().encode()).hexdigest()[:16]}"
