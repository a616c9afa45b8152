"""What is done with dead letters: kept when they come in, replayed or dismissed when an operator says so."""

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


def record_dead_letter(*, letter: dead_letters.Letter) -> models.DeadLetter:
    """Keep `letter`; one row for each message and group, however often it comes."""
    event_type, event_id = _event_of(letter)
    row: models.DeadLetter
    with transaction.atomic(using=ALIAS):
        row, is_new = models.DeadLetter.objects.select_for_update().get_or_create(
            digest=letter.digest,
            defaults={
                "topic": _text(letter.topic),
                "key": _text(letter.key),
                "group": _text(letter.group),
                "event_type": event_type,
                "event_id": event_id,
                "partition": letter.partition,
                "position": _text(letter.position),
                "error": _text(letter.error),
                "attempts": letter.attempts,
                "first_at": letter.at,
                "last_at": letter.at,
                "value": letter.value,
                "whole_bytes": letter.whole_bytes,
            },
        )
        if not is_new:
            row.come_back(letter)
    return row


def replay_dead_letter(
    *, dead_letter_id: int, by: str, reason: str, now: datetime, transport: brokers.Broker
) -> models.DeadLetter:
    """Send the original bytes to their topic and key again; who asked and why is kept first.

    Every group gets it; those that have dealt with it recognise it. Raises errors.NotFound, errors.Invalid,
    NotReplayable, errors.Unavailable (then it may have been sent all the same).
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
    """Close a letter that needs no more attention, whatever it is; who dismissed it and why is kept.

    If its consumer gives up on the same message once more, the letter waits again. Raises errors.NotFound,
    errors.Invalid, AlreadyDismissed.
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


def _reason(given: str) -> str:
    """The reason, trimmed. Raises errors.Invalid."""
    reason = given.strip()
    if not reason or len(reason) > models.MAX_REASON_CHARACTERS:
        raise errors.Invalid(
            f"Give a reason of 1 to {models.MAX_REASON_CHARACTERS} characters.", field="reason"
        )
    return reason


def _event_of(letter: dead_letters.Letter) -> tuple[str, str]:
    """Type and id of the event in it; nothing where it is none."""
    try:
        envelope = contracts.decode_envelope(letter.value)
    except contracts.Undecodable:
        return "", ""
    return _text(envelope.type), _text(envelope.id)


def _text(text: str) -> str:
    """PostgreSQL keeps no NUL in a text."""
    return text.replace("\0", "\\0")
