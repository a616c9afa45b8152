"""Sessions of staff: at most eight hours, an end after an idle hour, and a second factor before the admin opens.

The marks stand in the session: when it began, and when the person was last seen. A page that fetches tokens by itself
does not count as a person.
"""

from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from auction_project.accounts import models, second_factor, sessions

MAX_SECONDS = 8 * 3600
IDLE_SECONDS = 3600
SEEN_EVERY_SECONDS = 60  # how exactly the last sight is known: each one is a write
ADMIN = "/admin/"
UNATTENDED = ("/api/v1/token",)  # what pages ask for by themselves
_MARKS = "staff"


def begin(session: SessionBase, user: models.User, *, now: datetime) -> None:
    if user.is_colleague:
        session[_MARKS] = [now.timestamp(), now.timestamp()]


def is_over(session: SessionBase, *, now: datetime) -> bool:
    marks = session.get(_MARKS)
    if marks is None:
        return False
    since, seen = marks
    return now.timestamp() >= min(since + MAX_SECONDS, seen + IDLE_SECONDS)


def see(session: SessionBase, *, now: datetime) -> None:
    marks = session.get(_MARKS)
    if marks is not None and now.timestamp() >= marks[1] + SEEN_EVERY_SECONDS:
        session[_MARKS] = [marks[0], now.timestamp()]


class StaffMiddleware:
    """Behind the sessions and the authentication. A request without a session costs nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        session = request.session
        if is_over(session, now=now):
            sessions.end(
                user_id=session[SESSION_KEY],
                session_keys=[session.session_key],
                reason="staff_session_over",
                now=now,
            )
            session.flush()
        elif request.path not in UNATTENDED:
            see(session, now=now)
        return self._before_the_admin(request, now=now) or self._get_response(request)

    def _before_the_admin(self, request: HttpRequest, *, now: datetime) -> HttpResponse | None:
        if not request.path.startswith(ADMIN) or not request.user.is_authenticated:
            return None
        if _MARKS not in request.session:  # became staff after the log-in
            begin(request.session, request.user, now=now)
        if not (settings.STAFF_SECOND_FACTOR and request.user.is_staff):
            return None
        if second_factor.has_been_shown(request):
            return None
        page = "mfa_reauthenticate" if second_factor.is_set_up(request.user) else "mfa_activate_totp"
        return HttpResponseRedirect(f"{reverse(page)}?{urlencode({'next': request.get_full_path()})}")
