"""REST: my orders with their timelines, statistics for operators, and my simulated card. See `urls`.

Amounts are decimal strings with a currency beside them. Instants are milliseconds since the epoch.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular import utils as openapi
from rest_framework import request, response, serializers, views

from auction_project.kernel import instants, money
from auction_project.kernel.http import api_schemas, paging, rest
from orders import card_numbers, exceptions, models, risk, selectors, services

MAX_DAYS, DAYS = 366, 30
_NUMBER = re.compile(r"[A-Za-z0-9-]{1,20}")
_CARD_HELP = "A test number, with or without spaces: " + "; ".join(
    f"`{number}` {behaviour}" for number, behaviour in card_numbers.TEST_NUMBERS.items()
)


# --- what goes in ------------------------------------------------------------------------------------------------


class OrdersQuery(paging.PageQuery):
    """A page of the list, and what it is narrowed to."""

    status = serializers.ChoiceField(models.OrderFact.Kind.values, default="", allow_blank=True)
    number = serializers.RegexField(
        rf"^({_NUMBER.pattern})?\Z",
        default="",
        allow_blank=True,
        help_text="Only this order. There is none while its sale is under way.",
    )
    auction_id = serializers.CharField(
        default="", allow_blank=True, max_length=100, help_text="Only orders of this auction."
    )


class StatisticsQuery(rest.StrictSerializer):
    """How far the numbers reach back."""

    days = serializers.IntegerField(
        min_value=1, max_value=MAX_DAYS, default=DAYS, help_text="Today and the days before it (UTC)."
    )


class CardQuery(rest.StrictSerializer):
    """What an account without a card gets."""

    optional = serializers.BooleanField(
        default=False, help_text="Answer 204 instead of 404 when there is no card: that is no error then."
    )


class CardBody(rest.StrictSerializer):
    """The number of a test card, of which only the last four digits are kept."""

    number = serializers.CharField(max_length=card_numbers.MAX_NUMBER_CHARACTERS, help_text=_CARD_HELP)


# --- what comes out ----------------------------------------------------------------------------------------------


class Order(serializers.Serializer[Any]):
    """One order as it is now. `payment` is null while none was begun."""

    number = serializers.CharField()
    status = serializers.ChoiceField(models.OrderFact.Kind.values)
    title = serializers.CharField()
    quantity = serializers.IntegerField()
    amount = serializers.CharField(help_text='The total, a decimal string such as "125.50".')
    currency = serializers.CharField()
    placed_at = serializers.IntegerField(help_text="Milliseconds since the epoch.")
    sale_id = serializers.CharField()
    auction_id = serializers.CharField()
    product_id = serializers.CharField()
    payment = serializers.ChoiceField(models.PaymentState.values, allow_null=True)


class Happening(serializers.Serializer[Any]):
    """One line of an order's timeline. `detail` is for people."""

    at = serializers.IntegerField(help_text="Milliseconds since the epoch.")
    about = serializers.ChoiceField(("order", "payment"))
    kind = serializers.CharField()
    detail = serializers.CharField()


class Reason(serializers.Serializer[Any]):
    """A rule that applies to the sale, and the points that it adds to the score."""

    rule = serializers.CharField()
    points = serializers.IntegerField()
    detail = serializers.CharField()


class Risk(serializers.Serializer[Any]):
    """The points of a sale with their reasons; a score above `limit` is refused."""

    score = serializers.IntegerField()
    limit = serializers.IntegerField()
    reasons = Reason(many=True)


class OrderDetail(Order):
    """An order with its timeline."""

    timeline = Happening(many=True)
    user_id = serializers.CharField(required=False, help_text="For operators.")
    risk = Risk(required=False, allow_null=True, help_text="For operators.")


class OrderPage(paging.Page):
    items = Order(many=True)


class Tally(serializers.Serializer[Any]):
    """How many orders have this status and currency, and their sum as a decimal string."""

    status = serializers.ChoiceField(models.OrderFact.Kind.values)
    currency = serializers.CharField()
    orders = serializers.IntegerField()
    amount = serializers.CharField()


class DayTally(Tally):
    """The same for the orders that were placed on one day (UTC)."""

    day = serializers.DateField()


class Statistics(serializers.Serializer[Any]):
    """The orders that were placed since `since`, in all and by day."""

    since = serializers.IntegerField(help_text="Milliseconds since the epoch.")
    by_status = Tally(many=True)
    by_day = DayTally(many=True)


class Card(serializers.Serializer[Any]):
    """The card on file. `behaviour` is what the simulated provider does with it."""

    brand = serializers.CharField()
    last4 = serializers.CharField()
    behaviour = serializers.ChoiceField(sorted(set(card_numbers.TEST_NUMBERS.values())))
    usable = serializers.BooleanField(help_text="Whether the user may bid with it.")
    unusable_reason = serializers.ChoiceField(
        ("declined",),
        allow_null=True,
        help_text="`declined`: a payment with this card was declined. Put another card on file to bid again.",
    )


# --- views -------------------------------------------------------------------------------------------------------


