"""Turns: which sagas may begin. Many sales at once of one product, or of one buyer, wait for one another and do not delay
other sales.

A saga whose first step is still ahead *enters* when its chain is sent, and *waits* until then. Sagas that enter together are
a group. At most MAX_ENTERING groups of a product, and of a buyer, enter at the same time, so what waits gathers, and enters as
the next group. Sagas that are past their first step let in those that have waited longest; the sweep lets in those that were
missed. A saga past its first step never waits for a turn, so that sagas under way come to their end.

No column holds this: a group has its `due_at` in common. `due_at` of a saga that enters is in the future (after a lost chain it passes, and the saga waits
again), that of a saga that waits is not. Two processes at once may let in one saga too many, which costs only a little
fairness.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from auction_project.kernel.messaging import groups
from sagas import models, selectors

MAX_ENTERING = 2  # groups of a product, or of a buyer: one at work, and one that waits for it
LOOK_AHEAD = 2 * groups.MAX_MEMBERS  # waiting sagas among which those that may enter are searched


def choose(new: Sequence[tuple[str, str]], *, now: datetime) -> list[bool]:
    """Which of the new sagas enter at once, given the product and the buyer of each, in order."""
    places = _Places({product_id for product_id, _ in new}, {user_id for _, user_id in new}, now=now)
    return [places.take(product_id, user_id) for product_id, user_id in new]


def list_next(due: QuerySet[models.Saga], *, now: datetime, most: int) -> list[models.Saga]:
    """Those of the `due` sagas that wait and may enter now, the longest waiting first. Locks them."""
    order = ("created_at", "sale_id")
    turn = Window(RowNumber(), partition_by=F("product_id"), order_by=order)
    first = due.filter(models.BEGINNING).annotate(turn=turn).filter(turn__lte=LOOK_AHEAD).order_by(*order)
    # A statement of its own: as a subquery, it may be run once for each saga that waits.
    ids = list(first.values_list("pk", flat=True)[:most])
    return _choose(
        models.Saga.objects.filter(models.BEGINNING, pk__in=ids, due_at__lte=now), now=now, most=most
    )


def have_followers(sagas: Sequence[models.Saga], *, now: datetime) -> bool:
    """Whether any saga waits that `list_followers` looks at; most often none does."""
    return _followers(sagas, now).exists()


def list_followers(sagas: Sequence[models.Saga], *, now: datetime) -> list[models.Saga]:
    """The sagas of the same products or buyers that may enter now that `sagas` are past their first step. Locks them. A saga
    whose definition this release does not know is left to a newer one."""
    return _choose(_followers(sagas, now), now=now, most=LOOK_AHEAD)


def is_moving(saga: models.Saga, *, since: datetime) -> bool:
    """Whether `saga` waits for its turn, and another one of its product or buyer has moved since the time `since`."""
    same = Q(product_id=saga.product_id) | Q(user_id=saga.user_id)
    is_beginning = models.Saga.objects.filter(models.BEGINNING, pk=saga.pk, started_at__isnull=True).exists()
    others = models.Saga.objects.filter(same, moved_at__gt=since).exclude(models.BEGINNING)
    return is_beginning and others.exists()


def _followers(sagas: Sequence[models.Saga], now: datetime) -> QuerySet[models.Saga]:
    same = Q(product_id__in={saga.product_id for saga in sagas}) | Q(
        user_id__in={saga.user_id for saga in sagas}
    )
    return models.Saga.objects.filter(
        models.BEGINNING, same, selectors.of_known_definitions(), due_at__lte=now
    )


def _choose(waiting: QuerySet[models.Saga], *, now: datetime, most: int) -> list[models.Saga]:
    """Those of the first `most` that may enter, the longest waiting first."""
    first = list(waiting.order_by("created_at", "sale_id").select_for_update(skip_locked=True)[:most])
    if not first:
        return []
    places = _Places({saga.product_id for saga in first}, {saga.user_id for saga in first}, now=now)
    return [saga for saga in first if places.take(saga.product_id, saga.user_id)]


class _Places:
    """The groups of these products and buyers that are entering now, and the next one."""

    def __init__(self, product_ids: Collection[str], user_ids: Collection[str], *, now: datetime) -> None:
        same = Q(product_id__in=product_ids) | Q(user_id__in=user_ids)
        entering = models.Saga.objects.filter(models.BEGINNING, same, due_at__gt=now)
        rows = list(entering.values_list("product_id", "user_id", "due_at").distinct())
        self._products = Counter(product_id for product_id, _ in {(row[0], row[2]) for row in rows})
        self._users = Counter(user_id for user_id, _ in {(row[1], row[2]) for row in rows})
        self._members: Counter[tuple[str, str]] = Counter()  # of the next group

    def take(self, product_id: str, user_id: str) -> bool:
        """Add one to the next group; False, and no change, when MAX_ENTERING groups are entering already, or the next one is
        full."""
        if max(self._products[product_id], self._users[user_id]) >= MAX_ENTERING:
            return False
        kinds = (("product", product_id), ("user", user_id))
        if max(self._members[kind] for kind in kinds) >= groups.MAX_MEMBERS:
            return False
        self._members.update(kinds)
        return True
