"""How many units of each product are wanted, and which warehouse gives how many: by priority, the first as many as it has. Pure."""

from collections.abc import Iterable

from auction_project.kernel.contracts import events


def demand_of(units: Iterable[events.Units]) -> dict[str, int]:
    """The units by product, in order; several lines of one product are summed."""
    demand: dict[str, int] = {}
    for line in units:
        demand[line.product_id] = demand.get(line.product_id, 0) + line.quantity
    return demand


def take(quantity: int, offers: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Up to `quantity` units from `offers` (warehouse, units) in their order; less when there is less."""
    taken: dict[str, int] = {}
    for warehouse, units in offers:
        if share := min(quantity, units):
            taken[warehouse] = share
            quantity -= share
    return taken
