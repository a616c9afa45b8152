"""What the tests of messaging share: a transport of each kind, and tables like those of an app."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections

from auction_project.kernel import contracts
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import failure
from auction_project.kernel.messaging.backends import memory
from auction_project.kernel.messaging.tests import tables, transports

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["memory", "redis", pytest.param("kafka", marks=pytest.mark.services)])
def transport(request: pytest.FixtureRequest) -> Iterator[transports.Transport]:
    opened = transports.open_transport(request.param)
    yield opened
    cleaner = opened.connect()
    cleaner.wipe()
    cleaner.close()


@pytest.fixture
def broker(transport: transports.Transport) -> Iterator[brokers.Broker]:
    opened = transport.connect()
    yield opened
    opened.close()


@pytest.fixture
def memory_broker() -> memory.MemoryBroker:
    return memory.MemoryBroker()


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure, "FIRST_PAUSE_SECONDS", 0.01)


@pytest.fixture(scope="session")
def event_tables(django_db_setup: None, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock(), connections["default"].schema_editor() as editor:
        for table in tables.ALL:
            editor.create_model(table)


@pytest.fixture
def committed(event_tables: None, transactional_db: None) -> Iterator[None]:
    """The tables of these tests, in transactions that really commit; emptied afterwards."""
    yield
    with connections["default"].cursor() as cursor:
        names = ", ".join(f'"{table._meta.db_table}"' for table in tables.ALL)
        cursor.execute(f"TRUNCATE {names} RESTART IDENTITY")


def stock_changed(product: str, version: int) -> contracts.events.StockChanged:
    return contracts.events.StockChanged(
        product_id=product, version=version, title="Lamp", on_hand=9, available=9, reserved=0, committed=0
    )


def encoded(event: contracts.events.Event, event_id: str) -> bytes:
    return contracts.encode(
        event, event_id=event_id, source="tests", time=NOW, version=1, correlation_id="c0ffee00"
    )
