"""Losses among reserved units: which lots and sales a count concerns, and what becomes of them.

A count below what is reserved means that reserved units are broken or gone. Free units of other warehouses stand in for
as many of them as they can. The rest is lost to checkouts, lots and sales in a fixed order, the newest first: checkouts and
then lots, those with a sale under way after the others, then the sales themselves. A lot that lost units is published as
LotStockLost; a sale that lost one is LOST as a whole, and its saga is refused when it commits. Units that are committed
are sold: none is taken.
"""

import hashlib
from collections import defaultdict
from datetime import datetime

import msgspec
from django.db.models import Q

from auction_project.kernel import ids
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import outbox
from inventory import books, ledger, models, refusals
from inventory.services import allocation

TOKEN_CHARACTERS = 16


class Claim(msgspec.Struct, frozen=True):
    """Reserved units of one holding that are broken or gone: `lost` to the lot or sale, or `replaced` from elsewhere."""

    holding: models.Holding
    lost: int
    replaced: int

    @property
    def reservation(self) -> models.Reservation:
        return self.holding.reservation

    @property
    def is_sale(self) -> bool:
        return self.reservation.kind == models.ReservationKind.SALE


class Loss(msgspec.Struct, frozen=True):
    """What a count takes from one warehouse: `free` units, then `claims`."""

    warehouse: str
    free: int
    claims: tuple[Claim, ...]

    @property
    def concerned(self) -> list[dict[str, str | int]]:
        """The lots and sales that lose units, for people; a sale is named by its order. A checkout is not paid: it is not
        named."""
        return [
            {
                "auction_id": claim.reservation.auction_id,
                "order_number": ids.order_number(claim.reservation.holder) if claim.is_sale else "",
                "title": claim.reservation.product.title if claim.reservation.product else "",
                "quantity": claim.lost,
            }
            for claim in self._losing
        ]

    @property
    def _losing(self) -> list[Claim]:
        return [
            claim
            for claim in self.claims
            if claim.lost and claim.reservation.kind != models.ReservationKind.CHECKOUT
        ]

    @property
    def confirmation(self) -> str:
        """A token of exactly these lots and sales; empty when there are none."""
        lines = [f"{c.reservation.kind} {c.reservation.holder} {c.lost}" for c in self._losing]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return digest[:TOKEN_CHARACTERS] if lines else ""


def assess(stock: books.Books, product: models.Product, warehouse: str, missing: int) -> Loss:
    """What `missing` units of the warehouse mean.

    Raises InsufficientStock when sold units would have to be among them.
    """
    balances = stock.balances(product)
    here = next(balance for balance in balances if balance.warehouse_id == warehouse)
    if missing > here.available + here.reserved:
        removable = here.available + here.reserved
        raise refusals.InsufficientStock(
            f"Only {refusals.units(removable)} can be removed from {here.warehouse.name}: the other units are sold.",
            warehouse=warehouse,
            present=removable,
            asked=missing,
        )
    free = min(missing, here.available)
    short = missing - free
    spare = sum(balance.available for balance in balances if balance.warehouse_id != warehouse)
    to_lose = short - min(short, spare)
    claims = []
    for holding in _in_order(stock, product, warehouse) if short else ():
        units = min(holding.quantity, short)
        lost = min(units, to_lose)
        if lost and holding.reservation.kind == models.ReservationKind.SALE:
            lost = units  # a sale that cannot have all of its units has none
        claims.append(Claim(holding, lost, units - lost))
        short -= units
        to_lose -= min(lost, to_lose)
        if not short:
            break
    return Loss(warehouse, free, tuple(claims))


