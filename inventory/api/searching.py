"""REST of searches: the list of published offers and what completes a search while it is typed, for everyone; and the searches,
among offers or among lots, that a user has saved."""

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
from django.http import HttpResponse
from drf_spectacular import utils as openapi
from rest_framework import request, response, views

from auction_project.kernel import errors, ids, money, words
from auction_project.kernel.http import api_schemas, completing, idempotency
from inventory import models, selectors, services
from inventory.api import cached
from inventory.api import searching_shapes as shapes
from inventory.search import cache, counting, finding, matching, searches, suggestions, tree


class PricesCrossed(errors.Invalid):
    """The lowest price is above the highest."""


class OffersView(views.APIView):
    authentication_classes: ClassVar[list[Any]] = []
    permission_classes: ClassVar[list[Any]] = []

    @openapi.extend_schema(
        operation_id="list_offers",
        parameters=[shapes.OffersQuery],
        responses={
            200: shapes.OfferPage,
            400: api_schemas.refusal(
                "invalid_cursor", "currency_missing", "prices_crossed", "unknown_category"
            ),
        },
    )
    def get(self, request: request.Request) -> HttpResponse:
        """Published offers that have all words and pass all filters, with counts.

        `facets` says what each value of a filter would leave.
        """
        query = shapes.OffersQuery.of(request.query_params)
        return cached.answer(f"offers:{cached.digest(query)}", lambda: _page(query))


def _page(query: dict[str, Any]) -> dict[str, Any]:
    """The body of a page. What its counts are made of is that of all pages, categories and conditions, and may be older."""
    categories = tree.Tree()
    search = search_of(query, categories)
    base = msgspec.structs.replace(search, categories=(), condition="")
    cells = msgspec.json.decode(
        cache.answer(
            f"cells:{base.digest}",
            lambda: msgspec.json.encode(counting.read_cells(base)),
            seconds=cache.COUNTS_SECONDS,
        ),
        type=counting.Cells,
    )
    counts = counting.count(search, categories, cells)
    found = finding.find(
        search,
        searches.sort_of(search, query["sort"]),
        counts=counts,
        cursor=query["cursor"],
        limit=query["page_size"],
    )
    items = selectors.list_offers_of(found.product_ids)
    return shapes.OfferPage({"items": items, "next": found.next, "counts": counts}).data


class SuggestionsView(views.APIView):
    authentication_classes: ClassVar[list[Any]] = []
    permission_classes: ClassVar[list[Any]] = []

    @openapi.extend_schema(
        operation_id="suggest_offers",
        parameters=[completing.SuggestionsQuery],
        responses=completing.Suggestions,
    )
    def get(self, request: request.Request) -> HttpResponse:
        """Texts that complete what is typed: the last word first, then titles. The most frequent come first."""
        query = completing.SuggestionsQuery.of(request.query_params)
        return cached.answer(
            f"suggestions:{cached.digest(query)}",
            lambda: {"items": suggestions.suggest(query["q"])},
            seconds=cache.COUNTS_SECONDS,
        )


class SavedSearchesView(views.APIView):
    @openapi.extend_schema(operation_id="list_saved_searches", responses=shapes.SavedSearches)
    def get(self, request: request.Request) -> response.Response:
        """The searches that you have saved, the newest first."""
        saved = selectors.list_saved_searches(user_id=request.user.sub)
        return response.Response(shapes.SavedSearches({"items": saved}).data)

    @openapi.extend_schema(
        operation_id="save_search",
        parameters=[api_schemas.KEY],
        request=shapes.SavedSearchBody,
        responses={
            201: shapes.SavedSearch,
            400: api_schemas.refusal(
                "empty_search", "currency_missing", "prices_crossed", "unknown_category"
            ),
            404: api_schemas.refusal("search_not_found"),
            409: api_schemas.refusal("too_many_searches"),
            422: api_schemas.refusal("key_reused"),
        },
    )
    def post(self, request: request.Request) -> response.Response:
        """Save a search: you get a notice of each new offer, or of each new lot, that it finds. The same search again is one."""
        body = shapes.SavedSearchBody.of(request.data)
        query = {name: body[name] for name in matching.FIELDS[body["among"]]}
        if body["among"] == models.Among.OFFERS:
            search_of(query, tree.Tree())
        else:
            _prices(query)
        key = idempotency.key_of(request) or ids.new_id()
        saved = services.save_search(
            search_id=ids.search_id(request.user.sub, key),
            user_id=request.user.sub,
            among=body["among"],
            query=query,
            now=datetime.now(UTC),
        )
        return response.Response(shapes.SavedSearch(saved).data, status=201)


class SavedSearchView(views.APIView):
    @openapi.extend_schema(
        operation_id="delete_saved_search",
        responses={204: None, 404: api_schemas.refusal("search_not_found")},
    )
    def delete(self, request: request.Request, search_id: str) -> response.Response:
        """Forget one of your searches."""
        services.delete_search(search_id=search_id, user_id=request.user.sub)
        return response.Response(status=204)


def search_of(query: dict[str, Any], categories: tree.Tree) -> searches.Search:
    """The search that the fields of a query ask for. Raises money.CurrencyMissing, PricesCrossed, AmountInvalid, UnknownCategory."""
    return searches.Search(
        terms=words.parse(query["q"]),
        categories=categories.below(query["category"]) if query["category"] else (),
        condition=query["condition"],
        currency=query["currency"],
        in_stock=query["in_stock"],
        **_prices(query),
    )


def _prices(query: dict[str, Any]) -> dict[str, int]:
    """The range of prices. Raises money.CurrencyMissing, PricesCrossed, AmountInvalid."""
    currency = query["currency"]
    prices = {}
    for name in ("min_price", "max_price"):
        if query[name]:
            if not currency:
                raise money.CurrencyMissing(field="currency")
            prices[name] = money.parse(query[name], currency, field=name)
    if len(prices) == 2 and prices["min_price"] > prices["max_price"]:
        raise PricesCrossed(field="min_price")
    return prices
