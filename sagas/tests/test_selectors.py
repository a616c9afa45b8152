"""What waits for an operator: parked sagas, and sales that died before they had one."""

from datetime import UTC, datetime

import prometheus_client
import pytest

from auction_project.messaging import dead_letters, memory
from auction_project.messaging import services as messaging
from sagas import selectors, tasks
from sagas.tests.conftest import NOW

pytestmark = pytest.mark.django_db(databases=["default", "sagas"])


def bury(topic: str, sale_id: str):
    letter = dead_letters.Letter(
        topic=topic,
        key=sale_id,
        group="sagas",
        partition=0,
        position="1",
        error="ValueError()",
        attempts=5,
        at=NOW,
        value=b"{}",
    )
    return messaging.record_dead_letter(letter=letter)


def test_a_dead_sale_counts_as_parked_until_it_is_replayed(begin, post):
    begin("commit_stock=refuse cancel_order=refuse")
    post.deliver()
    begin()
    letter = bury("sale-confirmed", "sale-1")
    bury("orders", "sale-2")

    tasks.sweep()

    assert selectors.count_parked() == 2
    assert prometheus_client.REGISTRY.get_sample_value("gavel_sagas_parked") == 2
    assert list(selectors.dead_sales().values_list("key", flat=True)) == ["sale-1"]

    messaging.replay_dead_letter(
        dead_letter_id=letter.pk,
        by="operator",
        reason="The bug is mended.",
        now=datetime.now(UTC),
        transport=memory.MemoryBroker(),
    )
    assert selectors.count_parked() == 1
