"""REST: my address book. Each address is seen, changed and removed by its owner alone."""

from typing import Any

from django.utils import timezone
from drf_spectacular import utils as openapi
from rest_framework import request, response, serializers, views

from auction_project.kernel import ids
from auction_project.kernel.http import api_schemas, idempotency, rest
from orders import exceptions, models, postal, selectors, services

_COUNTRY = "An ISO 3166 code of two letters, such as DE."


class AddressBody(rest.StrictSerializer):
    """A postal address. Text loses control characters; a default takes the place of another one."""

    name = serializers.CharField(max_length=postal.MAX_CHARACTERS["name"])
    line1 = serializers.CharField(max_length=postal.MAX_CHARACTERS["line1"])
    line2 = serializers.CharField(max_length=postal.MAX_CHARACTERS["line2"], default="", allow_blank=True)
    postal_code = serializers.CharField(
        max_length=postal.MAX_CHARACTERS["postal_code"],
        default="",
        allow_blank=True,
        help_text="May be empty where there are none.",
    )
    city = serializers.CharField(max_length=postal.MAX_CHARACTERS["city"])
    country = serializers.CharField(max_length=2, help_text=_COUNTRY)
    phone = serializers.CharField(max_length=postal.MAX_CHARACTERS["phone"], default="", allow_blank=True)
    is_default = serializers.BooleanField(default=False)


class PostalAddress(serializers.Serializer[Any]):
    """Where parcels go."""

    name = serializers.CharField()
    line1 = serializers.CharField()
    line2 = serializers.CharField()
    postal_code = serializers.CharField()
    city = serializers.CharField()
    country = serializers.CharField(help_text=_COUNTRY)
    phone = serializers.CharField()


class Address(PostalAddress):
    """One address of my book."""

    id = serializers.CharField()
    is_default = serializers.BooleanField(help_text="Checkouts propose this one.")


class AddressList(serializers.Serializer[Any]):
    """All of my addresses, the default first."""

    items = Address(many=True)


class AddressesView(views.APIView):
    @openapi.extend_schema(operation_id="list_addresses", responses=AddressList, tags=["addresses"])
    def get(self, request: request.Request) -> response.Response:
        """My address book: the default first, then the newest."""
        items = [_address(one) for one in selectors.list_addresses(user_id=request.user.sub)]
        return response.Response({"items": items})

    @openapi.extend_schema(
        operation_id="add_address",
        parameters=[api_schemas.KEY],
        request=AddressBody,
        responses={
            201: Address,
            403: api_schemas.refusal("may_not_buy"),
            409: api_schemas.refusal("too_many_addresses"),
            422: api_schemas.refusal("key_reused"),
        },
        tags=["addresses"],
    )
    def post(self, request: request.Request) -> response.Response:
        """Add an address to my book. The first one is the default."""
        fields = AddressBody.of(request.data)
        added = services.add_address(
            user_id=request.user.sub,
            key=idempotency.key_of(request) or ids.new_id(),
            is_default=fields.pop("is_default"),
            fields=fields,
            now=timezone.now(),
        )
        return response.Response(_address(added), status=201)


class AddressView(views.APIView):
    @openapi.extend_schema(
        operation_id="change_address", request=AddressBody, responses=Address, tags=["addresses"]
    )
    def put(self, request: request.Request, address_id: str) -> response.Response:
        """Change one of my addresses. Orders keep the address that they had."""
        fields = AddressBody.of(request.data)
        changed = services.change_address(
            user_id=request.user.sub,
            address_id=_checked(address_id),
            is_default=fields.pop("is_default"),
            fields=fields,
            now=timezone.now(),
        )
        return response.Response(_address(changed))

    @openapi.extend_schema(
        operation_id="remove_address", request=None, responses={204: None}, tags=["addresses"]
    )
    def delete(self, request: request.Request, address_id: str) -> response.Response:
        """Remove one of my addresses. The newest of the others takes the place of a default."""
        services.remove_address(user_id=request.user.sub, address_id=_checked(address_id))
        return response.Response(status=204)


def _checked(address_id: str) -> str:
    """An id that can be one: what the database cannot even compare is not there."""
    if not ids.is_id(address_id):
        raise exceptions.AddressNotFound
    return address_id


def _address(address: models.Address) -> dict[str, Any]:
    names = ("id", *postal.MAX_CHARACTERS, "is_default")
    return {name: getattr(address, name) for name in names}
