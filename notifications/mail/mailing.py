"""From Email rows to Django's mail backend, at most once for each notification.

A row is claimed (SENDING, committed) before the mail server is contacted, see Note [At most once]. A failure before the
connection is open has sent nothing, so the row goes back to PENDING, as it does when the server asks to try later. A
refusal of the server is REFUSED; any other failure is UNKNOWN.

DROPPED is an e-mail whose news is out of date, or that could not go for KEEP_TRYING because the address is not verified or
the server is down: old news is of no use, and the feed has it. An e-mail without an address is not due before it is
dropped; the address makes it due.
"""

import contextlib
import math
import smtplib
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from django.conf import settings
from django.core import mail
from django.template import loader

from auction_project.kernel import failpoints, instants, logs, reasons, tracing
from notifications import kinds, metrics, models, selectors, traces, wording

FIRST_SWEEP = timedelta(seconds=30)  # after the notification: the dispatched task comes first
PAUSE = timedelta(minutes=1)  # between two tries, at least; later ones are half of the e-mail's age apart
SENDING_TAKES = timedelta(minutes=5)  # at most; then the sender has died
KEEP_TRYING = timedelta(hours=24)
SWEPT_AT_ONCE = 500
CLAIMED_AT_ONCE = 10  # all of them are in doubt if their sender dies

log = logs.get(__name__)


class _Letter(msgspec.Struct, frozen=True):
    email: models.Email
    message: mail.EmailMessage


def send_emails(
    *, correlation_ids: Mapping[int, str], now: datetime, deadline: float = math.inf
) -> dict[int, str]:
    """Send those of the e-mails that are PENDING and may go, over one connection. Each comes with its correlation id.

    Returns those that are left when time.monotonic() has passed `deadline`.
    """
    letters = _write(correlation_ids, now)
    with contextlib.closing(_Server()) as server:
        for start in range(0, len(letters), CLAIMED_AT_ONCE):
            if time.monotonic() > deadline:
                return {letter.email.pk: correlation_ids[letter.email.pk] for letter in letters[start:]}
            if server.unreachable:
                break  # the sweep tries the others later
            began = time.time()
            changes = _send(server, letters[start : start + CLAIMED_AT_ONCE], now)
            if tracing.is_on:
                traces.record_emails(changes, began=began)
            for change in changes:
                with logs.bound(correlation_id=correlation_ids[change.email.pk]):
                    _tell(change)
    return {}


def sweep(*, now: datetime) -> list[int]:
    """The e-mails to send now, at most SWEPT_AT_ONCE: those PENDING and due. Each is due again after PAUSE.

    Makes those UNKNOWN that have been SENDING for too long.
    """
    lost = selectors.list_due_emails(state=models.EmailState.SENDING, now=now, limit=SWEPT_AT_ONCE)
    for change in models.Email.apply(
        [
            models.Change(email, models.EmailState.UNKNOWN, now, "the sender died while sending")
            for email in lost
        ]
    ):
        _tell(change)
    due = selectors.list_due_emails(state=models.EmailState.PENDING, now=now, limit=SWEPT_AT_ONCE)
    queued = models.Email.apply(
        [models.Change(email, models.EmailState.PENDING, now + PAUSE, email.reason) for email in due]
    )
    return [change.email.pk for change in queued]


def _write(email_ids: Collection[int], now: datetime) -> list[_Letter]:
    """A letter for each of the e-mails that is PENDING and may go. The others are dropped, or wait."""
    emails = selectors.list_pending_emails(email_ids)
    addresses = selectors.addresses_of({email.notification.user_id for email in emails})
    letters, changes = [], []
    for email in emails:
        address = addresses.get(email.notification.user_id)
        if now - email.created_at >= KEEP_TRYING:
            changes.append(
                _drop(email, now, email.reason or ("too old" if address else "no verified address"))
            )
        elif _is_overtaken(email.notification, now):
            changes.append(_drop(email, now, "overtaken: the auction has ended"))
        elif address is None:
            changes.append(models.Change(email, models.EmailState.PENDING, email.created_at + KEEP_TRYING))
        else:
            try:
                letters.append(_Letter(email, compose(email.notification, address)))
            except Exception as error:
                log.exception("email_not_composed", email_id=email.pk, kind=email.notification.kind)
                changes.append(_try_later(email, now, repr(error)))
    for change in models.Email.apply(changes):
        if change.state is models.EmailState.DROPPED:
            _tell(change)
    return letters


