"""The table of points, and what is stored of a score."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from auction_project.kernel.messaging import once
from auction_project.kernel.messaging.tests import sessions
from orders import exceptions, models, risk, services
from orders.tests import sales

GOOD: dict[str, Any] = {
    "created_at": sales.NOW - timedelta(days=400),
    "email_verified": True,
    "closed": False,
    "barred": False,
    "declined": 0,
    "paid": 0,
    "recent_sales": 0,
}


def points(**changes: Any) -> dict[str, int]:
    return {r.rule: r.points for r in risk.assess(risk.Buyer(**GOOD | changes), sales.NOW).reasons}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"created_at": None}, {"account_age": 30}),
        ({"created_at": sales.NOW - timedelta(hours=23)}, {"account_age": 30}),
        ({"created_at": sales.NOW - timedelta(days=1)}, {"account_age": 10}),
        ({"created_at": sales.NOW - timedelta(days=30)}, {}),
        ({"email_verified": False}, {"email_unverified": 30}),
        ({"closed": True}, {"account_closed": 100}),
        ({"barred": True}, {"account_barred": 100}),
        ({"declined": 1}, {"payments_declined": 20}),
        ({"declined": 9}, {"payments_declined": 60}),
        ({"paid": 2}, {"payments_made": -10}),
        ({"paid": 50}, {"payments_made": -25}),
        ({"recent_sales": 10}, {}),
        ({"recent_sales": 11}, {"velocity": 20}),
        ({"recent_sales": 31}, {"velocity": 40}),
    ],
)
def test_each_rule_gives_its_points(changes: dict[str, Any], expected: dict[str, int]) -> None:
    assert points(**changes) == expected


def test_a_score_is_the_sum_and_never_below_zero() -> None:
    assert risk.assess(risk.Buyer(**GOOD | {"paid": 50}), sales.NOW).score == 0
    assert risk.assess(risk.Buyer(**GOOD | {"created_at": None, "paid": 1}), sales.NOW).score == 25


def test_only_a_score_above_the_limit_is_refused() -> None:
    assert not risk.Assessment(80, ()).is_refused
    assert risk.Assessment(81, ()).is_refused


@pytest.mark.django_db(databases=["orders"])
def test_an_account_that_is_not_known_scores_as_new_and_unverified_and_is_not_refused(
    sale: sales.Sale,
) -> None:
    outcome = sale.assess()

    assert outcome.score == 60
    assert [(r.rule, r.points) for r in outcome.reasons] == [
        ("account_age", 30),
        ("email_unverified", 30),
    ]
    stored = models.RiskAssessment.objects.get()
    assert (stored.order_number, stored.score, stored.reasons) == (
        sale.order_number,
        60,
        outcome.as_reasons(),
    )
    assert (stored.refused, stored.policy, stored.at) == (False, 2, sales.NOW)


@pytest.mark.django_db(databases=["orders"])
def test_the_stored_state_of_the_account_counts(sale: sales.Sale) -> None:
    services.record_account(
        user_id=sale.user_id,
        version=1,
        email_verified=True,
        closed=False,
        barred=False,
        created_at=sales.NOW - timedelta(days=2),
        now=sales.NOW,
    )

    assert sale.assess().score == 10


@pytest.mark.django_db(databases=["orders"])
def test_a_buyer_above_the_limit_is_refused_at_every_repeat(sale: sales.Sale) -> None:
    services.record_account(
        user_id=sale.user_id,
        version=1,
        email_verified=True,
        closed=True,
        barred=False,
        created_at=sales.NOW - timedelta(days=99),
        now=sales.NOW,
    )

    for _ in range(2):
        with pytest.raises(exceptions.RiskRefused) as refusal:
            sale.assess()
        assert refusal.value.code == "risk_refused"

    stored = models.RiskAssessment.objects.get()
    assert (stored.score, stored.refused) == (100, True)
    row = models.Once.objects.get()
    assert (row.state, row.outcome["code"]) == (once.State.REFUSED, "risk_refused")
    assert models.Outbox.objects.count() == 0


@pytest.mark.django_db(databases=["orders"])
def test_a_repeat_gets_the_stored_score_although_the_buyer_has_changed(sale: sales.Sale) -> None:
    first = sale.assess()
    services.record_account(
        user_id=sale.user_id,
        version=1,
        email_verified=True,
        closed=True,
        barred=False,
        created_at=sales.NOW,
        now=sales.NOW,
    )

    assert sale.assess() == first
    assert models.RiskAssessment.objects.count() == 1


@pytest.mark.django_db(databases=["orders"])
def test_sales_within_ten_minutes_count_and_older_ones_do_not() -> None:
    first = sales.new_sale()
    for _ in range(11):
        sales.new_sale(user_id=first.user_id).assess()

    at_once = sales.new_sale(user_id=first.user_id).assess()
    later = sales.new_sale(user_id=first.user_id).assess(now=sales.NOW + timedelta(minutes=10))

    assert at_once.score == 80
    assert later.score == 60


@pytest.mark.django_db(databases=["orders"])
def test_payments_of_the_past_count_declined_ones_for_thirty_days(sale: sales.Sale) -> None:
    for _ in range(2):
        sales.pay(sales.new_sale(user_id=sale.user_id))
    for _ in range(3):
        declined = sales.new_sale(user_id=sale.user_id)
        with pytest.raises(exceptions.PaymentRefused):
            declined.capture()  # no card

    with pytest.raises(exceptions.RiskRefused):
        sale.assess()
    month_later = sales.new_sale(user_id=sale.user_id).assess(now=sales.NOW + timedelta(days=30))

    assert models.RiskAssessment.objects.get(order_number=sale.order_number).score == 30 + 30 + 60 - 10
    assert month_later.score == 30 + 30 - 10


@pytest.mark.django_db(databases=["orders"])
def test_a_past_is_counted_no_further_than_the_rules_look(sale: sales.Sale) -> None:
    for _ in range(7):
        sales.pay(sales.new_sale(user_id=sale.user_id))

    with CaptureQueriesContext(connections["orders"]) as queries:
        outcome = sale.assess()

    assert outcome.as_reasons()[-1] == {
        "rule": "payments_made",
        "points": -25,
        "detail": "Paid before: 5 or more.",
    }
    [counts] = [query["sql"] for query in queries.captured_queries if "count(" in query["sql"]]
    assert [part.partition(")")[0] for part in counts.split("LIMIT ")[1:]] == ["31", "3", "5"]


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_sales_of_one_buyer_at_once_are_counted_one_after_the_other() -> None:
    buyer = sales.new_sale().user_id

    scores = sessions.at_once(
        "orders", *[lambda: sales.new_sale(user_id=buyer).assess().score for _ in range(12)]
    )

    assert sorted(scores) == [60] * 11 + [80]
