"""What can be done with carts, checkouts, orders, payments, risk and cards. Each change and its events are one transaction.

What may come twice takes a `key` and happens once; a repeat gets the stored result or the stored refusal (see
`kernel.messaging.steps`). An undoing takes the key of what it undoes: it takes the effect back once, or makes sure that
there never is one. Amounts are whole minor units of an ISO 4217 currency, instants are aware datetimes.
"""

from orders.services.accounts import record_account
from orders.services.addresses import MAX_ADDRESSES, add_address, change_address, remove_address
from orders.services.awards import lapse_awards, record_awards
from orders.services.cards import remove_card, set_card
from orders.services.carts import Wanted, put_cart_line, remove_cart_line, take_over_cart
from orders.services.checkouts import (
    abandon_checkout,
    pay_checkout,
    record_failed,
    record_offers,
    record_refused,
    record_reserved,
    record_settled,
    start_checkout,
)
from orders.services.fulfilment import Actor, deliver_order, ship_order
from orders.services.orders import CancellationResult, OrderResult, cancel_order, confirm_order, place_order
from orders.services.payment_transactions import PaymentResult
from orders.services.payments import RefundResult, capture_payment, refund_payment, resolve_payment
from orders.services.refunds import cancel_paid_order, refund_order, send_refunds
from orders.services.requests import CancelRequest, OrderRequest, SaleRequest
from orders.services.return_requests import (
    Units,
    decide_return,
    escalate_returns,
    request_return,
    withdraw_return,
)
from orders.services.returns import ReturnedLine, return_units
from orders.services.risk import accept_buyer, assess_risk, end_acceptance, record_device

__all__ = [
    "MAX_ADDRESSES",
    "Actor",
    "CancelRequest",
    "CancellationResult",
    "OrderRequest",
    "OrderResult",
    "PaymentResult",
    "RefundResult",
    "ReturnedLine",
    "SaleRequest",
    "Units",
    "Wanted",
    "abandon_checkout",
    "accept_buyer",
    "add_address",
    "assess_risk",
    "cancel_order",
    "cancel_paid_order",
    "capture_payment",
    "change_address",
    "confirm_order",
    "decide_return",
    "deliver_order",
    "end_acceptance",
    "escalate_returns",
    "lapse_awards",
    "pay_checkout",
    "place_order",
    "put_cart_line",
    "record_account",
    "record_awards",
    "record_device",
    "record_failed",
    "record_offers",
    "record_refused",
    "record_reserved",
    "record_settled",
    "refund_order",
    "refund_payment",
    "remove_address",
    "remove_card",
    "remove_cart_line",
    "request_return",
    "resolve_payment",
    "return_units",
    "send_refunds",
    "set_card",
    "ship_order",
    "start_checkout",
    "take_over_cart",
    "withdraw_return",
]
