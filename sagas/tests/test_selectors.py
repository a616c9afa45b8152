"""What waits for an operator: parked sagas, and dead letters of sales that have no saga."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import prometheus_client
import pytest
from django.db import OperationalError

from auction_project.kernel.messaging import services as messaging
from auction_project.kernel.messaging.backends import memory
from auction_project.kernel.messaging.tests import letters
from sagas import metrics, selectors
from sagas.tests.conftest import NOW, saga

pytestmark = pytest.mark.django_db(databases=["default", "sagas"])


@pytest.fixture(autouse=True)
def measured():
    metrics.measure_log()


def gauge() -> float:
    return metrics.PARKED.measure()[()]


def test_a_dead_sale_counts_as_parked_until_it_is_replayed(begin, fake_dispatcher):
    begin("commit_stock=refuse cancel_order=refuse")
    fake_dispatcher.deliver()
    begin()
    dead_letter = letters.record("sale-confirmed", "sale-1", group="sagas", at=NOW)
    letters.record("orders", "sale-2", group="sagas", at=NOW)

    assert (selectors.count_parked(), gauge()) == (2, 2)
    assert list(selectors.dead_sales().values_list("key", flat=True)) == ["sale-1"]

    messaging.replay_dead_letter(
        dead_letter_id=dead_letter.pk,
        by="operator",
        reason="The bug is mended.",
        now=datetime.now(UTC),
        transport=memory.MemoryBroker(),
    )
    assert (selectors.count_parked(), gauge()) == (1, 1)


def test_a_dismissed_dead_sale_does_not_wait():
    dead_letter = letters.record("sale-confirmed", "sale-1", group="sagas", at=NOW)
    assert (selectors.count_parked(), gauge()) == (1, 1)

    messaging.dismiss_dead_letter(dead_letter_id=dead_letter.pk, by="operator", reason="A test.", now=NOW)

    assert (selectors.count_parked(), gauge()) == (0, 0)


def test_a_process_that_cannot_count_gives_no_gauge_and_keeps_its_other_metrics(monkeypatch):
    def fail():
        raise OperationalError("the database is unavailable")

    monkeypatch.setattr(selectors, "count_parked", fail)

    assert prometheus_client.REGISTRY.get_sample_value("gavel_sagas_parked") is None
    assert b"gavel_sagas_started_total" in prometheus_client.generate_latest()


def test_a_process_that_runs_no_sagas_gives_no_gauge():
    """A gauge that is never set would be 0 there."""
    look = "import prometheus_client, sagas.services; print(prometheus_client.generate_latest().decode())"
    names = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup(); {look}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout

    assert "gavel_sagas_started_total" in names
    assert "gavel_sagas_parked" not in names


def test_what_goes_on_is_counted_with_the_age_of_the_oldest(begin, fake_dispatcher):
    begin()
    fake_dispatcher.deliver()
    assert (selectors.list_under_way().count(), selectors.oldest_seconds(NOW)) == (0, 0.0)

    waiting = saga(begin())
    begin()

    assert selectors.list_under_way().count() == 2
    assert selectors.oldest_seconds(waiting.created_at + timedelta(seconds=90)) == 90.0
