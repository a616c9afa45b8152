"""Our payments against the provider's: each must say the same about the money.

Runs on a live system: what looks different is asked once more, ours before and after the provider's, and counts only
when nothing moved meanwhile. Payments that are being decided are set aside and counted.
"""

from collections.abc import Iterable, Iterator

import msgspec

from orders import models, provider

BATCH_ROWS = 2000

_State = models.PaymentState
_NOT_TAKEN = (provider.Status.DECLINED.value, provider.Status.CANCELLED.value)


class Reconciliation(msgspec.Struct, frozen=True):
    """`differences` are sentences; `in_motion` were not judged."""

    checked: int
    in_motion: int
    differences: tuple[str, ...]


def reconcile(bank: provider.PaymentProvider) -> Reconciliation:
    """Compare every payment of ours and of the provider. Raises errors.Unavailable."""
    theirs = {record.key: record for record in bank.list_payments()}
    checked = in_motion = 0
    suspects: list[str] = []
    for ours in models.Payment.objects.order_by("key").iterator(chunk_size=BATCH_ROWS):
        checked += 1
        record = theirs.pop(ours.key, None)
        in_motion += not ours.is_decided
        if _difference(ours, record) is not None:
            suspects.append(ours.key)
    checked += len(theirs)
    return Reconciliation(checked, in_motion, tuple(_confirmed(bank, [*suspects, *theirs])))


def _confirmed(bank: provider.PaymentProvider, keys: Iterable[str]) -> Iterator[str]:
    for key in keys:
        before = models.Payment.objects.filter(key=key).first()
        record = bank.get_payment(key=key)
        after = models.Payment.objects.filter(key=key).first()
        if (before and before.state) == (after and after.state) and (found := _difference(after, record)):
            yield found


def _difference(ours: models.Payment | None, theirs: provider.Record | None) -> str | None:
    """What differs, or None."""
    if ours is None:
        return f"{theirs.reference}: the provider has a payment that we never began" if theirs else None
    if not ours.is_decided:
        return None
    if theirs is None:
        return (
            f"{ours.order_number}: ours is {ours.state}, the provider knows nothing" if ours.token else None
        )
    if ours.state in (_State.CAPTURED, _State.REFUNDED):
        figures = (theirs.reference, theirs.amount, theirs.currency)
        same = theirs.is_captured and theirs.refunded == (ours.state == _State.REFUNDED)
        same = same and figures == (ours.order_number, ours.amount, ours.currency)
    else:
        same = theirs.status in _NOT_TAKEN
    said = f"{theirs.status}{', refunded' if theirs.refunded else ''}, {theirs.amount} {theirs.currency}"
    return (
        None
        if same
        else f"{ours.order_number}: ours is {ours.state}, {ours.amount} {ours.currency}; theirs {said}"
    )
