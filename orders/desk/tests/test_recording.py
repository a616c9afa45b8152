"""What the desk counts of events: once each, whatever comes twice, late, or before what it follows; by the days of the house."""

import itertools
import random
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from django.conf import settings

from auction_project.kernel import bell, desk_news
from auction_project.kernel.messaging import consuming
from orders import models
from orders.desk import handlers
from orders.desk.tests import happenings

pytestmark = pytest.mark.django_db(databases=["orders"])

DAY = "2026-11-21"


def a_sale_and_its_lot() -> list[consuming.Received]:
    """A lot of five units, of which three are sold in one order, and that ends."""
    sale = happenings.sale(auction_id="a" * 32, amount=30_00, lines=[("p", 3, 30_00)])
    happened = (
        happenings.listed("a" * 32, quantity=5),
        happenings.accepted("a" * 32),
        sale,
        happenings.confirmed(sale),
        happenings.ended("a" * 32),
    )
    return [happenings.event(each) for each in happened]


COUNTED = {
    (DAY, 12, "ENDED", "", ""): (1, 0, 5),
    (DAY, 12, "LISTED", "", ""): (1, 0, 5),
    (DAY, 12, "ORDER", "auctions", "EUR"): (1, 30_00, 3),
    (DAY, 12, "SOLD", "", ""): (1, 0, 3),
}


def test_a_lot_that_sells_is_counted_by_each_measure() -> None:
    happenings.hear(a_sale_and_its_lot())

    assert happenings.hours() == COUNTED
    assert happenings.products() == {(DAY, "p", "EUR"): (1, 30_00, 3)}


def test_the_order_between_events_does_not_matter() -> None:
    for order in itertools.permutations(a_sale_and_its_lot()):
        for table in (models.DeskSale, models.DeskLot, models.DeskHour, models.DeskProductDay):
            table.objects.all().delete()
        for one in order:
            happenings.hear([one])

        assert happenings.hours() == COUNTED
        assert happenings.products() == {(DAY, "p", "EUR"): (1, 30_00, 3)}


def test_a_repeat_changes_nothing() -> None:
    sale = happenings.sale()
    run = [
        *a_sale_and_its_lot(),
        happenings.event(happenings.refunded(sale)),
        happenings.event(happenings.failed(sale)),
        happenings.event(happenings.stock("p", 7)),
        happenings.event(happenings.offer("p", 5_00)),
    ]
    happenings.hear(run)
    once, stored = happenings.hours(), list(models.DeskProduct.objects.values())
    chance = random.Random(13)

    for _ in range(3):
        chance.shuffle(run)
        happenings.hear(run)
        happenings.hear([one for one in run for _ in range(2)])

    assert happenings.hours() == once
    assert list(models.DeskProduct.objects.values()) == stored


def test_an_order_of_a_checkout_is_of_the_shop_and_counts_each_of_its_products() -> None:
    sale = happenings.sale(
        auction_id="",
        checkout_id="c" * 32,
        amount=25_00,
        shipping=5_00,
        lines=[("p", 2, 16_00), ("q", 1, 4_00)],
    )

    happenings.hear([happenings.event(sale), happenings.event(happenings.confirmed(sale))])

    assert happenings.hours() == {(DAY, 12, "ORDER", "shop", "EUR"): (1, 25_00, 3)}
    assert happenings.products() == {(DAY, "p", "EUR"): (1, 16_00, 2), (DAY, "q", "EUR"): (1, 4_00, 1)}


def test_currencies_are_counted_apart() -> None:
    euros, yen = happenings.sale(amount=10_00), happenings.sale(amount=500, currency="JPY")

    happenings.hear(
        [happenings.event(each) for sale in (euros, yen) for each in (sale, happenings.confirmed(sale))]
    )

    assert happenings.hours() == {
        (DAY, 12, "ORDER", "auctions", "EUR"): (1, 10_00, 1),
        (DAY, 12, "ORDER", "auctions", "JPY"): (1, 500, 1),
    }


