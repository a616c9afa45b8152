"""Sessions of staff: at most eight hours, and an end after an idle hour.

The marks stand in the session: when it began, and when the person was last seen. A page that fetches tokens by itself
does not count as a person.
"""

from collections.abc import Callable
from datetime import datetime

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from auction_project.accounts import models, sessions

MAX_SECONDS = 8 * 3600
IDLE_SECONDS = 3600
SEEN_EVERY_SECONDS = 60  # how exactly the last sight is known: each one is a write
ADMIN = "/admin/"
UNATTENDED = ("/api/v1/token",)  # what pages ask for by themselves
_MARKS = "staff"


def begin(session: SessionBase, user: models.User, *, now: datetime) -> None:
    if user.works_for_the_house:
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
        if request.path.startswith(ADMIN) and request.user.is_authenticated and _MARKS not in session:
            begin(session, request.user, now=now)  # became staff after the log-in
        return self._get_response(request)
