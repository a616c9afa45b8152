"""What a posting of the double-entry ledger is made of: places, legs, causes, figures. Writing is done by `books`."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from inventory import models


class Place(msgspec.Struct, frozen=True):
    """Where units are: a location, and a warehouse for the states on hand."""

    location: models.Location
    warehouse: str | None = None


PlaceIn = Callable[[str], Place]  # a state on hand, in the warehouse that it gets
SUPPLIER = Place(models.Location.SUPPLIER)
CUSTOMER = Place(models.Location.CUSTOMER)
LOSS = Place(models.Location.LOSS)


class Leg(msgspec.Struct, frozen=True):
    """One move to be: `quantity` units from `source` to `destination`."""

    quantity: int
    source: Place
    destination: Place


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why a posting happens, and by whom. `sale_id`: the sale for which it reserves units."""

    kind: models.MoveKind
    reference: str
    actor: str
    now: datetime
    reason: str = ""
    sale_id: str | None = None


class Figures(msgspec.Struct, frozen=True):
    """A product's units over all warehouses."""

    available: int
    reserved: int
    committed: int
    set_aside: int

    @property
    def on_hand(self) -> int:
        return self.available + self.reserved + self.committed + self.set_aside

    @property
    def is_depleted(self) -> bool:
        """Nothing to sell, and nothing that may still come back from a buyer who has not paid."""
        return self.available + self.reserved == 0

    def as_dict(self) -> dict[str, int]:
        return {"on_hand": self.on_hand, **msgspec.structs.asdict(self)}


def available_in(warehouse: str) -> Place:
    return Place(models.Location.AVAILABLE, warehouse)


def reserved_in(warehouse: str) -> Place:
    return Place(models.Location.RESERVED, warehouse)


def committed_in(warehouse: str) -> Place:
    return Place(models.Location.COMMITTED, warehouse)


def set_aside_in(warehouse: str) -> Place:
    return Place(models.Location.SET_ASIDE, warehouse)


def legs(units: Mapping[str, int], source: Place | PlaceIn, destination: Place | PlaceIn) -> list[Leg]:
    """The moves of so many units in each warehouse. A place is outside, or one in the warehouse of the units."""
    return [
        Leg(quantity, _place(source, warehouse), _place(destination, warehouse))
        for warehouse, quantity in units.items()
    ]


def _place(place: Place | PlaceIn, warehouse: str) -> Place:
    return place if isinstance(place, Place) else place(warehouse)


def figures_of(balances: Iterable[models.Balance]) -> Figures:
    """Their sum."""
    balances = list(balances)
    return Figures(
        available=sum(balance.available for balance in balances),
        reserved=sum(balance.reserved for balance in balances),
        committed=sum(balance.committed for balance in balances),
        set_aside=sum(balance.set_aside for balance in balances),
    )


def sum_demand(legs: Sequence[Leg]) -> dict[tuple[str, models.Location], int]:
    """What each state of each warehouse gains or loses in all."""
    demand: dict[tuple[str, models.Location], int] = defaultdict(int)
    for leg in legs:
        for place, quantity in ((leg.source, -leg.quantity), (leg.destination, leg.quantity)):
            if place.warehouse is not None:
                demand[place.warehouse, place.location] += quantity
    return demand


def move(product: models.Product, leg: Leg, cause: Cause) -> models.Move:
    """The line of the ledger, at the product's present version."""
    return models.Move(
        product=product,
        kind=cause.kind,
        quantity=leg.quantity,
        source=leg.source.location,
        source_warehouse_id=leg.source.warehouse,
        destination=leg.destination.location,
        destination_warehouse_id=leg.destination.warehouse,
        version=product.stock_version,
        reference=cause.reference,
        reason=cause.reason,
        actor=cause.actor,
        at=cause.now,
    )
