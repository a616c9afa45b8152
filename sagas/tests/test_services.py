"""The rules of the saga log: one row a sale, outcomes only of the attempt under way, leases, commands, constraints."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.db import IntegrityError, connections, transaction
from django.test.utils import CaptureQueriesContext

from auction_project.kernel import contracts, errors
from auction_project.kernel.messaging import consuming
from sagas import definitions, engine, handlers, metrics, models, operators, services
from sagas.tests import participants
from sagas.tests.conftest import NOW, make_sale, pass_time, published, run, saga, start, timeline

pytestmark = pytest.mark.django_db(databases=["sagas"])
COMMANDS = {
    "retry": operators.retry_saga,
    "compensate": operators.compensate_saga,
    "resume": operators.resume_saga,
}


def begin_attempt(saga_id, leg, now=None):
    """The attempt of one saga; None when the call is not due."""
    attempts = services.begin_attempts(
        saga_ids=[saga_id], leg=leg, worker="worker-1", now=now or datetime.now(UTC)
    )
    return next(iter(attempts), None)


def record(attempt, outcome=engine.Outcome.DONE, error=None, now=None):
    outcomes = [services.Outcome(attempt=attempt, kind=outcome, error=error)]
    (progress,) = services.record_outcomes(outcomes=outcomes, now=now or datetime.now(UTC))
    return progress


# --- start -----------------------------------------------------------------------------------------------------------


def test_a_sale_starts_one_saga_however_often_it_comes(fake_dispatcher):
    sale = make_sale()

    assert start(sale, sale, now=NOW) == 1
    assert start(sale, now=NOW + timedelta(days=9)) == 0

    row = models.Saga.objects.get()
    assert (row.pk, row.created_at, row.correlation_id) == (sale.sale_id, NOW, "from-the-bid")
    assert len(fake_dispatcher.sent) == 1


def test_the_handler_starts_the_saga_with_the_sales_data_and_the_requests_id(fake_dispatcher):
    sale = make_sale()
    message = contracts.encode(
        sale, event_id="e1", source="bidding", time=NOW, version=1, correlation_id="from-the-bid"
    )

    handlers.on_sales_confirmed([consuming.Received(*contracts.decode(message))])

    row = saga(sale.sale_id)
    names = set(sale.__struct_fields__) - {"lines", "product_id", "quantity"}
    stored = {name: getattr(row, name) for name in names}
    assert contracts.events.SaleConfirmed(**stored, lines=row.sold) == sale
    assert row.product_id == sale.lines[0].product_id
    assert (row.correlation_id, row.definition, row.version) == ("from-the-bid", "SETTLE_SALE", 2)
    assert handlers.SUBSCRIPTION.topics == ("sale-confirmed",)
    assert handlers.SUBSCRIPTION.inbox is models.Once
    assert handlers.SUBSCRIPTION.alarming


def test_a_sale_of_nothing_starts_no_saga(fake_dispatcher):
    sale = make_sale()
    nothing = msgspec.structs.replace(sale.lines[0], quantity=0)
    message = contracts.encode(
        msgspec.structs.replace(sale, lines=(nothing,)),
        event_id="e1", source="bidding", time=NOW, version=1, correlation_id="from-the-bid",
    )  # fmt: skip

    with pytest.raises(contracts.Undecodable, match="quantity"):
        contracts.decode(message)

    assert not models.Saga.objects.exists()
    assert fake_dispatcher.sent == []


# --- attempts --------------------------------------------------------------------------------------------------------


def test_an_attempt_is_stored_before_its_call(begin):
    sale = begin()

    attempt = begin_attempt(sale, "reserve_stock", now=NOW)

    row = saga(sale)
    assert attempt.leg == engine.Leg("reserve_stock", "reserve_stock", "inventory")
    assert (row.started_at, row.tries, row.worker, row.revision) == (NOW, 1, "worker-1", 1)
    assert row.due_at == NOW + timedelta(seconds=models.LEASE_SECONDS)
    assert participants.calls(sale) == []


def test_only_one_of_two_attempts_at_once_begins(begin):
    sale = begin()

    assert begin_attempt(sale, "reserve_stock") is not None
    assert begin_attempt(sale, "reserve_stock") is None


def test_an_outcome_that_comes_after_the_saga_moved_is_not_written(begin):
    sale = begin()
    attempt = begin_attempt(sale, "reserve_stock")
    operators.compensate_saga(saga_id=sale, who="ann", reason="stop", now=datetime.now(UTC))
    before = models.Saga.objects.filter(pk=sale).values().get()

    progress = record(attempt)

    assert (progress.next, progress.legs) == (None, ())
    assert models.Saga.objects.filter(pk=sale).values().get() == before
    assert timeline(sale) == ["reserve_stock TURNED"]


def test_a_hanging_attempt_is_lost_after_its_lease_and_its_late_outcome_changes_nothing(begin):
    sale = begin()
    hanging = begin_attempt(sale, "reserve_stock")
    pass_time(sale, models.LEASE_SECONDS - 1)
    assert begin_attempt(sale, "reserve_stock") is None
    pass_time(sale, 1)

    second = begin_attempt(sale, "reserve_stock")

    assert (second.saga.tries, second.saga.lost, second.saga.faults) == (2, 1, 0)
    late = record(hanging)
    assert (late.next, late.legs) == (None, ())
    assert [leg.name for leg in record(second).legs][:1] == ["assess_risk"]
    assert timeline(sale) == ["reserve_stock LOST", "reserve_stock DONE"]
    lost = models.SagaStep.objects.get(event="LOST")
    assert (lost.who, lost.attempt) == ("worker-1", 1)


def test_a_step_that_kills_its_worker_every_time_is_undone_in_the_end(begin, fake_dispatcher):
    sale = begin()
    for _ in range(engine.MAX_LOST):
        assert begin_attempt(sale, "reserve_stock") is not None
        pass_time(sale, models.LEASE_SECONDS)

    assert begin_attempt(sale, "reserve_stock") is None  # turned: this is not due any more
    assert (saga(sale).status, saga(sale).failure_reason) == ("COMPENSATING", "step_failed")
    assert services.claim_due(now=datetime.now(UTC)) == 1
    fake_dispatcher.lose()
    run(sale, "release_stock")

    assert saga(sale).status == "COMPENSATED"
    assert published(sale) == ["BidFailed"]


def test_what_follows_on_the_same_queue_is_begun_in_the_same_statement(begin):
    sale = begin()
    record(begin_attempt(sale, "reserve_stock"))
    risk = begin_attempt(sale, "assess_risk")
    revision = saga(sale).revision

    with CaptureQueriesContext(connections["sagas"]) as queries:
        progress = record(risk)

    assert len(queries) == 1
    assert progress.next.leg.name == "capture_payment"
    assert (saga(sale).position, saga(sale).tries, saga(sale).revision) == (2, 1, revision + 1)
    assert saga(sale).started_at is not None


def test_a_nul_byte_in_an_error_is_dropped_and_a_long_error_is_cut(begin):
    sale = begin()

    record(begin_attempt(sale, "reserve_stock"), engine.Outcome.FAULT, ValueError("\x00" + "x" * 9999))

    assert len(models.SagaStep.objects.get().error) == models.MAX_TEXT_CHARACTERS


# --- versions --------------------------------------------------------------------------------------------------------


def test_a_worker_that_does_not_know_the_version_leaves_the_saga_alone(begin, fake_dispatcher):
    sale = begin()
    models.Saga.objects.filter(pk=sale).update(version=99)
    pass_time(sale, 60)
    before = models.Saga.objects.filter(pk=sale).values().get()
    fake_dispatcher.lose()

    run(sale, "reserve_stock")
    services.claim_due(now=datetime.now(UTC))
    for command in COMMANDS.values():
        with pytest.raises(errors.Conflict):
            command(saga_id=sale, who="ann", reason="try", now=NOW)

    assert models.Saga.objects.filter(pk=sale).values().get() == before
    assert (participants.calls(sale), fake_dispatcher.sent, timeline(sale)) == ([], [], [])


def test_a_saga_keeps_the_version_that_it_started_with(begin, fake_dispatcher, monkeypatch):
    sale = begin()
    second = engine.Definition(name="SETTLE_SALE", version=3, steps=definitions.SETTLE_SALE.steps[::-1])
    monkeypatch.setattr(definitions, "NEWEST", second)
    monkeypatch.setattr(definitions, "KNOWN", {**definitions.KNOWN, ("SETTLE_SALE", 3): second})

    fake_dispatcher.deliver()
    newer = begin()

    assert participants.calls(sale)[0] == "reserve_stock"
    assert (saga(sale).status, saga(newer).version) == ("COMPLETED", 3)


# --- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_without_a_reason_changes_nothing(begin, command):
    sale = begin()

    with pytest.raises(errors.Invalid) as refusal:
        COMMANDS[command](saga_id=sale, who="ann", reason="  ", now=NOW)

    assert refusal.value.field == "reason"
    assert (saga(sale).revision, timeline(sale)) == (0, [])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_to_an_ended_saga_changes_nothing(begin, fake_dispatcher, command):
    sale = begin()
    fake_dispatcher.deliver()
    revision = saga(sale).revision

    with pytest.raises(errors.Conflict):
        COMMANDS[command](saga_id=sale, who="ann", reason="try", now=NOW)

    assert (saga(sale).status, saga(sale).revision, published(sale)) == (
        "COMPLETED",
        revision,
        ["SaleSettled"],
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_to_an_unknown_saga_is_not_found(fake_dispatcher, command):
    with pytest.raises(errors.NotFound):
        COMMANDS[command](saga_id="unknown-1", who="ann", reason="try", now=NOW)


def test_compensating_after_the_confirmation_was_started_changes_nothing(begin, fake_dispatcher):
    sale = begin("confirm_order=away:1")
    fake_dispatcher.deliver()
    revision = saga(sale).revision

    with pytest.raises(errors.Conflict, match="confirm_order was started"):
        operators.compensate_saga(saga_id=sale, who="ann", reason="stop", now=NOW)

    assert (saga(sale).status, saga(sale).revision) == ("RUNNING", revision)


def test_retry_does_not_wait_for_the_pause(begin, fake_dispatcher):
    sale = begin("capture_payment=away:1")
    fake_dispatcher.deliver()

    operators.retry_saga(saga_id=sale, who="ann", reason="the bank is back", now=datetime.now(UTC))
    fake_dispatcher.deliver()

    assert saga(sale).status == "COMPLETED"
    assert models.SagaStep.objects.get(event="RETRIED").who == "ann"


def test_the_timeline_keeps_an_operator_of_the_longest_e_mail_address(begin, fake_dispatcher):
    sale = begin("capture_payment=away:1")
    fake_dispatcher.deliver()
    ann = f"{'a' * 242}@example.org"

    operators.retry_saga(saga_id=sale, who=ann, reason="the bank is back", now=datetime.now(UTC))

    assert models.SagaStep.objects.get(event="RETRIED").who == ann


# --- constraints -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        {"status": "UNDONE"},
        {"status": "COMPENSATING"},
        {"status": "COMPLETED"},
        {"status": "PARKED"},
        {"due_at": None},
        {"finished_at": NOW},
        {"direction": "BACKWARD"},
        {"failure_reason": "operator"},
        {"lines": []},
        {"checkout_id": "c"},
        {"auction_id": ""},
        {"price": -1},
        {"faults": engine.MAX_FAULTS + 1},
        {"lost": engine.MAX_LOST + 1},
    ],
)
def test_the_database_itself_refuses_a_row_that_contradicts_itself(begin, broken):
    sale = begin()

    with pytest.raises(IntegrityError), transaction.atomic(using="sagas"):
        models.Saga.objects.filter(pk=sale).update(**broken)


def test_the_timeline_cannot_hold_a_step_done_twice(begin, fake_dispatcher):
    sale = begin()
    fake_dispatcher.deliver()
    line = models.SagaStep.objects.filter(saga_id=sale).first()
    line.pk = None

    with pytest.raises(IntegrityError), transaction.atomic(using="sagas"):
        line.save(force_insert=True)


def test_a_saga_with_a_timeline_cannot_be_deleted(begin, fake_dispatcher):
    sale = begin()
    fake_dispatcher.deliver()

    with pytest.raises(models.models.ProtectedError):
        saga(sale).delete()


# --- figures ---------------------------------------------------------------------------------------------------------


def test_the_ends_are_counted_by_state(begin, fake_dispatcher):
    before = metrics.ENDED.labels("COMPENSATED")._value.get()

    begin("assess_risk=refuse")
    fake_dispatcher.deliver()

    assert metrics.ENDED.labels("COMPENSATED")._value.get() == before + 1
