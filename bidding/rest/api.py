"""The REST views of bidding, except the bid itself (bid_endpoint): translate in, one call, translate out."""

from typing import Any

import msgspec
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import permissions, request, response, serializers, views

from auction_project.kernel import errors, ids, instants, money, words
from auction_project.kernel.http import api_schemas, completing, idempotency, paging, rest
from bidding import presentation, rules, runtime, selectors, services
from bidding.catalogue import catalogue, cursors
from bidding.rest import bid_endpoint, schemas
from bidding.rules import terms as bounds
from bidding.store import auctions

MAX_PAGE_SIZE = 100
MAX_PAGE = 1000
_ORDERS = ("ends_at", "-ends_at", "starts_at", "-starts_at", "price", "-price", "-bids", "relevance")
_OVER = ("SOLD_OUT", "CLOSED", "CANCELLED")
_SOFT_CLOSE = rules.SoftClose()
_LISTED = [status.value for status in rules.Status if status is not rules.Status.NEW]


def _instant(**options: Any) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=0, max_value=bounds.MAX_INSTANT, **options)


class SoftCloseBody(rest.StrictSerializer):
    """How late bids move the end; spans are milliseconds. What is left out is as `rules.SoftClose` has it."""

    window_ms = serializers.IntegerField(
        min_value=0, max_value=bounds.MAX_WINDOW_MS, default=_SOFT_CLOSE.window_ms
    )
    extension_ms = serializers.IntegerField(
        min_value=bounds.MIN_EXTENSION_MS,
        max_value=bounds.MAX_EXTENSION_MS,
        default=_SOFT_CLOSE.extension_ms,
    )
    cap_total_ms = serializers.IntegerField(
        min_value=0, max_value=bounds.MAX_CAP_MS, default=_SOFT_CLOSE.cap_total_ms
    )
    hard_stop_at = _instant(allow_null=True, default=None)


class AuctionBody(rest.StrictSerializer):
    """The terms that a seller or an operator asks for.

    Amounts are decimal strings of `currency`; instants are milliseconds since 1970 UTC.
    """

    product_id = serializers.RegexField(r"^[0-9A-Za-z_-]{1,64}$")
    format = serializers.ChoiceField(schemas.FORMATS)
    currency = serializers.ChoiceField(sorted(money.EXPONENTS))
    start_price = api_schemas.AmountField(max_length=30, help_text=api_schemas.AMOUNT)
    reserve_price = api_schemas.AmountField(
        max_length=30, allow_null=True, default=None, help_text="Hidden: only met or not met is public."
    )
    quantity = serializers.IntegerField(min_value=1, max_value=bounds.MAX_QUANTITY, default=1)
    starts_at = _instant()
    ends_at = _instant()
    card_required = serializers.BooleanField(
        default=True, help_text="Only bidders with a usable card may bid."
    )
    pay_within_minutes = serializers.IntegerField(
        min_value=0,
        max_value=bounds.MAX_PAY_MS // 60_000,
        default=0,
        help_text="How long a buyer may take to pay in the shop; 0: the card on file is charged at once.",
    )
    allocate = serializers.ChoiceField(schemas.ALLOCATIONS, allow_null=True, default=None)
    soft_close = SoftCloseBody(required=False)
    relistings_left = serializers.IntegerField(
        min_value=0, max_value=bounds.MAX_RELISTINGS, default=bounds.MAX_RELISTINGS
    )


class ReasonBody(rest.StrictSerializer):
    """Why an auction is cancelled: the text is public."""

    reason = serializers.CharField(min_length=3, max_length=500)


