"""Turns: a rush of one product, or of one buyer, waits for itself; everything that waits comes in the end."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from sagas import invariants, models, saga_log, services, turns
from sagas.tests import conftest, participants
from sagas.tests.conftest import NOW, make_sale, pass_time, saga

pytestmark = pytest.mark.django_db(databases=["default", "sagas"])


@pytest.fixture
def start(post, fakes):
    """`start(product_id="p")`: a sale as given, whose saga was started; its id."""

    def start(script="", **given):
        sale = msgspec.structs.replace(make_sale(script), **given)
        services.start_saga(sale=sale, correlation_id="c", now=datetime.now(UTC))
        return sale.sale_id

    return start


def sent(post):
    return [sale_id for sale_id, _ in post.sent]


def let_in(post):
    """Those that were sent to their first step."""
    return [sale_id for sale_id, legs in post.sent if legs[0] == "reserve_stock"]


@pytest.mark.parametrize("same", ["product_id", "user_id"])
def test_a_rush_waits_for_itself_and_not_before_others(start, post, same):
    rush = [start(**{same: "hot"}) for _ in range(turns.MAX_ENTERING + 2)]
    other = start()

    assert sent(post) == [*rush[: turns.MAX_ENTERING], other]


@pytest.mark.parametrize("same", ["product_id", "user_id"])
def test_each_that_has_done_its_first_step_lets_the_longest_waiting_in(start, post, same):
    rush = [start(**{same: "hot"}) for _ in range(turns.MAX_ENTERING + 2)]
    post.lose()

    conftest.run(rush[1], "reserve_stock")
    assert let_in(post) == [rush[turns.MAX_ENTERING]]
    conftest.run(rush[0], "reserve_stock")
    assert let_in(post) == rush[turns.MAX_ENTERING :]


@pytest.mark.parametrize("script", ["reserve_stock=refuse", "reserve_stock=fail:9"])
def test_one_that_is_refused_at_its_first_step_lets_the_next_in(start, post, script):
    rush = [start(script, product_id="hot"), *(start(product_id="hot") for _ in range(turns.MAX_ENTERING))]

    for _ in range(10):
        post.deliver()
        for sale in rush:
            pass_time(sale, 60)
        services.claim_due(now=datetime.now(UTC))
    post.deliver()

    assert [saga(sale).status for sale in rush] == ["COMPENSATED"] + ["COMPLETED"] * turns.MAX_ENTERING


def test_a_whole_rush_ends_in_the_order_in_which_it_began(start, post):
    rush = [start(product_id="hot") for _ in range(20)]

    post.deliver()

    assert {saga(sale).status for sale in rush} == {"COMPLETED"}
    ended = models.Saga.objects.order_by("finished_at").values_list("pk", flat=True)
    assert list(ended) == rush
    assert all(len(participants.calls(sale)) == len(participants.ACTIONS) for sale in rush)


def test_the_sweep_lets_in_what_nobody_let_in_and_never_more_than_may_enter(start, post):
    rush = [start(product_id="hot") for _ in range(turns.MAX_ENTERING * 2)]
    other = start()
    post.lose()

    assert services.claim_due(now=datetime.now(UTC)) == 0  # those that enter have their time
    for sale in (*rush, other):
        pass_time(sale, saga_log.CHAIN_SECONDS + 1)
    assert services.claim_due(now=datetime.now(UTC)) == turns.MAX_ENTERING + 1
    assert services.claim_due(now=datetime.now(UTC)) == 0

    assert sorted(sent(post)) == sorted([*rush[: turns.MAX_ENTERING], other])


def test_a_rush_hides_nothing_from_the_sweep(start, post, monkeypatch):
    monkeypatch.setattr(services, "SWEEP_ROWS", 2)
    for _ in range(turns.MAX_ENTERING + 4):
        start(product_id="hot")
    begun = start()
    post.lose()
    conftest.run(begun, "reserve_stock")
    pass_time(begun, saga_log.CHAIN_SECONDS + 1)
    post.lose()

    services.claim_due(now=datetime.now(UTC))

    assert begun in sent(post)


def test_a_full_queue_lets_nobody_in(start, post):
    rush = [start(product_id="hot") for _ in range(turns.MAX_ENTERING + 1)]
    for sale in rush:
        pass_time(sale, saga_log.CHAIN_SECONDS + 1)
    post.lose()
    post.full = frozenset({"inventory"})

    assert services.claim_due(now=datetime.now(UTC)) == 0

    assert sent(post) == []


def test_one_that_waits_is_stuck_only_when_those_ahead_stand_still(start, post):
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
