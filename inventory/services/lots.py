"""Stock for lots: an auction reserves it when it is listed, and gives it back when it is over.

A lot's reservation belongs to the lot until the auction has ended: sales claim units of it and undone sales return
them. Each listing is answered once, by LotAccepted or LotRefused in the same transaction. A lot that ended before its
listing came is remembered as RELEASED, so the late listing reserves nothing.

A relisted lot keeps its units. AuctionEnded names the next auction (`relist_as`) and always precedes that auction's
ListingRequested, so the units pass to a reservation of the next auction when the first of the two events is handled.
They stay reserved until the listing comes, the next auction ends, or LISTING_WAIT is over.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from django.db.models import Q

from auction_project.kernel import logs
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import groups, outbox
from inventory import books, ledger, models
from inventory.services import allocation, transactions

SYSTEM = "system"
_LATE: Mapping[str, events.LotRefusal] = {
    models.ReservationState.LOST: "stock_lost",
    models.ReservationState.RELEASED: "lot_ended",
}
LISTING_WAIT = timedelta(hours=24)  # how long inherited units stay reserved for a listing that does not come
EXPIRED_LOTS = 100  # released by one call of release_expired_lots


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A lot to be. `relists` names the auction of the same product that this one follows. Without a `currency`, no saved search is
    compared with it."""

    auction_id: str
    product_id: str
    quantity: int
    requested_by: str
    as_operator: bool
    allocate: Literal["on_listing", "on_sale"]
    correlation_id: str
    span_id: str = ""
    relists: str | None = None
    format: str = ""
    currency: str = ""
    start_price: int = 0


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """An auction of the product that is over; `relist_as` names the one that follows it."""

    auction_id: str
    product_id: str
    correlation_id: str
    span_id: str = ""
    relist_as: str | None = None


def reserve_for_lots(listings: Sequence[Listing], *, now: datetime) -> None:
    """Answer each request for a lot: LotAccepted, with the units reserved if `allocate` says so, or LotRefused.

    A repeat changes nothing and publishes nothing. The auction that a listing `relists` is over, and its units pass to
    the lot with no buyer between them. What is accepted is noted as new, for those who have saved a search.
    """
    auctions = {name for listing in listings for name in (listing.auction_id, listing.relists) if name}
    with transactions.of_the_consumer(), books.opened({listing.product_id for listing in listings}) as stock:
        stock.lock_reservations(_lots(auctions))
        accepted = []
        for listing in listings:
            with logs.bound(correlation_id=listing.correlation_id, span_id=listing.span_id):
                if product := _answer(stock, listing, now):
                    accepted.append((listing, product))
        models.NewLot.note([_new(listing, product, now) for listing, product in accepted if listing.currency])


def release_lots(endings: Sequence[Ending], *, now: datetime) -> None:
    """The auctions are over: what their lots still have is free again, or passes to the auctions that follow them.

    A repeat, or a lot that had nothing, changes nothing.
    """
    auctions = {name for ending in endings for name in (ending.auction_id, ending.relist_as) if name}
    held = models.Reservation.objects.filter(_lots(auctions), product__isnull=False)
    products = {*held.values_list("product_id", flat=True), *(ending.product_id for ending in endings)}
    with transactions.of_the_consumer(), books.opened(products) as stock:
        stock.lock_reservations(_lots(auctions))
        for ending in endings:
            with logs.bound(correlation_id=ending.correlation_id, span_id=ending.span_id):
                _end(stock, ending.auction_id, now=now, heir=ending.relist_as)


def release_expired_lots(*, now: datetime) -> int:
    """Free the units of relisted lots whose listing has not come within LISTING_WAIT; how many lots (bounded).

    Raises the error of a lot that cannot be freed, after the others are.
    """
    overdue = Q(state=models.ReservationState.HELD, listing_due_at__lte=now)
    expired = models.Reservation.objects.filter(overdue).order_by("listing_due_at")

    def release(due: Sequence[tuple[int, str]]) -> list[bool]:
        with transactions.of_the_consumer(), books.opened({product_id for _, product_id in due}) as stock:
            lots = stock.lock_reservations(overdue & Q(id__in=[lot_id for lot_id, _ in due]))
            for lot in lots:
                _release(stock, lot, now)
        released = {lot.id for lot in lots}
        return [lot_id in released for lot_id, _ in due]

    outcomes = groups.together(list(expired.values_list("id", "product_id")[:EXPIRED_LOTS]), release)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    return sum(outcomes)


def _answer(stock: books.Books, listing: Listing, now: datetime) -> models.Product | None:
    """Answer one request; the product of a lot that is accepted by this very answer."""
    product = stock.products.get(listing.product_id)
    if product is None:
        if stock.lot(listing.auction_id) is None:
            _remember(stock, listing.auction_id, None, 0, models.ReservationState.REFUSED, now)
            _publish_refusal(listing, 0, "unknown_product", now)
        return None
    if listing.relists:
        _end(stock, listing.relists, now=now, product=product, heir=listing.auction_id)
    lot = stock.lot(listing.auction_id)
    inherited = _inherited_units(lot, product)
    reason = _objection(stock, product, listing, inherited)
    if lot is None:
        quantity, state = listing.quantity, models.ReservationState.HELD
        if reason:
            quantity, state = 0, models.ReservationState.REFUSED
        lot = _remember(stock, listing.auction_id, product, quantity, state, now)
    elif not lot.awaits_listing:
        return None
    elif lot.product_id not in (None, product.id):  # the lot keeps the units of its own product until it ends
        _publish_refusal(listing, product.stock_version, "another_product", now)
        return None
    else:
        reason = _LATE.get(lot.state) or reason
        lot.answer(product, lot.quantity if reason else listing.quantity, now=now)
    if reason:
        if lot.state == models.ReservationState.HELD:
            _release(stock, lot, now)
        _publish_refusal(listing, product.stock_version, reason, now)
        return None
    if listing.allocate == "on_listing" or inherited:
        _hold(stock, lot, now)
    accepted = events.LotAccepted(
        auction_id=listing.auction_id,
        product_id=product.id,
        owner_id=product.owner_id,
        title=product.title,
        text=product.description,
        thumbnail=product.thumbnail_url,
        version=product.stock_version,
    )
    outbox.publish(models.Outbox, accepted, now=now, version=product.stock_version)
    return product


