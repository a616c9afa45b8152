"""REST: my orders with their timelines, as their buyer or as the seller of their lines, statistics for operators, and my simulated card. See `urls`.

Amounts are decimal strings with a currency beside them. Instants are milliseconds since the epoch.
"""

import re
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.utils import timezone
from drf_spectacular import utils as openapi
from rest_framework import request, response, serializers, views

from auction_project.kernel import errors, instants, money, people
from auction_project.kernel.http import api_schemas, paging, rest
from orders import address_api, card_numbers, exceptions, models, presenting, selectors, services

MAX_DAYS, DAYS = 366, 30
MAX_INSTANT = 10**14  # the year 5138
_NUMBER = re.compile(r"[A-Za-z0-9-]{1,20}")
_CARD_HELP = "A test number, with or without spaces: " + "; ".join(
    f"`{number}` {behaviour}" for number, behaviour in card_numbers.TEST_NUMBERS.items()
)


# --- what goes in ------------------------------------------------------------------------------------------------


class OrdersQuery(paging.PageQuery):
    """A page of the list, and what it is narrowed to."""

    status = serializers.ChoiceField(models.OrderFact.Kind.values, default="", allow_blank=True)
    role = serializers.ChoiceField(
        ("buyer", "seller", "operator"),
        default="buyer",
        help_text="What I am to them: I bought them, I sell some of their lines, or I work here (operators).",
    )
    placed_from = serializers.IntegerField(
        default=None, allow_null=True, min_value=0, max_value=MAX_INSTANT, help_text=api_schemas.INSTANT
    )
    placed_until = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=0,
        max_value=MAX_INSTANT,
        help_text="Only orders that were placed before it. " + api_schemas.INSTANT,
    )
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
        min_value=1,
        max_value=MAX_DAYS,
        default=DAYS,
        help_text="Today and the days before it, as days of the house.",
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


class OrderLine(serializers.Serializer[Any]):
    """`quantity` units of one product for `amount` in all."""

    product_id = serializers.CharField()
    seller_id = serializers.CharField(help_text="Who sells and ships it; empty in an old order.")
    title = serializers.CharField()
    quantity = serializers.IntegerField()
    amount = serializers.CharField(help_text="The line's total, a decimal string.")
    auction_id = serializers.CharField(
        allow_null=True, help_text="The lot that an order of the shop paid with others."
    )


class Order(serializers.Serializer[Any]):
    """One order as it is now; to a seller, their lines and the total of these. `payment` is null while none was begun, and to
    sellers; `auction_id` is empty for an order of the shop."""

    number = serializers.CharField()
    status = serializers.ChoiceField(models.OrderFact.Kind.values)
    title = serializers.CharField()
    lines = OrderLine(many=True)
    quantity = serializers.IntegerField(help_text="The units of all lines.")
    shipping = serializers.CharField(help_text="A decimal string.")
    amount = serializers.CharField(help_text='The total, a decimal string such as "125.50".')
    currency = serializers.CharField()
    placed_at = serializers.IntegerField(help_text="Milliseconds since the epoch.")
    sale_id = serializers.CharField()
    auction_id = serializers.CharField()
    payment = serializers.ChoiceField(models.PaymentState.values, allow_null=True)


class Happening(serializers.Serializer[Any]):
    """One line of an order's timeline. `detail` is for people."""

    at = serializers.IntegerField(help_text="Milliseconds since the epoch.")
    about = serializers.ChoiceField(("order", "payment", "shipment", "return_request", "return", "refund"))
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


class Shipment(serializers.Serializer[Any]):
    """The lines of one seller on their way."""

    seller_id = serializers.CharField()
    carrier = serializers.CharField()
    tracking_number = serializers.CharField()
    shipped_at = serializers.IntegerField(help_text=api_schemas.INSTANT)
    delivered_at = serializers.IntegerField(allow_null=True, help_text=api_schemas.INSTANT)


class Refund(serializers.Serializer[Any]):
    """Money that goes back; it is PENDING until the provider has made it."""

    id = serializers.CharField()
    amount = api_schemas.MoneyField()
    reason = serializers.CharField()
    status = serializers.ChoiceField(models.RefundState.values)
    at = serializers.IntegerField(help_text=api_schemas.INSTANT)
    done_at = serializers.IntegerField(allow_null=True, help_text=api_schemas.INSTANT)


class ReturnedLine(serializers.Serializer[Any]):
    """So many units of a product came back."""

    product_id = serializers.CharField()
    quantity = serializers.IntegerField()
    damaged = serializers.BooleanField()


class Return(serializers.Serializer[Any]):
    """Units that came back."""

    id = serializers.CharField()
    reason = serializers.CharField()
    at = serializers.IntegerField(help_text=api_schemas.INSTANT)
    lines = ReturnedLine(many=True)


class RequestedLine(serializers.Serializer[Any]):
    """So many units of a product that the buyer wants to return."""

    product_id = serializers.CharField()
    quantity = serializers.IntegerField()


