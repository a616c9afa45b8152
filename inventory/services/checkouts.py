"""Stock for checkouts: all units of a checkout are reserved together, or none, until it expires, is paid, or is abandoned.

The buyer's sale claims these units first, so no other buyer can get them meanwhile. What an expired checkout holds is free at
the millisecond of `expires_at` for everyone who asks for more than is free otherwise; the task that releases expired
checkouts each second only keeps the figures of the stock current. A checkout that was abandoned before its start came
cannot be: the events of one checkout keep their order. Those of two checkouts do not, so a start names the checkout that it
replaces.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from django.db.models import Q

from auction_project.kernel import logs
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import outbox
from inventory import books, ledger, models
from inventory.services import allocation, transactions

SYSTEM = "system"
EXPIRED_CHECKOUTS = 200  # released by one call of release_expired_checkouts


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """A checkout that wants all these units until `expires_at`, in place of the checkout `replaces`, if there is one."""

    checkout_id: str
    units: tuple[events.Units, ...]
    expires_at: datetime
    correlation_id: str
    span_id: str = ""
    replaces: str = ""


class Abandonment(msgspec.Struct, frozen=True, kw_only=True):
    """A checkout that the buyer gave up."""

    checkout_id: str
    correlation_id: str
    span_id: str = ""


def reserve_for_checkouts(starts: Sequence[Start], *, now: datetime) -> None:
    """Answer each start: CheckoutReserved, with all units reserved, or CheckoutRefused. A repeat changes nothing and publishes
    nothing."""
    products = {line.product_id for start in starts for line in start.units}
    replaced = [start.replaces for start in starts if start.replaces]
    if replaced:
        held = models.Reservation.objects.filter(_of_checkouts(replaced))
        products |= set(held.values_list("product_id", flat=True))
    with transactions.of_the_consumer(), books.opened(products) as stock:
        stock.lock_reservations(_of_checkouts([*(start.checkout_id for start in starts), *replaced]))
        for start in starts:
            with logs.bound(correlation_id=start.correlation_id, span_id=start.span_id):
                if not stock.checkouts(start.checkout_id):
                    _answer(stock, start, now)


def release_checkouts(abandonments: Sequence[Abandonment], *, now: datetime) -> None:
    """What the checkouts still hold is free. A repeat, or a checkout that holds nothing, changes nothing."""
    wanted = _of_checkouts([one.checkout_id for one in abandonments])
    held = models.Reservation.objects.filter(wanted)
    with transactions.of_the_consumer(), books.opened(held.values("product_id")) as stock:
        stock.lock_reservations(wanted)
        for abandonment in abandonments:
            with logs.bound(correlation_id=abandonment.correlation_id, span_id=abandonment.span_id):
                for checkout in stock.checkouts(abandonment.checkout_id):
                    _release(stock, checkout, now)


def release_expired_checkouts(*, now: datetime) -> int:
    """Free what expired checkouts still hold; how many reservations (bounded)."""
    expired = _EXPIRABLE & Q(expires_at__lte=now)
    due = list(
        models.Reservation.objects.filter(expired)
        .order_by("expires_at")
        .values_list("id", "product_id")[:EXPIRED_CHECKOUTS]
    )
    if not due:
        return 0
    with transactions.of_the_consumer(), books.opened({product_id for _, product_id in due}) as stock:
        checkouts = stock.lock_reservations(expired & Q(id__in=[row_id for row_id, _ in due]))
        for checkout in checkouts:
            _release(stock, checkout, now)
    return len(checkouts)


def free_units(
    stock: books.Books, product: models.Product, wanted: int, *, now: datetime
) -> Mapping[str, int]:
    """The free units of a product, by warehouse. When they are fewer than `wanted`, expired checkouts are released first."""
    free = stock.free_units(product)
    if wanted <= sum(free.values()):
        return free
    expired = stock.lock_reservations(_EXPIRABLE & Q(product=product, expires_at__lte=now))
    for checkout in expired:
        _release(stock, checkout, now)
    return stock.free_units(product) if expired else free


_EXPIRABLE = Q(kind=models.ReservationKind.CHECKOUT, state=models.ReservationState.HELD)


def _of_checkouts(checkout_ids: Sequence[str]) -> Q:
    return Q(kind=models.ReservationKind.CHECKOUT, holder__in=checkout_ids)


def _answer(stock: books.Books, start: Start, now: datetime) -> None:
    for replaced in stock.checkouts(start.replaces) if start.replaces else ():
        _release(stock, replaced, now)
    demand = allocation.demand_of(start.units)
    shortages = [
        events.Shortage(product_id=product_id, asked=quantity, available=available)
        for product_id, quantity in demand.items()
        if (available := _available(stock, product_id, quantity, now)) < quantity
    ]
    if shortages or now >= start.expires_at:
        answer: events.Event = events.CheckoutRefused(
            checkout_id=start.checkout_id, shortages=tuple(shortages)
        )
    else:
        for product_id, quantity in demand.items():
            _hold(stock, start, stock.products[product_id], quantity, now)
        answer = events.CheckoutReserved(checkout_id=start.checkout_id)
    outbox.publish(models.Outbox, answer, now=now)


def _available(stock: books.Books, product_id: str, quantity: int, now: datetime) -> int:
    product = stock.products.get(product_id)
    return sum(free_units(stock, product, quantity, now=now).values()) if product else 0


def _hold(stock: books.Books, start: Start, product: models.Product, quantity: int, now: datetime) -> None:
    checkout = stock.add_reservation(
        models.Reservation(
            kind=models.ReservationKind.CHECKOUT,
            holder=start.checkout_id,
            checkout_id=start.checkout_id,
            product=product,
            quantity=quantity,
            state=models.ReservationState.HELD,
            created_at=now,
            changed_at=now,
            expires_at=start.expires_at,
        )
    )
    taken = allocation.take(quantity, stock.free_units(product).items())
    stock.hold(checkout, taken)
    legs = ledger.legs(taken, ledger.available_in, ledger.reserved_in)
    stock.post(product, legs, _cause(models.MoveKind.RESERVE, checkout, now))


def _release(stock: books.Books, checkout: models.Reservation, now: datetime) -> None:
    """The checkout is over, and what it holds is free; its sale keeps what it has claimed."""
    if checkout.state != models.ReservationState.HELD:
        return
    checkout.become(models.ReservationState.RELEASED, now=now)
    legs = ledger.legs(checkout.give_up_units(), ledger.reserved_in, ledger.available_in)
    if legs:
        product = stock.product_of(checkout)
        stock.post(product, legs, _cause(models.MoveKind.RELEASE, checkout, now))


def _cause(kind: models.MoveKind, checkout: models.Reservation, now: datetime) -> ledger.Cause:
    return ledger.Cause(kind=kind, reference=f"checkout:{checkout.holder}", actor=SYSTEM, now=now)
