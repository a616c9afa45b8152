"""What can be done with orders, payments, risk and cards. Each change and its events are one transaction.

What may come twice takes a `key` and happens once; a repeat gets the stored result or the stored refusal (see
`kernel.messaging.steps`). An undoing takes the key of what it undoes: it takes the effect back once, or makes sure that
there never is one. Amounts are whole minor units of an ISO 4217 currency, instants are aware datetimes.
"""

from orders.services.accounts import record_account
from orders.services.cards import remove_card, set_card
from orders.services.orders import CancellationResult, OrderResult, cancel_order, confirm_order, place_order
from orders.services.payment_transactions import PaymentResult
from orders.services.payments import RefundResult, capture_payment, refund_payment, resolve_payment
from orders.services.requests import CancelRequest, OrderRequest, SaleRequest
from orders.services.risk import assess_risk

__all__ = [
    "CancelRequest",
    "CancellationResult",
    "OrderRequest",
    "OrderResult",
    "PaymentResult",
    "RefundResult",
    "SaleRequest",
    "assess_risk",
    "cancel_order",
    "capture_payment",
    "confirm_order",
    "place_order",
    "record_account",
    "refund_payment",
    "remove_card",
    "resolve_payment",
    "set_card",
]
