"""What the owner's desk is rebuilt from beside orders: the sagas, the bid log, and inventory. The composition root alone knows all."""

from collections.abc import Sequence

from django.db.models import F, Sum

from auction_project.kernel import instants
from bidding import runtime
from bidding.rules import kinds
from inventory import models as inventory
from orders import models as orders
from orders.desk import rebuilding
from sagas import models as sagas


class Sources:
    """See `orders.desk.rebuilding.Sources`."""

    def failures(self, *, after: str, limit: int) -> Sequence[rebuilding.Failure]:
        """Sagas that were undone, and awards that were not paid."""
        undone = sagas.Saga.objects.filter(status=sagas.Status.COMPENSATED, sale_id__gt=after)
        lapsed = orders.Award.objects.filter(state=orders.AwardState.LAPSED, sale_id__gt=after)
        failures = [
            rebuilding.Failure(
                sale_id=saga.sale_id,
                auction_id=saga.auction_id,
                failed_at=saga.finished_at,
                reason=saga.failure_reason,
            )
            for saga in undone.order_by("sale_id")[:limit]
        ]
        failures += [
            rebuilding.Failure(
                sale_id=award.sale_id,
                auction_id=award.auction_id,
                failed_at=award.changed_at,
                reason="unpaid",
            )
            for award in lapsed.order_by("sale_id")[:limit]
        ]
        return sorted(failures, key=lambda failure: failure.sale_id)[:limit]

    def lots(self, *, skip: int, limit: int) -> Sequence[rebuilding.Lot]:
        return runtime.call(_lots(skip=skip, limit=limit), seconds=None)

    def products(self, *, after: str, limit: int) -> Sequence[rebuilding.Product]:
        rows = (
            inventory.Product.objects.filter(pk__gt=after)
            .order_by("pk")
            .select_related("offer")
            .annotate(
                units=Sum(
                    F("balances__available")
                    + F("balances__reserved")
                    + F("balances__committed")
                    + F("balances__set_aside")
                )
            )
        )
        return [_product(row) for row in rows[:limit]]


async def _lots(*, skip: int, limit: int) -> list[rebuilding.Lot]:
    """A page of all auctions by their ids: of each the first entry of its log, and the last one if it has ended."""
    store = runtime.current().store
    marks = await store.auctions.marks(skip=skip, limit=limit)
    documents = {document.id: document for document in await store.auctions.get_all(list(marks))}
    ended = {auction_id: marks[auction_id] for auction_id, document in documents.items() if document.ended}
    entries = await store.bids.read([*((auction_id, 1) for auction_id in marks), *ended.items()])
    lots = []
    for auction_id in marks:
        first = entries.get((auction_id, 1))
        if first is None or not isinstance(first.facts, kinds.Requested):
            # The request was never stored. It counts as read, so that no page is cut short.
            lots.append(_nothing(auction_id, at=documents[auction_id].created_at))
            continue
        last = entries.get((auction_id, ended.get(auction_id, 0)))
        lots.append(
            rebuilding.Lot(
                auction_id=auction_id,
                quantity=first.facts.terms.quantity,
                listed_at=instants.moment(first.at),
                accepted=bool(documents[auction_id].seller_id),
                ended_at=instants.moment(last.at) if last else None,
            )
        )
    return lots


def _nothing(auction_id: str, *, at: int) -> rebuilding.Lot:
    return rebuilding.Lot(
        auction_id=auction_id, quantity=0, listed_at=instants.moment(at), accepted=False, ended_at=None
    )


def _product(row: inventory.Product) -> rebuilding.Product:
    offer = getattr(row, "offer", None)
    return rebuilding.Product(
        product_id=row.pk,
        title=row.title,
        owner_id=row.owner_id,
        stock_version=row.stock_version,
        on_hand=row.units or 0,
        offer_version=-1 if offer is None else offer.version,
        price=0 if offer is None else offer.price,
        currency="" if offer is None else offer.currency,
    )
