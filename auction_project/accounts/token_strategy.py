"""The tokens of allauth's headless API: its JWT strategy with our claims. `auction_project.kernel.tokens` verifies
them.

allauth adds sub, iat, exp, jti, sid and token_use. The account is read anew each time, so a suspended or closed account
gets no token, and changed roles are in the next one.

A refresh token is valid once and ends with its session. A repeat within RETRY_SECONDS gets the same successor, because
the first answer may have been lost. A later repeat, or one after the successor was used, shows that two parties have
the token: the session ends, and with it every token that came from it.
"""

from datetime import datetime
from typing import Any

from allauth.headless.internal import sessionkit
from allauth.headless.tokens.strategies import jwt
from allauth.headless.tokens.strategies.jwt import internal
from django.contrib.sessions import models as session_models
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from auction_project.accounts import headless, metrics, models, second_factor, selectors, sessions, staff
from auction_project.kernel import logs

RETRY_SECONDS = 10
MAX_REFRESH_TOKENS = 20  # of one session; one more ends the oldest
_SUCCESSORS = (
    "refreshed"  # in the session: {jti of a used token: [when, in seconds since the epoch, its successor]}
)

log = logs.get(__name__)


class AccessTokenStrategy(jwt.JWTTokenStrategy):
    """allauth's hooks, by which it creates and refreshes tokens."""

    def create_access_token(self, request: HttpRequest) -> str | None:
        return _access_token(request.user, request.session) if request.user.is_active else None

    def create_access_token_payload(self, request: HttpRequest) -> dict[str, Any] | None:
        payload = super().create_access_token_payload(request)
        if payload is not None:
            _forget_oldest(request.session)
        return payload

    def refresh_token(self, refresh_token: str) -> tuple[str, str]:
        """The next access token and refresh token. Raises RefreshTokenInvalid."""
        payload = internal.decode_token(refresh_token, "refresh")
        session_key = internal.session_key_from_sid(payload["sid"]) if payload else None
        pair, outcome = None, "invalid"
        if payload and session_key:
            with transaction.atomic(using=models.DATABASE):
                _lock(session_key)
                pair, outcome = _refresh(session_key, refresh_token, payload, now=timezone.now())
        metrics.REFRESHES.labels(outcome).inc()
        if pair is None:
            raise headless.RefreshTokenInvalid(field="refresh_token")
        return pair


def _lock(session_key: str) -> None:
    """Let one refresh of a session run at a time, because two at once must not get two successors."""
    session_models.Session.objects.select_for_update().filter(pk=session_key).values_list("pk").first()


def _refresh(
    session_key: str, refresh_token: str, payload: dict[str, Any], *, now: datetime
) -> tuple[tuple[str, str] | None, str]:
    """The next pair of tokens, if there is one, and the outcome for the metrics."""
    session = sessionkit.lookup_session(session_key)
    user = internal.validate_token_user(payload, session) if session is not None else None
    if session is None or user is None:
        return None, "invalid"
    if staff.is_over(session, now=now):
        sessions.end(user_id=user.pk, session_keys=[session_key], reason="staff_session_over", now=now)
        return None, "invalid"
    # Tokens that can still be repeated: used lately, with an unused successor.
    successors = {
        used: (at, successor)
        for used, (at, successor) in session.get(_SUCCESSORS, {}).items()
        if at > now.timestamp() - RETRY_SECONDS and successor != refresh_token
    }
    jti = payload["jti"]
    if jti in successors:
        return (_access_token(user, session), successors[jti][1]), "repeated"
    if jti not in internal.get_refresh_token_state(session):
        log.warning("refresh_token_reused", user_id=user.pk)
        sessions.end(user_id=user.pk, session_keys=[session_key], reason="refresh_reused", now=now)
        return None, "reused"
    internal.invalidate_refresh_token(session, payload)
    successor = internal.create_refresh_token(user, session)
    session[_SUCCESSORS] = successors | {jti: (now.timestamp(), successor)}
    _forget_oldest(session)
    staff.see(session, now=now)
    session.save()
    return (_access_token(user, session), successor), "rotated"


def _access_token(user: Any, session: SessionBase) -> str:
    """Without the second factor it has no role of staff, or a stolen password would do an operator's work."""
    claims = selectors.get_claims(user, session.session_key)
    if models.OPERATOR in claims["roles"] and second_factor.is_missing(session, user):
        claims["roles"].remove(models.OPERATOR)
    return internal.create_access_token(user, session, claims)


def _forget_oldest(session: SessionBase) -> None:
    """Keep the newest refresh tokens, because each answer to a program that is signed in holds a new one."""
    state = internal.get_refresh_token_state(session)
    for jti in list(state)[:-MAX_REFRESH_TOKENS]:
        del state[jti]
