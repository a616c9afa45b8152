"""Stock for sales: a unit is claimed, given back, committed, or returned to its sale's reservation.

A sale has one reservation for each product, all of them or none. It claims from its source first, the reservation of its
lot or of its checkout, then from free stock. An undone sale gives each unit back to where it came from: to the source
while that is held, so that the next buyer of the lot, or the same buyer with another card, claims the same unit, and to
free stock afterwards. Each service is idempotent by `key`; an undoing takes the key of what it undoes.

Each reservation publishes exactly one StockChanged with its `sale_id`, also when its source held the units already: so a
reader of the stock's events knows which sales the figures count.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from auction_project.kernel import errors
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import steps
from inventory import books, ledger, models, refusals
from inventory.services import allocation, checkouts, sale_books

SYSTEM = "system"
_STEPS = steps.Steps(models.Once, refusals.ALL)

Request = TypeVar("Request", bound=steps.Request)
Result = TypeVar("Result")


class Reserved(msgspec.Struct, frozen=True, kw_only=True):
    """`quantity` units are reserved, in `warehouses` (codes, in order); `from_lot` of them were its lot's or its checkout's."""

    quantity: int
    from_lot: int
    warehouses: tuple[str, ...]


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """`quantity` units were given back, `to_lot` of them to the lot or the checkout; those that a count had taken are not
    counted."""

    quantity: int
    to_lot: int


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """`quantity` units are sold."""

    quantity: int


class Restocked(msgspec.Struct, frozen=True, kw_only=True):
    """`quantity` units are reserved for their sale again."""

    quantity: int


class SaleRequest(steps.Request, frozen=True, kw_only=True):
    """A step for the sale `sale_id`."""

    sale_id: str


class ReserveRequest(SaleRequest, frozen=True, kw_only=True):
    """Reserve all these units for the sale, from the lot of its auction or from its checkout first; the other id is empty. `lots`: by
    product, the lot that a checkout pays."""

    units: tuple[events.Units, ...]
    auction_id: str = ""
    checkout_id: str = ""
    lots: Mapping[str, str] = {}

    def origin(self, product_id: str) -> tuple[str, str]:
        """The auction or the checkout from which the units of the product come; the other id is empty."""
        auction_id = self.lots.get(product_id, self.auction_id)
        return (auction_id, "") if auction_id else ("", self.checkout_id)


class _Claim(msgspec.Struct, frozen=True):
    """What a sale will take of one product: from its source, and of the free units, by warehouse."""

    product: models.Product
    source: models.Reservation | None
    from_lot: Mapping[str, int]
    free: Mapping[str, int]


def reserve(requests: Sequence[ReserveRequest], *, now: datetime) -> list[Reserved | Exception]:
    """Reserve the units of each sale, in order.

    A member's error is SoldOut, UnknownProduct, AlreadyReserved or steps.Voided.
    """

    def effect(new: Sequence[ReserveRequest]) -> list[Reserved | errors.Refused]:
        with books.opened({line.product_id for request in new for line in request.units}) as stock:
            stock.lock_reservations(
                sale_books.of_sales(one.sale_id for one in new)
                | sale_books.sources(one.origin(line.product_id) for one in new for line in one.units)
            )
            return _each(new, lambda request: _reserve(stock, request, now))

    return _STEPS.perform(requests, effect, Reserved, now=now)


def release(requests: Sequence[SaleRequest], *, now: datetime) -> list[Released | Exception | None]:
    """Undo `reserve`: the units go back to where they came from. None where nothing was reserved, nor ever will be.

    A member's error is WrongState when its units are committed.
    """

    def effect(due: Sequence[SaleRequest]) -> list[Released]:
        with sale_books.opened([one.sale_id for one in due], with_sources=True) as stock:
            return _each(due, lambda request: _release(stock, request.sale_id, now))

    return _STEPS.undo(requests, effect, Released, now=now)


def commit(requests: Sequence[SaleRequest], *, now: datetime) -> list[Committed | Exception]:
    """The units of each sale are sold. A member's error is NotReserved, StockLost, WrongState or steps.Voided."""

    def effect(new: Sequence[SaleRequest]) -> list[Committed | errors.Refused]:
        with sale_books.opened([one.sale_id for one in new]) as stock:
            return _each(new, lambda request: _commit(stock, request.sale_id, now))

    return _STEPS.perform(requests, effect, Committed, now=now)


def restock(requests: Sequence[SaleRequest], *, now: datetime) -> list[Restocked | Exception | None]:
    """Undo `commit`: the units are reserved for their sales again. None where nothing was committed, nor ever will be.

    A member's error is WrongState.
    """

    def effect(due: Sequence[SaleRequest]) -> list[Restocked]:
        with sale_books.opened([one.sale_id for one in due]) as stock:
            return _each(due, lambda request: _restock(stock, request.sale_id, now))

    return _STEPS.undo(requests, effect, Restocked, now=now)


def _reserve(stock: books.Books, request: ReserveRequest, now: datetime) -> Reserved | errors.Refused:
    if present := stock.sales(request.sale_id):
        return refusals.AlreadyReserved(sale_id=request.sale_id, state=present[0].state)
    demand = allocation.demand_of(request.units)
    for product_id in demand:
        if product_id not in stock.products:
            return refusals.UnknownProduct(product_id=product_id)
    outcomes = [
        _claim(stock, request, stock.products[product_id], quantity, now)
        for product_id, quantity in demand.items()
    ]
    if shortages := [outcome for outcome in outcomes if isinstance(outcome, events.Shortage)]:
        return refusals.sold_out(shortages)
    claims = [outcome for outcome in outcomes if isinstance(outcome, _Claim)]
    places = {place for claim in claims for place in _add(stock, request, claim, now)}
    return Reserved(
        quantity=sum(demand.values()),
        from_lot=sum(sum(claim.from_lot.values()) for claim in claims),
        warehouses=tuple(sorted(places)),
    )


