"""The stock in the admin: products, categories and what a clerk may do with them; the ledger, reservations, warehouses and
offers to read.

Each change is one call of a service. Nothing is deleted. The ledger and a product's corrections say who did what.
"""

from inventory.admin import categories, ledger, offers, products

__all__ = ["categories", "ledger", "offers", "products"]
