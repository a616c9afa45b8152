"""Stock for sales: where units are claimed from, where they return to, and what a repeat or a late step hears."""

import pytest

from inventory import services
from inventory.tests.conftest import NOW, in_warehouses

pytestmark = pytest.mark.django_db(databases=["inventory"])


def reserve(product, sale="a-7", auction="a", quantity=1, key=None):
    return services.reserve(
        key=key or f"saga:{sale}:reserve_stock",
        sale_id=sale,
        auction_id=auction,
        product_id=product.id,
        quantity=quantity,
        now=NOW,
    )


def release(sale="a-7"):
    return services.release(key=f"saga:{sale}:reserve_stock", sale_id=sale, now=NOW)


def commit(sale="a-7"):
    return services.commit(key=f"saga:{sale}:commit_stock", sale_id=sale, now=NOW)


def restock(sale="a-7"):
    return services.restock(key=f"saga:{sale}:commit_stock", sale_id=sale, now=NOW)


def test_a_sale_takes_free_units_by_priority_of_the_warehouses(make_product):
    product = make_product(CENTRAL=2, HARBOUR=5)

    outcome = reserve(product, quantity=3)

    assert outcome == {"quantity": 3, "from_lot": 0, "warehouses": ["CENTRAL", "HARBOUR"]}
    assert in_warehouses(product, "reserved") == {"CENTRAL": 2, "HARBOUR": 1}
    assert in_warehouses(product, "available") == {"HARBOUR": 4}
