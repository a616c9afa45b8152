"""Stock for sales: a unit is claimed, given back, committed, or returned to its sale's reservation.

A sale claims from its lot's reservation first, then from free stock, and an undone one gives each unit back to where
it came from: to the lot while the auction runs, so that the next buyer claims the same unit, and to free stock after
the auction has ended. Each service is idempotent by `key`; an undoing takes the key of what it undoes.

Each reservation publishes exactly one StockChanged with its `sale_id`, also when its lot held the units already: so a
reader of the stock's events knows which sales the figures count.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
from django.db.models import Q, QuerySet

from auction_project.kernel import errors
from auction_project.kernel.messaging import steps
from inventory import ledger, models, refusals
from inventory.services import allocation

SYSTEM = "system"
_STEPS = steps.Steps(models.Once, refusals.ALL)

Step = Callable[[str], ledger.Place]
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
        return _each(new, lambda r: _reserve(r.sale_id, r.auction_id, r.product_id, r.quantity, now))

    return _STEPS.perform(requests, effect, Reserved, now=now)


def release(requests: Sequence[SaleRequest], *, now: datetime) -> list[Released | Exception | None]:
    """Undo `reserve`: the units go back to where they came from. None where nothing was reserved, nor ever will be.

    A member's error is WrongState when its units are committed.
    """

    def effect(due: Sequence[SaleRequest]) -> list[Released]:
        return [_with_id(request, lambda r: _release(r.sale_id, now)) for request in due]

    return _STEPS.undo(requests, effect, Released, now=now)


def commit(requests: Sequence[SaleRequest], *, now: datetime) -> list[Committed | Exception]:
    """The units of each sale are sold. A member's error is NotReserved, StockLost, WrongState or steps.Voided."""

    def effect(new: Sequence[SaleRequest]) -> list[Committed | errors.Refused]:
        return _each(new, lambda r: _commit(r.sale_id, now))

    return _STEPS.perform(requests, effect, Committed, now=now)


def restock(requests: Sequence[SaleRequest], *, now: datetime) -> list[Restocked | Exception | None]:
    """Undo `commit`: the units are reserved for their sales again. None where nothing was committed, nor ever will be.

    A member's error is WrongState.
    """

    def effect(due: Sequence[SaleRequest]) -> list[Restocked]:
        return [_with_id(request, lambda r: _restock(r.sale_id, now)) for request in due]

    return _STEPS.undo(requests, effect, Restocked, now=now)


def _each(requests: Sequence[Request], act: Callable[[Request], Result]) -> list[Result | errors.Refused]:
    """What `act` returns for each, or its refusal, which it raises before it writes."""
    outcomes: list[Result | errors.Refused] = []
    for request in requests:
        try:
            outcomes.append(_with_id(request, act))
        except errors.Refused as refusal:
            outcomes.append(refusal)
    return outcomes


def _with_id(request: Request, act: Callable[[Request], Result]) -> Result:
    with request.bound():
        return act(request)


def _reserve(sale_id: str, auction_id: str, product_id: str, quantity: int, now: datetime) -> Reserved:
    product = ledger.lock_product(product_id)
    sale, lot = _lock(sale_id, auction_id, product)
    if sale is not None:
        raise refusals.AlreadyReserved(sale_id=sale_id, state=sale.state)
    held_by_lot = _holdings(lot) if lot else {}
    from_lot = allocation.take(
        quantity, ((place, holding.quantity) for place, holding in held_by_lot.items())
    )
    rest = quantity - sum(from_lot.values())
    balances = ledger.lock_balances(product) if rest else []
    free = allocation.take(rest, ledger.by_priority(balances))
    if not 1 <= quantity <= models.MAX_UNITS or sum(free.values()) < rest:
        obtainable = sum(balance.available for balance in balances) + sum(from_lot.values())
        raise refusals.SoldOut(available=obtainable, asked=quantity)

    for place, units in from_lot.items():
        held_by_lot[place].become(held_by_lot[place].quantity - units)
    sale = models.Reservation.hold_for_sale(sale_id, auction_id, product, quantity, now=now)
    places = sorted(from_lot.keys() | free.keys())
    models.Holding.objects.bulk_create(
        models.Holding(
            reservation=sale,
            warehouse_id=place,
            quantity=from_lot.get(place, 0) + free.get(place, 0),
            from_lot=from_lot.get(place, 0),
        )
        for place in places
    )
    if free:
        cause = _cause(models.MoveKind.RESERVE, sale_id, now)
        _post(product, free, ledger.available_in, ledger.reserved_in, cause, balances)
    else:
        ledger.restate(product, now=now, sale_id=sale_id)
    return Reserved(quantity=quantity, from_lot=sum(from_lot.values()), warehouses=tuple(places))


