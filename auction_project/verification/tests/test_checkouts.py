"""C2 finds a checkout that waits for ever, and leaves alone what goes on."""

from datetime import UTC, datetime, timedelta

import pytest

from auction_project.kernel import ids
from auction_project.kernel.contracts import events
from auction_project.verification import checkouts
from orders import models
from sagas import models as sagas
from sagas import services

pytestmark = pytest.mark.django_db(databases=["orders", "sagas"])

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LINE = {"product_id": "b" * 32, "title": "A lamp", "quantity": 1, "unit_price": 1050}


def checkout_of(state: str, seconds: float) -> models.Checkout:
    """A checkout that has been in this state for so long; the sale of a PAYING one has not ended."""
    since = NOW - timedelta(seconds=seconds)
    checkout = models.Checkout.objects.create(
        id=ids.new_id(),
        user_id=ids.new_id(),
        key="k",
        asked={},
        state=state,
        lines=[LINE],
        currency="EUR",
        started_at=since,
        changed_at=since,
        expires_at=since + timedelta(minutes=15),
    )
    if state == "PAYING":
        models.CheckoutSale.next_of(checkout, now=since)
    return checkout


def start_saga(checkout: models.Checkout, **changes: object) -> None:
    """The saga of the checkout's sale, which runs, or is as `changes` say."""
    sale = checkout.sales.get()
    event = events.SaleConfirmed(
        sale_id=sale.sale_id,
        order_number=sale.order_number,
        user_id=checkout.user_id,
        checkout_id=checkout.id,
        price=sale.price,
        currency="EUR",
        lines=(events.SaleLine(product_id="b" * 32, quantity=1, price=1050, title="A lamp"),),
    )
    services.start_sagas(sales=[services.Sale(event, "c")], now=sale.at)
    sagas.Saga.objects.filter(sale_id=sale.sale_id).update(**changes)


@pytest.mark.parametrize(
    ("state", "seconds", "is_stuck"),
    [
        ("RESERVING", 30, False),
        ("RESERVING", 31, True),
        ("PAYING", 30, False),
        ("PAYING", 31, True),
        ("RESERVED", 900, False),
        ("REFUSED", 900, False),
        ("PAID", 900, False),
    ],
)
def test_a_checkout_that_waits_longer_than_half_a_minute_is_stuck(
    state: str, seconds: float, is_stuck: bool
) -> None:
    checkout = checkout_of(state, seconds)

    finding = checkouts.check(now=NOW)

    stuck = (f"checkout {checkout.pk} has been {state} for {seconds} s",)
    assert finding.violations == (stuck if is_stuck else ())
    assert finding.checked == (state in ("RESERVING", "PAYING"))


@pytest.mark.parametrize(
    ("changes", "is_stuck"),
    [
        ({}, False),
        ({"status": "PARKED", "due_at": None}, False),
        ({"status": "COMPLETED", "due_at": None, "finished_at": NOW - timedelta(seconds=30)}, False),
        ({"status": "COMPLETED", "due_at": None, "finished_at": NOW - timedelta(seconds=31)}, True),
    ],
)
def test_a_payment_whose_saga_goes_on_is_not_stuck(changes: dict[str, object], is_stuck: bool) -> None:
    checkout = checkout_of("PAYING", 300)
    start_saga(checkout, **changes)

    assert bool(checkouts.check(now=NOW).violations) == is_stuck
