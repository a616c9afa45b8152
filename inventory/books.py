"""The books of the stock: products, balances, reservations and holdings as one transaction works on them.

Promises: the rows are locked before they are read, in primary-key order, by one statement a table; the lock of a
product's row is the lock of all that belongs to it, so its versions and events come in the order of its changes. All
changes are made in memory, and written together by at most one INSERT and one UPDATE a table, for any number of
commands. `post` is the only writer of moves and balances: double entry, and no state ever goes below 0.
"""

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from django.db.models import Q, QuerySet

from auction_project.kernel import errors, writes
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import outbox
from inventory import ledger, models, refusals, rows
from inventory.search import cache


@contextlib.contextmanager
def opened(product_ids: "Collection[str] | QuerySet[models.Reservation]") -> "Iterator[Books]":
    """The books of the products (ids, or a query for them), locked until the transaction ends; the end of the block writes them.

    A product that does not exist is left out.
    """
    books = Books(product_ids)
    yield books
    books.write()


def open_balances(product: models.Product) -> None:
    """A balance of 0 in every warehouse that has none yet."""
    codes = models.Warehouse.objects.order_by("priority").values_list("code", flat=True)
    balances = [models.Balance(product=product, warehouse_id=code) for code in codes]
    models.Balance.objects.bulk_create(balances, ignore_conflicts=True)


