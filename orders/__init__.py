"""Orders, payments, risk: what a buyer owes, what was paid, and what became of it.

Owns the PostgreSQL database "orders" and the simulated payment provider (`orders.bank`, a process of its own with a
file of its own). Knows other apps by their ids and events only.
"""
