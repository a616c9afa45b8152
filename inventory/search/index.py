"""The index that searches read: an entry for each published offer, and how many titles have each word.

It is kept in the transaction that changes an offer or its product, whose row that transaction has locked.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from auction_project.kernel import words
from inventory import models
from inventory.search import tsearch

MAX_WORDS = 1_500  # of an offer: a title, thirty attributes and a long description have fewer
REBUILD_OFFERS = 500  # in one transaction

_KEEP = """
INSERT INTO inventory_searchentry AS entry (product_id, title_words, words, title_share, category_id, condition, currency,
                                            price, in_stock, published_at, is_compared, compared_up_to)
VALUES (%(product_id)s::text, %(title_words)s::tsvector, %(words)s::tsvector, %(title_share)s, %(category_id)s, %(condition)s,
        %(currency)s, %(price)s,
        (SELECT coalesce(sum(available), 0) > 0 FROM inventory_balance WHERE product_id = %(product_id)s::text),
        %(published_at)s, FALSE, '')
ON CONFLICT (product_id) DO UPDATE
SET title_words = excluded.title_words, words = excluded.words, title_share = excluded.title_share,
    category_id = excluded.category_id, condition = excluded.condition, currency = excluded.currency,
    price = excluded.price, in_stock = excluded.in_stock
"""
# The rows are locked in the order of the words, so that two transactions with common words come one after the other.
_COUNT_WORDS = """
INSERT INTO inventory_searchword AS counted (word, offers)
SELECT word, more FROM unnest(%s::text[], %s::int[]) AS changed (word, more) ORDER BY word
ON CONFLICT (word) DO UPDATE SET offers = counted.offers + excluded.offers
"""


def keep(offer: models.Offer, *, now: datetime) -> None:
    """Searches find the offer as it is now, or no more if it is not published. What is published anew is as new as `now`.

    In the open transaction; the product's row is locked.
    """
    product = offer.product
    product.enter_shop(is_published=offer.published)
    with transaction.get_connection(models.DATABASE).cursor() as cursor:
        cursor.execute(
            "SELECT tsvector_to_array(title_words) FROM inventory_searchentry WHERE product_id = %s",
            [product.id],
        )
        found = cursor.fetchone()
        before = set(found[0]) if found else set()
        title = words.of(product.title)
        after = set(title) if offer.published else set()
        if offer.published:
            cursor.execute(_KEEP, _entry(offer, title) | {"published_at": now})
        elif found:
            cursor.execute("DELETE FROM inventory_searchentry WHERE product_id = %s", [product.id])
        changed = sorted([(word, 1) for word in after - before] + [(word, -1) for word in before - after])
        if changed:
            cursor.execute(_COUNT_WORDS, [[word for word, _ in changed], [more for _, more in changed]])


def rebuild(*, now: datetime) -> int:
    """Make every entry anew from its offer, and count the words again; how many offers there are. For a new form of the
    index: searches go on meanwhile, and changes wait for REBUILD_OFFERS offers at most."""
    last, count = "", 0
    while True:
        with transaction.atomic(using=models.DATABASE):
            offers = models.Offer.objects.filter(product_id__gt=last).order_by("product_id")
            products = [offer.product_id for offer in offers[:REBUILD_OFFERS]]
            if not products:
                break
            list(models.Product.objects.filter(id__in=products).order_by("id").select_for_update())
            for offer in models.Offer.objects.filter(product__in=products).select_related("product"):
                keep(offer, now=offer.changed_at)
            count, last = count + len(products), products[-1]
    count_all_words()
    return count


def texts_of(product: models.Product) -> list[list[str]]:
    """The words of the texts of a product in which searches look: title, facts, description; MAX_WORDS of them."""
    facts = [words.of(f"{fact['name']} {fact['value']}") for fact in product.attributes]
    return _bounded([words.of(product.title), *facts, words.of(product.description)])


def count_all_words() -> None:
    """The words of all titles, with the writers of titles shut out meanwhile."""
    with (
        transaction.atomic(using=models.DATABASE),
        transaction.get_connection(models.DATABASE).cursor() as cursor,
    ):
        cursor.execute("LOCK TABLE inventory_searchword IN EXCLUSIVE MODE")
        cursor.execute("DELETE FROM inventory_searchword")
        cursor.execute(
            "INSERT INTO inventory_searchword (word, offers) "
            "SELECT word, count(*) FROM inventory_searchentry, unnest(tsvector_to_array(title_words)) AS word GROUP BY word"
        )


def _entry(offer: models.Offer, title: list[str]) -> dict[str, object]:
    product = offer.product
    return {
        "product_id": product.id,
        "title_words": tsearch.vector([title]),
        "words": tsearch.vector(texts_of(product)),
        "title_share": 1000 // max(1, len(title)),
        "category_id": product.category_id,
        "condition": product.condition,
        "currency": offer.currency,
        "price": offer.price,
    }


def _bounded(texts: Iterable[list[str]]) -> list[list[str]]:
    left, kept = MAX_WORDS, []
    for text in texts:
        kept.append(text[:left])
        left -= len(kept[-1])
    return kept
