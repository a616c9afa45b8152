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


GROUPS: dict[str, Rights] = {
    "stock clerk": Rights(
        view=("inventory",),
        may=(
            "inventory.add_product",
            "inventory.change_product",
            "inventory.receive_stock",
            "inventory.adjust_stock",
            "inventory.transfer_stock",
        ),
    ),
    "auction operator": Rights(
        view=("inventory", "sagas", "messaging", "accounts"),
        may=(
            "sagas.operate_saga",
            "messaging.replay_deadletter",
            "accounts.bar_account",
            "accounts.grant_seller",
        ),
    ),
    "finance": Rights(view=("orders", "sagas"), may=("orders.resolve_payment", "sagas.operate_saga")),
    "viewer": Rights(view=("inventory", "orders", "sagas")),
}
