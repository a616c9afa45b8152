"""The status of an order: it follows from the kinds of the order's facts, and from nothing else. Pure.

An order of several sellers has several parts, each with a shipment of its own; it is SHIPPED, and then DELIVERED, when its last
part is. It is RETURNED when the last unit is back, and REFUNDED when the last of its money is.
"""

from collections.abc import Collection

# The last that applies, first: a cancelled order has given its money back, too.
ORDER = ("CANCELLED", "REFUNDED", "RETURNED", "DELIVERED", "SHIPPED", "CONFIRMED", "PLACED")
SOLD = frozenset({"CONFIRMED", "SHIPPED", "DELIVERED", "RETURNED"})  # the house keeps money for it


def of(kinds: Collection[str]) -> str:
    """The status of an order with facts of these kinds; one without facts is PLACED, because its first is on its way."""
    return next((kind for kind in ORDER if kind in kinds), "PLACED")
