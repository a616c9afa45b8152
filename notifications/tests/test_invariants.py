"""The checkers find what they look for: each reads raw data in which its invariant is broken."""

from collections.abc import Callable

import pytest
from django.db import connections, transaction

from auction_project.kernel.messaging import once
from notifications import invariants, models
from notifications.tests import conftest

pytestmark = pytest.mark.django_db(databases=["notifications"])


def notify(user_id: str, source: str, kind: str = "LOST") -> None:
    """As the consumer does, with its inbox."""
    with transaction.atomic(using=models.DATABASE):
        once.record(models.Once, [f"event:{source}"], once.State.DONE, now=conftest.NOW)
        conftest.notify(user_id, source=source, kind=kind)


def violations() -> list[tuple[str, int]]:
    return [(finding.invariant, len(finding.violations)) for finding in invariants.check(now=conftest.NOW)]


def _execute(statement: str) -> None:
    with connections[models.DATABASE].cursor() as cursor:
        cursor.execute(statement)


def _gap() -> None:
    models.Email.objects.all().delete()
    models.Notification.objects.filter(seq=2).delete()


def _renumbered() -> None:
    models.Notification.objects.filter(seq=3).update(seq=4)


def _behind() -> None:
    models.Feed.objects.update(last_seq=2)


def _doubled() -> None:
    _execute("ALTER TABLE notifications_notification DROP CONSTRAINT notifications_one_per_source")
    models.Notification.objects.filter(seq=3).update(source="e2")


def _to_another() -> None:
    conftest.notify("d" * 32, source="e1")


def _to_a_stranger() -> None:
    notify("d" * 32, "e9", "LOW_STOCK")


def _before_the_commit() -> None:
    models.Once.objects.filter(key="event:e2").update(state="STARTED")


def test_sound_data_has_no_finding(user_id: str) -> None:
    for source in ("e1", "e2", "e3"):
        notify(user_id, source)
    conftest.notify(user_id, source="order:GV:cancelled", kind="ORDER_CANCELLED")

    assert violations() == [("N1", 0), ("N1", 0), ("N3", 0), ("N3", 0)]
    assert {finding.checked for finding in invariants.check(now=conftest.NOW)} == {4}


@pytest.mark.parametrize(
    ("breaking", "counts"),
    [
        (_gap, [1, 0, 0, 0]),
        (_renumbered, [1, 0, 0, 0]),
        (_behind, [1, 0, 0, 0]),
        (_doubled, [0, 1, 0, 0]),
        (_to_another, [0, 0, 1, 0]),
        (_to_a_stranger, [0, 0, 1, 0]),
        (_before_the_commit, [0, 0, 0, 1]),
    ],
)
def test_each_break_is_found_by_its_checker(
    user_id: str, breaking: Callable[[], None], counts: list[int]
) -> None:
    for source in ("e1", "e2", "e3"):
        notify(user_id, source)

    breaking()

    assert [count for _, count in violations()] == counts
