"""Stock for lots: an auction reserves it when it is listed, and gives it back when it is over.

A lot's reservation belongs to the lot until the auction has ended: sales claim units of it and undone sales return
them. Each listing is answered once, by LotAccepted or LotRefused in the same transaction. A lot that ended before its
listing came is remembered as RELEASED, so the late listing reserves nothing.

A relisted lot keeps its units. AuctionEnded names the next auction (`relist_as`) and always precedes that auction's
ListingRequested, so the units pass to a reservation of the next auction when the first of the two events is handled.
They stay reserved until the listing comes, the next auction ends, or LISTING_WAIT is over.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from django.db import transaction

from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import outbox
from inventory import ledger, models, refusals
from inventory.services import allocation

SYSTEM = "system"
_LATE = {models.ReservationState.LOST: "stock_lost", models.ReservationState.RELEASED: "lot_ended"}
LISTING_WAIT = timedelta(hours=24)  # how long inherited units stay reserved for a listing that does not come
EXPIRED_LOTS = 100  # released by one call of release_expired_lots


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

    A repeat changes nothing and publishes nothing. `relists` names the auction of the same product that this one
    follows: it is over, and its units pass to this lot with no buyer between them.
    """
    with transaction.atomic(using=models.DATABASE):
        try:
            product = ledger.lock_product(product_id)
        except refusals.UnknownProduct:
            _, is_new = _remember(auction_id, None, 0, models.ReservationState.REFUSED, now)
            if is_new:
                _publish_refusal(auction_id, product_id, 0, "unknown_product", now)
            return
        if relists:
            _end(relists, now=now, product=product, heir=auction_id)
        inherited = _inherited_units(auction_id, product)
        reason = _objection(product, quantity, requested_by, as_operator, allocate, inherited)
        state = models.ReservationState.REFUSED if reason else models.ReservationState.HELD
        lot, is_new = _remember(auction_id, product, 0 if reason else quantity, state, now)
        if not is_new:
            if not lot.awaits_listing:
                return
            if lot.product_id not in (
                None,
                product.id,
            ):  # the lot keeps the units of its own product until it ends
                _publish_refusal(auction_id, product_id, product.stock_version, "another_product", now)
                return
            reason = _LATE.get(lot.state) or reason
            lot.answer(product, lot.quantity if reason else quantity, now=now)
        if reason:
            if lot.state == models.ReservationState.HELD:
                _release(lot, product, now)
            _publish_refusal(auction_id, product_id, product.stock_version, reason, now)
            return
        if allocate == "on_listing" or inherited:
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


def release_lot(*, auction_id: str, now: datetime, relist_as: str | None = None) -> None:
    """The auction is over: what it still has is free again, or passes to the auction `relist_as` that follows it.

    A repeat, or a lot that had nothing, changes nothing.
    """
    with transaction.atomic(using=models.DATABASE):
        _end(auction_id, now=now, heir=relist_as)


def release_expired_lots(*, now: datetime) -> int:
    """Free the units of relisted lots whose listing has not come within LISTING_WAIT; how many lots (bounded)."""
    expired = models.Reservation.objects.filter(
        state=models.ReservationState.HELD, listing_due_at__lte=now
    ).order_by("listing_due_at")
    released = 0
    for auction_id in list(expired.values_list("holder", flat=True)[:EXPIRED_LOTS]):
        with transaction.atomic(using=models.DATABASE):
            released += _end(auction_id, now=now, is_expired=True)
    return released


def _end(
    auction_id: str,
    *,
    now: datetime,
    product: models.Product | None = None,
    heir: str | None = None,
    is_expired: bool = False,
) -> bool:
    """End the lot of `auction_id`, or remember that it is over; whether it had to be ended. Its units pass to `heir`.

    With `product` (locked), only a lot of that product; with `is_expired`, only one whose listing has not come.
    """
    lot, _ = _remember(auction_id, None, 0, models.ReservationState.RELEASED, now)
    if lot.product_id is None or (product is not None and product.id != lot.product_id):
        return False
    product = product or ledger.lock_product(lot.product_id)
    lot = models.Reservation.objects.select_for_update().get(id=lot.id)
    if lot.state != models.ReservationState.HELD or (is_expired and not lot.awaits_listing):
        return False
    if not (heir and _pass_on(lot, heir, product, now)):
        _release(lot, product, now)
    return True


