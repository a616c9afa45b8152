"""The table of points, and what is stored of a score."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.conf import settings
from django.db import connections
from django.test.utils import CaptureQueriesContext

from auction_project.kernel.messaging import once
from auction_project.kernel.messaging.tests import sessions
from orders import exceptions, models, retention, risk, services
from orders.tests import sales

POLICY = risk.Policy(**settings.RISK)
LONG_AGO = sales.NOW - timedelta(days=400)
GOOD: dict[str, Any] = {
    "created_at": LONG_AGO,
    "email_verified": True,
    "closed": False,
    "barred": False,
    "declined": 0,
    "paid": 0,
    "recent_sales": 0,
    "first_device_at": None,
    "newest_device_at": None,
    "linked": 0,
    "accepted_until": None,
}
A_DAY = timedelta(days=1)
A_BIT = timedelta(microseconds=1)


def assess(policy: risk.Policy = POLICY, **changes: Any) -> risk.Assessment:
    return risk.assess(risk.Buyer(**GOOD | changes), policy, sales.NOW)


def points(policy: risk.Policy = POLICY, **changes: Any) -> dict[str, int]:
    return {reason.rule: reason.points for reason in assess(policy, **changes).reasons}


def with_figures(**changes: int) -> risk.Policy:
    return msgspec.structs.replace(POLICY, **changes)


def devices(first: timedelta, newest: timedelta) -> dict[str, Any]:
    """The account's first and newest devices were first seen so long ago."""
    return {"first_device_at": sales.NOW - first, "newest_device_at": sales.NOW - newest}


def know(user_id: str, **changes: Any) -> None:
    """Store the account: verified, and old enough for no points."""
    account: dict[str, Any] = {
        "version": 1,
        "email_verified": True,
        "closed": False,
        "barred": False,
        "created_at": LONG_AGO,
        "now": sales.NOW,
    }
    services.record_account(user_id=user_id, **account | changes)


def sees(user_id: str, device: str, *, ago: timedelta = timedelta()) -> None:
    """The account signed in from the device for the first and the last time."""
    at = sales.NOW - ago
    services.record_device(user_id=user_id, device=device, first_seen_at=at, last_seen_at=at)


# --- the rules ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"created_at": None}, {"account_age": 30}),
        ({"created_at": sales.NOW - timedelta(hours=23)}, {"account_age": 30}),
        ({"created_at": sales.NOW - A_DAY}, {"account_age": 10}),
        ({"created_at": sales.NOW - 30 * A_DAY}, {}),
        ({"email_verified": False}, {"email_unverified": 30}),
        ({"closed": True}, {"account_closed": 100}),
        ({"barred": True}, {"account_barred": 100}),
        (devices(first=timedelta(), newest=timedelta()), {}),
        (devices(first=A_DAY - A_BIT, newest=timedelta()), {}),
        (devices(first=A_DAY, newest=A_DAY - A_BIT), {"device_new": 10}),
        (devices(first=400 * A_DAY, newest=timedelta()), {"device_new": 10}),
        (devices(first=A_DAY, newest=A_DAY), {}),
        (devices(first=400 * A_DAY, newest=30 * A_DAY - A_BIT), {}),
        (devices(first=30 * A_DAY, newest=30 * A_DAY), {"device_known": -10}),
        ({"linked": 1}, {"accounts_linked": 10}),
        ({"linked": 3}, {"accounts_linked": 30}),
        ({"linked": 9}, {"accounts_linked": 30}),
        ({"declined": 1}, {"payments_declined": 20}),
        ({"declined": 9}, {"payments_declined": 60}),
        ({"paid": 2}, {"payments_made": -10}),
        ({"paid": 50}, {"payments_made": -25}),
        ({"recent_sales": 10}, {}),
        ({"recent_sales": 11}, {"velocity": 20}),
        ({"recent_sales": 30}, {"velocity": 20}),
        ({"recent_sales": 31}, {"velocity": 40}),
    ],
)
def test_each_rule_gives_its_points(changes: dict[str, Any], expected: dict[str, int]) -> None:
    assert points(**changes) == expected


def test_a_score_is_the_sum_and_never_below_zero() -> None:
    assert assess(paid=50).score == 0
    assert assess(created_at=None, paid=1).score == 25
    worst = {
        "created_at": None,
        "email_verified": False,
        "declined": 9,
        "linked": 9,
        "recent_sales": 99,
        **devices(first=A_DAY, newest=timedelta()),
    }
    assert assess(**worst).score == 30 + 30 + 60 + 30 + 40 + 10


