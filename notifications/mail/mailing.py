"""From an Email row to Django's mail backend, at most once for each notification.

The row is claimed (SENDING, committed) before the mail server is contacted, see Note [At most once]. A failure before the
connection is open has sent nothing, so the row goes back to PENDING, as it does when the server asks to try later. A
refusal of the server is REFUSED; any other failure is UNKNOWN.

DROPPED is an e-mail whose news is out of date, or that could not go for KEEP_TRYING because the address is not verified or
the server is down: old news is of no use, and the feed has it.
"""

import math
import smtplib
from datetime import datetime, timedelta

from django.conf import settings
from django.core import mail
from django.template import loader

from auction_project.kernel import failpoints, instants, logs
from notifications import kinds, metrics, models, selectors, wording

FIRST_SWEEP = timedelta(seconds=30)  # after the notification: the dispatched task comes first
PAUSE = timedelta(minutes=1)  # between two tries
SENDING_TAKES = timedelta(minutes=5)  # at most; then the sender has died
KEEP_TRYING = timedelta(hours=24)
SWEPT_AT_ONCE = 500

log = logs.get(__name__)


def send_email(*, email_id: int, now: datetime) -> models.EmailState:
    """Send one e-mail if it is PENDING and may go; its state afterwards. Raises models.Email.DoesNotExist."""
    email = models.Email.objects.select_related("notification").get(pk=email_id)
    if email.state != models.EmailState.PENDING:
        return models.EmailState(email.state)
    if now - email.created_at >= KEEP_TRYING:
        return _drop(email, email.reason or "no verified address")
    if _is_overtaken(email.notification, now):
        return _drop(email, "overtaken: the auction has ended")
    account = models.Account.objects.filter(pk=email.notification.user_id).first()
    address = account.address if account else None
    if address is None:
        return models.EmailState.PENDING
    if not models.Email.move(
        email_id, models.EmailState.PENDING, models.EmailState.SENDING, due_at=now + SENDING_TAKES
    ):
        return models.EmailState.SENDING
    failpoints.reach("send_email.after_claim")
    state, reason = _hand_over(compose(email.notification, address))
    failpoints.reach("send_email.after_effect")
    models.Email.move(email_id, models.EmailState.SENDING, state, due_at=now + PAUSE, reason=reason)
    metrics.emails.labels(state.lower()).inc()
    log.info("email", email_id=email_id, state=state.value, kind=email.notification.kind, reason=reason)
    return state


def sweep(*, now: datetime) -> list[int]:
    """The e-mails to send now, at most SWEPT_AT_ONCE: those PENDING and due. Each is due again after PAUSE.

    Makes those UNKNOWN that have been SENDING for too long.
    """
    for email_id in selectors.list_due_emails(state=models.EmailState.SENDING, now=now, limit=SWEPT_AT_ONCE):
        if models.Email.move(
            email_id,
            models.EmailState.SENDING,
            models.EmailState.UNKNOWN,
            reason="the sender died while sending",
        ):
            metrics.emails.labels("unknown").inc()
            log.warning("email_unknown", email_id=email_id)
    due = selectors.list_due_emails(state=models.EmailState.PENDING, now=now, limit=SWEPT_AT_ONCE)
    return [
        email_id
        for email_id in due
        if models.Email.objects.filter(pk=email_id, state=models.EmailState.PENDING, due_at__lte=now).update(
            due_at=now + PAUSE
        )
    ]


def compose(notification: models.Notification, address: str) -> mail.EmailMessage:
    """The e-mail about `notification`. Its Message-ID is the same each time."""
    figures = wording.public(notification.data)
    kind = kinds.of(notification.kind)
    headline = kind.text_of(figures)
    context = {
        "headline": headline,
        "because": " or ".join(audience.value for audience in kind.audience),
        "figures": figures,
        "reason": wording.reason(str(figures.get("reason", ""))),
        "money": wording.amounts(figures),
        "site": settings.PUBLIC_URL.rstrip("/"),
    }
    body = loader.render_to_string(f"notifications/email/{kind.template}", context)
    message_id = (
        f"<notification-{notification.pk}@{settings.PUBLIC_URL.partition('://')[2].partition('/')[0]}>"
    )
    return mail.EmailMessage(subject=headline, body=body, to=[address], headers={"Message-ID": message_id})


def _hand_over(message: mail.EmailMessage) -> tuple[models.EmailState, str]:
    connection = mail.get_connection()
    try:
        connection.open()
    except Exception as error:
        return models.EmailState.PENDING, repr(error)
    try:
        connection.send_messages([message])
    except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
        return models.EmailState.PENDING if _is_temporary(error) else models.EmailState.REFUSED, repr(error)
    except Exception as error:
        log.exception("email_unknown", error=repr(error))
        return models.EmailState.UNKNOWN, repr(error)
    finally:
        connection.close()
    return models.EmailState.SENT, ""


def _is_temporary(error: smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused) -> bool:
    """Whether the server asks to try again later: its codes 400 to 499 (RFC 5321, section 4.2.1)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        return bool(codes) and all(400 <= code < 500 for code in codes)
    return 400 <= error.smtp_code < 500


def _is_overtaken(notification: models.Notification, now: datetime) -> bool:
    """Whether the notification advises to bid again, and the auction has ended."""
    if kinds.of(notification.kind).mailed is not kinds.Mailed.ONCE_A_LOT:
        return False
    return bool(notification.data.get("ends_at", math.inf) <= instants.of(now))


def _drop(email: models.Email, reason: str) -> models.EmailState:
    if models.Email.move(email.pk, models.EmailState.PENDING, models.EmailState.DROPPED, reason=reason):
        metrics.emails.labels("dropped").inc()
    return models.EmailState.DROPPED
