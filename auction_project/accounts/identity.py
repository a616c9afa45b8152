"""The digital identity of an account: the devices and networks that it has signed in from. The other apps follow by DeviceSeen.

A device is what its cookie names (see `devices`), a network what is around the client's address. Both are stored and published
as keyed hashes alone: equal hashes show that it is the same one, and nothing leads back to it without SECRET_KEY. A program
without the cookie is recognised by its network together with its account, so no two accounts share that device.

An account keeps MAX_KEPT sightings of each kind, its first one always: otherwise many log-ins would make an old account look as
if it had no past.
"""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import crypto

from auction_project.accounts import models
from auction_project.kernel import instants
from auction_project.kernel.contracts import events
from auction_project.kernel.http import addresses
from auction_project.kernel.messaging import outbox

MAX_KEPT = 50  # of each kind and account; one more drops that which was seen least recently
_SALT = "accounts.identity"
_HASH_CHARACTERS = 32

_Kind = models.Sighting.Kind


def record_sign_in(*, user_id: str, device: str, address: str, now: datetime) -> None:
    """Store that the account signed in from `device` (its id, or empty) at `address`, and publish it. Raises AccountNotFound."""
    network = addresses.neighbourhood_of(address)
    with transaction.atomic(using=models.DATABASE):
        models.User.objects.lock(user_id)
        at = _see(user_id, _Kind.NETWORK, network, now)
        by = _see(user_id, _Kind.DEVICE, device or f"{user_id} at {network}", now)
        event = events.DeviceSeen(
            user_id=user_id,
            device=by.hash,
            address=at.hash,
            first_seen_at=instants.of(by.first_seen_at),
            last_seen_at=instants.of(now),
        )
        outbox.publish(models.Outbox, event, now=now)


def _see(user_id: str, kind: models.Sighting.Kind, value: str, now: datetime) -> models.Sighting:
    """A hash by an earlier SECRET_KEY counts, and is replaced."""
    newest, *earlier = (
        _hash(kind, value, key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    )
    return models.Sighting.see(
        user_id=user_id, kind=kind, newest=newest, earlier=earlier, keep=MAX_KEPT, now=now
    )


def _hash(kind: str, value: str, key: str) -> str:
    digest = crypto.salted_hmac(f"{_SALT}.{kind}", value, secret=key, algorithm="sha256")
    return digest.hexdigest()[:_HASH_CHARACTERS]
