"""Stock for sales: a unit is claimed, given back, committed, or returned to its sale's reservation.

A sale claims from its lot's reservation first, then from free stock, and an undone one gives each unit back to where
it came from: to the lot while the auction runs, so that the next buyer claims the same unit, and to free stock after
the auction has ended. Each service is idempotent by `key`; an undoing takes the key of what it undoes.

Each reservation publishes exactly one StockChanged with its `sale_id`, also when its lot held the units already: so a
reader of the stock's events knows which sales the figures count.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
from django.db.models import Q

from auction_project.kernel import errors
from auction_project.kernel.messaging import steps
from inventory import books, ledger, models, refusals
from inventory.services import allocation

SYSTEM = "system"
_STEPS = steps.Steps(models.Once, refusals.ALL)

Place = Callable[[str], ledger.Place]
Request = TypeVar("Request", bound=steps.Request)
Result = TypeVar("Result")


class Reserved(msgspec.Struct, frozen=True, kw_only=True):
    """`quantity` units are reserved, in `warehouses` (codes, in order); `from_lot` of them were the lot's before."""

    quantity: int
    from_lot: int
    warehouses: tuple[str, ...]


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """`quantity` units were given back, `to_lot` of them to the lot; 0 when a count had taken them from the sale."""

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
    """Reserve `quantity` units of the product for the sale, from the lot of its auction first."""

    auction_id: str
    product_id: str
    quantity: int


def reserve(requests: Sequence[ReserveRequest], *, now: datetime) -> list[Reserved | Exception]:
    """Reserve the units of each sale, in order.

    A member's error is SoldOut, UnknownProduct, AlreadyReserved or steps.Voided.
    """

    def effect(new: Sequence[ReserveRequest]) -> list[Reserved | errors.Refused]:
        with books.opened({request.product_id for request in new}) as stock:
            stock.lock_reservations(
                _of_sales(new)
                | Q(kind=models.ReservationKind.LOT, holder__in={request.auction_id for request in new})
            )
            return _each(new, lambda request: _reserve(stock, request, now))

    return _STEPS.perform(requests, effect, Reserved, now=now)


def release(requests: Sequence[SaleRequest], *, now: datetime) -> list[Released | Exception | None]:
    """Undo `reserve`: the units go back to where they came from. None where nothing was reserved, nor ever will be.

    A member's error is WrongState when its units are committed.
    """

    def effect(due: Sequence[SaleRequest]) -> list[Released]:
        with _books_of(due, with_lots=True) as stock:
            return _each(due, lambda request: _release(stock, request.sale_id, now))

    return _STEPS.undo(requests, effect, Released, now=now)


def commit(requests: Sequence[SaleRequest], *, now: datetime) -> list[Committed | Exception]:
    """The units of each sale are sold. A member's error is NotReserved, StockLost, WrongState or steps.Voided."""

    def effect(new: Sequence[SaleRequest]) -> list[Committed | errors.Refused]:
        with _books_of(new) as stock:
            return _each(new, lambda request: _commit(stock, request.sale_id, now))

    return _STEPS.perform(requests, effect, Committed, now=now)


def restock(requests: Sequence[SaleRequest], *, now: datetime) -> list[Restocked | Exception | None]:
    """Undo `commit`: the units are reserved for their sales again. None where nothing was committed, nor ever will be.

    A member's error is WrongState.
    """

    def effect(due: Sequence[SaleRequest]) -> list[Restocked]:
        with _books_of(due) as stock:
            return _each(due, lambda request: _restock(stock, request.sale_id, now))

    return _STEPS.undo(requests, effect, Restocked, now=now)


def _reserve(stock: books.Books, request: ReserveRequest, now: datetime) -> Reserved | errors.Refused:
    product = stock.products.get(request.product_id)
    if product is None:
        return refusals.UnknownProduct(product_id=request.product_id)
    if present := stock.sale(request.sale_id):
        return refusals.AlreadyReserved(sale_id=request.sale_id, state=present.state)
    lot = stock.running_lot(request.auction_id, product)
    of_lot = lot.units if lot else {}
    free_units = stock.free_units(product)
    obtainable = sum(of_lot.values()) + sum(free_units.values())
    if not 1 <= request.quantity <= min(obtainable, models.MAX_UNITS):
        return refusals.SoldOut(available=obtainable, asked=request.quantity)

    from_lot = allocation.take(request.quantity, of_lot.items())
    free = allocation.take(request.quantity - sum(from_lot.values()), free_units.items())
    if lot:
        stock.hold(lot, {place: -units for place, units in from_lot.items()})
    sale = stock.add_reservation(
        models.Reservation(
            kind=models.ReservationKind.SALE,
            holder=request.sale_id,
            auction_id=request.auction_id,
            product=product,
            quantity=request.quantity,
            state=models.ReservationState.HELD,
            created_at=now,
            changed_at=now,
        )
    )
    places = sorted(from_lot.keys() | free.keys())
    units = {place: from_lot.get(place, 0) + free.get(place, 0) for place in places}
    stock.hold(sale, units, from_lot=from_lot)
    if free:
        _post(
            stock,
            product,
            free,
            ledger.available_in,
            ledger.reserved_in,
            _cause(models.MoveKind.RESERVE, sale, now),
        )
    else:
        stock.restate(product, now=now, sale_id=request.sale_id)
    return Reserved(quantity=request.quantity, from_lot=sum(from_lot.values()), warehouses=tuple(places))


