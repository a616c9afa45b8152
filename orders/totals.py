"""What a cart or a checkout comes to: its lines, the shipping and the total, in minor units of one currency. Pure.

Each line is rounded by itself, and the total is the sum of what is shown (`line_total`). Shipping follows one rule of the
currency, from the settings (SHIPPING).
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction

import msgspec

from auction_project.kernel import money


class ShippingRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`flat` for the first unit, `each` for every further one, and nothing from a subtotal of `free_from` on (0: never)."""

    flat: int = 0
    each: int = 0
    free_from: int = 0

    def price(self, *, subtotal: int, units: int) -> int:
        """What it costs to ship so many units."""
        if not units or (self.free_from and subtotal >= self.free_from):
            return 0
        return self.flat + self.each * (units - 1)


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    subtotal: int
    shipping: int

    @property
    def total(self) -> int:
        return self.subtotal + self.shipping


def line_total(unit_price: int | Fraction, quantity: int) -> int:
    """The one rule of rounding: a line is rounded by itself, half to the even minor unit, and nothing else is rounded.

    Prices of units are whole minor units, so only a part of a price, such as a percentage, leaves something to round.
    """
    return money.rounded(Fraction(unit_price) * quantity)


def totals(lines: Iterable[tuple[int, int]], rule: ShippingRule) -> Totals:
    """The totals of lines, each (price of the line, units)."""
    lines = list(lines)
    subtotal = sum(price for price, _ in lines)
    units = sum(quantity for _, quantity in lines)
    return Totals(subtotal=subtotal, shipping=rule.price(subtotal=subtotal, units=units))


def shipping_rules(table: Mapping[str, Mapping[str, str]]) -> dict[str, ShippingRule]:
    """The rules of the setting SHIPPING, by currency: decimal strings, as {"EUR": {"flat": "4.90", "free_from": "50.00"}}.

    Raises ValueError, which names the currency and the field.
    """
    if not isinstance(table, Mapping):
        raise ValueError('SHIPPING has a rule for each currency: {"EUR": {"flat": "4.90"}}')
    return {currency: _rule(currency, amounts) for currency, amounts in table.items()}


def _rule(currency: str, amounts: Mapping[str, str]) -> ShippingRule:
    try:
        read = {name: _amount(text, currency) for name, text in amounts.items()}
        return msgspec.convert(read, ShippingRule)
    except (money.AmountInvalid, money.CurrencyUnknown, msgspec.ValidationError, AttributeError) as error:
        raise ValueError(f"SHIPPING, {currency}: {error}") from error


def _amount(text: str, currency: str) -> int:
    is_nothing = isinstance(text, str) and text.strip("0.") == "" and text != ""
    return 0 if is_nothing else money.parse(text, currency)