def test_only_a_score_above_the_limit_is_refused() -> None:
    at_the_limit = assess(created_at=None, email_verified=False, recent_sales=11)
    above = assess(created_at=None, email_verified=False, linked=1, recent_sales=11)

    assert (at_the_limit.score, at_the_limit.is_refused) == (80, False)
    assert (above.score, above.is_refused) == (90, True)


@pytest.mark.parametrize("state", ["closed", "barred"])
def test_a_closed_or_barred_account_is_refused_at_any_score_and_whoever_accepts_it(state: str) -> None:
    best = {state: True, "paid": 50, **devices(first=400 * A_DAY, newest=400 * A_DAY)}

    assert assess(**best).score == 65
    assert assess(**best).is_refused
    assert assess(**best, accepted_until=sales.NOW + A_DAY).is_refused


def test_no_account_of_before_gets_more_points_than_before() -> None:
    """Devices are new to the house, and not to their owners: an account without one, and one whose first device was seen just
    now, score as they did."""
    for known in ({}, devices(first=timedelta(), newest=timedelta())):
        buyer = {"created_at": None, "email_verified": False, "recent_sales": 11, **known}
        assert assess(**buyer).score == 80


@pytest.mark.parametrize(
    ("figures", "changes", "expected"),
    [
        ({"unverified_points": 0}, {"email_verified": False}, {}),
        ({"new_account_hours": 48}, {"created_at": sales.NOW - timedelta(hours=47)}, {"account_age": 30}),
        ({"young_account_days": 60, "young_account_points": 15}, {"created_at": sales.NOW - 59 * A_DAY}, {"account_age": 15}),
        ({"declined_points": 7, "declined_max_points": 20}, {"declined": 2}, {"payments_declined": 14}),
        ({"declined_points": 7, "declined_max_points": 20}, {"declined": 3}, {"payments_declined": 20}),
        ({"paid_points": 0}, {"paid": 5}, {}),
        ({"velocity_sales": 2, "velocity_points": 9}, {"recent_sales": 3}, {"velocity": 9}),
        ({"rush_sales": 11, "rush_points": 90}, {"recent_sales": 12}, {"velocity": 90}),
        ({"new_device_hours": 1}, devices(first=A_DAY, newest=timedelta(hours=1)), {}),
        ({"known_device_days": 2}, devices(first=2 * A_DAY, newest=2 * A_DAY), {"device_known": -10}),
        ({"linked_points": 0}, {"linked": 5}, {}),
    ],
)  # fmt: skip
def test_a_site_sets_the_figures(
    figures: dict[str, int], changes: dict[str, Any], expected: dict[str, int]
) -> None:
    assert points(with_figures(**figures), **changes) == expected


def test_a_site_sets_the_limit() -> None:
    assert assess(with_figures(limit=29), created_at=None).is_refused
    assert not assess(with_figures(limit=30), created_at=None).is_refused


def test_counting_stops_where_the_points_end() -> None:
    assert (POLICY.declined_counted, POLICY.paid_counted) == (3, 5)
    assert (POLICY.sales_counted, POLICY.linked_counted) == (31, 3)
    assert with_figures(declined_points=7).declined_counted == 9
    assert with_figures(linked_points=0).linked_counted == 0


# --- what the buyer is told --------------------------------------------------------------------------------------

ASK = "We cannot accept this purchase. Ask us, and we will look at it."
NEW = {"created_at": sales.NOW - timedelta(hours=1)}


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        (
            {"email_verified": False, "declined": 3},
            "We cannot accept this purchase yet. Verify your e-mail address, then try again, or ask us.",
        ),
        (
            NEW | {"declined": 3},
            "We cannot accept this purchase yet. Wait until your account is a day old, then try again, or ask us.",
        ),
        (
            NEW | {"email_verified": False, "declined": 3},
            "We cannot accept this purchase yet. Verify your e-mail address and wait until your account is a day old, "
            "then try again, or ask us.",
        ),
        (NEW | {"declined": 3, "linked": 3}, ASK),  # neither would be enough
        ({"declined": 3, "recent_sales": 31}, ASK),
        ({"declined": 3, "linked": 3}, ASK),
        (devices(first=A_DAY, newest=timedelta()) | {"declined": 3, "linked": 2}, ASK),
        ({"created_at": sales.NOW - 2 * A_DAY, "declined": 3, "linked": 2}, ASK),
        ({"closed": True, "email_verified": False}, ASK),
        ({"barred": True, **NEW}, ASK),
    ],
)
def test_a_refused_buyer_reads_what_would_be_enough_or_to_ask(changes: dict[str, Any], advice: str) -> None:
    outcome = assess(**changes)

    assert outcome.is_refused
    assert outcome.advice == advice


