"""The risk score of a sale: points for what is known of its buyer, each with its reason. Pure: no I/O, no clock.

The figures are a site's (Policy). A sale whose score is above the limit is refused, unless an operator has accepted its buyer for
a time; a closed or barred account is refused at any score. A buyer of whom nothing is known counts as new and unverified, which
alone stays below the limit by default. What a buyer is told of a refusal is what they can do: verify an address, wait, ask. No
advice names the rules by which an attacker could tune. POLICY_VERSION is the version of the rules, and is stored with each score.
"""

from datetime import datetime, timedelta
from typing import Any

import msgspec

POLICY_VERSION = 3
CLOSED_POINTS = BARRED_POINTS = 100

_NEVER = frozenset({"account_closed", "account_barred"})
_ASK = "We cannot accept this purchase. Ask us, and we will look at it."


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a site (settings RISK_…). A rule of 0 points is off. More of a kind than `…_counted` changes no score, so that
    it need not be counted further."""

    limit: int
    new_account_hours: int
    new_account_points: int
    young_account_days: int
    young_account_points: int
    unverified_points: int
    declined_days: int
    declined_points: int
    declined_max_points: int
    paid_points: int
    paid_max_points: int
    velocity_minutes: int
    velocity_sales: int
    velocity_points: int
    rush_sales: int
    rush_points: int
    new_device_hours: int
    new_device_points: int
    known_device_days: int
    known_device_points: int
    linked_points: int
    linked_max_points: int
    override_max_hours: int

    @property
    def declined_counted(self) -> int:
        return _times(self.declined_points, self.declined_max_points)

    @property
    def paid_counted(self) -> int:
        return _times(self.paid_points, self.paid_max_points)

    @property
    def sales_counted(self) -> int:
        return self.rush_sales + 1

    @property
    def linked_counted(self) -> int:
        return _times(self.linked_points, self.linked_max_points)


class Buyer(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a buyer. `created_at` is None while the account is not known here.

    `declined`: payments declined in the last days; `paid`: payments made ever; `recent_sales`: sales of the last minutes.
    `first_device_at`, `newest_device_at`: when the first and the newest of the account's devices was seen first, None without
    any. `linked`: other accounts that share a device. `accepted_until`: how long an operator accepts the buyer, whatever the score.
    """

    created_at: datetime | None
    email_verified: bool
    closed: bool
    barred: bool
    declined: int
    paid: int
    recent_sales: int
    first_device_at: datetime | None
    newest_device_at: datetime | None
    linked: int
    accepted_until: datetime | None


class Reason(msgspec.Struct, frozen=True):
    """One line of the score: the rule's name, its points (they may be negative), and a sentence for operators."""

    rule: str
    points: int
    detail: str


class Assessment(msgspec.Struct, frozen=True):
    """The score and its reasons. The score is the sum of their points, and never below 0. `advice`: what the buyer reads of a
    refusal."""

    score: int
    reasons: tuple[Reason, ...]
    is_refused: bool = False
    advice: str = ""

    def as_reasons(self) -> list[dict[str, Any]]:
        """The reasons as JSON values."""
        return [msgspec.structs.asdict(reason) for reason in self.reasons]


def assess(buyer: Buyer, policy: Policy, now: datetime) -> Assessment:
    """The score of a sale to `buyer`."""
    rules = (
        _age(buyer, policy, now),
        _email(buyer, policy),
        _closed(buyer),
        _barred(buyer),
        _device(buyer, policy, now),
        _linked(buyer, policy),
        _declined(buyer, policy),
        _paid(buyer, policy),
        _velocity(buyer, policy),
    )
    reasons = tuple(reason for reason in rules if reason is not None and reason.points)
    score = max(0, sum(reason.points for reason in reasons))
    is_refused = score > policy.limit
    if buyer.accepted_until is not None and buyer.accepted_until > now:
        is_refused = False
        until = f"{buyer.accepted_until:%d %b %Y %H:%M} UTC"
        reasons += (Reason("accepted", 0, f"An operator accepts this buyer until {until}."),)
    is_refused = is_refused or any(reason.rule in _NEVER for reason in reasons)
    return Assessment(score, reasons, is_refused, _advice(buyer, policy, reasons, now) if is_refused else "")


