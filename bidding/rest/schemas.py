"""What bidding's REST views answer, for the OpenAPI document: `presentation` makes these bodies.

Amounts are decimal strings of the `currency` beside them, and instants are milliseconds since 1970 UTC, except in the
facts of the history, whose amounts are minor units.
"""

from typing import Any, get_args

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auction_project.kernel.http import api_schemas, paging
from auction_project.kernel.http.api_schemas import AMOUNT, INSTANT, CurrencyField, MoneyField
from bidding import rules
from bidding.rules import kinds, refusals, state, terms
from bidding.rules.facts import Hidden

STATUSES = [status.value for status in rules.Status]
FORMATS = list(rules.formats.FORMATS)
SOLD_BY_BID = " or ".join(name for name, form in rules.formats.FORMATS.items() if form.sells_by_bid)
ALLOCATIONS = list(get_args(terms.Allocation))
OUTCOMES = list(get_args(state.Outcome))
STANDINGS = list(get_args(rules.Standing))
REFUSED_BIDS = (
    *(refusals.AuctionNotOpen, refusals.AuctionClosed, refusals.AuctionCancelled),
    *(refusals.BidTooLow, refusals.BidUnchanged, refusals.PriceDiffers, refusals.SoldOut),
    refusals.ConfirmationRequired,
)
INCOMPLETE = {"X-Catalogue": "filling"}  # the header of a list that may lack lots
FORBIDDEN_BIDS = (refusals.OwnLot, refusals.HouseLot, refusals.CardMissing)


class ServerTime(serializers.Serializer[Any]):
    now = serializers.IntegerField(help_text=INSTANT)


@extend_schema_field(api_schemas.schema_of(rules.SoftClose))
class SoftCloseField(serializers.DictField):
    """How late bids move the end."""


class AuctionTerms(serializers.Serializer[Any]):
    """What was fixed when the auction was requested."""

    start_price = MoneyField()
    allocate = serializers.ChoiceField(ALLOCATIONS, help_text="When units are set aside.")
    soft_close = SoftCloseField()
    relistings_left = serializers.IntegerField()
    relist_of = serializers.CharField(allow_null=True, help_text="The auction that this one goes on from.")
    card_required = serializers.BooleanField(help_text="Bidders need a usable card.")
    pay_within_minutes = serializers.IntegerField(
        help_text="How long a buyer may take to pay in the shop; 0: the card on file is charged at once."
    )
    rules = serializers.IntegerField(help_text="The version of the rules.")
    increments = serializers.CharField(help_text="The version of the table of increments.")


class _Common(serializers.Serializer[Any]):
    """What one auction and an auction in a list have in common."""

    id = serializers.CharField()
    seq = serializers.IntegerField(help_text="The last entry of the log that this shows.")
    status = serializers.ChoiceField(STATUSES)
    ended = serializers.BooleanField(help_text="Nothing more will happen.")
    outcome = serializers.ChoiceField(OUTCOMES, allow_null=True, help_text="null while it is undecided.")
    format = serializers.ChoiceField(FORMATS)
    title = serializers.CharField()
    thumbnail = serializers.CharField(help_text="Address of the small picture, or empty.")
    currency = CurrencyField()
    price = MoneyField(allow_null=True, help_text=f"{AMOUNT} null before the first bid.")
    minimum = MoneyField(help_text=f"The minimum next bid; on a {SOLD_BY_BID} listing the price of a unit.")
    starts_at = serializers.IntegerField(help_text=INSTANT)
    ends_at = serializers.IntegerField(help_text=INSTANT)
    bids = serializers.IntegerField()
    quantity_left = serializers.IntegerField()
    seller_id = serializers.CharField()
    product_id = serializers.CharField()


class Auction(_Common):
    """One auction as it is now."""

    hash = serializers.CharField(help_text="The hash of the entry `seq`.")
    text = serializers.CharField()
    bidders = serializers.IntegerField()
    leader = serializers.CharField(allow_null=True, help_text='An alias, such as "Bidder 3".')
    has_reserve = serializers.BooleanField()
    reserve_met = serializers.BooleanField()
    quantity = serializers.IntegerField()
    sold = serializers.IntegerField()
    undecided_sales = serializers.IntegerField()
    reason = serializers.CharField(allow_blank=True, help_text="Why it was cancelled or refused; else empty.")
    terms = AuctionTerms()