def test_no_advice_names_what_an_attacker_could_tune() -> None:
    every = {
        assess(**buyer).advice
        for buyer in (
            {name: value, "declined": 3, "email_verified": verified, **age}
            for verified in (True, False)
            for age in ({}, NEW)
            for name, value in (("recent_sales", 11), ("linked", 1), ("barred", True))
        )
    }

    assert len(every) >= 2
    for word in ("device", "linked", "sale", "minute", "declin", "payment", "score", "point", "limit"):
        assert not [text for text in every if word in text.lower()]


def test_a_sale_that_passes_has_no_advice() -> None:
    assert assess(created_at=None).advice == ""


# --- what is stored ----------------------------------------------------------------------------------------------


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
    assert (stored.refused, stored.policy, stored.at) == (False, 3, sales.NOW)


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
        assert (refusal.value.code, refusal.value.detail) == ("risk_refused", ASK)

    stored = models.RiskAssessment.objects.get()
    assert (stored.score, stored.limit, stored.refused) == (100, 80, True)
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
    assert [part.partition(")")[0] for part in counts.split("LIMIT ")[1:]] == ["31", "3", "5", "3", "3", "1"]


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_sales_of_one_buyer_at_once_are_counted_one_after_the_other() -> None:
    buyer = sales.new_sale().user_id

    scores = sessions.at_once(
        "orders", *[lambda: sales.new_sale(user_id=buyer).assess().score for _ in range(12)]
    )

    assert sorted(scores) == [60] * 11 + [80]


# --- devices -----------------------------------------------------------------------------------------------------


def stored_devices(user_id: str) -> list[str]:
    rows = models.Device.objects.filter(user_id=user_id).order_by("first_seen_at", "id")
    return list(rows.values_list("device", flat=True))


@pytest.mark.django_db(databases=["orders"])
def test_a_new_device_beside_an_old_one_counts_for_a_day(sale: sales.Sale) -> None:
    know(sale.user_id)
    sees(sale.user_id, "laptop", ago=90 * A_DAY)
    assert sale.assess().reasons == (
        risk.Reason("device_known", -10, "It signs in from devices known for 30 days or more."),
    )
    sees(sale.user_id, "stolen", ago=timedelta(hours=2))

    now = sales.new_sale(user_id=sale.user_id).assess()
    next_day = sales.new_sale(user_id=sale.user_id).assess(now=sales.NOW + A_DAY)

    assert now.reasons == (risk.Reason("device_new", 10, "It signed in from a new device within a day."),)
    assert next_day.reasons == ()


@pytest.mark.django_db(databases=["orders"])
def test_a_thief_is_not_hidden_by_a_later_log_in_of_the_owner(sale: sales.Sale) -> None:
    know(sale.user_id)
    sees(sale.user_id, "laptop", ago=20 * A_DAY)
    sees(sale.user_id, "stolen", ago=timedelta(hours=2))
    sees(sale.user_id, "laptop", ago=timedelta(hours=1))

    assert sale.assess().score == 10


@pytest.mark.django_db(databases=["orders"])
def test_many_log_ins_do_not_hide_that_an_account_has_a_past(sale: sales.Sale) -> None:
    know(sale.user_id)
    sees(sale.user_id, "laptop", ago=20 * A_DAY)
    for number in range(70):
        sees(sale.user_id, f"thief {number}", ago=timedelta(minutes=70 - number))

    assert len(stored_devices(sale.user_id)) == models.Device.MAX
    assert stored_devices(sale.user_id)[:2] == ["laptop", "thief 21"]
    assert sale.assess().score == 10


@pytest.mark.django_db(databases=["orders"])
def test_a_device_is_known_since_the_earliest_event_in_whatever_order_they_come(sale: sales.Sale) -> None:
    for ago in (A_DAY, 3 * A_DAY, 2 * A_DAY):
        sees(sale.user_id, "laptop", ago=ago)

    row = models.Device.objects.get()
    assert (row.first_seen_at, row.last_seen_at) == (sales.NOW - 3 * A_DAY, sales.NOW - A_DAY)


@pytest.mark.django_db(databases=["orders"])
def test_accounts_that_share_a_device_are_linked_and_counted_once_each(sale: sales.Sale) -> None:
    know(sale.user_id)
    for device in ("laptop", "phone"):
        sees(sale.user_id, device)
        sees("other", device)
    sees("stranger", "another laptop")

    outcome = sale.assess()

    assert outcome.reasons == (risk.Reason("accounts_linked", 10, "Other accounts that share a device: 1."),)


@pytest.mark.django_db(databases=["orders"])
def test_linked_accounts_are_counted_no_further_than_the_rule_looks(sale: sales.Sale) -> None:
    know(sale.user_id)
    sees(sale.user_id, "kiosk")
    for number in range(40):
        sees(f"visitor {number}", "kiosk")

    assert sale.assess().reasons[-1].detail == "Other accounts that share a device: 3 or more."