def _age(buyer: Buyer, policy: Policy, now: datetime) -> Reason | None:
    if buyer.created_at is None:
        return Reason("account_age", policy.new_account_points, "The account is not known yet.")
    age = now - buyer.created_at
    if _is_new(buyer, policy, now):
        detail = f"The account is less than {_span(policy.new_account_hours)} old."
        return Reason("account_age", policy.new_account_points, detail)
    if age < timedelta(days=policy.young_account_days):
        return Reason("account_age", policy.young_account_points, f"The account is {age.days} days old.")
    return None


def _is_new(buyer: Buyer, policy: Policy, now: datetime) -> bool:
    return buyer.created_at is None or now - buyer.created_at < timedelta(hours=policy.new_account_hours)


def _email(buyer: Buyer, policy: Policy) -> Reason | None:
    if buyer.email_verified:
        return None
    return Reason("email_unverified", policy.unverified_points, "The e-mail address is not verified.")


def _closed(buyer: Buyer) -> Reason | None:
    return Reason("account_closed", CLOSED_POINTS, "The account is closed.") if buyer.closed else None


def _barred(buyer: Buyer) -> Reason | None:
    return Reason("account_barred", BARRED_POINTS, "The account is barred.") if buyer.barred else None


def _device(buyer: Buyer, policy: Policy, now: datetime) -> Reason | None:
    """A new device counts beside an older one: of an account's first device nothing can be said, so it is neutral. Each device of
    the account counts, and not that of the last log-in, because a thief need not be the last one."""
    if buyer.first_device_at is None or buyer.newest_device_at is None:
        return None
    lately = now - timedelta(hours=policy.new_device_hours)
    if buyer.first_device_at <= lately < buyer.newest_device_at:
        detail = f"It signed in from a new device within {_span(policy.new_device_hours)}."
        return Reason("device_new", policy.new_device_points, detail)
    if buyer.newest_device_at <= now - timedelta(days=policy.known_device_days):
        detail = f"It signs in from devices known for {policy.known_device_days} days or more."
        return Reason("device_known", policy.known_device_points, detail)
    return None


def _linked(buyer: Buyer, policy: Policy) -> Reason | None:
    if buyer.linked == 0:
        return None
    points = min(policy.linked_max_points, buyer.linked * policy.linked_points)
    counted = _counted(buyer.linked, policy.linked_counted)
    return Reason("accounts_linked", points, f"Other accounts that share a device: {counted}.")


def _declined(buyer: Buyer, policy: Policy) -> Reason | None:
    if buyer.declined == 0:
        return None
    points = min(policy.declined_max_points, buyer.declined * policy.declined_points)
    counted = _counted(buyer.declined, policy.declined_counted)
    return Reason("payments_declined", points, f"Declined in {policy.declined_days} days: {counted}.")


def _paid(buyer: Buyer, policy: Policy) -> Reason | None:
    if buyer.paid == 0:
        return None
    points = max(policy.paid_max_points, buyer.paid * policy.paid_points)
    return Reason("payments_made", points, f"Paid before: {_counted(buyer.paid, policy.paid_counted)}.")


def _velocity(buyer: Buyer, policy: Policy) -> Reason | None:
    for more_than, points in (
        (policy.rush_sales, policy.rush_points),
        (policy.velocity_sales, policy.velocity_points),
    ):
        if buyer.recent_sales > more_than:
            counted = _counted(buyer.recent_sales, policy.sales_counted)
            return Reason("velocity", points, f"Sales within {policy.velocity_minutes} minutes: {counted}.")
    return None


def _advice(buyer: Buyer, policy: Policy, reasons: tuple[Reason, ...], now: datetime) -> str:
    """What the buyer can do, if that would be enough; else to ask."""
    remedies = {}
    if not buyer.email_verified:
        remedies["email_unverified"] = "verify your e-mail address"
    if _is_new(buyer, policy, now):
        remedies["account_age"] = f"wait until your account is {_span(policy.new_account_hours)} old"
    rest = [reason for reason in reasons if reason.rule not in remedies]
    is_enough = sum(reason.points for reason in rest) <= policy.limit
    if not remedies or not is_enough or any(reason.rule in _NEVER for reason in rest):
        return _ASK
    steps = " and ".join(remedies.values())
    return f"We cannot accept this purchase yet. {steps[0].upper()}{steps[1:]}, then try again, or ask us."


def _span(hours: int) -> str:
    return "a day" if hours == 24 else f"{hours} hours"


def _times(points: int, most: int) -> int:
    """How often `points` count until they are `most`."""
    return -(-most // points) if points else 0


def _counted(number: int, limit: int) -> str:
    return str(number) if number < limit else f"{limit} or more"
