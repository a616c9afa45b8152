"""REST of the shop: my cart, the lots that I have won and pay here, and my checkouts until they are paid. See `urls`.

Amounts are decimal strings with a currency beside them. Instants are milliseconds since the epoch.
"""

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular import utils as openapi
from rest_framework import request, response, serializers, views

from auction_project.kernel import ids, instants, money, tokens
from auction_project.kernel.http import api_schemas, idempotency, rest
from orders import address_api, exceptions, models, selectors, services

MAX_QUANTITY = 10_000
PROBLEMS = ("price_changed", "not_for_sale", "too_many")
STATUSES = (*models.CheckoutState.values, models.EXPIRED)
_CART_REFUSALS = ("price_changed", "not_for_sale", "too_many", "mixed_currencies")


# --- what goes in ------------------------------------------------------------------------------------------------


class CartLineBody(rest.StrictSerializer):
    """How many units, and the price of one that the buyer has seen."""

    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY)
    price = api_schemas.AmountField(help_text="Of one unit, as the buyer saw it.")
    currency = api_schemas.CurrencyField()


class WantedLine(rest.StrictSerializer):
    """Units of one product, and the price of one that the buyer has seen."""

    product_id = serializers.RegexField(rf"^{ids.ID_FORM}\Z")
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY)
    price = api_schemas.AmountField(help_text="Of one unit, as the buyer saw it.")


