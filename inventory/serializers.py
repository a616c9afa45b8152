"""The shapes of the stock's REST bodies. A field that is not declared is refused by name."""

from collections.abc import Iterable
from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auction_project.kernel import ids, instants, money
from auction_project.kernel.http import api_schemas, paging, rest
from inventory import models, services

ALIAS_CHARACTERS = 6  # of a seller's id: what the shop calls a seller
MAX_SLUG_CHARACTERS = 80
_PICTURE = "JPEG or PNG of up to 50 megapixels, or WebP of up to 16, at most 20 MiB; send the body as multipart/form-data."


class ProductsQuery(paging.PageQuery):
    """Words to search for, and a page of the list."""

    q = serializers.CharField(
        max_length=100,
        default="",
        allow_blank=True,
        help_text="Words of the title or SKU, in any order; parts of words, too.",
    )


class AttributeBody(rest.StrictSerializer):
    """One line of a product's facts: "Maker: Dent & Co."."""

    name = serializers.CharField(max_length=services.MAX_ATTRIBUTE_NAME_CHARACTERS)
    value = serializers.CharField(max_length=services.MAX_ATTRIBUTE_VALUE_CHARACTERS)


class AttributesField(serializers.ListField):
    """A list; in a form, the list as JSON text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            child=AttributeBody(),
            max_length=services.MAX_ATTRIBUTES,
            help_text="Facts in the order in which they are shown. In a form: the list as JSON.",
            **options,
        )

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            try:
                data = msgspec.json.decode(data)
            except msgspec.DecodeError:
                raise serializers.ValidationError("Not a list in JSON.") from None
        return super().to_internal_value(data)


class ProductBody(rest.FormBody):
    """A new product."""

    sku = serializers.CharField(max_length=services.MAX_SKU_CHARACTERS)
    title = serializers.CharField(max_length=services.MAX_TITLE_CHARACTERS)
    description = serializers.CharField(
        max_length=services.MAX_DESCRIPTION_CHARACTERS, default="", allow_blank=True
    )
    condition = serializers.ChoiceField(choices=models.Condition.choices)
    category = serializers.CharField(
        max_length=MAX_SLUG_CHARACTERS, default="", allow_blank=True, help_text="Its slug, or empty."
    )
    attributes = AttributesField(required=False)
    owner_id = serializers.RegexField(
        rf"^({ids.HOUSE}|{ids.ID_FORM})\Z",
        required=False,
        help_text="For operators: 'house' (the default) or a user's id. Sellers own what they create.",
    )
    image = serializers.FileField(required=False, help_text=f"The first picture. {_PICTURE}")
    alt = serializers.CharField(
        max_length=models.MAX_ALT_CHARACTERS,
        default="",
        allow_blank=True,
        help_text="What the picture shows.",
    )


class CorrectionBody(rest.FormBody):
    """What is left out stays as it is."""

    title = serializers.CharField(max_length=services.MAX_TITLE_CHARACTERS, required=False)
    description = serializers.CharField(
        max_length=services.MAX_DESCRIPTION_CHARACTERS, required=False, allow_blank=True
    )
    condition = serializers.ChoiceField(choices=models.Condition.choices, required=False)
    category = serializers.CharField(
        max_length=MAX_SLUG_CHARACTERS, required=False, allow_blank=True, help_text="Its slug; empty is none."
    )
    attributes = AttributesField(required=False)
    image = serializers.FileField(
        required=False,
        help_text="In place of the present first picture; send the body as multipart/form-data.",
    )


class PictureBody(rest.FormBody):
    """One more picture."""

    image = serializers.FileField(help_text=_PICTURE)
    alt = serializers.CharField(
        max_length=models.MAX_ALT_CHARACTERS,
        default="",
        allow_blank=True,
        help_text="What the picture shows.",
    )


class PlacedPictureBody(rest.StrictSerializer):
    """A picture of the product at its place."""

    id = serializers.CharField(max_length=models.DIGEST_CHARACTERS)
    alt = serializers.CharField(
        max_length=models.MAX_ALT_CHARACTERS,
        required=False,
        allow_blank=True,
        help_text="What it shows; left out, it stays as it is.",
    )


class PicturesBody(rest.StrictSerializer):
    """The pictures that the product shows from now on, in this order. The first is that of its thumbnail; one that is left out
    is shown no more."""

    pictures = serializers.ListField(child=PlacedPictureBody(), max_length=services.MAX_PICTURES)


class OfferBody(rest.StrictSerializer):
    """For how much a product is sold in the shop, and whether it is."""

    price = api_schemas.AmountField(help_text=f"For one unit. {api_schemas.AMOUNT}")
    currency = api_schemas.CurrencyField()
    max_per_order = serializers.IntegerField(
        min_value=1, max_value=services.MAX_PER_ORDER, help_text="How many units one order may have."
    )
    published = serializers.BooleanField(help_text="Whether the shop shows and sells it.")


class Attribute(serializers.Serializer):
    """One line of a product's facts."""

    name = serializers.CharField()
    value = serializers.CharField()


