"""Scores a sale by what is known of its buyer, and stores the score."""

from collections.abc import Sequence
from datetime import datetime

from auction_project.kernel.messaging import steps
from orders import exceptions, models, risk
from orders.services.requests import SaleRequest

_STEPS = steps.Steps(models.Once, [exceptions.RiskRefused])


def assess_risk(requests: Sequence[SaleRequest], *, now: datetime) -> list[risk.Assessment | Exception]:
    """Score the sales and store the scores with their reasons, those of refused sales, too; the score and its reasons of
    each.

    Outcomes: RiskRefused, steps.Voided.
    """
    return _STEPS.perform(
        requests, lambda members: [_assess(member, now) for member in members], risk.Assessment, now=now
    )


def _assess(request: SaleRequest, now: datetime) -> risk.Assessment | exceptions.RiskRefused:
    assessment = risk.assess(_buyer(request.user_id, now=now), now)
    models.RiskAssessment.objects.create(
        order_number=request.order_number,
        user_id=request.user_id,
        amount=request.amount,
        currency=request.currency,
        policy=risk.POLICY_VERSION,
        score=assessment.score,
        reasons=assessment.as_reasons(),
        refused=assessment.is_refused,
        at=now,
    )
    return exceptions.RiskRefused() if assessment.is_refused else assessment


def _buyer(user_id: str, *, now: datetime) -> risk.Buyer:
    """What is known of a buyer, counted no further than the rules look. Sales of the same buyer wait for each other."""
    recent = models.RiskAssessment.lock_and_count_recent(
        user_id, now=now, window=risk.VELOCITY_WINDOW, most=risk.SALES_COUNTED
    )
    account = models.Account.objects.filter(user_id=user_id).first()
    paid = models.Payment.objects.filter(user_id=user_id, state=models.PaymentState.CAPTURED)
    declined = models.Payment.objects.filter(
        user_id=user_id, state=models.PaymentState.DECLINED, started_at__gt=now - risk.DECLINED_WINDOW
    )
    return risk.Buyer(
        created_at=account.created_at if account else None,
        email_verified=account.email_verified if account else False,
        closed=account.closed if account else False,
        declined=declined[: risk.DECLINED_COUNTED].count(),
        paid=paid[: risk.PAID_COUNTED].count(),
        recent_sales=recent,
    )
