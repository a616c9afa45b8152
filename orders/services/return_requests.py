"""Requests of buyers to return what they have: asked for, decided by its seller or an operator, and ended by the buyer or the return.

    request_return   ASKED: one request for each part that the lines are of
    decide_return    ACCEPTED or DECLINED
    withdraw_return  WITHDRAWN: the buyer keeps what they have
    escalate_returns operators are asked, too, for what a seller leaves unanswered
    end_requests     RETURNED: a part of the transaction that notes the return

Each is one transaction, which locks the order, so that they and a return come one after the other. A repeat changes
nothing. A request moves neither units nor money.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Value
from django.db.models.functions import Concat

from auction_project.kernel import contracts, errors, ids, instants
from auction_project.kernel.messaging import once, outbox
from orders import exceptions, models, returnable
from orders.services import fulfilment, publishing

Units = contracts.events.Units
_State = models.ReturnState
_Notice = type[contracts.events.SellerNotice]
_ESCALATED = "escalated:"  # begins the key of a request that operators were asked for
ESCALATED_AT_ONCE = 50


def request_return(
    *,
    order_number: str,
    key: str,
    lines: Sequence[Units],
    reason: str,
    actor: fulfilment.Actor,
    now: datetime,
) -> list[models.ReturnRequest]:
    """Ask to return so many units of each product, unless that was asked under `key` already: a request for each seller of them, or
    none at all. Only the buyer does.

    Raises OrderNotFound, NotForYou, OrderNotShipped, TooManyReturned, ReturnTooLate, ReturnAskedAlready, InvalidText, and KeyReused
    for a key of other lines.
    """
    reason = fulfilment.checked_text("reason", reason, models.MAX_REASON_CHARACTERS)
    digest = hashlib.sha256(msgspec.json.encode([list(lines), reason])).hexdigest()
    with transaction.atomic(using=models.DATABASE), outbox.gathered(models.DATABASE):
        order = fulfilment.locked(order_number, actor)
        if actor.user_id != order.user_id:
            raise exceptions.NotForYou
        present = list(order.return_requests.filter(key=key))
        if any(request.digest != digest for request in present):
            raise errors.KeyReused
        if present:
            return present
        wanted: Counter[str] = Counter()
        for line in lines:
            wanted[line.product_id] += line.quantity
        sold = {line.product_id: line for line in order.lines.prefetch_related("returns")}
        fulfilment.check_units(order, sold, wanted)
        units = {sold[product_id]: quantity for product_id, quantity in wanted.items()}
        parts = [owner_id for owner_id in order.owners if any(line.owner_id == owner_id for line in units)]
        _check_parts(order, parts, now)
        return [
            _ask(
                models.ReturnRequest(
                    id=ids.new_id(),
                    order=order,
                    owner_id=owner_id,
                    key=key,
                    digest=digest,
                    reason=reason,
                    at=now,
                ),
                {line: quantity for line, quantity in units.items() if line.owner_id == owner_id},
            )
            for owner_id in parts
        ]


def decide_return(
    *,
    order_number: str,
    request_id: str,
    accept: bool,
    reason: str,
    actor: fulfilment.Actor,
    now: datetime,
) -> models.ReturnRequest:
    """Accept the request, or decline it; the buyer reads the reason, which only an acceptance can do without. A repeat changes nothing.

    Its seller decides, or an operator who is not its buyer. An operator may still decline what was accepted: nothing came back.

    Raises OrderNotFound, ReturnRequestNotFound, NotForYou, ReturnDecided, InvalidText.
    """
    reason = fulfilment.checked_text("reason", reason, models.MAX_REASON_CHARACTERS, may_be_empty=accept)
    target = _State.ACCEPTED if accept else _State.DECLINED
    with transaction.atomic(using=models.DATABASE), outbox.gathered(models.DATABASE):
        request = _get(fulfilment.locked(order_number, actor), request_id, actor)
        if not request.is_decided_by(actor.user_id, is_operator=actor.is_operator):
            raise exceptions.NotForYou
        decision = request.decision
        if decision is not None and (decision.kind, decision.detail) == (target, reason):
            return request
        if not request.may_be_decided(target, actor.user_id, is_operator=actor.is_operator):
            raise exceptions.ReturnDecided(state=request.state)
        _decide(request, target, reason, actor, now)
        return request


def withdraw_return(
    *, order_number: str, request_id: str, actor: fulfilment.Actor, now: datetime
) -> models.ReturnRequest:
    """The buyer keeps what they asked to return, also after it was accepted, and may ask again. A repeat changes nothing.

    Raises OrderNotFound, ReturnRequestNotFound, NotForYou, ReturnDecided.
    """
    with transaction.atomic(using=models.DATABASE), outbox.gathered(models.DATABASE):
        order = fulfilment.locked(order_number, actor)
        request = _get(order, request_id, actor)
        if actor.user_id != order.user_id:
            raise exceptions.NotForYou
        if request.state == _State.WITHDRAWN:
            return request
        if not request.may_be_withdrawn(actor.user_id):
            raise exceptions.ReturnDecided(state=request.state)
        request.become(_State.WITHDRAWN, now=now, actor=actor.user_id, detail="")
        publishing.publish(
            order,
            contracts.events.ReturnWithdrawn,
            now=now,
            about=request.id,
            request_id=request.id,
            seller_id=request.owner_id,
        )
        seller, house = contracts.events.LinesReturnWithdrawn, contracts.events.HouseReturnWithdrawn
        _notify(request, seller, house, now=now, reason=request.reason)
        return request


def end_requests(
    order: models.Order,
    returned: models.Return,
    product_ids: Collection[str],
    *,
    actor: fulfilment.Actor,
    now: datetime,
) -> list[models.ReturnRequest]:
    """In the open transaction, with the order locked: units of these products are back, which ends the running requests for any of them.
    One that nobody has decided is accepted so."""
    running = order.return_requests.filter(
        state__in=[_State.ASKED, _State.ACCEPTED], lines__line__product_id__in=product_ids
    )
    ended = list(running.distinct())
    for request in ended:
        request.order = order
        if request.state == _State.ASKED:
            _decide(request, _State.ACCEPTED, returned.reason, actor, now)
        request.become(
            _State.RETURNED, now=now, actor=actor.user_id, detail=returned.reason, returned=returned
        )
    return ended


def escalate_returns(*, now: datetime) -> int:
    """Ask operators for an answer where a seller has given none for RETURN_DECIDE_DAYS, once for each request; how many, at most
    ESCALATED_AT_ONCE: the next call goes on."""
    with transaction.atomic(using=models.DATABASE), outbox.gathered(models.DATABASE):
        overdue = models.ReturnRequest.objects.filter(
            ~Exists(models.Once.objects.filter(pk=Concat(Value(_ESCALATED), OuterRef("pk")))),
            state=_State.ASKED,
            at__lte=now - timedelta(days=settings.RETURN_DECIDE_DAYS),
        ).exclude(owner_id__in=["", ids.HOUSE])  # operators have answered for these from the start
        found = dict(overdue.values_list("pk", "order_id")[:ESCALATED_AT_ONCE])
        orders = models.Order.locked(sorted(set(found.values())))
        waiting = list(overdue.filter(pk__in=found))  # some may be answered by now, or another call was first
        house = contracts.events.HouseReturnRequested
        for request in waiting:
            request.order = orders[request.order_id]
            _notify(request, house, house, now=now, reason=request.reason)
        keys = [_ESCALATED + request.pk for request in waiting]
        once.record(models.Once, keys, once.State.DONE, now=now)
        return len(waiting)


def _get(order: models.Order, request_id: str, actor: fulfilment.Actor) -> models.ReturnRequest:
    """The request, with this locked order. Raises ReturnRequestNotFound."""
    request = order.return_requests.filter(pk=request_id).first() if ids.is_id(request_id) else None
    if request is None or not _sees(actor, request):
        raise exceptions.ReturnRequestNotFound
    request.order = order
    return request


def _sees(actor: fulfilment.Actor, request: models.ReturnRequest) -> bool:
    """Whether the request is any business of the actor, who sees its order."""
    return actor.is_operator or actor.user_id in (request.order.user_id, request.owner_id)


def _check_parts(order: models.Order, parts: Collection[str], now: datetime) -> None:
    """Raises ReturnTooLate, ReturnAskedAlready."""
    shipments = {shipment.owner_id: shipment for shipment in order.shipments.select_related("delivery")}
    for owner_id in parts:
        if not returnable.may_ask(shipments[owner_id], now=now):
            until = instants.of(returnable.until(shipments[owner_id]))
            raise exceptions.ReturnTooLate(until=until, days=settings.RETURN_DAYS)
    running = {request.owner_id for request in order.return_requests.all() if request.is_running}
    if running & set(parts):
        raise exceptions.ReturnAskedAlready


def _ask(request: models.ReturnRequest, units: dict[models.OrderLine, int]) -> models.ReturnRequest:
    models.ReturnRequest.ask(request, units)
    order = request.order
    publishing.publish(
        order,
        contracts.events.ReturnRequested,
        now=request.at,
        about=request.id,
        request_id=request.id,
        seller_id=request.owner_id,
        reason=request.reason,
        lines=tuple(Units(product_id=line.product_id, quantity=quantity) for line, quantity in units.items()),
    )
    seller, house = contracts.events.LinesReturnRequested, contracts.events.HouseReturnRequested
    _notify(request, seller, house, now=request.at, reason=request.reason)
    return request


def _decide(
    request: models.ReturnRequest, target: str, reason: str, actor: fulfilment.Actor, now: datetime
) -> None:
    request.become(target, now=now, actor=actor.user_id, detail=reason)
    order, about = request.order, f"{request.id}:{target}"
    accepted = target == _State.ACCEPTED
    publishing.publish(
        order,
        contracts.events.ReturnDecided,
        now=now,
        about=about,
        request_id=request.id,
        seller_id=request.owner_id,
        accepted=accepted,
        reason=reason,
    )
    seller, house = contracts.events.LinesReturnDecided, contracts.events.HouseReturnDecided
    _notify(request, seller, house, now=now, about=about, accepted=accepted, reason=reason)


def _notify(
    request: models.ReturnRequest,
    of_seller: _Notice,
    of_house: _Notice,
    *,
    now: datetime,
    about: str = "",
    **details: Any,
) -> None:
    """To its seller; to operators for the house, and also for a seller once they were asked, too."""
    is_escalated = models.Once.objects.filter(pk=_ESCALATED + request.id).exists()
    for event_type in (of_seller, of_house) if is_escalated else (of_seller,):
        publishing.notify_sellers(
            request.order,
            event_type,
            of_house=of_house,
            now=now,
            units=dict(request.lines.values_list("line", "quantity")),
            about=about or request.id,
            request_id=request.id,
            **details,
        )