class AuctionsQuery(rest.StrictSerializer):
    """Filters, order and page of the list of auctions. An empty filter leaves its field open."""

    status = serializers.ChoiceField(_LISTED, default="", allow_blank=True)
    format = serializers.ChoiceField(schemas.FORMATS, default="", allow_blank=True)
    q = serializers.CharField(
        max_length=words.MAX_QUERY_CHARACTERS,
        default="",
        allow_blank=True,
        help_text="Words of the title in any order, without regard to case and accents. The last one may be the beginning of a "
        'word, and words in "quotes" follow one another.',
    )
    currency = serializers.ChoiceField(sorted(money.EXPONENTS), default="", allow_blank=True)
    min_price = api_schemas.AmountField(
        max_length=30, default="", allow_blank=True, help_text="Needs a currency."
    )
    max_price = api_schemas.AmountField(
        max_length=30, default="", allow_blank=True, help_text="Needs a currency."
    )
    ending_soon = serializers.BooleanField(default=False, help_text="Only lots that end within a day.")
    facets = serializers.BooleanField(
        default=False, help_text="Also count how many lots each value of a filter would leave."
    )
    seller = serializers.CharField(max_length=64, default="", allow_blank=True)
    order = serializers.ChoiceField(
        _ORDERS,
        default="",
        allow_blank=True,
        help_text="By default the end: the next one first, of lots that are over the latest first. "
        "A price is compared within its currency; a lot without bids has its start price. By relevance, titles of which the words are the "
        "greater part come first.",
    )
    unlisted = serializers.BooleanField(
        default=False, help_text="Also lots that wait for stock, and those that stock has refused."
    )
    after = serializers.CharField(
        max_length=cursors.MAX_CHARACTERS,
        default="",
        allow_blank=True,
        help_text="`next` of the page before: the list goes on after its last lot, even if that lot has gone. Leave out `page` then.",
    )
    page = serializers.IntegerField(min_value=1, max_value=MAX_PAGE, default=1)
    page_size = serializers.IntegerField(min_value=1, max_value=MAX_PAGE_SIZE, default=24)

    def validate(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["after"] and params["page"] > 1:
            raise serializers.ValidationError({"page": "Leave it out beside `after`."})
        return params


class OwnBidsQuery(rest.StrictSerializer):
    """A page of the reader's own auctions."""

    page = serializers.IntegerField(min_value=1, max_value=MAX_PAGE, default=1)
    page_size = serializers.IntegerField(
        min_value=1, max_value=selectors.MAX_OWN_AUCTIONS, default=selectors.MAX_OWN_AUCTIONS
    )


class HistoryQuery(rest.StrictSerializer):
    """Entries after the seq `after`, at most `limit` of them."""

    after = serializers.IntegerField(min_value=0, max_value=10**12, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=selectors.MAX_HISTORY, default=100)


class BidBody(rest.StrictSerializer):
    """The body of a bid, for the OpenAPI document; `bid_endpoint.BidBody` is what reads it."""

    amount = api_schemas.AmountField(
        required=False, allow_null=True, help_text='A decimal string such as "125.50": your hidden maximum.'
    )
    currency = api_schemas.CurrencyField(required=False, allow_null=True)
    quantity = serializers.IntegerField(default=1, help_text=f"On a {schemas.SOLD_BY_BID} listing.")
    confirmation = serializers.CharField(
        required=False, help_text="The token of a `confirmation_required`: you mean this very bid."
    )


_FILLING = OpenApiParameter(
    "X-Catalogue",
    {"type": "string", "const": "filling"},
    OpenApiParameter.HEADER,
    response=[200],
    description="Present for a while after the catalogue was lost: the list may lack lots.",
)


class TimeView(views.APIView):
    permission_classes = ()
    authentication_classes = ()

    @extend_schema(summary="Server time", responses=schemas.ServerTime)
    def get(self, _request: request.Request) -> response.Response:
        return response.Response({"now": instants.now()})


class AuctionsView(views.APIView):
    """Everyone may read the list; sellers and operators ask for auctions."""

    def get_permissions(self) -> list[permissions.BasePermission]:
        if self.request.method == "POST":
            return [permissions.IsAuthenticated(), rest.has_role("seller", "operator")()]
        return []

    @extend_schema(
        summary="List auctions",
        operation_id="list_auctions",
        parameters=[AuctionsQuery, _FILLING],
        responses=schemas.AuctionPage,
    )
    def get(self, request: request.Request) -> response.Response:
        params = AuctionsQuery.of(request.query_params)
        size, now = params["page_size"], instants.now() // 1000 * 1000  # so that lists of a second are one
        query = auctions.Query(
            status=params["status"] or None,
            format=params["format"] or None,
            seller_id=params["seller"] or None,
            search=params["q"] or None,
            ends_within=(now, now + selectors.ENDING_SOON_MS) if params["ending_soon"] else None,
            **_prices(params),
            unlisted=params["unlisted"] or params["status"] == "REQUESTED",
            order=params["order"] or ("-ends_at" if params["status"] in _OVER else "ends_at"),
            skip=(params["page"] - 1) * size,
            limit=size,
        )
        if params["after"]:
            after = cursors.decode(params["after"], query)
            query = msgspec.structs.replace(query, after=(after.score, after.auction_id))
        lots = selectors.list_auctions(query)
        body = paging.page_of(items=lots.items, total=lots.total, page=params["page"], page_size=size)
        body["next"] = cursors.encode(lots.last, query) if lots.last else None
        if params["facets"]:
            facets = selectors.count_auctions(query, now=now)
            body["facets"] = _facets(facets, query.currency) if facets else None
        return response.Response(body, headers={} if lots.complete else schemas.INCOMPLETE)

    @extend_schema(
        summary="Create an auction",
        parameters=[api_schemas.KEY],
        request=AuctionBody,
        responses={
            201: schemas.Auction,
            409: api_schemas.refusal("already_requested"),
            422: api_schemas.refusal("key_reused"),
        },
    )
    def post(self, request: request.Request) -> response.Response:
        body = AuctionBody.of(request.data)
        operator = request.user.has("operator")
        key = idempotency.key_of(request) or ids.new_id()
        auction_id = ids.auction_id(request.user.sub, key)
        terms, reserve = _terms(body, as_operator=operator)
        services.request_auction(
            auction_id=auction_id,
            actor=request.user.sub,
            key=key,
            terms=terms,
            reserve=reserve,
            now=instants.now(),
        )
        return response.Response(selectors.get_presented(auction_id), status=201)


def _prices(params: dict[str, Any]) -> dict[str, Any]:
    """The currency and the range of prices. Raises CurrencyMissing, AmountInvalid."""
    currency, prices = params["currency"], {}
    for name in ("min_price", "max_price"):
        if params[name]:
            if not currency:
                raise money.CurrencyMissing(field="currency")
            prices[name] = money.parse(params[name], currency, field=name)
    return {"currency": currency or None, **prices}


def _facets(counted: catalogue.Facets, currency: str | None) -> dict[str, Any]:
    """The counts beside a list."""
    prices = None
    if counted.prices and currency:
        least, most = (money.format(price, currency) for price in counted.prices)
        prices = {"min": least, "max": most, "currency": currency}
    formats = [{"value": name, "count": count} for name, count in counted.formats.items()]
    return {"formats": formats, "ending_soon": counted.ending_soon, "prices": prices}


def _terms(body: dict[str, Any], *, as_operator: bool) -> tuple[rules.Terms, int | None]:
    currency = body["currency"]
    reserve = None
    if body["reserve_price"] is not None:
        reserve = money.parse(body["reserve_price"], currency, field="reserve_price")
    terms = rules.Terms(
        format=body["format"],
        product_id=body["product_id"],
        as_operator=as_operator,
        currency=currency,
        start_price=money.parse(body["start_price"], currency, field="start_price"),
        starts_at=body["starts_at"],
        ends_at=body["ends_at"],
        quantity=body["quantity"],
        has_reserve=reserve is not None,
        allocate=body["allocate"] or rules.formats.FORMATS[body["format"]].allocation,
        soft_close=rules.SoftClose(**body.get("soft_close", {})),
        relistings_left=body["relistings_left"],
        card_required=body["card_required"],
        pay_within_ms=body["pay_within_minutes"] * 60_000 or msgspec.UNSET,
    )
    return terms, reserve


class SuggestionsView(views.APIView):
    permission_classes = ()
    authentication_classes = ()

    @extend_schema(
        summary="Suggest searches",
        operation_id="suggest_auctions",
        parameters=[completing.SuggestionsQuery],
        responses=completing.Suggestions,
    )
    def get(self, request: request.Request) -> response.Response:
        """Texts that complete what is typed, each of which finds an open lot: the last word first, then titles. The most frequent come
        first."""
        params = completing.SuggestionsQuery.of(request.query_params)
        return response.Response({"items": selectors.suggest(params["q"])})


class AuctionView(views.APIView):
    permission_classes = ()

    @extend_schema(
        summary="One auction, as it is now",
        responses=schemas.Auction,
    )
    def get(self, _request: request.Request, auction_id: str) -> response.Response:
        return response.Response(selectors.get_presented(auction_id))


class OpenView(views.APIView):
    permission_classes = (permissions.IsAuthenticated, rest.has_role("seller", "operator"))

    @extend_schema(
        summary="Open an auction before its time",
        request=None,
        responses={200: schemas.Auction, 409: api_schemas.refusal("wrong_status")},
    )
    def post(self, request: request.Request, auction_id: str) -> response.Response:
        services.open_auction(
            auction_id=auction_id,
            actor=request.user.sub,
            by_operator=request.user.has("operator"),
            now=instants.now(),
        )
        return response.Response(selectors.get_presented(auction_id))


class CancelView(views.APIView):
    permission_classes = (permissions.IsAuthenticated, rest.has_role("seller", "operator"))

    @extend_schema(
        summary="Cancel an auction",
        request=ReasonBody,
        responses={200: schemas.Auction, 409: api_schemas.refusal("has_bids", "wrong_status")},
    )
    def post(self, request: request.Request, auction_id: str) -> response.Response:
        body = ReasonBody.of(request.data)
        services.cancel_auction(
            auction_id=auction_id,
            actor=request.user.sub,
            by_operator=request.user.has("operator"),
            reason=body["reason"],
            now=instants.now(),
        )
        return response.Response(selectors.get_presented(auction_id))


class BidsView(views.APIView):
    """The documentation of a bid. `bid_endpoint` answers bids in front of Django; this view calls the same code."""

    permission_classes = ()
    authentication_classes = ()

    @extend_schema(
        summary="Place a bid",
        parameters=[api_schemas.REQUIRED_KEY],
        request=BidBody,
        responses={
            201: schemas.BidAnswer,
            403: api_schemas.refusal("may_not_bid", *(kind.code for kind in schemas.FORBIDDEN_BIDS)),
            409: api_schemas.refusal(*(kind.code for kind in schemas.REFUSED_BIDS)),
            422: api_schemas.refusal("key_reused"),
        },
        auth=[{"accessToken": []}],
    )
    def post(self, request: request.Request, auction_id: str) -> HttpResponse:
        headers = {name.lower().encode(): value.encode("latin-1") for name, value in request.headers.items()}
        status, answer_headers, body = runtime.call(bid_endpoint.place(request.path, headers, request.body))
        return HttpResponse(
            body, status=status, headers={name.decode(): value.decode() for name, value in answer_headers}
        )


class OutcomeView(views.APIView):
    @extend_schema(
        summary="Result of my bid by key",
        responses=schemas.Outcome,
    )
    def get(self, request: request.Request, auction_id: str, key: str) -> response.Response:
        """What became of a bid that was answered. A bid that got no answer, or a 503, may still come into the log, so
        that a 404 here does not say that it failed: send it again under its key instead, and it counts once."""
        entry = selectors.get_outcome(auction_id, actor=request.user.sub, key=key)
        if entry is None:
            raise errors.NotFound("Nothing of yours stands under this key.", key=key)
        return response.Response(presentation.answer(entry))


class HistoryView(views.APIView):
    permission_classes = ()

    @extend_schema(
        summary="The public log, by cursor",
        parameters=[HistoryQuery],
        responses=schemas.History,
    )
    def get(self, request: request.Request, auction_id: str) -> response.Response:
        params = HistoryQuery.of(request.query_params)
        entries = selectors.list_history(auction_id, after=params["after"], limit=params["limit"])
        return response.Response(
            {
                "entries": [presentation.history_entry(entry) for entry in entries],
                "next": entries[-1].seq if len(entries) == params["limit"] else None,
            }
        )


class StandingView(views.APIView):
    @extend_schema(
        summary="My standing",
        responses=schemas.Standing,
    )
    def get(self, request: request.Request, auction_id: str) -> response.Response:
        return response.Response(presentation.standing(selectors.get_auction(auction_id), request.user.sub))


class OwnBidsView(views.APIView):
    @extend_schema(summary="My bids", parameters=[OwnBidsQuery], responses=schemas.OwnBids)
    def get(self, request: request.Request) -> response.Response:
        """The auctions that I bid in, the one with my latest bid first."""
        params = OwnBidsQuery.of(request.query_params)
        size = params["page_size"]
        states, total = selectors.list_own(request.user.sub, skip=(params["page"] - 1) * size, limit=size)
        items = [
            {"auction": body, **presentation.standing(state, request.user.sub)}
            for state, body in zip(states, selectors.present(states), strict=True)
        ]
        return response.Response(
            paging.page_of(items=items, page=params["page"], page_size=size, total=total)
        )
