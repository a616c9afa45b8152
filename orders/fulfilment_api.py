"""REST: what is done with a confirmed order. Sellers ship and deliver their lines and decide what may come back, buyers cancel, ask for
returns and withdraw that, operators do all the rest.

Each answer is the order as it is afterwards. A repeat changes nothing.
"""

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular import utils as openapi
from rest_framework import request, response, serializers, views

from auction_project.kernel import money
from auction_project.kernel.http import api_schemas, idempotency, rest
from orders import api, models, selectors, services

MAX_LINES = 50


class ShipmentBody(rest.StrictSerializer):
    """The carrier that has the parcel, and its number there."""

    carrier = serializers.CharField(max_length=models.MAX_CARRIER_CHARACTERS)
    tracking_number = serializers.CharField(
        max_length=models.MAX_CARRIER_CHARACTERS, default="", allow_blank=True
    )


class CancellationBody(rest.StrictSerializer):
    """Why the order is cancelled. Buyer and seller read it."""

    reason = serializers.CharField(max_length=models.MAX_REASON_CHARACTERS)


class RefundBody(rest.StrictSerializer):
    """How much is given back, in the order's currency; without an amount, all that is left. The buyer reads the reason."""

    amount = api_schemas.AmountField(default=None, allow_null=True)
    reason = serializers.CharField(max_length=models.MAX_REASON_CHARACTERS)


class ReturnedLineBody(rest.StrictSerializer):
    """So many units of a product came back. Those that are damaged are not for sale."""

    product_id = serializers.CharField(max_length=64)
    quantity = serializers.IntegerField(min_value=1, max_value=1_000_000)
    damaged = serializers.BooleanField(default=False)


class ReturnBody(rest.StrictSerializer):
    """What came back, and why."""

    lines = ReturnedLineBody(many=True, min_length=1, max_length=MAX_LINES)
    reason = serializers.CharField(max_length=models.MAX_REASON_CHARACTERS)


class RequestedLineBody(rest.StrictSerializer):
    """So many units of a product."""

    product_id = serializers.CharField(max_length=64)
    quantity = serializers.IntegerField(min_value=1, max_value=1_000_000)


class ReturnRequestBody(rest.StrictSerializer):
    """What is to go back, and why. The seller reads the reason."""

    lines = RequestedLineBody(many=True, min_length=1, max_length=MAX_LINES)
    reason = serializers.CharField(max_length=models.MAX_REASON_CHARACTERS)


class DecisionBody(rest.StrictSerializer):
    """Whether the units may come back. The buyer reads the reason, which only an acceptance can do without."""

    accept = serializers.BooleanField()
    reason = serializers.CharField(max_length=models.MAX_REASON_CHARACTERS, default="", allow_blank=True)


class _OrderAct(views.APIView):
    """One thing that is done with the order `number`."""

    def _actor(self, request: request.Request, number: str) -> services.Actor:
        """Raises OrderNotFound for what cannot be a number."""
        api.check_number(number)
        return services.Actor(user_id=request.user.sub, is_operator=request.user.has("operator"))

    def _answer(self, request: request.Request, number: str, status: int) -> response.Response:
        order = selectors.get_order(number=number)
        return response.Response(api.detail(request, order), status=status)


_REFUSALS: dict[Any, Any] = {403: api_schemas.refusal("not_for_you")}


class ShipmentsView(_OrderAct):
    @openapi.extend_schema(
        operation_id="ship_order",
        request=ShipmentBody,
        responses={
            201: api.OrderDetail,
            409: api_schemas.refusal("already_shipped", "order_is_cancelled", "order_under_way"),
            **_REFUSALS,
        },
        tags=["orders"],
    )
    def post(self, request: request.Request, number: str) -> response.Response:
        """Ship my lines of an order. Operators: all that is not shipped yet."""
        body = ShipmentBody.of(request.data)
        services.ship_order(
            order_number=number, actor=self._actor(request, number), now=timezone.now(), **body
        )
        return self._answer(request, number, 201)


class DeliveriesView(_OrderAct):
    @openapi.extend_schema(
        operation_id="deliver_order",
        request=None,
        responses={201: api.OrderDetail, 409: api_schemas.refusal("order_not_shipped"), **_REFUSALS},
        tags=["orders"],
    )
    def post(self, request: request.Request, number: str) -> response.Response:
        """Note that my lines of an order have arrived. Operators: all that is shipped."""
        services.deliver_order(order_number=number, actor=self._actor(request, number), now=timezone.now())
        return self._answer(request, number, 201)


