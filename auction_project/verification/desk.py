"""D2: what the owner's desk knows of lots, of undone sales and of stock is what their apps have. It holds when nothing is under way."""

from collections.abc import Iterator, Mapping

from django.db.models import F, Sum

from auction_project.kernel.findings import Finding
from auction_project.verification import world as worlds
from inventory import models as stock
from orders import models as orders
from sagas import models as sagas

MAX_VIOLATIONS = 100


def check(world: worlds.World) -> Finding:
    """Compare row by row."""
    compared = (
        ("lot", _lots_of_desk(), _lots(world)),
        ("undone sale", _undone_of_desk(), _undone()),
        ("product", _products_of_desk(), _products()),
    )
    violations = [text for what, ours, theirs in compared for text in _differences(what, ours, theirs)]
    checked = sum(len(ours.keys() | theirs.keys()) for _, ours, theirs in compared)
    return Finding("D2", checked, tuple(violations[:MAX_VIOLATIONS]))


def _differences(
    what: str, ours: Mapping[str, tuple[object, ...]], theirs: Mapping[str, tuple[object, ...]]
) -> Iterator[str]:
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            yield f"{what} {key}: the desk has {ours.get(key)}, its app {theirs.get(key)}"


def _lots(world: worlds.World) -> dict[str, tuple[object, ...]]:
    """(units listed, whether it has ended, units in confirmed orders) of each lot that was accepted."""
    sold: dict[str, int] = {}
    for sale in world.sales.values():
        if sale.auction_id and world.is_paid(sale):
            sold[sale.auction_id] = sold.get(sale.auction_id, 0) + sale.quantity
    return {
        auction_id: (state.terms.quantity, state.ended, sold.get(auction_id, 0))
        for auction_id, state in world.states.items()
        if state.terms is not None and state.seller_id
    }


def _lots_of_desk() -> dict[str, tuple[object, ...]]:
    rows = orders.DeskLot.objects.filter(accepted=True)
    return {row.pk: (row.quantity, row.ended_at is not None, row.sold) for row in rows.iterator()}


def _undone() -> dict[str, tuple[object, ...]]:
    rows = sagas.Saga.objects.filter(status=sagas.Status.COMPENSATED)
    undone = {row[0]: row[1:] for row in rows.values_list("sale_id", "failure_reason", "finished_at")}
    lapsed = orders.Award.objects.filter(state=orders.AwardState.LAPSED)
    return undone | {sale_id: ("unpaid", at) for sale_id, at in lapsed.values_list("sale_id", "changed_at")}


def _undone_of_desk() -> dict[str, tuple[object, ...]]:
    rows = orders.DeskSale.objects.filter(failed_at__isnull=False)
    return {row[0]: row[1:] for row in rows.values_list("sale_id", "reason", "failed_at")}


def _products() -> dict[str, tuple[object, ...]]:
    """(units on hand, price, currency) of each product with either."""
    on_hand = dict(
        stock.Balance.objects.values("product_id")
        .annotate(units=Sum(F("available") + F("reserved") + F("committed") + F("set_aside")))
        .values_list("product_id", "units")
    )
    offers = {row[0]: row[1:] for row in stock.Offer.objects.values_list("product_id", "price", "currency")}
    return {
        product_id: (int(on_hand.get(product_id, 0)), *offers.get(product_id, (0, "")))
        for product_id in {*(key for key, units in on_hand.items() if units), *offers}
    }


def _products_of_desk() -> dict[str, tuple[object, ...]]:
    rows = orders.DeskProduct.objects.exclude(on_hand=0, currency="")
    return {row[0]: row[1:] for row in rows.values_list("product_id", "on_hand", "price", "currency")}
