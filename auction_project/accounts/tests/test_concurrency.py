"""Two at once, on real connections: versions stay gapless, an address has one account."""

import itertools
import threading
from collections.abc import Callable

import pytest
from django.db import connections

from auction_project.accounts import models, selectors, services
from auction_project.accounts.tests.conftest import NOW, published

pytestmark = pytest.mark.django_db(databases=["default"], transaction=True)


def at_once(*work: Callable[[], object]) -> list[Exception | None]:
    """Run all at the same time; what each raised."""
    start, raised = threading.Barrier(len(work)), [None] * len(work)

    def run(index: int) -> None:
        start.wait()
        try:
            work[index]()
        except Exception as error:
            raised[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return raised


def test_changes_of_one_account_are_published_one_by_one(make: Callable[..., models.User]) -> None:
    ada = make("ada")

    def toggle() -> None:
        for _ in range(5):
            services.grant_role(user_id=ada.id, role="seller", reason="x", actor="command", now=NOW)
            services.revoke_role(user_id=ada.id, role="seller", reason="x", actor="command", now=NOW)

    assert at_once(*[toggle] * 4) == [None] * 4

    events = published(ada.id)
    assert [version for version, _ in events] == list(range(1, len(events) + 1))
    assert len(events) == 1 + ada.actions.count()
    assert events[-1][1].roles == selectors.get_account(ada.id).roles == ("bidder",)
    assert all(a[1].roles != b[1].roles for a, b in itertools.pairwise(events))


def test_an_address_that_two_sign_up_with_at_once_has_one_account() -> None:
    def sign_up() -> None:
        services.register_account(user=models.User(email="ada@example.org", password="!"), now=NOW)

    raised = at_once(*[sign_up] * 4)

    assert sorted(type(error).__name__ for error in raised) == ["EmailTaken"] * 3 + ["NoneType"]
    assert models.Outbox.objects.count() == models.User.objects.count() == 1
