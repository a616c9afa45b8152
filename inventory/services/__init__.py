"""The commands of the stock. Each is one transaction on the stock's database, all or nothing.

`lots` serves auctions, `checkouts` the shop, `sales` the sagas of sales, `stock` serves a clerk; `products`, `pictures`,
`categories` and `offers` are the catalogue. A command that may come twice has a `key`; a repeat gets the stored result: steps
of sagas by `kernel.messaging.steps`, forms of the admin by `form_keys`.
"""

from inventory.services.categories import (
    MAX_CATEGORIES,
    MAX_DEPTH,
    add_category,
    move_category,
    remove_category,
    rename_category,
)
from inventory.services.checkouts import (
    Abandonment,
    Start,
    release_checkouts,
    release_expired_checkouts,
    reserve_for_checkouts,
)
from inventory.services.lots import (
    LISTING_WAIT,
    Ending,
    Listing,
    release_expired_lots,
    release_lots,
    reserve_for_lots,
)
from inventory.services.offers import MAX_PER_ORDER, set_offer
from inventory.services.pictures import MAX_PICTURES, Placed, add_picture, arrange_pictures
from inventory.services.products import (
    MAX_ATTRIBUTE_NAME_CHARACTERS,
    MAX_ATTRIBUTE_VALUE_CHARACTERS,
    MAX_ATTRIBUTES,
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
from inventory.services.saved_searches import (
    MAX_SAVED,
    compare_with_searches,
    delete_search,
    delete_searches_of,
    save_search,
)
from inventory.services.shipping import (
    Cancellation,
    Return,
    Shipment,
    cancel_sales,
    ship_sales,
    take_back,
)
from inventory.services.stock import adjust_stock, receive_stock, set_threshold, transfer_stock

__all__ = [
    "LISTING_WAIT",
    "MAX_ATTRIBUTES",
    "MAX_ATTRIBUTE_NAME_CHARACTERS",
    "MAX_ATTRIBUTE_VALUE_CHARACTERS",
    "MAX_CATEGORIES",
    "MAX_DEPTH",
    "MAX_DESCRIPTION_CHARACTERS",
    "MAX_PER_ORDER",
    "MAX_PICTURES",
    "MAX_SAVED",
    "MAX_SKU_CHARACTERS",
    "MAX_TITLE_CHARACTERS",
    "Abandonment",
    "Cancellation",
    "Committed",
    "Ending",
    "Listing",
    "Placed",
    "Released",
    "ReserveRequest",
    "Reserved",
    "Restocked",
    "Return",
    "SaleRequest",
    "Shipment",
    "Start",
    "add_category",
    "add_picture",
    "adjust_stock",
    "arrange_pictures",
    "cancel_sales",
    "commit",
    "compare_with_searches",
    "correct_product",
    "create_product",
    "delete_search",
    "delete_searches_of",
    "move_category",
    "receive_stock",
    "release",
    "release_checkouts",
    "release_expired_checkouts",
    "release_expired_lots",
    "release_lots",
    "remove_category",
    "rename_category",
    "reserve",
    "reserve_for_checkouts",
    "reserve_for_lots",
    "restock",
    "save_search",
    "set_offer",
    "set_threshold",
    "ship_sales",
    "take_back",
    "transfer_stock",
]
