"""REST of the stock: a seller's own products (an operator sees all), and the public pictures."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import parsers, renderers, views
from rest_framework.request import Request
from rest_framework.response import Response

from auction_project.kernel import errors, ids, tokens
from auction_project.kernel.http import api_schemas, rest
from inventory import images, models, selectors, serializers, services

CACHE_SECONDS = 365 * 24 * 3600


class Products(views.APIView):
    parser_classes: ClassVar = [parsers.JSONParser, parsers.MultiPartParser]

    def get_permissions(self) -> list[object]:
        if self.request.method == "POST":
            return [rest.has_role("seller", "operator")()]
        return super().get_permissions()

    @extend_schema(
        operation_id="list_products", parameters=[serializers.ProductQuery], responses=serializers.ProductPage
    )
    def get(self, request: Request) -> Response:
        """The products that you own; all of them, if you are an operator."""
        query = serializers.ProductQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        wanted = query.validated_data
        found = selectors.list_products(owner_id=_only_owner(request.user), text=wanted["q"])
        pages = Paginator(found, wanted["page_size"])
        page = pages.get_page(wanted["page"]) if wanted["page"] <= pages.num_pages else ()
        body = {"items": page, "page": wanted["page"], "pages": pages.num_pages, "total": pages.count}
        return Response(serializers.ProductPage(body).data)

    @extend_schema(
        operation_id="create_product",
        request=serializers.NewProduct,
        responses={201: serializers.Product, 409: api_schemas.refusal("sku_taken")},
    )
    def post(self, request: Request) -> Response:
        """Create a product, without stock: units are received at the stock desk."""
        form = serializers.NewProduct(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        image = asked.pop("image", None)
        product = services.create_product(
            **asked | {"owner_id": _owner_of_new(request.user, asked.get("owner_id"))},
            product_id=ids.new_id(),
            image=_content(image),
            actor=request.user.sub,
            now=datetime.now(UTC),
        )
        return Response(serializers.Product(selectors.get_product(product.id)).data, status=201)


class OneProduct(views.APIView):
    parser_classes: ClassVar = [parsers.JSONParser, parsers.MultiPartParser]

    def get_permissions(self) -> list[object]:
        if self.request.method == "PATCH":
            return [rest.has_role("seller", "operator")()]
        return super().get_permissions()

    @extend_schema(operation_id="get_product", responses=serializers.Product)
    def get(self, request: Request, product_id: str) -> Response:
        """One of your products; any, if you are an operator."""
        product = selectors.get_product(product_id, owner_id=_only_owner(request.user))
        return Response(serializers.Product(product).data)

    @extend_schema(
        operation_id="correct_product", request=serializers.Correction, responses=serializers.Product
    )
    def patch(self, request: Request, product_id: str) -> Response:
        """Correct what one of your products says of itself; any, if you are an operator. A lot that is listed keeps the
        text and the picture that it was listed with.
        """
        asked = serializers.Correction.of(request.data)
        selectors.get_product(product_id, owner_id=_only_owner(request.user))
        image = asked.pop("image", None)
        services.correct_product(
            **asked,
            product_id=product_id,
            image=_content(image),
            actor=request.user.sub,
            now=datetime.now(UTC),
        )
        return Response(serializers.Product(selectors.get_product(product_id)).data)


class AnyType(renderers.BaseRenderer):
    """A picture is asked for with whatever `Accept` a browser sends; errors still come as JSON."""

    media_type = "*/*"
    format = "any"

    def render(self, data: object, *_: object, **__: object) -> bytes:
        return renderers.JSONRenderer().render(data)


class Picture(views.APIView):
    """A product's picture. Public: lots show it to everybody."""

    authentication_classes: ClassVar[list[Any]] = []
    permission_classes: ClassVar[list[Any]] = []
    renderer_classes: ClassVar = [AnyType]
    is_thumbnail = False

    @extend_schema(responses={(200, images.CONTENT_TYPE): OpenApiTypes.BINARY})
    def get(self, request: Request, product_id: str) -> HttpResponse:
        """The picture as JPEG. The address that a product names is good for ever."""
        version = request.query_params.get("v", "")
        picture = selectors.get_picture(product_id, is_thumbnail=self.is_thumbnail, version=version)
        named = version == picture.digest[: models.DIGEST_CHARACTERS]
        response = HttpResponse(picture.content, content_type=images.CONTENT_TYPE)
        response["Cache-Control"] = (
            f"public, max-age={CACHE_SECONDS}, immutable" if named else "public, max-age=60"
        )
        return response


def _content(image: UploadedFile | None) -> bytes | None:
    """What was sent, read no further than the service looks."""
    return image.read(images.MAX_UPLOAD_BYTES + 1) if image else None


def _only_owner(user: tokens.Claims) -> str | None:
    """Whose products `user` may see; None for everybody's."""
    return None if user.has("operator") else user.sub


def _owner_of_new(user: tokens.Claims, wanted: str | None) -> str:
    """Who owns what `user` creates. Raises Forbidden."""
    if user.has("operator"):
        return wanted or models.HOUSE
    if wanted not in (None, user.sub):
        raise errors.Forbidden("Sellers create products of their own only.", field="owner_id")
    return user.sub
