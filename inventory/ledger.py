"""The double-entry ledger: the only writer of moves and balances.

Promises: `post` writes moves, balances, the product's next version and its events together, or nothing. Demand is
summed per balance first, balances are locked in primary-key order, and no state ever goes below 0. Everything happens
under the lock of the product's row (`lock_product`), so its versions and events come in the order of its changes.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import msgspec

from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import outbox
from inventory import models, refusals


class Place(msgspec.Struct, frozen=True):
    """Where units are: a location, and a warehouse for the states on hand."""

    location: models.Location
    warehouse: str | None = None


SUPPLIER = Place(models.Location.SUPPLIER)
LOSS = Place(models.Location.LOSS)


class Leg(msgspec.Struct, frozen=True):
    """One move to be: `quantity` units from `source` to `destination`."""

    quantity: int
    source: Place
    destination: Place


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why a posting happens, and by whom. `sale_id`: the sale for which it reserves units."""

    kind: models.MoveKind
    reference: str
    actor: str
    now: datetime
    reason: str = ""
    sale_id: str | None = None


class Figures(msgspec.Struct, frozen=True):
    """A product's units over all warehouses."""

    available: int
    reserved: int
    committed: int
    set_aside: int

    @property
    def on_hand(self) -> int:
        return self.available + self.reserved + self.committed + self.set_aside

    @property
    def is_depleted(self) -> bool:
        """Nothing to sell, and nothing that may still come back from a buyer who has not paid."""
        return self.available + self.reserved == 0

    def as_dict(self) -> dict[str, int]:
        return {"on_hand": self.on_hand, **msgspec.structs.asdict(self)}


def available_in(warehouse: str) -> Place:
    return Place(models.Location.AVAILABLE, warehouse)


def reserved_in(warehouse: str) -> Place:
    return Place(models.Location.RESERVED, warehouse)


def committed_in(warehouse: str) -> Place:
    return Place(models.Location.COMMITTED, warehouse)


def lock_product(product_id: str) -> models.Product:
    """The product, locked until the transaction ends. Raises UnknownProduct."""
    try:
        return models.Product.objects.select_for_update().get(id=product_id)
    except models.Product.DoesNotExist:
        raise refusals.UnknownProduct(product_id=product_id) from None


def lock_product_of_sale(sale_id: str) -> models.Product:
    """The product that the sale has reserved, locked until the transaction ends. Raises NotReserved."""
    sold = models.Product.objects.filter(
        reservations__kind=models.ReservationKind.SALE, reservations__holder=sale_id
    )
    try:
        return sold.select_for_update(of=("self",)).get()
    except models.Product.DoesNotExist:
        raise refusals.NotReserved(sale_id=sale_id) from None


def open_balances(product: models.Product) -> None:
    """A balance of 0 in every warehouse that has none yet."""
    codes = models.Warehouse.objects.order_by("priority").values_list("code", flat=True)
    rows = [models.Balance(product=product, warehouse_id=code) for code in codes]
    models.Balance.objects.bulk_create(rows, ignore_conflicts=True)


def lock_balances(product: models.Product) -> list[models.Balance]:
    """The product's balances, locked in primary-key order."""
    rows = models.Balance.objects.filter(product=product).select_related("warehouse")
    return list(rows.order_by("id").select_for_update(of=("self",)))


def by_priority(balances: Sequence[models.Balance]) -> list[tuple[str, int]]:
    """The free units of each warehouse, in the order in which they are taken."""
    ordered = sorted(balances, key=lambda balance: balance.warehouse.priority)
    return [(balance.warehouse_id, balance.available) for balance in ordered]


def require_warehouse(code: str) -> None:
    """Raises UnknownWarehouse."""
    if not models.Warehouse.objects.filter(code=code).exists():
        raise refusals.UnknownWarehouse(warehouse=code)


def figures_of(balances: Sequence[models.Balance]) -> Figures:
    return Figures(
        available=sum(balance.available for balance in balances),
        reserved=sum(balance.reserved for balance in balances),
        committed=sum(balance.committed for balance in balances),
        set_aside=sum(balance.set_aside for balance in balances),
    )


