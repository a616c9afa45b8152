"""Scores a sale by what is known of its buyer, and stores the score. Operators accept a buyer despite the score, for a time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from django.conf import settings
from django.db import transaction

from auction_project.kernel import logs, writes
from auction_project.kernel.messaging import steps
from orders import exceptions, models, risk, selectors
from orders.services.requests import SaleRequest

log = logs.get(__name__)
_STEPS = steps.Steps(models.Once, [exceptions.RiskRefused])


def assess_risk(requests: Sequence[SaleRequest], *, now: datetime) -> list[risk.Assessment | Exception]:
    """Score the sales and store the scores with their reasons, those of refused sales, too; the score and its reasons of
    each.

    Outcomes: RiskRefused, steps.Voided.
    """
    return _STEPS.perform(requests, lambda members: _assess(members, now), risk.Assessment, now=now)


def record_device(*, user_id: str, device: str, first_seen_at: datetime, last_seen_at: datetime) -> None:
    """Store that the account signed in from the device."""
    with transaction.atomic(using=models.DATABASE):
        models.Device.see(
            models.Device(
                user_id=user_id, device=device, first_seen_at=first_seen_at, last_seen_at=last_seen_at
            )
        )


def accept_buyer(*, user_id: str, hours: int, reason: str, actor: str, now: datetime) -> models.RiskOverride:
    """Accept the sales of the buyer for `hours` from now on, whatever their score. A closed or barred account stays refused.

    Raises OwnRisk, ReasonMissing, HoursOutOfRange.
    """
    most = _policy().override_max_hours
    if not 1 <= hours <= most:
        raise exceptions.HoursOutOfRange(f"This takes 1 to {most} hours.", field="hours", maximum=most)
    return _override(user_id, timedelta(hours=hours), reason, actor, now)


def end_acceptance(*, user_id: str, reason: str, actor: str, now: datetime) -> models.RiskOverride:
    """From now on, the score of the buyer decides again. Raises OwnRisk, ReasonMissing, NotAccepted."""
    with transaction.atomic(using=models.DATABASE):
        models.RiskAssessment.lock_buyers([user_id])
        if models.RiskOverride.in_force(user_id, now=now) is None:
            raise exceptions.NotAccepted
        return _override(user_id, timedelta(), reason, actor, now)


def _override(user_id: str, span: timedelta, reason: str, actor: str, now: datetime) -> models.RiskOverride:
    if actor == user_id:
        raise exceptions.OwnRisk
    if not reason.strip():
        raise exceptions.ReasonMissing(field="reason")
    with transaction.atomic(using=models.DATABASE):
        row = models.RiskOverride.objects.create(
            user_id=user_id, actor=actor, reason=reason.strip(), at=now, until=now + span
        )
    log.info("risk_overridden", user_id=user_id, actor=actor, until=row.until.isoformat())
    return row


def _policy() -> risk.Policy:
    return risk.Policy(**settings.RISK)


def _assess(members: Sequence[SaleRequest], now: datetime) -> list[risk.Assessment | exceptions.RiskRefused]:
    """Score each sale by what is known of its buyer, the sales before it in the group included."""
    models.RiskAssessment.lock_buyers(member.user_id for member in members)
    policy = _policy()
    buyers = selectors.risk_of_buyers({member.user_id for member in members}, policy, now=now)
    assessments = []
    for member in members:
        buyer = buyers[member.user_id]
        assessments.append(risk.assess(buyer, policy, now))
        buyers[member.user_id] = msgspec.structs.replace(buyer, recent_sales=buyer.recent_sales + 1)
    writes.insert(
        models.RiskAssessment,
        [
            models.RiskAssessment(
                order_number=member.order_number,
                user_id=member.user_id,
                amount=member.amount,
                currency=member.currency,
                policy=risk.POLICY_VERSION,
                score=assessment.score,
                limit=policy.limit,
                reasons=assessment.as_reasons(),
                refused=assessment.is_refused,
                at=now,
            )
            for member, assessment in zip(members, assessments, strict=True)
        ],
    )
    return [exceptions.RiskRefused(each.advice) if each.is_refused else each for each in assessments]
