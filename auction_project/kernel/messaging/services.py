"""Services of dead letters: each is kept when it comes in; an operator replays or dismisses it."""

from datetime import datetime

from django.db import transaction

from auction_project.kernel import contracts, errors, logs
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import dead_letters, models, selectors

ALIAS = "default"

log = logs.get(__name__)


class NotReplayable(errors.Conflict):
    """This message cannot be replayed: its origin is unknown, or only its beginning was kept."""


class AlreadyDismissed(errors.Conflict):
    """This dead letter is dismissed already."""


def record_dead_letter(*, dead_letter: dead_letters.DeadLetter) -> models.DeadLetter:
    """Keep `dead_letter` in the list: one row for each message and group, however often it comes."""
    event_type, event_id = _event_of(dead_letter)
    row: models.DeadLetter
    with transaction.atomic(using=ALIAS):
        row, is_new = models.DeadLetter.objects.select_for_update().get_or_create(
            digest=dead_letter.digest,
            defaults={
                "topic": _text(dead_letter.topic),
                "key": _text(dead_letter.key),
                "group": _text(dead_letter.group),
                "event_type": event_type,
                "event_id": event_id,
                "partition": dead_letter.partition,
                "position": _text(dead_letter.position),
                "error": _text(dead_letter.error),
                "attempts": dead_letter.attempts,
                "first_at": dead_letter.at,
                "last_at": dead_letter.at,
                "value": dead_letter.value,
                "whole_bytes": dead_letter.whole_bytes,
            },
        )
        if not is_new:
            row.come_back(dead_letter)
    return row


def replay_dead_letter(
    *, dead_letter_id: int, by: str, reason: str, now: datetime, transport: brokers.Broker
) -> models.DeadLetter:
    """Send the original bytes to their topic and key again. Who replays it, and why, is stored first.

    Every group gets the message; those that have handled it recognise it. Raises errors.NotFound, errors.Invalid for a
    reason that is empty or too long, NotReplayable, errors.Unavailable (the message may have been sent all the same).
    """
    reason = _reason(reason)
    row = selectors.get_dead_letter(dead_letter_id)
    if not row.is_replayable:
        raise NotReplayable
    with transaction.atomic(using=ALIAS):
        replay = row.begin_replay(by=by, reason=reason, now=now)
    transport.append([brokers.Message(row.topic, row.key, bytes(row.value))])
    with transaction.atomic(using=ALIAS):
        row.end_replay(replay, now=now)
    log.warning(
        "dead_letter_replayed", topic=row.topic, key=row.key, event_id=row.event_id, by=by, reason=reason
    )
    return selectors.get_dead_letter(dead_letter_id)


def dismiss_dead_letter(*, dead_letter_id: int, by: str, reason: str, now: datetime) -> models.DeadLetter:
    """Close a dead letter that needs no more attention. Who dismissed it, and why, is stored.

    If its group gives up on the same message once more, the dead letter waits again. Raises errors.NotFound,
    errors.Invalid for a reason that is empty or too long, AlreadyDismissed.
    """
    reason = _reason(reason)
    with transaction.atomic(using=ALIAS):
        row = selectors.get_dead_letter(dead_letter_id, locked=True)
        if row.is_dismissed:
            raise AlreadyDismissed
        row.dismiss(by=by, reason=reason, now=now)
    log.warning(
        "dead_letter_dismissed", topic=row.topic, key=row.key, event_id=row.event_id, by=by, reason=reason
    )
    return row


def _reason(text: str) -> str:
    """The reason, trimmed. Raises errors.Invalid."""
    reason = text.strip()
    if not reason or len(reason) > models.MAX_REASON_CHARACTERS:
        raise errors.Invalid(
            f"Give a reason of 1 to {models.MAX_REASON_CHARACTERS} characters.", field="reason"
        )
    return reason


def _event_of(dead_letter: dead_letters.DeadLetter) -> tuple[str, str]:
    """Type and id of the event in it; empty if the message is no event."""
    try:
        envelope = contracts.decode_envelope(dead_letter.value)
    except contracts.Undecodable:
        return "", ""
    return _text(envelope.type), _text(envelope.id)


def _text(text: str) -> str:
    """The text with each NUL escaped, because PostgreSQL refuses NUL."""
    return text.replace("\0", "\\0")
