"""Stock for lots: what an auction asks for when it is listed, and gives back when it is over.

A lot's reservation belongs to the lot until the auction has ended: sales claim units of it and undone sales return
them. Each lot is answered once, by LotAccepted or LotRefused in the same transaction. A lot that ended before its
listing came is remembered as RELEASED, so the late listing reserves nothing.
"""

from datetime import datetime
from typing import Literal

from django.db import transaction

from auction_project.contracts import events
from auction_project.messaging import outbox
from inventory import ledger, models, refusals
from inventory.services import allocation

SYSTEM = "system"


def reserve_for_lot(
    *,
    auction_id: str,
    product_id: str,
    quantity: int,
    requested_by: str,
    as_operator: bool,
    allocate: Literal["on_listing", "on_sale"],
    now: datetime,
    relists: str | None = None,
) -> None:
    """Answer a request for a lot: LotAccepted, with the units reserved if `allocate` says so, or LotRefused.

    A repeat changes nothing and tells nothing. `relists` names the auction of the same product that this one follows:
    it is over, and its units pass to this lot with no buyer between them.
    """
    with transaction.atomic(using=models.DATABASE):
        try:
            product = ledger.lock_product(product_id)
        except refusals.UnknownProduct:
            _, is_new = _remember(auction_id, None, 0, models.ReservationState.REFUSED, now)
            if is_new:
                _tell_refused(auction_id, product_id, 0, "unknown_product", now)
            return
        if relists:
            _end(relists, now=now, product=product)
        reason = _objection(product, quantity, requested_by, as_operator, allocate)
        state = models.ReservationState.REFUSED if reason else models.ReservationState.HELD
        lot, is_new = _remember(auction_id, product, 0 if reason else quantity, state, now)
        if not is_new and not lot.is_unanswered:
            return
        if not is_new:
            lot.answer(product, now=now)
            reason = "lot_ended"
        if reason:
            _tell_refused(auction_id, product_id, product.stock_version, reason, now)
            return
        if allocate == "on_listing":
            _hold(lot, product, now)
        accepted = events.LotAccepted(
            auction_id=auction_id,
            product_id=product.id,
            owner_id=product.owner_id,
            title=product.title,
            text=product.description,
            thumbnail=product.thumbnail_url,
            version=product.stock_version,
        )
        outbox.publish(models.Outbox, accepted, now=now, version=product.stock_version)


def release_lot(*, auction_id: str, now: datetime) -> None:
    """The auction is over: what it still has is free again. A repeat, or a lot that had nothing, changes nothing."""
    with transaction.atomic(using=models.DATABASE):
        _end(auction_id, now=now)


def _end(auction_id: str, *, now: datetime, product: models.Product | None = None) -> None:
    """End the lot of `auction_id`, or remember that it is over. With `product` (locked), only a lot of that product."""
    lot, _ = _remember(auction_id, None, 0, models.ReservationState.RELEASED, now)
    if lot.product_id is None or (product is not None and product.id != lot.product_id):
        return
    product = product or ledger.lock_product(lot.product_id)
    lot = models.Reservation.objects.select_for_update().get(id=lot.id)
    if lot.state != models.ReservationState.HELD:
        return
    lot.become(models.ReservationState.RELEASED, now=now)
    legs = []
    for holding in lot.holdings.filter(quantity__gt=0):
        place = holding.warehouse_id
        legs.append(ledger.Leg(holding.quantity, ledger.reserved_in(place), ledger.available_in(place)))
        holding.become(0)
    if legs:
        ledger.post(product, legs, _cause(models.MoveKind.RELEASE, auction_id, now))


def _remember(
    auction_id: str,
    product: models.Product | None,
    quantity: int,
    state: models.ReservationState,
    now: datetime,
) -> tuple[models.Reservation, bool]:
    """The lot's one row, and whether it is new. Of two that come at once, the second waits and sees the first's."""
    return models.Reservation.objects.get_or_create(
        kind=models.ReservationKind.LOT,
        holder=auction_id,
        defaults={
            "auction_id": auction_id,
            "product": product,
            "quantity": quantity,
            "state": state,
            "created_at": now,
            "changed_at": now,
        },
    )


def _objection(
    product: models.Product, quantity: int, requested_by: str, as_operator: bool, allocate: str
) -> str | None:
    """Why the lot cannot be, or None. A lot that takes its stock on each sale needs a product that is not depleted."""
    if not as_operator and product.owner_id != requested_by:
        return "not_owner"
    if not 1 <= quantity <= models.MAX_UNITS:
        return "invalid_quantity"
    figures = ledger.figures_of(ledger.lock_balances(product))
    if allocate == "on_listing":
        return "sold_out" if figures.available < quantity else None
    return "sold_out" if figures.is_depleted else None


def _hold(lot: models.Reservation, product: models.Product, now: datetime) -> None:
    """Reserve the lot's quantity, which is there: the product is locked since it was counted."""
    balances = ledger.lock_balances(product)
    taken = allocation.take(lot.quantity, ledger.by_priority(balances))
    models.Holding.objects.bulk_create(
        models.Holding(reservation=lot, warehouse_id=place, quantity=units) for place, units in taken.items()
    )
    legs = [
        ledger.Leg(units, ledger.available_in(place), ledger.reserved_in(place))
        for place, units in taken.items()
    ]
    ledger.post(product, legs, _cause(models.MoveKind.RESERVE, lot.holder, now), balances)


def _tell_refused(auction_id: str, product_id: str, version: int, reason: str, now: datetime) -> None:
    refused = events.LotRefused(auction_id=auction_id, product_id=product_id, reason=reason)
    outbox.publish(models.Outbox, refused, now=now, version=version)


def _cause(kind: models.MoveKind, auction_id: str, now: datetime) -> ledger.Cause:
    return ledger.Cause(kind=kind, reference=f"lot:{auction_id}", actor=SYSTEM, now=now)
