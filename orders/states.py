"""The states of a payment and every move between them. A state without moves is final."""

from django.db import models


class PaymentState(models.TextChoices):
    """STARTED: the capture may have been sent. CANCELLING: it is being undone at the provider, and is not sent again."""

    STARTED = "STARTED"
    CANCELLING = "CANCELLING"
    CAPTURED = "CAPTURED"
    DECLINED = "DECLINED"
    CANCELLED = "CANCELLED"
    REFUNDING = "REFUNDING"
    REFUNDED = "REFUNDED"


TRANSITIONS: dict[str, frozenset[str]] = {
    PaymentState.STARTED: frozenset(
        {PaymentState.CAPTURED, PaymentState.DECLINED, PaymentState.CANCELLED, PaymentState.CANCELLING}
    ),
    PaymentState.CANCELLING: frozenset(
        {PaymentState.CAPTURED, PaymentState.DECLINED, PaymentState.CANCELLED}
    ),
    PaymentState.CAPTURED: frozenset({PaymentState.REFUNDING}),
    PaymentState.REFUNDING: frozenset({PaymentState.REFUNDED}),
    PaymentState.DECLINED: frozenset(),
    PaymentState.CANCELLED: frozenset(),
    PaymentState.REFUNDED: frozenset(),
}
IN_MOTION = (PaymentState.STARTED, PaymentState.CANCELLING, PaymentState.REFUNDING)
