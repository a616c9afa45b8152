"""Amounts of money: decimal strings, as clients send and get them, to integer minor units and back. Never a float.

Source of the exponents: ISO 4217.
"""

import re
from fractions import Fraction

from auction_project.kernel import errors

EXPONENTS = {"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "SEK": 2, "DKK": 2, "NOK": 2, "PLN": 2, "JPY": 0}
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
MAX_MINOR_UNITS = 10**11
# The least that a payment may be, in minor units: providers refuse less.
MINIMUM_CHARGE = {
    "EUR": 50, "USD": 50, "GBP": 30, "CHF": 50, "SEK": 300, "DKK": 250, "NOK": 300, "PLN": 200, "JPY": 50,
}  # fmt: skip
AMOUNT_FORM = r"(0|[1-9][0-9]{0,14})(?:\.([0-9]{1,6}))?"
_AMOUNT = re.compile(AMOUNT_FORM, re.ASCII)


class AmountInvalid(errors.Invalid):
    """An amount is a positive decimal string such as "125.50"."""


class CurrencyUnknown(errors.Invalid):
    """The currency is not one that Gavel trades in."""


class CurrencyMissing(errors.Invalid):
    """A price is in a currency: name it, too."""


def parse(text: object, currency: object, *, field: str = "amount") -> int:
    """The minor units of `text` in `currency`: 1 to MAX_MINOR_UNITS. `field` is what an error names.

    Raises AmountInvalid, CurrencyUnknown.
    """
    if not isinstance(currency, str) or currency not in EXPONENTS:
        raise CurrencyUnknown(field="currency", allowed=sorted(EXPONENTS))
    match = _AMOUNT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise AmountInvalid(field=field)
    exponent = EXPONENTS[currency]
    fraction = match[2] or ""
    if len(fraction) > exponent:
        raise AmountInvalid(f"{currency} has {exponent} decimals.", field=field, decimals=exponent)
    minor = int(match[1]) * 10**exponent + int(fraction.ljust(exponent, "0") or "0")
    if not 0 < minor <= MAX_MINOR_UNITS:
        maximum = format(MAX_MINOR_UNITS, currency)
        raise AmountInvalid(
            f"An amount is above 0 and at most {maximum} {currency}.", field=field, maximum=maximum
        )
    return minor


def format(minor: int, currency: str) -> str:
    """The decimal string of `minor` units, with all decimals of the currency."""
    exponent = EXPONENTS[currency]
    if exponent == 0:
        return str(minor)
    sign, digits = ("-", -minor) if minor < 0 else ("", minor)
    return f"{sign}{digits // 10**exponent}.{digits % 10**exponent:0{exponent}d}"


def rounded(exact: Fraction) -> int:
    """The whole minor units nearest to `exact`; half of one goes to the even one, so that sums of many do not drift."""
    return round(exact)


def shown(minor: int, currency: str) -> str:
    """The amount as every page and e-mail writes it: "€1,240,909.14", "CHF 12.50"."""
    return ("-" if minor < 0 else "") + with_sign(format(abs(minor), currency), currency)


def with_sign(amount: str, currency: str) -> str:
    """A decimal string, grouped, after the sign of its currency, or after its code where it has no sign."""
    whole, point, decimals = amount.partition(".")
    grouped = f"{int(whole):,}" if whole.isdecimal() else whole
    return f"{_SIGNS.get(currency, currency + ' ')}{grouped}{point}{decimals}"
