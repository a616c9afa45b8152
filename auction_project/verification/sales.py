"""S1, S3, S6, I4 and N1: the effects of each sale, in all stores together.

S1: one confirmed order XOR one complete compensation. S3: each step's effect at most once. S6: each sale of the log, or of a
checkout, has its saga, even if the transport was emptied. I4: never more sales than units, and no unit out of sale without a reason.
N1: once everything has settled, each winner of an auction has a notice.
"""

from collections.abc import Iterator

from django.db.models import Count, Q

from auction_project.kernel.findings import Finding
from auction_project.verification import world as worlds
from bidding import rules
from inventory import models as stock
from notifications import models as notices
from orders import models as orders

_MONEY_IS_BACK = frozenset({"", "DECLINED", "CANCELLED", "REFUNDED"})
_STOCK_IS_BACK = frozenset({"RELEASED", "LOST"})


def check(world: worlds.World, set_aside: set[str], *, settled: bool) -> list[Finding]:
    """Check all but the sales that are `set_aside`; N1 only with `settled`."""
    return [
        _one_end(world, set_aside, settled=settled),
        _effects_once(),
        _none_lost(world, set_aside),
        _never_oversold(world),
        *([_winners_notified(world)] if settled else []),
    ]


def _one_end(world: worlds.World, set_aside: set[str], *, settled: bool) -> Finding:
    violations: list[str] = []
    for sale in world.sales.values():
        if sale.sale_id not in set_aside:
            violations += (f"sale {sale.sale_id}: {flaw}" for flaw in _flaws(sale, world, settled=settled))
    numbers = {sale.order_number for sale in world.sales.values()}
    violations += (f"saga {sale_id} has no sale" for sale_id in world.sagas if sale_id not in world.sales)
    violations += (f"award {sale_id} has no sale" for sale_id in world.awards if sale_id not in world.sales)
    violations += (f"order {number} has no sale" for number in world.amounts if number not in numbers)
    violations += (f"payment {number} has no sale" for number in world.payments if number not in numbers)
    violations += (
        f"reservation of {sale_id} has no sale"
        for sale_id in world.reservations
        if sale_id not in world.sales
    )
    return Finding("S1", len(world.sales), tuple(violations))


def _flaws(sale: worlds.Sale, world: worlds.World, *, settled: bool) -> Iterator[str]:
    if sale.is_awarded:
        yield from _flaws_of_awarded(sale, world)
        return
    saga = world.sagas.get(sale.sale_id)
    if saga is None:
        return  # a matter of S6
    status = saga.status
    facts = world.facts.get(sale.order_number, set())
    payment = world.payments.get(sale.order_number, "")
    reservations = world.reservations.get(sale.sale_id, set())
    terms = (sale.order_number, sale.user_id, sale.price, sale.quantity)
    if (saga.order_number, saga.user_id, saga.price, saga.quantity) != terms:
        yield f"its saga is about {(saga.order_number, saga.user_id, saga.price, saga.quantity)}, not {terms}"
    if status == "COMPLETED":
        expected = (sale.sale_id, sale.user_id, sale.price, sale.quantity)
        if world.amounts.get(sale.order_number) != expected:
            yield f"its order is {world.amounts.get(sale.order_number)}, not {expected}"
        if "CONFIRMED" not in facts:
            yield f"completed, but its order's facts are {sorted(facts)}"
        yield from _flaws_of_completed(facts, payment, reservations, settled=settled)
        if sale.outcome != "settled":
            yield f"completed, but the log says {sale.outcome or 'nothing'}"
    elif status == "COMPENSATED":
        if "CONFIRMED" in facts or (facts and "CANCELLED" not in facts):
            yield f"undone, but its order's facts are {sorted(facts)}"
        if payment not in _MONEY_IS_BACK:
            yield f"undone, but its payment is {payment}"
        if not reservations <= _STOCK_IS_BACK:
            yield f"undone, but its stock is {' and '.join(sorted(reservations))}"
        if sale.outcome != "sale_failed":
            yield f"undone, but the log says {sale.outcome or 'nothing'}"
    elif status != "PARKED":
        yield f"its saga is {status}"


def _flaws_of_awarded(sale: worlds.Sale, world: worlds.World) -> Iterator[str]:
    """A sale that is paid in the shop has an award, and no saga; C1 looks at the order that pays it."""
    if sale.sale_id in world.sagas:
        yield "its buyer pays in the shop, but it has a saga"
    award = world.awards.get(sale.sale_id)
    if award is None:
        return  # a matter of S6
    terms = (sale.user_id, sale.price, sale.quantity)
    if (award.user_id, award.price, award.quantity) != terms:
        yield f"its award is about {(award.user_id, award.price, award.quantity)}, not {terms}"
    expected = {"PAID": "settled", "LAPSED": "sale_failed"}.get(award.state, "")
    if sale.outcome != expected:
        yield f"its award is {award.state}, but the log says {sale.outcome or 'nothing'}"


