"""The shapes of the stock's REST bodies. A field that is not declared is refused by name."""

from rest_framework import serializers

from auction_project.kernel import ids
from auction_project.kernel.http import paging, rest
from inventory import models, services


class ProductsQuery(paging.PageQuery):
    """Words to search for, and a page of the list."""

    q = serializers.CharField(
        max_length=100,
        default="",
        allow_blank=True,
        help_text="Words of the title or SKU, in any order; parts of words, too.",
    )


class ProductBody(rest.FormBody):
    """A new product."""

    sku = serializers.CharField(max_length=services.MAX_SKU_CHARACTERS)
    title = serializers.CharField(max_length=services.MAX_TITLE_CHARACTERS)
    description = serializers.CharField(
        max_length=services.MAX_DESCRIPTION_CHARACTERS, default="", allow_blank=True
    )
    condition = serializers.ChoiceField(choices=models.Condition.choices)
    owner_id = serializers.RegexField(
        rf"^({ids.HOUSE}|{ids.ID_FORM})\Z",
        required=False,
        help_text="For operators: 'house' (the default) or a user's id. Sellers own what they create.",
    )
    image = serializers.FileField(
        required=False,
        help_text="JPEG, PNG or WebP, at most 20 MiB; a JPEG may have 50 megapixels, others 16; send the body as multipart/form-data.",
    )


class CorrectionBody(rest.FormBody):
    """What is left out stays as it is."""

    title = serializers.CharField(max_length=services.MAX_TITLE_CHARACTERS, required=False)
    description = serializers.CharField(
        max_length=services.MAX_DESCRIPTION_CHARACTERS, required=False, allow_blank=True
    )
    condition = serializers.ChoiceField(choices=models.Condition.choices, required=False)
    image = serializers.FileField(
        required=False, help_text="In place of the present picture; send the body as multipart/form-data."
    )


class Product(serializers.Serializer):
    """A product, with its stock in units over all warehouses."""

    id = serializers.CharField()
    sku = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    condition = serializers.ChoiceField(choices=models.Condition.choices)
    owner_id = serializers.CharField()
    image = serializers.CharField(source="image_url", help_text="Address of the picture, or empty.")
    thumbnail = serializers.CharField(
        source="thumbnail_url", help_text="Address of the small picture, or empty."
    )
    on_hand = serializers.IntegerField()
    available = serializers.IntegerField()
    reserved = serializers.IntegerField()
    committed = serializers.IntegerField()
    low_threshold = serializers.IntegerField()
    is_low = serializers.BooleanField()
    version = serializers.IntegerField(
        source="stock_version", help_text="Grows with every change of the stock."
    )


class ProductPage(paging.Page):
    items = Product(many=True)
