"""Fills the desk again from the sources, in bounded pieces, while events are recorded and the page is read.

Each piece is one transaction that holds the desk alone: it reads what the source says now, which is at least as new as every event
that the desk has had, and makes the rows so, with the difference in the sums. Last, the sums of each day are made again from the
rows. So what an interrupted rebuild leaves is consistent, and running it again is enough.

Orders are a source of their own here. What other apps know comes from `Sources`, which the composition root makes.
"""

import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Protocol

import msgspec
from django.db import connections, transaction
from django.db.models import Case, CharField, Max, Min, Model, Q, Value, When
from django.db.models.functions import Coalesce, Concat
from django.utils import timezone

from orders import models
from orders.desk import recording
from orders.models import desk

ROWS_PER_STEP = 1_000
# The id of the event that announced the refund of a journal entry (`services.publishing`).
_REFUND_EVENT = Case(
    When(refund__isnull=True, then=Concat("payment_id", Value(":PaymentRefunded"))),
    default=Concat("payment_id", Value(":OrderRefunded:"), "refund_id"),
    output_field=CharField(),
)
_TABLES = (
    models.DeskSale,
    models.DeskRefund,
    models.DeskLot,
    models.DeskProduct,
    models.DeskHour,
    models.DeskProductDay,
)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A sale that was undone."""

    sale_id: str
    auction_id: str
    failed_at: datetime.datetime
    reason: str


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """A lot of the bid log."""

    auction_id: str
    quantity: int
    listed_at: datetime.datetime
    accepted: bool
    ended_at: datetime.datetime | None


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A product of inventory with its stock and its offer; without one its version is -1 and its currency empty."""

    product_id: str
    title: str
    owner_id: str
    stock_version: int
    on_hand: int
    offer_version: int = -1
    price: int = 0
    currency: str = ""


class Sources(Protocol):
    """What other apps know. A page that is shorter than its limit is the last one."""

    def failures(self, *, after: str, limit: int) -> Sequence[Failure]:
        """The sales that were undone, by id, from the one after `after` on."""
        ...

    def lots(self, *, skip: int, limit: int) -> Sequence[Lot]:
        """The lots in a fixed order, from number `skip` on. Raises errors.Unavailable."""
        ...

    def products(self, *, after: str, limit: int) -> Sequence[Product]:
        """The products by id, from the one after `after` on."""
        ...


class Progress(msgspec.Struct, frozen=True):
    """So many rows or days of a stage are done, of `total` where that is known."""

    stage: str
    done: int
    total: int | None = None


def empty() -> None:
    """Delete all that the desk knows: after a source was restored to an earlier time."""
    with transaction.atomic(using=models.DATABASE):
        desk.lock_desk(alone=True)
        for table in _TABLES:
            table.objects.all().delete()


def rebuild(sources: Sources, *, now: datetime.datetime) -> Iterator[Progress]:
    """Rebuild everything up to `now`; the progress after each piece."""
    yield from _by_key("orders", _orders)
    yield from _by_key("refunds", _refunds)
    yield from _by_key("sales that were undone", lambda after: _failures(sources, after))
    yield from _lots(sources)
    yield from _by_key("products", lambda after: _products(sources, after))
    yield from _days(desk.day_and_hour(now)[0])


def _by_key(stage: str, step: Callable[[str], Sequence[str]]) -> Iterator[Progress]:
    """Repeat `step`, which does the rows after a key and returns their keys in order, until it gets no full page."""
    after, done, is_last = "", 0, False
    while not is_last:
        with transaction.atomic(using=models.DATABASE):
            desk.lock_desk(alone=True)
            keys = step(after)
        is_last = len(keys) < ROWS_PER_STEP
        after, done = (keys[-1] if keys else after), done + len(keys)
        yield Progress(stage, done)


