"""Compares our payments with the provider's: both must say the same about the money.

Runs on a live system. What looks different is read once more, ours before and after the provider's, and is a difference
only when ours has not moved meanwhile. A payment that is not decided, or that the provider still has to refund, is counted and not
compared.
"""

from collections.abc import Iterable, Iterator

import msgspec
from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from orders import models, provider

BATCH_ROWS = 2000

_State = models.PaymentState
_NOT_TAKEN = (provider.Status.DECLINED.value, provider.Status.CANCELLED.value)


class Reconciliation(msgspec.Struct, frozen=True):
    """`checked` payments were read, of ours and of the provider; `in_motion` of ours were not decided, and not
    compared. `differences` are sentences, one for each payment."""

    checked: int
    in_motion: int
    differences: tuple[str, ...]


def reconcile(bank: provider.PaymentProvider) -> Reconciliation:
    """Compare every payment of ours and of the provider. Raises errors.Unavailable, provider.ProviderFault."""
    theirs = {record.key: record for record in bank.list_payments()}
    checked = in_motion = 0
    suspects: list[str] = []
    for ours in _payments().order_by("key").iterator(chunk_size=BATCH_ROWS):
        checked += 1
        record = theirs.pop(ours.key, None)
        in_motion += _is_in_motion(ours)
        if _difference(ours, record) is not None:
            suspects.append(ours.key)
    checked += len(theirs)
    return Reconciliation(checked, in_motion, tuple(_confirmed(bank, [*suspects, *theirs])))


def _confirmed(bank: provider.PaymentProvider, keys: Iterable[str]) -> Iterator[str]:
    """Read the payments again; the differences that are still there."""
    for key in keys:
        before = _payments().filter(key=key).first()
        record = bank.get_payment(key=key)
        after = _payments().filter(key=key).first()
        has_moved = _figures(before) != _figures(after)
        if not has_moved and (difference := _difference(after, record)):
            yield difference


def _payments() -> QuerySet[models.Payment]:
    """The payments, each with `given_back` and `to_give_back`: the minor units of its refunds that are done, and pending."""
    done = Q(refunds__state=models.RefundState.DONE)
    return models.Payment.objects.annotate(
        given_back=Coalesce(Sum("refunds__amount", filter=done), 0),
        to_give_back=Coalesce(Sum("refunds__amount", filter=~done), 0),
    )


def _is_in_motion(payment: models.Payment) -> bool:
    return not payment.is_decided or payment.to_give_back > 0


def _figures(payment: models.Payment | None) -> tuple[str, int, int] | None:
    return payment and (payment.state, payment.given_back, payment.to_give_back)


def _difference(ours: models.Payment | None, theirs: provider.Record | None) -> str | None:
    """What differs, in a sentence, or None."""
    if ours is None:
        return f"{theirs.reference}: the provider has a payment that we never began" if theirs else None
    if _is_in_motion(ours):
        return None
    if theirs is None:
        return (
            f"{ours.order_number}: ours is {ours.state}, the provider knows nothing" if ours.token else None
        )
    if ours.state in (_State.CAPTURED, _State.REFUNDED):
        figures = (theirs.reference, theirs.amount, theirs.currency)
        back = ours.amount if ours.state == _State.REFUNDED else ours.given_back
        same = theirs.is_captured and theirs.refunded_amount == back
        same = same and figures == (ours.order_number, ours.amount, ours.currency)
    else:
        same = theirs.status in _NOT_TAKEN
    if same:
        return None
    status = f"{theirs.status}{f', {theirs.refunded_amount} refunded' if theirs.refunded_amount else ''}"
    refunded = f", {ours.given_back} refunded" if ours.given_back else ""
    return (
        f"{ours.order_number}: ours is {ours.state}{refunded}, {ours.amount} {ours.currency};"
        f" theirs {status}, {theirs.amount} {theirs.currency}"
    )
