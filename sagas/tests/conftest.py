"""What the tests of the sagas share: sales with a script, the fake participants, and a dispatcher that the test controls."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F

from auction_project.kernel import ids
from auction_project.kernel.contracts import events
from sagas import dispatcher, models, saga_log, services, steps, tasks
from sagas.tests import participants

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def make_sale(script: str = "") -> events.SaleConfirmed:
    """A sale of its own auction; `script` as in `participants`."""
    auction_id = ids.new_id()
    sale_id = ids.sale_id(auction_id, 7)
    return events.SaleConfirmed(
        sale_id=sale_id,
        order_number=ids.order_number(sale_id),
        user_id=ids.new_id(),
        price=12550,
        currency="EUR",
        auction_id=auction_id,
        title=script,
        lines=(events.SaleLine(product_id=ids.new_id(), quantity=1, price=12550, title=script),),
    )


class FakeDispatcher:
    """Keeps what is sent until the test delivers it; `lose()` does what an emptied broker does. It takes nothing while it
    `is_away`."""

    def __init__(self) -> None:
        self.chains: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        self.full: frozenset[str] = frozenset()
        self.is_away = False

    @property
    def sent(self) -> list[tuple[str, tuple[str, ...]]]:
        """What was sent for each saga."""
        return [(saga_id, legs) for saga_ids, legs in self.chains for saga_id in saga_ids]

    def send(self, *, saga_ids, legs):
        if self.is_away:
            return list(saga_ids)
        self.chains.append((tuple(saga_ids), tuple(leg.name for leg in legs)))
        return []

    def lose(self):
        self.chains.clear()

    def deliver(self):
        """Run the chains that were sent, and those that they send, until none is left."""
        while self.chains:
            saga_ids, legs = self.chains.pop(0)
            run_group(saga_ids, legs[0])


def run(saga_id: str, step: str) -> None:
    """One task of one saga, as a worker runs it."""
    run_group([saga_id], step)


def run_group(saga_ids: Sequence[str], step: str) -> None:
    """One task, as a worker runs it."""
    tasks.run_step(saga_ids=list(saga_ids), step=step)


def start(*sales: events.SaleConfirmed, now: datetime) -> int:
    """Start the sagas of these sales, as a group; how many are new."""
    return services.start_sagas(sales=[services.Sale(sale, "from-the-bid") for sale in sales], now=now)


@pytest.fixture
def fake_dispatcher(monkeypatch):
    """A fake of the dispatcher. A test's transaction never commits, so calls after a commit are made at once."""
    fake = FakeDispatcher()
    monkeypatch.setattr(saga_log.transactions, "after_commit", lambda function, *, using: function())
    monkeypatch.setattr(dispatcher, "send", fake.send)
    monkeypatch.setattr(dispatcher, "full_queues", lambda _names: fake.full)
    return fake


@pytest.fixture
def fakes(monkeypatch):
    monkeypatch.setattr(steps, "PARTICIPANTS", dict(steps.PARTICIPANTS))
    participants.install()
    return participants


@pytest.fixture
def begin(fake_dispatcher, fakes):
    """`begin(script)`: start the saga of a new sale, whose chain the fake dispatcher keeps; its id."""

    def begin(script=""):
        sale = make_sale(script)
        start(sale, now=datetime.now(UTC))
        return sale.sale_id

    return begin


@pytest.fixture
def begin_group(fake_dispatcher, fakes):
    """`begin_group("", "assess_risk=refuse")`: start a group of sales with these scripts; their ids."""

    def begin(*scripts):
        sales = [make_sale(script) for script in scripts]
        assert start(*sales, now=datetime.now(UTC)) == len(scripts)
        return [sale.sale_id for sale in sales]

    return begin


def saga(saga_id: str) -> models.Saga:
    return models.Saga.objects.get(pk=saga_id)


def timeline(saga_id: str) -> list[str]:
    """`step direction event` of each line, forward unmarked."""
    rows = models.SagaStep.objects.filter(saga_id=saga_id).order_by("id")
    return [f"{'' if row.direction == 'FORWARD' else '<-'}{row.step} {row.event}" for row in rows]


def published(saga_id: str) -> list[str]:
    """The types of the events in the outbox."""
    return list(models.Outbox.objects.filter(key=saga_id).order_by("id").values_list("type", flat=True))


def pass_time(saga_id: str, seconds: float) -> None:
    """Move all of the saga's times back, as if `seconds` had passed."""
    times = ("created_at", "moved_at", "started_at", "due_at")
    models.Saga.objects.filter(pk=saga_id).update(
        **{name: F(name) - timedelta(seconds=seconds) for name in times}
    )