def _new(listing: Listing, product: models.Product, now: datetime) -> models.NewLot:
    return models.NewLot(
        auction_id=listing.auction_id,
        product=product,
        title=product.title,
        format=listing.format,
        currency=listing.currency,
        start_price=listing.start_price,
        accepted_at=now,
    )


def _end(
    stock: books.Books,
    auction_id: str,
    *,
    now: datetime,
    product: models.Product | None = None,
    heir: str | None = None,
) -> None:
    """End the lot of `auction_id`, or remember that it is over. Its units pass to `heir`.

    With `product`, only a lot of that product. Raises errors.Unavailable.
    """
    lot = stock.lot(auction_id)
    if lot is None:
        _remember(stock, auction_id, None, 0, models.ReservationState.RELEASED, now)
        return
    if lot.state != models.ReservationState.HELD or (product and product.id != lot.product_id):
        return
    stock.product_of(lot)  # is locked
    if not (heir and _pass_on(stock, lot, heir, now)):
        _release(stock, lot, now)


def _release(stock: books.Books, lot: models.Reservation, now: datetime) -> None:
    """The lot is over and what it holds is free."""
    lot.become(models.ReservationState.RELEASED, now=now)
    _free(stock, lot.give_up_units(), lot, now)


def _pass_on(stock: books.Books, lot: models.Reservation, heir: str, now: datetime) -> bool:
    """The lot is over and the auction `heir` holds its units, still reserved. False when there is nothing to pass on,
    or when `heir` is over already: then nothing has changed.
    """
    units = lot.units
    if not units or stock.lot(heir) is not None:
        return False
    next_lot = _remember(
        stock, heir, lot.product, sum(units.values()), models.ReservationState.HELD, now, now + LISTING_WAIT
    )
    lot.become(models.ReservationState.RELEASED, now=now)
    stock.hold(next_lot, lot.give_up_units())
    return True


def _inherited_units(lot: models.Reservation | None, product: models.Product) -> int:
    """The units that a lot has inherited whose listing has not come."""
    if lot is None or lot.listing_due_at is None or lot.product_id != product.id:
        return 0
    return sum(lot.units.values())


def _remember(
    stock: books.Books,
    auction_id: str,
    product: models.Product | None,
    quantity: int,
    state: models.ReservationState,
    now: datetime,
    listing_due_at: datetime | None = None,
) -> models.Reservation:
    """The lot's one row, which is new."""
    return stock.add_reservation(
        models.Reservation(
            kind=models.ReservationKind.LOT,
            holder=auction_id,
            auction_id=auction_id,
            product=product,
            quantity=quantity,
            state=state,
            created_at=now,
            changed_at=now,
            listing_due_at=listing_due_at,
        )
    )


def _objection(
    stock: books.Books, product: models.Product, listing: Listing, inherited: int
) -> events.LotRefusal | None:
    """Why the lot cannot be, or None. A lot that takes its stock on each sale needs a product that is not depleted."""
    if not listing.as_operator and product.owner_id != listing.requested_by:
        return "not_owner"
    if not 1 <= listing.quantity <= models.MAX_UNITS:
        return "invalid_quantity"
    figures = stock.figures(product)
    if listing.allocate == "on_listing" or inherited:
        return "sold_out" if figures.available + inherited < listing.quantity else None
    return "sold_out" if figures.is_depleted else None


def _hold(stock: books.Books, lot: models.Reservation, now: datetime) -> None:
    """Reserve the lot's quantity, which is there. Inherited units count."""
    inherited = lot.units
    missing = lot.quantity - sum(inherited.values())
    if missing > 0:
        taken = allocation.take(missing, stock.free_units(lot.product).items())
        stock.hold(lot, taken)
        legs = ledger.legs(taken, ledger.available_in, ledger.reserved_in)
        stock.post(lot.product, legs, _cause(models.MoveKind.RESERVE, lot, now))
    elif missing < 0:
        spare = allocation.take(-missing, reversed(inherited.items()))
        stock.hold(lot, {place: -units for place, units in spare.items()})
        _free(stock, spare, lot, now)


def _free(stock: books.Books, units: Mapping[str, int], lot: models.Reservation, now: datetime) -> None:
    """`units`, which the lot no longer holds, are available again."""
    legs = ledger.legs(units, ledger.reserved_in, ledger.available_in)
    if legs:
        stock.post(lot.product, legs, _cause(models.MoveKind.RELEASE, lot, now))


def _lots(auction_ids: Iterable[str]) -> Q:
    return Q(kind=models.ReservationKind.LOT, holder__in=auction_ids)


def _publish_refusal(listing: Listing, version: int, reason: events.LotRefusal, now: datetime) -> None:
    refused = events.LotRefused(auction_id=listing.auction_id, product_id=listing.product_id, reason=reason)
    outbox.publish(models.Outbox, refused, now=now, version=version)


def _cause(kind: models.MoveKind, lot: models.Reservation, now: datetime) -> ledger.Cause:
    return ledger.Cause(kind=kind, reference=f"lot:{lot.holder}", actor=SYSTEM, now=now)
