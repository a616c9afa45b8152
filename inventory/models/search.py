"""What searches read, kept in the transaction of each change: an entry for each published offer, and the words of their titles;
the searches that users have saved; and the new lots that are still to be compared with them.
"""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.db import models, transaction
from django.db.models import Exists, OuterRef

from inventory.models.catalogue import Condition, Product
from inventory.models.categories import Category
from inventory.models.messages import DATABASE
from inventory.models.reservations import Reservation, ReservationKind, ReservationState


class WordsField(models.Field):
    """A tsvector. It is written and compared by SQL alone."""

    def db_type(self, connection: Any) -> str:
        return "tsvector"


class SearchEntry(models.Model):
    """A published offer as searches see it; an offer that is not published has none.

    The words are folded by `kernel.words`, and not by PostgreSQL, so that both sides of a comparison are cut the same way.
    `in_stock` changes only when the product's last unit goes or the first one comes, so that a sale seldom writes here.
    `is_compared` once the offer was compared with all saved searches; until then with those up to the id `compared_up_to`.
    """

    product = models.OneToOneField(
        Product, models.PROTECT, primary_key=True, related_name="search_entry", db_index=False
    )
    title_words = WordsField()
    words = WordsField()  # of the title, the attributes and the description
    title_share = models.PositiveSmallIntegerField()  # what part of the title one word is, in thousandths
    category = models.ForeignKey(Category, models.PROTECT, null=True, related_name="+")
    condition = models.CharField(max_length=10, choices=Condition.choices)
    currency = models.CharField(max_length=3)
    price = models.BigIntegerField()
    in_stock = models.BooleanField()
    published_at = models.DateTimeField()
    is_compared = models.BooleanField(default=False)
    compared_up_to = models.CharField(max_length=32, default="")

    class Meta:
        ordering: ClassVar = ["product_id"]
        default_permissions = ()
        indexes: ClassVar = [
            # Without a list of pending words, which each search would have to read to its end.
            GinIndex(fields=["title_words"], name="inventory_search_title_words", fastupdate=False),
            GinIndex(fields=["words"], name="inventory_search_words", fastupdate=False),
            # One for each order, walked from the place where the page before ended.
            models.Index(fields=["currency", "price", "product"], name="inventory_search_price"),
            models.Index(fields=["published_at", "product"], name="inventory_search_newest"),
            models.Index(
                fields=["title_share", "published_at", "product"], name="inventory_search_relevance"
            ),
            # All that the counts of filters read, in the order in which they are grouped.
            models.Index(
                fields=["currency", "category", "condition", "price", "in_stock"],
                name="inventory_search_counts",
            ),
            models.Index(
                fields=["product"],
                name="inventory_search_uncompared",
                condition=models.Q(is_compared=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id}: {self.price} {self.currency}"

    def note_compared(self, *, up_to: str, is_all: bool) -> None:
        """The saved searches with ids up to `up_to`, or all, were compared with it."""
        entry = SearchEntry.objects.filter(product_id=self.product_id, published_at=self.published_at)
        entry.update(is_compared=is_all, compared_up_to=up_to)

    @classmethod
    def note_stock(cls, crossings: dict[str, bool]) -> bool:
        """These products have come into stock (True) or have none left; whether one of them is for sale. One statement."""
        products = sorted(crossings)
        with transaction.get_connection(DATABASE).cursor() as cursor:
            cursor.execute(
                "UPDATE inventory_searchentry AS entry SET in_stock = crossing.in_stock "
                "FROM unnest(%s::text[], %s::boolean[]) AS crossing (product_id, in_stock) "
                "WHERE entry.product_id = crossing.product_id AND entry.in_stock <> crossing.in_stock",
                [products, [crossings[product] for product in products]],
            )
            return bool(cursor.rowcount)


class SearchWord(models.Model):
    """A word of titles, and in how many published offers' titles it is."""

    word = models.CharField(max_length=40, primary_key=True)
    offers = models.IntegerField()

    class Meta:
        ordering: ClassVar = ["word"]
        default_permissions = ()
        indexes: ClassVar = [
            models.Index(
                fields=["word"],
                name="inventory_search_word_begins",
                opclasses=["text_pattern_ops"],
                condition=models.Q(offers__gt=0),
            )
        ]

    def __str__(self) -> str:
        return f"{self.word} ({self.offers})"


class NewLot(models.Model):
    """A lot as it was accepted, until it was compared with all saved searches; so far with those up to the id `compared_up_to`."""

    auction_id = models.CharField(primary_key=True, max_length=100)
    product = models.ForeignKey(Product, models.PROTECT, related_name="+", db_index=False)
    title = models.CharField(max_length=120)
    format = models.CharField(max_length=32)
    currency = models.CharField(max_length=3)
    start_price = models.BigIntegerField()
    accepted_at = models.DateTimeField()
    compared_up_to = models.CharField(max_length=32, default="")
    is_over: bool  # of `next_one`

    class Meta:
        ordering: ClassVar = ["accepted_at", "auction_id"]
        default_permissions = ()
        indexes: ClassVar = [
            models.Index(fields=["accepted_at", "auction_id"], name="inventory_new_lot_oldest")
        ]

    def __str__(self) -> str:
        return f"{self.auction_id}: {self.title}"

    @classmethod
    def next_one(cls) -> "NewLot | None":
        """The oldest one, with its product; `is_over` when its auction has ended, or has lost its stock."""
        lots = Reservation.objects.filter(
            kind=ReservationKind.LOT, holder=OuterRef("auction_id"), state=ReservationState.HELD
        )
        found = cls.objects.annotate(is_over=~Exists(lots))
        return found.select_related("product").order_by("accepted_at", "auction_id").first()

    @classmethod
    def note(cls, lots: list["NewLot"]) -> None:
        """These were accepted. One statement, or none."""
        if lots:
            cls.objects.bulk_create(lots)

    def note_compared(self, *, up_to: str, is_all: bool) -> None:
        """The saved searches with ids up to `up_to`, or all, were compared with it."""
        lot = NewLot.objects.filter(auction_id=self.auction_id)
        if is_all:
            lot.delete()
        else:
            lot.update(compared_up_to=up_to)


class Among(models.TextChoices):
    """What a saved search finds."""

    OFFERS = "offers", "Offers"
    LOTS = "lots", "Lots"


class SavedSearch(models.Model):
    """What a user wants to hear of. `query` is what was asked for, as the API takes it; `digest` is that of its meaning.

    `anchor` is the beginning of one of its words, or empty for one without words: only what has that beginning, or all, is
    compared with it. `matched_at` is when something matched last.
    """

    id = models.CharField(primary_key=True, max_length=32)
    user_id = models.CharField("user", max_length=64)
    among = models.CharField(
        max_length=6, choices=Among.choices, default=Among.OFFERS, db_default=Among.OFFERS
    )
    query = models.JSONField()
    digest = models.CharField(max_length=64)
    anchor = models.CharField(max_length=8)
    created_at = models.DateTimeField()
    matched_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "id"]
        verbose_name_plural = "saved searches"
        default_permissions = ()
        indexes: ClassVar = [
            models.Index(fields=["among", "anchor", "id"], name="inventory_saved_search_anchor")
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user_id", "digest"], name="inventory_saved_search_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.query}"

    @classmethod
    def lock_and_list(cls, user_id: str) -> "list[SavedSearch]":
        """The searches of the user, of whom no other transaction saves one until this one ends."""
        with transaction.get_connection(DATABASE).cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"search:{user_id}"])
        return list(cls.objects.filter(user_id=user_id))

    @classmethod
    def note_match(cls, search_ids: list[str], *, now: datetime) -> None:
        """Something has matched these."""
        if search_ids:
            cls.objects.filter(id__in=search_ids).update(matched_at=now)
