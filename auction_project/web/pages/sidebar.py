"""The menu of the admin. An entry is named as its page is, and needs the permission of its page. A badge counts what waits for an
operator there. See `UNFOLD` in the settings."""

from collections.abc import Callable, Mapping
from typing import Any

import django.db
from django.http import HttpRequest
from django.urls import reverse

from auction_project.kernel import logs
from auction_project.kernel.messaging import overview as messages
from sagas import overview as sagas

# title, icon (Material Symbols), name of the URL with what its list is filtered by, permission ("": none needed; "role": a seller or an operator)
_Entry = tuple[str, str, str, str]

_GROUPS: tuple[tuple[str, tuple[_Entry, ...]], ...] = (
    (
        "Auctions",
        (
            ("Manage auctions", "gavel", "sell", "role"),
            ("New auction", "add_circle", "new-auction", "role"),
        ),
    ),
    (
        "Stock",
        (
            ("Products", "inventory_2", "admin:inventory_product_changelist", "inventory.view_product"),
            ("Offers", "sell", "admin:inventory_offer_changelist", "inventory.view_offer"),
            ("Categories", "category", "admin:inventory_category_changelist", "inventory.view_category"),
            (
                "Reservations",
                "bookmark",
                "admin:inventory_reservation_changelist",
                "inventory.view_reservation",
            ),
            ("Moves", "receipt_long", "admin:inventory_move_changelist", "inventory.view_move"),
            ("Warehouses", "warehouse", "admin:inventory_warehouse_changelist", "inventory.view_warehouse"),
        ),
    ),
    (
        "Orders and money",
        (
            ("Desk", "monitoring", "desk", "orders.view_desk"),
            ("Carts", "shopping_cart", "admin:orders_cartline_changelist", "orders.view_cartline"),
            (
                "Checkouts",
                "shopping_cart_checkout",
                "admin:orders_checkout_changelist",
                "orders.view_checkout",
            ),
            ("Won lots to pay", "emoji_events", "admin:orders_award_changelist", "orders.view_award"),
            ("Orders", "shopping_bag", "admin:orders_order_changelist", "orders.view_order"),
            ("Payments", "credit_card", "admin:orders_payment_changelist", "orders.view_payment"),
            (
                "Accounting entries",
                "account_balance",
                "admin:orders_journalentry_changelist",
                "orders.view_journalentry",
            ),
            (
                "Risk assessments",
                "policy",
                "admin:orders_riskassessment_changelist",
                "orders.view_riskassessment",
            ),
            (
                "Refused sales",
                "gpp_bad",
                "admin:orders_riskassessment_changelist?outcome=refused",
                "orders.view_riskassessment",
            ),
            (
                "Accepted buyers",
                "verified_user",
                "admin:orders_riskoverride_changelist",
                "orders.view_riskoverride",
            ),
        ),
    ),
    (
        "Operation",
        (
            ("Services", "dns", "services", "accounts.view_services"),
            ("Sagas", "account_tree", "admin:sagas_saga_changelist", "sagas.view_saga"),
            (
                "Dead letters",
                "mark_email_unread",
                "admin:messaging_deadletter_changelist",
                "messaging.view_deadletter",
            ),
        ),
    ),
    (
        "People",
        (
            ("Accounts", "group", "admin:accounts_user_changelist", "accounts.view_user"),
            ("Groups", "badge", "admin:auth_group_changelist", "auth.view_group"),
            (
                "Looks at personal data",
                "visibility",
                "admin:accounts_personaldataview_changelist",
                "accounts.view_personaldataview",
            ),
        ),
    ),
    ("Pages", (("The auction house", "storefront", "home", ""), ("API", "api", "api", ""))),
)

_BADGES: Mapping[str, Callable[[], int]] = {
    "admin:sagas_saga_changelist": sagas.count_parked,
    "admin:messaging_deadletter_changelist": messages.count_waiting,
}

log = logs.get(__name__)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups with the entries that `request.user` may see. Empty groups are left out."""
    shown = []
    for title, entries in _GROUPS:
        items = [
            {
                "title": name,
                "icon": icon,
                "link": _link(url),
                "active": _is_active(request, _link(url)),
                "badge": _badge(url),
            }
            for name, icon, url, needed in entries
            if _may(request, needed)
        ]
        if items:
            shown.append({"title": title, "separator": True, "items": items})
    return shown


def _link(url: str) -> str:
    name, mark, query = url.partition("?")
    return reverse(name) + mark + query


def _is_active(request: HttpRequest, link: str) -> bool:
    """An entry is active on its page and below it; one of a filtered list on that list alone. An entry that leaves the admin is
    never active."""
    path = request.get_full_path()
    filtered = (_link(url) for _, entries in _GROUPS for _, _, url, _ in entries if "?" in url)
    if "?" in link or path in filtered:
        return path == link
    return link.startswith("/admin/") and request.path.startswith(link)


def _may(request: HttpRequest, needed: str) -> bool:
    if needed == "role":
        return bool({"seller", "operator"} & set(request.user.roles))
    return not needed or bool(request.user.has_perm(needed))


def _badge(url: str) -> int:
    """0, which is not shown, where nothing waits or the database is unavailable: the page is shown all the same."""
    try:
        return _BADGES[url]() if url in _BADGES else 0
    except django.db.OperationalError as error:
        log.warning("badge_unknown", url=url, error=str(error))
        return 0
