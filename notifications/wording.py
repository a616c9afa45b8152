"""Figures for people: amounts with the sign of their currency, times of the house, and the public form of a notification's
figures: money as decimal strings."""

from typing import Any

from django.utils import timezone

from auction_project.kernel import instants, money

_MONEY = frozenset({"price", "minimum", "amount", "next_price", "refunded", "refunded_total"})


def public(figures: dict[str, Any]) -> dict[str, Any]:
    """`figures` as they leave the service: money in minor units becomes a decimal string of its currency.

    Raises KeyError for a currency that Gavel does not know.
    """
    currency = figures.get("currency")
    if currency is None:
        return dict(figures)
    return {
        name: money.format(value, currency) if name in _MONEY else value for name, value in figures.items()
    }


def amounts(figures: dict[str, Any]) -> dict[str, str]:
    """The amounts among `figures` (in public form) with the sign of their currency."""
    return {name: Figures(figures).money(name) for name in _MONEY & figures.keys()}


class Figures(dict[str, Any]):
    """Figures by attribute; a missing one reads as nothing, so that an old notification can always be shown."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name, "")

    def money(self, name: str) -> str:
        """An amount with the sign of its currency, or its code where the currency has no sign: €1,012.50, CHF 12.50."""
        return money.with_sign(str(self.get(name, "")), str(self.get("currency", "")))

    def day_and_time(self, name: str) -> str:
        """An instant that may be days away: 3 December, 14:35 UTC."""
        return f"{timezone.localtime(instants.moment(int(self.get(name, 0)))):%-d %B, %H:%M %Z}"

    def time(self, name: str) -> str:
        """An instant as the clock of the house shows it: 14:35 UTC."""
        return f"{timezone.localtime(instants.moment(int(self.get(name, 0)))):%H:%M %Z}"
