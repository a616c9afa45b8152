"""The simulated payment provider: a small HTTP process with a file of its own, started by `manage.py bank`.

It takes the place of a real provider: the rest of Gavel calls it over HTTP only (`orders.bank_client`) and imports nothing
of it. It imports the standard library alone.

    store    what happened to each payment, in SQLite, durable before it is answered; the behaviour of each card
    server   HTTP: the API key, the routes, and captures that are never answered
"""
