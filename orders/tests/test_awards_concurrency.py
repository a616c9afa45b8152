"""A payment that begins and a time that ends at the same moment, with real threads and real commits: an award is paid or it lapses,
never both, and bidding hears of one end."""

from datetime import timedelta
from typing import Any

import pytest

from auction_project.kernel import errors
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging.tests import sessions
from orders import models, services
from orders.tests import sales
from orders.tests.awards import DUE, awarded, start
from orders.tests.shop import USER, failed, handle, pay, published, settle

pytestmark = pytest.mark.django_db(databases=["orders"], transaction=True)

ROUNDS = 12
IN_TIME = DUE - models.PAY_MARGIN - timedelta(milliseconds=1)


def at_once(*calls: Any) -> list[Any]:
    return sessions.at_once("orders", *calls)


def due(number: int) -> models.Checkout:
    """A checkout of a lot of its own, of which the time to pay is over in a moment."""
    lot = f"{number:032x}"
    handle(awarded(lot, product_id=f"{number:031x}a"))
    return start(lot, key=f"round {number}", now=IN_TIME)


def begin(checkout: models.Checkout) -> models.CheckoutSale:
    return services.pay_checkout(checkout_id=checkout.id, user_id=USER, now=IN_TIME)


def lapse() -> int:
    return services.lapse_awards(now=DUE)


def state_of(checkout: models.Checkout) -> str:
    [award_id] = checkout.award_ids
    return models.Award.objects.get(pk=award_id).state


def ends() -> tuple[set[str], set[str]]:
    """The lots that bidding was told are paid, and are not."""
    settled = {event.sale_id for event in published(events.SaleSettled)}
    unpaid = {event.sale_id for event in published(events.BidFailed)}
    return settled, unpaid


def test_a_payment_and_the_end_of_the_time_at_once_are_one_of_the_two() -> None:
    seen: dict[str, int] = {"PAYING": 0, "LAPSED": 0}
    for number in range(ROUNDS):
        checkout = due(number)

        outcomes = at_once(lapse, lambda one=checkout: begin(one), lapse)

        state = state_of(checkout)
        seen[state] += 1
        checkout.refresh_from_db()
        refused = [one.code for one in outcomes if isinstance(one, errors.DomainError)]
        assert (refused, checkout.state) == {
            "PAYING": ([], "PAYING"),
            "LAPSED": (["not_awarded"], "RESERVED"),
        }[state]
        if state == "PAYING":
            [sale] = models.CheckoutSale.objects.filter(checkout=checkout)
            at_once(lapse, lambda one=sale: settle(one), lapse)
            assert state_of(checkout) == "PAID"

    settled, unpaid = ends()
    assert (len(settled), len(unpaid), settled & unpaid) == (seen["PAYING"], seen["LAPSED"], set())
    assert len(published(events.SaleConfirmed)) == seen["PAYING"]


def test_a_payment_that_fails_another_that_begins_and_the_end_of_the_time_at_once_leave_one_end() -> None:
    for number in range(ROUNDS):
        checkout = due(number)
        sale = begin(checkout)

        at_once(lambda one=sale: handle(failed(one)), lapse, lambda one=checkout: begin(one))

        newest = models.CheckoutSale.objects.filter(checkout=checkout).order_by("at", "sale_id").last()
        if state_of(checkout) == "PAYING":
            assert newest is not None
            settle(newest)
        else:
            lapse()
        state = state_of(checkout)
        settled, unpaid = ends()
        [award_id] = checkout.award_ids
        assert (award_id in settled, award_id in unpaid) == (state == "PAID", state == "LAPSED")
        assert state in ("PAID", "LAPSED")
        services.set_card(user_id=USER, number=sales.ACCEPTS, now=IN_TIME)


def test_sweeps_at_once_share_what_has_lapsed_and_tell_each_once() -> None:
    handle(*(awarded(f"{number:032x}", product_id=f"{number:031x}b") for number in range(40)))

    lapsed = at_once(*[lapse] * 6)

    assert sum(lapsed) == 40
    _, unpaid = ends()
    assert len(unpaid) == len(published(events.BidFailed)) == 40


def test_a_payment_in_time_is_not_undone_by_a_sweep_that_comes_late() -> None:
    checkout = due(0)
    sale = pay(checkout, now=IN_TIME)

    assert services.lapse_awards(now=DUE + timedelta(days=30)) == 0
    settle(sale)

    assert (state_of(checkout), published(events.BidFailed)) == ("PAID", [])
