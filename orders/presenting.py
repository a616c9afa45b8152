"""Orders as REST shows them: the whole to their buyer and to operators, to a seller their own part."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from auction_project.kernel import instants, money
from orders import models, returnable, selectors

ADDRESS = "postal address"  # what a record of a look names
Role = Literal["buyer", "seller", "operator"]


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """Who reads. An operator reads every order."""

    user_id: str
    is_operator: bool = False

    def role_in(self, order: models.Order) -> Role:
        """What the viewer is to an order that they may see."""
        if self.is_operator:
            return "operator"
        return "buyer" if self.user_id == order.user_id else "seller"


def order(order: models.Order, payment: models.Payment | None, viewer: Viewer) -> dict[str, Any]:
    """One order of a list."""
    is_seller = viewer.role_in(order) == "seller"
    lines = order.lines_of(viewer.user_id) if is_seller else list(order.lines.all())
    shipping = 0 if is_seller else order.shipping
    amount = sum(line.amount for line in lines) if is_seller else order.amount
    return {
        "number": order.number,
        "status": order.status,
        "title": lines[0].title if is_seller else order.title,
        "lines": [
            {
                "product_id": line.product_id,
                "seller_id": line.owner_id,
                "title": line.title,
                "quantity": line.quantity,
                "amount": money.format(line.amount, order.currency),
                "auction_id": line.auction_id or None,
            }
            for line in lines
        ],
        "quantity": sum(line.quantity for line in lines),
        "shipping": money.format(shipping, order.currency),
        "amount": money.format(amount, order.currency),
        "currency": order.currency,
        "placed_at": instants.of(order.placed_at),
        "sale_id": order.sale_id,
        "auction_id": order.auction_id,
        "payment": payment.state if payment and not is_seller else None,
    }


def detail(stored: models.Order, viewer: Viewer, *, now: datetime) -> dict[str, Any]:
    """The whole order, as far as the viewer may see it."""
    role = viewer.role_in(stored)
    payment = selectors.get_payments([stored.number]).get(stored.number)
    own = viewer.user_id if role == "seller" else None
    refunds = [] if own is not None else list(models.Refund.of_orders([stored.number]))
    happenings = selectors.list_happenings(stored, for_operator=role == "operator", of_seller=own)
    body = order(stored, payment, viewer) | {
        "role": role,
        "address": models.OrderAddress.of(stored),
        "shipments": _shipments(stored, own),
        "refunds": [_refund(refund, stored.currency) for refund in refunds],
        "refunded": money.format(sum(refund.amount for refund in refunds), stored.currency),
        "returns": _returns(stored, own),
        "return_requests": _return_requests(stored, viewer, own),
        "returnable": _returnable(stored, viewer, now),
        "possible": possible(stored, payment, viewer, now=now),
        "timeline": [_happening(line) for line in happenings],
    }
    if role == "operator":
        body |= {"user_id": stored.user_id, "risk": _risk(selectors.get_risk(number=stored.number))}
    return body


def possible(
    order: models.Order, payment: models.Payment | None, viewer: Viewer, *, now: datetime
) -> list[str]:
    """What the viewer may do with the order now: ship, deliver, cancel, refund, return, ask for a return, decide one or withdraw it."""
    role = viewer.role_in(order)
    own = viewer.user_id if role == "seller" else None
    facts = models.OrderFact.Kind
    if not order.has(facts.CONFIRMED) or order.has(facts.CANCELLED):
        return []
    shipments = {shipment.owner_id: shipment for shipment in order.shipments.all()}
    parts = [owner for owner in order.owners if own in (None, owner)] if role != "buyer" else []
    operates, sold = role == "operator", order.quantity
    answers = {name for request in order.return_requests.all() for name in answers_to(request, viewer)}
    back = sum(line.quantity for returned in order.returns.all() for line in returned.lines.all())
    can = {
        "ship": any(part not in shipments for part in parts),
        "deliver": any(part in shipments and not shipments[part].delivered_at for part in parts),
        "cancel": role != "seller" and not shipments,
        "refund": operates and payment is not None and models.Refund.refundable(payment) > 0,
        "return": operates and bool(shipments) and back < sold,
        "ask_return": bool(_returnable(order, viewer, now)),
        "decide_return": not answers.isdisjoint({"accept", "decline"}),
        "withdraw_return": "withdraw" in answers,
    }
    return [name for name, is_possible in can.items() if is_possible]


def answers_to(request: models.ReturnRequest, viewer: Viewer) -> list[str]:
    """What the viewer may make of a buyer's request now: accept, decline or withdraw it."""
    targets = {"accept": models.ReturnState.ACCEPTED, "decline": models.ReturnState.DECLINED}
    decisions = [
        name
        for name, target in targets.items()
        if request.may_be_decided(target, viewer.user_id, is_operator=viewer.is_operator)
    ]
    return decisions + ["withdraw"] * request.may_be_withdrawn(viewer.user_id)


def _shipments(order: models.Order, own: str | None) -> list[dict[str, Any]]:
    return [
        {
            "seller_id": shipment.owner_id,
            "carrier": shipment.carrier,
            "tracking_number": shipment.tracking_number,
            "shipped_at": instants.of(shipment.at),
            "delivered_at": instants.of(shipment.delivered_at) if shipment.delivered_at else None,
        }
        for shipment in order.shipments.all()
        if own in (None, shipment.owner_id)
    ]


def _refund(refund: models.Refund, currency: str) -> dict[str, Any]:
    return {
        "id": refund.id,
        "amount": money.format(refund.amount, currency),
        "reason": refund.reason,
        "status": refund.state,
        "at": instants.of(refund.created_at),
        "done_at": instants.of(refund.done_at) if refund.done_at else None,
    }


def _returns(order: models.Order, own: str | None) -> list[dict[str, Any]]:
    shown = []
    for returned in order.returns.all():
        lines = [line for line in returned.lines.all() if own in (None, line.line.owner_id)]
        if lines:
            shown.append(
                {
                    "id": returned.id,
                    "reason": returned.reason,
                    "at": instants.of(returned.at),
                    "lines": [
                        {
                            "product_id": line.line.product_id,
                            "quantity": line.quantity,
                            "damaged": line.damaged,
                        }
                        for line in lines
                    ],
                }
            )
    return shown


def _return_requests(order: models.Order, viewer: Viewer, own: str | None) -> list[dict[str, Any]]:
    return [
        {
            "id": request.id,
            "seller_id": request.owner_id,
            "status": request.state,
            "reason": request.reason,
            "at": instants.of(request.at),
            "lines": [
                {"product_id": line.line.product_id, "quantity": line.quantity}
                for line in request.lines.all()
            ],
            "answer": decision.detail if (decision := request.decision) else "",
            "decided_at": instants.of(decision.at) if decision else None,
            "possible": answers_to(request, viewer),
        }
        for request in order.return_requests.all()
        if own in (None, request.owner_id)
    ]


def _returnable(order: models.Order, viewer: Viewer, now: datetime) -> list[dict[str, Any]]:
    if viewer.user_id != order.user_id:
        return []
    return [
        {
            "product_id": one.line.product_id,
            "quantity": one.quantity,
            "until": instants.of(one.until),
        }
        for one in returnable.lines(order, now=now)
    ]


def _happening(line: selectors.Happening) -> dict[str, Any]:
    return {"at": instants.of(line.at), "about": line.about, "kind": line.kind, "detail": line.detail}


def _risk(assessment: models.RiskAssessment | None) -> dict[str, Any] | None:
    if assessment is None:
        return None
    return {"score": assessment.score, "limit": assessment.limit, "reasons": assessment.reasons}
