"""Reservations of lots and sales, and the units that each holds."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

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

    @classmethod
    def hold_for_sale(
        cls, sale_id: str, auction_id: str, product: Product, quantity: int, *, now: datetime
    ) -> "Reservation":
        """A sale's one reservation, held. The product must be locked."""
        return cls.objects.create(
            kind=ReservationKind.SALE,
            holder=sale_id,
            auction_id=auction_id,
            product=product,
            quantity=quantity,
            state=ReservationState.HELD,
            created_at=now,
            changed_at=now,
        )

    @property
    def awaits_listing(self) -> bool:
        """The lot was over, or had inherited its units, before its listing came."""
        return self.listing_due_at is not None or (
            self.state == ReservationState.RELEASED and self.product_id is None
        )

    def answer(self, product: Product, quantity: int, *, now: datetime) -> None:
        """The listing of a lot that awaited it has come. The product must be locked."""
        self.product, self.quantity, self.listing_due_at, self.changed_at = product, quantity, None, now
        self.save(update_fields=["product", "quantity", "listing_due_at", "changed_at"])

    def lose(self, units: int, *, now: datetime) -> None:
        """`units` of a lot are broken or gone; with the last of them the lot is LOST. The product must be locked."""
        self.quantity, self.changed_at = self.quantity - units, now
        self.save(update_fields=["quantity", "changed_at"])
        if self.quantity == 0:
            self.become(ReservationState.LOST, now=now)

    @classmethod
    def running_lot(cls, auction_id: str, product: Product) -> "Reservation | None":
        """What the auction holds for its lot, while it runs. The product must be locked."""
        return cls.objects.filter(
            kind=ReservationKind.LOT, holder=auction_id, state=ReservationState.HELD, product=product
        ).first()

    def add_units(self, units: Mapping[str, int], *, from_lot: int = 0) -> None:
        """Hold so many more in each warehouse, or fewer where the number is negative; `from_lot` of them are the lot's.

        The product must be locked.
        """
        held = {holding.warehouse_id: holding for holding in self.holdings.all()}
        for place, quantity in units.items():
            if place in held:
                present = held[place]
                present.become(present.quantity + quantity, from_lot=present.from_lot + from_lot)
            else:
                Holding.objects.create(
                    reservation=self, warehouse_id=place, quantity=quantity, from_lot=from_lot
                )

    def give_up_units(self) -> dict[str, int]:
        """What it held, by warehouse; it holds nothing from now on. The product must be locked."""
        given = {}
        for holding in self.holdings.filter(quantity__gt=0).order_by("id"):
            given[holding.warehouse_id] = holding.quantity
            holding.become(0)
        return given

    def become(self, state: ReservationState, *, now: datetime) -> None:
        """Go to `state`. The row must be locked. Raises WrongState."""
        if state not in TRANSITIONS[ReservationState(self.state)]:
            raise refusals.WrongState(
                f"The reservation is {self.state}, it cannot become {state}.", state=self.state
            )
        self.state, self.changed_at = state, now
        self.save(update_fields=["state", "changed_at"])


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
        """Hold `quantity` from now on. The product must be locked."""
        self.quantity, self.from_lot = quantity, from_lot
        self.save(update_fields=["quantity", "from_lot"])
