"""The read model of the owner's desk: what its events have said of each sale, refund, lot and product, and the sums of it.

Every row of DeskSale, DeskRefund and DeskLot says by `counts()` what it adds to the sums DeskHour and DeskProductDay. Who changes
a row adds the difference to the sums in the same transaction. So an event that comes twice, late, or before another one that it
follows changes nothing that it should not. Days and hours are those of the house's time zone (TIME_ZONE).
"""

import collections
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, ClassVar, NamedTuple, Self

import msgspec
from django.db import connections, models
from django.utils import timezone

from orders.models.database import DATABASE

_LOCK = "SELECT pg_advisory_xact_lock{}(hashtextextended('orders.desk', 0))"


class Measure(models.TextChoices):
    """What an hour counts. The subject says which: of ORDER where it was sold, of FAILED the reason.

    ORDER: confirmed orders, their amounts and units. REFUND: money given back. FAILED: sales that were undone. LISTED: lots that
    were accepted. ENDED: lots that ended, with the units that they offered. SOLD: those of them that sold something, with the
    units that they sold.
    """

    ORDER = "ORDER"
    REFUND = "REFUND"
    FAILED = "FAILED"
    LISTED = "LISTED"
    ENDED = "ENDED"
    SOLD = "SOLD"


AUCTIONS, SHOP = "auctions", "shop"  # where an order was sold


class HourKey(NamedTuple):
    """A row of DeskHour."""

    day: date
    hour: int
    measure: str
    subject: str
    currency: str


class ProductKey(NamedTuple):
    """A row of DeskProductDay."""

    day: date
    product_id: str
    currency: str


Key = HourKey | ProductKey


class Count(NamedTuple):
    """How many, for how much (minor units), and how many units of products."""

    number: int
    amount: int
    units: int


Counts = Iterator[tuple[Key, Count]]


class Line(msgspec.Struct, frozen=True, array_like=True):
    """So many units of a product for `amount` in all. `auction_id`: the lot that a checkout paid."""

    product_id: str
    quantity: int
    amount: int
    auction_id: str = ""


class _Kept(models.Model):
    """A row that is changed under its lock and written with others in one statement."""

    class Meta:
        abstract = True
        default_permissions = ()

    @classmethod
    def locked_or_new(cls, keys: Iterable[str]) -> dict[str, Self]:
        """The rows of `keys`, new ones included, locked in the order of the keys until the transaction ends."""
        ordered = sorted(set(keys))
        if not ordered:
            return {}
        rows = cls._locked(ordered)
        if missing := [key for key in ordered if key not in rows]:
            cls.objects.bulk_create([cls(pk=key) for key in missing], ignore_conflicts=True)
            rows |= cls._locked(missing)
        return rows

    @classmethod
    def _locked(cls, keys: Sequence[str]) -> dict[str, Self]:
        return {row.pk: row for row in cls.objects.filter(pk__in=keys).order_by("pk").select_for_update()}

    @classmethod
    def store(cls, rows: Iterable[Self]) -> None:
        """Write these locked rows. One statement."""
        names = [field.attname for field in cls._meta.concrete_fields if not field.primary_key]
        cls.objects.bulk_create(
            sorted(rows, key=lambda row: str(row.pk)),
            update_conflicts=True,
            update_fields=names,
            unique_fields=[cls._meta.pk.name],
        )

    def counts(self) -> Counts:
        """What this row adds to the sums."""
        raise NotImplementedError


