"""The admin of awards, carts, checkouts, orders, payments, accounting entries and risk. Everything is read-only; actions ship, deliver,
cancel, refund and take back orders, settle payments, and accept buyers despite the score, through the services.

Nothing is added, edited or deleted here. The view permissions of a user's groups decide what the user sees.
"""

from orders.admin import awards, carts, orders, payments, risk

__all__ = ["awards", "carts", "orders", "payments", "risk"]