class LinesBody(rest.StrictSerializer):
    """Lines in one currency, each of another product."""

    currency = api_schemas.CurrencyField()

    def validate_lines(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len({line["product_id"] for line in lines}) < len(lines):
            raise serializers.ValidationError("Each line has another product.")
        return lines


class TakeoverBody(LinesBody):
    """A visitor's cart, which the browser kept until they signed in."""

    lines = WantedLine(many=True, allow_empty=False, max_length=models.MAX_LINES)


class CheckoutBody(LinesBody):
    """What of the cart is ordered, at the prices that the buyer accepts, and which lots that they have won are paid with it: a line or
    an award at least."""

    lines = WantedLine(many=True, required=False, default=list, max_length=models.MAX_LINES)
    awards = serializers.ListField(
        child=serializers.RegexField(rf"^{ids.SALE_ID_FORM}\Z"),
        required=False,
        default=list,
        max_length=models.MAX_LINES,
        help_text="Ids of lots in `awards` of the cart.",
    )
    address_id = serializers.RegexField(
        rf"^{ids.ID_FORM}\Z",
        allow_null=True,
        required=False,
        help_text="An address of the buyer's book; without one, its default.",
    )

    def validate(self, body: dict[str, Any]) -> dict[str, Any]:
        if not 1 <= len(body["lines"]) + len(body["awards"]) <= models.MAX_LINES:
            raise serializers.ValidationError(
                {"lines": f"Order between 1 and {models.MAX_LINES} lines and awards."}
            )
        return body


class AwardsQuery(rest.StrictSerializer):
    """Which awards."""

    auction_id = serializers.RegexField(rf"^{ids.ID_FORM}\Z")


class CheckoutsQuery(rest.StrictSerializer):
    """Which checkouts."""

    state = serializers.ChoiceField(
        ("open",), default="open", allow_blank=True, help_text="`open`, or empty: the one that is under way."
    )


# --- what comes out ----------------------------------------------------------------------------------------------


class CartLine(serializers.Serializer[Any]):
    """A line of the cart beside its offer of now. With a `problem` it cannot be ordered as it is: put it again, or delete it."""

    product_id = serializers.CharField()
    title = serializers.CharField()
    slug = serializers.CharField()
    thumbnail = serializers.CharField()
    quantity = serializers.IntegerField()
    seen_price = api_schemas.MoneyField(help_text="Of one unit, as the buyer last accepted it.")
    price = api_schemas.MoneyField(help_text="Of one unit now.")
    currency = serializers.CharField()
    total = api_schemas.MoneyField(help_text="Of all units at the price of now.")
    max_per_order = serializers.IntegerField()
    problem = serializers.ChoiceField(PROBLEMS, allow_null=True)


class Award(serializers.Serializer[Any]):
    """A lot that I have won on terms to pay it here. It can be paid while it is DUE and the time is before `pay_by`."""

    id = serializers.CharField(help_text="The lot's sale.")
    auction_id = serializers.CharField()
    product_id = serializers.CharField()
    title = serializers.CharField()
    quantity = serializers.IntegerField()
    price = api_schemas.MoneyField(help_text="Of all units.")
    currency = serializers.CharField()
    state = serializers.ChoiceField(models.AwardState.choices)
    pay_by = serializers.IntegerField(
        help_text="The payment must begin before. Milliseconds since the epoch."
    )
    order_number = serializers.CharField(
        allow_null=True, help_text="The order that paid it, once it is PAID."
    )


class AwardList(serializers.Serializer[Any]):
    """The newest first, at most 100."""

    items = Award(many=True)


class Cart(serializers.Serializer[Any]):
    """The cart at the prices of now; lines that are not for sale do not count. `currency` is null while the cart is empty. `awards`: the
    lots that I have won and can pay here, the most urgent first. No sum counts them: a checkout names those that it pays."""

    lines = CartLine(many=True)
    awards = Award(many=True)
    subtotal = api_schemas.MoneyField()
    shipping = api_schemas.MoneyField()
    total = api_schemas.MoneyField()
    currency = serializers.CharField(allow_null=True)


class CheckoutLine(serializers.Serializer[Any]):
    """`quantity` units of one product at `unit_price` each, for `price` in all."""

    product_id = serializers.CharField()
    title = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = api_schemas.MoneyField()
    price = api_schemas.MoneyField()
    auction_id = serializers.CharField(
        allow_null=True, help_text="The lot that I have won, null for a line of the cart."
    )
    award_id = serializers.CharField(allow_null=True, help_text="The award of that lot.")


class Shortage(serializers.Serializer[Any]):
    """A line of which fewer units are free than were asked for."""

    product_id = serializers.CharField()
    asked = serializers.IntegerField()
    available = serializers.IntegerField()


class Checkout(serializers.Serializer[Any]):
    """A checkout as it is now. It can be paid while it is RESERVED and `server_time` is before `pay_by`; after a declined
    payment, `failure` says why, and another card may be used until then."""

    id = serializers.CharField()
    status = serializers.ChoiceField(STATUSES)
    lines = CheckoutLine(many=True)
    shipping = api_schemas.MoneyField()
    total = api_schemas.MoneyField()
    currency = serializers.CharField()
    address = address_api.PostalAddress(allow_null=True, help_text="As it was when the checkout started.")
    started_at = serializers.IntegerField(help_text=api_schemas.INSTANT)
    pay_by = serializers.IntegerField(
        help_text="The payment must begin before. Milliseconds since the epoch."
    )
    expires_at = serializers.IntegerField(help_text="The units are free then. Milliseconds since the epoch.")
    shortages = Shortage(many=True, help_text="Why it was REFUSED.")
    failure = serializers.CharField(help_text="Why the last payment failed; for people.")
    order_number = serializers.CharField(
        allow_null=True, help_text="Of the last payment. It is an order once the checkout is PAID."
    )
    server_time = serializers.IntegerField(help_text=api_schemas.INSTANT)


class CheckoutList(serializers.Serializer[Any]):
    """At most one checkout is under way."""

    items = Checkout(many=True)


# --- views -------------------------------------------------------------------------------------------------------


class CartView(views.APIView):
    @openapi.extend_schema(responses=Cart, tags=["cart"])
    def get(self, request: request.Request) -> response.Response:
        """My cart."""
        return response.Response(_cart(request.user.sub))


class CartLineView(views.APIView):
    @openapi.extend_schema(
        request=CartLineBody,
        responses={
            200: Cart,
            403: api_schemas.refusal("may_not_buy"),
            409: api_schemas.refusal(*_CART_REFUSALS, "cart_full"),
        },
        tags=["cart"],
    )
    def put(self, request: request.Request, product_id: str) -> response.Response:
        """Put a product into my cart, or change its quantity, or accept its new price."""
        line, currency = _line_of(CartLineBody.of(request.data), product_id)
        services.put_cart_line(user_id=request.user.sub, line=line, currency=currency, now=timezone.now())
        return response.Response(_cart(request.user.sub))

    @openapi.extend_schema(request=None, responses={200: Cart}, tags=["cart"])
    def delete(self, request: request.Request, product_id: str) -> response.Response:
        """Take a product out of my cart. A repeat changes nothing."""
        if ids.is_id(product_id):  # nothing else is in a cart
            services.remove_cart_line(user_id=request.user.sub, product_id=product_id)
        return response.Response(_cart(request.user.sub))


class TakeoverView(views.APIView):
    @openapi.extend_schema(
        request=TakeoverBody,
        responses={
            200: Cart,
            403: api_schemas.refusal("may_not_buy"),
            409: api_schemas.refusal("mixed_currencies", "cart_full"),
        },
        tags=["cart"],
    )
    def post(self, request: request.Request) -> response.Response:
        """Add the cart of a visitor, who has signed in, to mine. A repeat changes nothing."""
        lines, currency = _lines_of(TakeoverBody.of(request.data))
        services.take_over_cart(user_id=request.user.sub, lines=lines, currency=currency, now=timezone.now())
        return response.Response(_cart(request.user.sub))


class AwardsView(views.APIView):
    @openapi.extend_schema(
        operation_id="list_awards", parameters=[AwardsQuery], responses=AwardList, tags=["checkouts"]
    )
    def get(self, request: request.Request) -> response.Response:
        """What I have won in an auction on terms to pay later."""
        auction_id = AwardsQuery.of(request.query_params)["auction_id"]
        awards = selectors.list_awards(user_id=request.user.sub, auction_id=auction_id)
        return response.Response({"items": [_award(award) for award in awards]})


class CheckoutsView(views.APIView):
    @openapi.extend_schema(
        operation_id="list_checkouts", parameters=[CheckoutsQuery], responses=CheckoutList, tags=["checkouts"]
    )
    def get(self, request: request.Request) -> response.Response:
        """My checkout that is under way, if there is one."""
        CheckoutsQuery.of(request.query_params)
        now = timezone.now()
        running = selectors.list_open_checkouts(user_id=request.user.sub, now=now)
        return response.Response({"items": [_checkout(checkout, now) for checkout in running]})

    @openapi.extend_schema(
        operation_id="start_checkout",
        parameters=[api_schemas.REQUIRED_KEY],
        request=CheckoutBody,
        responses={
            201: Checkout,
            400: api_schemas.refusal("key_missing", "address_missing", "invalid"),
            403: api_schemas.refusal("may_not_buy", "may_not_order"),
            409: api_schemas.refusal(
                *(*_CART_REFUSALS, "cart_changed", "below_minimum", "checkout_under_way", "not_awarded"),
                "same_product",
            ),
            422: api_schemas.refusal("key_reused"),
        },
        tags=["checkouts"],
    )
    def post(self, request: request.Request) -> response.Response:
        """Order lines of my cart and lots that I have won. The units of the cart are asked for, and all is kept for minutes once the
        status is RESERVED."""
        _check_rights(request.user)
        key = idempotency.required_key_of(request)
        body = CheckoutBody.of(request.data)
        lines, currency = _lines_of(body)
        now = timezone.now()
        checkout = services.start_checkout(
            user_id=request.user.sub,
            key=key,
            lines=lines,
            currency=currency,
            address_id=body.get("address_id"),
            award_ids=body["awards"],
            now=now,
        )
        return response.Response(_checkout(checkout, now), status=201)


class CheckoutView(views.APIView):
    @openapi.extend_schema(operation_id="get_checkout", responses=Checkout, tags=["checkouts"])
    def get(self, request: request.Request, checkout_id: str) -> response.Response:
        """One of my checkouts."""
        return response.Response(_own(request.user.sub, checkout_id))

    @openapi.extend_schema(
        request=None,
        responses={204: None, 409: api_schemas.refusal("wrong_checkout_state")},
        tags=["checkouts"],
    )
    def delete(self, request: request.Request, checkout_id: str) -> response.Response:
        """Give my checkout up: its units are free at once. A repeat changes nothing."""
        services.abandon_checkout(checkout_id=_id(checkout_id), user_id=request.user.sub, now=timezone.now())
        return response.Response(status=204)


class CheckoutPaymentView(views.APIView):
    @openapi.extend_schema(
        request=None,
        responses={
            202: Checkout,
            403: api_schemas.refusal("may_not_buy", "may_not_order", "no_usable_card"),
            409: api_schemas.refusal("wrong_checkout_state", "checkout_expired", "not_awarded"),
        },
        tags=["checkouts"],
    )
    def post(self, request: request.Request, checkout_id: str) -> response.Response:
        """Pay my checkout by the card on file. A repeat is the same payment."""
        _check_rights(request.user)
        services.pay_checkout(checkout_id=_id(checkout_id), user_id=request.user.sub, now=timezone.now())
        return response.Response(_own(request.user.sub, checkout_id), status=202)


# --- translation -------------------------------------------------------------------------------------------------


def _check_rights(user: tokens.Claims) -> None:
    """Raises MayNotOrder."""
    if not (user.email_verified and user.has("bidder")):
        raise exceptions.MayNotOrder


def _id(text: str) -> str:
    """The id of a checkout. Raises CheckoutNotFound."""
    if not ids.is_id(text):
        raise exceptions.CheckoutNotFound
    return text


def _line_of(body: dict[str, Any], product_id: str) -> tuple[services.Wanted, str]:
    if not ids.is_id(product_id):
        raise exceptions.NotForSale(product_id=product_id[:64])
    return _wanted(body | {"product_id": product_id}, body["currency"], "price"), body["currency"]


def _lines_of(body: dict[str, Any]) -> tuple[list[services.Wanted], str]:
    currency = body["currency"]
    lines = [_wanted(line, currency, f"lines.{at}.price") for at, line in enumerate(body["lines"])]
    return lines, currency


def _wanted(line: dict[str, Any], currency: str, field: str) -> services.Wanted:
    return services.Wanted(
        product_id=line["product_id"],
        quantity=line["quantity"],
        unit_price=money.parse(line["price"], currency, field=field),
    )


def _cart(user_id: str) -> dict[str, Any]:
    cart = selectors.get_cart(user_id=user_id)
    currency = cart.currency

    def amount(minor: int) -> str:
        return money.format(minor, currency) if currency else "0.00"

    return {
        "lines": [
            {
                "product_id": line.product_id,
                "title": line.title,
                "slug": line.slug,
                "thumbnail": line.thumbnail,
                "quantity": line.quantity,
                "seen_price": amount(line.seen_price),
                "price": amount(line.price),
                "currency": currency,
                "total": amount(line.total),
                "max_per_order": line.max_per_order,
                "problem": line.problem or None,
            }
            for line in cart.lines
        ],
        "awards": [_award(award) for award in selectors.list_due_awards(user_id=user_id, now=timezone.now())],
        "subtotal": amount(cart.totals.subtotal),
        "shipping": amount(cart.totals.shipping),
        "total": amount(cart.totals.total),
        "currency": currency or None,
    }


def _award(award: models.Award) -> dict[str, Any]:
    is_paid = award.state == models.AwardState.PAID
    return {
        "id": award.sale_id,
        "auction_id": award.auction_id,
        "product_id": award.product_id,
        "title": award.title,
        "quantity": award.quantity,
        "price": money.format(award.price, award.currency),
        "currency": award.currency,
        "state": award.state,
        "pay_by": instants.of(award.pay_by),
        "order_number": selectors.get_order_number(award.checkout) if award.checkout and is_paid else None,
    }


def _own(user_id: str, checkout_id: str) -> dict[str, Any]:
    checkout = selectors.get_checkout(checkout_id=_id(checkout_id), user_id=user_id)
    return _checkout(checkout, timezone.now())


def _checkout(checkout: models.Checkout, now: datetime) -> dict[str, Any]:
    def amount(minor: int) -> str:
        return money.format(minor, checkout.currency)

    return {
        "id": checkout.id,
        "status": checkout.status(now),
        "lines": [
            {
                "product_id": line.product_id,
                "title": line.title,
                "quantity": line.quantity,
                "unit_price": amount(line.unit_price),
                "price": amount(line.price),
                "auction_id": line.auction_id or None,
                "award_id": line.award_id or None,
            }
            for line in checkout.sold
        ],
        "shipping": amount(checkout.shipping),
        "total": amount(checkout.total),
        "currency": checkout.currency,
        "address": checkout.address,
        "started_at": instants.of(checkout.started_at),
        "pay_by": instants.of(checkout.pay_by),
        "expires_at": instants.of(checkout.expires_at),
        "shortages": checkout.shortages,
        "failure": checkout.failure,
        "order_number": selectors.get_order_number(checkout),
        "server_time": instants.of(now),
    }
