"""The simulated payment provider: a small HTTP process with a file of its own, started by `manage.py bank`.

Stands where a real provider would: nothing of it is imported by the rest of Gavel, which meets it over HTTP only
(`orders.bank_client`). Imports the standard library alone.

    store    what happened to each payment, in SQLite, durable before it is answered; the switch of each card
    server   HTTP: the key, the routes, and how a card that times out does not answer
"""