def _orders(after: str) -> Sequence[str]:
    orders = list(
        models.Order.objects.filter(sale_id__gt=after)
        .order_by("sale_id")
        .prefetch_related("lines", "facts")[:ROWS_PER_STEP]
    )
    said = {order.sale_id: _of_order(order) for order in orders}
    _replace(
        models.DeskSale,
        said,
        after,
        claims=Q(confirmed_at__isnull=False),
        none={"confirmed_at": None, "amount": 0},
    )
    return list(said)


def _of_order(order: models.Order) -> dict[str, Any]:
    confirmed = [fact.at for fact in order.facts.all() if fact.kind == models.OrderFact.Kind.CONFIRMED]
    return {
        "auction_id": order.auction_id,
        "currency": order.currency,
        "lines": recording.lines(
            (line.product_id, line.quantity, line.amount, line.auction_id) for line in order.lines.all()
        ),
        "amount": order.amount if confirmed else 0,
        "confirmed_at": confirmed[0] if confirmed else None,
    }


def _refunds(after: str) -> Sequence[str]:
    rows = models.JournalEntry.objects.filter(kind__in=models.JournalEntry.REFUNDS).annotate(
        event_id=_REFUND_EVENT, given_back=Coalesce("refund__amount", "payment__amount")
    )
    entries = rows.filter(event_id__gt=after).order_by("event_id").select_related("payment")
    said = {
        entry.event_id: {"currency": entry.payment.currency, "amount": entry.given_back, "at": entry.at}
        for entry in entries[:ROWS_PER_STEP]
    }
    _replace(models.DeskRefund, said, after, claims=Q(at__isnull=False), none={"at": None, "amount": 0})
    return list(said)


def _failures(sources: Sources, after: str) -> Sequence[str]:
    said = {
        failure.sale_id: {
            "auction_id": failure.auction_id,
            "failed_at": failure.failed_at,
            "reason": failure.reason,
        }
        for failure in sources.failures(after=after, limit=ROWS_PER_STEP)
    }
    _replace(
        models.DeskSale,
        said,
        after,
        claims=Q(failed_at__isnull=False),
        none={"failed_at": None, "reason": ""},
    )
    return list(said)


def _products(sources: Sources, after: str) -> Sequence[str]:
    said = {
        product.product_id: {
            name: value for name, value in msgspec.structs.asdict(product).items() if name != "product_id"
        }
        for product in sources.products(after=after, limit=ROWS_PER_STEP)
    }
    none = {"on_hand": 0, "stock_version": -1}
    _replace(models.DeskProduct, said, after, claims=~Q(on_hand=0), none=none)
    return list(said)


def _lots(sources: Sources) -> Iterator[Progress]:
    """The log is ahead of a lot's document for a moment: an end that an event has told stays."""
    skip, is_last = 0, False
    while not is_last:
        with transaction.atomic(using=models.DATABASE):
            desk.lock_desk(alone=True)
            page = sources.lots(skip=skip, limit=ROWS_PER_STEP)
            sold = _units_sold([lot.auction_id for lot in page])
            known = models.DeskLot.objects.in_bulk([lot.auction_id for lot in page])
            said = {}
            for lot in page:
                row = known.get(lot.auction_id)
                said[lot.auction_id] = {
                    "quantity": lot.quantity,
                    "listed_at": lot.listed_at,
                    "accepted": lot.accepted or (row is not None and row.accepted),
                    "ended_at": lot.ended_at or (row.ended_at if row else None),
                    "sold": sold.get(lot.auction_id, 0),
                }
            _set(models.DeskLot, said)
        skip += len(page)
        is_last = len(page) < ROWS_PER_STEP
        yield Progress("lots", skip)


