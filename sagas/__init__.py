"""Sagas: how a sale becomes stock, money and an order, or is undone completely.

OWNS the saga log (PostgreSQL "sagas"): a row per sale is the truth, and a Celery chain only carries it. The `engine`
decides, and is pure. `services` moves sagas on and `operators` takes the operators' commands; both write through
`saga_log`. `steps` alone knows the services of other apps.
"""
