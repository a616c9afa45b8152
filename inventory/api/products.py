"""REST of products: a seller's own (an operator sees all), and the public pictures."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from drf_spectacular import utils as openapi
from drf_spectacular.types import OpenApiTypes
from rest_framework import parsers, renderers, request, response, views

from auction_project.kernel import ids
from auction_project.kernel.http import api_schemas, idempotency, paging, rest
from inventory import images, models, selectors, serializers, services
from inventory.api import people

CACHE_SECONDS = 365 * 24 * 3600


class ProductsView(views.APIView):
    parser_classes: ClassVar = [parsers.JSONParser, parsers.MultiPartParser]

    def get_permissions(self) -> list[object]:
        if self.request.method == "POST":
            return [rest.has_role("seller", "operator")()]
        return super().get_permissions()

    @openapi.extend_schema(
        operation_id="list_products",
        parameters=[serializers.ProductsQuery],
        responses=serializers.ProductPage,
    )
    def get(self, request: request.Request) -> response.Response:
        """The products that you own; all of them, if you are an operator."""
        query = serializers.ProductsQuery.of(request.query_params)
        matching = selectors.list_products(owner_id=people.only_owner(request.user), text=query["q"])
        page, size = query["page"], query["page_size"]
        items = matching[(page - 1) * size : page * size]
        body = paging.page_of(items=items, page=page, page_size=size, total=matching.count())
        return response.Response(serializers.ProductPage(body).data)

    @openapi.extend_schema(
        operation_id="create_product",
        parameters=[api_schemas.KEY],
        request=serializers.ProductBody,
        responses={
            201: serializers.ProductWithPictures,
            409: api_schemas.refusal("sku_taken"),
            422: api_schemas.refusal("key_reused"),
        },
    )
    def post(self, request: request.Request) -> response.Response:
        """Create a product, without stock: operators receive its units in the admin."""
        fields = serializers.ProductBody.of(request.data)
        image = fields.pop("image", None)
        key = idempotency.key_of(request) or ids.new_id()
        product = services.create_product(
            **fields | {"owner_id": people.owner_of_new(request.user, fields.get("owner_id"))},
            product_id=ids.product_id(request.user.sub, key),
            image=_content(image),
            actor=request.user.sub,
            now=datetime.now(UTC),
        )
        return _answer(product.id, status=201)


class ProductView(views.APIView):
    parser_classes: ClassVar = [parsers.JSONParser, parsers.MultiPartParser]

    def get_permissions(self) -> list[object]:
        if self.request.method == "PATCH":
            return [rest.has_role("seller", "operator")()]
        return super().get_permissions()

    @openapi.extend_schema(operation_id="get_product", responses=serializers.ProductWithPictures)
    def get(self, request: request.Request, product_id: str) -> response.Response:
        """One of your products; any, if you are an operator."""
        product = selectors.get_product(product_id, owner_id=people.only_owner(request.user))
        return response.Response(serializers.ProductWithPictures(product).data)

    @openapi.extend_schema(
        operation_id="correct_product",
        request=serializers.CorrectionBody,
        responses=serializers.ProductWithPictures,
    )
    def patch(self, request: request.Request, product_id: str) -> response.Response:
        """Correct the description of one of your products; of any, if you are an operator. A lot that is listed keeps the
        text and the picture that it was listed with.
        """
        fields = serializers.CorrectionBody.of(request.data)
        selectors.get_product(product_id, owner_id=people.only_owner(request.user))
        image = fields.pop("image", None)
        services.correct_product(
            **fields,
            product_id=product_id,
            image=_content(image),
            actor=request.user.sub,
            now=datetime.now(UTC),
        )
        return _answer(product_id)


class PicturesView(views.APIView):
    parser_classes: ClassVar = [parsers.JSONParser, parsers.MultiPartParser]

    def get_permissions(self) -> list[object]:
        return [rest.has_role("seller", "operator")()]

    @openapi.extend_schema(
        operation_id="add_picture",
        parameters=[api_schemas.KEY],
        request=serializers.PictureBody,
        responses={
            201: serializers.ProductWithPictures,
            409: api_schemas.refusal("too_many_pictures"),
            422: api_schemas.refusal("key_reused"),
        },
    )
    def post(self, request: request.Request, product_id: str) -> response.Response:
        """Add a picture to one of your products, after the others; to any, if you are an operator."""
        fields = serializers.PictureBody.of(request.data)
        key = idempotency.key_of(request)
        selectors.get_product(product_id, owner_id=people.only_owner(request.user))
        services.add_picture(
            product_id=product_id,
            image=fields["image"].read(images.MAX_UPLOAD_BYTES + 1),
            alt=fields["alt"],
            upload_id=ids.upload_id(request.user.sub, key) if key else None,
            actor=request.user.sub,
            now=datetime.now(UTC),
        )
        return _answer(product_id, status=201)

    @openapi.extend_schema(
        operation_id="arrange_pictures",
        request=serializers.PicturesBody,
        responses=serializers.ProductWithPictures,
    )
    def put(self, request: request.Request, product_id: str) -> response.Response:
        """Order the pictures of one of your products; those left out are shown no more."""
        fields = serializers.PicturesBody.of(request.data)
        selectors.get_product(product_id, owner_id=people.only_owner(request.user))
        services.arrange_pictures(
            product_id=product_id,
            pictures=[services.Placed(**picture) for picture in fields["pictures"]],
            actor=request.user.sub,
            now=datetime.now(UTC),
        )
        return _answer(product_id)


class AnyType(renderers.BaseRenderer):
    """Browsers send any `Accept` with a request for a picture; errors still come as JSON."""

    media_type = "*/*"
    format = "any"

    def render(self, data: object, *_: object, **__: object) -> bytes:
        return renderers.JSONRenderer().render(data)


class PictureView(views.APIView):
    """A product's picture. Public, because lots show it."""

    authentication_classes: ClassVar[list[Any]] = []
    permission_classes: ClassVar[list[Any]] = []
    renderer_classes: ClassVar = [AnyType]
    is_thumbnail = False

    @openapi.extend_schema(responses={(200, images.CONTENT_TYPE): OpenApiTypes.BINARY})
    def get(self, request: request.Request, product_id: str) -> HttpResponse:
        """The picture as JPEG. The address that a product names is good for ever."""
        version = request.query_params.get("v", "")
        picture = selectors.get_picture(product_id, is_thumbnail=self.is_thumbnail, version=version)
        named = version == picture.digest[: models.DIGEST_CHARACTERS]
        answer = HttpResponse(picture.content, content_type=images.CONTENT_TYPE)
        answer["Cache-Control"] = (
            f"public, max-age={CACHE_SECONDS}, immutable" if named else "public, max-age=60"
        )
        return answer


def _answer(product_id: str, *, status: int = 200) -> response.Response:
    """The product as it is now."""
    product = selectors.get_product(product_id)
    return response.Response(serializers.ProductWithPictures(product).data, status=status)


def _content(image: UploadedFile | None) -> bytes | None:
    """What was sent, read no further than the service looks."""
    return image.read(images.MAX_UPLOAD_BYTES + 1) if image else None
