"""Reservations of lots, checkouts and sales, and the units that each holds.

Their methods change them in memory; `books` locks them before, and writes them.
"""

from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q

from inventory import refusals
from inventory.models.catalogue import Product
from inventory.models.stock import Warehouse


class ReservationKind(models.TextChoices):
    LOT = "LOT", "Lot"
    CHECKOUT = "CHECKOUT", "Checkout"
    SALE = "SALE", "Sale"


class ReservationState(models.TextChoices):
    """RELEASED, LOST, REFUSED, SHIPPED and CANCELLED are final. SHIPPED: the units of a sale have left the house. CANCELLED: its
    order was, before they left. A lot that was over before its listing came is RELEASED from the start."""

    HELD = "HELD", "Held"
    COMMITTED = "COMMITTED", "Committed"
    RELEASED = "RELEASED", "Released"
    LOST = "LOST", "Lost"
    REFUSED = "REFUSED", "Refused"
    SHIPPED = "SHIPPED", "Shipped"
    CANCELLED = "CANCELLED", "Cancelled"


TRANSITIONS: dict[ReservationState, frozenset[ReservationState]] = {
    ReservationState.HELD: frozenset(
        {ReservationState.COMMITTED, ReservationState.RELEASED, ReservationState.LOST}
    ),
    ReservationState.COMMITTED: frozenset(
        {ReservationState.HELD, ReservationState.SHIPPED, ReservationState.CANCELLED}
    ),
    ReservationState.RELEASED: frozenset(),
    ReservationState.LOST: frozenset(),
    ReservationState.REFUSED: frozenset(),
    ReservationState.SHIPPED: frozenset(),
    ReservationState.CANCELLED: frozenset(),
}


