"""Common ground of the stock's tests: a fixed clock, two warehouses, products with stock, and what was published."""

import importlib
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils.module_loading import import_string

from auction_project.kernel import contracts, ids, tokens
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import broker, consuming
from auction_project.kernel.messaging.backends import memory
from inventory import handlers, invariants, ledger, models, services
from inventory.tests import lots, sales

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SELLER, OTHER = "5" * 32, "6" * 32
_serial = itertools.count(1)


def open_warehouses() -> None:
    """As the migration does: a test that really commits empties all tables afterwards."""
    migration = importlib.import_module("inventory.migrations.0003_warehouses")
    for code, name, priority in migration.WAREHOUSES:
        models.Warehouse.objects.get_or_create(code=code, defaults={"name": name, "priority": priority})


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    """The directory of this test's pictures."""
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def make_product(now: datetime) -> Callable[..., models.Product]:
    """`make_product(CENTRAL=2, HARBOUR=1)`: a product with so many free units; its events are forgotten."""

    def make(*, owner_id: str = models.HOUSE, threshold: int = 0, **stock: int) -> models.Product:
        open_warehouses()
        product = services.create_product(
            product_id=ids.new_id(),
            sku=f"SKU-{next(_serial):06}",  # in the order in which they are made, beyond the 9th, too
            title="Brass sextant",
            description="London, about 1880.",
            condition="GOOD",
            owner_id=owner_id,
            actor="test",
            now=now,
        )
        for warehouse, quantity in stock.items():
            receive(product, quantity, warehouse, now=now)
        if threshold:
            services.set_threshold(product_id=product.id, threshold=threshold, now=now)
        models.Outbox.objects.all().delete()
        product.refresh_from_db()
        return product

    return make


@pytest.fixture
def deliver(monkeypatch):
    """`deliver(event, event_id)`: publish the message and let the stock's consumer take it."""
    # A test's connections are the test's: the loop must not close them between two messages.
    monkeypatch.setattr(consuming, "close_old_connections", lambda: None)
    transport = memory.MemoryBroker()
    loop = consuming.ConsumerLoop(handlers.SUBSCRIPTION, transport, member="test")

    def deliver(event, event_id):
        body = contracts.encode(
            event, event_id=event_id, source="bidding", time=NOW, version=1, correlation_id="test-correlation"
        )
        transport.append([broker.Message(event.TOPIC, event.key(), body)])
        loop.step()
        assert transport.lag("inventory", [event.TOPIC]) == 0

    yield deliver
    loop.close()


@pytest.fixture
def sign_in(client):
    """`sign_in("stock clerk")`: a member of that group at the admin; without a group, a superuser."""

    def sign_in(group=None):
        # By name: the apps do not import accounts, and these tests want the groups' real rights.
        import_string("auction_project.accounts.services.sync_group_permissions")()
        user = get_user_model().objects.create_user(f"{ids.new_id()}@example.com", "secret", is_staff=True)
        if group:
            # A test that commits empties all tables.
            user.groups.add(Group.objects.get_or_create(name=group)[0])
        else:
            user.is_superuser = True
            user.save()
        client.force_login(user)
        return user

    return sign_in


def receive(
    product: models.Product, quantity: int, warehouse: str = "CENTRAL", *, now: datetime = NOW
) -> None:
    services.receive_stock(
        key=ids.new_id(),
        product_id=product.id,
        warehouse=warehouse,
        quantity=quantity,
        actor="test",
        now=now,
    )


def list_lot(
    product: models.Product,
    auction: str = "a",
    quantity: int = 1,
    allocate: str = "on_listing",
    as_operator: bool = True,
    requested_by: str = SELLER,
    relists: str | None = None,
    **changes: Any,
) -> None:
    lots.reserve_for_lot(
        auction_id=auction,
        product_id=product.id,
        quantity=quantity,
        requested_by=requested_by,
        as_operator=as_operator,
        allocate=allocate,
        relists=relists,
        now=NOW,
        **changes,
    )


def end_lot(auction: str = "a") -> None:
    lots.release_lot(auction_id=auction, now=NOW)


def lot(auction: str = "a") -> models.Reservation:
    return models.Reservation.objects.get(kind="LOT", holder=auction)


def held_by_lot(auction: str = "a") -> int:
    """How many units the lot holds, over all warehouses."""
    return sum(lot(auction).holdings.values_list("quantity", flat=True))


# The steps of a sale, with the keys that the saga gives them. A sale's id begins with the id of its auction.


def reserve(
    product: models.Product, sale: str = "a-7", *, quantity: int = 1, key: str = ""
) -> services.Reserved:
    return sales.reserve(
        key=key or f"saga:{sale}:reserve_stock",
        sale_id=sale,
        auction_id=sale.rpartition("-")[0],
        product_id=product.id,
        quantity=quantity,
        now=NOW,
    )


def release(sale: str = "a-7") -> services.Released | None:
    return sales.release(key=f"saga:{sale}:reserve_stock", sale_id=sale, now=NOW)


def commit(sale: str = "a-7") -> services.Committed:
    return sales.commit(key=f"saga:{sale}:commit_stock", sale_id=sale, now=NOW)


def restock(sale: str = "a-7") -> services.Restocked | None:
    return sales.restock(key=f"saga:{sale}:commit_stock", sale_id=sale, now=NOW)


def assert_sound() -> None:
    """No invariant of the stock is violated."""
    assert [finding.violations for finding in invariants.check()] == [(), (), (), ()]


def bearer(sub: str, *roles: str) -> dict[str, str]:
    """The header of a user with a valid access token."""
    now = int(time.time())
    token = tokens.sign(sub=sub, roles=roles, created_at=now, now=now, seconds=300)
    return {"Authorization": f"Bearer {token}"}


def figures(product: models.Product) -> dict[str, int]:
    """What is not 0 of available, reserved, committed and set aside, over all warehouses."""
    all_figures = ledger.figures_of(list(models.Balance.objects.filter(product=product))).as_dict()
    del all_figures["on_hand"]
    return {name: units for name, units in all_figures.items() if units}


def in_warehouses(product: models.Product, state: str) -> dict[str, int]:
    rows = models.Balance.objects.filter(product=product).values_list("warehouse_id", state)
    return {warehouse: units for warehouse, units in rows if units}


def published() -> list[events.Event]:
    """Every event in the outbox, in order."""
    return [contracts.decode(bytes(row.body))[1] for row in models.Outbox.objects.order_by("id")]


def published_names() -> list[str]:
    return [type(event).__name__ for event in published()]
