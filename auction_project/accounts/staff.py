"""Sessions of staff: they end after eight hours or an idle hour, and the pages of staff need a second factor.

The session stores when it began and when its user was last seen. A page that fetches tokens by itself does not count as
a sign of its user.
"""

from collections.abc import Callable
from datetime import datetime

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from auction_project.accounts import models, second_factor, sessions

MAX_SECONDS = 8 * 3600
IDLE_SECONDS = 3600
SEEN_EVERY_SECONDS = 60  # precision of the idle time: each update is a write
PAGES = ("/admin/", "/sell")  # sellers, who are customers, have the second one too
UNATTENDED = ("/api/v1/token", "/admin/services/table/")  # requests that pages send by themselves
_MARKS = "staff"


def begin(session: SessionBase, user: models.User, *, now: datetime) -> None:
    """Start the time of a colleague's session; a customer's session has none."""
    if user.is_colleague:
        session[_MARKS] = [now.timestamp(), now.timestamp()]


def is_over(session: SessionBase, *, now: datetime) -> bool:
    """Whether this is a colleague's session that is too old or was idle for too long."""
    marks = session.get(_MARKS)
    if marks is None:
        return False
    since, seen = marks
    return now.timestamp() >= min(since + MAX_SECONDS, seen + IDLE_SECONDS)


def see(session: SessionBase, *, now: datetime) -> None:
    """Note that the user is there."""
    marks = session.get(_MARKS)
    if marks is not None and now.timestamp() >= marks[1] + SEEN_EVERY_SECONDS:
        session[_MARKS] = [marks[0], now.timestamp()]


class StaffMiddleware:
    """Inside Django's middleware of sessions and authentication. A request without a session costs nothing."""

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
        return self._before_the_pages(request, now=now) or self._get_response(request)

    def _before_the_pages(self, request: HttpRequest, *, now: datetime) -> HttpResponse | None:
        if not request.path.startswith(PAGES) or not request.user.is_authenticated:
            return None
        if _MARKS not in request.session:  # the user became staff after the log-in
            begin(request.session, request.user, now=now)
        if not second_factor.is_missing(request.session, request.user) or not request.user.is_colleague:
            return None
        page = "mfa_reauthenticate" if second_factor.is_set_up(request.user) else "mfa_activate_totp"
        return HttpResponseRedirect(f"{reverse(page)}?{urlencode({'next': request.get_full_path()})}")
