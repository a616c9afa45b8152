"""What the stock can be asked to do. Each service is one transaction on the stock's database and all-or-nothing.

`lots` listens to auctions, `sales` serves whoever settles a sale, `desk` is the clerk's counter, `products` the
catalogue. What may come twice takes a `key` and answers a repeat with the stored result: steps of sagas by
`kernel.messaging.steps`, forms of the admin by `form_keys`.
"""

from inventory.services.desk import adjust_stock, receive_stock, set_threshold, transfer_stock
from inventory.services.lots import LISTING_WAIT, release_expired_lots, release_lot, reserve_for_lot
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
    Restocked,
    commit,
    release,
    reserve,
    restock,
)

__all__ = [
    "LISTING_WAIT",
    "MAX_DESCRIPTION_CHARACTERS",
    "MAX_SKU_CHARACTERS",
    "MAX_TITLE_CHARACTERS",
    "Committed",
    "Released",
    "Reserved",
    "Restocked",
    "adjust_stock",
    "commit",
    "correct_product",
    "create_product",
    "receive_stock",
    "release",
    "release_expired_lots",
    "release_lot",
    "reserve",
    "reserve_for_lot",
    "restock",
    "set_threshold",
    "transfer_stock",
]
