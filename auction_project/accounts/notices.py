"""Security notices: the mails that tell the owner of an account about a new password, address or second factor.

A notice is a row that is written in the transaction of its change, so that no change goes unreported. It is mailed
right after the commit, and the sweep sends what did not leave then. The row is deleted once the mail server has taken
the mail: a process that dies between the two leaves a notice that is sent twice, because twice is better than never.

allauth calls for most notices after the change has committed. So `services.change_password` and the flows in `_FLOWS`
write theirs with the change, and the adapter ignores the later calls for them (WRITTEN_WITH_THE_CHANGE). `install` also
makes one transaction of the removal of an address and its notice, and lets the adapter know which password is a reset.
"""

import functools
import smtplib
from collections.abc import Callable
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

from allauth.account import adapter as allauth_adapter
from allauth.account.internal.flows import manage_email, password_reset
from allauth.mfa.recovery_codes.internal import flows as recovery_code_flows
from allauth.mfa.totp.internal import flows as totp_flows
from django.contrib.auth.management.commands import changepassword
from django.core.management.base import CommandError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from auction_project.accounts import models
from auction_project.kernel import errors, logs
from auction_project.kernel.messaging import transactions

FIRST_PAUSE = timedelta(minutes=1)
KEEP_TRYING = timedelta(days=3)
SENT_AT_ONCE = 100  # by one sweep
SWEEP_TIME = timedelta(seconds=20)
_REFUSED = (
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPResponseException,
)  # the server's word about this one mail

PASSWORD_CHANGED = "account/email/password_changed"  # noqa: S105 - templates, no secrets
PASSWORD_RESET = "account/email/password_reset"  # noqa: S105
PASSWORD_SET = "account/email/password_set"  # noqa: S105
PASSWORD_SET_BY_STAFF = "account/email/password_set_by_staff"  # noqa: S105
_FLOWS: tuple[tuple[ModuleType, str, str], ...] = (
    (totp_flows, "activate_totp", "mfa/email/totp_activated"),
    (totp_flows, "deactivate_totp", "mfa/email/totp_deactivated"),
    (recovery_code_flows, "generate_recovery_codes", "mfa/email/recovery_codes_generated"),
)
WRITTEN_WITH_THE_CHANGE = frozenset(
    {PASSWORD_CHANGED, PASSWORD_RESET, PASSWORD_SET, *(template for _, _, template in _FLOWS)}
)

log = logs.get(__name__)


def install() -> None:
    """Have allauth's flows write their notices in the transaction of the change, and refuse `manage.py changepassword`,
    which writes none."""
    for module, name, template in _FLOWS:
        setattr(module, name, _with_notice(getattr(module, name), template))
    manage_email.delete_email = transaction.atomic(using=models.DATABASE)(manage_email.delete_email)
    password_reset.reset_password = _reset_password
    changepassword.Command.handle = _refuse_changepassword


def write(
    *,
    user: models.User,
    template: str,
    ip: str,
    now: datetime,
    email: str = "",
    figures: dict[str, Any] | None = None,
) -> None:
    """Write a notice with the transaction that is open, and mail it after the commit.

    `template` is the prefix of allauth's templates, `ip` the address that the change came from, `figures` what else the
    template shows (JSON values). Without `email` the notice goes to the address of the account.
    """
    with transaction.atomic(using=models.DATABASE):
        notice = models.Notice.objects.create(
            user=user,
            template=template,
            email=email or user.email,
            context={**(figures or {}), "ip": ip},
            created_at=now,
            due_at=now,
        )
        transactions.after_commit(
            functools.partial(send, notice_id=notice.pk, now=now), using=models.DATABASE
        )


def send(*, notice_id: int, now: datetime) -> bool:
    """Mail one notice if it is due; False when the mail server does not answer. No transaction is open meanwhile.

    Moving `due_at` is the claim: another sender finds the notice not due. Each pause is as long as the notice is old, so
    that the tries follow after 1, 2, 4, … minutes, and the last one after KEEP_TRYING. This holds for every kind of failure.
    """
    due = models.Notice.objects.filter(pk=notice_id, due_at__lte=now)
    notice = due.first()
    if notice is None:
        return True
    age = now - notice.created_at
    if not due.update(due_at=now + max(FIRST_PAUSE, min(age, KEEP_TRYING - age))):
        return True
    context = {**notice.context, "timestamp": notice.created_at}
    try:
        allauth_adapter.get_adapter().deliver(notice.template, notice.email, context)
    except Exception as error:
        is_unavailable = isinstance(error, errors.Unavailable)
        if not is_unavailable:
            log.exception("security_notice_failed", template=notice.template, user_id=notice.user_id)
        if age >= KEEP_TRYING:
            log.error("security_notice_dropped", template=notice.template, user_id=notice.user_id)
            notice.delete()
        return not is_unavailable or isinstance(error.__cause__, _REFUSED)
    notice.delete()
    return True


def sweep(*, clock: Callable[[], datetime]) -> None:
    """Mail the notices that are due, the oldest first, for SWEEP_TIME at most: a worker's task must not take longer. A
    mail that the server refuses holds up no other; a server that does not answer ends the sweep."""
    until = clock() + SWEEP_TIME
    due = models.Notice.objects.filter(due_at__lte=clock()).order_by("pk").values_list("pk", flat=True)
    for notice_id in list(due[:SENT_AT_ONCE]):
        now = clock()
        if now >= until or not send(notice_id=notice_id, now=now):
            return


def _reset_password(user: models.User, password: str) -> None:
    """In place of allauth's function, which calls `set_password`, as a change does."""
    allauth_adapter.get_adapter().reset_password(user, password)


def _refuse_changepassword(*_: object, **__: object) -> None:
    raise CommandError("Use: manage.py create_account --email YOU@EXAMPLE.ORG")


def _with_notice(flow: Callable[..., Any], template: str) -> Callable[..., Any]:
    @functools.wraps(flow)
    def flow_with_notice(request: HttpRequest, *arguments: Any) -> Any:
        with transaction.atomic(using=models.DATABASE):
            result = flow(request, *arguments)
            ip = allauth_adapter.get_adapter().get_client_ip(request)
            write(user=request.user, template=template, ip=ip, now=timezone.now())
        return result

    return flow_with_notice
