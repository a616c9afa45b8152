"""The increment table: by how much the next bid must exceed the price. The terms of an auction pin its version.

Figures are minor units in every currency: the row for 1.00 euro is also that for 100 yen.
Source: eBay's public help page on bid increments.
"""

from bisect import bisect_right

# price below … -> increment; the last increment is for everything above
TABLES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "v1": (
        (1_00, 5_00, 25_00, 100_00, 250_00, 500_00, 1_000_00, 2_500_00, 5_000_00),
        (5, 25, 50, 1_00, 2_50, 5_00, 10_00, 25_00, 50_00, 100_00),
    )
}
CURRENT = "v1"


def increment(amount: int, *, table: str = CURRENT) -> int:
    """The increment at `amount`; both are minor units."""
    bounds, steps = TABLES[table]
    return steps[bisect_right(bounds, amount)]


def minimum_above(price: int, *, table: str = CURRENT) -> int:
    """The least next bid at `price`; both are minor units."""
    return price + increment(price, table=table)


def contested(*, winner: int, loser: int, table: str = CURRENT) -> int:
    """The visible price when a maximum of `winner` meets one of `loser` (<= winner); all are minor units."""
    return min(winner, loser + increment(loser, table=table))