def post(
    product: models.Product,
    legs: Sequence[Leg],
    cause: Cause,
    locked: Sequence[models.Balance] | None = None,
) -> Figures:
    """Move the units of `legs`; the product's figures after it. The product must be locked.

    `locked` are its balances where the caller has them from `lock_balances`, as they are. Raises InsufficientStock and UnknownWarehouse; then nothing has been written.
    """
    demand = _sum_demand(legs)
    balances = {balance.warehouse_id: balance for balance in _balances_for(product, demand, locked)}
    before = figures_of(list(balances.values()))
    for place, quantity in demand.items():
        balances[place.warehouse].add(place.location, quantity)
    for code in {place.warehouse for place in demand}:
        balances[code].save(update_fields=["available", "reserved", "committed", "set_aside"])
    after = figures_of(list(balances.values()))
    is_low_now = product.crosses_low(after.available)
    product.next_version()
    models.Move.objects.bulk_create([_move(product, leg, cause) for leg in legs])
    is_depleted_now = after.is_depleted and not before.is_depleted
    _publish(
        product,
        after,
        cause.now,
        sale_id=cause.sale_id,
        is_low_now=is_low_now,
        is_depleted_now=is_depleted_now,
    )
    return after


def restate(product: models.Product, *, now: datetime, sale_id: str | None = None) -> None:
    """Publish the product's state anew: its threshold has changed, or the sale `sale_id` reserved units that its lot
    held already. The product must be locked.
    """
    figures = figures_of(lock_balances(product))
    is_low_now = product.crosses_low(figures.available)
    product.next_version()
    _publish(product, figures, now, sale_id=sale_id, is_low_now=is_low_now, is_depleted_now=False)


def _publish(
    product: models.Product,
    figures: Figures,
    now: datetime,
    *,
    sale_id: str | None,
    is_low_now: bool,
    is_depleted_now: bool,
) -> None:
    """StockChanged, and StockLow or StockDepleted where that has just come true."""
    state = {
        "product_id": product.id,
        "version": product.stock_version,
        "title": product.title,
        "on_hand": figures.on_hand,
        "available": figures.available,
        "reserved": figures.reserved,
        "committed": figures.committed,
    }
    published: list[events.StockState] = [events.StockChanged(**state, sale_id=sale_id)]
    if is_low_now:
        published.append(events.StockLow(**state, threshold=product.low_threshold))
    if is_depleted_now:
        published.append(events.StockDepleted(**state))
    for event in published:
        outbox.publish(models.Outbox, event, now=now, version=product.stock_version)


def _sum_demand(legs: Sequence[Leg]) -> dict[Place, int]:
    """What each state on hand gains or loses in all."""
    demand: dict[Place, int] = defaultdict(int)
    for leg in legs:
        demand[leg.source] -= leg.quantity
        demand[leg.destination] += leg.quantity
    return {place: quantity for place, quantity in demand.items() if place.warehouse is not None}


def _balances_for(
    product: models.Product, demand: dict[Place, int], locked: Sequence[models.Balance] | None
) -> Sequence[models.Balance]:
    """All balances of the product, locked; those of warehouses that are newer than the product are opened first."""
    wanted = {place.warehouse for place in demand}
    balances = lock_balances(product) if locked is None else locked
    if wanted - {balance.warehouse_id for balance in balances}:
        open_balances(product)
        balances = lock_balances(product)
    if unknown := wanted - {balance.warehouse_id for balance in balances}:
        raise refusals.UnknownWarehouse(warehouse=min(str(code) for code in unknown))
    return balances


def _move(product: models.Product, leg: Leg, cause: Cause) -> models.Move:
    return models.Move(
        product=product,
        kind=cause.kind,
        quantity=leg.quantity,
        source=leg.source.location,
        source_warehouse_id=leg.source.warehouse,
        destination=leg.destination.location,
        destination_warehouse_id=leg.destination.warehouse,
        version=product.stock_version,
        reference=cause.reference,
        reason=cause.reason,
        actor=cause.actor,
        at=cause.now,
    )
