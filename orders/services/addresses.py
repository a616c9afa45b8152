"""The address book of a user: at most MAX_ADDRESSES, one of them the default. Each change is one transaction.

The changes of one book come one after the other. A closed account has no book: `forget` deletes it, and none is begun anew.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime

import msgspec
from django.db import transaction

from auction_project.kernel import errors, ids
from orders import exceptions, models, postal

MAX_ADDRESSES = 20


def add_address(
    *, user_id: str, key: str, fields: Mapping[str, str], is_default: bool, now: datetime
) -> models.Address:
    """Add the address, unless there is one of this user under `key`; the first one is the default.

    Raises InvalidAddress, TooManyAddresses, MayNotBuy, and KeyReused for a key of another address.
    """
    address = postal.checked(fields)
    digest = hashlib.sha256(msgspec.json.encode([address, is_default])).hexdigest()
    with transaction.atomic(using=models.DATABASE):
        models.Address.lock_book(user_id)
        present = models.Address.objects.filter(user_id=user_id, key=key).first()
        if present is not None:
            if present.digest != digest:
                raise errors.KeyReused
            return present
        return _add(user_id, key, digest, address, is_default, now)


def change_address(
    *, user_id: str, address_id: str, fields: Mapping[str, str], is_default: bool, now: datetime
) -> models.Address:
    """Replace the fields of the address. Orders keep the address that they were sent to.

    With `is_default`, it is the default from now on. Without, the default stays which it is: another one takes its place.
    Raises InvalidAddress, AddressNotFound.
    """
    address = postal.checked(fields)
    with transaction.atomic(using=models.DATABASE):
        models.Address.lock_book(user_id)
        stored = models.Address.owned(address_id, user_id=user_id)
        stored.write(address, now=now)
        if is_default and not stored.is_default:
            stored.become_default()
        return stored


def remove_address(*, user_id: str, address_id: str) -> None:
    """Remove the address. If it was the default, the newest of the others is. Raises AddressNotFound."""
    with transaction.atomic(using=models.DATABASE):
        models.Address.lock_book(user_id)
        removed = models.Address.owned(address_id, user_id=user_id)
        removed.delete()
        newest = models.Address.objects.filter(user_id=user_id).order_by("-created_at", "id").first()
        if removed.is_default and newest is not None:
            newest.become_default()


def forget(*, user_id: str) -> None:
    """Delete the whole book, because the account is closed. Needs an open transaction."""
    models.Address.lock_book(user_id)
    models.Address.objects.filter(user_id=user_id).delete()


def _add(
    user_id: str, key: str, digest: str, address: postal.Postal, is_default: bool, now: datetime
) -> models.Address:
    if not models.Account.may_buy(user_id):  # after the lock, which what closes the account waits for
        raise exceptions.MayNotBuy
    present = models.Address.objects.filter(user_id=user_id).count()
    if present >= MAX_ADDRESSES:
        raise exceptions.TooManyAddresses(maximum=MAX_ADDRESSES)
    added = models.Address(
        id=ids.new_id(),
        user_id=user_id,
        key=key,
        digest=digest,
        is_default=not present,
        created_at=now,
    )
    added.write(address, now=now)
    if is_default and present:
        added.become_default()
    return added
