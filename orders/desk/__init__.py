"""The owner's desk: figures of the business for operators, from a read model that events fill (`orders/models/desk.py`).

It reads no table of another app, and of orders' own tables only to rebuild and to check itself. It does not read `auction.log`: that
topic has every bid, and a lot's beginning and end are in `auction.lots`.
"""
