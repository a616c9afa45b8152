"""What a notification says in one line, for people: the subject of the e-mail and the text of the feed.

Also the public form of a notification's figures: money as decimal strings.
"""

from collections.abc import Callable
from typing import Any

from auction_project.kernel import money
from notifications import models

_MONEY = frozenset({"price", "minimum", "amount", "next_price"})
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
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


def amounts(figures: dict[str, Any]) -> dict[str, str]:
    """The amounts among `figures` (in public form) with the sign of their currency."""
    return {name: _Figures(figures).money(name) for name in _MONEY & figures.keys()}


class _Figures(dict[str, Any]):
    """Figures by attribute; what is missing reads as nothing, so that an old notification can always be shown."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name, "")

    def money(self, name: str) -> str:
        """An amount with the sign of its currency, or its code where it has none of its own: €1,012.50, CHF 12.50."""
        currency = str(self.get("currency", ""))
        whole, point, decimals = str(self.get(name, "")).partition(".")
        grouped = f"{int(whole):,}" if whole.isdecimal() else whole
        return f"{_SIGNS.get(currency, currency + ' ')}{grouped}{point}{decimals}"


def _missed(figures: Any) -> str:
    """The highest bidder reads by how much the reserve was missed."""
    if not figures.highest:
        return ""
    if not figures.missed_by_percent:
        return ". Your bid was the highest"
    return f": your highest bid missed the reserve by less than {figures.missed_by_percent} %"


def _units(figures: Any) -> str:
    return f"{figures.quantity} × " if figures.quantity not in ("", 1) else ""


_HEADLINES: dict[models.Kind, Callable[[Any], str]] = {
    models.Kind.OUTBID: lambda f: f"You were outbid on “{f.title}”: the price is now {f.money('price')}",
    models.Kind.LEADING: lambda f: f"You're leading on “{f.title}” at {f.money('price')}",
    models.Kind.WON: lambda f: f"You won “{f.title}” for {f.money('price')}",
    models.Kind.NEXT_IN_LINE: lambda f: (
        f"You're next in line for “{f.title}”: if the winner doesn't pay, it is yours for {f.money('next_price')}"
    ),
    models.Kind.LOST: lambda f: f"“{f.title}” went to another bidder for {f.money('price')}",
    models.Kind.NOT_SOLD: lambda f: f"“{f.title}” was not sold{_missed(f)}",
    models.Kind.AUCTION_CANCELLED: lambda f: f"“{f.title}” was cancelled: {reason(f.reason)}",
    models.Kind.ORDER_CONFIRMED: lambda f: f"Your order {f.order_number} for “{f.title}” is confirmed",
    models.Kind.ORDER_CANCELLED: lambda f: f"Your order {f.order_number} was cancelled: {reason(f.reason)}",
    models.Kind.PAYMENT_DECLINED: lambda f: f"The payment for your order {f.order_number} was declined",
    models.Kind.LOT_SOLD: lambda f: f"Sold: {_units(f)}“{f.title}” for {f.money('price')}",
    models.Kind.LOT_UNSOLD: lambda f: (
        f"“{f.title}” was not sold{'; we are listing it again' if f.relisted else ''}"
    ),
    models.Kind.LOW_STOCK: lambda f: f"Low stock: {f.available} of “{f.title}” left",
}
