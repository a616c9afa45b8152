"""REST of the shop: categories and published offers for everyone, and an offer for those who own its product."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular import utils as openapi
from rest_framework import request, response, views

from auction_project.kernel import money
from auction_project.kernel.http import api_schemas, rest
from inventory import selectors, serializers, services
from inventory.api import cached, people
from inventory.search import cache


class CategoriesView(views.APIView):
    authentication_classes: ClassVar[list[Any]] = []
    permission_classes: ClassVar[list[Any]] = []

    @openapi.extend_schema(operation_id="list_categories", responses=serializers.Categories)
    def get(self, _request: request.Request) -> HttpResponse:
        """The tree of categories: each one after its parent, with how many offers it has."""
        return cached.answer("categories", _categories, seconds=cache.COUNTS_SECONDS)


class CategoryView(views.APIView):
    permission_classes: ClassVar[list[Any]] = [rest.has_role("operator")]

    @openapi.extend_schema(
        operation_id="remove_category",
        request=None,
        responses={
            204: None,
            404: api_schemas.refusal("category_not_found"),
            409: api_schemas.refusal("category_in_use"),
        },
    )
    def delete(self, _request: request.Request, slug: str) -> response.Response:
        """Remove a category with no category and no product in it (operators)."""
        services.remove_category(slug=slug)
        return response.Response(status=204)


class OfferView(views.APIView):
    authentication_classes: ClassVar[list[Any]] = []
    permission_classes: ClassVar[list[Any]] = []

    @openapi.extend_schema(
        operation_id="get_offer",
        responses={200: serializers.OfferDetail, 404: api_schemas.refusal("offer_not_found")},
    )
    def get(self, _request: request.Request, slug: str) -> HttpResponse:
        """A published offer, with its text, its pictures and its facts."""
        return cached.answer(
            f"offer:{cached.digest(slug)}",
            lambda: serializers.OfferDetail(selectors.get_offer(slug)).data,
        )


class ProductOfferView(views.APIView):
    def get_permissions(self) -> list[object]:
        return [rest.has_role("seller", "operator")()]

    @openapi.extend_schema(
        operation_id="get_offer_of_product",
        responses={
            200: serializers.OwnOffer,
            404: api_schemas.refusal("product_not_found", "offer_not_found"),
        },
    )
    def get(self, request: request.Request, product_id: str) -> response.Response:
        """The offer of one of your products, published or not, with all its prices; of any, if you are an operator."""
        selectors.get_product(product_id, owner_id=people.only_owner(request.user))
        return response.Response(serializers.OwnOffer(selectors.get_offer_of(product_id)).data)

    @openapi.extend_schema(
        operation_id="set_offer",
        request=serializers.OfferBody,
        responses={200: serializers.OwnOffer, 404: api_schemas.refusal("product_not_found")},
    )
    def put(self, request: request.Request, product_id: str) -> response.Response:
        """Offer one of your products in the shop, or change its offer; any, if you are an operator."""
        fields = serializers.OfferBody.of(request.data)
        selectors.get_product(product_id, owner_id=people.only_owner(request.user))
        fields["price"] = money.parse(fields["price"], fields["currency"], field="price")
        services.set_offer(**fields, product_id=product_id, actor=request.user.sub, now=datetime.now(UTC))
        return response.Response(serializers.OwnOffer(selectors.get_offer_of(product_id)).data)


def _categories() -> dict[str, Any]:
    return serializers.Categories({"items": selectors.list_categories()}).data