def _units_sold(auction_ids: Collection[str]) -> dict[str, int]:
    sold: dict[str, int] = {}
    for sale in models.DeskSale.objects.filter(auction_id__in=auction_ids, confirmed_at__isnull=False):
        sold[sale.auction_id] = sold.get(sale.auction_id, 0) + sale.units
    paid = models.OrderLine.objects.filter(
        auction_id__in=auction_ids, order__facts__kind=models.OrderFact.Kind.CONFIRMED
    )
    for auction_id, units in paid.values_list("auction_id", "quantity"):
        sold[auction_id] = sold.get(auction_id, 0) + units
    return sold


def _replace(
    table: Any, said: Mapping[str, Mapping[str, Any]], after: str, *, claims: Q, none: Mapping[str, Any]
) -> None:
    """Make the rows what the source says. Those between its keys that claim more than it knows get `none`."""
    between = table.objects.filter(claims, pk__gt=after).exclude(pk__in=list(said))
    if len(said) == ROWS_PER_STEP:
        between = between.filter(pk__lte=list(said)[-1])
    strays = list(between.values_list("pk", flat=True))
    _set(table, {**said, **dict.fromkeys(strays, none)})


def _set(table: Any, said: Mapping[str, Mapping[str, Any]]) -> None:
    """Give these rows these values, with the difference in the sums."""
    rows = table.locked_or_new(said)
    tally = desk.Tally()
    tally.of(rows.values(), -1)
    for key, values in said.items():
        for name, value in values.items():
            setattr(rows[key], name, value)
    tally.of(rows.values())
    table.store(rows.values())
    tally.store()


# --- the sums, day by day ---------------------------------------------------------------------------------------------


def _days(today: date) -> Iterator[Progress]:
    """Make the sums of each day again from the rows."""
    day = _first_day(today)
    total = (today - day).days + 1
    done = 0
    while day <= max(today, _last_day()):
        with transaction.atomic(using=models.DATABASE):
            desk.lock_desk(alone=True)
            _make_day(day)
        day, done = day + timedelta(days=1), done + 1
        yield Progress("days", done, max(total, done))


def _make_day(day: date) -> None:
    zone = timezone.get_default_timezone()
    begin, end = (
        datetime.datetime.combine(each, datetime.time(), zone) for each in (day, day + timedelta(days=1))
    )

    def within(field: str) -> Q:
        return Q(**{f"{field}__gte": begin, f"{field}__lt": end})

    tally = desk.Tally()
    tally.of(models.DeskSale.objects.filter(within("confirmed_at") | within("failed_at")))
    tally.of(models.DeskRefund.objects.filter(within("at")))
    tally.of(models.DeskLot.objects.filter(within("listed_at") | within("ended_at")))
    tally.counts = {key: count for key, count in tally.counts.items() if key.day == day}
    models.DeskHour.objects.filter(day=day).delete()
    models.DeskProductDay.objects.filter(day=day).delete()
    tally.store()


_INSTANTS: tuple[tuple[type[Model], str], ...] = (
    (models.DeskSale, "confirmed_at"),
    (models.DeskSale, "failed_at"),
    (models.DeskRefund, "at"),
    (models.DeskLot, "listed_at"),
    (models.DeskLot, "ended_at"),
)


def _first_day(today: date) -> date:
    """The first day that has a row or a sum; today if none has."""
    instants = [table.objects.aggregate(at=Min(field))["at"] for table, field in _INSTANTS]
    days = [desk.day_and_hour(at)[0] for at in instants if at]
    days += [
        day
        for table in (models.DeskHour, models.DeskProductDay)
        if (day := table.objects.aggregate(at=Min("day"))["at"])
    ]
    return min(days, default=today)


def _last_day() -> date:
    """The last day that has a sum."""
    days = [
        day
        for table in (models.DeskHour, models.DeskProductDay)
        if (day := table.objects.aggregate(at=Max("day"))["at"])
    ]
    return max(days, default=date.min)


def analyze() -> None:
    """Tell the planner of what was filled."""
    with connections[models.DATABASE].cursor() as cursor:
        for table in _TABLES:
            cursor.execute(f"ANALYZE {table._meta.db_table}")
