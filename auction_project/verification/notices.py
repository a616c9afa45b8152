"""N4: notices are true. Compares each notice that was not withdrawn with the auction, sale and order that it is about, once
everything has settled.

A notice about a moment (outbid, leading) is withdrawn by what comes after it, so that it is true as long as it stands.
"""

from collections.abc import Callable
from typing import Any

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


def _order_is(fact: str) -> Holds:
    def holds(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
        return fact in world.facts.get(data["order_number"], ())

    return holds


def _order_is_off(world: worlds.World, state: rules.State | None, user_id: str, data: dict[str, Any]) -> bool:
    return "CONFIRMED" not in world.facts.get(data["order_number"], ())


_HOLDS: dict[str, Holds] = {
    "OUTBID": _outbid,
    "LEADING": _leading,
    "WON": _won,
    "NEXT_IN_LINE": _next_in_line,
    "LOST": _lost,
    "NOT_SOLD": _not_sold,
    "AUCTION_CANCELLED": _cancelled,
    "ORDER_CONFIRMED": _order_is("CONFIRMED"),
    "ORDER_CANCELLED": _order_is_off,
    "PAYMENT_DECLINED": _order_is_off,
    "LOT_SOLD": _sale_is("settled"),
    "LOT_UNSOLD": _not_sold,
}
