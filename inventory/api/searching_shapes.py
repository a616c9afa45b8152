"""The shapes of searches: what asks for offers, and what is answered."""

from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auction_project.kernel import instants, money, words
from auction_project.kernel.http import api_schemas, paging, rest
from inventory import models
from inventory import serializers as shop
from inventory.search import counting, cursors, matching, searches


class SearchBody(rest.StrictSerializer):
    """Words and filters. One that is empty or left out leaves its field open."""

    q = serializers.CharField(
        max_length=words.MAX_QUERY_CHARACTERS,
        default="",
        allow_blank=True,
        help_text="Words in any order, without regard to case and accents. The last one may be the beginning of a word, and "
        'words in "quotes" follow one another.',
    )
    category = serializers.CharField(
        max_length=shop.MAX_SLUG_CHARACTERS,
        default="",
        allow_blank=True,
        help_text="The slug of a category; those below it count, too.",
    )
    condition = serializers.ChoiceField(choices=models.Condition.choices, default="", allow_blank=True)
    currency = serializers.ChoiceField(choices=sorted(money.EXPONENTS), default="", allow_blank=True)
    min_price = api_schemas.AmountField(
        max_length=30, default="", allow_blank=True, help_text="Needs a currency."
    )
    max_price = api_schemas.AmountField(
        max_length=30, default="", allow_blank=True, help_text="Needs a currency."
    )
    in_stock = serializers.BooleanField(default=False, help_text="Only what can be bought now.")


class OffersQuery(SearchBody):
    """A search, its order, and a page of it."""

    sort = serializers.ChoiceField(
        choices=[sort.value for sort in searches.Sort],
        default="",
        allow_blank=True,
        help_text="By default relevance where there are words, else the newest first. Prices are compared within a currency.",
    )
    cursor = serializers.CharField(
        max_length=cursors.MAX_CHARACTERS,
        default="",
        allow_blank=True,
        help_text="`next` of the page before, for the same search and order.",
    )
    page_size = serializers.IntegerField(min_value=1, max_value=paging.MAX_PAGE_SIZE, default=24)


class SavedSearchBody(SearchBody):
    """A search to save, among offers or among lots. A category, a condition and the stock are filters of offers alone. The price of a
    new lot is its start price."""

    among = serializers.ChoiceField(choices=models.Among.choices, default=models.Among.OFFERS.value)
    format = serializers.RegexField(
        r"^[a-z_]{1,32}\Z",
        default="",
        allow_blank=True,
        help_text="A filter of lots alone, such as `english`.",
    )

    def validate(self, body: dict[str, Any]) -> dict[str, Any]:
        own = {"among", *matching.FIELDS[body["among"]]}
        for name, value in body.items():
            if value and name not in own:
                raise serializers.ValidationError(
                    {name: f"A search among {body['among']} has no such filter."}
                )
        return body


class CategoryCount(serializers.Serializer[Any]):
    """A category, and how many offers are in it and below it."""

    slug = serializers.CharField()
    name = serializers.CharField()
    count = serializers.IntegerField()


class ConditionCount(serializers.Serializer[Any]):
    """A condition, and how many offers have it."""

    value = serializers.ChoiceField(choices=models.Condition.choices)
    count = serializers.IntegerField()


class PriceRange(serializers.Serializer[Any]):
    """The lowest and the highest price."""

    min = serializers.SerializerMethodField()
    max = serializers.SerializerMethodField()
    currency = serializers.CharField()

    @extend_schema_field(api_schemas.MoneyField())
    def get_min(self, prices: Any) -> str:
        return money.format(prices.min, prices.currency)

    @extend_schema_field(api_schemas.MoneyField())
    def get_max(self, prices: Any) -> str:
        return money.format(prices.max, prices.currency)


class Facets(serializers.Serializer[Any]):
    """What each value of a filter would leave. The counts of a filter leave out that filter itself."""

    categories = serializers.SerializerMethodField()
    conditions = ConditionCount(many=True)
    prices = PriceRange(allow_null=True, help_text="Null without offers, and with several currencies.")

    @extend_schema_field(CategoryCount(many=True))
    def get_categories(self, counts: counting.Counts) -> Any:
        """Without a serializer for each: a house may have hundreds, and that took a fifth of a search."""
        return msgspec.to_builtins(counts.categories)


class OfferPage(serializers.Serializer[Any]):
    """One page of offers."""

    items = shop.Offer(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page; null at the end.")
    total = serializers.IntegerField(source="counts.total")
    total_is_capped = serializers.BooleanField(
        source="counts.is_capped",
        help_text="There are more than were counted: the total and all counts are lower bounds.",
    )
    facets = Facets(source="counts")


class SavedQuery(serializers.Serializer[Any]):
    """The words and filters of a saved search."""

    q = serializers.CharField()
    category = serializers.CharField(required=False, help_text="Of offers.")
    condition = serializers.CharField(required=False, help_text="Of offers.")
    format = serializers.CharField(required=False, help_text="Of lots.")
    currency = serializers.CharField()
    min_price = serializers.CharField()
    max_price = serializers.CharField()
    in_stock = serializers.BooleanField(required=False, help_text="Of offers.")


class SavedSearch(serializers.Serializer[Any]):
    """A search. You get a notice of each new offer, or of each new lot, that it finds."""

    id = serializers.CharField()
    among = serializers.ChoiceField(choices=models.Among.choices)
    query = SavedQuery()
    created_at = serializers.SerializerMethodField(help_text=api_schemas.INSTANT)
    matched_at = serializers.SerializerMethodField(
        help_text=f"When something new was found last; null before. {api_schemas.INSTANT}"
    )

    def get_created_at(self, saved: models.SavedSearch) -> int:
        return instants.of(saved.created_at)

    def get_matched_at(self, saved: models.SavedSearch) -> int | None:
        return instants.of(saved.matched_at) if saved.matched_at else None


class SavedSearches(serializers.Serializer[Any]):
    """All that you have saved."""

    items = SavedSearch(many=True)