def _release(lot: models.Reservation, product: models.Product, now: datetime) -> None:
    """The lot is over and what it holds is free. The product must be locked."""
    lot.become(models.ReservationState.RELEASED, now=now)
    _free(lot.give_up_units(), lot, product, now)


def _pass_on(lot: models.Reservation, heir: str, product: models.Product, now: datetime) -> bool:
    """The lot is over and the auction `heir` holds its units, still reserved. False when there is nothing to pass on,
    or when `heir` is over already: then nothing has changed. The product must be locked.
    """
    units = sum(lot.holdings.values_list("quantity", flat=True))
    if not units:
        return False
    next_lot, is_new = _remember(
        heir, product, units, models.ReservationState.HELD, now, listing_due_at=now + LISTING_WAIT
    )
    if not is_new:
        return False
    lot.become(models.ReservationState.RELEASED, now=now)
    next_lot.add_units(lot.give_up_units())
    return True


def _inherited_units(auction_id: str, product: models.Product) -> int:
    """The units that a lot has inherited whose listing has not come. The product must be locked."""
    holdings = models.Holding.objects.filter(
        reservation__kind=models.ReservationKind.LOT,
        reservation__holder=auction_id,
        reservation__state=models.ReservationState.HELD,
        reservation__listing_due_at__isnull=False,
        reservation__product=product,
    )
    return sum(holdings.values_list("quantity", flat=True))


def _remember(
    auction_id: str,
    product: models.Product | None,
    quantity: int,
    state: models.ReservationState,
    now: datetime,
    listing_due_at: datetime | None = None,
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
            "listing_due_at": listing_due_at,
        },
    )


def _objection(
    product: models.Product,
    quantity: int,
    requested_by: str,
    as_operator: bool,
    allocate: str,
    inherited: int,
) -> str | None:
    """Why the lot cannot be, or None. A lot that takes its stock on each sale needs a product that is not depleted."""
    if not as_operator and product.owner_id != requested_by:
        return "not_owner"
    if not 1 <= quantity <= models.MAX_UNITS:
        return "invalid_quantity"
    figures = ledger.figures_of(ledger.lock_balances(product))
    if allocate == "on_listing" or inherited:
        return "sold_out" if figures.available + inherited < quantity else None
    return "sold_out" if figures.is_depleted else None


def _hold(lot: models.Reservation, product: models.Product, now: datetime) -> None:
    """Reserve the lot's quantity, which is there: the product is locked since it was counted. Inherited units count."""
    inherited = dict(lot.holdings.order_by("-id").values_list("warehouse_id", "quantity"))
    missing = lot.quantity - sum(inherited.values())
    if missing > 0:
        balances = ledger.lock_balances(product)
        taken = allocation.take(missing, ledger.by_priority(balances))
        lot.add_units(taken)
        legs = [
            ledger.Leg(units, ledger.available_in(place), ledger.reserved_in(place))
            for place, units in taken.items()
        ]
        ledger.post(product, legs, _cause(models.MoveKind.RESERVE, lot.holder, now), balances)
    elif missing < 0:
        spare = allocation.take(-missing, inherited.items())
        lot.add_units({place: -units for place, units in spare.items()})
        _free(spare, lot, product, now)


def _free(units: Mapping[str, int], lot: models.Reservation, product: models.Product, now: datetime) -> None:
    """`units`, which the lot no longer holds, are available again."""
    legs = [
        ledger.Leg(quantity, ledger.reserved_in(place), ledger.available_in(place))
        for place, quantity in units.items()
    ]
    if legs:
        ledger.post(product, legs, _cause(models.MoveKind.RELEASE, lot.holder, now))


def _publish_refusal(auction_id: str, product_id: str, version: int, reason: str, now: datetime) -> None:
    refused = events.LotRefused(auction_id=auction_id, product_id=product_id, reason=reason)
    outbox.publish(models.Outbox, refused, now=now, version=version)


def _cause(kind: models.MoveKind, auction_id: str, now: datetime) -> ledger.Cause:
    return ledger.Cause(kind=kind, reference=f"lot:{auction_id}", actor=SYSTEM, now=now)
