"""Scores a sale by what is known of its buyer, and stores the score."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from auction_project.kernel.messaging import steps
from orders import exceptions, models, risk, selectors
from orders.services.requests import SaleRequest

_STEPS = steps.Steps(models.Once, [exceptions.RiskRefused])


def assess_risk(requests: Sequence[SaleRequest], *, now: datetime) -> list[risk.Assessment | Exception]:
    """Score the sales and store the scores with their reasons, those of refused sales, too; the score and its reasons of
    each.

    Outcomes: RiskRefused, steps.Voided.
    """
    return _STEPS.perform(requests, lambda members: _assess(members, now), risk.Assessment, now=now)


def _assess(members: Sequence[SaleRequest], now: datetime) -> list[risk.Assessment | exceptions.RiskRefused]:
    """Score each sale by what is known of its buyer, the sales before it in the group included."""
    models.RiskAssessment.lock_buyers(member.user_id for member in members)
    buyers = selectors.risk_of_buyers({member.user_id for member in members}, now=now)
    assessments = []
    for member in members:
        buyer = buyers[member.user_id]
        assessments.append(risk.assess(buyer, now))
        buyers[member.user_id] = msgspec.structs.replace(buyer, recent_sales=buyer.recent_sales + 1)
    models.RiskAssessment.objects.bulk_create(
        models.RiskAssessment(
            order_number=member.order_number,
            user_id=member.user_id,
            amount=member.amount,
            currency=member.currency,
            policy=risk.POLICY_VERSION,
            score=assessment.score,
            reasons=assessment.as_reasons(),
            refused=assessment.is_refused,
            at=now,
        )
        for member, assessment in zip(members, assessments, strict=True)
    )
    return [exceptions.RiskRefused() if each.is_refused else each for each in assessments]