class ReturnRequest(serializers.Serializer[Any]):
    """What the buyer asks to return, of the lines of one seller. `possible` names what the reader may make of it now."""

    id = serializers.CharField()
    seller_id = serializers.CharField()
    status = serializers.ChoiceField(models.ReturnState.values)
    reason = serializers.CharField()
    at = serializers.IntegerField(help_text=api_schemas.INSTANT)
    lines = RequestedLine(many=True)
    answer = serializers.CharField(help_text="What its seller or an operator wrote to it, or empty.")
    decided_at = serializers.IntegerField(allow_null=True, help_text=api_schemas.INSTANT)
    possible = serializers.ListField(child=serializers.ChoiceField(("accept", "decline", "withdraw")))


class ReturnableLine(serializers.Serializer[Any]):
    """So many units of a product may be asked for until that instant."""

    product_id = serializers.CharField()
    quantity = serializers.IntegerField()
    until = serializers.IntegerField(help_text=api_schemas.INSTANT)


class OrderDetail(Order):
    """An order with all that happened to it. `possible` names what the reader may do with it now."""

    role = serializers.ChoiceField(("buyer", "seller", "operator"), help_text="What the reader is to it.")
    address = address_api.PostalAddress(allow_null=True, help_text="Where the order goes.")
    shipments = Shipment(many=True)
    refunds = Refund(many=True)
    refunded = api_schemas.MoneyField(help_text="The sum of all refunds, also of those on their way.")
    returns = Return(many=True)
    return_requests = ReturnRequest(many=True)
    returnable = ReturnableLine(many=True, help_text="What its buyer may ask to return now.")
    possible = serializers.ListField(
        child=serializers.ChoiceField(
            (
                *("ship", "deliver", "cancel", "refund", "return"),
                *("ask_return", "decide_return", "withdraw_return"),
            )
        )
    )
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
    """The same for the orders that were placed on one day of the house."""

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
        operation_id="list_orders",
        parameters=[OrdersQuery],
        responses={200: OrderPage, 403: api_schemas.refusal("forbidden")},
        tags=["orders"],
    )
    def get(self, request: request.Request) -> response.Response:
        """My orders, newest first; with `role`, those whose lines I sell, or all (operators)."""
        query, viewer = OrdersQuery.of(request.query_params), viewer_of(request)
        if query["role"] == "operator" and not viewer.is_operator:
            raise errors.Forbidden("Only operators see all orders.", field="role")
        matching = selectors.list_orders(
            user_id=viewer.user_id if query["role"] == "buyer" else None,
            seller_id=viewer.user_id if query["role"] == "seller" else None,
            status=query["status"] or None,
            number=query["number"] or None,
            auction_id=query["auction_id"] or None,
            placed_from=_moment(query["placed_from"]),
            placed_until=_moment(query["placed_until"]),
        )
        as_role = msgspec.structs.replace(viewer, is_operator=query["role"] == "operator")
        total, size = matching.count(), query["page_size"]
        start = (query["page"] - 1) * size
        orders = list(matching[start : start + size])
        payments = selectors.get_payments(order.number for order in orders)
        items = [presenting.order(order, payments.get(order.number), as_role) for order in orders]
        return response.Response(paging.page_of(items=items, page=query["page"], page_size=size, total=total))


class OrderView(views.APIView):
    @openapi.extend_schema(responses=OrderDetail, tags=["orders"])
    def get(self, request: request.Request, number: str) -> response.Response:
        """One of my orders with all that happened to it; of one that I sell, my part. Operators: any, with its risk."""
        check_number(number)
        viewer = viewer_of(request)
        order = selectors.get_order(number=number, seen_by=None if viewer.is_operator else viewer.user_id)
        return response.Response(detail(request, order))


class StatisticsView(views.APIView):
    permission_classes = (rest.has_role("operator"),)

    @openapi.extend_schema(parameters=[StatisticsQuery], responses=Statistics, tags=["orders"])
    def get(self, request: request.Request) -> response.Response:
        """Numbers and sums of orders by status and currency, in all and by day (operators)."""
        days = StatisticsQuery.of(request.query_params)["days"]
        today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
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


def detail(request: request.Request, order: models.Order) -> dict[str, Any]:
    """The order as its reader may see it. That an operator reads where it goes is recorded."""
    viewer = viewer_of(request)
    shown = presenting.detail(order, viewer, now=timezone.now())
    if viewer.is_operator and shown["address"]:
        people.directory().record_look(
            actor=viewer.user_id,
            user_id=order.user_id,
            page=presenting.ADDRESS,
            query=request.META["QUERY_STRING"],
        )
    return shown


def viewer_of(request: request.Request) -> presenting.Viewer:
    """Who asks."""
    return presenting.Viewer(user_id=request.user.sub, is_operator=request.user.has("operator"))


def check_number(number: str) -> None:
    """What the database cannot even compare is not there. Raises OrderNotFound."""
    if not _NUMBER.fullmatch(number):
        raise exceptions.OrderNotFound


def _moment(instant: int | None) -> datetime | None:
    return None if instant is None else instants.moment(instant)


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