def _release(stock: books.Books, sale_id: str, now: datetime) -> Released:
    product, sale = _reserved(stock, sale_id)
    if sale.state == models.ReservationState.LOST:
        return Released(quantity=0, to_lot=0)  # a count has taken its units, and given back what was left
    sale.become(models.ReservationState.RELEASED, now=now)
    lot = stock.running_lot(sale.auction_id, product)
    to_lot = {place: holding.from_lot for place, holding in sale.held.items() if lot and holding.from_lot}
    if lot:
        stock.hold(lot, to_lot)
    given = sale.give_up_units()
    free = {
        place: units - to_lot.get(place, 0) for place, units in given.items() if units > to_lot.get(place, 0)
    }
    if free:
        _post(
            stock,
            product,
            free,
            ledger.reserved_in,
            ledger.available_in,
            _cause(models.MoveKind.RELEASE, sale, now),
        )
    return Released(quantity=sale.quantity, to_lot=sum(to_lot.values()))


def _commit(stock: books.Books, sale_id: str, now: datetime) -> Committed | errors.Refused:
    sale = stock.sale(sale_id)
    if sale is None:
        return refusals.NotReserved(sale_id=sale_id)
    if sale.state == models.ReservationState.LOST:
        return refusals.StockLost(sale_id=sale_id)
    if refusal := sale.why_not(models.ReservationState.COMMITTED):
        return refusal
    sale.become(models.ReservationState.COMMITTED, now=now)
    cause = _cause(models.MoveKind.COMMIT, sale, now)
    _post(stock, stock.product_of(sale), sale.units, ledger.reserved_in, ledger.committed_in, cause)
    return Committed(quantity=sale.quantity)


def _restock(stock: books.Books, sale_id: str, now: datetime) -> Restocked:
    product, sale = _reserved(stock, sale_id)
    sale.become(models.ReservationState.HELD, now=now)
    _post(
        stock,
        product,
        sale.units,
        ledger.committed_in,
        ledger.reserved_in,
        _cause(models.MoveKind.RESTOCK, sale, now),
    )
    return Restocked(quantity=sale.quantity)


@contextlib.contextmanager
def _books_of(requests: Sequence[SaleRequest], *, with_lots: bool = False) -> Iterator[books.Books]:
    """The books of the products that the sales have reserved, with their reservations and those of their lots."""
    reservations = _of_sales(requests)
    sales = models.Reservation.objects.filter(reservations)
    with books.opened(sales.values("product_id")) as stock:
        if with_lots:
            auctions = set(sales.values_list("auction_id", flat=True))
            reservations |= Q(kind=models.ReservationKind.LOT, holder__in=auctions)
        stock.lock_reservations(reservations)
        yield stock


def _of_sales(requests: Sequence[SaleRequest]) -> Q:
    return Q(kind=models.ReservationKind.SALE, holder__in=[request.sale_id for request in requests])


def _each(requests: Sequence[Request], act: Callable[[Request], Result]) -> list[Result]:
    outcomes = []
    for request in requests:
        with request.bound():
            outcomes.append(act(request))
    return outcomes


def _reserved(stock: books.Books, sale_id: str) -> tuple[models.Product, models.Reservation]:
    """The sale's product and reservation. Raises NotReserved."""
    sale = stock.sale(sale_id)
    if sale is None:
        raise refusals.NotReserved(sale_id=sale_id)
    return stock.product_of(sale), sale


def _post(
    stock: books.Books,
    product: models.Product,
    units: Mapping[str, int],
    source: Place,
    destination: Place,
    cause: ledger.Cause,
) -> None:
    legs = [ledger.Leg(quantity, source(place), destination(place)) for place, quantity in units.items()]
    stock.post(product, legs, cause)


def _cause(kind: models.MoveKind, sale: models.Reservation, now: datetime) -> ledger.Cause:
    """Only a reservation names its sale in the event."""
    return ledger.Cause(
        kind=kind,
        reference=f"sale:{sale.holder}",
        actor=SYSTEM,
        now=now,
        sale_id=sale.holder if kind == models.MoveKind.RESERVE else None,
    )
