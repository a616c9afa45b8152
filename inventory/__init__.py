"""OWNS products, warehouses, the stock ledger and reservations (PostgreSQL "inventory"), and the stock in the admin.

Knows auctions and sales by their ids only; meets the other apps in events and through `inventory.services`.
"""
