"""Units that come back from the buyer: operators note them, and so end the buyer's request to return them, if there is one.

One transaction, which locks the order. Inventory follows by the event; money is a matter of refunds.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import transaction

from auction_project.kernel import contracts, errors, ids
from auction_project.kernel.messaging import outbox
from orders import exceptions, models
from orders.services import fulfilment, publishing, return_requests

_Fact = models.OrderFact.Kind


class ReturnedLine(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of a product came back; those that are damaged are not for sale."""

    product_id: str
    quantity: int
    damaged: bool = False


def return_units(
    *,
    order_number: str,
    key: str,
    lines: Sequence[ReturnedLine],
    reason: str,
    actor: fulfilment.Actor,
    now: datetime,
) -> models.Return:
    """The units have come back, unless they have under `key` already. Only operators take them.

    Raises OrderNotFound, NotForYou, OrderNotShipped, TooManyReturned, InvalidText, and KeyReused for a key of other lines.
    """
    reason = fulfilment.checked_text("reason", reason, models.MAX_REASON_CHARACTERS)
    digest = hashlib.sha256(msgspec.json.encode([list(lines), reason])).hexdigest()
    with transaction.atomic(using=models.DATABASE), outbox.gathered(models.DATABASE):
        order = fulfilment.locked(order_number, actor)
        if not actor.is_operator:
            raise exceptions.NotForYou
        present = order.returns.filter(key=key).first()
        if present is not None:
            if present.digest != digest:
                raise errors.KeyReused
            return present
        return _take_back(order, key, digest, lines, reason, actor, now)


def _take_back(
    order: models.Order,
    key: str,
    digest: str,
    lines: Sequence[ReturnedLine],
    reason: str,
    actor: fulfilment.Actor,
    now: datetime,
) -> models.Return:
    sold = {line.product_id: line for line in order.lines.prefetch_related("returns")}
    wanted: Counter[str] = Counter()
    for one in lines:
        wanted[one.product_id] += one.quantity
    fulfilment.check_units(order, sold, wanted)
    returned = models.Return.objects.create(
        id=ids.new_id(),
        order=order,
        key=key,
        digest=digest,
        reason=reason,
        actor=actor.user_id,
        at=now,
    )
    units: Counter[tuple[str, bool]] = Counter()
    for line in lines:
        units[line.product_id, line.damaged] += line.quantity
    models.ReturnLine.objects.bulk_create(
        models.ReturnLine(returned=returned, line=sold[product_id], quantity=quantity, damaged=damaged)
        for (product_id, damaged), quantity in units.items()
    )
    ended = return_requests.end_requests(order, returned, wanted, actor=actor, now=now)
    _publish_return(order, returned, units, sold, ended, now)
    back = models.ReturnLine.objects.filter(line__order=order).values_list("quantity", flat=True)
    if sum(back) == order.quantity:
        order.fact(_Fact.RETURNED, now=now, detail=reason).save()
    return returned


def _publish_return(
    order: models.Order,
    returned: models.Return,
    units: Counter[tuple[str, bool]],
    sold: dict[str, models.OrderLine],
    ended: Sequence[models.ReturnRequest],
    now: datetime,
) -> None:
    publishing.publish(
        order,
        contracts.events.OrderReturned,
        now=now,
        about=returned.id,
        return_id=returned.id,
        reason=returned.reason,
        request_ids=tuple(request.id for request in ended),
        lines=tuple(
            contracts.events.ReturnedUnits(product_id=product_id, quantity=quantity, damaged=damaged)
            for (product_id, damaged), quantity in units.items()
        ),
    )
    for owner_id in order.owners:
        of_lines: Counter[int] = Counter()
        for (product_id, _), quantity in units.items():
            if sold[product_id].owner_id == owner_id:
                of_lines[sold[product_id].pk] += quantity
        publishing.notify_sellers(
            order,
            contracts.events.LinesReturned,
            now=now,
            units=of_lines,
            about=returned.id,
            reason=returned.reason,
            request_ids=tuple(request.id for request in ended if request.owner_id == owner_id),
        )
