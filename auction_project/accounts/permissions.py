"""The groups of staff and what each may do in the admin, one row a group. `services.sync_group_permissions` writes the
table to the database.
"""

import msgspec


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """The rights of one group: `view` names apps of which it may see everything, `may` single permissions
    (`<app>.<codename>`).
    """

    view: tuple[str, ...]
    may: tuple[str, ...] = ()


# The page of an order with its parcels, without payments, accounting entries and risk.
_PARCELS = (
    *("orders.view_order", "orders.view_orderfact", "orders.view_shipment"),
    *("orders.view_return", "orders.view_returnrequest"),
)

GROUPS: dict[str, Rights] = {
    "stock clerk": Rights(
        view=("inventory",),
        may=(
            "inventory.add_product",
            "inventory.change_product",
            "inventory.add_category",
            "inventory.change_category",
            "inventory.delete_category",
            "inventory.change_offer",
            "inventory.receive_stock",
            "inventory.adjust_stock",
            "inventory.transfer_stock",
            *_PARCELS,
            "orders.ship_order",
            "orders.return_order",
        ),
    ),
    "auction operator": Rights(
        view=("inventory", "sagas", "messaging", "accounts"),
        may=(
            "inventory.change_offer",
            "sagas.operate_saga",
            "messaging.replay_deadletter",
            "accounts.bar_account",
            "accounts.grant_seller",
            "orders.view_desk",
            "orders.view_cartline",
            "orders.view_checkout",
            "orders.view_checkoutsale",
            "orders.view_award",
            *_PARCELS,
            "orders.ship_order",
            "orders.cancel_order",
            "orders.refund_order",
            "orders.return_order",
        ),
    ),
    "finance": Rights(
        view=("orders", "sagas"),
        may=("orders.resolve_payment", "orders.refund_order", "orders.override_risk", "sagas.operate_saga"),
    ),
    "viewer": Rights(view=("inventory", "orders", "sagas")),
}
