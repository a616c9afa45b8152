"""The stock's tables: what may stand in a row, and how a row may change.

Every rule that one row can state is a CHECK here, too. `books` alone writes stock and reservations; a move never changes
(a trigger refuses it), and nothing is ever deleted.
"""

from inventory.models.catalogue import (
    DESCRIPTION,
    DIGEST_CHARACTERS,
    HOUSE,
    IMAGE_PATH,
    LOW_STOCK_MARGIN_PARTS,
    THUMBNAIL_PATH,
    Condition,
    Correction,
    Product,
)
from inventory.models.categories import MAX_CATEGORY_NAME_CHARACTERS, Category
from inventory.models.messages import DATABASE, Once, Outbox
from inventory.models.offers import Offer, OfferPrice
from inventory.models.pictures import MAX_ALT_CHARACTERS, Picture
from inventory.models.reservations import TRANSITIONS, Holding, Reservation, ReservationKind, ReservationState
from inventory.models.search import Among, NewLot, SavedSearch, SearchEntry, SearchWord
from inventory.models.stock import MAX_UNITS, ON_HAND, Balance, Location, Move, MoveKind, Warehouse

__all__ = [
    "DATABASE",
    "DESCRIPTION",
    "DIGEST_CHARACTERS",
    "HOUSE",
    "IMAGE_PATH",
    "LOW_STOCK_MARGIN_PARTS",
    "MAX_ALT_CHARACTERS",
    "MAX_CATEGORY_NAME_CHARACTERS",
    "MAX_UNITS",
    "ON_HAND",
    "THUMBNAIL_PATH",
    "TRANSITIONS",
    "Among",
    "Balance",
    "Category",
    "Condition",
    "Correction",
    "Holding",
    "Location",
    "Move",
    "MoveKind",
    "NewLot",
    "Offer",
    "OfferPrice",
    "Once",
    "Outbox",
    "Picture",
    "Product",
    "Reservation",
    "ReservationKind",
    "ReservationState",
    "SavedSearch",
    "SearchEntry",
    "SearchWord",
    "Warehouse",
]
