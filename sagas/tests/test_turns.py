"""Turns: many sales of one product, or of one buyer, wait for one another; every sale that waits enters in the end."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from sagas import invariants, models, saga_log, services, turns
from sagas.tests import conftest, participants
from sagas.tests.conftest import NOW, make_sale, pass_time, saga

pytestmark = pytest.mark.django_db(databases=["default", "sagas"])


@pytest.fixture
def start(fake_dispatcher, fakes, monkeypatch):
    """`start(product_id="p")`: start the saga of a sale with these fields; its id."""
    monkeypatch.setattr(turns, "MAX_ENTERING", 3)

    def start(script="", product_id=None, **given):
        sale = msgspec.structs.replace(make_sale(script), **given)
        if product_id:
            line = msgspec.structs.replace(sale.lines[0], product_id=product_id)
            sale = msgspec.structs.replace(sale, lines=(line,))
        conftest.start(sale, now=datetime.now(UTC))
        return sale.sale_id

    return start


def sent(fake_dispatcher):
    return [sale_id for sale_id, _ in fake_dispatcher.sent]


def let_in(fake_dispatcher):
    """The sales that were sent to their first step."""
    return [sale_id for sale_id, legs in fake_dispatcher.sent if legs[0] == "reserve_stock"]


@pytest.mark.parametrize("same", ["product_id", "user_id"])
def test_sales_of_one_product_or_buyer_wait_for_one_another_and_delay_no_others(start, fake_dispatcher, same):
    rush = [start(**{same: "hot"}) for _ in range(turns.MAX_ENTERING + 2)]
    other = start()

    assert sent(fake_dispatcher) == [*rush[: turns.MAX_ENTERING], other]


@pytest.mark.parametrize("same", ["product_id", "user_id"])
def test_one_that_has_done_its_first_step_lets_in_all_that_wait_as_one_group(start, fake_dispatcher, same):
    rush = [start(**{same: "hot"}) for _ in range(turns.MAX_ENTERING + 2)]
    fake_dispatcher.lose()

    conftest.run(rush[1], "reserve_stock")
    assert let_in(fake_dispatcher) == rush[turns.MAX_ENTERING :]
    assert ([rush[-2], rush[-1]]) in [list(ids) for ids, _ in fake_dispatcher.chains]

    late = start(**{same: "hot"})
    assert late not in sent(fake_dispatcher)


def test_a_group_that_enters_has_at_most_as_many_members_as_one_task_takes(
    start, fake_dispatcher, monkeypatch
):
    monkeypatch.setattr(turns.groups, "MAX_MEMBERS", 4)
    rush = [start(product_id="hot") for _ in range(turns.MAX_ENTERING + 6)]
    fake_dispatcher.lose()

    conftest.run(rush[0], "reserve_stock")

    assert let_in(fake_dispatcher) == rush[turns.MAX_ENTERING : turns.MAX_ENTERING + 4]


@pytest.mark.parametrize("script", ["reserve_stock=refuse", "reserve_stock=fail:9"])
def test_one_that_is_refused_at_its_first_step_lets_the_next_in(start, fake_dispatcher, script):
    rush = [start(script, product_id="hot"), *(start(product_id="hot") for _ in range(turns.MAX_ENTERING))]

    for _ in range(10):
        fake_dispatcher.deliver()
        for sale in rush:
            pass_time(sale, 60)
        services.claim_due(now=datetime.now(UTC))
    fake_dispatcher.deliver()

    assert [saga(sale).status for sale in rush] == ["COMPENSATED"] + ["COMPLETED"] * turns.MAX_ENTERING


def test_a_whole_rush_ends_in_the_order_in_which_it_began(start, fake_dispatcher):
    rush = [start(product_id="hot") for _ in range(20)]

    fake_dispatcher.deliver()

    assert {saga(sale).status for sale in rush} == {"COMPLETED"}
    ended = [saga(sale).finished_at for sale in rush]
    assert ended == sorted(ended)
    assert all(len(participants.calls(sale)) == len(participants.ACTIONS) for sale in rush)


def test_the_sweep_lets_in_the_sales_that_were_missed_and_never_more_than_may_enter(
    start, fake_dispatcher, monkeypatch
):
    monkeypatch.setattr(turns.groups, "MAX_MEMBERS", 2)
    rush = [start(product_id="hot") for _ in range(turns.MAX_ENTERING * 3)]
    other = start()
    fake_dispatcher.lose()

    assert services.claim_due(now=datetime.now(UTC)) == 0  # the chains of those that enter are not overdue
    for sale in (*rush, other):
        pass_time(sale, saga_log.CHAIN_SECONDS + 1)
    claimed = [services.claim_due(now=datetime.now(UTC)) for _ in range(turns.MAX_ENTERING + 1)]

    assert claimed == [3] + [2] * (turns.MAX_ENTERING - 1) + [0]
    assert sorted(sent(fake_dispatcher)) == sorted([*rush[: 2 * turns.MAX_ENTERING], other])


def test_the_sweep_lets_in_those_that_waited_for_a_worker_that_died_after_its_first_step(
    start, fake_dispatcher, monkeypatch
):
    rush = [start(product_id="hot") for _ in range(turns.MAX_ENTERING + 1)]
    fake_dispatcher.lose()
    with monkeypatch.context() as dying:
        dying.setattr(turns, "have_followers", die)
        with pytest.raises(KeyboardInterrupt):
            conftest.run(rush[0], "reserve_stock")
    assert (saga(rush[0]).position, conftest.timeline(rush[0])) == (1, ["reserve_stock DONE"])
    assert sent(fake_dispatcher) == []

    services.claim_due(now=datetime.now(UTC))

    assert let_in(fake_dispatcher) == [rush[-1]]


def die(*_sagas, **_given):
    raise KeyboardInterrupt


def test_what_the_broker_did_not_take_goes_with_the_first_sweep(start, fake_dispatcher):
    fake_dispatcher.is_away = True
    rush = [start(product_id="hot") for _ in range(turns.MAX_ENTERING + 2)]
    assert sent(fake_dispatcher) == []
    fake_dispatcher.is_away = False

    assert services.claim_due(now=datetime.now(UTC)) == len(rush)
    assert [list(ids) for ids, _ in fake_dispatcher.chains] == [rush]


def test_a_rush_hides_nothing_from_the_sweep(start, fake_dispatcher, monkeypatch):
    monkeypatch.setattr(services, "SWEEP_ROWS", 2)
    for _ in range(turns.MAX_ENTERING + 4):
        start(product_id="hot")
    begun = start()
    fake_dispatcher.lose()
    conftest.run(begun, "reserve_stock")
    pass_time(begun, saga_log.CHAIN_SECONDS + 1)
    fake_dispatcher.lose()

    services.claim_due(now=datetime.now(UTC))

    assert begun in sent(fake_dispatcher)


def test_no_sale_enters_a_full_queue(start, fake_dispatcher):
    rush = [start(product_id="hot") for _ in range(turns.MAX_ENTERING + 1)]
    for sale in rush:
        pass_time(sale, saga_log.CHAIN_SECONDS + 1)
    fake_dispatcher.lose()
    fake_dispatcher.full = frozenset({"inventory"})

    assert services.claim_due(now=datetime.now(UTC)) == 0

    assert sent(fake_dispatcher) == []


def test_a_sale_that_waits_is_stuck_only_when_those_before_it_do_not_move(start, fake_dispatcher):
    rush = [start(product_id="hot") for _ in range(turns.MAX_ENTERING + 1)]
    conftest.run(rush[0], "reserve_stock")
    for sale in rush[1:]:
        pass_time(sale, invariants.STUCK_SECONDS + 1)
    models.Saga.objects.filter(pk__in=rush[1:]).update(started_at=None)
    now = datetime.now(UTC)

    assert turns.is_moving(saga(rush[-1]), since=now - timedelta(seconds=invariants.STUCK_SECONDS))
    pass_time(rush[0], invariants.STUCK_SECONDS + 1)
    assert not turns.is_moving(saga(rush[-1]), since=now - timedelta(seconds=invariants.STUCK_SECONDS))
    assert not turns.is_moving(saga(start()), since=NOW)


def test_a_follower_of_an_unknown_version_is_left_alone(start, fake_dispatcher):
    rush = [start(product_id="hot") for _ in range(turns.MAX_ENTERING + 2)]
    newer = rush[turns.MAX_ENTERING]
    models.Saga.objects.filter(pk=newer).update(version=99)
    fake_dispatcher.lose()

    conftest.run(rush[0], "reserve_stock")

    assert let_in(fake_dispatcher) == [rush[-1]]
    assert saga(rush[0]).position == 1
