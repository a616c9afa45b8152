"""Amounts of money: decimal strings, as clients send and get them, to integer minor units and back. Never a float.

Source of the exponents: ISO 4217.
"""

import re

from auction_project.kernel import errors

EXPONENTS = {"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "SEK": 2, "DKK": 2, "NOK": 2, "PLN": 2, "JPY": 0}
MAX_MINOR_UNITS = 10**11
AMOUNT_FORM = r"(0|[1-9][0-9]{0,14})(?:\.([0-9]{1,6}))?"
_AMOUNT = re.compile(AMOUNT_FORM, re.ASCII)


class AmountInvalid(errors.Invalid):
    """An amount is a positive decimal string such as "125.50"."""


class CurrencyUnknown(errors.Invalid):
    """The currency is not one that Gavel trades in."""


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


def grouped(minor: int, currency: str) -> str:
    """The amount for people who read sums: "1,240,909.14 EUR"."""
    whole, point, decimals = format(abs(minor), currency).partition(".")
    return f"{'-' if minor < 0 else ''}{int(whole):,}{point}{decimals} {currency}"