class AuctionSummary(_Common):
    """An auction in a list, as it was about a second ago at most; `seq` says when."""

    start_price = MoneyField()


class FormatCount(serializers.Serializer[Any]):
    """A format, and how many lots have it."""

    value = serializers.ChoiceField(FORMATS)
    count = serializers.IntegerField()


class LotPrices(serializers.Serializer[Any]):
    """The lowest and the highest price; a lot without bids has its start price."""

    min = api_schemas.MoneyField()
    max = api_schemas.MoneyField()
    currency = api_schemas.CurrencyField()


class LotFacets(serializers.Serializer[Any]):
    """How many lots each value of a filter would leave. The counts of a filter leave out that filter itself."""

    formats = FormatCount(many=True)
    ending_soon = serializers.IntegerField(help_text="Those that end within a day.")
    prices = LotPrices(allow_null=True, help_text="Null without lots, and without a currency.")


class AuctionPage(paging.Page):
    items = AuctionSummary(many=True)
    next = serializers.CharField(allow_null=True, help_text="For `after` of the next page; null at the end.")
    facets = LotFacets(
        required=False, allow_null=True, help_text="If asked for. Null while they cannot be counted."
    )


@extend_schema_field(api_schemas.schema_of(Hidden))
class OpeningField(serializers.DictField):
    """What the commitment hides, for its owner alone."""


class Receipt(serializers.Serializer[Any]):
    """Proves the place of the bid in the log."""

    seq = serializers.IntegerField()
    hash = serializers.CharField()
    commitment = serializers.CharField(help_text="SHA-256 of the canonical JSON of `opening`.")
    opening = OpeningField()


class BidAnswer(serializers.Serializer[Any]):
    """The answer to a bid, and to each repeat of it."""

    auction_id = serializers.CharField()
    seq = serializers.IntegerField(help_text="The entry of the log.")
    hash = serializers.CharField()
    at = serializers.IntegerField(help_text=INSTANT)
    standing = serializers.ChoiceField(["leading", "outbid", "bought"])
    bidder = serializers.CharField(help_text="Your alias in this auction.")
    currency = CurrencyField()
    price = MoneyField()
    minimum = MoneyField()
    ends_at = serializers.IntegerField(help_text=INSTANT)
    reserve_met = serializers.BooleanField()
    quantity_left = serializers.IntegerField()
    sale_id = serializers.CharField(allow_null=True, help_text=f"On a {SOLD_BY_BID} listing: the sale.")
    receipt = Receipt()


class Outcome(BidAnswer):
    """The answer under the key: a bid's whole answer, or the entry of a listing, an opening or a cancellation."""

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        for name, field in fields.items():
            field.required = name in _OF_EVERY_ENTRY
        return fields


_OF_EVERY_ENTRY = ("auction_id", "seq", "hash", "at", "receipt")


@extend_schema_field(api_schemas.schema_of(kinds.AnyFacts))
class FactsField(serializers.DictField):
    """What was decided. Amounts are minor units, as they are hashed."""


class HistoryEntry(serializers.Serializer[Any]):
    """An entry of the public log, as it is hashed."""

    auction_id = serializers.CharField()
    seq = serializers.IntegerField()
    at = serializers.IntegerField(help_text=INSTANT)
    commitment = serializers.CharField(help_text="SHA-256 of what the entry hides.")
    facts = FactsField()
    prev = serializers.CharField(help_text="The hash of the entry before.")
    v = serializers.IntegerField(help_text="The version of the form that is hashed.")
    hash = serializers.CharField(help_text="SHA-256 of all the other members.")


class History(serializers.Serializer[Any]):
    entries = HistoryEntry(many=True)
    next = serializers.IntegerField(
        allow_null=True, help_text="Ask again with `after` set to this; null: the end."
    )


class Standing(serializers.Serializer[Any]):
    """How the reader stands in an auction."""

    auction_id = serializers.CharField()
    seq = serializers.IntegerField()
    standing = serializers.ChoiceField(STANDINGS)
    alias = serializers.CharField(allow_null=True)
    maximum = MoneyField(allow_null=True, help_text="Your own; no one else sees it.")
    currency = CurrencyField(required=False, help_text="When there is a maximum.")


class OwnBid(Standing):
    """An auction that the reader bid in, and how the reader stands there."""

    auction = Auction()


class OwnBids(paging.Page):
    items = OwnBid(many=True)
