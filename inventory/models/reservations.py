"""Reservations of lots and sales, and the units that each holds.

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
    SALE = "SALE", "Sale"


class ReservationState(models.TextChoices):
    """RELEASED, LOST and REFUSED are final. A lot that was over before its listing came is RELEASED from the start."""

    HELD = "HELD", "Held"
    COMMITTED = "COMMITTED", "Committed"
    RELEASED = "RELEASED", "Released"
    LOST = "LOST", "Lost"
    REFUSED = "REFUSED", "Refused"


TRANSITIONS: dict[ReservationState, frozenset[ReservationState]] = {
    ReservationState.HELD: frozenset(
        {ReservationState.COMMITTED, ReservationState.RELEASED, ReservationState.LOST}
    ),
    ReservationState.COMMITTED: frozenset({ReservationState.HELD}),
    ReservationState.RELEASED: frozenset(),
    ReservationState.LOST: frozenset(),
    ReservationState.REFUSED: frozenset(),
}


class Reservation(models.Model):
    """What a lot or a sale has a claim on. One row for each, for ever: `holder` is the auction's or the sale's id.

    `listing_due_at` is set while a lot has inherited the units of the auction before it and its own listing has not come.
    """

    kind = models.CharField(max_length=4, choices=ReservationKind.choices)
    holder = models.CharField(max_length=100)
    auction_id = models.CharField(max_length=64)
    product = models.ForeignKey(Product, models.PROTECT, null=True, related_name="reservations")
    quantity = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=ReservationState.choices)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    listing_due_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(
                fields=["listing_due_at"],
                name="inventory_lot_awaits_listing",
                condition=Q(state="HELD", listing_due_at__isnull=False),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "holder"], name="inventory_reservation_once"),
            models.CheckConstraint(
                condition=Q(kind="SALE", quantity__gt=0, product__isnull=False)
                | Q(kind="LOT", holder=F("auction_id")),
                name="inventory_reservation_holder",
            ),
            models.CheckConstraint(
                condition=Q(kind="LOT") | Q(listing_due_at__isnull=True),
                name="inventory_reservation_listing",
            ),
            models.CheckConstraint(
                condition=~Q(kind="LOT", state="COMMITTED") & ~Q(kind="SALE", state="REFUSED"),
                name="inventory_reservation_state",
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
        """`units` of a lot are broken or gone; with the last of them the lot is LOST."""
        self.quantity, self.changed_at = self.quantity - units, now
        if self.quantity == 0:
            self.become(ReservationState.LOST, now=now)

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
    """The units that a reservation has in one warehouse now; `from_lot` of them a sale claimed from its lot."""

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