class Reservation(models.Model):
    """What a lot, a checkout or a sale has a claim on. One row for each of its products, for ever: `holder` is the id of the
    auction, the checkout or the sale.

    A sale claims units of its auction's lot, or of its checkout, first. A checkout's units are free again at `expires_at`.
    `returned` units of a shipped sale have come back. `listing_due_at` is set while a lot has inherited the units of the auction before it and its own listing has not come.
    """

    kind = models.CharField(max_length=8, choices=ReservationKind.choices)
    holder = models.CharField(max_length=100)
    auction_id = models.CharField(max_length=64, blank=True, default="")
    checkout_id = models.CharField(max_length=64, blank=True, default="")
    product = models.ForeignKey(Product, models.PROTECT, null=True, related_name="reservations")
    quantity = models.PositiveIntegerField()
    returned = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=ReservationState.choices)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    listing_due_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(
                fields=["listing_due_at"],
                name="inventory_lot_awaits_listing",
                condition=Q(state="HELD", listing_due_at__isnull=False),
            ),
            models.Index(
                fields=["expires_at"],
                name="inventory_checkout_expires",
                condition=Q(kind="CHECKOUT", state="HELD"),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["holder", "kind", "product"], name="inventory_reservation_once"),
            models.UniqueConstraint(
                fields=["holder"], condition=Q(kind="LOT"), name="inventory_reservation_one_lot"
            ),
            models.CheckConstraint(
                condition=Q(kind="SALE", quantity__gt=0, product__isnull=False)
                | Q(kind="LOT", holder=F("auction_id"))
                | Q(kind="CHECKOUT", holder=F("checkout_id"), product__isnull=False),
                name="inventory_reservation_holder",
            ),
            models.CheckConstraint(
                condition=Q(kind="LOT") | Q(listing_due_at__isnull=True),
                name="inventory_reservation_listing",
            ),
            models.CheckConstraint(
                condition=Q(kind="CHECKOUT", expires_at__isnull=False)
                | ~Q(kind="CHECKOUT") & Q(expires_at__isnull=True),
                name="inventory_reservation_expiry",
            ),
            models.CheckConstraint(
                condition=Q(kind="SALE") & ~Q(state="REFUSED")
                | ~Q(kind="SALE") & ~Q(state__in=["COMMITTED", "SHIPPED", "CANCELLED"]),
                name="inventory_reservation_state",
            ),
            models.CheckConstraint(
                condition=Q(returned=0) | Q(state="SHIPPED", returned__lte=F("quantity")),
                name="inventory_reservation_returned",
            ),
            models.CheckConstraint(
                condition=Q(product__isnull=False) | Q(state__in=["RELEASED", "REFUSED"]),
                name="inventory_reservation_product",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.holder}: {self.state}"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.held: dict[str, Holding] = {}  # by warehouse, in the order of priority; `books` fills it

    @property
    def units(self) -> dict[str, int]:
        """What it holds, by warehouse."""
        return {warehouse: holding.quantity for warehouse, holding in self.held.items() if holding.quantity}

    @property
    def awaits_listing(self) -> bool:
        """The lot was over, or had inherited its units, before its listing came."""
        return self.listing_due_at is not None or (
            self.state == ReservationState.RELEASED and self.product_id is None
        )

    def answer(self, product: Product, quantity: int, *, now: datetime) -> None:
        """The listing of a lot that awaited it has come."""
        self.product, self.quantity, self.listing_due_at, self.changed_at = product, quantity, None, now

    def lose(self, units: int, *, now: datetime) -> None:
        """`units` of a lot or a checkout are broken or gone; with the last of them it is LOST."""
        self.quantity, self.changed_at = self.quantity - units, now
        if self.quantity == 0:
            self.become(ReservationState.LOST, now=now)

    def sell_fewer(self, units: int, *, now: datetime) -> None:
        """`units` that a sale had claimed of this lot or checkout do not come back to it."""
        self.quantity, self.changed_at = self.quantity - units, now

    def take_back(self, units: int, *, now: datetime) -> dict[str, int]:
        """`units` of a shipped sale come back; how many to each warehouse, which are those that they left. Raises NotShipped."""
        if self.state != ReservationState.SHIPPED or units > self.quantity - self.returned:
            raise refusals.NotShipped(state=self.state, quantity=self.quantity, returned=self.returned)
        back: dict[str, int] = {}
        before = self.returned
        for warehouse, left in self.units.items():
            skipped = min(before, left)
            before -= skipped
            if share := min(units - sum(back.values()), left - skipped):
                back[warehouse] = share
        self.returned, self.changed_at = self.returned + units, now
        return back

    def give_up_units(self) -> dict[str, int]:
        """What it held, by warehouse; it holds nothing from now on."""
        given = self.units
        for holding in self.held.values():
            holding.become(0)
        return given

    def why_not(self, state: ReservationState) -> refusals.WrongState | None:
        """The refusal to go to `state`, or None."""
        if state in TRANSITIONS[ReservationState(self.state)]:
            return None
        return refusals.WrongState(
            f"The reservation is {self.state}, it cannot become {state}.", state=self.state
        )

    def become(self, state: ReservationState, *, now: datetime) -> None:
        """Go to `state`. Raises WrongState."""
        if refusal := self.why_not(state):
            raise refusal
        self.state, self.changed_at = state, now


class Holding(models.Model):
    """The units that a reservation has in one warehouse now, or had when it was shipped; `from_lot` of them a sale claimed
    from its lot or its checkout."""

    reservation = models.ForeignKey(Reservation, models.PROTECT, related_name="holdings")
    warehouse = models.ForeignKey(Warehouse, models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField()
    from_lot = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["id"]
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reservation", "warehouse"], name="inventory_holding_once"),
            models.CheckConstraint(
                condition=Q(from_lot__lte=F("quantity")), name="inventory_holding_from_lot"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} in {self.warehouse_id}"

    def become(self, quantity: int, *, from_lot: int = 0) -> None:
        """Hold `quantity` from now on."""
        self.quantity, self.from_lot = quantity, from_lot
