"""The Django app of orders."""

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from orders import totals


class OrdersConfig(AppConfig):
    name = "orders"
    verbose_name = "Orders and payments"

    def ready(self) -> None:
        """Refuse settings that the shop cannot follow. Raises ImproperlyConfigured."""
        if settings.CHECKOUT_MINUTES < 1:
            raise ImproperlyConfigured("CHECKOUT_MINUTES is 1 at least: see its line in .env.example.")
        if settings.RETURN_DAYS < 0:
            raise ImproperlyConfigured("RETURN_DAYS is 0 at least: see its line in .env.example.")
        if settings.RETURN_DECIDE_DAYS < 1:
            raise ImproperlyConfigured("RETURN_DECIDE_DAYS is 1 at least: see its line in .env.example.")
        try:
            totals.shipping_rules(settings.SHIPPING)
        except ValueError as error:
            raise ImproperlyConfigured(str(error)) from error
