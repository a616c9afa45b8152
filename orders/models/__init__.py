"""What the database "orders" holds, and which changes of it are possible at all.

Orders, their lines, facts, journal entries, postings, assessments and overrides are written once: triggers refuse UPDATE and DELETE
(see migration 0002), as they do for shipments, deliveries and returns. What happens to an order is a fact of its own; an order is
shipped or cancelled, never both. A payment is a state machine: `TRANSITIONS` is all that may happen to it, each move leaves a
fact, and a final state stays.

Amounts are whole minor units of an ISO 4217 currency. Each app has ids of the others' rows, and no foreign keys to
them.
"""

from orders.models.addresses import Address
from orders.models.awards import Award, AwardState
from orders.models.cards import Card
from orders.models.carts import MAX_LINES, CartLine
from orders.models.checkouts import (
    EXPIRED,
    PAY_MARGIN,
    RUNNING,
    Checkout,
    CheckoutLine,
    CheckoutSale,
    CheckoutState,
)
from orders.models.database import DATABASE, Once, Outbox
from orders.models.desk import DeskHour, DeskLot, DeskProduct, DeskProductDay, DeskRefund, DeskSale, Measure
from orders.models.fulfilment import (
    MAX_CARRIER_CHARACTERS,
    MAX_REASON_CHARACTERS,
    Delivery,
    OrderAddress,
    Return,
    ReturnLine,
    Shipment,
)
from orders.models.ledger import JournalEntry, Posting
from orders.models.offers import Offer
from orders.models.orders import Order, OrderFact, OrderLine
from orders.models.payments import IN_MOTION, TRANSITIONS, Payment, PaymentFact, PaymentState
from orders.models.refunds import Refund, RefundState
from orders.models.return_requests import ReturnRequest, ReturnRequestFact, ReturnRequestLine, ReturnState
from orders.models.risk import Account, Device, RiskAssessment, RiskOverride

__all__ = [
    "DATABASE",
    "EXPIRED",
    "IN_MOTION",
    "MAX_CARRIER_CHARACTERS",
    "MAX_LINES",
    "MAX_REASON_CHARACTERS",
    "PAY_MARGIN",
    "RUNNING",
    "TRANSITIONS",
    "Account",
    "Address",
    "Award",
    "AwardState",
    "Card",
    "CartLine",
    "Checkout",
    "CheckoutLine",
    "CheckoutSale",
    "CheckoutState",
    "Delivery",
    "DeskHour",
    "DeskLot",
    "DeskProduct",
    "DeskProductDay",
    "DeskRefund",
    "DeskSale",
    "Device",
    "JournalEntry",
    "Measure",
    "Offer",
    "Once",
    "Order",
    "OrderAddress",
    "OrderFact",
    "OrderLine",
    "Outbox",
    "Payment",
    "PaymentFact",
    "PaymentState",
    "Posting",
    "Refund",
    "RefundState",
    "Return",
    "ReturnLine",
    "ReturnRequest",
    "ReturnRequestFact",
    "ReturnRequestLine",
    "ReturnState",
    "RiskAssessment",
    "RiskOverride",
    "Shipment",
]