def _flaws_of_completed(
    facts: set[str], payment: str, reservations: set[str], *, settled: bool
) -> Iterator[str]:
    """A completed sale whose order was cancelled later has its money and its stock back; one that was shipped has left the stock.
    Both follow the order's facts by events and refunds, so on a live system they may be on their way."""
    is_back = bool(facts & {"CANCELLED", "REFUNDED"})
    paid = {"REFUNDED" if is_back else "CAPTURED"} if settled else {"CAPTURED", "REFUNDED"}
    if payment not in paid:
        yield f"completed, but its payment is {payment or 'missing'}"
    if not settled:
        sold = {"COMMITTED", "SHIPPED", "CANCELLED"}
    elif "CANCELLED" in facts:
        sold = {"CANCELLED"}
    else:
        sold = {"SHIPPED"} if "SHIPPED" in facts else {"COMMITTED", "SHIPPED"}
    if not reservations or not reservations <= sold:
        yield f"completed, but its stock is {' and '.join(sorted(reservations)) or 'not reserved'}"


def _none_lost(world: worlds.World, set_aside: set[str]) -> Finding:
    lost = (
        f"sale {sale.sale_id} has no {'award' if sale.is_awarded else 'saga'}"
        for sale in world.sales.values()
        if sale.sale_id not in (world.awards if sale.is_awarded else world.sagas)
        and sale.sale_id not in set_aside
    )
    return Finding("S6", len(world.sales), tuple(lost))


def _winners_notified(world: worlds.World) -> Finding:
    won = notices.Notification.objects.filter(kind="WON")
    notified = set(won.values_list("user_id", "data__sale_id").iterator())
    won_sales = [sale for sale in world.sales.values() if sale.auction_id]
    missing = (sale for sale in won_sales if (sale.user_id, sale.sale_id) not in notified)
    return Finding(
        "N1",
        len(won_sales),
        tuple(f"{sale.user_id} has no notice of having won sale {sale.sale_id}" for sale in missing),
    )


def _effects_once() -> Finding:
    """S3, in the ledgers: a step that took effect twice has left a second posting."""
    moves = (
        stock.Move.objects.filter(Q(reference__startswith="sale:") | Q(reference__startswith="return:"))
        .values_list(
            *("reference", "kind", "product_id"),  # a sale moves each of its products once
            *("source", "destination", "source_warehouse_id", "destination_warehouse_id"),
        )
        .annotate(count=Count("pk"))
        .order_by("reference", "kind")
    )
    entries = (
        orders.JournalEntry.objects.values_list("payment_id", "kind", "refund_id")
        .annotate(count=Count("pk"))
        .order_by("payment_id")
    )
    rows = [(f"{row[0]} {row[1]}", row[-1]) for row in moves] + [
        (f"payment {row[0]} {row[1]}", row[-1]) for row in entries
    ]
    return Finding("S3", len(rows), tuple(f"{what}: {count} times" for what, count in rows if count > 1))


def _never_oversold(world: worlds.World) -> Finding:
    """I4: the units of an auction that are sold, in an undecided sale, for sale, or withdrawn after a failed sale are together
    those that it listed."""
    withdrawn: dict[str, int] = {}
    confirmed: dict[str, int] = {}
    for sale in world.sales.values():
        if sale.outcome == "sale_failed" and sale.next == "nothing":
            withdrawn[sale.auction_id] = withdrawn.get(sale.auction_id, 0) + sale.quantity
        if world.is_paid(sale):
            confirmed[sale.auction_id] = confirmed.get(sale.auction_id, 0) + sale.quantity
    violations: list[str] = []
    for auction_id, state in world.states.items():
        if state.terms is None:
            continue
        under_way = sum(sale.quantity for sale in state.open_sales.values())
        withdrawn_units = withdrawn.get(auction_id, 0)
        accounted = state.sold + under_way + state.quantity_left + withdrawn_units
        is_open = rules.formats.of(state).sells_by_bid and state.status is rules.Status.OPEN
        if accounted > state.terms.quantity or (is_open and accounted < state.terms.quantity):
            violations.append(
                f"auction {auction_id}: {state.sold} sold, {under_way} undecided, {state.quantity_left} left, "
                f"{withdrawn_units} withdrawn of {state.terms.quantity}"
            )
        if confirmed.get(auction_id, 0) > state.terms.quantity:
            violations.append(
                f"auction {auction_id}: {confirmed[auction_id]} units in confirmed orders of "
                f"{state.terms.quantity} listed"
            )
    return Finding("I4", len(world.states), tuple(violations))