def _claim(
    stock: books.Books, request: ReserveRequest, product: models.Product, quantity: int, now: datetime
) -> _Claim | events.Shortage:
    auction_id, checkout_id = request.origin(product.id)
    source = stock.source(auction_id=auction_id, checkout_id=checkout_id, product=product)
    of_source = source.units if source else {}
    free_units = checkouts.free_units(stock, product, quantity - sum(of_source.values()), now=now)
    obtainable = sum(of_source.values()) + sum(free_units.values())
    if not 1 <= quantity <= min(obtainable, models.MAX_UNITS):
        return events.Shortage(product_id=product.id, asked=quantity, available=obtainable)
    from_lot = allocation.take(quantity, of_source.items())
    free = allocation.take(quantity - sum(from_lot.values()), free_units.items())
    return _Claim(product, source, from_lot, free)


def _add(stock: books.Books, request: ReserveRequest, claim: _Claim, now: datetime) -> list[str]:
    """Add the reservation of one product; the warehouses that it has units in."""
    if claim.source:
        stock.hold(claim.source, {place: -units for place, units in claim.from_lot.items()})
    auction_id, checkout_id = request.origin(claim.product.id)
    places = sorted(claim.from_lot.keys() | claim.free.keys())
    units = {place: claim.from_lot.get(place, 0) + claim.free.get(place, 0) for place in places}
    sale = stock.add_reservation(
        models.Reservation(
            kind=models.ReservationKind.SALE,
            holder=request.sale_id,
            auction_id=auction_id,
            checkout_id=checkout_id,
            product=claim.product,
            quantity=sum(units.values()),
            state=models.ReservationState.HELD,
            created_at=now,
            changed_at=now,
        )
    )
    stock.hold(sale, units, from_lot=claim.from_lot)
    if claim.free:
        cause = _cause(models.MoveKind.RESERVE, sale, now)
        _post(stock, claim.product, claim.free, ledger.available_in, ledger.reserved_in, cause)
    else:
        stock.restate(claim.product, now=now, sale_id=request.sale_id)
    return places


def _release(stock: books.Books, sale_id: str, now: datetime) -> Released:
    released = to_lots = 0
    for sale in _reserved(stock, sale_id):
        if sale.state == models.ReservationState.LOST:
            continue  # a count has taken its units, and given back what was left
        sale.become(models.ReservationState.RELEASED, now=now)
        product = stock.product_of(sale)
        source = stock.source(auction_id=sale.auction_id, checkout_id=sale.checkout_id, product=product)
        to_lot = {
            place: holding.from_lot for place, holding in sale.held.items() if source and holding.from_lot
        }
        if source:
            stock.hold(source, to_lot)
        free = {
            place: units - to_lot.get(place, 0)
            for place, units in sale.give_up_units().items()
            if units > to_lot.get(place, 0)
        }
        if free:
            cause = _cause(models.MoveKind.RELEASE, sale, now)
            _post(stock, product, free, ledger.reserved_in, ledger.available_in, cause)
        released += sale.quantity
        to_lots += sum(to_lot.values())
    return Released(quantity=released, to_lot=to_lots)


def _commit(stock: books.Books, sale_id: str, now: datetime) -> Committed | errors.Refused:
    sales = stock.sales(sale_id)
    if not sales:
        return refusals.NotReserved(sale_id=sale_id)
    if any(sale.state == models.ReservationState.LOST for sale in sales):
        return refusals.StockLost(sale_id=sale_id)
    for sale in sales:
        if refusal := sale.why_not(models.ReservationState.COMMITTED):
            return refusal
    for sale in sales:
        sale.become(models.ReservationState.COMMITTED, now=now)
        cause = _cause(models.MoveKind.COMMIT, sale, now)
        _post(stock, stock.product_of(sale), sale.units, ledger.reserved_in, ledger.committed_in, cause)
    return Committed(quantity=sum(sale.quantity for sale in sales))


def _restock(stock: books.Books, sale_id: str, now: datetime) -> Restocked:
    sales = _reserved(stock, sale_id)
    for sale in sales:
        sale.become(models.ReservationState.HELD, now=now)
        cause = _cause(models.MoveKind.RESTOCK, sale, now)
        _post(stock, stock.product_of(sale), sale.units, ledger.committed_in, ledger.reserved_in, cause)
    return Restocked(quantity=sum(sale.quantity for sale in sales))


def _each(requests: Sequence[Request], act: Callable[[Request], Result]) -> list[Result]:
    outcomes = []
    for request in requests:
        with request.bound():
            outcomes.append(act(request))
    return outcomes


def _reserved(stock: books.Books, sale_id: str) -> list[models.Reservation]:
    """The sale's reservations. Raises NotReserved."""
    sales = stock.sales(sale_id)
    if not sales:
        raise refusals.NotReserved(sale_id=sale_id)
    return sales


def _post(
    stock: books.Books,
    product: models.Product,
    units: Mapping[str, int],
    source: ledger.PlaceIn,
    destination: ledger.PlaceIn,
    cause: ledger.Cause,
) -> None:
    stock.post(product, ledger.legs(units, source, destination), cause)


def _cause(kind: models.MoveKind, sale: models.Reservation, now: datetime) -> ledger.Cause:
    """Only a reservation names its sale in the event."""
    return ledger.Cause(
        kind=kind,
        reference=f"sale:{sale.holder}",
        actor=SYSTEM,
        now=now,
        sale_id=sale.holder if kind == models.MoveKind.RESERVE else None,
    )