class DeskSale(_Kept):
    """A sale: its lines (SaleConfirmed), and how it ended (OrderConfirmed or BidFailed)."""

    sale_id = models.CharField(max_length=100, primary_key=True)
    auction_id = models.CharField(max_length=64, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    lines = models.JSONField(default=list)
    amount = models.BigIntegerField(default=0)
    confirmed_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=20, blank=True)

    class Meta(_Kept.Meta):
        permissions: ClassVar = [("view_desk", "Can see the owner's desk")]
        indexes = [
            models.Index(
                fields=["confirmed_at"],
                name="orders_desk_confirmed",
                condition=models.Q(confirmed_at__isnull=False),
            ),
            models.Index(
                fields=["failed_at"], name="orders_desk_failed", condition=models.Q(failed_at__isnull=False)
            ),
            models.Index(
                fields=["auction_id"],
                name="orders_desk_sale_of_lot",
                condition=~models.Q(auction_id="") & models.Q(confirmed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.sale_id

    @property
    def sold(self) -> list[Line]:
        return msgspec.convert(self.lines, list[Line])

    @property
    def units(self) -> int:
        """The units that were sold for good, as far as the lines are known."""
        return sum(line.quantity for line in self.sold) if self.confirmed_at else 0

    @property
    def units_of_lots(self) -> collections.Counter[str]:
        """Those of each lot."""
        units = collections.Counter[str]()
        for line in self.sold if self.confirmed_at else ():
            if auction_id := self.auction_id or line.auction_id:
                units[auction_id] += line.quantity
        return units

    def counts(self) -> Counts:
        if self.confirmed_at:
            day, hour = day_and_hour(self.confirmed_at)
            subject = AUCTIONS if self.auction_id else SHOP
            key = HourKey(day, hour, Measure.ORDER.value, subject, self.currency)
            yield key, Count(1, self.amount, self.units)
            for line in self.sold:
                yield ProductKey(day, line.product_id, self.currency), Count(1, line.amount, line.quantity)
        if self.failed_at:
            day, hour = day_and_hour(self.failed_at)
            yield HourKey(day, hour, Measure.FAILED.value, self.reason, ""), Count(1, 0, 0)


class DeskRefund(_Kept):
    """Money that was given back, by the id of its event."""

    event_id = models.CharField(max_length=200, primary_key=True)
    currency = models.CharField(max_length=3, blank=True)
    amount = models.BigIntegerField(default=0)
    at = models.DateTimeField(null=True)

    class Meta(_Kept.Meta):
        indexes = [models.Index(fields=["at"], name="orders_desk_refunded")]

    def __str__(self) -> str:
        return self.event_id

    def counts(self) -> Counts:
        if self.at:
            day, hour = day_and_hour(self.at)
            yield (
                HourKey(day, hour, Measure.REFUND.value, "", self.currency),
                Count(1, self.amount, 0),
            )


class DeskLot(_Kept):
    """A lot: listed (ListingRequested), accepted (LotAccepted), ended (AuctionEnded), and the units that its sales have sold."""

    auction_id = models.CharField(max_length=64, primary_key=True)
    quantity = models.PositiveIntegerField(default=0)
    sold = models.IntegerField(default=0)
    listed_at = models.DateTimeField(null=True)
    accepted = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True)

    class Meta(_Kept.Meta):
        indexes = [
            models.Index(fields=["listed_at"], name="orders_desk_listed"),
            models.Index(
                fields=["ended_at"], name="orders_desk_ended", condition=models.Q(ended_at__isnull=False)
            ),
            models.Index(
                fields=["auction_id"],
                name="orders_desk_open",
                condition=models.Q(accepted=True, ended_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.auction_id

    def counts(self) -> Counts:
        if not self.accepted or self.listed_at is None:
            return
        day, hour = day_and_hour(self.listed_at)
        yield HourKey(day, hour, Measure.LISTED.value, "", ""), Count(1, 0, self.quantity)
        if self.ended_at:
            day, hour = day_and_hour(self.ended_at)
            yield HourKey(day, hour, Measure.ENDED.value, "", ""), Count(1, 0, self.quantity)
            if self.sold:
                yield HourKey(day, hour, Measure.SOLD.value, "", ""), Count(1, 0, self.sold)


class DeskProduct(_Kept):
    """A product: its stock at `stock_version` and its offer at `offer_version`. No currency: it was never offered."""

    product_id = models.CharField(max_length=64, primary_key=True)
    title = models.TextField(blank=True)
    owner_id = models.CharField(max_length=64, blank=True)
    stock_version = models.BigIntegerField(default=-1)
    on_hand = models.BigIntegerField(default=0)
    offer_version = models.BigIntegerField(default=-1)
    price = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, blank=True)

    class Meta(_Kept.Meta):
        pass

    def __str__(self) -> str:
        return self.title or self.product_id

    def counts(self) -> Counts:
        yield from ()


class _Sum(models.Model):
    """A sum that `add` changes."""

    KEY: ClassVar[tuple[str, ...]]
    TYPES: ClassVar[tuple[str, ...]]

    count = models.BigIntegerField()
    amount = models.BigIntegerField()
    units = models.BigIntegerField()

    class Meta:
        abstract = True
        default_permissions = ()

    @classmethod
    def add(cls, counts: Mapping[Any, Count]) -> None:
        """Add to the rows of these keys, in the order of the keys. One statement."""
        rows = [(*key, *counts[key]) for key in sorted(counts) if any(counts[key])]
        if not rows:
            return
        names = (*cls.KEY, "count", "amount", "units")
        arrays = ", ".join(f"%s::{kind}[]" for kind in (*cls.TYPES, "bigint", "bigint", "bigint"))
        with connections[DATABASE].cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {cls._meta.db_table} AS stored ({', '.join(names)}) SELECT * FROM unnest({arrays}) "  # noqa: S608 - names of columns
                f"ON CONFLICT ({', '.join(cls.KEY)}) DO UPDATE SET count = stored.count + excluded.count, "
                "amount = stored.amount + excluded.amount, units = stored.units + excluded.units",
                [list(column) for column in zip(*rows, strict=True)],
            )


class DeskHour(_Sum):
    """The sums of one hour of a day. When a clock is put back, an hour of its day has two."""

    KEY = HourKey._fields
    TYPES = ("date", "smallint", "text", "text", "text")

    pk = models.CompositePrimaryKey("day", "hour", "measure", "subject", "currency")
    day = models.DateField()
    hour = models.PositiveSmallIntegerField()
    measure = models.CharField(max_length=10, choices=Measure.choices)
    subject = models.CharField(max_length=20, blank=True)
    currency = models.CharField(max_length=3, blank=True)

    class Meta(_Sum.Meta):
        pass

    def __str__(self) -> str:
        return f"{self.day} {self.hour}h {self.measure} {self.subject} {self.currency}"


class DeskProductDay(_Sum):
    """What was sold of a product on a day: in how many orders, for how much, how many units."""

    KEY = ProductKey._fields
    TYPES = ("date", "text", "text")

    pk = models.CompositePrimaryKey("day", "product_id", "currency")
    day = models.DateField()
    product_id = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)

    class Meta(_Sum.Meta):
        pass

    def __str__(self) -> str:
        return f"{self.day} {self.product_id} {self.currency}"


class Tally:
    """What a change of rows adds to the sums: `of(row, -1)` before the change, `of(row)` after it, then `store()`."""

    def __init__(self) -> None:
        self.counts: dict[Key, Count] = {}

    def of(self, rows: Iterable[_Kept], sign: int = 1) -> None:
        for row in rows:
            for key, added in row.counts():
                present = self.counts.get(key, Count(0, 0, 0))
                self.counts[key] = Count(*(old + sign * new for old, new in zip(present, added, strict=True)))

    def store(self) -> None:
        """Two statements."""
        DeskHour.add({key: count for key, count in self.counts.items() if isinstance(key, HourKey)})
        DeskProductDay.add({key: count for key, count in self.counts.items() if isinstance(key, ProductKey)})


def day_and_hour(at: datetime) -> tuple[date, int]:
    """The day and the hour of this instant in the house's time zone."""
    local = at.astimezone(timezone.get_default_timezone())
    return local.date(), local.hour


def lock_desk(*, alone: bool) -> None:
    """Until the transaction ends: beside others that record, or `alone`, as the rebuild does."""
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_LOCK.format("" if alone else "_shared"))