def _release(sale_id: str, now: datetime) -> Released:
    product, sale, lot = _locked_sale(sale_id)
    if (
        sale.state == models.ReservationState.LOST
    ):  # a count has taken its units, and given back what was left
        return Released(quantity=0, to_lot=0)
    sale.become(models.ReservationState.RELEASED, now=now)
    free: dict[str, int] = {}
    for place, holding in _holdings(sale).items():
        back_to_lot = holding.from_lot if lot else 0
        if lot and back_to_lot:
            lot.add_units({place: back_to_lot})
        if holding.quantity > back_to_lot:
            free[place] = holding.quantity - back_to_lot
        holding.become(0)
    if free:
        cause = _cause(models.MoveKind.RELEASE, sale_id, now)
        _post(product, free, ledger.reserved_in, ledger.available_in, cause)
    return Released(quantity=sale.quantity, to_lot=sale.quantity - sum(free.values()))


def _commit(sale_id: str, now: datetime) -> Committed:
    product, sale, _ = _locked_sale(sale_id)
    if sale.state == models.ReservationState.LOST:
        raise refusals.StockLost(sale_id=sale_id)
    sale.become(models.ReservationState.COMMITTED, now=now)
    cause = _cause(models.MoveKind.COMMIT, sale_id, now)
    _post(product, _units(sale), ledger.reserved_in, ledger.committed_in, cause)
    return Committed(quantity=sale.quantity)


def _restock(sale_id: str, now: datetime) -> Restocked:
    product, sale, _ = _locked_sale(sale_id)
    sale.become(models.ReservationState.HELD, now=now)
    cause = _cause(models.MoveKind.RESTOCK, sale_id, now)
    _post(product, _units(sale), ledger.committed_in, ledger.reserved_in, cause)
    return Restocked(quantity=sale.quantity)


def _locked_sale(sale_id: str) -> tuple[models.Product, models.Reservation, models.Reservation | None]:
    """Product, the sale's reservation and its lot's if that still runs, all locked. Raises NotReserved."""
    product = ledger.lock_product_of_sale(sale_id)
    of_sale = models.Reservation.objects.filter(kind=models.ReservationKind.SALE, holder=sale_id)
    sale, lot = _lock(sale_id, of_sale.values("auction_id")[:1], product)
    assert sale is not None  # noqa: S101 - reservations are never deleted
    return product, sale, lot


def _lock(
    sale_id: str, auction_id: str | QuerySet[models.Reservation], product: models.Product
) -> tuple[models.Reservation | None, models.Reservation | None]:
    """The sale's reservation and the one that its lot holds, in primary-key order. The product must be locked."""
    rows = models.Reservation.objects.filter(
        Q(kind=models.ReservationKind.SALE, holder=sale_id)
        | Q(
            kind=models.ReservationKind.LOT,
            holder=auction_id,
            state=models.ReservationState.HELD,
            product=product,
        )
    )
    found = {row.kind: row for row in rows.order_by("id").select_for_update()}
    return found.get(models.ReservationKind.SALE), found.get(models.ReservationKind.LOT)


def _holdings(reservation: models.Reservation) -> dict[str, models.Holding]:
    """By warehouse, in the order of priority."""
    rows = reservation.holdings.order_by("warehouse__priority")
    return {row.warehouse_id: row for row in rows}


def _units(sale: models.Reservation) -> dict[str, int]:
    return {place: holding.quantity for place, holding in _holdings(sale).items()}


def _post(
    product: models.Product,
    units: dict[str, int],
    source: Step,
    destination: Step,
    cause: ledger.Cause,
    locked: Sequence[models.Balance] | None = None,
) -> None:
    legs = [ledger.Leg(quantity, source(place), destination(place)) for place, quantity in units.items()]
    ledger.post(product, legs, cause, locked)


def _cause(kind: models.MoveKind, sale_id: str, now: datetime) -> ledger.Cause:
    """Only a reservation names its sale in the event."""
    return ledger.Cause(
        kind=kind,
        reference=f"sale:{sale_id}",
        actor=SYSTEM,
        now=now,
        sale_id=sale_id if kind == models.MoveKind.RESERVE else None,
    )
