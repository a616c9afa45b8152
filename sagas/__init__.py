"""Sagas: how a sale becomes stock, money and an order, or is undone completely.

OWNS the saga log (PostgreSQL "sagas"): a row per sale is the truth, a Celery chain only carries it. The engine decides
(pure), `steps` alone knows whose services do the work, `services` keeps the log.
"""