def _send(server: "_Server", letters: Sequence[_Letter], now: datetime) -> list[models.Change]:
    """Claim the letters, hand over those that were claimed, and record what became of each."""
    messages = {letter.email.pk: letter.message for letter in letters}
    claimed = models.Email.apply(
        [models.Change(letter.email, models.EmailState.SENDING, now + SENDING_TAKES) for letter in letters]
    )
    failpoints.reach("send_email.after_claim")
    outcomes = []
    for change in claimed:
        state, reason = server.hand_over(messages[change.email.pk])
        if state is models.EmailState.PENDING:
            outcomes.append(_try_later(change.email, now, reason))
        else:
            outcomes.append(models.Change(change.email, state, now, reason))
    failpoints.reach("send_email.after_effect")
    return models.Email.apply(outcomes)


class _Server:
    """One connection to the mail server, opened with the first message and again after an error.

    `unreachable`: it could not be opened, and is not tried again.
    """

    def __init__(self) -> None:
        self._backend = mail.get_connection()
        self.unreachable = ""

    def hand_over(self, message: mail.EmailMessage) -> tuple[models.EmailState, str]:
        """What became of the message, and why it was not sent."""
        if self.unreachable:
            return models.EmailState.PENDING, self.unreachable
        try:
            self._backend.open()
        except Exception as error:
            self.unreachable = repr(error)
            return models.EmailState.PENDING, self.unreachable
        try:
            self._backend.send_messages([message])
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            self.close()
            return models.EmailState.PENDING if _is_temporary(error) else models.EmailState.REFUSED, repr(
                error
            )
        except Exception as error:
            self.close()
            log.exception("email_unknown", error=repr(error))
            return models.EmailState.UNKNOWN, repr(error)
        return models.EmailState.SENT, ""

    def close(self) -> None:
        with contextlib.suppress(Exception):  # what it has taken is sent
            self._backend.close()


def compose(notification: models.Notification, address: str) -> mail.EmailMessage:
    """The e-mail about `notification`. Its Message-ID is the same each time."""
    figures = wording.public(notification.data)
    kind = kinds.of(notification.kind)
    headline = kind.text_of(figures)
    context = {
        "headline": headline,
        "because": " or ".join(audience.value for audience in kind.audience),
        "figures": figures,
        "reason": reasons.in_words(str(figures.get("reason", ""))),
        "money": wording.amounts(figures),
        "site": settings.PUBLIC_URL.rstrip("/"),
    }
    body = loader.render_to_string(f"notifications/email/{kind.template}", context)
    message_id = (
        f"<notification-{notification.pk}@{settings.PUBLIC_URL.partition('://')[2].partition('/')[0]}>"
    )
    return mail.EmailMessage(subject=headline, body=body, to=[address], headers={"Message-ID": message_id})


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


def _drop(email: models.Email, now: datetime, reason: str) -> models.Change:
    return models.Change(email, models.EmailState.DROPPED, now, reason)


def _try_later(email: models.Email, now: datetime, reason: str) -> models.Change:
    pause = max(PAUSE, (now - email.created_at) / 2)
    return models.Change(email, models.EmailState.PENDING, now + pause, reason)


def _tell(change: models.Change) -> None:
    metrics.emails.labels(change.state.lower()).inc()
    report = log.warning if change.state is models.EmailState.UNKNOWN else log.info
    report("email", email_id=change.email.pk, state=change.state.value, reason=change.reason)
