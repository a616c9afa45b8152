"""What the database "orders" holds, and which changes of it are possible at all.

Orders, facts, journal entries, postings and assessments are written once: triggers refuse UPDATE and DELETE (see
migration 0002). What becomes of an order is a fact of its own; an order is confirmed XOR cancelled. A payment is a state
machine: `TRANSITIONS` is all that may happen to it, each step leaves a fact, and a final state stays.
"""

from orders.models.cards import Card
from orders.models.database import DATABASE, Once, Outbox
from orders.models.ledger import JournalEntry, Posting
from orders.models.orders import Order, OrderFact
from orders.models.payments import IN_MOTION, TRANSITIONS, Payment, PaymentFact, PaymentState
from orders.models.risk import Account, RiskAssessment

__all__ = [
    "DATABASE",
    "IN_MOTION",
    "TRANSITIONS",
    "Account",
    "Card",
    "JournalEntry",
    "Once",
    "Order",
    "OrderFact",
    "Outbox",
    "Payment",
    "PaymentFact",
    "PaymentState",
    "Posting",
    "RiskAssessment",
]
