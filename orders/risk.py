"""The risk score of a sale: points for what is known of its buyer, each with its reason. Pure: no I/O, no clock.

A sale whose score is above LIMIT is refused. A buyer of whom nothing is known counts as new and unverified, which alone
stays below the limit. POLICY_VERSION is the version of this table of points, and is stored with each score.
"""

from datetime import datetime, timedelta
from typing import Any

import msgspec

POLICY_VERSION = 2
LIMIT = 80

NEW_ACCOUNT = timedelta(days=1)
YOUNG_ACCOUNT = timedelta(days=30)
NEW_ACCOUNT_POINTS, YOUNG_ACCOUNT_POINTS = 30, 10
UNVERIFIED_POINTS = 30
CLOSED_POINTS = BARRED_POINTS = 100

DECLINED_WINDOW = timedelta(days=30)
DECLINED_POINTS, MAX_DECLINED_POINTS = 20, 60
PAID_POINTS, MIN_PAID_POINTS = -5, -25

VELOCITY_WINDOW = timedelta(minutes=10)
VELOCITY_STEPS = ((30, 40), (10, 20))  # (more than this many sales in the window, points), steepest first

# More of a kind changes no score, so that it need not be counted further.
DECLINED_COUNTED = MAX_DECLINED_POINTS // DECLINED_POINTS
PAID_COUNTED = MIN_PAID_POINTS // PAID_POINTS
SALES_COUNTED = VELOCITY_STEPS[0][0] + 1


class Buyer(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a buyer. `created_at` is None while the account is not known here.

    `declined`: payments declined in DECLINED_WINDOW; `paid`: payments made ever; `recent_sales`: sales in
    VELOCITY_WINDOW.
    """

    created_at: datetime | None
    email_verified: bool
    closed: bool
    barred: bool
    declined: int
    paid: int
    recent_sales: int


class Reason(msgspec.Struct, frozen=True):
    """One line of the score: the rule's name, its points (they may be negative), and a sentence for operators."""

    rule: str
    points: int
    detail: str


class Assessment(msgspec.Struct, frozen=True):
    """The score and its reasons. The score is the sum of their points, and never below 0."""

    score: int
    reasons: tuple[Reason, ...]

    @property
    def is_refused(self) -> bool:
        return self.score > LIMIT

    def as_reasons(self) -> list[dict[str, Any]]:
        """The reasons as JSON values."""
        return [msgspec.structs.asdict(reason) for reason in self.reasons]


def assess(buyer: Buyer, now: datetime) -> Assessment:
    """The score of a sale to `buyer`."""
    rules = (
        _age(buyer, now),
        _email(buyer),
        _closed(buyer),
        _barred(buyer),
        _declined(buyer),
        _paid(buyer),
        _velocity(buyer),
    )
    reasons = tuple(reason for reason in rules if reason is not None)
    return Assessment(max(0, sum(reason.points for reason in reasons)), reasons)


def _age(buyer: Buyer, now: datetime) -> Reason | None:
    if buyer.created_at is None:
        return Reason("account_age", NEW_ACCOUNT_POINTS, "The account is not known yet.")
    age = now - buyer.created_at
    if age < NEW_ACCOUNT:
        return Reason("account_age", NEW_ACCOUNT_POINTS, "The account is less than a day old.")
    if age < YOUNG_ACCOUNT:
        return Reason("account_age", YOUNG_ACCOUNT_POINTS, f"The account is {age.days} days old.")
    return None


def _email(buyer: Buyer) -> Reason | None:
    if buyer.email_verified:
        return None
    return Reason("email_unverified", UNVERIFIED_POINTS, "The e-mail address is not verified.")


def _closed(buyer: Buyer) -> Reason | None:
    return Reason("account_closed", CLOSED_POINTS, "The account is closed.") if buyer.closed else None


def _barred(buyer: Buyer) -> Reason | None:
    return Reason("account_barred", BARRED_POINTS, "The account is barred.") if buyer.barred else None


def _declined(buyer: Buyer) -> Reason | None:
    if buyer.declined == 0:
        return None
    points = min(MAX_DECLINED_POINTS, buyer.declined * DECLINED_POINTS)
    counted = _counted(buyer.declined, DECLINED_COUNTED)
    return Reason("payments_declined", points, f"Declined in {DECLINED_WINDOW.days} days: {counted}.")


def _paid(buyer: Buyer) -> Reason | None:
    if buyer.paid == 0:
        return None
    points = max(MIN_PAID_POINTS, buyer.paid * PAID_POINTS)
    return Reason("payments_made", points, f"Paid before: {_counted(buyer.paid, PAID_COUNTED)}.")


def _velocity(buyer: Buyer) -> Reason | None:
    for more_than, points in VELOCITY_STEPS:
        if buyer.recent_sales > more_than:
            minutes = int(VELOCITY_WINDOW.total_seconds() // 60)
            counted = _counted(buyer.recent_sales, SALES_COUNTED)
            return Reason("velocity", points, f"Sales within {minutes} minutes: {counted}.")
    return None


def _counted(number: int, limit: int) -> str:
    return str(number) if number < limit else f"{limit} or more"
