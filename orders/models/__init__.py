"""What the database "orders" holds, and which changes of it are possible at all.

Orders, facts, journal entries, postings and assessments are written once: triggers refuse UPDATE and DELETE (see
migration 0002). What happens to an order is a fact of its own; an order is confirmed or cancelled, never both. A
payment is a state machine: `TRANSITIONS` is all that may happen to it, each move leaves a fact, and a final state
stays.

Amounts are whole minor units of an ISO 4217 currency. Each app has ids of the others' rows, and no foreign keys to
them.
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
