"""Orders, payments, risk and cards: what a buyer owes, what was paid, and what became of it.

Owns the PostgreSQL database "orders" and the simulated payment provider (`orders.bank`, a process of its own with a
file of its own). Knows of other apps only their ids and events.
"""
