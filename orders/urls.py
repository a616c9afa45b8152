"""Paths of orders, relative to /api/v1/."""

urlpatterns: list = []
