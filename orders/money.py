"""Money at the edges: integer minor units and an ISO 4217 currency become a decimal string, and nothing else."""

MINOR_DIGITS = {
    "JPY": 0,
    "KRW": 0,
    "ISK": 0,
    "CLP": 0,
    "VND": 0,
    "BHD": 3,
    "JOD": 3,
    "KWD": 3,
    "OMR": 3,
    "TND": 3,
}
DEFAULT_MINOR_DIGITS = 2


def text(amount: int, currency: str) -> str:
    """`text(12550, "EUR") == "125.50"`."""
    digits = MINOR_DIGITS.get(currency, DEFAULT_MINOR_DIGITS)
    if digits == 0:
        return str(amount)
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), 10**digits)
    return f"{sign}{whole}.{rest:0{digits}d}"
