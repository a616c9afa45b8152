"""Saved searches: a user gets one notice of each offer that comes into the shop, for the first time or back, and of each new lot,
that a search of theirs finds.

Publishing an offer writes nothing for this; accepting a lot writes one row. A sweep compares what is new: one after the other, each
with COMPARED_AT_ONCE searches in a transaction, which writes the events and how far it has come. So a search that thousands have
saved delays no one, and after a crash the sweep goes on where it was.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction

from auction_project.kernel import words
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import once, outbox
from inventory import models, refusals
from inventory.search import index, matching

MAX_SAVED = 50  # of one user
COMPARED_AT_ONCE = 500
STEPS, MATCHES = (
    100,
    5_000,
)  # of one sweep, for offers and for lots each: other events of the stock wait behind the matches
_SWEEP_LOCK = 0x5EA2C4


class _News(NamedTuple):
    """A new offer or lot: its owner, since when it is there, and the `facts` of its event. A lot that is over matches no search, because
    it takes no bid."""

    among: str
    row: models.SearchEntry | models.NewLot
    subject: matching.Subject
    owner_id: str
    since: datetime
    facts: dict[str, Any]
    is_over: bool = False


def save_search(
    *,
    search_id: str,
    user_id: str,
    query: Mapping[str, Any],
    now: datetime,
    among: str = models.Among.OFFERS.value,
) -> models.SavedSearch:
    """Save what the user searches for, unless there was a request for `search_id`. The same search again is the one that is saved already.
    `query` has the fields of `among` (matching.FIELDS).

    Raises EmptySearch, TooManySearches, KeyReused when the first request for this id was another search, and SearchNotFound for a repeat
    after the user has removed it.
    """
    if matching.is_empty(query):
        raise refusals.EmptySearch
    digest = matching.digest_of(query)
    with transaction.atomic(using=models.DATABASE):
        own = models.SavedSearch.lock_and_list(user_id)
        is_first = once.first_request(models.Once, search_id, query, now=now)
        saved = next((one for one in own if one.digest == digest), None)
        if saved is not None:
            return saved
        if not is_first:
            raise refusals.SearchNotFound
        if len(own) >= MAX_SAVED:
            raise refusals.TooManySearches(most=MAX_SAVED)
        return models.SavedSearch.objects.create(
            id=search_id,
            user_id=user_id,
            among=among,
            query=dict(query),
            digest=digest,
            anchor=matching.anchor_of(query),
            created_at=now,
        )


def delete_search(*, search_id: str, user_id: str) -> None:
    """Forget one of the user's searches. Raises SearchNotFound."""
    with transaction.atomic(using=models.DATABASE):
        deleted, _ = models.SavedSearch.objects.filter(id=search_id, user_id=user_id).delete()
    if not deleted:
        raise refusals.SearchNotFound


def delete_searches_of(*, user_id: str) -> None:
    """The account is closed."""
    with transaction.atomic(using=models.DATABASE):
        models.SavedSearch.objects.filter(user_id=user_id).delete()


def compare_with_searches(*, now: datetime) -> int:
    """Publish which new offers and lots saved searches find; how many matches. At most STEPS steps for each, and no step after MATCHES:
    the next sweep goes on.

    Raises the error of an offer that cannot be compared, after the lots are.
    """
    try:
        of_offers = _compare(_next_offer, now=now)
    finally:
        of_lots = _compare(_next_lot, now=now)
    return of_offers + of_lots


def _compare(next_news: Callable[[], _News | None], *, now: datetime) -> int:
    matches = 0
    for _ in range(STEPS):
        found = _compare_next(next_news, now=now)
        if found is None:
            break
        matches += found
        if matches >= MATCHES:
            break
    return matches


def _compare_next(next_news: Callable[[], _News | None], *, now: datetime) -> int | None:
    """Compare one offer or lot with the next searches; how many have matched, None when there is nothing to do.

    The lock is on the sweep and not on the offer's entry, so that no sale waits for it.
    """
    with transaction.atomic(using=models.DATABASE), outbox.gathered(models.DATABASE):
        if not _take_lock():
            return None
        news = next_news()
        if news is None:
            return None
        searches = [] if news.is_over else _next_searches(news)
        subject_words = news.subject.words
        found = [
            one for one in searches if matching.matches(one.query, news.subject, subject_words=subject_words)
        ]
        for search in found:
            outbox.publish(models.Outbox, _matched(search, news), now=now)
        models.SavedSearch.note_match([search.id for search in found], now=now)
        news.row.note_compared(
            up_to=searches[-1].id if searches else "", is_all=len(searches) < COMPARED_AT_ONCE
        )
        return len(found)


def _next_searches(news: _News) -> list[models.SavedSearch]:
    """The next searches that it may match, COMPARED_AT_ONCE at most."""
    others = models.SavedSearch.objects.exclude(user_id=news.owner_id)
    return list(
        others.filter(
            among=news.among,
            anchor__in=news.subject.anchors,
            id__gt=news.row.compared_up_to,
            created_at__lt=news.since,
        ).order_by("id")[:COMPARED_AT_ONCE]
    )


def _take_lock() -> bool:
    with transaction.get_connection(models.DATABASE).cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SWEEP_LOCK])
        return bool(cursor.fetchone()[0])


def _next_offer() -> _News | None:
    entries = models.SearchEntry.objects.filter(is_compared=False).order_by("product_id")
    entry = (
        entries.select_related("product__offer", "product__category").defer("title_words", "words").first()
    )
    if entry is None:
        return None
    product = entry.product
    categories, above = [], product.category
    while above is not None:
        categories.append(above.slug)
        above = above.parent
    subject = matching.Offer(
        texts=index.texts_of(product),
        categories=categories,
        condition=entry.condition,
        currency=entry.currency,
        price=entry.price,
        in_stock=entry.in_stock,
    )
    facts = {"product_id": product.id, "title": product.title, "slug": product.offer.slug}
    return _News(models.Among.OFFERS.value, entry, subject, product.owner_id, entry.published_at, facts)


def _next_lot() -> _News | None:
    lot = models.NewLot.next_one()
    if lot is None:
        return None
    subject = matching.Lot(
        texts=[words.of_title(lot.title)],
        format=lot.format,
        currency=lot.currency,
        price=lot.start_price,
    )
    facts = {"product_id": lot.product_id, "title": lot.title, "slug": "", "auction_id": lot.auction_id}
    return _News(
        models.Among.LOTS.value,
        lot,
        subject,
        lot.product.owner_id,
        lot.accepted_at,
        facts,
        is_over=lot.is_over,
    )


def _matched(search: models.SavedSearch, news: _News) -> events.SavedSearchMatched:
    return events.SavedSearchMatched(
        user_id=search.user_id,
        search_id=search.id,
        search=matching.in_words(search.query),
        price=news.subject.price,
        currency=news.subject.currency,
        **news.facts,
    )