@pytest.mark.django_db(databases=["orders"])
def test_a_closed_account_keeps_no_device_and_links_to_none(sale: sales.Sale) -> None:
    know(sale.user_id)
    for user_id in (sale.user_id, "closed"):
        sees(user_id, "laptop")
    know("closed", version=2, closed=True)
    sees("closed", "laptop")  # an event that comes late

    assert sale.assess().score == 0
    assert stored_devices("closed") == []
    assert stored_devices(sale.user_id) == ["laptop"]


@pytest.mark.django_db(databases=["orders"])
def test_a_device_that_was_not_seen_for_its_days_is_deleted(settings: Any) -> None:
    settings.DEVICES_KEEP_DAYS = 30
    sees("u", "old", ago=30 * A_DAY + A_BIT)
    sees("u", "young", ago=30 * A_DAY)

    assert retention.prune_devices(sales.NOW) == 1
    assert stored_devices("u") == ["young"]


# --- operators ---------------------------------------------------------------------------------------------------

COLLEAGUE = "c" * 32


def accept(user_id: str, **changes: Any) -> models.RiskOverride:
    decision: dict[str, Any] = {
        "user_id": user_id,
        "hours": 24,
        "reason": "Known from the fair.",
        "actor": COLLEAGUE,
        "now": sales.NOW,
    }
    return services.accept_buyer(**decision | changes)


def refused_buyer() -> str:
    """A verified account that four others share a device with, and that had three payments declined."""
    user_id = sales.new_sale().user_id
    know(user_id)
    sees(user_id, "kiosk")
    for number in range(4):
        sees(f"visitor {number} of {user_id}", "kiosk")
    for _ in range(3):
        with pytest.raises(exceptions.PaymentRefused):
            sales.new_sale(user_id=user_id).capture()  # no card
    with pytest.raises(exceptions.RiskRefused):
        sales.new_sale(user_id=user_id).assess()
    return user_id


@pytest.mark.django_db(databases=["orders"])
def test_the_next_sale_of_an_accepted_buyer_passes_with_its_score_and_the_refused_one_stays() -> None:
    user_id = refused_buyer()

    row = accept(user_id)
    outcome = sales.new_sale(user_id=user_id).assess()

    assert (row.actor, row.reason, row.until) == (COLLEAGUE, "Known from the fair.", sales.NOW + A_DAY)
    assert (outcome.score, outcome.is_refused) == (90, False)
    assert outcome.reasons[-1] == risk.Reason(
        "accepted", 0, "An operator accepts this buyer until 22 Nov 2026 12:00 UTC."
    )
    assert list(models.RiskAssessment.objects.order_by("refused").values_list("score", "refused")) == [
        (90, False),
        (90, True),
    ]


@pytest.mark.django_db(databases=["orders"])
def test_an_acceptance_ends_at_its_time() -> None:
    user_id = refused_buyer()
    accept(user_id, hours=1)

    sales.new_sale(user_id=user_id).assess(now=sales.NOW + timedelta(hours=1) - A_BIT)
    with pytest.raises(exceptions.RiskRefused):
        sales.new_sale(user_id=user_id).assess(now=sales.NOW + timedelta(hours=1))


@pytest.mark.django_db(databases=["orders"])
def test_an_operator_ends_an_acceptance_and_both_decisions_stay_on_record() -> None:
    user_id = refused_buyer()
    accept(user_id)

    later = sales.NOW + timedelta(hours=1)
    services.end_acceptance(user_id=user_id, reason="Not they.", actor=COLLEAGUE, now=later)

    with pytest.raises(exceptions.RiskRefused):
        sales.new_sale(user_id=user_id).assess(now=later)
    with pytest.raises(exceptions.NotAccepted):
        services.end_acceptance(user_id=user_id, reason="Again.", actor=COLLEAGUE, now=later)
    assert list(models.RiskOverride.objects.values_list("reason", "until")) == [
        ("Not they.", later),
        ("Known from the fair.", sales.NOW + A_DAY),
    ]


@pytest.mark.django_db(databases=["orders"])
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"actor": "u" * 32}, exceptions.OwnRisk),
        ({"reason": "  "}, exceptions.ReasonMissing),
        ({"hours": 0}, exceptions.HoursOutOfRange),
        ({"hours": 169}, exceptions.HoursOutOfRange),
    ],
)
def test_a_decision_that_is_refused_leaves_nothing(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        accept("u" * 32, **changes)

    assert models.RiskOverride.objects.count() == 0