class ProductPicture(serializers.Serializer):
    """A picture of a product."""

    id = serializers.CharField(source="public_id")
    url = serializers.CharField()
    thumbnail = serializers.CharField(source="thumbnail_url")
    alt = serializers.CharField(help_text="What it shows, or empty.")


class ProductOffer(serializers.Serializer):
    """For how much the product is sold in the shop, and whether it is."""

    slug = serializers.CharField()
    price = serializers.SerializerMethodField()
    currency = serializers.CharField()
    max_per_order = serializers.IntegerField()
    published = serializers.BooleanField()

    @extend_schema_field(api_schemas.MoneyField())
    def get_price(self, offer: models.Offer) -> str:
        return money.format(offer.price, offer.currency)


class Product(serializers.Serializer):
    """A product, with its stock in units over all warehouses."""

    id = serializers.CharField()
    sku = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    condition = serializers.ChoiceField(choices=models.Condition.choices)
    category = serializers.CharField(
        source="category.slug", default=None, allow_null=True, help_text="The slug of its category."
    )
    attributes = Attribute(many=True)
    owner_id = serializers.CharField()
    image = serializers.CharField(source="image_url", help_text="Address of the first picture, or empty.")
    thumbnail = serializers.CharField(
        source="thumbnail_url", help_text="Address of the small first picture, or empty."
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
    offer = ProductOffer(default=None, allow_null=True, help_text="Null until there was one.")


class ProductWithPictures(Product):
    """A product with all pictures that it shows, in their order."""

    pictures = ProductPicture(source="shown_pictures", many=True)


class ProductPage(paging.Page):
    items = Product(many=True)


class Category(serializers.Serializer):
    """A branch of the tree of categories; each comes after its parent."""

    slug = serializers.CharField()
    name = serializers.CharField()
    parent = serializers.CharField(allow_null=True, help_text="The slug of the category above.")
    offers = serializers.IntegerField(help_text="How many are for sale in it and below it.")


class Categories(serializers.Serializer):
    """All categories."""

    items = Category(many=True)


class Offer(serializers.Serializer):
    """What the shop sells, at a fixed price for one unit."""

    product_id = serializers.CharField()
    slug = serializers.CharField()
    title = serializers.CharField(source="product.title")
    thumbnail = serializers.CharField(
        source="product.thumbnail_url", help_text="Address of the small first picture, or empty."
    )
    price = serializers.SerializerMethodField()
    currency = serializers.CharField()
    condition = serializers.ChoiceField(source="product.condition", choices=models.Condition.choices)
    category = serializers.CharField(
        source="product.category.slug",
        default=None,
        allow_null=True,
        help_text="The slug of its category.",
    )
    available = serializers.IntegerField(help_text="Units that can be bought now.")
    max_per_order = serializers.IntegerField()
    seller = serializers.SerializerMethodField(help_text="`house`, or what the shop calls the seller.")

    @extend_schema_field(api_schemas.MoneyField())
    def get_price(self, offer: models.Offer) -> str:
        return money.format(offer.price, offer.currency)

    def get_seller(self, offer: models.Offer) -> str:
        owner_id = offer.product.owner_id
        return owner_id if owner_id == ids.HOUSE else f"Seller {owner_id[:ALIAS_CHARACTERS].upper()}"


class OfferPicture(serializers.Serializer):
    """A picture of what is sold."""

    url = serializers.CharField()
    thumbnail = serializers.CharField()
    alt = serializers.CharField(help_text="What it shows; never empty.")


class OfferDetail(Offer):
    """An offer with all that the shop says of it."""

    description = serializers.CharField(source="product.description")
    pictures = serializers.SerializerMethodField()
    attributes = Attribute(source="product.attributes", many=True)
    updated_at = serializers.SerializerMethodField(help_text=api_schemas.INSTANT)

    @extend_schema_field(OfferPicture(many=True))
    def get_pictures(self, offer: models.Offer) -> Iterable[dict[str, str]]:
        return [
            {
                "url": picture.url,
                "thumbnail": picture.thumbnail_url,
                "alt": picture.alt or offer.product.title,
            }
            for picture in offer.product.shown_pictures
        ]

    def get_updated_at(self, offer: models.Offer) -> int:
        return instants.of(offer.changed_at)


class OfferPrice(serializers.Serializer):
    """A price, and since when it was valid."""

    price = serializers.SerializerMethodField()
    currency = serializers.CharField()
    at = serializers.SerializerMethodField(help_text=api_schemas.INSTANT)

    @extend_schema_field(api_schemas.MoneyField())
    def get_price(self, price: models.OfferPrice) -> str:
        return money.format(price.price, price.currency)

    def get_at(self, price: models.OfferPrice) -> int:
        return instants.of(price.at)


class OwnOffer(Offer):
    """An offer as its owner and operators see it."""

    published = serializers.BooleanField()
    version = serializers.IntegerField(help_text="Grows with every change of the offer.")
    updated_at = serializers.SerializerMethodField(help_text=api_schemas.INSTANT)
    prices = OfferPrice(many=True, help_text="All prices that it had, the present one first.")

    def get_updated_at(self, offer: models.Offer) -> int:
        return instants.of(offer.changed_at)
