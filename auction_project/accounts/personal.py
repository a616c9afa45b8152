"""Personal data: its export, its erasure, and the record of who looked at it.

Erasure deletes all by which accounts recognises the person: the address, the password, roles, sessions, devices. The id
stays, because orders must be kept for the books, and the bid log holds aliases and commitments only. The other apps follow by
AccountChanged: they overwrite their copies of the address and mail nothing any more.
"""

from datetime import datetime
from typing import Any

from allauth.account import adapter as allauth_adapter
from allauth.account import models as allauth_models
from allauth.mfa import models as mfa_models
from allauth.usersessions import models as usersession_models
from django.core import exceptions
from django.db import transaction

from auction_project.accounts import limits, models, sessions
from auction_project.kernel import errors, logs
from auction_project.kernel.messaging import outbox

MAX_ROWS = 1_000  # of each list in an export, the newest

_BY_THE_OWNER = "Asked for by the owner of the account."

log = logs.get(__name__)


class WrongPassword(errors.Forbidden):
    """Wrong password."""

    remedy = "Send the password of the account."


class StaffAccount(errors.Conflict):
    """This account works for the auction house. A superuser must take its roles and its admin access first."""


class AlreadyErased(errors.Conflict):
    """This account is erased already."""


def export(user: models.User) -> dict[str, Any]:
    """Everything that accounts holds about the person, as JSON values (see `schemas.PersonalData`), but not who acted
    or looked. Security notices that wait are left out, because they reach the person by mail.
    """
    addresses = allauth_models.EmailAddress.objects.filter(user=user).order_by("pk")
    devices = usersession_models.UserSession.objects.filter(user=user).order_by("-pk")
    looks = models.PersonalDataView.objects.filter(subject=user.pk)
    return {
        "account": {
            "id": user.pk,
            "email": user.email,
            "email_verified": user.email_verified,
            "state": user.state,
            "roles": list(user.roles),
            "created_at": user.date_joined.isoformat(),
            "last_sign_in_at": user.last_login.isoformat() if user.last_login else None,
        },
        "addresses": [
            {"email": row.email, "verified": row.verified, "primary": row.primary} for row in addresses
        ],
        "sessions": [
            {"ip": row.ip, "program": row.user_agent, "signed_in_at": row.created_at.isoformat()}
            for row in devices[:MAX_ROWS]
        ],
        "second_factor": [
            {"kind": row.type, "set_up_at": row.created_at.isoformat()}
            for row in mfa_models.Authenticator.objects.filter(user=user).order_by("pk")
        ],
        "devices_and_networks": [
            {
                "kind": row.kind,
                "hash": row.hash,
                "first_seen_at": row.first_seen_at.isoformat(),
                "last_seen_at": row.last_seen_at.isoformat(),
            }
            for row in user.sightings.all()[:MAX_ROWS]
        ],
        "history": [
            {"at": row.at.isoformat(), "what": row.act, "detail": row.detail, "reason": row.reason}
            for row in user.actions.all()[:MAX_ROWS]
        ],
        "looked_at_by_the_auction_house": [
            {"at": row.at.isoformat(), "page": row.page} for row in looks[:MAX_ROWS]
        ],
        "elsewhere": {
            "orders": "/api/v1/orders",
            "bids": "/api/v1/bids/mine",
            "card": "/api/v1/card",
            "addresses": "/api/v1/addresses",
            "notifications": "/api/v1/notifications",
            "searches": "/api/v1/searches",
        },
    }


def erase_own(*, user: models.User, password: str, now: datetime) -> None:
    """Erase the account of `user`, who asks for it with their password. Raises WrongPassword, TooOften, StaffAccount, AlreadyErased."""
    try:
        is_right = allauth_adapter.get_adapter().reauthenticate(user, password)
    except exceptions.ValidationError as error:  # too many wrong ones, here or at the log-in
        raise errors.TooOften(**limits.figures_of("login_failed")) from error
    if not is_right:
        raise WrongPassword(field="password")
    erase(user_id=user.pk, reason=_BY_THE_OWNER, actor=user.pk, now=now)


def erase(*, user_id: str, reason: str, actor: str, now: datetime) -> None:
    """Close the account and delete the personal data in it. Raises AccountNotFound, StaffAccount, AlreadyErased."""
    with transaction.atomic(using=models.DATABASE):
        user = models.User.objects.lock(user_id)
        if user.is_colleague:
            raise StaffAccount
        if user.is_erased:
            raise AlreadyErased
        sessions.end_all(user_id=user.pk, reason="erased", now=now)
        allauth_models.EmailAddress.objects.filter(user=user).delete()
        mfa_models.Authenticator.objects.filter(user=user).delete()
        models.Notice.objects.filter(user=user).delete()
        user.sightings.all().delete()
        user.erase()
        models.AccountAction.record(
            user=user, act=models.Act.ERASED, detail="", reason=reason, actor=actor, now=now
        )
        event = user.bump_version()
        outbox.publish(models.Outbox, event, now=now, version=event.version)
    log.info("account_erased", user_id=user_id, actor=actor)


def record_look(*, actor: str, page: str, subject: str = "", query: str = "", now: datetime) -> None:
    """Store who looks at whose data. Call it before the data is shown."""
    models.PersonalDataView.objects.create(
        actor=actor, page=page, subject=subject[:32], query=query[: models.MAX_QUERY_CHARACTERS], at=now
    )
