"""The stock in the admin: products and what a clerk may do with them; the ledger, reservations and warehouses to read.

Each change is one call of a service. Nothing is deleted. The ledger and a product's corrections say who did what.
"""

from inventory.admin import ledger, products

__all__ = ["ledger", "products"]