class Books:
    """`products` by id. What it returns may be changed through its own methods and those of the models."""

    def __init__(self, product_ids: "Collection[str] | QuerySet[models.Reservation]") -> None:
        self._product_rows = rows.Rows(models.Product, "stock_version", "is_low", "low_threshold")
        self._balance_rows = rows.Rows(models.Balance, "available", "reserved", "committed", "set_aside")
        self._reservation_rows = rows.Rows(
            models.Reservation, "product", "quantity", "returned", "state", "changed_at", "listing_due_at"
        )
        self._holding_rows = rows.Rows(models.Holding, "quantity", "from_lot")
        self._moves: list[models.Move] = []
        self._stock_crossings: dict[
            str, bool
        ] = {}  # products that came into stock, or have nothing available now
        self._balances: dict[str, dict[str, models.Balance]] = defaultdict(dict)  # by product and warehouse
        # by kind and holder, then by product, which a lot may lack
        self._reservations: dict[tuple[str, str], dict[str | None, models.Reservation]] = defaultdict(dict)

        products = models.Product.objects.filter(id__in=product_ids).order_by("id").select_for_update()
        self.products = {product.id: product for product in self._product_rows.load(products)}
        if self.products:
            self._lock_balances(self.products)

    # --- what there is

    def product(self, product_id: str) -> models.Product:
        """Raises UnknownProduct."""
        try:
            return self.products[product_id]
        except KeyError:
            raise refusals.UnknownProduct(product_id=product_id) from None

    def product_of(self, reservation: models.Reservation) -> models.Product:
        """Its product, locked. Raises errors.Unavailable when the reservation has come into being since the locks."""
        if reservation.product_id not in self.products:
            raise errors.Unavailable(f"{reservation} has changed at this moment.")
        return self.products[reservation.product_id]

    def balances(self, product: models.Product) -> list[models.Balance]:
        """In the order of the warehouses' priority."""
        return sorted(self._balances[product.id].values(), key=lambda balance: balance.warehouse.priority)

    def free_units(self, product: models.Product) -> dict[str, int]:
        """By warehouse, in the order in which they are taken."""
        return {balance.warehouse_id: balance.available for balance in self.balances(product)}

    def figures(self, product: models.Product) -> ledger.Figures:
        return ledger.figures_of(self._balances[product.id].values())

    def lock_reservations(self, wanted: Q) -> list[models.Reservation]:
        """The reservations with their holdings, in primary-key order, but those that are locked already."""
        present = [one.id for held in self._reservations.values() for one in held.values() if one.id]
        locked = self._reservation_rows.load(
            models.Reservation.objects.filter(wanted)
            .exclude(id__in=present)
            .order_by("id")
            .select_for_update()
        )
        by_id = {reservation.id: reservation for reservation in locked}
        for reservation in locked:
            if reservation.product_id in self.products:
                reservation.product = self.products[reservation.product_id]
            self._keep(reservation)
        if by_id:
            held = models.Holding.objects.filter(reservation__in=by_id).order_by("warehouse__priority")
            for holding in self._holding_rows.load(held):
                holding.reservation = by_id[holding.reservation_id]
                holding.reservation.held[holding.warehouse_id] = holding
        return locked

    def sales(self, sale_id: str) -> list[models.Reservation]:
        """The reservations of a sale, one for each product; they must be locked if they exist."""
        return self._of(models.ReservationKind.SALE, sale_id)

    def checkouts(self, checkout_id: str) -> list[models.Reservation]:
        """The reservations of a checkout, one for each product; they must be locked if they exist."""
        return self._of(models.ReservationKind.CHECKOUT, checkout_id)

    def lot(self, auction_id: str) -> models.Reservation | None:
        """The reservation of a lot; it must be locked if it exists."""
        return next(iter(self._of(models.ReservationKind.LOT, auction_id)), None)

    def running_lot(self, auction_id: str, product: models.Product) -> models.Reservation | None:
        """The reservation of a lot of this product, while it runs."""
        lot = self.lot(auction_id)
        runs = lot is not None and lot.state == models.ReservationState.HELD and lot.product_id == product.id
        return lot if runs else None

    def source(
        self, *, auction_id: str, checkout_id: str, product: models.Product
    ) -> models.Reservation | None:
        """The reservation from which a sale claims units of the product first, while it runs: its lot's or its checkout's."""
        if auction_id:
            return self.running_lot(auction_id, product)
        held = (one for one in self.checkouts(checkout_id) if one.state == models.ReservationState.HELD)
        return next((one for one in held if one.product_id == product.id), None)

    # --- what changes

    def add_reservation(self, reservation: models.Reservation) -> models.Reservation:
        """A new row, for a holder that has none of this product."""
        self._keep(reservation)
        return self._reservation_rows.add(reservation)

    def hold(
        self,
        reservation: models.Reservation,
        units: Mapping[str, int],
        from_lot: Mapping[str, int] | None = None,
    ) -> None:
        """The reservation has so many more units in each warehouse, or fewer where the number is negative; `from_lot` of
        them are the lot's."""
        for warehouse, quantity in units.items():
            of_lot = from_lot.get(warehouse, 0) if from_lot else 0
            holding = reservation.held.get(warehouse)
            if holding is None:
                holding = models.Holding(
                    reservation=reservation, warehouse_id=warehouse, quantity=0, from_lot=0
                )
                reservation.held[warehouse] = self._holding_rows.add(holding)
            holding.become(holding.quantity + quantity, from_lot=holding.from_lot + of_lot)

    def post(
        self, product: models.Product, legs: Sequence[ledger.Leg], cause: ledger.Cause
    ) -> ledger.Figures:
        """Move the units of `legs`, and publish it; the product's figures after it.

        Raises InsufficientStock and UnknownWarehouse; then nothing has changed.
        """
        demand = ledger.sum_demand(legs)
        balances = self._balances_for(product, {warehouse for warehouse, _ in demand})
        for (warehouse, location), quantity in demand.items():
            balances[warehouse].require(location, -quantity)
        before = ledger.figures_of(balances.values())
        for (warehouse, location), quantity in demand.items():
            balances[warehouse].add(location, quantity)
        after = ledger.figures_of(balances.values())
        self._publish(product, after, cause.now, sale_id=cause.sale_id, was_depleted=before.is_depleted)
        self._moves += [ledger.move(product, leg, cause) for leg in legs]
        if product.in_shop and (before.available == 0) != (after.available == 0):
            self._stock_crossings[product.id] = after.available > 0
        return after

    def restate(self, product: models.Product, *, now: datetime, sale_id: str | None = None) -> None:
        """Publish the product's state anew: its threshold has changed, or the sale `sale_id` reserved units that its lot
        held already."""
        self._publish(product, self.figures(product), now, sale_id=sale_id, was_depleted=True)

    def write(self) -> None:
        """Store what has changed, once."""
        self._product_rows.write()
        self._balance_rows.write()
        self._reservation_rows.write(with_keys=True)
        for holding in self._holding_rows.new:
            holding.reservation_id = holding.reservation.id
        self._holding_rows.write()
        writes.insert(models.Move, self._moves)
        if self._stock_crossings and models.SearchEntry.note_stock(self._stock_crossings):
            cache.invalidate_after_commit()

    def _of(self, kind: models.ReservationKind, holder: str) -> list[models.Reservation]:
        return list(self._reservations[kind, holder].values()) if (kind, holder) in self._reservations else []

    def _keep(self, reservation: models.Reservation) -> None:
        self._reservations[reservation.kind, reservation.holder][reservation.product_id] = reservation

    def _publish(
        self,
        product: models.Product,
        figures: ledger.Figures,
        now: datetime,
        *,
        sale_id: str | None,
        was_depleted: bool,
    ) -> None:
        """The next version: StockChanged, and StockLow or StockDepleted where that has just come true."""
        is_low_now = product.crosses_low(figures.available)
        product.stock_version += 1
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
        if figures.is_depleted and not was_depleted:
            published.append(events.StockDepleted(**state))
        for event in published:
            outbox.publish(models.Outbox, event, now=now, version=product.stock_version)

    def _balances_for(self, product: models.Product, warehouses: set[str]) -> dict[str, models.Balance]:
        """The product's balances; those of warehouses that are newer than the product are opened first."""
        balances = self._balances[product.id]
        if not warehouses <= balances.keys():
            open_balances(product)
            self._lock_balances([product.id], but=[balance.id for balance in balances.values()])
        if unknown := warehouses - balances.keys():
            raise refusals.UnknownWarehouse(warehouse=min(unknown))
        return balances

    def _lock_balances(self, product_ids: Iterable[str], *, but: Sequence[int] = ()) -> None:
        balances = models.Balance.objects.filter(product__in=product_ids).exclude(id__in=but)
        locked = balances.select_related("warehouse").order_by("id").select_for_update(of=("self",))
        for balance in self._balance_rows.load(locked):
            self._balances[balance.product_id][balance.warehouse_id] = balance