class CancellationView(_OrderAct):
    @openapi.extend_schema(
        operation_id="cancel_order",
        request=CancellationBody,
        responses={
            201: api.OrderDetail,
            409: api_schemas.refusal("order_is_shipped", "order_under_way"),
            **_REFUSALS,
        },
        tags=["orders"],
    )
    def post(self, request: request.Request, number: str) -> response.Response:
        """Cancel my order while nothing of it is shipped; all money goes back. Operators: any order."""
        body = CancellationBody.of(request.data)
        services.cancel_paid_order(
            order_number=number, actor=self._actor(request, number), now=timezone.now(), **body
        )
        return self._answer(request, number, 201)


class RefundsView(_OrderAct):
    permission_classes: ClassVar = (rest.has_role("operator"),)

    @openapi.extend_schema(
        operation_id="refund_order",
        parameters=[api_schemas.REQUIRED_KEY],
        request=RefundBody,
        responses={
            202: api.OrderDetail,
            409: api_schemas.refusal(
                "nothing_to_refund", "refund_too_large", "order_is_cancelled", "order_under_way"
            ),
            422: api_schemas.refusal("key_reused"),
        },
        tags=["orders"],
    )
    def post(self, request: request.Request, number: str) -> response.Response:
        """Give the money of an order back, or a part of it (operators). The provider makes it soon."""
        actor, body = self._actor(request, number), RefundBody.of(request.data)
        amount = body["amount"]
        if amount is not None:
            amount = money.parse(amount, selectors.get_order(number=number).currency)
        services.refund_order(
            order_number=number,
            key=idempotency.required_key_of(request),
            amount=amount,
            reason=body["reason"],
            actor=actor,
            now=timezone.now(),
        )
        return self._answer(request, number, 202)


class ReturnsView(_OrderAct):
    permission_classes: ClassVar = (rest.has_role("operator"),)

    @openapi.extend_schema(
        operation_id="return_units",
        parameters=[api_schemas.REQUIRED_KEY],
        request=ReturnBody,
        responses={
            201: api.OrderDetail,
            409: api_schemas.refusal("order_not_shipped", "too_many_returned"),
            422: api_schemas.refusal("key_reused"),
        },
        tags=["orders"],
    )
    def post(self, request: request.Request, number: str) -> response.Response:
        """Note that units have come back from the buyer (operators). The money is a matter of refunds."""
        actor, body = self._actor(request, number), ReturnBody.of(request.data)
        services.return_units(
            order_number=number,
            key=idempotency.required_key_of(request),
            lines=[services.ReturnedLine(**line) for line in body["lines"]],
            reason=body["reason"],
            actor=actor,
            now=timezone.now(),
        )
        return self._answer(request, number, 201)


class ReturnRequestsView(_OrderAct):
    @openapi.extend_schema(
        operation_id="request_return",
        parameters=[api_schemas.REQUIRED_KEY],
        request=ReturnRequestBody,
        responses={
            201: api.OrderDetail,
            409: api_schemas.refusal(
                "order_not_shipped", "too_many_returned", "return_too_late", "return_asked_already"
            ),
            422: api_schemas.refusal("key_reused"),
            **_REFUSALS,
        },
        tags=["orders"],
    )
    def post(self, request: request.Request, number: str) -> response.Response:
        """Ask to return something of my order. Each seller of these lines answers for their part."""
        actor, body = self._actor(request, number), ReturnRequestBody.of(request.data)
        services.request_return(
            order_number=number,
            key=idempotency.required_key_of(request),
            lines=[services.Units(**line) for line in body["lines"]],
            reason=body["reason"],
            actor=actor,
            now=timezone.now(),
        )
        return self._answer(request, number, 201)


_ANSWERS_OF_A_REQUEST = {
    201: api.OrderDetail,
    404: api_schemas.refusal("order_not_found", "return_request_not_found"),
    409: api_schemas.refusal("return_decided"),
    **_REFUSALS,
}


class ReturnDecisionView(_OrderAct):
    @openapi.extend_schema(
        operation_id="decide_return",
        request=DecisionBody,
        responses=_ANSWERS_OF_A_REQUEST,
        tags=["orders"],
    )
    def post(self, request: request.Request, number: str, request_id: str) -> response.Response:
        """Accept or decline what a buyer wants to return of my lines. Operators: of any; they may still decline what was accepted."""
        actor, body = self._actor(request, number), DecisionBody.of(request.data)
        services.decide_return(
            order_number=number, request_id=request_id, actor=actor, now=timezone.now(), **body
        )
        return self._answer(request, number, 201)


class ReturnWithdrawalView(_OrderAct):
    @openapi.extend_schema(
        operation_id="withdraw_return",
        request=None,
        responses=_ANSWERS_OF_A_REQUEST,
        tags=["orders"],
    )
    def post(self, request: request.Request, number: str, request_id: str) -> response.Response:
        """Keep what I asked to return, while nothing of it has come back. I may ask again."""
        actor = self._actor(request, number)
        services.withdraw_return(order_number=number, request_id=request_id, actor=actor, now=timezone.now())
        return self._answer(request, number, 201)
