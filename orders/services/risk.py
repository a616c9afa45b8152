"""Scores a sale by what is known of its buyer, and stores the score."""

from datetime import datetime

from auction_project.kernel.messaging import steps
from orders import exceptions, models, risk

_STEPS = steps.Steps(models.Once, [exceptions.RiskRefused])


def assess_risk(
    *, key: str, user_id: str, order_number: str, amount: int, currency: str, now: datetime
) -> risk.Assessment:
    """Score the sale and store the score with its reasons, those of a refused sale, too; the score and its reasons.

    `amount` is in minor units of `currency`. Raises RiskRefused, steps.Voided.
    """

    def effect() -> risk.Assessment | exceptions.RiskRefused:
        assessment = risk.assess(_buyer(user_id, now=now), now)
        models.RiskAssessment.objects.create(
            order_number=order_number,
            user_id=user_id,
            amount=amount,
            currency=currency,
            policy=risk.POLICY_VERSION,
            score=assessment.score,
            reasons=assessment.as_reasons(),
            refused=assessment.is_refused,
            at=now,
        )
        return exceptions.RiskRefused() if assessment.is_refused else assessment

    return _STEPS.perform(key, effect, risk.Assessment, now=now)


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