def test_a_sale_that_is_undone_counts_by_its_reason_and_brings_nothing() -> None:
    sale, other = happenings.sale(), happenings.sale()

    happenings.hear(
        [
            happenings.event(sale),
            happenings.event(happenings.failed(sale)),
            happenings.event(happenings.refunded(sale)),
            happenings.event(happenings.failed(other, "stock_refused")),
        ]
    )

    assert happenings.hours() == {
        (DAY, 12, "FAILED", "payment_refused", ""): (1, 0, 0),
        (DAY, 12, "FAILED", "stock_refused", ""): (1, 0, 0),
        (DAY, 12, "REFUND", "", "EUR"): (1, 10_00, 0),
    }
    assert happenings.products() == {}


def test_a_lot_that_was_never_accepted_is_not_counted() -> None:
    happenings.hear(
        [happenings.event(happenings.listed("a" * 32)), happenings.event(happenings.ended("a" * 32))]
    )

    assert happenings.hours() == {}


def test_stock_and_prices_keep_the_newest_version() -> None:
    for happened in (
        happenings.stock("p", 5, version=2),
        happenings.stock("p", 9, version=1),
        happenings.offer("p", 8_00, version=3),
        happenings.offer("p", 7_00, version=2),
    ):
        happenings.hear([happenings.event(happened)])

    product = models.DeskProduct.objects.get()
    assert (product.on_hand, product.stock_version) == (5, 2)
    assert (product.price, product.currency, product.offer_version) == (8_00, "EUR", 3)


@pytest.mark.parametrize(
    ("at", "day", "hour"),
    [
        (datetime(2026, 3, 28, 22, 59, 59, 999_999, tzinfo=UTC), "2026-03-28", 23),
        (datetime(2026, 3, 28, 23, 0, tzinfo=UTC), "2026-03-29", 0),  # a day of 23 hours
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), "2026-03-29", 1),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "2026-03-29", 3),
        (datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC), "2026-03-29", 23),
        (datetime(2026, 3, 29, 22, 0, tzinfo=UTC), "2026-03-30", 0),
        (datetime(2026, 10, 24, 22, 0, tzinfo=UTC), "2026-10-25", 0),  # a day of 25 hours
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "2026-10-25", 2),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "2026-10-25", 2),
        (datetime(2026, 10, 25, 22, 59, tzinfo=UTC), "2026-10-25", 23),
        (datetime(2026, 10, 25, 23, 0, tzinfo=UTC), "2026-10-26", 0),
        (datetime(2026, 12, 31, 23, 0, tzinfo=UTC), "2027-01-01", 0),
    ],
)
def test_a_day_is_the_day_of_the_house_also_when_clocks_change(
    settings: Any, at: datetime, day: str, hour: int
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    sale = happenings.sale()

    happenings.hear([happenings.event(sale), happenings.event(happenings.confirmed(sale), at=at)])

    assert happenings.hours() == {(day, hour, "ORDER", "auctions", "EUR"): (1, 10_00, 1)}
    assert happenings.products() == {(day, "p", "EUR"): (1, 10_00, 1)}


def test_the_desk_reads_no_topic_of_bids() -> None:
    assert handlers.SUBSCRIPTION.topics == (
        "auction.lots",
        "bid-failed",
        "inventory.offers",
        "inventory.stock",
        "orders",
        "sale-confirmed",
    )


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_what_the_page_shows_rings_after_its_commit_and_other_news_does_not() -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client, client.pubsub() as pubsub:
        pubsub.subscribe(desk_news.CHANNEL)
        assert pubsub.get_message(timeout=5)["type"] == "subscribe"

        happenings.hear([happenings.event(happenings.stock("p", 5))])
        happenings.hear(a_sale_and_its_lot())

        assert pubsub.get_message(timeout=5)["data"] == b""
        assert happenings.hours() == COUNTED
        assert pubsub.get_message(timeout=0.2) is None


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_a_redis_that_is_away_costs_the_recording_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = redis.Redis.from_url("redis://127.0.0.1:1/0")
    monkeypatch.setattr(bell, "_muted_until", 0.0)
    with bell._client.replaced_by(nowhere):
        happenings.hear(a_sale_and_its_lot())

    assert happenings.hours() == COUNTED
