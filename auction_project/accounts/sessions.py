"""The ends of sessions. SessionEnded is published in the transaction that deletes a session, so that the streams of the
session end, too. A session that expires publishes nothing, because nothing runs at that moment.
"""

from collections.abc import Collection
from datetime import datetime

from allauth.usersessions import adapter
from allauth.usersessions import models as allauth_models
from django.contrib.sessions import models as session_models
from django.db import transaction
from django.utils import timezone

from auction_project.accounts import metrics, models
from auction_project.kernel import ids, logs
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import outbox

MAX_SESSIONS = 20  # of one account; one more ends the oldest
MAX_DIGITS = 18  # of a session's number: what fits the database's type

log = logs.get(__name__)


def end(*, user_id: str, session_keys: Collection[str], reason: str, now: datetime) -> None:
    """End these sessions of the account; one that has ended already is published again. `reason` is for log and
    metrics.
    """
    if not session_keys:
        return
    with transaction.atomic(using=models.DATABASE):
        session_models.Session.objects.filter(pk__in=session_keys).delete()
        allauth_models.UserSession.objects.filter(session_key__in=session_keys).delete()
        for key in session_keys:
            event = events.SessionEnded(user_id=user_id, session_id=ids.session_id(key))
            outbox.publish(models.Outbox, event, now=now)
    metrics.SESSIONS_ENDED.labels(reason).inc(len(session_keys))
    log.info("sessions_ended", user_id=user_id, sessions=len(session_keys), reason=reason)


def end_all(*, user_id: str, reason: str, now: datetime, but: str | None = None) -> None:
    """End every session of the account, except for the one with the key `but`."""
    end(
        user_id=user_id,
        session_keys=[key for key in list_keys(user_id) if key != but],
        reason=reason,
        now=now,
    )


def end_oldest(*, user_id: str, now: datetime) -> None:
    """Keep the account's newest MAX_SESSIONS sessions."""
    end(user_id=user_id, session_keys=list_keys(user_id)[MAX_SESSIONS:], reason="too_many", now=now)


def key_of(*, user_id: str, number: str) -> str:
    """The key of the account's session with this number in the list; empty if the account has none."""
    if not number.isdecimal() or len(number) > MAX_DIGITS:
        return ""
    rows = allauth_models.UserSession.objects.filter(user_id=user_id, pk=int(number))
    return rows.values_list("session_key", flat=True).first() or ""


def list_keys(user_id: str) -> list[str]:
    """The keys of the account's sessions, the newest first."""
    rows = allauth_models.UserSession.objects.filter(user_id=user_id).order_by("-created_at", "-pk")
    return list(rows.values_list("session_key", flat=True))


class SessionsAdapter(adapter.DefaultUserSessionsAdapter):
    """Ends the sessions that a user names in allauth's API for programs."""

    def end_sessions(self, sessions: Collection[allauth_models.UserSession]) -> None:
        for session in sessions:
            end(
                user_id=session.user_id,
                session_keys=[session.session_key],
                reason="ended_in_list",
                now=timezone.now(),
            )
