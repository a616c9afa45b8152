"""The shop of the demo: sensible things in categories that exist, and a seed that changes nothing the second time."""

from datetime import UTC, datetime
from typing import Any

import pytest

from auction_project.kernel import money
from auction_project.tools.demo import catalogue, seed, shelf, storeroom
from inventory import models, selectors
from inventory.tests.conftest import open_warehouses

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
THINGS = (*catalogue.PIECES, *shelf.WARES)


def test_each_thing_has_a_sku_of_its_own_and_a_category_that_exists() -> None:
    assert len({thing.sku for thing in THINGS}) == len(THINGS)
    assert {thing.category for thing in THINGS} <= {slug for slug, _, _ in shelf.CATEGORIES}


def test_a_category_comes_after_its_parent() -> None:
    slugs = [slug for slug, _, _ in shelf.CATEGORIES]

    for number, (_, _, parent) in enumerate(shelf.CATEGORIES):
        assert parent == "" or parent in slugs[:number]


def test_prices_are_within_bounds_and_an_order_can_hold_what_it_may() -> None:
    for ware in shelf.WARES:
        assert 0 < ware.price * ware.max_per_order <= money.MAX_MINOR_UNITS
        assert ware.stock >= 1


@pytest.mark.django_db(databases=["default", "inventory", "orders"])
def test_the_seed_fills_the_shop_once(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(storeroom, "close_old_connections", lambda: None)  # they are the test's
    open_warehouses()
    house = seed.sow(NOW)
    events = models.Outbox.objects.count()

    again = seed.sow(NOW)

    assert (again.products, models.Outbox.objects.count()) == (house.products, events)
    offers = list(selectors.list_offers())
    assert len(offers) == len(shelf.WARES) == 24
    assert {offer.product.owner_id == "house" for offer in offers} == {True, False}
    assert min(offer.available for offer in offers) == 1
    pictures = models.Picture.objects.count()
    assert pictures == len(THINGS) + sum(ware.views - 1 for ware in shelf.WARES)
    assert sum(branch.offers for branch in selectors.list_categories() if branch.depth == 0) == 24
