"""Which warehouse gives how much: by priority, the first as much as it has. Pure."""

from collections.abc import Iterable


def take(quantity: int, offers: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Up to `quantity` units from `offers` (warehouse, units) in their order; less when there is less."""
    taken: dict[str, int] = {}
    for warehouse, units in offers:
        if share := min(quantity, units):
            taken[warehouse] = share
            quantity -= share
    return taken
