"""What a notification says in one line, for people: the subject of the e-mail and the text of the feed.

Also the public form of a notification's figures: money as decimal strings.
"""

from collections.abc import Callable
from typing import Any

from auction_project import money
from notifications import models

_MONEY = frozenset({"price", "minimum", "amount"})
_REASONS = {
    "stock_refused": "the item is no longer in stock",
    "risk_refused": "our risk check did not pass",
    "payment_refused": "the payment was refused",
    "step_failed": "something went wrong on our side",
    "operator": "an operator cancelled it",
}


def public(figures: dict[str, Any]) -> dict[str, Any]:
    """`figures` as they leave the service: money in minor units becomes a decimal string of its currency."""
    currency = figures.get("currency")
    if currency is None:
        return dict(figures)
    return {
        name: money.format(value, currency) if name in _MONEY else value for name, value in figures.items()
    }


def reason(code: str) -> str:
    """The reason in words; a text that is no code of ours stays as it is."""
    return _REASONS.get(code, code)


def headline(kind: str, figures: dict[str, Any]) -> str:
    """One line about a notification; `figures` in public form. Never raises: a missing figure is left out."""
    return " ".join(_HEADLINES[models.Kind(kind)](_Figures(figures)).split())


class _Figures(dict[str, Any]):
    """Figures by attribute; what is missing reads as nothing, so that an old notification can always be shown."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name, "")


_HEADLINES: dict[models.Kind, Callable[[Any], str]] = {
    models.Kind.OUTBID: lambda f: f"You were outbid on “{f.title}”: the price is now {f.price} {f.currency}",
    models.Kind.LEADING: lambda f: f"You lead on “{f.title}” at {f.price} {f.currency}",
    models.Kind.WON: lambda f: f"You won “{f.title}” for {f.price} {f.currency}",
    models.Kind.LOST: lambda f: f"“{f.title}” went to another bidder for {f.price} {f.currency}",
    models.Kind.AUCTION_CANCELLED: lambda f: f"The auction of “{f.title}” was cancelled",
    models.Kind.ORDER_CONFIRMED: lambda f: f"Your order {f.order_number} for “{f.title}” is confirmed",
    models.Kind.ORDER_CANCELLED: lambda f: f"Your order {f.order_number} was cancelled: {reason(f.reason)}",
    models.Kind.PAYMENT_DECLINED: lambda f: f"The payment for your order {f.order_number} was declined",
    models.Kind.LOW_STOCK: lambda f: f"Low stock: {f.available} of “{f.title}” left",
}
