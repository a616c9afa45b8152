"""Shared by the REST views and the bare ASGI applications of all apps: problems, answers, bodies, pages, budgets,
addresses.
"""
