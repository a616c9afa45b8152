"""The commands of the stock. Each is one transaction on the stock's database, all or nothing.

`lots` serves auctions, `sales` serves the sagas of sales, `stock` serves a clerk, `products` is the catalogue. A command
that may come twice has a `key`; a repeat gets the stored result: steps of sagas by `kernel.messaging.steps`, forms of
the admin by `form_keys`.
"""

from inventory.services.lots import (
    LISTING_WAIT,
    Ending,
    Listing,
    release_expired_lots,
    release_lots,
    reserve_for_lots,
)
from inventory.services.products import (
    MAX_DESCRIPTION_CHARACTERS,
    MAX_SKU_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    correct_product,
    create_product,
)
from inventory.services.sales import (
    Committed,
    Released,
    Reserved,
    ReserveRequest,
    Restocked,
    SaleRequest,
    commit,
    release,
    reserve,
    restock,
)
from inventory.services.stock import adjust_stock, receive_stock, set_threshold, transfer_stock

__all__ = [
    "LISTING_WAIT",
    "MAX_DESCRIPTION_CHARACTERS",
    "MAX_SKU_CHARACTERS",
    "MAX_TITLE_CHARACTERS",
    "Committed",
    "Ending",
    "Listing",
    "Released",
    "ReserveRequest",
    "Reserved",
    "Restocked",
    "SaleRequest",
    "adjust_stock",
    "commit",
    "correct_product",
    "create_product",
    "receive_stock",
    "release",
    "release_expired_lots",
    "release_lots",
    "reserve",
    "reserve_for_lots",
    "restock",
    "set_threshold",
    "transfer_stock",
]