def book(stock: books.Books, product: models.Product, loss: Loss, cause: ledger.Cause) -> ledger.Figures:
    """Take the loss in the ledger, from its lots and sales, and publish LotStockLost."""
    broken = ledger.reserved_in(loss.warehouse)
    legs = [ledger.Leg(loss.free, ledger.available_in(loss.warehouse), ledger.LOSS)] if loss.free else []
    offers = {place: units for place, units in stock.free_units(product).items() if place != loss.warehouse}
    lost_by_lot: dict[str, int] = defaultdict(int)
    for claim in loss.claims:
        legs.append(ledger.Leg(claim.lost + claim.replaced, broken, ledger.LOSS))
        if claim.replaced:
            taken = allocation.take(claim.replaced, offers.items())
            offers = {place: units - taken.get(place, 0) for place, units in offers.items()}
            _replace(stock, claim, taken)
            legs += ledger.legs(taken, ledger.available_in, ledger.reserved_in)
        if claim.lost and claim.is_sale:
            freed, lost_from_lot = _lose_sale(stock, claim, product, cause.now)
            legs += ledger.legs(freed, ledger.reserved_in, ledger.available_in)
        elif claim.lost:
            lost_from_lot = claim.lost
            stock.hold(claim.reservation, {loss.warehouse: -claim.lost})
            claim.reservation.lose(claim.lost, now=cause.now)
        else:
            lost_from_lot = 0
        lost_by_lot[claim.reservation.auction_id] += lost_from_lot
    figures = stock.post(product, legs, cause)
    _publish(product, lost_by_lot, cause)
    return figures


def _in_order(stock: books.Books, product: models.Product, warehouse: str) -> list[models.Holding]:
    """Every holding of reserved units in the warehouse, in the order in which they are lost."""
    reserved = stock.lock_reservations(Q(product=product, state=models.ReservationState.HELD))
    holdings = [reservation.held[warehouse] for reservation in reserved if reservation.units.get(warehouse)]
    selling = {_source_id(one) for one in reserved if one.kind == models.ReservationKind.SALE}

    def rank(holding: models.Holding) -> tuple[bool, bool, bool, int]:
        kind = holding.reservation.kind
        return (
            kind == models.ReservationKind.SALE,
            _source_id(holding.reservation) in selling,
            kind == models.ReservationKind.LOT,
            -holding.reservation_id,
        )

    return sorted(holdings, key=rank)


def _source_id(reservation: models.Reservation) -> str:
    return reservation.auction_id or reservation.checkout_id


def _replace(stock: books.Books, claim: Claim, taken: dict[str, int]) -> None:
    """The reservation holds `taken` in place of as many units of its holding; those of its lot stay its lot's."""
    holding = claim.holding
    own = holding.quantity - holding.from_lot
    of_lot = max(0, claim.replaced - own)
    holding.become(holding.quantity - claim.replaced, from_lot=holding.from_lot - of_lot)
    for place, units in taken.items():
        from_lot = min(units, of_lot)
        of_lot -= from_lot
        stock.hold(claim.reservation, {place: units}, from_lot={place: from_lot})


def _lose_sale(
    stock: books.Books, claim: Claim, product: models.Product, now: datetime
) -> tuple[dict[str, int], int]:
    """The sale is LOST. What it holds besides is free, by warehouse, or its lot's again; and how much its lot lost."""
    sale = claim.reservation
    lot = stock.source(auction_id=sale.auction_id, checkout_id=sale.checkout_id, product=product)
    freed: dict[str, int] = {}
    lost_from_lot = 0
    for holding in sale.held.values():
        is_broken = holding is claim.holding
        lost = claim.lost if is_broken else 0
        of_lot = holding.from_lot if lot else 0
        lost_of_lot = max(0, lost - (holding.quantity - of_lot))
        back = of_lot - lost_of_lot
        if lot and back:
            stock.hold(lot, {holding.warehouse_id: back})
        if rest := holding.quantity - lost - back:
            freed[holding.warehouse_id] = rest
        lost_from_lot += lost_of_lot
        holding.become(0)
    sale.become(models.ReservationState.LOST, now=now)
    if lot and lost_from_lot:
        lot.lose(lost_from_lot, now=now)
    return freed, lost_from_lot


def _publish(product: models.Product, lost_by_lot: dict[str, int], cause: ledger.Cause) -> None:
    for auction_id, units in lost_by_lot.items():
        if auction_id and units:
            event = events.LotStockLost(
                auction_id=auction_id,
                product_id=product.id,
                quantity=units,
                reason=cause.reason,
                version=product.stock_version,
            )
            outbox.publish(models.Outbox, event, now=cause.now, version=product.stock_version)
