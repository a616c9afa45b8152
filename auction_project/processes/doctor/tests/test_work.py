"""What the doctor says of backlogs and of what waits for an operator, on real databases."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import django.db
import pytest
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging.backends import memory
from auction_project.kernel.messaging.tests import letters
from auction_project.processes.doctor import stores, work
from auction_project.processes.doctor.checking import Outcome
from orders import models as orders
from sagas.tests import conftest as sagas

NOW = datetime.now(UTC)
ALL = ["default", "inventory", "orders", "notifications", "sagas"]


@pytest.mark.django_db(databases=ALL)
def test_dead_letters_and_dead_sales_wait_for_an_operator() -> None:
    assert (work.dead().outcome, work.parked().outcome) == (Outcome.OK, Outcome.OK)

    letters.record("orders", "order-1", group="orders", at=NOW)
    assert (work.dead().says, work.parked().outcome) == ("1 dead letters wait for an operator.", Outcome.OK)

    letters.record("sale-confirmed", "sale-1", group="sagas", at=NOW)
    assert (work.dead().outcome, work.parked().says) == (Outcome.WARN, "1 sales wait for an operator.")


@pytest.mark.django_db(databases=ALL)
def test_a_sale_that_is_stuck_is_named() -> None:
    sagas.start(sagas.make_sale(), now=NOW)

    assert work.under_way(NOW + timedelta(seconds=30)).outcome is Outcome.OK
    stuck = work.under_way(NOW + timedelta(seconds=31))

    assert (stuck.outcome, stuck.says) == (Outcome.WARN, "1 sales are under way, the oldest for 31 s.")


@pytest.mark.django_db(databases=ALL)
@pytest.mark.parametrize(("seconds", "outcome"), [(5, Outcome.OK), (15, Outcome.WARN)])
def test_an_outbox_that_is_not_published_is_named(seconds: int, outcome: Outcome) -> None:
    orders.Outbox.objects.create(
        event_id="e",
        topic="orders",
        key="k",
        type="OrderConfirmed",
        body=b"{}",
        created_at=datetime.now(UTC) - timedelta(seconds=seconds),
    )

    assert work.outbox_of(orders.Outbox).outcome is outcome


class _Incomplete(memory.MemoryBroker):
    def missing(self, topics: Sequence[str]) -> list[str]:
        return [topic for topic in topics if topic == "sale-confirmed"]


def test_topics_that_are_missing_are_named() -> None:
    assert work.topics(memory.MemoryBroker()).outcome is Outcome.OK

    verdict = work.topics(_Incomplete())

    assert (verdict.outcome, verdict.says) == (Outcome.WARN, "Topics are missing: sale-confirmed.")


def test_groups_that_are_far_behind_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "LAG_MESSAGES", 2)
    transport = memory.MemoryBroker()
    topic = events.SaleConfirmed.TOPIC
    transport.append([brokers.Message(topic, "k", b"1"), brokers.Message(topic, "k", b"2")])
    assert work.lag(transport).outcome is Outcome.OK

    transport.append([brokers.Message(topic, "k", b"3")])

    verdict = work.lag(transport)
    assert verdict.outcome is Outcome.WARN
    assert "3 for sagas" in verdict.says
    assert "inventory" not in verdict.says


@pytest.fixture
def unapplied() -> Iterator[None]:
    """The last migration of orders is not recorded."""
    rows = MigrationRecorder(connections["orders"]).migration_qs
    row = rows.filter(app="orders").latest("id")
    rows.filter(pk=row.pk).delete()
    yield
    row.pk = None
    row.save(force_insert=True, using="orders")


@pytest.mark.django_db(databases=ALL, transaction=True)
def test_a_migration_that_waits_is_named(unapplied: None) -> None:
    assert work.migrations("sagas").outcome is Outcome.OK

    verdict = work.migrations("orders")

    assert verdict.outcome is Outcome.FAIL
    assert verdict.says == "1 migrations wait. Roles that need this database do not start."


@pytest.mark.django_db(databases=ALL)
def test_the_session_of_a_check_can_only_read() -> None:
    with stores.session("orders") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orders_outbox")
        with pytest.raises(django.db.InternalError, match="read-only"):
            cursor.execute("CREATE TABLE planted (id int)")