class OrdersView(views.APIView):
    @openapi.extend_schema(
        operation_id="list_orders", parameters=[OrdersQuery], responses=OrderPage, tags=["orders"]
    )
    def get(self, request: request.Request) -> response.Response:
        """My orders, newest first."""
        query = OrdersQuery.of(request.query_params)
        matching = selectors.list_orders(
            user_id=request.user.sub,
            status=query["status"] or None,
            number=query["number"] or None,
            auction_id=query["auction_id"] or None,
        )
        total, size = matching.count(), query["page_size"]
        start = (query["page"] - 1) * size
        orders = list(matching[start : start + size])
        payments = selectors.get_payments(order.number for order in orders)
        items = [_order(order, payments.get(order.number)) for order in orders]
        return response.Response(paging.page_of(items=items, page=query["page"], page_size=size, total=total))


class OrderView(views.APIView):
    @openapi.extend_schema(responses=OrderDetail, tags=["orders"])
    def get(self, request: request.Request, number: str) -> response.Response:
        """One of my orders with all that happened to it. Operators: any order, with its risk."""
        if not _NUMBER.fullmatch(number):
            raise exceptions.OrderNotFound
        for_operator = request.user.has("operator")
        order = selectors.get_order(number=number, user_id=None if for_operator else request.user.sub)
        payment = selectors.get_payments([number]).get(number)
        happenings = selectors.list_happenings(order, for_operator=for_operator)
        body = _order(order, payment) | {"timeline": [_happening(line) for line in happenings]}
        if for_operator:
            body |= {"user_id": order.user_id, "risk": _risk(selectors.get_risk(number=number))}
        return response.Response(body)


class StatisticsView(views.APIView):
    permission_classes = (rest.has_role("operator"),)

    @openapi.extend_schema(parameters=[StatisticsQuery], responses=Statistics, tags=["orders"])
    def get(self, request: request.Request) -> response.Response:
        """Numbers and sums of orders by status and currency, in all and by day (operators)."""
        days = StatisticsQuery.of(request.query_params)["days"]
        today = datetime.combine(timezone.now().astimezone(UTC), datetime.min.time(), UTC)
        since = today - timedelta(days=days - 1)
        tallies = selectors.get_tallies(since=since)
        return response.Response(
            {
                "since": instants.of(since),
                "by_status": _totals(tallies),
                "by_day": [
                    {"day": tally.day.date().isoformat()}
                    | _tally((tally.status, tally.currency), tally.orders, tally.amount)
                    for tally in tallies
                ],
            }
        )


class CardView(views.APIView):
    @openapi.extend_schema(
        parameters=[CardQuery],
        responses={200: Card, 204: None, 404: api_schemas.refusal("no_card")},
        tags=["card"],
    )
    def get(self, request: request.Request) -> response.Response:
        """My card. Without one 404, or 204 with `optional`."""
        is_optional = CardQuery.of(request.query_params)["optional"]
        try:
            card = selectors.get_card(user_id=request.user.sub)
        except exceptions.NoCard:
            if not is_optional:
                raise
            return response.Response(status=204)
        return response.Response(_card(card))

    @openapi.extend_schema(
        request=CardBody, responses={200: Card, 403: api_schemas.refusal("may_not_buy")}, tags=["card"]
    )
    def put(self, request: request.Request) -> response.Response:
        """Put a simulated card on file, in place of another. Only test numbers are accepted, and none is stored."""
        body = CardBody.of(request.data)
        card = services.set_card(user_id=request.user.sub, number=body["number"], now=timezone.now())
        return response.Response(_card(card))

    @openapi.extend_schema(
        request=None, responses={204: None, 404: api_schemas.refusal("no_card")}, tags=["card"]
    )
    def delete(self, request: request.Request) -> response.Response:
        """Remove my card."""
        services.remove_card(user_id=request.user.sub, now=timezone.now())
        return response.Response(status=204)


# --- translation -------------------------------------------------------------------------------------------------


def _order(order: models.Order, payment: models.Payment | None) -> dict[str, Any]:
    return {
        "number": order.number,
        "status": order.status,
        "title": order.title,
        "quantity": order.quantity,
        "amount": money.format(order.amount, order.currency),
        "currency": order.currency,
        "placed_at": instants.of(order.placed_at),
        "sale_id": order.sale_id,
        "auction_id": order.auction_id,
        "product_id": order.product_id,
        "payment": payment.state if payment else None,
    }


def _happening(line: selectors.Happening) -> dict[str, Any]:
    return {"at": instants.of(line.at), "about": line.about, "kind": line.kind, "detail": line.detail}


def _risk(assessment: models.RiskAssessment | None) -> dict[str, Any] | None:
    if assessment is None:
        return None
    return {"score": assessment.score, "limit": risk.LIMIT, "reasons": assessment.reasons}


def _totals(tallies: list[selectors.Tally]) -> list[dict[str, Any]]:
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for tally in tallies:
        orders, amount = sums.get((tally.status, tally.currency), (0, 0))
        sums[tally.status, tally.currency] = (orders + tally.orders, amount + tally.amount)
    return [_tally(group, *sums[group]) for group in sorted(sums)]


def _tally(group: tuple[str, str], orders: int, amount: int) -> dict[str, Any]:
    status, currency = group
    return {
        "status": status,
        "currency": currency,
        "orders": orders,
        "amount": money.format(amount, currency),
    }


def _card(card: models.Card) -> dict[str, Any]:
    return {
        "brand": card.brand,
        "last4": card.last4,
        "behaviour": card.behaviour,
        "usable": card.is_usable,
        "unusable_reason": None if card.is_usable else "declined",
    }
