"""N4: notices are true. Compares each notice that was not withdrawn with the auction, sale and order that it is about, once
everything has settled.

A notice about a moment (outbid, leading) is withdrawn by what comes after it, so that it is true as long as it stands.
"""

import itertools
from collections.abc import Callable
from typing import Any

from auction_project.kernel import ids
from auction_project.kernel.findings import Finding
from auction_project.verification import world as worlds
from bidding import rules
from notifications import models as notices

MAX_VIOLATIONS = 100
ROWS_PER_READ = 2_000

Holds = Callable[[worlds.World, rules.State | None, str, dict[str, Any]], bool]


def check(world: worlds.World) -> Finding:
    """Check every notice of the kinds in the table; at most MAX_VIOLATIONS violations are kept."""
    violations: list[str] = []
    checked = 0
    rows = notices.Notification.objects.filter(kind__in=_HOLDS, withdrawn_at=None).order_by("pk")
    for row in rows.iterator(chunk_size=ROWS_PER_READ):
        checked += 1
        state = world.states.get(row.data.get("auction_id", ""))
        if not _HOLDS[row.kind](world, state, row.user_id, row.data):
            violations.append(f"{row.user_id}: {row.kind} {row.seq} is not true of {_subject(row.data)}")
    return Finding("N4", checked, tuple(violations[:MAX_VIOLATIONS]))


def _subject(data: dict[str, Any]) -> str:
    return str(data.get("sale_id") or data.get("auction_id") or data.get("order_number"))


def _leading(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
    return state is not None and state.status is rules.Status.OPEN and state.leader == user_id


def _outbid(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
    """Until the sale of a closed lot has ended, its other bidders read that they were outbid."""
    return state is not None and not state.ended and state.leader != user_id


def _sale_is(*outcomes: str) -> Holds:
    def holds(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
        sale = world.sales.get(data["sale_id"])
        return sale is not None and sale.outcome in outcomes

    return holds


def _won(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
    sale = world.sales.get(data["sale_id"])
    figures = (user_id, data["price"], data["quantity"])
    return (
        sale is not None
        and sale.outcome != "sale_failed"
        and not (sale.is_awarded and sale.outcome)  # LOT_PAID has taken its place
        and figures == (sale.user_id, sale.price, sale.quantity)
    )


def _lost(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
    """A loser is notified when another bidder has paid."""
    return state is not None and state.sold > 0 and user_id not in state.buyers


def _not_sold(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
    return state is not None and state.outcome == "unsold"


def _next_in_line(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
    return state is not None and rules.standing_of(state, user_id) == "next_in_line"


def _cancelled(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
    """A buyer whose sale counts must not read that bids no longer count."""
    if state is None or state.status is not rules.Status.CANCELLED:
        return False
    return bool(data["sale_pending"]) or user_id not in state.buyers


def _unpaid(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
    """This payment has failed, and no later one of the checkout has succeeded."""
    checkout_id, attempt = ids.auction_of_sale(data["sale_id"])
    attempts = (world.sales.get(ids.sale_id(checkout_id, number)) for number in itertools.count(attempt))
    outcomes = [sale.outcome for sale in itertools.takewhile(bool, attempts) if sale]
    return outcomes[:1] == ["sale_failed"] and "settled" not in outcomes


def _order_is(fact: str) -> Holds:
    def holds(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
        return fact in world.facts.get(data["order_number"], ())

    return holds


def _order_is_off(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
    """It was never confirmed, or cancelled after that."""
    facts = world.facts.get(data["order_number"], set())
    return "CANCELLED" in facts or "CONFIRMED" not in facts


def _part_is(kind: str) -> Holds:
    """The part of the seller who is named, or who reads it, is shipped, or delivered."""

    def holds(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
        return (data.get("seller_id", user_id), kind) in world.parts.get(data["order_number"], ())

    return holds


def _is_back(name: str) -> Holds:
    """The refund or the return that is named by the figure `name` was made."""

    def holds(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
        return data[name] in world.given_back.get(data["order_number"], ())

    return holds


def _came_back(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
    return bool(world.given_back.get(data["order_number"]))


def _request_is(*states: str) -> Holds:
    """The buyer's request for a return that is named is in one of these states."""

    def holds(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
        requests = world.requests.get(data["order_number"], ())
        return any((data["request_id"], one) in requests for one in states)

    return holds


def _is_decided(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
    """Operators get no notice of the return, because they note it themselves."""
    states = ("ACCEPTED", "RETURNED") if data["accepted"] else ("DECLINED",)
    return _request_is(*states)(world, state, user_id, data)


def _sold(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
    """The seller packs what is confirmed and not cancelled."""
    facts = world.facts.get(data["order_number"], set())
    return "CONFIRMED" in facts and "CANCELLED" not in facts


_HOLDS: dict[str, Holds] = {
    "OUTBID": _outbid,
    "LEADING": _leading,
    "WON": _won,
    "LOT_PAID": _sale_is("settled"),
    "NEXT_IN_LINE": _next_in_line,
    "LOST": _lost,
    "NOT_SOLD": _not_sold,
    "AUCTION_CANCELLED": _cancelled,
    "ORDER_CONFIRMED": _order_is("CONFIRMED"),
    "ORDER_CANCELLED": _order_is_off,
    "PAYMENT_DECLINED": _order_is_off,
    "CHECKOUT_UNPAID": _unpaid,
    "ORDER_SHIPPED": _part_is("SHIPPED"),
    "ORDER_DELIVERED": _part_is("DELIVERED"),
    "ORDER_REFUNDED": _is_back("refund_id"),
    "ORDER_RETURNED": _is_back("return_id"),
    "SOLD": _sold,
    "SALE_SHIPPED": _part_is("SHIPPED"),
    "SALE_DELIVERED": _part_is("DELIVERED"),
    "SALE_RETURNED": _came_back,
    "RETURN_ASKED": _request_is("ASKED"),
    "RETURN_DECIDED": _is_decided,
    "SALE_RETURN_ASKED": _request_is("ASKED"),
    "SALE_RETURN_DECIDED": _is_decided,
    "HOUSE_RETURN_ASKED": _request_is("ASKED"),
    "HOUSE_RETURN_DECIDED": _is_decided,
    "RETURN_WITHDRAWN": _request_is("WITHDRAWN"),
    "SALE_RETURN_WITHDRAWN": _request_is("WITHDRAWN"),
    "HOUSE_RETURN_WITHDRAWN": _request_is("WITHDRAWN"),
    "SALE_CANCELLED": _order_is("CANCELLED"),
    "LOT_SOLD": _sale_is("settled"),
    "LOT_UNSOLD": _not_sold,
}
